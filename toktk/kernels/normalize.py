"""Finding strings, and small changes to text: documents in, documents out."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import char_length, code_point, load64
from toktk.kernels.unigram_encode import longest_match

SPACE = 32
BLOCK = 4096
_HIGH_BITS = np.uint64(0x8080808080808080)


@kernel
def find_strings(data, offsets, table, begins, spots):
    """Find strings in each document: leftmost, then longest, none overlapping another.

    `table` is their trie by `fill_trie`; `begins` (uint8[256]) tells whether one begins with a byte. `spots`
    (int64) receives begin and end of each while there is room. Returns how many there are.
    """
    n = 0
    for d in range(offsets.size - 1):
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            node, end = np.int64(0), i
            if begins[data[i]] != 0:
                node, end = longest_match(data, i, stop, table)
            if node == 0:
                i += 1
                continue
            if 2 * n + 1 < spots.size:
                spots[2 * n], spots[2 * n + 1] = i, end
            n += 1
            i = end
    return n


@kernel
def find_doubtful(data, offsets, values, spots):
    """Find the parts of documents that a normalization form may change.

    A part begins at a stable character, or with the document, and ends before the next stable one.

    `values` (uint8, by code point) are 0 for stable, 255 for doubtful, else the combining class; beyond its
    end all are stable. `spots` is as for `find_strings`. Returns how many parts there are.
    """
    n = np.int64(0)
    for d in range(offsets.size - 1):
        i, stop = offsets[d], offsets[d + 1]
        begin, before, doubtful = i, 0, False
        while i < stop:
            width = min(char_length(data[i]), stop - i)
            code = code_point(data, i, width)
            value = values[code] if 0x80 <= code < values.size else 0
            if value != 0:
                doubtful = doubtful or value == 255 or value < before
                before = value
                i += width
                continue
            if doubtful:
                if 2 * n + 1 < spots.size:
                    spots[2 * n], spots[2 * n + 1] = begin, i
                n += 1
            i += width
            if width == 1:  # a run of ASCII, eight at a time
                while i + 8 <= stop and load64(data, i) & _HIGH_BITS == 0:
                    i += 8
            begin, before, doubtful = i - width, 0, False
        if doubtful:
            if 2 * n + 1 < spots.size:
                spots[2 * n], spots[2 * n + 1] = begin, stop
            n += 1
    return n


@kernel
def holds_mark(data, begin, stop):
    """Tell whether U+2581 occurs in ``data[begin:stop]``; no branch at a byte, so vector code."""
    one, two = np.uint64(1), np.uint64(2)
    for first in range(begin, stop - 2, BLOCK):
        hits = np.uint8(0)
        for i in range(np.uint64(first), np.uint64(min(first + BLOCK, stop - 2))):
            hits |= np.uint8((data[i] == 0xE2) & (data[i + one] == 0x96) & (data[i + two] == 0x81))
        if hits:
            return True
    return False


@kernel
def replace_marks(data, offsets, changed, new_offsets):
    """Write the documents to `changed` with a space for each U+2581, and where each begins and ends.

    `changed` has room for them as they are.
    """
    at = np.int64(0)
    new_offsets[0] = 0
    for d in range(offsets.size - 1):
        i, stop = offsets[d], offsets[d + 1]
        while i < stop:
            if i + 2 < stop and data[i] == 0xE2 and data[i + 1] == 0x96 and data[i + 2] == 0x81:
                changed[at] = SPACE
                i += 3
            else:
                changed[at] = data[i]
                i += 1
            at += 1
        new_offsets[d + 1] = at


@kernel
def prefix_spaces(data, offsets, gains, changed, new_offsets):
    """Write the documents to `changed`, with a space in front of those that gain one (uint8[D])."""
    at = np.int64(0)
    new_offsets[0] = 0
    for d in range(offsets.size - 1):
        if gains[d] != 0:
            changed[at] = SPACE
            at += 1
        start, n = offsets[d], offsets[d + 1] - offsets[d]
        for i in range(n):
            changed[at + i] = data[start + i]
        at += n
        new_offsets[d + 1] = at
