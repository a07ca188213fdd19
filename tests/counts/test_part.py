import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.corpus import Corpus
from toktk.counts import part
from toktk.counts.part import Sizes, read_part, write_part
from toktk.errors import CorpusError, StorageError
from toktk.pieces.counting import count_corpus
from toktk.pieces.table import ascending
from toktk.pretokenizers.pretokenizer import Pretokenizer

GPT2 = Pretokenizer.of("gpt2")
texts = st.one_of(st.text("ab \n\0é"), st.text(st.characters(codec="utf-8")))
documents = st.lists(st.tuples(texts, st.sampled_from(["z", "", "東", "a/b"])), max_size=8)


def table_of(documents):
    corpus = Corpus.of([t for t, _ in documents] or [""], [g for _, g in documents] or ["z"])
    return ascending(count_corpus(corpus, GPT2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


@given(documents)
def test_a_part_is_read_as_it_was_written(folder, documents):
    table = table_of(documents)
    write_part(table, folder / "a.parquet")
    read = read_part(folder / "a.parquet", table.pretokenizer)
    assert read.to_dict() == table.to_dict()
    assert [read.piece(p) for p in range(len(read))] == sorted({p for p, _ in table.to_dict()})
    assert set(read.groups) == {group for _, group in table.to_dict()}
    assert (Sizes.of(read), read.pretokenizer) == (Sizes.of(table), table.pretokenizer)


def test_equal_content_gives_equal_bytes_and_rows_ascend(folder):
    import pyarrow.parquet as pq

    documents = [("b a b", "z"), ("a", "東"), ("a", ""), ("é a", "z")]
    for name, order in (("a", documents), ("b", documents[::-1])):
        write_part(table_of(order), folder / f"{name}.parquet")
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    rows = pq.read_table(folder / "a.parquet").to_pylist()
    keys = [(row["piece"], row["group"]) for row in rows]
    assert keys == sorted(keys)
    assert {"piece": b" a", "group": "z", "count": 2} in rows


def test_many_row_groups(folder, monkeypatch):
    import pyarrow.parquet as pq

    table = table_of([(" ".join(map(str, range(500))), "x"), ("1 2 3", "y")])
    write_part(table, folder / "a.parquet")
    monkeypatch.setattr(part, "_ROWS", 7)
    monkeypatch.setattr(part, "_BYTES", 20)
    write_part(table, folder / "b.parquet")
    assert pq.ParquetFile(folder / "b.parquet").num_row_groups > 50
    for name in "ab":
        assert read_part(folder / f"{name}.parquet", "").to_dict() == table.to_dict()


def test_tools_read_the_side_from_the_folder(folder):
    import pyarrow.dataset as ds

    table = table_of([("a b a", "x")])
    path = folder / part.folder_of("held-out", 7) / "00003.parquet"
    path.parent.mkdir(parents=True)
    write_part(table, path)
    rows = ds.dataset(folder / "side=held-out", partitioning="hive").to_table()
    assert rows["part"].to_pylist() == [7] * len(rows)
    assert np.sum(rows["count"].to_pylist()) == 3


@pytest.mark.parametrize("content", [b"", b"PAR1", b"text\n" * 100])
def test_what_is_no_part_is_refused(folder, content):
    (folder / "no.parquet").write_bytes(content)
    with pytest.raises(StorageError, match="is no part of a count"):
        read_part(folder / "no.parquet", "")


@pytest.mark.parametrize(
    "columns",
    [
        {"piece": [b"a"], "count": [1]},
        {"piece": [b"a", None], "group": ["x", "x"], "count": [1, 1]},
        {"piece": [b"a"], "group": ["x"], "count": ["one"]},
    ],
)
def test_a_table_of_something_else_is_refused(folder, columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), folder / "other.parquet")
    with pytest.raises(StorageError, match="is no part of a count"):
        read_part(folder / "other.parquet", "")


def test_plain_strings_of_another_writer_are_read(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"piece": [b"a", b"a", b"b"], "group": ["y", "x", "y"], "count": [1, 2, 3]}
    pq.write_table(pa.table(columns), folder / "other.parquet")
    read = read_part(folder / "other.parquet", "s")
    assert read.groups == ("x", "y")
    assert read.to_dict() == {(b"a", "y"): 1, (b"a", "x"): 2, (b"b", "y"): 3}


def test_a_piece_that_is_too_long_for_parquet_is_refused(folder, monkeypatch):
    table = table_of([("word " + "x" * 50, "z")])
    monkeypatch.setattr(part, "_LONGEST", 51)
    write_part(table, folder / "long.parquet")
    monkeypatch.setattr(part, "_LONGEST", 50)
    with pytest.raises(CorpusError, match="a piece of 51 bytes"):
        write_part(table, folder / "long.parquet")
