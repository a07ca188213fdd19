"""Sums over documents that are lists of piece numbers."""

from __future__ import annotations

from toktk.kernels import kernel


@kernel
def sum_by_document(numbers, ends, per_piece, sums):
    """Set ``sums[d]`` to the sum of ``per_piece[numbers[i]]`` over ``ends[d] <= i < ends[d + 1]``.

    Args:
        numbers: int32, the pieces of all documents.
        ends: int64[D + 1].
        per_piece: int32 or float64, one value a piece.
        sums: int64[D] or float64[D], out.
    """
    for d in range(ends.size - 1):
        sums[d] = 0
        for i in range(ends[d], ends[d + 1]):
            sums[d] += per_piece[numbers[i]]
