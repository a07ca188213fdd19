"""How often each id occurs in each group of a text, from the pieces of the text and their ids.

The slow twin is in tests/evaluation/test_group_ids.py.
"""

from __future__ import annotations

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
