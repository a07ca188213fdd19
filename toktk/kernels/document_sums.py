"""Sums over documents that are lists of piece numbers.

The slow twins are in tests/kernels/test_document_sums.py.
"""

from __future__ import annotations

from toktk.kernels import kernel


@kernel
def sum_by_document(numbers, ends, per_piece, sums):
    """Add to ``sums[d]`` the rows ``per_piece[numbers[i]]`` with ``ends[d] <= i < ends[d + 1]``.

    Args:
        numbers: int32, the pieces of all documents.
        ends: int64[D + 1].
        per_piece: int32 or float64[S, K], K values a piece.
        sums: int64 or float64[D, K], out.
    """
    for d in range(ends.size - 1):
        own = sums[d]
        for i in range(ends[d], ends[d + 1]):
            values = per_piece[numbers[i]]
            for k in range(own.size):
                own[k] += values[k]


@kernel
def count_groups(numbers, ends, group, last, n_groups):
    """Add to ``n_groups[s]`` (int64[S]) the groups that have piece s.

    Args:
        numbers: int32, the pieces of all documents. ends: int64[D + 1].
        group: int32[D], ascending. last: int32[S], all -1; scratch.
    """
    for d in range(group.size):
        for i in range(ends[d], ends[d + 1]):
            s = numbers[i]
            if last[s] != group[d]:
                last[s] = group[d]
                n_groups[s] += 1


@kernel
def count_pieces(numbers, ends, group, copies, at, entry_group, entry_count):
    """Write the entries of each piece: its groups, in their order, and how often each has it.

    Args:
        numbers, ends, group: as for `count_groups`.
        copies: int64[D], how often each document counts.
        at: int64[S], where the entries of each piece begin; scratch.
        entry_group: int32[entries], all -1, and entry_count: int64[entries], all 0; out.
    """
    for d in range(group.size):
        for i in range(ends[d], ends[d + 1]):
            s = numbers[i]
            e = at[s]
            if entry_group[e] != group[d]:
                if entry_group[e] >= 0:
                    e += 1
                    at[s] = e
                entry_group[e] = group[d]
            entry_count[e] += copies[d]
