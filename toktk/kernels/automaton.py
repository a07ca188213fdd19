"""The plain automaton: one match, or one piece, a byte at a time; and where long documents may be split.

`tables` is `Transducer.tables` (toktk.pretokenizers.transducer).
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def match_end(data, p, stop, tables):
    """Return where the leftmost-first match that begins at `p` ends, or -1: the plain automaton."""
    _, _, bytes_table, next_state, accept, _ = tables
    n_classes = next_state.size // (accept.size - next_state.size)
    state, node = np.int64(0), np.int64(0)
    i = here = p
    last, behind = np.int64(-1), np.int64(0)
    while i < stop:
        entry = bytes_table[(node << 8) | data[i]]
        node = np.int64(entry >> 8)
        c = np.int64(entry & 255) - 1
        i += 1
        if c < 0:
            continue
        end = np.int64(accept[state * (n_classes + 1) + c])
        if end > 0:
            last, behind = here, end - 1
        state = np.int64(next_state[state * n_classes + c])
        if state < 0:
            break
        here = i
    if state >= 0 and here > p:
        end = np.int64(accept[state * (n_classes + 1) + n_classes])
        if end > 0:
            last, behind = here, end - 1
    while behind > 0 and last > p:  # what was only looked at
        last -= 1
        behind -= np.int64(data[last] & 0xC0 != 0x80)
    return last


@kernel
def piece_end(data, p, stop, tables):
    """Return where the piece at `p` ends: a match, or the gap up to the next match or certain boundary."""
    end = match_end(data, p, stop, tables)
    if end > p:
        return end
    _, _, bytes_table, _, _, certain = tables
    before = _symbol(data, p, stop, bytes_table)
    i = p + 1
    while i < stop:
        if data[i] & 0xC0 != 0x80:
            symbol = _symbol(data, i, stop, bytes_table)
            if certain[before << 8 | symbol]:
                return i
            end = match_end(data, i, stop, tables)
            if end > i:
                return i
            before = symbol
        i += 1
    return stop


@kernel
def _symbol(data, p, stop, bytes_table):
    """Return the class + 1 of the character at `p`, or 0."""
    node = symbol = np.int64(0)
    for i in range(p, min(p + 4, stop)):
        if symbol == 0:
            entry = np.int64(bytes_table[(node << 8) | data[i]])
            node, symbol = entry >> 8, entry & 255
    return symbol


@kernel
def certain_boundary(data, p, stop, tables):
    """Return the first certain boundary after the first character from `p` on, or -1."""
    _, _, bytes_table, _, _, certain = tables
    while p < stop and data[p] & 0xC0 == 0x80:
        p += 1
    node, before = np.int64(0), np.int64(0)
    here = p
    for i in range(p, stop):
        entry = np.int64(bytes_table[(node << 8) | data[i]])
        node, symbol = entry >> 8, entry & 255
        if symbol > 0:
            if certain[before << 8 | symbol]:
                return here
            before, here = symbol, i + 1
    return -1


@kernel
def split_documents(data, offsets, target, tables, new_offsets, owner):
    """Split documents at certain boundaries into parts whose pieces are the document's; return how many.

    A part has `target` bytes or a little more; a document without such boundaries stays in one
    part. `new_offsets` and `owner` (int64), the parts and the document of each, have room for D
    parts and one more for each `target` bytes.
    """
    n = 0
    for d in range(offsets.size - 1):
        p = offsets[d]
        while p >= 0:
            new_offsets[n], owner[n] = p, d
            n += 1
            p = certain_boundary(data, p + target, offsets[d + 1], tables)
    new_offsets[n] = offsets[offsets.size - 1]
    return n
