"""Sums over documents that are lists of piece numbers.

The slow twins are in tests/kernels/test_document_sums.py.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def sum_by_document(numbers, ends, rows, first, last, per_piece, own, sums):
    """Set ``sums[:, j]`` to the sum of ``per_piece[numbers[i]]`` over the pieces i of document ``rows[j]``.

    For j from `first` to `last` - 1.

    Args:
        numbers: int32, the pieces of all documents.
        ends: int64[D + 1]; those of document d are ``ends[d] <= i < ends[d + 1]``.
        rows: int64[n], documents.
        per_piece: int32 or float64[S, K], K values a piece.
        own: int64 or float64[K], scratch.
        sums: int64 or float64[K, n], out.
    """
    if per_piece.shape[1] == 1:  # twice as fast as the loop over one value
        for j in range(first, last):
            own[0] = 0
            total = own[0]
            for i in range(ends[rows[j]], ends[rows[j] + 1]):
                total += per_piece[numbers[i], 0]
            sums[0, j] = total
        return
    for j in range(first, last):
        for k in range(own.size):
            own[k] = 0
        for i in range(ends[rows[j]], ends[rows[j] + 1]):
            values = per_piece[numbers[i]]
            for k in range(own.size):
                own[k] += values[k]
        for k in range(own.size):
            sums[k, j] = own[k]


@kernel
def count_pieces(numbers, ends, group, copies, latest, sizes, piece, count):
    """Count the pieces of each group, group by group.

    Args:
        numbers: int32, the pieces of all documents. ends: int64[D + 1].
        group: int32[D], ascending. copies: int64[D], how often each document counts.
        latest: int64[S], all -1, the latest entry of each piece; scratch.
        sizes: int64[G], all 0, becomes how many entries each group has.
        piece: int32, and count: int64, of each entry; out. There is room for one for each of `numbers`.
    """
    n = first = np.int64(0)
    for d in range(group.size):
        if d > 0 and group[d] != group[d - 1]:
            first = n
        for i in range(ends[d], ends[d + 1]):
            entry = latest[numbers[i]]
            if entry < first:
                entry = latest[numbers[i]] = n
                piece[n], count[n] = numbers[i], 0
                sizes[group[d]] += 1
                n += 1
            count[entry] += copies[d]


@kernel
def sort_entries(piece, count, bounds, at, entry_group, entry_count):
    """Sort entries by piece, those of a piece by group.

    Args:
        piece, count: of each entry, group by group; those of group g are ``bounds[g]:bounds[g + 1]``.
        at: int64[S], where the entries of each piece begin; scratch.
        entry_group: int32 and entry_count: int64, out.
    """
    for g in range(bounds.size - 1):
        for e in range(bounds[g], bounds[g + 1]):
            to = at[piece[e]]
            at[piece[e]] = to + 1
            entry_group[to], entry_count[to] = g, count[e]
