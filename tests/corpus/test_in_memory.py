import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from toktk.corpus import Corpus, concat, load_corpus
from toktk.corpus.batch import NO_GROUP, schema
from toktk.errors import CorpusError

texts = st.text(st.characters(codec="utf-8"))
groups = st.sampled_from(["de", "en", "", "東京", None])
ids = st.sampled_from(["1", "2", "", None])
rows = st.tuples(texts, groups, ids, st.integers(0, 2**62))
documents = st.lists(rows, min_size=1, max_size=8)


def columns(documents):
    return [list(column) for column in zip(*documents, strict=True)]


def of(documents, **options):
    return Corpus.of(*columns(documents), **options)


def read(corpus):
    found = []
    for batch in corpus.batches():
        assert batch.schema == schema()
        batch.validate(full=True)
        found += zip(*(batch.column(i).to_pylist() for i in range(4)), strict=True)
    return found


@given(documents)
def test_what_goes_in_comes_out(documents):
    expected = [(text, NO_GROUP if g is None else g, a, w) for text, g, a, w in documents]
    assert read(of(documents)) == expected
    plain = Corpus.of([text for text, *_ in documents], name="mine")
    assert read(plain) == [(text, "mine", None, 1) for text, *_ in documents]


@given(documents, st.integers(1, 20))
def test_batches_are_small_and_change_nothing(documents, size):
    corpus = of(documents)
    whole, fingerprint = read(corpus), corpus.fingerprint
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toktk.corpus.batch.BATCH_BYTES", size)
        consumed = []
        again = of(documents)
        for batch in again.batches(consumed.append):
            lengths = [len(text.encode()) for text in batch.column("text").to_pylist()]
            assert len(lengths) == 1 or sum(lengths) <= size
        assert sum(consumed) == again.size == sum(len(row[0].encode()) for row in documents)
        assert read(again) == whole
        assert again.fingerprint == fingerprint
    assert [read(side) for side in corpus.split(0.5) if side.name and _has_rows(side)]


def _has_rows(corpus):
    try:
        return bool(read(corpus))
    except CorpusError:
        return False


@given(documents, documents)
def test_the_fingerprint_is_of_the_contents(first, second):
    def seen(documents):
        return [(text, g or ("" if g == "" else NO_GROUP), a, w) for text, g, a, w in documents]

    assert of(first).fingerprint == of(list(first), name="another name").fingerprint
    assume(seen(first) != seen(second))
    assert of(first).fingerprint != of(second).fingerprint


def test_the_fingerprint_sees_every_column():
    base = {"texts": ["a", "b", "c"], "groups": ["x", "y", "x"], "align": ["1", None, "2"]}
    changes = [
        {"texts": ["ab", "", "c"]},
        {"groups": ["x", "y", "y"]},
        {"groups": ["y", "x", "y"]},
        {"groups": "x"},
        {"align": None},
        {"align": [None, "1", "2"]},
        {"align": ["1", "", "2"]},
        {"weights": [1, 1, 2]},
    ]
    fingerprints = {Corpus.of(**base | change).hash_contents() for change in [{}, *changes]}
    assert len(fingerprints) == 1 + len(changes)
    assert Corpus.of(["a"], "x").fingerprint == Corpus.of(["a"], ["x"]).fingerprint
    assert (
        Corpus.of(["a"], weights=[1], groups="x").fingerprint == Corpus.of(["a"], "x").fingerprint
    )


TEXTS = ["a", None, "東京", ""]
EXPECTED = [("a", "x", "1", 3), ("東京", "x", None, 5), ("", "y", "4", 6)]


def _polars(name, values):
    return pytest.importorskip("polars").Series(name, values)


def _pandas(name, values):
    return pytest.importorskip("pandas").Series(values, name=name, dtype=object)


@pytest.mark.parametrize(
    "column",
    [
        lambda name, values: values,
        lambda name, values: iter(values),
        lambda name, values: pa.array(values),
        lambda name, values: pa.array([*values, *values]).slice(4),
        lambda name, values: pa.chunked_array([values[:1], values[1:]]),
        lambda name, values: pa.array(values).dictionary_encode(),
        lambda name, values: pa.chunked_array(
            [pa.array(part).dictionary_encode() for part in (values[:2], values[2:])]
        ),
        _polars,
        _pandas,
    ],
    ids=[
        "list",
        "iterator",
        "array",
        "slice",
        "chunked",
        "dictionary",
        "dictionaries",
        "polars",
        "pandas",
    ],
)
def test_columns_of_any_kind(column):
    corpus = Corpus.of(
        column("texts", TEXTS),
        column("groups", ["x", "z", "x", "y"]),
        column("align", ["1", "2", None, "4"]),
        np.array([3, 4, 5, 6], np.int32),
    )
    assert read(corpus) == EXPECTED
    assert corpus.null_rows == corpus.describe()["null_rows"] == 1
    assert corpus.describe()["parts"] == [{"texts": 3, "bytes": 7}]
    assert (
        corpus.fingerprint == Corpus.of(TEXTS[:1] + TEXTS[2:], *columns(EXPECTED)[1:]).fingerprint
    )


def test_numbers_name_groups_and_lines():
    assert read(Corpus.of(["a", "b"], [1, 2.5], [7, None])) == [
        ("a", "1", "7", 1),
        ("b", "2.5", None, 1),
    ]


def test_no_document_is_an_error_when_read():
    with pytest.raises(CorpusError, match="no documents in empty"):
        read(Corpus.of([], weights=[], name="empty"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "a text"}, "texts must be a list or an array"),
        ({"texts": 7}, "Found: one int"),
        ({"texts": ["a", b"b"]}, r"texts\[1\] is no string"),
        ({"texts": ["a", 7]}, r"texts\[1\] is no string"),
        ({"texts": ["a", "\ud800"]}, r"texts\[1\] holds half a character"),
        ({"texts": pa.array([1, 2])}, "does not hold text"),
        ({"groups": ["x"]}, "1 groups for 2 texts"),
        ({"groups": ["x", ["y"]]}, r"groups\[1\] is no string"),
        ({"groups": ["\udfff", "y"]}, r"groups\[0\] holds half a character"),
        ({"align": ["1", "2", "3"]}, "3 align for 2 texts"),
        ({"weights": [1]}, "1 weights for 2 texts"),
        ({"weights": [1, -1]}, "Found: -1"),
        ({"weights": [1, 1.5]}, "Found: float64"),
        ({"weights": ["1", "2"]}, "whole numbers"),
    ],
)
def test_what_is_no_corpus(arguments, message):
    with pytest.raises(CorpusError, match=message):
        Corpus.of(**{"texts": ["a", "b"], **arguments})


def test_invalid_utf8_names_the_row():
    raw = pa.array([b"fine", b"a\xff"], pa.large_binary())
    with pytest.raises(CorpusError, match="texts, row 1, byte 1"):
        Corpus.of(pa.LargeStringArray.from_buffers(2, *raw.buffers()[1:]))


def test_in_memory_and_on_disk_are_alike(tmp_path):
    lines = [f"line {i % 70} é\n" for i in range(300)]
    (tmp_path / "x.txt").write_text("".join(lines), encoding="utf-8", newline="")
    held, on_disk = Corpus.of(lines, "x"), load_corpus(tmp_path / "x.txt")
    assert read(held) == read(on_disk)
    for one, other in zip(held.split(0.3), on_disk.split(0.3), strict=True):
        assert read(one) == read(other)
    assert read(held.limit(20, seed=1)) == read(on_disk.limit(20, seed=1))
    assert read(concat([held, on_disk], "both")) == 2 * read(held)
