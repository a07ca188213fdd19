"""Cutting: UTF-8 bytes in, piece ends out.

`tables` is `Transducer.tables`; toktk.pretokenizers.transducer says how they work. Bytes that are not
UTF-8 never lead out of the tables, but where they are cut is undefined: readers validate.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel

_NODE, _SYMBOL, _ROW = np.uint64(0xFFFFFF00), np.uint64(0xFF), np.uint64(0xFFFFF)
_FIRST, _SECOND, _ENDS = np.uint64(20), np.uint64(26), np.uint64(28)
_ONE, _TWO_BITS, _SIX_BITS = np.uint64(1), np.uint64(3), np.uint64(63)

SEGMENT = 16384  # bytes between two calls; the ends of a segment stay in the first-level cache


@kernel
def match_end(data, p, stop, tables):
    """Return where the leftmost-first match that begins at `p` ends, or -1: the plain automaton."""
    bytes_table, _, _, symbol_class, next_state, accept, _, _ = tables
    n_classes = next_state.size // (accept.size - next_state.size)
    state, node = np.int64(0), np.int64(0)
    i = here = p
    last = np.int64(-1)
    while i < stop:
        entry = bytes_table[(node << 8) | data[i]]
        node = np.int64(entry >> 8)
        symbol = entry & 255
        i += 1
        if symbol == 0:
            continue
        c = symbol_class[symbol]
        if accept[state * (n_classes + 1) + c]:
            last = here
        state = np.int64(next_state[state * n_classes + c])
        if state < 0:
            return last
        here = i
    if here > p and accept[state * (n_classes + 1) + n_classes]:
        last = here
    return last


@kernel
def piece_end(data, p, stop, tables):
    """Return where the piece at `p` ends: a match, or the gap up to the next match."""
    end = match_end(data, p, stop, tables)
    if end > p:
        return end
    i = p + 1
    while i < stop:
        if data[i] & 0xC0 != 0x80:
            end = match_end(data, i, stop, tables)
            if end > i:
                return i
        i += 1
    return stop


@kernel
def cut_segment(data, resume, segment_end, stop, tables, ends):
    """Cut from where `resume` (int64[4]: position, row, node, piece start) says up to `segment_end`.

    Writes the end of each piece to `ends`, which has room for the segment's bytes and 16 more; returns how
    many. A piece is reported once its end is known, which may be after the segment; reading may stop before
    the end of the segment, so look at ``resume[0]``.
    """
    bytes_table, step_table, _, _, _, _, _, bail_row = tables
    # Unsigned indices spare the test for negative ones; numba would turn a mixture into floats.
    i, row, node = np.uint64(resume[0]), np.uint64(resume[1]), np.uint64(resume[2])
    start, k = resume[3], np.uint64(0)
    bail, until = np.uint64(bail_row), np.uint64(segment_end)
    while True:
        while i < until:
            entry = np.uint64(bytes_table[node | np.uint64(data[i])])
            node = entry & _NODE
            step = np.uint64(step_table[row | (entry & _SYMBOL)])
            row = step & _ROW
            ends[k] = i - ((step >> _FIRST) & _SIX_BITS)
            ends[k + _ONE] = i - ((step >> _SECOND) & _TWO_BITS)
            k += step >> _ENDS
            i += _ONE
            if row == bail:
                break
        if row != bail:
            break
        if k > 0:
            start = ends[k - _ONE]
        start = piece_end(data, start, stop, tables)
        ends[k] = start
        k += _ONE
        i, row, node = np.uint64(start), np.uint64(0), np.uint64(0)
        # That piece may end long before the segment: read no more bytes than there is room for ends.
        until = np.uint64(min(segment_end, start + ends.size - 2 - np.int64(k)))
    if k > 0:
        start = ends[k - _ONE]
    resume[0], resume[1], resume[2], resume[3] = i, row, node, start
    return np.int64(k)


@kernel
def cut_rest(data, resume, stop, tables, ends):
    """Report the pieces still open at the end of the document; return how many.

    At most ``ends.size`` >= 2 at a time: call again until ``resume[3] == stop``.
    """
    _, _, end_table, _, _, _, stride, bail_row = tables
    step = np.int64(end_table[resume[1] // stride])
    k = np.int64(0)
    if step != bail_row:
        ends[0] = stop - ((step >> 20) & 63)
        ends[1] = stop
        k = step >> 28
        resume[3] = stop
    while resume[3] < stop and k < ends.size:
        resume[3] = piece_end(data, resume[3], stop, tables)
        ends[k] = resume[3]
        k += 1
    return k


@kernel
def cut_document(data, begin, stop, tables, resume, ends):
    """Cut one document into `ends` (int64, room for its bytes and 2 more); return how many pieces.

    `resume` (int64[4]) is scratch.
    """
    resume[0], resume[1], resume[2], resume[3] = begin, 0, 0, begin
    k = cut_segment(data, resume, stop, stop, tables, ends)
    return k + cut_rest(data, resume, stop, tables, ends[k:])
