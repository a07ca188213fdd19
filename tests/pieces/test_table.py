import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import Corpus
from toktk.errors import CorpusError, StorageError
from toktk.pieces.counter import merge
from toktk.pieces.counting import count_corpus
from toktk.pieces.table import PieceTable, may_hold, multiplied
from toktk.pretokenizers.pretokenizer import Pretokenizer

GPT2 = Pretokenizer.of("gpt2")
documents = st.lists(
    st.tuples(st.text("ab \n\0é東"), st.sampled_from(["de", "", "東"]), st.integers(0, 2**40)),
    min_size=1,
    max_size=6,
)


def same(one, other):
    return (
        one.to_dict() == other.to_dict()
        and one.groups == other.groups
        and one.totals.tolist() == other.totals.tolist()
        and one.aligned.tolist() == other.aligned.tolist()
        and one.pretokenizer == other.pretokenizer
    )


@given(documents, documents, documents)
@settings(max_examples=40)
def test_sum_is_commutative_associative_and_that_of_the_texts(corpus_of, x, y, z):
    a, b, c = (count_corpus(corpus_of(part), GPT2) for part in (x, y, z))
    whole = count_corpus(corpus_of(x + y + z), GPT2)
    assert same(merge([a, b]), merge([b, a]))
    assert same(merge([merge([a, b]), c]), merge([a, merge([b, c])]))
    assert same(merge([a, b, c]), whole)
    assert same(merge([c, a, b]), whole)
    assert same(merge([a]), a)


@given(documents)
@settings(max_examples=40)
def test_parquet_round_trip(corpus_of, tmp_path_factory, documents):
    table = count_corpus(corpus_of(documents), GPT2)
    folder = tmp_path_factory.mktemp("tables")
    table.write_parquet(folder / "one.parquet")
    read = PieceTable.read_parquet(folder / "one.parquet")
    assert same(read, table)
    for name in ("data", "offsets", "rows", "entry_group", "entry_count", "totals", "aligned"):
        assert getattr(read, name).dtype == getattr(table, name).dtype
        assert getattr(read, name).flags.c_contiguous
    # Pieces in another order in memory, the same table: the same bytes.
    again = count_corpus(corpus_of(documents[::-1], 1), GPT2)
    again.write_parquet(folder / "two.parquet")
    read.write_parquet(folder / "three.parquet")
    written = {path.read_bytes() for path in folder.iterdir()}
    assert len(written) == 1
    assert same(merge([read, table]), merge([table, table]))


def test_parquet_is_sorted_and_plain(corpus_of, tmp_path):
    table = count_corpus(corpus_of([("b a b", "x", 2), ("b", "a", 1)]), GPT2)
    table.write_parquet(tmp_path / "t.parquet")
    columns = pq.read_table(tmp_path / "t.parquet").to_pydict()
    assert columns == {
        "piece": [b" a", b" b", b"b", b"b"],
        "group": ["x", "x", "a", "x"],
        "count": [2, 2, 1, 2],
    }


def test_different_cutting_is_not_added(corpus_of):
    one, other = (
        count_corpus(corpus_of([("a", "g", 1)]), Pretokenizer.of(name))
        for name in ("gpt2", "o200k")
    )
    with pytest.raises(CorpusError, match=r"gpt2.*o200k"):
        merge([one, other])
    with pytest.raises(CorpusError, match="no table"):
        merge([])


def test_repr_and_sums(corpus_of):
    table = count_corpus(corpus_of([("a b a", "x", 2), ("a", "y", 1)]), GPT2)
    assert repr(table).startswith("PieceTable(3 distinct of 7 pieces, 2 groups, gpt2@")
    assert dict(zip(map(table.piece, range(3)), table.counts.tolist(), strict=True)) == {
        b"a": 3,
        b" b": 2,
        b" a": 2,
    }
    assert table.group_pieces.tolist() == [6, 1]


