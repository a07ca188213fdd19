import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.errors import StorageError
from toktk.pieces import counter, runs
from toktk.pieces.counting import count_corpus
from toktk.pieces.joining import joined
from toktk.pieces.runs import BoundedCounter, partition_of
from toktk.pieces.table import ascending
from toktk.pretokenizers.pretokenizer import Pretokenizer

GPT2 = Pretokenizer.of("gpt2")
texts = st.one_of(
    st.text("ab \n"), st.text("aB1 '\r\n.\u3000é東😀\0"), st.text(st.characters(codec="utf-8"))
)
documents = st.lists(
    st.tuples(texts, st.sampled_from(["de", "", "東京", "a/b c"]), st.integers(0, 2**40)),
    min_size=1,
    max_size=8,
)
SPILLS, KEEPS = 1, 1 << 30  # bytes of memory: every batch goes to disk, or none


@pytest.fixture(scope="module", autouse=True)
def small_tables():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter, "_FIRST_SLOTS", 4)
        patch.setattr(runs, "_BLOCK", 8)
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def counted(corpus, folder, memory, n_partitions=5, by_group=True, cut=GPT2):
    counting = BoundedCounter(cut, memory, folder, n_partitions=n_partitions, by_group=by_group)
    for batch in corpus.batches():
        counting.add(batch)
    return counting.finish()


def columns(table):
    names = ("data", "offsets", "rows", "entry_group", "entry_count", "totals", "aligned")
    return {name: getattr(table, name).tolist() for name in names} | {
        "groups": table.groups,
        "pretokenizer": table.pretokenizer,
    }


def same(table, expected):
    """Whether two tables say the same, in whatever order they list their pieces."""
    return columns(ascending(table)) == columns(ascending(expected))


@given(documents, st.integers(1, 4), st.sampled_from([SPILLS, 300, 2000, KEEPS]), st.integers(1, 9))
def test_any_bound_and_any_partitions_give_the_same(corpus_of, folder, documents, rows, memory, n):
    expected = count_corpus(corpus_of(documents), GPT2)
    result = counted(corpus_of(documents, rows), folder, memory, n)
    partitions = [result.partition(k) for k in range(n)]
    assert same(result.table(), expected)
    assert sum(map(len, partitions)) == len(expected)
    for k, table in enumerate(partitions):
        pieces = [table.piece(p) for p in range(len(table))]
        assert pieces == sorted(set(pieces))
        assert all(np.diff(table.entry_group[a:b]).min(initial=1) > 0 for a, b in spans(table))
        assert (partition_of(table.data, table.offsets, n) == k).all()
        assert table.groups == result.groups == expected.groups
        assert table.totals.tolist() == result.totals.tolist() == expected.totals.tolist()
        assert table.aligned.tolist() == result.aligned.tolist() == expected.aligned.tolist()
    together = {entry: n for table in partitions for entry, n in table.to_dict().items()}
    assert together == expected.to_dict()


def spans(table):
    return zip(table.rows, table.rows[1:], strict=False)


