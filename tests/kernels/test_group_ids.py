"""Ids of groups are counted as one would by hand, in any block of groups."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import offsets_of
from toktk.kernels.group_ids import add_ids, count_ids

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


ROWS = st.one_of(st.just(-1), st.booleans())
"""Of a piece: it is not chosen, or it is, and whether its ids are wanted."""


@given(st.lists(st.tuples(IDS, st.integers(1, 2**40), ROWS), max_size=8), st.integers(0, 8))
def test_ids_are_counted_and_kept_by_hand(pieces, cut) -> None:
    chosen = [p for p, (_, _, row) in enumerate(pieces) if row != -1][::-1]
    rows = np.full(len(pieces), -1, dtype=np.int32)
    rows[chosen] = np.arange(len(chosen))
    spelled = np.array([pieces[p][2] for p in chosen], dtype=np.uint8)
    counts = np.zeros(N_IDS, dtype=np.int64)
    lengths = np.full(len(pieces), -1)
    tokens = np.zeros(len(chosen), dtype=np.int32)
    first_of = np.full(len(chosen), -1)
    kept: list[int] = []
    for part in (slice(0, cut), slice(cut, None)):
        own = pieces[part]
        ids = np.array([i for ids, _, _ in own for i in ids], dtype=np.uint32)
        room = np.empty(ids.size, dtype=np.uint32)
        n = count_ids(
            ids,
            np.cumsum([len(ids) for ids, _, _ in own], dtype=np.int64),
            np.array([occurrences for _, occurrences, _ in own], dtype=np.int64),
            *(rows[part], spelled, lengths[part], counts, tokens, len(kept), room, first_of),
        )
        kept += room[:n].tolist()
    wanted = np.zeros(N_IDS, dtype=np.int64)
    for ids, occurrences, _ in pieces:
        for i in ids:
            wanted[i] += occurrences
    assert counts.tolist() == wanted.tolist()
    assert lengths.tolist() == [len(ids) for ids, _, _ in pieces]
    assert tokens.tolist() == [len(pieces[p][0]) for p in chosen]
    for row, p in enumerate(chosen):
        if spelled[row]:
            begin = int(first_of[row])
            assert kept[begin : begin + len(pieces[p][0])] == pieces[p][0]
        else:
            assert first_of[row] == -1
