"""How often each id occurs in a text and in each of its groups, from the pieces of the text and their ids.

The slow twins are in tests/kernels/test_group_ids.py.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def add_ids(ids, ends, rows, entry_group, entry_count, first_group, counts):
    """Add to ``counts[g - first_group, id]`` how often an id occurs in group g, for the groups that it holds.

    Args:
        ids: uint32, those of all pieces; those of piece p are ``ids[ends[p]:ends[p + 1]]``.
        ends: int64[P + 1].
        rows, entry_group, entry_count: as in `toktk.pieces.table.PieceTable`.
        counts: int64[groups, ids], out.
    """
    for p in range(ends.size - 1):
        for e in range(rows[p], rows[p + 1]):
            g = entry_group[e] - first_group
            if 0 <= g < counts.shape[0]:
                for i in range(ends[p], ends[p + 1]):
                    counts[g, ids[i]] += entry_count[e]


@kernel
def count_ids(
    ids, ends, occurrences, rows, spelled, lengths, counts, tokens, first, kept, first_of
):
    """Count the ids of pieces, and keep those of some; return how many ids are kept.

    Args:
        ids: uint32, those of all pieces. ends: int64[P], where those of each piece end.
        occurrences: int64[P], how often each piece counts.
        rows, spelled: as in `toktk.evaluation.base.ChosenPieces`, `rows` of these pieces.
        lengths: int64[P], out: how many ids each piece has.
        counts: int64[ids], to which is added how often each occurs.
        tokens: int32[S], out for the rows of these pieces: how many ids each has.
        first: how many ids are kept already. kept: uint32, out: those that are kept of these pieces.
        first_of: int64[S], out for the spelled rows of these pieces: where the ids of each begin.
    """
    begin = n = np.int64(0)
    for p in range(ends.size):
        end, row = ends[p], rows[p]
        lengths[p] = end - begin
        for i in range(begin, end):
            counts[ids[i]] += occurrences[p]
        if row >= 0:
            tokens[row] = end - begin
            if spelled[row] != 0:
                first_of[row] = first + n
                for i in range(begin, end):
                    kept[n] = ids[i]
                    n += 1
        begin = end
    return n
