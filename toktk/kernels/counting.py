"""Counting pieces: a hash table whose keys of up to 16 bytes lie in the slots themselves.

A slot is four uint64: the first and second eight bytes of the piece, zero-padded; group << 32 | length;
the count. A longer piece has its content hash in the first word and its place in the arena in the second.
A free slot has length 0. One cache line answers almost every look-up.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import load64, tail64
from toktk.kernels.scanning import SEGMENT, cut_rest, cut_segment

INLINE = 16
MAX_LENGTH = 2**32 - 1

# Fields of the int64 state vector.
USED, ARENA_USED, PIECES = range(3)
STATE_SIZE = 3

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_M3 = np.uint64(0x165667B19E3779F9)


@inlined
def _mix(a, b, c):
    h = (a * _M1) ^ (b * _M2) ^ (c * _M3)
    h = (h ^ (h >> np.uint64(29))) * _M1
    return h ^ (h >> np.uint64(32))


@kernel
def _word(data, i, n):
    """Return the first `n` <= 8 bytes at `i` as a word."""
    if n <= 0:
        return np.uint64(0)
    word = load64(data, i) if i + 8 <= data.size else tail64(data, i)
    return word if n >= 8 else word & ((np.uint64(1) << np.uint64(8 * n)) - np.uint64(1))


@kernel
def hash_long(data, i, n):
    """Hash `n` bytes at `i`, eight at a time."""
    h = np.uint64(n) * _M3
    for k in range(0, n, 8):
        h = (h ^ _word(data, i + k, min(8, n - k))) * _M1
        h ^= h >> np.uint64(31)
    return h


@kernel
def _same(arena, at, data, i, n):
    for k in range(0, n, 8):
        if _word(arena, at + k, min(8, n - k)) != _word(data, i + k, min(8, n - k)):
            return False
    return True


@kernel
def grow_slots(slots):
    """Return a table of twice the size with the same entries."""
    grown = np.zeros(2 * slots.size, dtype=np.uint64)
    mask = grown.size // 4 - 1
    for s in range(0, slots.size, 4):
        if slots[s + 2] == 0:
            continue
        at = np.int64(_mix(slots[s], _second_word(slots, s), slots[s + 2])) & mask
        while grown[4 * at + 2] != 0:
            at = (at + 1) & mask
        for f in range(4):
            grown[4 * at + f] = slots[s + f]
    return grown


@kernel
def _second_word(slots, s):
    """Return the second hashed word of a slot; a long piece is hashed by content, not by place."""
    if slots[s + 2] & np.uint64(MAX_LENGTH) > np.uint64(INLINE):
        return np.uint64(0)
    return slots[s + 1]


@kernel
def grow_arena(arena, room):
    """Return a larger arena with the same bytes."""
    grown = np.empty(2 * arena.size + room, dtype=np.uint8)
    grown[: arena.size] = arena
    return grown


@kernel
def _find_long(slots, arena, data, start, n, meta):
    """Return (slot, hash) of a piece longer than a slot: where it is, or the free slot to put it."""
    mask = slots.size // 4 - 1
    h = hash_long(data, start, n)
    at = np.int64(_mix(h, np.uint64(0), meta)) & mask
    while slots[4 * at + 2] != 0:
        if slots[4 * at + 2] == meta and slots[4 * at] == h:
            if _same(arena, np.int64(slots[4 * at + 1]), data, start, n):
                break
        at = (at + 1) & mask
    return at, h


@kernel
def add_piece(data, start, n, group, weight, slots, arena, state):
    """Count one piece; return the arena, which may have grown. A free slot must exist."""
    meta = (np.uint64(group) << np.uint64(32)) | np.uint64(n)
    if n <= INLINE:
        k0, k1 = _word(data, start, n), _word(data, start + 8, n - 8)
        mask = slots.size // 4 - 1
        at = np.int64(_mix(k0, k1, meta)) & mask
        while slots[4 * at + 2] != 0:
            if slots[4 * at] == k0 and slots[4 * at + 1] == k1 and slots[4 * at + 2] == meta:
                break
            at = (at + 1) & mask
    else:
        at, k0 = _find_long(slots, arena, data, start, n, meta)
        if slots[4 * at + 2] == 0:
            if state[ARENA_USED] + n > arena.size:
                arena = grow_arena(arena, n)
            k1 = np.uint64(state[ARENA_USED])
            arena[state[ARENA_USED] : state[ARENA_USED] + n] = data[start : start + n]
            state[ARENA_USED] += n
        else:
            k1 = slots[4 * at + 1]
    if slots[4 * at + 2] == 0:
        slots[4 * at], slots[4 * at + 1], slots[4 * at + 2] = k0, k1, meta
        state[USED] += 1
    slots[4 * at + 3] += np.uint64(weight)
    return arena


@kernel
def _count_ends(data, start, ends, n_ends, group, weight, slots, arena, state):
    """Count the pieces that end at ``ends[:n_ends]``, the first of them beginning at `start`."""
    if 5 * (state[USED] + n_ends) > 3 * (slots.size // 4):
        slots = grow_slots(slots)
    mask = slots.size // 4 - 1
    high = np.uint64(group) << np.uint64(32)
    safe = data.size - 16
    used = state[USED]
    for k in range(n_ends):
        end = ends[k]
        n = end - start
        if n <= INLINE and start <= safe:
            k0, k1 = load64(data, start), load64(data, start + 8)
            if n < 8:
                k0 &= (np.uint64(1) << np.uint64(8 * n)) - np.uint64(1)
                k1 = np.uint64(0)
            elif n < 16:
                k1 &= (np.uint64(1) << np.uint64(8 * (n - 8))) - np.uint64(1)
            meta = high | np.uint64(n)
            at = np.int64(_mix(k0, k1, meta)) & mask
            while True:
                s = 4 * at
                if slots[s] == k0 and slots[s + 1] == k1 and slots[s + 2] == meta:
                    slots[s + 3] += np.uint64(weight)
                    break
                if slots[s + 2] == 0:
                    slots[s], slots[s + 1], slots[s + 2] = k0, k1, meta
                    slots[s + 3] = np.uint64(weight)
                    used += 1
                    break
                at = (at + 1) & mask
        else:
            state[USED] = used
            arena = add_piece(data, start, n, group, weight, slots, arena, state)
            used = state[USED]
        start = end
    state[USED] = used
    state[PIECES] += n_ends * weight
    return slots, arena


@kernel
def count_documents(data, offsets, groups, weights, tables, slots, arena, state, ends):
    """Cut and count documents ``data[offsets[d]:offsets[d + 1]]``; return the (grown) table and arena.

    Args:
        data: uint8, UTF-8. offsets: int64[D + 1]. groups: int32[D]. weights: int64[D], >= 0.
        tables: `Transducer.tables`. ends: int64[SEGMENT + 2], scratch.
        slots, arena, state: the table; see `new_table` in toktk.pieces.counting.
    """
    resume = np.empty(4, dtype=np.int64)
    for d in range(offsets.size - 1):
        begin, stop = offsets[d], offsets[d + 1]
        group, weight = groups[d], weights[d]
        if begin == stop or weight == 0:
            continue
        resume[0], resume[1], resume[2], resume[3] = begin, 0, 0, begin
        start = begin
        while resume[0] < stop:
            segment_end = min(resume[0] + SEGMENT, stop)
            n = cut_segment(data, resume, segment_end, stop, tables, ends)
            slots, arena = _count_ends(
                data, start, ends, n, group, weight, slots, arena, state
            )
            start = resume[3]
        while start < stop:
            n = cut_rest(data, resume, stop, tables, ends)
            slots, arena = _count_ends(
                data, start, ends, n, group, weight, slots, arena, state
            )
            start = resume[3]
    return slots, arena


@kernel
def count_spans(data, offsets, groups, counts, slots, arena, state):
    """Count pieces that are already cut: one per span; return the (grown) table and arena."""
    for d in range(offsets.size - 1):
        n = offsets[d + 1] - offsets[d]
        if n == 0 or counts[d] == 0:
            continue
        if 5 * (state[USED] + 1) > 3 * (slots.size // 4):
            slots = grow_slots(slots)
        arena = add_piece(data, offsets[d], n, groups[d], counts[d], slots, arena, state)
    return slots, arena


@kernel
def slot_lengths(slots, lengths, groups, counts):
    """Write length, group and count of every entry in slot order."""
    k = 0
    for s in range(0, slots.size, 4):
        if slots[s + 2] != 0:
            lengths[k] = slots[s + 2] & np.uint64(MAX_LENGTH)
            groups[k] = slots[s + 2] >> np.uint64(32)
            counts[k] = slots[s + 3]
            k += 1


@kernel
def slot_bytes(slots, arena, offsets, data):
    """Write the bytes of every entry in slot order."""
    k = 0
    for s in range(0, slots.size, 4):
        if slots[s + 2] == 0:
            continue
        at, n = offsets[k], offsets[k + 1] - offsets[k]
        if n <= INLINE:
            for i in range(min(n, 8)):
                data[at + i] = (slots[s] >> np.uint64(8 * i)) & np.uint64(255)
            for i in range(8, n):
                data[at + i] = (slots[s + 1] >> np.uint64(8 * (i - 8))) & np.uint64(255)
        else:
            data[at : at + n] = arena[np.int64(slots[s + 1]) : np.int64(slots[s + 1]) + n]
        k += 1


@kernel
def number_pieces(data, offsets, heads, following, piece_of):
    """Give equal spans the same number, in order of first appearance; return how many numbers.

    Args:
        heads: int32[power of two], all -1. following: int32[n], scratch. piece_of: int32[n], the result.
    """
    mask = heads.size - 1
    first = np.empty(offsets.size - 1, dtype=np.int32)
    n_pieces = 0
    for e in range(offsets.size - 1):
        start, n = offsets[e], offsets[e + 1] - offsets[e]
        h = np.int64(hash_long(data, start, n)) & mask
        p = heads[h]
        while p >= 0:
            f = first[p]
            if offsets[f + 1] - offsets[f] == n and _same(data, offsets[f], data, start, n):
                break
            p = following[p]
        if p < 0:
            p = n_pieces
            first[p] = e
            following[p] = heads[h]
            heads[h] = p
            n_pieces += 1
        piece_of[e] = p
    return n_pieces


@kernel
def mark_new_spans(data, offsets, new):
    """Set ``new[i]`` where span i differs from the one before it."""
    for i in range(offsets.size - 1):
        n = offsets[i + 1] - offsets[i]
        if i == 0 or offsets[i] - offsets[i - 1] != n or not _same(
            data, offsets[i - 1], data, offsets[i], n
        ):
            new[i] = 1


@kernel
def count_entries(data, offsets, rows, groups, counts, slots, arena, state):
    """Add the entries of a piece table (see toktk.pieces.table); return the (grown) table and arena."""
    for p in range(offsets.size - 1):
        for e in range(rows[p], rows[p + 1]):
            if 5 * (state[USED] + 1) > 3 * (slots.size // 4):
                slots = grow_slots(slots)
            arena = add_piece(
                data, offsets[p], offsets[p + 1] - offsets[p], groups[e], counts[e], slots, arena,
                state,
            )  # fmt: skip
    return slots, arena


@kernel
def counting_sort(keys, cursor, order):
    """Write to `order` the indices of `keys` sorted by key, stably; `cursor` says where each begins."""
    for i in range(keys.size):
        order[cursor[keys[i]]] = i
        cursor[keys[i]] += 1
