"""Tables of counts: what is read, and what is refused by name."""

import hashlib

import pyarrow as pa
import pytest
from nasty import NASTY_TEXTS

from toktk import arrow
from toktk.errors import FormatError
from toktk.formats.counts import read_counts

TEXTS = [text for text in NASTY_TEXTS if text]


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def write(path, **columns):
    table = {"sha256": [sha256(text) for text in TEXTS], "tokens": [*range(len(TEXTS))]} | columns
    arrow.write_parquet(pa.table({n: c for n, c in table.items() if c is not None}), path)
    return path


def test_counts_by_hash(tmp_path):
    model = read_counts(write(tmp_path / "counts.parquet"))
    assert model.vocab_size == 0
    assert model.counts == {
        hashlib.sha256(text.encode()).digest(): i for i, text in enumerate(TEXTS)
    }


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint16(), pa.int32(), pa.uint64()])
def test_all_whole_numbers_and_kinds_of_strings(tmp_path, kind):
    wanted = read_counts(write(tmp_path / "counts.parquet")).signature
    hashes = [sha256(text) for text in TEXTS]
    for strings in (
        pa.array(hashes, pa.large_string()),
        pa.array(hashes).dictionary_encode(),
        [text.upper() for text in hashes],
    ):
        path = write(tmp_path / "c.parquet", sha256=strings, tokens=pa.array(range(22), kind))
        assert read_counts(path).signature == wanted


def test_order_and_further_columns_do_not_matter(tmp_path):
    first = read_counts(write(tmp_path / "a.parquet"))
    table = pa.table(
        {
            "note": ["\x1b[31m"] * 22,
            "tokens": [*range(21, -1, -1)],
            "sha256": [sha256(text) for text in reversed(TEXTS)],
        }
    )
    arrow.write_parquet(table, tmp_path / "b.parquet")
    assert read_counts(tmp_path / "b.parquet").signature == first.signature
    write(tmp_path / "c.parquet", tokens=[*range(21), 99])
    assert read_counts(tmp_path / "c.parquet").signature != first.signature


def test_a_stated_size(tmp_path):
    stated = read_counts(write(tmp_path / "c.parquet", vocab_size=[200_000] * 22))
    assert stated.vocab_size == 200_000
    assert stated.signature != read_counts(write(tmp_path / "d.parquet")).signature
    unstated = pa.nulls(22, pa.int64())
    assert read_counts(write(tmp_path / "e.parquet", vocab_size=unstated)).vocab_size == 0


def test_the_same_count_twice_is_one(tmp_path):
    hashes = [sha256("a"), sha256("a").upper(), sha256("b")]
    arrow.write_parquet(pa.table({"sha256": hashes, "tokens": [1, 1, 2]}), tmp_path / "c.parquet")
    assert sorted(read_counts(tmp_path / "c.parquet").counts.values()) == [1, 2]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sha256": None}, "no column 'sha256'"),
        ({"tokens": None}, "no column 'tokens'"),
        ({"tokens": [1.0] * 22}, "'tokens' of .* holds no whole numbers"),
        ({"tokens": ["1"] * 22}, "'tokens' of .* holds no whole numbers"),
        ({"tokens": [True] * 22}, "'tokens' of .* holds no whole numbers"),
        ({"tokens": [*range(21), -1]}, "tokens in row 22 of .* is not a count"),
        ({"tokens": [None, *range(21)]}, "tokens in row 1 of .* is not a count"),
        ({"tokens": [2**31, *range(21)]}, "tokens in row 1 of .* is not a count"),
        ({"tokens": pa.array([2**64 - 1] * 22, pa.uint64())}, "tokens in row 1 .* is not a count"),
        ({"sha256": [*range(22)]}, "'sha256' of .* holds no text"),
        ({"sha256": [bytes(32)] * 22}, "'sha256' of .* holds no text"),
        ({"sha256": [None] * 22}, "'sha256' of .* holds no text"),
        ({"sha256": [None, *["a" * 64] * 21]}, "sha256 in row 1 of .* is not 64 hex digits"),
        ({"sha256": [""] * 22}, "sha256 in row 1 of .* is not 64 hex digits"),
        ({"sha256": ["ab " * 21 + "a"] * 22}, "sha256 in row 1 of .* is not 64 hex digits"),
        ({"sha256": ["g" * 64] * 22}, "sha256 in row 1 of .* is not 64 hex digits"),
        ({"sha256": ["a" * 64 + "\n"] * 22}, "sha256 in row 1 of .* is not 64 hex digits"),
        ({"sha256": ["a" * 64] * 22}, "two counts of one text"),
        ({"vocab_size": [8, 9] * 11}, "'vocab_size' of .* is not one number"),
        ({"vocab_size": [0] * 22}, "'vocab_size' of .* is not one number"),
        ({"vocab_size": [2**40] * 22}, "'vocab_size' of .* is not one number"),
        ({"vocab_size": ["8"] * 22}, "'vocab_size' of .* holds no whole numbers"),
    ],
)
def test_odd_tables_are_refused(tmp_path, columns, message):
    with pytest.raises(FormatError, match=message):
        read_counts(write(tmp_path / "counts.parquet", **columns))


def test_two_counts_of_one_text_are_named(tmp_path):
    path = write(tmp_path / "c.parquet", sha256=[sha256("a")] * 22, tokens=[5] * 21 + [6])
    with pytest.raises(FormatError) as refusal:
        read_counts(path)
    assert f"Found: 5 tokens, and 6 in row 22, of the SHA-256 {sha256('a')}." in str(refusal.value)


def test_tokens_of_the_empty_text_are_those_that_the_api_adds(tmp_path):
    hashes = [sha256(""), *(sha256(text) for text in TEXTS[1:])]
    read_counts(write(tmp_path / "zero.parquet", sha256=hashes))  # range() begins with 0
    with pytest.raises(FormatError, match="not of the texts alone") as refusal:
        read_counts(write(tmp_path / "c.parquet", sha256=hashes, tokens=[7, *range(21)]))
    assert "subtract them from every count" in str(refusal.value)


def test_a_column_twice_no_rows_and_no_parquet(tmp_path):
    twice = pa.table(
        [pa.array(["a" * 64]), pa.array([1]), pa.array([2])], ["sha256", "tokens", "tokens"]
    )
    arrow.write_parquet(twice, tmp_path / "twice.parquet")
    with pytest.raises(FormatError, match="or two of them"):
        read_counts(tmp_path / "twice.parquet")
    arrow.write_parquet(
        pa.table({"sha256": pa.array([], pa.string()), "tokens": pa.array([], pa.int64())}),
        tmp_path / "none.parquet",
    )
    with pytest.raises(FormatError, match="holds no counts"):
        read_counts(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("sha256,tokens\n")
    for path in (tmp_path / "text.parquet", tmp_path / "absent.parquet", tmp_path):
        with pytest.raises(FormatError, match="cannot read the counts in") as refusal:
            read_counts(path)
        assert "Wanted: sha256, of each text's UTF-8" in str(refusal.value)
