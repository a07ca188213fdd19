import contextlib
import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import ReaderOptions, load_corpus
from toktk.errors import CorpusError

NASTY = [
    "plain",
    "",
    'a "quoted" word',
    '"',
    "two\nlines",
    "three\r\nand\rfour",
    ",;\t|",
    "naïve 東京",
    " x ",
]


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path, **options):
    found = []
    for batch in load_corpus(str(path), ReaderOptions(**options)).batches():
        batch.validate(full=True)
        found += zip(*(batch.column(i).to_pylist() for i in range(4)), strict=True)
    return found


def texts(path, **options):
    return [text for text, *_ in read(path, **options)]


def table(rows, delimiter=",", end="\n", header=("id", "text", "lang")):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([header] if header else [])
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("block", [1 << 24, 40])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("suffix", "delimiter"), [("csv", ","), ("csv", ";"), ("csv", "\t"), ("tsv", "\t")]
)
def test_every_field_is_as_written(tmp_path, monkeypatch, suffix, delimiter, end, block):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", block)
    rows = [(str(i), text, "de" if i % 2 else "en") for i, text in enumerate(NASTY)]
    path = write(tmp_path / f"x.{suffix}", table(rows, delimiter, end))
    expected = [(text, lang, i, 1) for i, text, lang in rows]
    assert read(path, group_column="lang", align_column="id") == expected
    # Without names, by number: what is a name above is a text here.
    assert texts(path, text_column="1") == ["text", *NASTY]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(st.sampled_from('a,"\n\ré')), min_size=1), st.sampled_from([1 << 24, 7, 16])
)
def test_any_text(tmp_path_factory, values, block):
    path = write(
        tmp_path_factory.mktemp("t") / "x.csv", table([[v] for v in values], header=["text"])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toktk.corpus.text.BATCH_BYTES", block)
        assert texts(path) == values


def test_a_compressed_table_and_one_with_a_mark(tmp_path):
    content = ("\ufeff" + table([("1", "two\nlines", "de")])).encode()
    assert texts(write(tmp_path / "x.csv", content)) == ["two\nlines"]
    assert texts(write(tmp_path / "x.csv.gz", gzip.compress(content))) == ["two\nlines"]


def test_tables_of_a_folder_are_read(tmp_path):
    write(tmp_path / "de.csv", table([("1", "eins", "x")]))
    write(tmp_path / "en.tsv", table([("1", "one", "x")], "\t"))
    assert [(t, group) for t, group, *_ in read(tmp_path)] == [("eins", "de"), ("one", "en")]


def test_a_first_row_of_numbers_is_names(tmp_path):
    assert texts(write(tmp_path / "x.csv", "0,1\na,b\n"), text_column="1") == ["b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,n\na,1\nb\n", "row 3, has 1 fields, not 2"),
        ("text,n\na,1\n\nb,c,d\n", "row 3, has 3 fields, not 2"),
        ('text,n\na,"1\nb,2\n', "not closed in .* row 2"),
        ('text,n\n"a" b,1\n', "not closed in .* row 2"),
        ("body,n\na,1\n", "has no column 'text'(.|\n)*--text-column 0"),
        ("text,text\na,1\n", "2 columns 'text'"),
        (b"text,n\na\xff,1\n", "invalid UTF-8 in .* at byte 8"),
        ("\n\n", "no documents"),
        ("", "no documents"),
        ("text\n", "no documents"),
    ],
)
def test_what_is_no_table(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        texts(write(tmp_path / "x.csv", content))


def test_marks_that_are_text(tmp_path):
    path = write(tmp_path / "x.tsv", 'text\tn\n"a" b\t1\nc"\t2\n')
    assert texts(path, quotes=False) == ['"a" b', 'c"']
    with pytest.raises(CorpusError, match="--no-quotes"):
        texts(path)


def test_the_fingerprint_knows_how_a_table_is_read(tmp_path):
    path = write(tmp_path / "x.tsv", "text\tn\na\t1\n")
    ways = [{}, {"quotes": False}, {"weight_column": "n"}, {"text_column": "n"}]
    assert len({load_corpus(path, **way).fingerprint for way in ways}) == len(ways)


# --- words and counts


@pytest.mark.parametrize("block", [1 << 24, 8])
def test_words_and_counts(tmp_path, monkeypatch, block):
    monkeypatch.setattr("toktk.corpus.text.BATCH_BYTES", block)
    path = write(tmp_path / "words.tsv", 'the\t800000\r\n"\t400\r\n東京\t3\r\n')
    expected = [
        ("the", "words", None, 800000),
        ('"', "words", None, 400),
        ("東京", "words", None, 3),
    ]
    assert read(path) == expected
    by_number = {"text_column": "0", "weight_column": "1", "quotes": False}
    assert read(path, **by_number) == expected


@pytest.mark.parametrize("row", ["b\t2.5", "b\t-1", "b\t", "b\tc", "b\t9999999999999999999"])
def test_a_count_is_a_whole_number(tmp_path, row):
    with pytest.raises(CorpusError, match=r"'the count' of .* row 2"):
        read(write(tmp_path / "x.tsv", f"a\t1\n{row}\n"))


@pytest.mark.parametrize("content", ["a b\t1\n", "a\t0\n", "a\t1\tx\n", "a\n"])
def test_other_tables_need_names(tmp_path, content):
    with pytest.raises(CorpusError, match="has no column 'text'"):
        read(write(tmp_path / "x.tsv", content))


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint32(), pa.float64(), pa.string()])
def test_a_column_of_weights(tmp_path, kind):
    text, n = ["a", "b", None, "c"], [3, 0, None, 10**9]
    pq.write_table(pa.table({"text": text, "n": pa.array(n).cast(kind)}), tmp_path / "x.parquet")
    lines = [json.dumps({"text": t, "n": c}) for t, c in zip(text, n, strict=True)]
    write(tmp_path / "x.jsonl", "\n".join(lines))
    write(tmp_path / "x.csv", "text,n\na,3\nb,0\nc,1000000000\n")
    for suffix in ("parquet", "jsonl", "csv"):
        weights = [(text, n) for text, *_, n in read(tmp_path / f"x.{suffix}", weight_column="n")]
        assert weights == [("a", 3), ("b", 0), ("c", 10**9)]


