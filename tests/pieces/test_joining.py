import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.errors import CorpusError
from toktk.pieces import joining
from toktk.pieces.joining import joined
from toktk.pieces.table import PieceTable, ascending

pieces = st.one_of(
    st.binary(min_size=1, max_size=3), st.just(b"a long piece"), st.just(b"a long p")
)
counts = st.dictionaries(
    st.tuples(pieces, st.sampled_from("xyz")), st.integers(1, 2**40), max_size=12
)


def table_of(counted, signature="cut"):
    groups = sorted({group for _, group in counted})
    spelled = sorted({piece for piece, _ in counted})
    entries = sorted((spelled.index(p), groups.index(g), n) for (p, g), n in counted.items())
    return PieceTable(
        np.frombuffer(b"".join(spelled), np.uint8),
        np.cumsum([0, *map(len, spelled)], dtype=np.int64),
        np.searchsorted([p for p, _, _ in entries], np.arange(len(spelled) + 1)),
        np.array([g for _, g, _ in entries], np.int32),
        np.array([n for _, _, n in entries], np.int64),
        tuple(groups),
        np.full((len(groups), 7), len(counted)),
        np.full((len(groups), 2), len(counted)),
        signature,
    )


@given(st.lists(counts, min_size=1, max_size=7), st.sampled_from([1, 5, 1 << 20]))
def test_the_sum_of_tables_is_that_of_their_counts(parts, at_once):
    joining._AT_ONCE, kept = at_once, joining._AT_ONCE
    try:
        whole = joined(map(table_of, parts))
    finally:
        joining._AT_ONCE = kept
    expected: dict[tuple[bytes, str], int] = {}
    for part in parts:
        for key, n in part.items():
            expected[key] = expected.get(key, 0) + n
    assert whole.to_dict() == expected
    assert [whole.piece(p) for p in range(len(whole))] == sorted({piece for piece, _ in expected})
    assert whole.groups == tuple(sorted({group for _, group in expected}))
    sorted_again = ascending(whole)
    for name in ("data", "offsets", "rows", "entry_group", "entry_count"):
        assert getattr(sorted_again, name).tolist() == getattr(whole, name).tolist()
    for g, group in enumerate(whole.groups):
        of_group = sum(len(part) for part in parts if any(name == group for _, name in part))
        assert whole.totals[g].tolist() == [of_group] * 7
        assert whole.aligned[g].tolist() == [of_group] * 2


def test_there_must_be_a_table_and_one_cut():
    with pytest.raises(CorpusError, match="no table"):
        joined([])
    with pytest.raises(CorpusError, match="cut differently"):
        joined([table_of({}), table_of({}, "otherwise")])
