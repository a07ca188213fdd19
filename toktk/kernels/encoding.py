"""Encoding a piece by ranked merges, and reading off every vocabulary size at once.

With r1, r2, … the ranks of the merges applied to a piece and m_i = max(r1..r_i), a vocabulary of the
first k merges applies exactly the merges with m_i < k: greedy lowest-rank encoding under the shorter list
goes the same way until the lowest rank at hand is k or more, and stops there.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel

NO_RANK = 2**31 - 1
SHORT = 96  # symbols; longer pieces keep a heap, so that the time grows as n log n


@inlined
def _pair_slot(key, n_slots):
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((h ^ (h >> np.uint64(32))) & np.uint64(n_slots - 1))


@kernel
def fill_pair_table(merges, table):
    """Enter (left, right) -> (rank, new id) for each row of `merges` (int64[n, >=3]).

    `table` (int64[2 * slots], slots a power of two > n) holds key and rank << 32 | id; -1 where free.
    The first of two equal pairs counts.
    """
    for rank in range(merges.shape[0]):
        key = (merges[rank, 0] << 32) | merges[rank, 1]
        s = _pair_slot(key, table.size >> 1)
        while table[2 * s] != -1 and table[2 * s] != key:
            s = (s + 1) & ((table.size >> 1) - 1)
        if table[2 * s] == -1:
            table[2 * s] = key
            table[2 * s + 1] = (np.int64(rank) << 32) | merges[rank, 2]


@kernel
def find_merge(table, a, b):
    """Return rank << 32 | id of the merge of (a, b), or NO_RANK << 32."""
    key = (np.int64(a) << 32) | np.int64(b)
    s = _pair_slot(key, table.size >> 1)
    while True:
        at = table[2 * s]
        if at == key:
            return table[2 * s + 1]
        if at == -1:
            return np.int64(NO_RANK) << 32
        s = (s + 1) & ((table.size >> 1) - 1)


@kernel
def _encode_short(table, symbols, n, values, applied):
    """Merge `symbols[:n]` in place; `values[i]` caches the merge of (i, i + 1). Return (n, merges)."""
    for i in range(n - 1):
        values[i] = find_merge(table, symbols[i], symbols[i + 1])
    n_applied = 0
    while n > 1:
        at = 0
        for i in range(1, n - 1):
            if values[i] >> 32 < values[at] >> 32:
                at = i
        best = values[at]
        if best >> 32 == NO_RANK:
            break
        symbols[at] = best & 0xFFFFFFFF
        for i in range(at + 1, n - 1):
            symbols[i] = symbols[i + 1]
            values[i - 1] = values[i]
        n -= 1
        if at > 0:
            values[at - 1] = find_merge(table, symbols[at - 1], symbols[at])
        if at < n - 1:
            values[at] = find_merge(table, symbols[at], symbols[at + 1])
        applied[n_applied] = best >> 32
        n_applied += 1
    return n, n_applied


@kernel
def _sift_up(heap, i):
    entry = heap[i]
    while i > 0 and heap[(i - 1) >> 1] > entry:
        heap[i] = heap[(i - 1) >> 1]
        i = (i - 1) >> 1
    heap[i] = entry


@kernel
def _sift_down(heap, size):
    entry = heap[0]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= entry:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = entry


@kernel
def _encode_long(table, symbols, n, applied, previous, following, heap):
    """Do what `_encode_short` does, for any length: a heap of rank << 32 | position, linked symbols.

    At most n - 1 entries enter at first and two with each merge, so 3 * n places are enough.
    """
    for i in range(n):
        previous[i], following[i] = i - 1, i + 1
    size = 0
    for i in range(n - 1):
        rank = find_merge(table, symbols[i], symbols[i + 1]) >> 32
        if rank != NO_RANK:
            heap[size] = (rank << 32) | i
            size += 1
            _sift_up(heap, size - 1)
    n_applied = 0
    while size > 0:
        rank, i = heap[0] >> 32, heap[0] & 0xFFFFFFFF
        size -= 1
        heap[0] = heap[size]
        _sift_down(heap, size)
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
        applied[n_applied] = rank
        n_applied += 1
        for left in (previous[i], i):
            if left >= 0 and following[left] < n:
                new = find_merge(table, symbols[left], symbols[following[left]]) >> 32
                if new != NO_RANK:
                    heap[size] = (new << 32) | left
                    size += 1
                    _sift_up(heap, size - 1)
    m = 0
    for i in range(n):
        if symbols[i] >= 0:
            symbols[m] = symbols[i]
            m += 1
    return m, n_applied


@kernel
def encode_piece(data, start, n, byte_ids, table, scratch):
    """Encode ``data[start:start + n]``; return how many ids and how many merges there are.

    Afterwards the ids begin `scratch` and the ranks of the merges, in order, begin its second eighth.
    `scratch` is int64[8 * room], room >= max(n, SHORT).
    """
    room = scratch.size >> 3
    symbols, applied = scratch[:room], scratch[room : 2 * room]
    for i in range(n):
        symbols[i] = byte_ids[data[start + i]]
    if n <= SHORT:
        return _encode_short(table, symbols, n, scratch[2 * room : 3 * room], applied)
    return _encode_long(
        table, symbols, n, applied, scratch[3 * room : 4 * room], scratch[4 * room : 5 * room],
        scratch[5 * room :],
    )  # fmt: skip


@kernel
def encode_spans(data, offsets, byte_ids, table, ids, ends, scratch):
    """Encode each span; write ids one after the other and where each span's ids end; return how many.

    `ids` (uint32) has room for all bytes; `scratch` is as for `encode_piece`.
    """
    k = 0
    for p in range(offsets.size - 1):
        start = offsets[p]
        n, _ = encode_piece(data, start, offsets[p + 1] - start, byte_ids, table, scratch)
        for i in range(n):
            ids[k] = scratch[i]
            k += 1
        ends[p] = k
    return k


@kernel
def sweep_pieces(data, offsets, first, last, rows, groups, counts, is_word, byte_ids, table, bin_of,
                 merged, single, single_bytes, applied, byte_counts, late, scratch):  # fmt: skip
    """Encode pieces first..last under the full merge list and add up what every size needs.

    Args:
        rows: int64[pieces + 1]; groups: int32, counts: int64: the count of a piece in each group (CSR).
        is_word: uint8[pieces], whether the piece holds a letter.
        bin_of: int32[merges], the column of a merge in `merged` and `single`.
        merged: int64[G, bins], applied merges. single: int64[G, bins], word pieces that become one token.
        single_bytes: int64[G], word pieces of one byte.
        applied: int64[merges], how often each merge is applied. byte_counts: int64[256], by byte.
        late: int64[:, 3], (m, rank, count) of merges that wait for a later one (m > rank).
        scratch: as for `encode_piece`.

    Returns how many rows of `late` are needed; beyond its length they are dropped, so call again with more.
    """
    n_late = 0
    ranks = scratch[scratch.size >> 3 :]
    for p in range(first, last):
        n = offsets[p + 1] - offsets[p]
        _, n_applied = encode_piece(data, offsets[p], n, byte_ids, table, scratch)
        total = np.int64(0)
        for e in range(rows[p], rows[p + 1]):
            total += counts[e]
        for i in range(n):
            byte_counts[data[offsets[p] + i]] += total
        top = np.int64(-1)
        for i in range(n_applied):
            rank = ranks[i]
            if rank >= top:
                top = rank
                applied[rank] += total
            else:
                if n_late < late.shape[0]:
                    late[n_late, 0], late[n_late, 1], late[n_late, 2] = top, rank, total
                n_late += 1
            for e in range(rows[p], rows[p + 1]):
                merged[groups[e], bin_of[top]] += counts[e]
        if is_word[p] and n_applied == n - 1:
            for e in range(rows[p], rows[p + 1]):
                if n == 1:
                    single_bytes[groups[e]] += counts[e]
                else:
                    single[groups[e], bin_of[top]] += counts[e]
    return n_late
