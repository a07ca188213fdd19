"""Sums over documents that are lists of piece numbers, against loops over dictionaries."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import offsets_of
from toktk.kernels.document_sums import count_pieces, sort_entries, sum_by_document

PIECES = 6
documents = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 2**40), st.lists(st.integers(0, PIECES - 1), max_size=9)
    ),
    max_size=12,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


def arrays(documents):
    numbers = np.array([n for *_, own in documents for n in own], dtype=np.int32)
    return numbers, offsets_of([len(own) for *_, own in documents])


@given(documents)
def test_entries_are_what_each_group_has_of_each_piece(documents):
    numbers, ends = arrays(documents)
    group = np.array([g for g, *_ in documents], dtype=np.int32)
    copies = np.array([n for _, n, _ in documents], dtype=np.int64)
    expected = Counter()
    for g, times, own in documents:
        for piece in own:
            expected[piece, g] += times
    sizes = np.zeros(4, dtype=np.int64)
    piece, count = np.empty(numbers.size, np.int32), np.empty(numbers.size, np.int64)
    latest = np.full(PIECES, -1, dtype=np.int64)
    count_pieces(numbers, ends, group, copies, latest, sizes, piece, count)
    assert sizes.tolist() == [sum(g == own for _, g in expected) for own in range(4)]
    bounds = offsets_of(sizes)
    rows = offsets_of(np.bincount(piece[: bounds[-1]], minlength=PIECES))
    entry_group = np.empty(rows[-1], dtype=np.int32)
    entry_count = np.empty(rows[-1], dtype=np.int64)
    sort_entries(piece, count, bounds, rows[:-1].copy(), entry_group, entry_count)
    of_entry = np.repeat(np.arange(PIECES), np.diff(rows))
    keys = [*zip(of_entry.tolist(), entry_group.tolist(), strict=True)]
    assert keys == sorted(expected)
    assert entry_count.tolist() == [expected[key] for key in keys]


@given(documents)
def test_sums_of_each_document(documents):
    numbers, ends = arrays(documents)
    rows = np.arange(len(documents))[::-2].copy()
    for n_values in (1, 2):
        values = np.arange(n_values * PIECES, dtype=np.int32).reshape(PIECES, n_values) ** 2
        own, sums = np.empty(n_values, dtype=np.int64), np.full((n_values, rows.size), -1)
        sum_by_document(numbers, ends, rows, 0, rows.size, values, own, sums)
        expected = [
            [sum(int(values[n, k]) for n in documents[row][2]) for row in rows]
            for k in range(n_values)
        ]
        assert sums.tolist() == expected
