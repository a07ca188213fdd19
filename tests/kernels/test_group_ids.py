"""Ids of groups are counted as one would by hand, in any block of groups."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import offsets_of
from toktk.kernels.group_ids import add_ids

N_IDS, N_GROUPS = 7, 5
IDS = st.lists(st.integers(0, N_IDS - 1), max_size=6)
ENTRIES = st.dictionaries(st.integers(0, N_GROUPS - 1), st.integers(1, 2**40), max_size=N_GROUPS)


@given(st.lists(st.tuples(IDS, ENTRIES), max_size=8), st.integers(0, N_GROUPS - 1))
def test_counts_by_hand(pieces, cut) -> None:
    expected = np.zeros((N_GROUPS, N_IDS), dtype=np.int64)
    for ids, entries in pieces:
        for group, count in entries.items():
            for i in ids:
                expected[group, i] += count
    arguments = (
        np.array([i for ids, _ in pieces for i in ids], dtype=np.uint32),
        offsets_of(np.array([len(ids) for ids, _ in pieces], dtype=np.int64)),
        offsets_of(np.array([len(entries) for _, entries in pieces], dtype=np.int64)),
        np.array([g for _, entries in pieces for g in entries], dtype=np.int32),
        np.array([n for _, entries in pieces for n in entries.values()], dtype=np.int64),
    )
    blocks = []
    for first, last in ((0, cut), (cut, N_GROUPS)):
        counts = np.zeros((last - first, N_IDS), dtype=np.int64)
        add_ids(*arguments, first, counts)
        blocks.append(counts)
    assert np.array_equal(np.concatenate(blocks), expected)
