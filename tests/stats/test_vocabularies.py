"""What vocabularies share, against sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.stats.vocabularies import ABSENT, mean_f1, mean_jaccard, ranks, relative_deviation

vocabularies = st.lists(
    st.lists(st.integers(0, 30), unique=True, min_size=1), min_size=2, max_size=5
)


@given(vocabularies, st.integers(1, 12))
def test_ranks_and_overlap_are_those_of_sets(lists: list[list[int]], size: int) -> None:
    tokens, places = ranks([np.array(ids, dtype=np.uint64) for ids in lists])
    assert tokens.tolist() == sorted(set().union(*lists))
    for t, token in enumerate(tokens.tolist()):
        expected = [ids.index(token) if token in ids else ABSENT for ids in lists]
        assert places[t].tolist() == expected
    cut = [set(ids[:size]) for ids in lists]
    pairs = [len(a & b) / len(a | b) for a, b in combinations(cut, 2)]
    assert mean_jaccard(places < size) == pytest.approx(sum(pairs) / len(pairs))
    assert (places < size).all(axis=1).sum() == len(set.intersection(*cut))


def test_of_equal_tokens_the_first_counts() -> None:
    _, places = ranks([np.array([5, 7, 5], dtype=np.uint64), np.array([7], dtype=np.uint64)])
    assert places.tolist() == [[0, ABSENT], [1, 0]]


@given(st.data())
def test_boundaries_are_weighted(data: st.DataObject) -> None:
    n, s = data.draw(st.integers(1, 12)), data.draw(st.integers(2, 4))
    flags = np.array(data.draw(st.lists(st.lists(st.booleans(), min_size=s, max_size=s),
                                        min_size=n, max_size=n)))  # fmt: skip
    weights = data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    marked = [[w for w, flag in zip(weights, flags[:, i], strict=True) if flag] for i in range(s)]
    pairs = []
    for a, b in combinations(range(s), 2):
        both = sum(w for w, x, y in zip(weights, flags[:, a], flags[:, b], strict=True) if x and y)
        under = sum(marked[a]) + sum(marked[b])
        pairs.append(2 * both / under if under else None)
    expected = None if None in pairs else pytest.approx(sum(p or 0 for p in pairs) / len(pairs))
    assert mean_f1(flags, weights) == expected


def test_what_cannot_be_told_is_none() -> None:
    assert mean_jaccard(np.zeros((3, 2), dtype=np.bool_)) is None
    assert mean_jaccard(np.ones((3, 1), dtype=np.bool_)) is None
    assert mean_f1(np.zeros((0, 2), dtype=np.bool_), []) is None
    assert relative_deviation([5]) is None
    assert relative_deviation([1, -1]) is None
    assert relative_deviation([9, 11]) == pytest.approx(2**0.5 / 10)
