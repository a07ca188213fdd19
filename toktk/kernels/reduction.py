"""Plain totals of text: characters, white-space words, lines, letters."""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel

# Columns of the totals.
DOCUMENTS, BYTES, CHARS, LINES, WORDS, UNSPACED, NONSPACE = range(7)
N_TOTALS = 7


@inlined
def _space_width(b0, b1, b2):
    """Return the bytes of the White_Space character that begins with these bytes, or 0 (Unicode 16)."""
    if b0 == 32 or (9 <= b0 <= 13):
        return 1
    if b0 < 0xC2:
        return 0
    if b0 == 0xC2:
        return 2 if b1 == 0x85 or b1 == 0xA0 else 0
    if b0 == 0xE2:
        if b1 == 0x80:
            return 3 if (0x80 <= b2 <= 0x8A) or b2 == 0xA8 or b2 == 0xA9 or b2 == 0xAF else 0
        return 3 if b1 == 0x81 and b2 == 0x9F else 0
    if b0 == 0xE1:
        return 3 if b1 == 0x9A and b2 == 0x80 else 0
    if b0 == 0xE3:
        return 3 if b1 == 0x80 and b2 == 0x80 else 0
    return 0


@inlined
def _is_unspaced(b0, b1):
    """Tell whether a character with these lead bytes belongs to a script written without spaces.

    Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han (with extensions and compatibility ideographs).
    """
    if b0 < 0xE0:
        return False
    if b0 == 0xE0:
        return b1 >= 0xB8
    if b0 == 0xE1:
        return (0x80 <= b1 <= 0x82) or b1 == 0x9E or b1 == 0x9F
    if b0 == 0xE3:
        return (0x81 <= b1 <= 0x83) or b1 >= 0x90
    if 0xE4 <= b0 <= 0xE9:
        return True
    if b0 == 0xEF:
        return 0xA4 <= b1 <= 0xAB
    return b0 == 0xF0 and 0xA0 <= b1 <= 0xB3


@kernel
def add_totals(data, offsets, groups, weights, totals):
    """Add the plain totals of documents, times their weights, to `totals` (int64[G, N_TOTALS]).

    A word is a maximal run of characters without the White_Space property; a line ends at LF, and what
    follows the last LF counts if it is not empty.
    """
    for d in range(offsets.size - 1):
        begin, stop = offsets[d], offsets[d + 1]
        chars = lines = words = unspaced = spaces = np.int64(0)
        in_word = False
        i = begin
        while i < stop:
            b0 = data[i]
            if b0 < 0x80:
                chars += 1
                if b0 > 32 or not (b0 == 32 or (9 <= b0 <= 13)):
                    words += not in_word
                    in_word = True
                else:
                    lines += b0 == 10
                    spaces += 1
                    in_word = False
                i += 1
                continue
            if b0 & 0xC0 == 0x80:
                i += 1
                continue
            b1 = data[i + 1] if i + 1 < stop else np.uint8(0)
            b2 = data[i + 2] if i + 2 < stop else np.uint8(0)
            chars += 1
            if _space_width(b0, b1, b2) > 0:
                spaces += 1
                in_word = False
            else:
                words += not in_word
                in_word = True
                unspaced += _is_unspaced(b0, b1)
            i += 2 if b0 < 0xE0 else 3 if b0 < 0xF0 else 4
        row, weight = totals[groups[d]], weights[d]
        row[DOCUMENTS] += weight
        row[BYTES] += (stop - begin) * weight
        row[CHARS] += chars * weight
        row[LINES] += (lines + (stop > begin and data[stop - 1] != 10)) * weight
        row[WORDS] += words * weight
        row[UNSPACED] += unspaced * weight
        row[NONSPACE] += (chars - spaces) * weight


@kernel
def mark_pieces(data, offsets, class_of, marked):
    """Set ``marked[p]`` where piece p holds a character whose class in `class_of` is not 0."""
    for p in range(offsets.size - 1):
        i, stop = offsets[p], offsets[p + 1]
        while i < stop:
            b = np.int64(data[i])
            width = 1 if b < 0x80 else 2 if b < 0xE0 else 3 if b < 0xF0 else 4
            if b & 0xC0 == 0x80 or i + width > stop:
                i += 1
                continue
            if width > 1:
                b &= 0x7F >> width
                for k in range(1, width):
                    b = (b << 6) | (np.int64(data[i + k]) & 0x3F)
            if b < class_of.size and class_of[b] != 0:
                marked[p] = 1
                break
            i += width


@kernel
def gather_spans(data, offsets, chosen, new_offsets, packed):
    """Copy the chosen spans, one after the other, to `packed`."""
    for i in range(chosen.size):
        start, at = offsets[chosen[i]], new_offsets[i]
        for k in range(new_offsets[i + 1] - at):
            packed[at + k] = data[start + k]
