"""Plain totals of text: characters, white-space words, lines, letters."""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.constants import BYTES, CHARS, DOCUMENTS, LINES, NONSPACE, UNSPACED, WORDS
from toktk.kernels.memory import char_length, code_point

# Flags of a byte: begins a character; belongs to white space; is LF; begins a character of a script
# that is written without spaces.
_LEAD, _SPACE, _LF = np.uint8(1), np.uint8(2), np.uint8(4)
_ONE, _TWO = np.uint64(1), np.uint64(2)


@inlined
def _begins_wide_space(a, b, c):
    """Tell whether a, b, c is a White_Space character of three bytes (Unicode 16)."""
    general = (a == 0xE2) & (b == 0x80) & ((c <= 0x8A) | (c == 0xA8) | (c == 0xA9) | (c == 0xAF))
    mathematical = (a == 0xE2) & (b == 0x81) & (c == 0x9F)
    ogham = (a == 0xE1) & (b == 0x9A) & (c == 0x80)
    ideographic = (a == 0xE3) & (b == 0x80) & (c == 0x80)
    return general | mathematical | ogham | ideographic


@inlined
def _flags(z, y, a, b, c):
    """Return the flags of byte `a`, given two neighbors on each side.

    Only ``&``, ``|`` and comparisons, so that a loop over it becomes vector instructions. Unspaced
    scripts: Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han with extensions and compatibility ideographs.
    """
    narrow = (a == 32) | ((a >= 9) & (a <= 13))
    latin = ((a == 0xC2) & ((b == 0x85) | (b == 0xA0))) | (
        (y == 0xC2) & ((a == 0x85) | (a == 0xA0))
    )
    wide = _begins_wide_space(a, b, c) | _begins_wide_space(y, a, b) | _begins_wide_space(z, y, a)
    unspaced = (
        ((a == 0xE0) & (b >= 0xB8))
        | ((a == 0xE1) & ((b <= 0x81) | ((b == 0x82) & (c < 0xA0)) | (b == 0x9E) | (b == 0x9F)))
        | ((a == 0xE3) & (((b >= 0x81) & (b <= 0x83)) | (b >= 0x90)))
        | ((a >= 0xE4) & (a <= 0xE9))
        | ((a == 0xEF) & (b >= 0xA4) & (b <= 0xAB))
        | ((a == 0xF0) & (b >= 0xA0) & (b <= 0xB3))
    )
    return (
        np.uint8((a & 0xC0) != 0x80)
        | (np.uint8(narrow | latin | wide) << np.uint8(1))
        | (np.uint8(a == 10) << np.uint8(2))
        | (np.uint8(unspaced) << np.uint8(3))
    )


@kernel
def flag_bytes(data, begin, stop, flags):
    """Write the flags of ``data[begin:stop]``, valid UTF-8 that begins and ends between characters."""
    inner = min(max(begin, 2), stop)
    outer = max(inner, min(stop, data.size - 2))
    for i in range(begin, inner):
        flags[i - begin] = _flags_at(data, i)
    for i in range(np.uint64(inner), np.uint64(outer)):
        flags[i - np.uint64(begin)] = _flags(
            data[i - _TWO], data[i - _ONE], data[i], data[i + _ONE], data[i + _TWO]
        )
    for i in range(outer, stop):
        flags[i - begin] = _flags_at(data, i)


@kernel
def _flags_at(data, i):
    """Return the flags of byte `i` near an end of the buffer, where neighbors may be missing."""
    z = data[i - 2] if i >= 2 else np.uint8(0)
    y = data[i - 1] if i >= 1 else np.uint8(0)
    b = data[i + 1] if i + 1 < data.size else np.uint8(0)
    c = data[i + 2] if i + 2 < data.size else np.uint8(0)
    return _flags(z, y, data[i], b, c)


@kernel
def add_totals(data, offsets, groups, weights, flags, totals):
    """Add the plain totals of documents, times their weights, to `totals` (int64[G, N_TOTALS]).

    A word is a run of characters without the White_Space property. What follows the last LF is a
    line if it is not empty. `flags` is uint8, room for all documents: scratch.
    """
    base = offsets[0]
    flag_bytes(data, base, offsets[offsets.size - 1], flags)
    for d in range(offsets.size - 1):
        begin, stop = offsets[d] - base, offsets[d + 1] - base
        if begin == stop:
            totals[groups[d], DOCUMENTS] += weights[d]
            continue
        chars = lines = words = unspaced = spaces = np.int64(0)
        for i in range(np.uint64(begin), np.uint64(stop)):
            f = flags[i]
            chars += np.int64(f & _LEAD)
            spaces += np.int64(f & (f >> np.uint8(1)) & _LEAD)
            lines += np.int64((f >> np.uint8(2)) & _LEAD)
            unspaced += np.int64((f >> np.uint8(3)) & _LEAD)
        for i in range(np.uint64(begin) + _ONE, np.uint64(stop)):
            words += np.int64((flags[i - _ONE] & ~flags[i] & _SPACE) >> np.uint8(1))
        words += flags[begin] & _SPACE == 0
        row, weight = totals[groups[d]], weights[d]
        row[DOCUMENTS] += weight
        row[BYTES] += (stop - begin) * weight
        row[CHARS] += chars * weight
        row[LINES] += (lines + (flags[stop - 1] & _LF == 0)) * weight
        row[WORDS] += words * weight
        row[UNSPACED] += unspaced * weight
        row[NONSPACE] += (chars - spaces) * weight


@kernel
def mark_pieces(data, offsets, class_of, marked):
    """Set ``marked[p]`` where piece p holds a character whose class in `class_of` is not 0."""
    for p in range(offsets.size - 1):
        i, stop = offsets[p], offsets[p + 1]
        while i < stop:
            width = char_length(data[i])
            if data[i] & 0xC0 == 0x80 or i + width > stop:
                i += 1
                continue
            code = code_point(data, i, width)
            if code < class_of.size and class_of[code] != 0:
                marked[p] = 1
                break
            i += width