class TestDamage:
    @pytest.fixture
    def path(self, corpus_of, tmp_path):
        table = count_corpus(corpus_of([("a b a c", "x", 2), ("a", "y", 1)]), GPT2)
        table.write_parquet(tmp_path / "t.parquet")
        return tmp_path / "t.parquet"

    def refused(self, path):
        with pytest.raises(StorageError, match=r"cannot read the piece table"):
            PieceTable.read_parquet(path)

    def rewrite(self, path, table=None, **meta):
        old = pq.read_table(path)
        known = json.loads(old.schema.metadata[b"toktk"]) | meta
        new = (old if table is None else table(old)).replace_schema_metadata(
            {"toktk": json.dumps({k: v for k, v in known.items() if v is not None})}
        )
        pq.write_table(new, path)

    def test_missing(self, tmp_path):
        self.refused(tmp_path / "no.parquet")

    def test_a_folder(self, tmp_path):
        (tmp_path / "t.parquet").mkdir()
        self.refused(tmp_path / "t.parquet")

    @pytest.mark.parametrize("keep", [0, 1, 0.5, 0.99])
    def test_truncated(self, path, keep):
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep) - (keep == 1)])
        self.refused(path)

    def test_noise(self, path):
        path.write_bytes(b"PAR1" + bytes(range(256)) * 4 + b"PAR1")
        self.refused(path)

    def test_other_parquet(self, path):
        pq.write_table(pa.table({"x": [1]}), path)
        self.refused(path)

    def test_metadata_that_is_not_ours(self, path):
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({"toktk": "{"}), path)
        self.refused(path)

    @pytest.mark.parametrize("column", ["piece", "group", "count"])
    def test_missing_column(self, path, column):
        self.rewrite(path, lambda table: table.drop_columns([column]))
        self.refused(path)

    @pytest.mark.parametrize("key", ["groups", "totals", "aligned", "pretokenizer"])
    def test_missing_key(self, path, key):
        self.rewrite(path, **{key: None})
        self.refused(path)

    def test_group_that_is_not_listed(self, path):
        self.rewrite(path, groups=["x"], totals=[[0] * 7], aligned=[[0, 0]])
        self.refused(path)

    def test_totals_of_another_shape(self, path):
        self.rewrite(path, totals=[[1, 2, 3]])
        self.refused(path)

    def test_counts_of_another_kind(self, path):
        self.rewrite(
            path, lambda table: table.set_column(2, "count", pa.array(["many"] * table.num_rows))
        )
        self.refused(path)

    def test_nulls(self, path):
        self.rewrite(
            path,
            lambda table: table.set_column(0, "piece", pa.nulls(table.num_rows, pa.binary())),
        )
        self.refused(path)

    def test_another_format(self, path):
        self.rewrite(path, format=99)
        self.refused(path)

    def test_a_place_that_cannot_be_written(self, path):
        table = PieceTable.read_parquet(path)
        with pytest.raises(StorageError, match="cannot write"):
            table.write_parquet(path / "below" / "t.parquet")


def test_an_empty_table(corpus_of, tmp_path):
    table = count_corpus(corpus_of([("", "x", 1)]), GPT2)
    table.write_parquet(tmp_path / "t.parquet")
    read = PieceTable.read_parquet(tmp_path / "t.parquet")
    assert same(read, table)
    assert len(read) == 0
    assert np.array_equal(read.counts, np.zeros(0, np.int64))


@given(documents, st.text("ab \n\0é東", min_size=1, max_size=4))
@settings(max_examples=100)
def test_a_string_that_the_text_holds_may_be_held(corpus_of, documents, string):
    table = count_corpus(corpus_of(documents), GPT2)
    if any(string in text for text, *_, weight in documents if weight):
        assert may_hold(table, string)


@pytest.mark.parametrize(
    ("string", "held"),
    [
        ("cat", True),  # within a piece
        (" cat", True),  # a piece
        ("the cat sa", True),  # a piece, another, and the beginning of one
        ("at s", True),
        ("cat the", True),  # pieces that may stand so
        ("the dog", False),
        ("<|endoftext|>", False),
        ("東", False),
        ("thecat", False),  # no piece is "cat", and none ends so before "the"
    ],
)
def test_what_pieces_tell_of_a_string(string, held):
    table = count_corpus(Corpus.of(["the cat sat the mat", "the"]), GPT2)
    assert may_hold(table, string) is held


def test_a_table_of_nothing_holds_nothing():
    assert not may_hold(count_corpus(Corpus.of(["", ""]), GPT2), "a")


@given(documents, st.integers(1, 2**20))
@settings(max_examples=20)
def test_multiplied_is_what_documents_that_count_so_often_give(corpus_of, documents, times):
    table = count_corpus(corpus_of(documents), GPT2)
    more = [(text, group, weight * times) for text, group, weight in documents]
    assert same(multiplied(table, [times] * len(table.groups)), count_corpus(corpus_of(more), GPT2))
