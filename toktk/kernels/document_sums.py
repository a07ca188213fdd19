"""Sums over documents that are lists of piece numbers."""

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