@given(documents, st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_parts_in_any_order_and_number_are_joined_to_the_same_bytes(
    corpus_of, folder, documents, n_parts, chance
):
    (whole,) = (counted(corpus_of(documents), folder, KEEPS, 3),)
    chance.shuffle(documents)
    of_ranks = [
        counted(corpus_of(documents[i::n_parts]), folder, chance.choice([SPILLS, KEEPS]), 3)
        for i in range(n_parts)
        if documents[i::n_parts]
    ]
    for k in range(3):
        assert columns(joined(part.partition(k) for part in of_ranks)) == columns(
            whole.partition(k)
        )


@pytest.mark.parametrize("name", ["gpt2", "o200k", "metaspace", "none"])
@pytest.mark.parametrize("by_group", [True, False])
def test_nasty_texts(corpus_of, nasty_texts, folder, name, by_group):
    documents = [(text, f"g{i % 5}", i % 3 + 1) for i, text in enumerate(nasty_texts)]
    cut = Pretokenizer.of(name)
    result = counted(corpus_of(documents, 3), folder, 2000, 7, by_group, cut)
    assert result.spilled
    assert same(result.table(), count_corpus(corpus_of(documents), cut, by_group=by_group))


@pytest.mark.parametrize(("times", "spilled"), [(1, True), (40, False)])
@pytest.mark.parametrize("length", [5, 60])  # within slots; in the arena
def test_a_table_that_saves_nothing_goes_to_disk(
    corpus_of, folder, monkeypatch, times, spilled, length
):
    monkeypatch.setattr(counter, "_SMALL", 1 << 10)
    words = [f" {i:0{length}}x" for i in range(300)]
    documents = [("".join(words[i : i + 10]) * times, "g", 1) for i in range(0, 300, 10)]
    result = counted(corpus_of(documents, 1), folder, KEEPS, cut=Pretokenizer.of("metaspace"))
    assert result.spilled == spilled
    assert same(result.table(), count_corpus(corpus_of(documents), Pretokenizer.of("metaspace")))


def test_alignment_is_summed(corpus_of, folder):
    rows = [("a", "de", 1, "1"), ("b", "de", 1, "2"), ("c", "fr", 1, "2"), ("d", "fr", 1, "1")]
    result = counted(corpus_of(rows, 1), folder, SPILLS)
    assert result.aligned.tolist() == count_corpus(corpus_of(rows), GPT2).aligned.tolist()
    assert result.aligned[0].tolist() == result.aligned[1].tolist()


def test_long_pieces_that_begin_alike(corpus_of, folder):
    chance = random.Random(1)
    documents = [("a" * n + "".join(chance.choices("ab", k=3)), "g", 1) for n in range(60)]
    documents.append(("z" * 300_000, "g", 1))
    pieces = [piece for piece, _ in count_corpus(corpus_of(documents), GPT2).to_dict()]
    table = counted(corpus_of(documents, 9), folder, SPILLS, 1).partition(0)
    assert [table.piece(p) for p in range(len(table))] == sorted(pieces)


def test_no_piece_at_all(corpus_of, folder):
    result = counted(corpus_of([("", "g", 1), ("", "h", 3)]), folder, SPILLS)
    assert (len(result.table()), len(result.partition(4))) == (0, 0)
    assert result.table().totals[:, 0].tolist() == [1, 3]


def test_partitions_are_for_ever():
    pieces = [b"a", b" the", b"\0", b"\0\0", "東京".encode(), b"x" * 17, b""]
    data = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)])
    assert partition_of(data, offsets, 64).tolist() == [54, 2, 30, 15, 37, 29, 21]
    assert partition_of(data, offsets, 3).tolist() == [2, 0, 1, 0, 1, 1, 1]
    assert partition_of(data, offsets, 1).tolist() == [0] * 7


def test_partitions_are_of_equal_size():
    data = np.arange(40_000, dtype=np.uint32).view(np.uint8)
    sizes = np.bincount(partition_of(data, np.arange(0, data.size + 1, 4), 64))
    assert sizes.size == 64
    assert 500 < sizes.min() <= sizes.max() < 750


def test_a_full_disk_is_told(corpus_of, tmp_path):
    counting = BoundedCounter(GPT2, SPILLS, tmp_path / "gone")
    (batch,) = corpus_of([("a b c d e f g h i", "g", 1), ("x y z", "g", 1)]).batches()
    with pytest.raises(StorageError) as error:
        counting.add(batch)
    assert "--memory" in str(error.value)
    assert "bytes of counts" in str(error.value)


def test_runs_that_were_cut_short_are_told(corpus_of, tmp_path):
    result = counted(corpus_of([("a b c d e f", "g", 1)] * 3, 1), tmp_path, SPILLS)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StorageError, match="shorter"):
        result.table()
