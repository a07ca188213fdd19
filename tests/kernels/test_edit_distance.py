import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk import educational
from toktk.kernels.edit_distance import edit_distances

IDS = st.lists(st.sampled_from([0, 1, 2, 2**32 - 1]), max_size=12)


def flat(documents):
    starts = np.cumsum([0, *map(len, documents)])
    return np.array([i for ids in documents for i in ids], dtype=np.uint32), starts


@given(st.lists(st.tuples(IDS, IDS), max_size=6))
def test_distances_equal_the_slow_ones(pairs):
    found = edit_distances(*flat([a for a, _ in pairs]), *flat([b for _, b in pairs]))
    assert found.tolist() == [educational.edit_distance(a, b) for a, b in pairs]


def test_known_distances():
    pairs = [("", ""), ("", "abc"), ("abc", ""), ("kitten", "sitting"), ("ab", "ba"), ("aaa", "aa")]
    found = edit_distances(
        *(x for side in zip(*pairs, strict=True) for x in flat([*map(str.encode, side)]))
    )
    assert found.tolist() == [0, 3, 3, 3, 2, 1]


def test_what_does_not_fit_is_refused():
    ids, starts = flat([[1, 2], [3]])
    for wrong in (
        (ids.astype(np.int64), starts, ids, starts),
        (ids, starts[:-1], ids, starts),
        (ids, starts, ids, starts.astype(np.int32)),
        (ids, np.array([0, 4, 3]), ids, starts),
        (ids, np.array([0, 3]), ids, starts),
        (ids, np.empty(0, np.int64), ids, starts),
    ):
        with pytest.raises(ValueError, match="not"):
            edit_distances(*wrong)
