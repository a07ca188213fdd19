"""A table from pieces to ids, so that a model sees each piece once.

A slot is four uint64. The first two are the key: 15 bytes of a piece, zero-padded, and its length in the
top byte; of a longer piece the hash of its bytes, and `LONG` above its length. The last two are what the
piece gives: id | id << 32, id | count << 32, or, where more than three ids or the bytes of a long
piece are to be kept, their place in the arena and `SPILLED` | count << 32 | place in the pool. Such a
slot's key is `MARKED`, so that an equal key means that the ids are in the slot. A free slot has an all-zero
key. Nearly all pieces lie in their first slot or the one beside it, which is one cache line.

A new piece takes its slot at once, `PENDING`, and goes on the list `todo`; `settle` enters what the
model makes of that list, and puts it between the ids already written.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.lanes import BEGIN as PART_BEGIN
from toktk.kernels.lanes import DOCUMENT, LAST
from toktk.kernels.memory import (
    are_equal,
    copy_halves,
    hash_bytes,
    load_pair,
    load_word,
    prefetch,
    put_word,
)
from toktk.kernels.scan import cut_block

INLINE = 15
BLOCK = 256  # pieces looked up side by side
AHEAD = 12  # slots fetched before their turn
MAX_COUNT = 2**30 - 1  # ids of one piece

# Fields of the int64 state vector: entries; used of the arena and of the pool; the most ids of one entry;
# ids written; pieces on the list, how often they occur, and their bytes; where `walk` goes on, and up to
# where; how many documents have an end in the output, and how many one among the pieces; ids before those in
# the output.
USED, ARENA_USED, POOL_USED, MOST, WRITTEN, MISSES, PATCHES, MISSED_BYTES, PIECE, START = range(10)
N_PIECES, ENDED, CUT, BASE = range(10, 14)
STATE_SIZE = 14

# Columns of `todo`: of a new piece its start, length and slot (-1: not to be kept); of an occurrence its
# place in the output, the row of the new piece, and how many documents ended before it.
BEGIN, LENGTH, SLOT, AT, ROW, BEFORE = range(6)
TODO_SIZE = 6

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _TWO, _THREE, _FOUR = (np.uint64(n) for n in (1, 2, 3, 4))
_HALF, _TOP = np.uint64(32), np.uint64(56)
_LOW = np.uint64(2**32 - 1)
_LONG, _UNKEPT = np.uint64(127), np.uint64(126)
_SPILLED, _PENDING = np.uint64(1 << 63), np.uint64(1 << 62)
_MARKED, _KEY = np.uint64(1 << 63), np.uint64((1 << 63) - 1)
_COUNT = np.uint64(MAX_COUNT)


@inlined
def _home(k0, k1, shift):
    """Return four times the number of the first slot."""
    return (k0 * _M1 + k1 * _M2) >> shift << _TWO


@inlined
def _next(s, home, mask):
    """Return the slot that is asked after `s`: the other one of the same line first. All are times four."""
    if s == home:
        return s ^ _FOUR
    if s == (home ^ _FOUR):
        return ((home | _FOUR) + _FOUR) & mask
    return (s + _FOUR) & mask


@kernel
def _rare_key(data, start, n, longest):
    """Return the key of a piece that is long or ends close to the end of `data`."""
    if n <= INLINE:
        second = load_word(data, start + 8, n - 8) | (np.uint64(n) << _TOP)
        return load_word(data, start, n), second
    if n > longest:
        return np.uint64(0), (_UNKEPT << _TOP) | np.uint64(n)
    return hash_bytes(data, start, n), (_LONG << _TOP) | np.uint64(n)


@kernel
def cut_and_walk(
    data, offsets, tables, work, longest, slots, shift, arena, pool, out, doc_ends, todo, keys, ends,
    state,
):  # fmt: skip
    """Cut documents block by block and `walk` over each block; comes back as `walk` does.

    All are done when ``state[ENDED]`` is their number. Before the first call `rewind`, and set the fields
    from `WRITTEN` on to 0. `ends` (int64[scan.BLOCK]) is kept between calls like `work`.
    """
    _, parts, _, _, _, _, _, _ = work
    n_documents = offsets.size - 1
    while True:
        walk(data, ends, longest, slots, shift, arena, pool, out, doc_ends, todo, keys, state)
        if state[PIECE] < state[N_PIECES] or state[ENDED] == n_documents:
            return
        n_parts = cut_block(data, offsets, tables, work, ends, 0)
        document, n = state[CUT], np.int64(0)
        for i in range(n_parts):
            while document < parts[i, DOCUMENT]:
                doc_ends[document] = n
                document += 1
            n = parts[i, LAST]
        while n_parts == 0 and document < n_documents:
            doc_ends[document] = n
            document += 1
        state[CUT], state[PIECE], state[N_PIECES] = document, 0, n
        state[START] = parts[0, PART_BEGIN]


@kernel
def walk(data, ends, longest, slots, shift, arena, pool, out, doc_ends, todo, keys, state):
    """Write the ids of the pieces to `out`, leaving out those of pieces that are not in the table.

    Indices are unsigned, which spares the test for negative ones.

    Comes back when all are done (``state[PIECE] == state[N_PIECES]``), when the table is half full, `todo` is
    full or `out` may be: look which, settle, make room and call again.

    Args:
        data: uint8. ends: int64, where the pieces end; the first begins at ``state[START]``.
        longest: pieces of more bytes are not kept.
        slots: uint64[4 * power of two]. shift: uint64, 64 less the power.
        arena: uint8, the bytes of long pieces. pool: uint32, ids that have no room in slots.
        out: uint32. doc_ends: int64; of the documents ``state[ENDED]`` to ``state[CUT] - 1`` how many of the
            pieces come before their end; becomes how many ids do.
        todo: int64[:, 6]. keys: uint64[4 * BLOCK + 4], scratch.
    """
    mask = np.uint64(slots.size - 1)
    half = np.int64(slots.size // 8)
    p, start, k = state[PIECE], np.uint64(state[START]), np.uint64(state[WRITTEN])
    n_pieces = state[N_PIECES]
    while p < n_pieces:
        m = min(BLOCK, n_pieces - p)
        n_patches = state[PATCHES]
        full = state[USED] + m > half or n_patches + m > todo.shape[0]
        if full or np.int64(k) + m * max(state[MOST], 3) + 4 > out.size:
            break
        start = _make_keys(data, ends, p, m, start, longest, slots, shift, keys)
        n = np.uint64(m)
        j, k = _write_hits(slots, keys, np.uint64(0), n, out, k)
        while j < n:
            piece, key = p + np.int64(j), _FOUR * j
            k = _look(
                data, ends[piece - 1] if piece > 0 else state[START], keys[key], keys[key + _ONE],
                keys[key + _TWO], mask, slots, arena, pool, out, k, piece, todo, state,
            )  # fmt: skip
            j, k = _write_hits(slots, keys, j + _ONE, n, out, k)
        keys[_FOUR * np.uint64(m) + _THREE] = k
        p += m
        for patch in range(n_patches, state[PATCHES]):
            place = keys[4 * (todo[patch, AT] - p + m) + 3]
            _end_documents(doc_ends, state, keys, p - m, todo[patch, AT])
            todo[patch, AT], todo[patch, BEFORE] = place, state[ENDED]
        _end_documents(doc_ends, state, keys, p - m, p)
    if n_pieces == 0:
        keys[3] = k
        _end_documents(doc_ends, state, keys, 0, 0)
    state[PIECE], state[START], state[WRITTEN] = p, np.int64(start), np.int64(k)


@kernel
def _make_keys(data, ends, p, m, start, longest, slots, shift, keys):
    """Write the keys of `m` pieces from piece `p` on, which begins at `start`; return where the last ends."""
    piece = np.uint64(p)
    # Close to the end of the data no 16 bytes can be loaded.
    inline = np.uint64(INLINE if ends[p + m - 1] + 16 <= data.size else 0)
    for j in range(np.uint64(m)):
        end = np.uint64(ends[piece + j])
        n = end - start
        if n <= inline:
            k0, k1 = load_pair(data, start, n)
            k1 |= n << _TOP
        else:
            k0, k1 = _rare_key(data, np.int64(start), np.int64(n), longest)
        home, key = _home(k0, k1, shift), _FOUR * j
        prefetch(slots, home)
        keys[key], keys[key + _ONE], keys[key + _TWO] = k0, k1, home
        start = end
    return start


@kernel
def _write_hits(slots, keys, j, n, out, k):
    """Write the ids of pieces from `j` on while these lie in one of the piece's first two slots.

    Return the piece that stops it, or `n`, and how many ids are written. Apart from the rest, this loop has
    registers enough.
    """
    while j < n:
        key = _FOUR * j
        k0, k1, s = keys[key], keys[key + _ONE], keys[key + _TWO]
        keys[key + _THREE] = k
        s ^= np.uint64(slots[s] != k0) << _TWO  # no branch to guess
        if slots[s] != k0 or slots[s + _ONE] != k1:
            break
        copy_halves(slots, s + _TWO, out, k)
        k += slots[s + _THREE] >> _HALF
        j += _ONE
    return j, k


@kernel
def _end_documents(doc_ends, state, keys, first, last):
    """Turn ends of documents among the pieces `first` to `last`, of one block of keys, into places."""
    d = state[ENDED]
    while d < state[CUT] and doc_ends[d] <= last:
        doc_ends[d] = np.int64(keys[4 * (doc_ends[d] - first) + 3]) + state[BASE]
        d += 1
    state[ENDED] = d


@inlined
def _look(data, start, k0, k1, home, mask, slots, arena, pool, out, k, piece, todo, state):
    """Find a piece that is not plainly in its first two slots; return how many ids are written.

    As a call it would be handed all arrays, which takes longer than the rest.
    """
    s = home
    while slots[s + _ONE] != 0:
        is_like = slots[s] == k0 and slots[s + _ONE] & _KEY == k1
        if is_like and (k1 >> _TOP != _LONG or _same_long(data, start, slots, s, arena)):
            break
        s = _next(s, home, mask)
    value = slots[s + _THREE]
    if slots[s + _ONE] == 0:
        _put_on_list(start, k0, k1, slots, s, piece, todo, state)
    elif value & _PENDING:
        _note(todo, state, piece, np.int64(value & _LOW))
    else:
        if value & _SPILLED:
            n, at = (value >> _HALF) & _COUNT, value & _LOW
            for i in range(n):
                out[k + np.uint64(i)] = pool[at + np.uint64(i)]
            k += n
        else:
            copy_halves(slots, s + _TWO, out, k)
            k += value >> _HALF
        # Frequent pieces end up in their first slots.
        if s != home and s != (home ^ _FOUR) and not slots[home + _THREE] & _PENDING:
            for field in range(_FOUR):
                slots[s + field], slots[home + field] = slots[home + field], slots[s + field]
    return k


@kernel
def _put_on_list(start, k0, k1, slots, s, piece, todo, state):
    """Have the model asked for a piece, and keep its slot, which is free."""
    row, kind = state[MISSES], k1 >> _TOP
    todo[row, BEGIN] = start
    todo[row, LENGTH] = np.int64(k1 & ((_ONE << _TOP) - _ONE) if kind >= _UNKEPT else kind)
    todo[row, SLOT] = -1
    if kind != _UNKEPT:
        todo[row, SLOT] = np.int64(s)
        slots[s], slots[s + _ONE], slots[s + _TWO] = k0, k1 | _MARKED, np.uint64(start)
        slots[s + _THREE] = _PENDING | np.uint64(row)
        state[USED] += 1
    state[MISSES] += 1
    state[MISSED_BYTES] += todo[row, LENGTH]
    _note(todo, state, piece, row)


@kernel
def _note(todo, state, piece, row):
    todo[state[PATCHES], AT], todo[state[PATCHES], ROW] = piece, row
    state[PATCHES] += 1


@kernel
def _same_long(data, start, slots, s, arena):
    n = np.int64(slots[s + _ONE] & ((_ONE << _TOP) - _ONE))
    at = np.int64(slots[s + _TWO])
    if slots[s + _THREE] & _PENDING:
        return are_equal(data, start, data, at, n)
    return are_equal(data, start, arena, at, n)


@kernel
def gather(data, todo, offsets, packed):
    """Copy the new pieces, one after the other, to `packed`, and set `offsets`, one more than these."""
    offsets[0] = at = np.int64(0)
    for row in range(offsets.size - 1):
        prefetch(data, todo[min(row + AHEAD, offsets.size - 2), BEGIN])
        start, n = todo[row, BEGIN], todo[row, LENGTH]
        for i in range(0, n, 8):
            put_word(packed, at + i, n - i, data, start + i)
        at += n
        offsets[row + 1] = at


@kernel
def settle(
    packed, offsets, ids, ends, slots, grown, shift, arena, pool, out, doc_ends, todo, state
):
    """Enter what the model made of the new pieces, and put it where it belongs in `out`.

    `packed` and `offsets` are the new pieces, `ids` and `ends` their ids. `arena` and `pool` have room for it
    all. Then all is entered into `grown`, whose own `shift` is, if that is another table, which is larger.
    Returns how many ids there are in all; without room for them in `out` nothing is done.
    """
    n_patches = state[PATCHES]
    total = np.int64(0)
    for i in range(n_patches):
        total += _count(ends, todo[i, ROW])
    if state[WRITTEN] + total > out.size:
        return state[WRITTEN] + total
    n_misses = state[MISSES]
    for row in range(n_misses):
        # Its slot was written a while ago, and is in no near cache any more.
        prefetch(slots, max(todo[min(row + AHEAD, n_misses - 1), SLOT], 0))
        if todo[row, SLOT] >= 0:
            first = ends[row] - _count(ends, row)
            _enter(packed, offsets[row], offsets[row + 1], ids, first, ends[row], slots,
                   np.uint64(todo[row, SLOT]), arena, pool, state)  # fmt: skip
    _spread(ids, ends, out, todo, n_patches, np.uint64(state[WRITTEN]), np.uint64(total))
    later = np.int64(0)
    for i in range(n_patches):
        later += _count(ends, todo[i, ROW])
        last = todo[i + 1, BEFORE] if i + 1 < n_patches else state[ENDED]
        for d in range(np.uint64(todo[i, BEFORE]), np.uint64(last)):
            doc_ends[d] += later
    state[WRITTEN] += total
    state[MISSES], state[PATCHES], state[MISSED_BYTES] = 0, 0, 0
    if grown.size > slots.size:
        _rehash(slots, grown, shift)
    return state[WRITTEN]


@kernel
def _spread(ids, ends, out, todo, n_patches, stop, shift):
    """Move the ids before `stop` apart, up to `shift` further, and put those of new pieces between them."""
    for i in range(n_patches - 1, -1, -1):
        row = todo[i, ROW]
        at, n = np.uint64(todo[i, AT]), np.uint64(_count(ends, row))
        last = np.uint64(ends[row])
        # What four at a time move too much comes to lie where nothing is, or is copied first.
        while stop >= at + _FOUR and shift >= _FOUR:
            _copy_four(out, stop, out, stop + shift)
            stop -= _FOUR
        if stop > at and shift >= _FOUR and stop >= _FOUR:
            _copy_four(out, stop, out, stop + shift)
            stop = at
        while stop > at:
            stop -= _ONE
            out[stop + shift] = out[stop]
        if n <= _FOUR <= last and shift >= _FOUR and at + shift >= _FOUR:
            _copy_four(ids, last, out, at + shift)
        else:
            for j in range(np.uint64(1), n + _ONE):
                out[at + shift - j] = ids[last - j]
        shift -= n


@inlined
def _copy_four(source, stop, target, to):
    """Copy the four that end at `stop`; all are read before any is written."""
    a, b = source[stop - _FOUR], source[stop - _THREE]
    c, d = source[stop - _TWO], source[stop - _ONE]
    target[to - _FOUR], target[to - _THREE] = a, b
    target[to - _TWO], target[to - _ONE] = c, d


@inlined
def _count(ends, row):
    return ends[row] - (ends[row - 1] if row > 0 else 0)


@kernel
def _rehash(slots, grown, shift):
    """Enter every slot into `grown`, which is free and larger; `shift` is its own."""
    mask = np.uint64(grown.size - 1)
    for old in range(0, slots.size, 4):
        if slots[old + 1] == 0:
            continue
        home = _home(slots[old], slots[old + 1] & _KEY, shift)
        s = home
        while grown[s + _ONE] != 0:
            s = _next(s, home, mask)
        for f in range(4):
            grown[np.int64(s) + f] = slots[old + f]


@kernel
def _enter(packed, start, stop, ids, first, last, slots, s, arena, pool, state):
    n = np.uint64(last - first)
    state[MOST] = max(state[MOST], last - first)
    is_long = stop - start > INLINE
    if n <= _THREE and not is_long and ids.size > 0:
        # What a piece does not have is read too, and not kept: no branch to guess.
        at, most = np.uint64(first), np.uint64(ids.size - 1)
        a = np.uint64(ids[min(at, most)]) * np.uint64(n >= _ONE)
        b = np.uint64(ids[min(at + _ONE, most)]) * np.uint64(n >= _TWO)
        c = np.uint64(ids[min(at + _TWO, most)]) * np.uint64(n >= _THREE)
        slots[s + _TWO] = a | b << _HALF
        slots[s + _THREE] = c | n << _HALF
        slots[s + _ONE] &= _KEY
        return
    if is_long:
        slots[s + _TWO] = np.uint64(state[ARENA_USED])
        for i in range(stop - start):
            arena[state[ARENA_USED] + i] = packed[start + i]
        state[ARENA_USED] += stop - start
    slots[s + _THREE] = _SPILLED | n << _HALF | np.uint64(state[POOL_USED])
    for i in range(last - first):
        pool[state[POOL_USED] + i] = ids[first + i]
    state[POOL_USED] += last - first