@pytest.mark.parametrize("bad", [None, 1.5, -1, True])
def test_what_is_no_weight(tmp_path, bad):
    pq.write_table(pa.table({"text": ["a", "b"], "n": [bad, bad]}), tmp_path / "x.parquet")
    with pytest.raises(CorpusError, match=r"'n' of .*, row 0"):
        read(tmp_path / "x.parquet", weight_column="n")


# --- options that fit, and folders that stand for a column


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("x.txt", {"weight_column": "n"}, "--weight-column 'n' does not fit"),
        ("x.txt", {"quotes": False}, "--no-quotes does not fit"),
        ("x.jsonl", {"quotes": False}, "--no-quotes does not fit"),
    ],
)
def test_options_that_fit_nothing(tmp_path, name, options, message):
    with pytest.raises(CorpusError, match=message):
        read(write(tmp_path / name, '{"text": "a", "n": 1}\n'), **options)


def test_a_folder_may_give_a_column_its_value(tmp_path):
    for folder in (
        "lang=de/year=1",
        "lang=zh%2FTW/year=2",
        "lang=__HIVE_DEFAULT_PARTITION__/year=3",
    ):
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table({"text": [folder[-1]]}), tmp_path / folder / "part-0.parquet")
    found = [(text, group) for text, group, *_ in read(tmp_path, group_column="lang")]
    assert found == [("3", "(none)"), ("1", "de"), ("2", "zh/TW")]
    one = tmp_path / "lang=de" / "year=1" / "part-0.parquet"
    assert [group for _, group, *_ in read(one, group_column="lang")] == ["de"]
    assert [group for _, group, *_ in read(one, group_column="year")] == ["1"]
    text = write(tmp_path / "lang=de" / "x.txt", "a")
    assert [group for _, group, *_ in read(text, group_column="lang")] == ["de"]
    with pytest.raises(CorpusError, match="no column 'langs'"):
        read(one, group_column="langs")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["x.csv", "x.tsv", "x.json"]),
    st.integers(0, 60),
    st.binary(max_size=4) | st.sampled_from([b'"', b",", b"\t", b"\n", b"[", b"]", b"}", b"\\"]),
    st.booleans(),
    st.sampled_from([1 << 24, 8, 21]),
)
def test_damaged_tables_are_errors_or_text(tmp_path_factory, name, place, damage, cut, block):
    whole = {
        "x.csv": b'id,text\n1,"a ""b"""\n2,"c\nd"\n3,e\n4,"f,g"\n',
        "x.tsv": b"the\t300\nof\t200\nand\t100\na\t90\nto\t80\n",
        "x.json": b'[{"text": "a", "n": [1, {}]},\n {"text": "]\\""}, {"text": "c"}]\n',
    }[name]
    content = whole[:place] + damage + (b"" if cut else whole[place:])
    path = write(tmp_path_factory.mktemp("t") / name, content)
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(CorpusError):
        patch.setattr("toktk.corpus.text.BATCH_BYTES", block)
        texts(path)
