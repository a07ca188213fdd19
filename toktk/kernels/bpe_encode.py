"""Encoding a piece by ranked merges, and reading off every vocabulary size at once.

Let r1, r2, … be the ranks of the merges applied to a piece, and m_i = max(r1..r_i). A vocabulary of the
first k merges applies those with m_i < k: it goes the same way until the lowest rank is k or more.

The slow twins are `toktk.educational.encode` and `tokens_at_every_size`.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.constants import NO_RANK

SHORT = 96  # symbols; longer pieces keep a heap, so that the time grows as n log n

UNKNOWN = -1  # of the merge of two symbols
_NONE = np.int64(NO_RANK) << 32
_M1, _M2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _TWO, _THREE, _FOUR = (np.uint64(n) for n in (1, 2, 3, 4))
_SIX, _EIGHT, _HALF, _LAST = (np.uint64(n) for n in (6, 8, 32, 63))
_HIGH = ~np.int64(0xFFFFFFFF)
_NO_SYMBOL = np.int64(0xFFFFFFFF)


def empty_pair_table(n_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a table for `n_pairs` at most: (slots, filter).

    Slots, int64[2 * power of two], hold left << 32 | right and rank << 32 | id; -1 where free. The filter,
    uint64, has four bits for a slot, set where a pair may be: most look-ups need no more.
    """
    n_slots = 1 << max(2 * n_pairs, 16).bit_length()
    return np.full(2 * n_slots, -1, dtype=np.int64), np.zeros(n_slots // 16, dtype=np.uint64)


@inlined
def _hash(a, b):
    return (np.uint64(a) * _M1 + np.uint64(b) * _M2) >> _HALF


@kernel
def enter_pair(table, left, right, rank, new):
    """Enter (left, right) -> (rank, new) unless the pair is there."""
    slots, bits = table
    key = (np.int64(left) << 32) | np.int64(right)
    h = _hash(left, right)
    mask = np.uint64((slots.size >> 1) - 1)
    s = h & mask
    while slots[s + s] != -1 and slots[s + s] != key:
        s = (s + _ONE) & mask
    if slots[s + s] == -1:
        slots[s + s] = key
        slots[s + s + _ONE] = (np.int64(rank) << 32) | np.int64(new)
        f = h & np.uint64((bits.size << 6) - 1)
        bits[f >> _SIX] |= _ONE << (f & _LAST)


@kernel
def fill_pair_table(pairs, table):
    """Enter each row (left, right, new, rank) of `pairs`; the first of two equal pairs counts."""
    for i in range(pairs.shape[0]):
        enter_pair(table, pairs[i, 0], pairs[i, 1], pairs[i, 3], pairs[i, 2])


@inlined
def find_merge(table, a, b):
    """Return rank << 32 | id of the merge of (a, b), or NO_RANK << 32."""
    slots, bits = table
    h = _hash(a, b)
    f = h & np.uint64((bits.size << 6) - 1)
    value = _NONE
    if (bits[f >> _SIX] >> (f & _LAST)) & _ONE:
        key = (np.int64(a) << 32) | np.int64(b)
        mask = np.uint64((slots.size >> 1) - 1)
        s = h & mask
        while slots[s + s] != -1:
            if slots[s + s] == key:
                value = slots[s + s + _ONE]
                break
            s = (s + _ONE) & mask
    return value


@inlined
def _least_of_eight(keys, i):
    a = min(keys[i], keys[i + _ONE])
    b = min(keys[i + _TWO], keys[i + _THREE])
    i += _FOUR
    c = min(keys[i], keys[i + _ONE])
    d = min(keys[i + _TWO], keys[i + _THREE])
    return min(min(a, b), min(c, d))


@kernel
def _encode_short(table, symbols, n, values, applied, previous, following, keys):
    """Merge `symbols[:n]`, n < SHORT, in place; ``values[i]`` is the merge with the next, or UNKNOWN.

    ``keys[i]`` is its rank << 32 | i, and the least is found without a branch, eight at a time. The
    symbols are linked in a ring, which a symbol that merges with none closes. Unsigned indices
    spare the test for negative ones. Returns (symbols, merges).
    """
    width = (np.uint64(n) + np.uint64(8)) >> _THREE << _THREE
    end = np.uint64(n)
    symbols[end] = _NO_SYMBOL
    for i in range(end):
        if values[i] == UNKNOWN:
            values[i] = find_merge(table, symbols[i], symbols[i + _ONE])
        keys[i] = (values[i] & _HIGH) | np.int64(i)
        previous[i + _ONE], following[i] = np.int64(i), np.int64(i + _ONE)
    previous[np.uint64(0)], following[end] = n, 0
    for i in range(end, width):
        keys[i] = _NONE
    n_applied = np.uint64(0)
    while True:
        best = _NONE
        for group in range(np.uint64(0), width, _EIGHT):
            best = min(best, _least_of_eight(keys, group))
        if best >= _NONE:
            break
        at = np.uint64(best & 0xFFFFFFFF)
        gone = np.uint64(following[at])
        right, left = np.uint64(following[gone]), np.uint64(previous[at])
        new = values[at] & 0xFFFFFFFF
        symbols[at] = new
        keys[gone] = _NONE
        following[at], previous[right] = np.int64(right), np.int64(at)
        after = find_merge(table, new, symbols[right])
        before = find_merge(table, symbols[left], new)
        values[at], keys[at] = after, (after & _HIGH) | np.int64(at)
        values[left], keys[left] = before, (before & _HIGH) | np.int64(left)
        applied[n_applied] = best
        n_applied += _ONE
    n_left = n - np.int64(n_applied)
    at = np.uint64(0)
    for i in range(np.uint64(n_left)):
        symbols[i] = symbols[at]
        at = np.uint64(following[at])
    return n_left, np.int64(n_applied)


@kernel
def _offer(table, symbols, i, j, heap, size):
    """Push the merge of the symbols at `i` and `j`, if there is one; return the size of the heap."""
    rank = find_merge(table, symbols[i], symbols[j]) >> 32
    if rank == NO_RANK:
        return size
    entry, at = (rank << 32) | i, size
    while at > 0 and heap[(at - 1) >> 1] > entry:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = entry
    return size + 1


@kernel
def _drop_least(heap, size):
    """Remove the first entry of a heap; return how many are left."""
    size -= 1
    entry = heap[size]
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= entry:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = entry
    return size


@kernel
def _encode_long(table, symbols, n, applied, previous, following, heap):
    """Do what `_encode_short` does, for any length: a heap of rank << 32 | position, linked symbols.

    At most n - 1 entries enter at first and two with each merge, so 3 * n places are enough.
    """
    for i in range(n):
        previous[i], following[i] = i - 1, i + 1
    size = 0
    for i in range(n - 1):
        size = _offer(table, symbols, i, i + 1, heap, size)
    n_applied = 0
    while size > 0:
        entry = heap[0]
        rank, i = entry >> 32, entry & 0xFFFFFFFF
        size = _drop_least(heap, size)
        j = following[i]
        if symbols[i] < 0 or j >= n:
            continue
        value = find_merge(table, symbols[i], symbols[j])
        if value >> 32 != rank:
            continue
        symbols[i] = value & 0xFFFFFFFF
        symbols[j] = -1
        following[i] = following[j]
        if following[j] < n:
            previous[following[j]] = i
        applied[n_applied] = entry
        n_applied += 1
        for left in (previous[i], i):
            if left >= 0 and following[left] < n:
                size = _offer(table, symbols, left, following[left], heap, size)
    m = 0
    for i in range(n):
        if symbols[i] >= 0:
            symbols[m] = symbols[i]
            m += 1
    return m, n_applied


@kernel
def encode_piece(data, start, n, byte_ids, table, scratch):
    """Encode ``data[start:start + n]``; return how many ids and how many merges there are.

    Afterwards the ids begin `scratch`, and the merges in order, rank << 32 | position of the left symbol,
    begin its second eighth. `scratch` is int64[8 * room], room >= max(n, SHORT).
    """
    room = scratch.size >> 3
    for i in range(n):
        scratch[i] = byte_ids[data[start + i]]
        scratch[2 * room + i] = UNKNOWN
    return merge_symbols(table, n, scratch)


@kernel
def merge_symbols(table, n, scratch):
    """Merge the `n` symbols that begin `scratch`; see `encode_piece`.

    Its third eighth has what `find_merge` says of each symbol and the next, or UNKNOWN.
    """
    room = scratch.size >> 3
    symbols, applied = scratch[:room], scratch[room : 2 * room]
    values = scratch[2 * room : 3 * room]
    previous, following = scratch[3 * room : 4 * room], scratch[4 * room : 5 * room]
    rest = scratch[5 * room :]
    if n < SHORT:
        return _encode_short(table, symbols, n, values, applied, previous, following, rest)
    return _encode_long(table, symbols, n, applied, previous, following, rest)


@kernel
def sweep_pieces(data, offsets, first, last, rows, groups, counts, is_word, byte_ids, table, bin_of,
                 merged, single, single_bytes, applied, byte_counts, late, row_of, asked_bin, asked,
                 spelled, new_of, first_of, ids, to, scratch):  # fmt: skip
    """Encode pieces first..last under the full merge list and add up what every size needs.

    Args:
        rows, groups, counts: int64[pieces + 1], int32 and int64: the count of a piece in each group (CSR).
        is_word: uint8[pieces], whether the piece holds a letter.
        bin_of: int32[merges], the row of a merge in `merged` and `single`.
        merged, single: int64[bins, G], applied merges, and word pieces that become one token. The groups of a
            merge are neighbors: a piece has several.
        single_bytes: int64[G], word pieces of one byte.
        applied, byte_counts: int64, how often each merge is applied, and each byte occurs.
        late: int64[:, 3], (m, rank, count) of merges that wait for a later one (m > rank).
        row_of: int32[pieces], the row of a piece in `asked`, or -1.
        asked_bin: int32[merges], the column of a merge in `asked`; beyond the last for one that none needs.
        asked: int32[rows, sizes], merges of the piece that each size is the first to apply; out.
        spelled: uint8[rows], whether the ids of the piece are wanted.
        new_of: int64[merges], the id that each merge makes.
        first_of: int64[sizes, rows], out: where the ids of such a piece begin at each size.
        ids: uint32, out, from `to` on; there is room for one for each byte and size.

    Returns how many rows of `late` are needed; beyond its length they are dropped, so call again with more.
    """
    n_late = 0
    merges = scratch[scratch.size >> 3 :]
    for p in range(first, last):
        start, n = offsets[p], offsets[p + 1] - offsets[p]
        _, n_applied = encode_piece(data, start, n, byte_ids, table, scratch)
        total = np.int64(0)
        for entry in range(rows[p], rows[p + 1]):
            total += counts[entry]
        for i in range(n):
            byte_counts[data[start + i]] += total
        top = np.int64(-1)
        row = row_of[p]
        if row >= 0:
            asked[row] = 0
        for i in range(n_applied):
            rank = merges[i] >> 32
            if rank >= top:
                top = rank
                applied[rank] += total
            else:
                if n_late < late.shape[0]:
                    late[n_late, 0], late[n_late, 1], late[n_late, 2] = top, rank, total
                n_late += 1
            if row >= 0 and asked_bin[top] < asked.shape[1]:
                asked[row, asked_bin[top]] += 1
            of_groups = merged[bin_of[top]]
            for e in range(rows[p], rows[p + 1]):
                of_groups[groups[e]] += counts[e]
        if is_word[p] and n_applied == n - 1:
            for e in range(rows[p], rows[p + 1]):
                if n == 1:
                    single_bytes[groups[e]] += counts[e]
                else:
                    single[bin_of[top], groups[e]] += counts[e]
        if row >= 0 and spelled[row]:
            to = _spell(
                data,
                start,
                n,
                byte_ids,
                n_applied,
                asked_bin,
                new_of,
                first_of[:, row],
                ids,
                to,
                scratch,
            )
    return n_late


@kernel
def _spell(data, start, n, byte_ids, n_applied, asked_bin, new_of, first_of, ids, to, scratch):
    """Do again the merges that `encode_piece` has left; before the first that a size lacks, write its ids.

    Sizes that lack the same merges share their ids. Returns where the next ones begin.
    """
    room = scratch.size >> 3
    merges, symbols = scratch[room : 2 * room], scratch[2 * room : 3 * room]
    following = scratch[3 * room : 4 * room]
    for i in range(n):
        symbols[i], following[i] = byte_ids[data[start + i]], i + 1
    n_sizes, size = np.int64(first_of.size), np.int64(0)
    top = np.int64(-1)
    for k in range(n_applied + 1):
        until, rank, left = n_sizes, np.int64(0), np.int64(0)
        if k < n_applied:
            rank, left = merges[k] >> 32, merges[k] & 0xFFFFFFFF
            top = max(top, rank)
            until = min(np.int64(asked_bin[top]), n_sizes)
        if size < until:
            first_of[size:until] = to
            size, at = until, np.int64(0)
            while at < n:
                ids[to] = symbols[at]
                at, to = following[at], to + 1
        if size == n_sizes:
            break
        symbols[left] = new_of[rank]
        following[left] = following[following[left]]
    return to
