"""Counting pieces: a hash table whose keys of up to 16 bytes lie in the slots themselves.

A slot is four uint64: the first and second eight bytes of the piece, zero-padded; group << 32 |
length; the count. A longer piece has its content hash in the first word and its place in the arena
in the second. A free slot has length 0. One cache line answers almost every look-up.

The slow twin is `toktk.educational.count_pieces`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.lanes import BEGIN, DOCUMENT, FIRST, LAST
from toktk.kernels.memory import (
    are_equal,
    hash_bytes,
    load_pair,
    load_word,
    prefetch,
    put_word,
    store_word,
)
from toktk.kernels.scan import cut_block, rewind

INLINE = 16
BLOCK = 64
LONGS = 16  # pieces of more than `INLINE` bytes that are looked up together
KEYS = 4 * (BLOCK + LONGS)  # numbers of scratch: of each piece key, group and length, slot
MAX_LENGTH = 2**32 - 1
RUN = 32  # spans that are counted one after the other, for they lie side by side

# Fields of the int64 state vector: entries, bytes in the arena, taken slots that `add_piece` passed over;
# where counting goes on: whether it has begun, the span or part that is next, how many parts there are. All
# from `BEGUN` on are 0 before a new batch.
USED, ARENA_USED, PASSED, BEGUN, NEXT, N_PARTS = range(6)
STATE_SIZE = 6

# Why `count_documents` or `count_spans` came back.
DONE, GROW_SLOTS, GROW_ARENA = range(3)

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_M3 = np.uint64(0x165667B19E3779F9)

_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)


@inlined
def _mix(a, b, c):
    h = (a * _M1) ^ (b * _M2) ^ (c * _M3)
    h = (h ^ (h >> np.uint64(29))) * _M1
    return h ^ (h >> np.uint64(32))


@kernel
def rehash(slots, grown):
    """Enter every slot into `grown`, which is free and larger."""
    mask = grown.size // 4 - 1
    for s in range(0, slots.size, 4):
        if slots[s + 2] == 0:
            continue
        # A long piece is hashed by content, not by place.
        is_long = slots[s + 2] & np.uint64(MAX_LENGTH) > np.uint64(INLINE)
        second = np.uint64(0) if is_long else slots[s + 1]
        at = np.int64(_mix(slots[s], second, slots[s + 2])) & mask
        while grown[4 * at + 2] != 0:
            at = (at + 1) & mask
        for f in range(4):
            grown[4 * at + f] = slots[s + f]


def is_too_small(n_slots: Any, n_entries: Any) -> Any:
    """Tell whether so many entries would fill more than 60 % of the slots."""
    return 5 * n_entries > 3 * n_slots


_is_too_small = inlined(is_too_small)


@inlined
def _lacks(slots, arena, state, n_pieces, n_bytes):
    """Tell what must grow before pieces of so many bytes in all can be entered."""
    if _is_too_small(slots.size // 4, state[USED] + n_pieces):
        return GROW_SLOTS
    if state[ARENA_USED] + n_bytes > arena.size:
        return GROW_ARENA
    return DONE


@kernel
def add_piece(data, start, n, group, weight, slots, arena, state):
    """Count one piece. A free slot and room in the arena must exist."""
    meta = (np.uint64(group) << np.uint64(32)) | np.uint64(n)
    is_long = n > INLINE
    k0, k1 = load_word(data, start, n), load_word(data, start + 8, n - 8)
    if is_long:
        k0, k1 = hash_bytes(data, start, n), np.uint64(0)
    mask = slots.size // 4 - 1
    at = np.int64(_mix(k0, k1, meta)) & mask
    while slots[4 * at + 2] != 0:
        if slots[4 * at] == k0 and slots[4 * at + 2] == meta:
            second = slots[4 * at + 1]
            if are_equal(data, start, arena, np.int64(second), n) if is_long else second == k1:
                break
        at = (at + 1) & mask
        state[PASSED] += 1
    if slots[4 * at + 2] == 0:
        if is_long:
            k1 = np.uint64(state[ARENA_USED])
            for i in range(n):
                arena[state[ARENA_USED] + i] = data[start + i]
            state[ARENA_USED] += n
        slots[4 * at], slots[4 * at + 1], slots[4 * at + 2] = k0, k1, meta
        state[USED] += 1
    slots[4 * at + 3] += np.uint64(weight)


@inlined
def _add_key(k0, k1, meta, home, add, slots, state):
    """Count a piece of up to 16 bytes `add` times; `home` is the index of the slot where it would be."""
    s = home
    top = np.uint64(slots.size - 1)
    while slots[s] != k0 or slots[s + _ONE] != k1 or slots[s + _TWO] != meta:
        if slots[s + _TWO] == 0:
            slots[s], slots[s + _ONE], slots[s + _TWO] = k0, k1, meta
            state[USED] += 1
            break
        s = (s + _FOUR) & top
    slots[s + _THREE] += add


@kernel
def _add_longs(data, longs, add, slots, arena, state):
    """Count long pieces `add` times each: hash, start, group and length, and home of each are in `longs`.

    Their slots are asked for by then. So are the bytes that these point at before any are compared.
    """
    top = np.uint64(slots.size - 1)
    for j in range(0, longs.size, 4):
        if slots[longs[j + 3]] == longs[j]:
            prefetch(arena, np.int64(slots[longs[j + 3] + _ONE]))
    for j in range(0, longs.size, 4):
        k0, start, meta, s = longs[j], np.int64(longs[j + 1]), longs[j + 2], longs[j + 3]
        n = np.int64(meta & np.uint64(MAX_LENGTH))
        while slots[s + _TWO] != 0:
            at = np.int64(slots[s + _ONE])
            if slots[s] == k0 and slots[s + _TWO] == meta and are_equal(data, start, arena, at, n):
                break
            s = (s + _FOUR) & top
        if slots[s + _TWO] == 0:
            at = state[ARENA_USED]
            for i in range(n):
                arena[at + i] = data[start + i]
            slots[s], slots[s + _ONE], slots[s + _TWO] = k0, np.uint64(at), meta
            state[ARENA_USED] += n
            state[USED] += 1
        slots[s + _THREE] += add


@kernel
def _count_run(data, ends, begin, first, last, group, weight, slots, arena, state, keys):
    """Count the pieces that end at ``ends[first:last]``; the first begins at `begin`.

    Each other begins where one ends. Each block first makes its keys and prefetches their slots, then goes
    to the slots. Unsigned indices spare the test for negative ones.
    """
    mask = np.uint64(slots.size // 4 - 1)
    high = np.uint64(group) << np.uint64(32)
    add = np.uint64(weight)
    size = np.uint64(data.size)
    start, k, stop = np.uint64(begin), np.uint64(first), np.uint64(last)
    long = np.uint64(4 * BLOCK)
    while k < stop:
        block_stop = min(k + np.uint64(BLOCK), stop)
        n_keys = np.uint64(0)
        while k < block_stop:
            end = np.uint64(ends[k])
            n = end - start
            if n > np.uint64(INLINE):
                k0, meta = hash_bytes(data, np.int64(start), np.int64(n)), high | n
                s = (_mix(k0, np.uint64(0), meta) & mask) << _TWO
                prefetch(slots, s)
                keys[long], keys[long + _ONE], keys[long + _TWO] = k0, start, meta
                keys[long + _THREE] = s
                long += _FOUR
                if long == np.uint64(KEYS):
                    _add_longs(data, keys[4 * BLOCK : long], add, slots, arena, state)
                    long = np.uint64(4 * BLOCK)
            elif start + np.uint64(16) > size:
                add_piece(data, np.int64(start), np.int64(n), group, weight, slots, arena, state)
            else:
                k0, k1 = load_pair(data, start, n)
                meta = high | n
                s = (_mix(k0, k1, meta) & mask) << _TWO
                prefetch(slots, s)
                keys[n_keys], keys[n_keys + _ONE], keys[n_keys + _TWO] = k0, k1, meta
                keys[n_keys + _THREE] = s
                n_keys += _FOUR
            start = end
            k += _ONE
        j = np.uint64(0)
        while j < n_keys:
            _add_key(keys[j], keys[j + _ONE], keys[j + _TWO], keys[j + _THREE], add, slots, state)
            j += _FOUR
    _add_longs(data, keys[4 * BLOCK : long], add, slots, arena, state)


@kernel
def count_documents(data, offsets, groups, weights, tables, slots, arena, state, work, ends,
                    keys):  # fmt: skip
    """Cut and count documents ``data[offsets[d]:offsets[d + 1]]``.

    Comes back with GROW_SLOTS or GROW_ARENA when the table is too small: grow it and call again,
    until DONE. Before a new batch set ``state[BEGUN:]`` to 0.

    Args:
        data: uint8, UTF-8. offsets: int64[D + 1]. groups: int32[D]. weights: int64[D], >= 0.
        tables, work: as for `cut_block`. ends: int64[scan.BLOCK], kept between calls like `work`.
        slots, arena, state: the table. keys: uint64[KEYS], scratch.
    """
    _, parts, _, _, _, _, _, _ = work
    if state[BEGUN] == 0:
        rewind(offsets, work)
        state[BEGUN] = 1
    while True:
        if state[NEXT] == state[N_PARTS]:
            state[NEXT], state[N_PARTS] = 0, cut_block(data, offsets, tables, work, ends, 0)
            if state[N_PARTS] == 0:
                return DONE
        # Parts that follow one another, of documents alike, are counted as one, as far as there is room.
        part = parts[state[NEXT]]
        d, begin, first = part[DOCUMENT], part[BEGIN], part[FIRST]
        until, end = state[NEXT], begin
        last, lack = first, DONE
        while until < state[N_PARTS] and lack == DONE:
            other, after = parts[until, DOCUMENT], parts[until, LAST]
            is_alike = groups[other] == groups[d] and weights[other] == weights[d]
            if not is_alike or parts[until, BEGIN] != end:
                break
            end = ends[after - 1]
            lack = _lacks(slots, arena, state, after - first, end - begin)
            if lack == DONE or weights[d] == 0:
                last, until, lack = after, until + 1, DONE
        if until == state[NEXT]:
            return lack
        if weights[d] > 0:
            _count_run(
                data, ends, begin, first, last, groups[d], weights[d], slots, arena, state, keys
            )
        state[NEXT] = until


@inlined
def _bits_reversed(number, n_bits):
    backwards = 0
    for bit in range(n_bits):
        backwards = backwards << 1 | (number >> bit) & 1
    return backwards


@kernel
def count_spans(data, offsets, rows, groups, counts, slots, arena, state):
    """Count pieces that are already cut: span p has the groups and counts ``rows[p]:rows[p + 1]``.

    Comes back to have the table grown, as `count_documents` does.

    Spans that come from a table like this one are in the order of their slots. Entered in that order they
    would fill one region of the table after the other, past its end, while the table as a whole has room:
    time would be quadratic. So runs of them are taken with the bits of their numbers reversed, which
    spreads any first part evenly, over a table of no fewer slots than the one that they come from.
    """
    n_spans = offsets.size - 1
    n_bits = 0
    while RUN << n_bits < n_spans:
        n_bits += 1
    while state[NEXT] < RUN << n_bits:
        run = state[NEXT] // RUN
        first = _bits_reversed(run, n_bits) * RUN
        for p in range(first + state[NEXT] % RUN, min(first + RUN, n_spans)):
            start, n = offsets[p], offsets[p + 1] - offsets[p]
            n_entries = rows[p + 1] - rows[p]
            lack = _lacks(slots, arena, state, n_entries, n_entries * n)
            if lack != DONE:
                return lack
            for e in range(rows[p], rows[p + 1]):
                if n > 0 and counts[e] > 0:
                    add_piece(data, start, n, groups[e], counts[e], slots, arena, state)
            state[NEXT] += 1
        state[NEXT] = (run + 1) * RUN
    return DONE


@inlined
def _part_of(slots, s, n_parts):
    """Return the part of `n_parts` that the entry of a slot belongs to, by its bytes, not its group."""
    n = slots[s + 2] & np.uint64(MAX_LENGTH)
    second = slots[s + 1] if n <= np.uint64(INLINE) else np.uint64(0)
    high = _mix(slots[s], second, n) >> np.uint64(32)
    return np.int64((high * np.uint64(n_parts)) >> np.uint64(32))


@kernel
def size_parts(slots, n_entries, n_bytes):
    """Add up the entries of each part of a table, and what they take of the arena; int64[parts] both."""
    for s in range(0, slots.size, 4):
        if slots[s + 2] != 0:
            part, n = _part_of(slots, s, n_entries.size), slots[s + 2] & np.uint64(MAX_LENGTH)
            n_entries[part] += 1
            if n > np.uint64(INLINE):
                n_bytes[part] += np.int64(n)


@kernel
def add_slots(source, source_arena, groups, part, n_parts, slots, arena, state):
    """Add the entries of one part of a table to another one, which has room for all of them.

    ``groups[g]`` (int32) is the number there of group g. Entries come in the order of their slots, which is
    mostly that of the slots that they go to.
    """
    mask = np.uint64(slots.size // 4 - 1)
    for s in range(0, source.size, 4):
        if source[s + 2] == 0 or _part_of(source, s, n_parts) != part:
            continue
        k0, k1, add = source[s], source[s + 1], source[s + 3]
        group, n = groups[source[s + 2] >> np.uint64(32)], source[s + 2] & np.uint64(MAX_LENGTH)
        if n > np.uint64(INLINE):
            start = np.int64(k1)
            add_piece(source_arena, start, np.int64(n), group, add, slots, arena, state)
        else:
            meta = (np.uint64(group) << np.uint64(32)) | n
            home = (_mix(k0, k1, meta) & mask) << _TWO
            _add_key(k0, k1, meta, home, add, slots, state)


@kernel
def size_entries(slots):
    """Return how many entries a table has, and how many bytes they have."""
    n, n_bytes = np.int64(0), np.int64(0)
    for s in range(2, slots.size, 4):
        n += np.int64(slots[s] != 0)
        n_bytes += np.int64(slots[s] & np.uint64(MAX_LENGTH))
    return n, n_bytes


@kernel
def write_entries(slots, arena, data, offsets, groups, counts):
    """Write bytes, group and count of every entry in slot order; `offsets` begins with 0."""
    k, at = np.int64(0), np.int64(0)
    for s in range(0, slots.size, 4):
        if slots[s + 2] == 0:
            continue
        n = np.int64(slots[s + 2] & np.uint64(MAX_LENGTH))
        if n <= INLINE:
            store_word(data, at, n, slots[s])
            if n > 8:
                store_word(data, at + 8, n - 8, slots[s + 1])
        else:
            start = np.int64(slots[s + 1])
            for i in range(0, n, 8):
                put_word(data, at + i, n - i, arena, start + i)
        at += n
        groups[k], counts[k] = slots[s + 2] >> np.uint64(32), slots[s + 3]
        k += 1
        offsets[k] = at


@kernel
def number_pieces(data, offsets, heads, starts, following, hashes, piece_of):
    """Give equal spans the same number, in order of first appearance; return how many numbers.

    `heads` is int32[power of two], all -1; `starts` (int64[n]), `following` (int64[n]) and `hashes`
    (uint64[BLOCK]) are scratch; `piece_of` (int32[n]) is the result.
    """
    mask = np.uint64(heads.size - 1)
    n_pieces = np.int64(0)
    for block in range(0, offsets.size - 1, BLOCK):
        n_spans = min(BLOCK, offsets.size - 1 - block)
        # What a look-up reads lies anywhere, so what those of a block read is fetched together.
        for j in range(n_spans):
            start = offsets[block + j]
            hashes[j] = hash_bytes(data, start, offsets[block + j + 1] - start) & mask
            prefetch(heads, hashes[j])
        for j in range(n_spans):
            prefetch(starts, max(heads[hashes[j]], 0))
            prefetch(following, max(heads[hashes[j]], 0))
        for j in range(n_spans):
            prefetch(data, starts[max(heads[hashes[j]], 0)])
        for j in range(n_spans):
            start = offsets[block + j]
            n = offsets[block + j + 1] - start
            p = heads[hashes[j]]
            while p >= 0:
                length = following[p] >> 32 & MAX_LENGTH
                if length == n and are_equal(data, start, data, starts[p], n):
                    break
                p = np.int32(following[p] & 0xFFFFFFFF)
            if p < 0:
                p = n_pieces
                starts[p] = start
                following[p] = n << 32 | np.int64(heads[hashes[j]]) & 0xFFFFFFFF
                heads[hashes[j]] = p
                n_pieces += 1
            piece_of[block + j] = p
    return n_pieces


@kernel
def counting_sort(keys, cursor, order):
    """Write to `order` the indices of `keys` sorted by key, stably; `cursor` says where each begins."""
    for i in range(keys.size):
        order[cursor[keys[i]]] = i
        cursor[keys[i]] += 1
