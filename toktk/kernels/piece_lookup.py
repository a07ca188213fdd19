"""A table from pieces to ids, so that a model sees each piece once.

A slot is four uint64. The first two are the key: 15 bytes of a piece, zero-padded, and its length in the
top byte; of a longer piece the hash of its bytes, and `LONG` above its length. The last two are what the
piece gives: id | id << 32, id | count << 32, or, where more than three ids or the bytes of a long
piece are to be kept, their place in the arena and `SPILLED` | count << 32 | place in the pool. A
free slot has an all-zero key. Nearly all pieces lie in their first slot and cost one cache line.

A new piece takes its slot at once, `PENDING`, and goes on the list `todo`; `settle` enters what the
model makes of that list, and puts it between the ids already written.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import are_equal, hash_bytes, load_pair, load_word, prefetch

INLINE = 15
BLOCK = 64  # pieces looked up side by side
AHEAD = 12  # slots fetched before their turn
MAX_COUNT = 2**30 - 1  # ids of one piece

# Fields of the int64 state vector: entries; used of the arena and of the pool; the most ids of one entry;
# ids written; pieces on the list, and how often they occur; where `walk` goes on.
USED, ARENA_USED, POOL_USED, MOST, WRITTEN, MISSES, PATCHES, PIECE, START = range(9)
STATE_SIZE = 9

# Columns of `todo`: of a new piece its start, length and slot (-1: not to be kept); of an occurrence the
# index of the piece and the row of the new piece.
BEGIN, LENGTH, SLOT, AT, ROW = range(5)

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _TWO, _THREE, _FOUR = (np.uint64(n) for n in (1, 2, 3, 4))
_HALF, _TOP = np.uint64(32), np.uint64(56)
_LOW = np.uint64(2**32 - 1)
_LONG, _UNKEPT = np.uint64(255), np.uint64(254)
_SPILLED, _PENDING = np.uint64(1 << 63), np.uint64(1 << 62)
_COUNT = np.uint64(MAX_COUNT)
_INLINE_MAX = np.uint64(4 << 32)  # below it: at most three ids, in the slot


@inlined
def _home(k0, k1, shift):
    return (k0 * _M1 + k1 * _M2) >> shift


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
def walk(
    data, ends, n_pieces, longest, slots, shift, arena, pool, out, positions, todo, keys, state
):
    """Write the ids of the pieces to `out`, leaving out those of pieces that are not in the table.

    Indices are unsigned, which spares the test for negative ones.

    Comes back when all are done (``state[PIECE] == n_pieces``), when the table is half full, `todo` is full
    or `out` may be: look which, settle, make room and call again.

    Args:
        data: uint8. ends: int64, where the pieces end; the first begins at ``state[START]``.
        longest: pieces of more bytes are not kept.
        slots: uint64[4 * power of two]. shift: uint64, 64 less the power.
        arena: uint8, the bytes of long pieces. pool: uint32, ids that have no room in slots.
        out: uint32. positions: int64, how much of `out` is written after each piece.
        todo: int64[:, 5]. keys: uint64[4 * BLOCK], scratch.
    """
    mask = np.uint64(slots.size // 4 - 1)
    half = np.int64(slots.size // 8)
    safe = data.size - 16
    p, start, k = state[PIECE], state[START], np.uint64(state[WRITTEN])
    while p < n_pieces:
        m = min(BLOCK, n_pieces - p)
        full = state[USED] + m > half or state[PATCHES] + m > todo.shape[0]
        if full or np.int64(k) + m * max(state[MOST], 3) + 4 > out.size:
            break
        piece = np.uint64(p)
        for j in range(np.uint64(m)):
            end = ends[piece + j]
            n = end - start
            if n <= INLINE and start <= safe:
                k0, k1 = load_pair(data, start, n)
                k1 |= np.uint64(n) << _TOP
            else:
                k0, k1 = _rare_key(data, start, n, longest)
            home, key = _home(k0, k1, shift), _FOUR * j
            prefetch(slots, np.int64(_FOUR * home))
            keys[key], keys[key + _ONE], keys[key + _TWO] = k0, k1, home
            keys[key + _THREE] = np.uint64(start)
            start = end
        for j in range(np.uint64(m)):
            key = _FOUR * j
            k0, k1, home = keys[key], keys[key + _ONE], keys[key + _TWO]
            s = _FOUR * home
            value = slots[s + _THREE]
            if slots[s] == k0 and slots[s + _ONE] == k1 and value < _INLINE_MAX:
                pair = slots[s + _TWO]
                out[k] = pair & _LOW
                out[k + _ONE] = pair >> _HALF
                out[k + _TWO] = value & _LOW
                k += value >> _HALF
            else:
                at = np.int64(keys[key + _THREE])
                k = _look(
                    data, at, k0, k1, home, mask, slots, arena, pool, out, k,
                    np.int64(piece + j), todo, state,
                )  # fmt: skip
            positions[piece + j] = np.int64(k)
        p += m
    state[PIECE], state[START], state[WRITTEN] = p, start, np.int64(k)


@kernel
def _look(data, start, k0, k1, home, mask, slots, arena, pool, out, k, piece, todo, state):
    """Find a piece that is not plainly in its first slot; return how many ids are written."""
    at = home
    kind = k1 >> _TOP
    while True:
        s = _FOUR * at
        if slots[s + _ONE] == 0:
            break
        is_like = slots[s] == k0 and slots[s + _ONE] == k1
        if is_like and (kind != _LONG or _same_long(data, start, slots, s, arena)):
            return _emit(slots, home, s, pool, out, k, piece, todo, state)
        at = (at + _ONE) & mask
    row = state[MISSES]
    todo[row, BEGIN] = start
    todo[row, LENGTH] = np.int64(k1 & ((_ONE << _TOP) - _ONE) if kind >= _UNKEPT else kind)
    todo[row, SLOT] = -1
    if kind != _UNKEPT:
        todo[row, SLOT] = np.int64(s)
        slots[s], slots[s + _ONE], slots[s + _TWO] = k0, k1, np.uint64(start)
        slots[s + _THREE] = _PENDING | np.uint64(row)
        state[USED] += 1
    state[MISSES] += 1
    _note(todo, state, piece, row)
    return k


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
def _emit(slots, home, s, pool, out, k, piece, todo, state):
    """Write what the slot at `s` says, and move it to its first slot: frequent pieces end up there."""
    value, h = slots[s + _THREE], _FOUR * home
    if value & _PENDING:
        _note(todo, state, piece, np.int64(value & _LOW))
        return k
    if value & _SPILLED:
        n, at = (value >> _HALF) & _COUNT, value & _LOW
        for i in range(n):
            out[k + np.uint64(i)] = pool[at + np.uint64(i)]
        k += n
    else:
        pair = slots[s + _TWO]
        out[k], out[k + _ONE], out[k + _TWO] = pair & _LOW, pair >> _HALF, value & _LOW
        k += value >> _HALF
    if s != h and not slots[h + _THREE] & _PENDING:
        for field in range(_FOUR):
            slots[s + field], slots[h + field] = slots[h + field], slots[s + field]
    return k


@kernel
def settle(packed, offsets, ids, ends, slots, arena, pool, out, positions, todo, state):
    """Enter what the model made of the new pieces, and put it where it belongs in `out`.

    `packed` and `offsets` are the new pieces, `ids` and `ends` their ids. `arena`, `pool` and `out`
    have room for it all; `positions` are those of all pieces since the list was empty.
    """
    n_misses = state[MISSES]
    for row in range(n_misses):
        # Its slot was written a while ago, and is in no near cache any more.
        prefetch(slots, max(todo[min(row + AHEAD, n_misses - 1), SLOT], 0))
        if todo[row, SLOT] >= 0:
            first = ends[row] - _count(ends, row)
            _enter(packed, offsets[row], offsets[row + 1], ids, first, ends[row], slots,
                   np.uint64(todo[row, SLOT]), arena, pool, state)  # fmt: skip
    n_patches = state[PATCHES]
    total = np.int64(0)
    for i in range(n_patches):
        total += _count(ends, todo[i, ROW])
    stop, shift = np.uint64(state[WRITTEN]), np.uint64(total)
    for i in range(n_patches - 1, -1, -1):
        row = todo[i, ROW]
        at, n = np.uint64(positions[todo[i, AT]]), np.uint64(_count(ends, row))
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
    later = np.int64(0)
    for i in range(n_patches):
        later += _count(ends, todo[i, ROW])
        last = todo[i + 1, AT] if i + 1 < n_patches else state[PIECE]
        for p in range(np.uint64(todo[i, AT]), np.uint64(last)):
            positions[p] += later
    state[WRITTEN] += total
    state[MISSES], state[PATCHES] = 0, 0


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


@kernel
def rehash(slots, grown, shift):
    """Enter every slot into `grown`, which is free and larger; `shift` is its own."""
    mask = np.uint64(grown.size // 4 - 1)
    for old in range(0, slots.size, 4):
        if slots[old + 1] == 0:
            continue
        at = _home(slots[old], slots[old + 1], shift)
        while grown[_FOUR * at + _ONE] != 0:
            at = (at + _ONE) & mask
        for f in range(4):
            grown[np.int64(_FOUR * at) + f] = slots[old + f]
