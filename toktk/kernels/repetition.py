"""Documents that mostly repeat one character, one word or one line, and lines that documents share."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import char_length, hash_bytes

CHARACTER, WORD, LINE = 1, 2, 3
_TIMES = 5  # a word or a line that is there less often is no repetition, however long it is
_LF, _SPACE = 10, 32


@kernel
def _unit_end(data, i, stop, unit):
    """Return where the character, word or line ends that begins at `i`."""
    if unit == CHARACTER:
        return min(i + char_length(data[i]), stop)
    while i < stop and data[i] != _LF and (unit == LINE or data[i] > _SPACE):
        i += 1
    return i


@kernel
def _next_unit(data, i, stop, unit):
    """Return where the next one begins, from the end of another one on."""
    if unit == CHARACTER:
        return i
    while i < stop and data[i] <= _SPACE and (unit == WORD or data[i] == _LF):
        i += 1
    return i


@kernel
def _candidate(data, begin, stop, unit):
    """Return hash and place of what may be most of the document, by how many bytes at most, and of how many.

    What is more than half of it is found for sure, and by at least what it has more than all others (Boyer
    and Moore's vote).
    """
    lead, of, candidate, place = np.int64(0), np.int64(0), np.uint64(0), begin
    i = _next_unit(data, begin, stop, unit)
    while i < stop:
        end = _unit_end(data, i, stop, unit)
        h = hash_bytes(data, i, end - i)
        of += end - i
        if h == candidate and lead > 0:
            lead += end - i
        elif lead >= end - i:
            lead -= end - i
        else:
            lead, candidate, place = end - i - lead, h, i
        i = _next_unit(data, end, stop, unit)
    return candidate, place, lead, of


@kernel
def _bytes_of(data, begin, stop, unit, candidate):
    """Return how many bytes the document has in units of that hash, and how many those are."""
    n_bytes, n = np.int64(0), 0
    i = _next_unit(data, begin, stop, unit)
    while i < stop:
        end = _unit_end(data, i, stop, unit)
        if hash_bytes(data, i, end - i) == candidate:
            n_bytes += end - i
            n += 1
        i = _next_unit(data, end, stop, unit)
    return n_bytes, n


@kernel
def find_repetitive(data, offsets, least, share, units, places):
    """Find documents of which one character, word or line makes more than a share of the bytes.

    Space between words, and ends of lines, do not count. White space sets words apart.

    Args:
        data, offsets: uint8 and int64[D + 1].
        least: bytes; shorter documents are left out.
        share: more than a half.
        units: uint8[D], out: `CHARACTER`, `WORD`, `LINE`, the first of them that is repeated, or 0.
        places: int64[D], out: where what is repeated stands, of those.
    """
    for d in range(offsets.size - 1):
        begin, stop = offsets[d], offsets[d + 1]
        units[d] = 0
        if stop - begin < least:
            continue
        for unit in (CHARACTER, WORD, LINE):
            candidate, place, lead, of = _candidate(data, begin, stop, unit)
            if lead <= (2 * share - 1) * of:
                continue
            n_bytes, n = _bytes_of(data, begin, stop, unit, candidate)
            if n >= _TIMES and n_bytes > share * of:
                units[d], places[d] = unit, place
                break


@kernel
def hash_document_lines(data, offsets, least, hashes, begins, lengths, documents):
    """Hash the lines of documents that have more than one; return how many there are.

    Space at both ends of a line is no part of it.

    Args:
        data, offsets: uint8 and int64[D + 1].
        least: bytes of a line; shorter ones are left out.
        hashes, begins, lengths, documents: uint64, and int64 of the others, out, of each line; with room
            for all bytes over `least`.
    """
    n = 0
    for d in range(offsets.size - 1):
        begin, stop = offsets[d], offsets[d + 1]
        i = begin
        while i < stop:
            end = i
            while end < stop and data[end] != _LF:
                end += 1
            is_only = i == begin and end + 1 >= stop
            first, last = i, end
            while first < last and data[first] <= _SPACE:
                first += 1
            while last > first and data[last - 1] <= _SPACE:
                last -= 1
            if last - first >= least and not is_only:
                hashes[n] = hash_bytes(data, first, last - first)
                begins[n] = first
                lengths[n] = last - first
                documents[n] = d
                n += 1
            i = end + 1
    return n
