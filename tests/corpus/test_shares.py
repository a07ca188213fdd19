"""Shares: for any number of ranks, what they read is the corpus, in order, each document once."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk.corpus import Corpus, ReaderOptions, concat, load_corpus
from toktk.corpus import cuts as cuts_module
from toktk.corpus.hub import HubReader, parse_hub
from toktk.corpus.shares import inputs_of, share_of
from toktk.errors import CorpusError

WORLDS = range(1, 10)


def rows(corpus):
    return [
        row
        for batch in corpus.batches()
        for row in zip(*(batch.column(i).to_pylist() for i in range(4)), strict=True)
    ]


def shared(corpus, world_size):
    return [rows(share_of(corpus, rank, world_size)) for rank in range(world_size)]


def check(corpus, worlds=WORLDS):
    """Compare the shares of some numbers of ranks with the corpus; return those of the last number."""
    expected = rows(corpus)
    for n in worlds:
        shares = shared(corpus, n)
        assert [row for share in shares for row in share] == expected, n
    return shares


LINES = {
    "LF": b"one\ntwo\nthree\n",
    "CR LF": b"one\r\ntwo\r\n\r\nthree\r\n",
    "CR": b"one\rtwo\r\rthree\r",
    "mixed": b"a\r\r\n\n\r\r\n\rb\n\n\r\nc\r\r\r\nd",
    "mark": b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n",
    "mark, then blank": b"\xef\xbb\xbf\n\r\n\none\n\ntwo",
    "mark alone": b"\xef\xbb\xbf",
    "no final end": b"one\ntwo",
    "blank lines alone": b"\n\n\r\n\n\n",
    "one line": b"x" * 100,
    "one byte": b"\n",
    "characters of many bytes": "🏳️‍🌈 東京\nế\n\u2028\x85\nसुगम்ழ்\n\n🙂".encode(),
    "NUL": b"\0\n\0\0\n",
    "invalid": b"\xff\xf0\n\xe6\x9d\nab\xe6\n\x9d\n\n\xc3",
    "nothing": b"",
}


@pytest.mark.parametrize("line_ends", [None, "keep", "universal"])
@pytest.mark.parametrize("sample_by", ["line", "paragraph", "document"])
@pytest.mark.parametrize("content", LINES.values(), ids=LINES)
def test_lines_and_paragraphs(tmp_path, content, sample_by, line_ends):
    (tmp_path / "x.txt").write_bytes(content)
    corpus = load_corpus(
        tmp_path / "x.txt", sample_by=sample_by, line_ends=line_ends, errors="replace"
    )
    if not content or content == b"\xef\xbb\xbf":
        assert not any(shared(corpus, 3))
        return
    check(corpus, [*WORLDS, len(content), 200])


@given(
    st.lists(st.sampled_from(["\n", "\r", "\r\n", "a", "東", "\ufeff", " "]), max_size=40),
    st.sampled_from(["line", "paragraph"]),
    st.sampled_from(["keep", "universal"]),
    st.integers(1, 60),
)
def test_any_text(tmp_path_factory, parts, sample_by, line_ends, world_size):
    path = tmp_path_factory.mktemp("text") / "x.txt"
    path.write_bytes(f"first{''.join(parts)}".encode())
    check(load_corpus(path, sample_by=sample_by, line_ends=line_ends), [world_size])


@pytest.mark.parametrize("sample_by", ["line", "paragraph"])
@pytest.mark.parametrize("line_ends", ["keep", "universal"])
def test_a_document_is_of_the_rank_in_whose_range_it_begins(tmp_path, sample_by, line_ends):
    content = LINES["mixed"] + b"\n\nlast"
    (tmp_path / "x.txt").write_bytes(content)
    corpus = load_corpus(tmp_path / "x.txt", sample_by=sample_by, line_ends=line_ends)
    by_byte = shared(corpus, len(content))  # a rank a byte
    assert max(map(len, by_byte)) == 1
    begins = [rank for rank, share in enumerate(by_byte) if share]
    for n in WORLDS:
        edges = [len(content) * rank // n for rank in range(n + 1)]
        expected = [sum(edges[r] <= begin < edges[r + 1] for begin in begins) for r in range(n)]
        assert [*map(len, shared(corpus, n))] == expected


@pytest.mark.parametrize("window", [8, 9, 16, 1 << 16])
def test_the_window_does_not_matter(tmp_path, monkeypatch, window):
    monkeypatch.setattr(cuts_module, "_FEW", window)
    monkeypatch.setattr(cuts_module, "_MANY", window)
    text = "".join(f"{'x' * (7 * i % 23)}\r\n\r\n{'é' * (i % 11)}\n\n\r\r" for i in range(40))
    (tmp_path / "x.txt").write_bytes(text.encode())
    for line_ends in ("keep", "universal"):
        for sample_by in ("line", "paragraph"):
            check(
                load_corpus(tmp_path / "x.txt", sample_by=sample_by, line_ends=line_ends), [7, 64]
            )


def test_one_long_line_is_read_once(tmp_path, monkeypatch):
    n_read = []
    read = cuts_module._read

    def counted(file, begin, end):
        data = read(file, begin, end)
        n_read.append(len(data))
        return data

    monkeypatch.setattr(cuts_module, "_read", counted)
    (tmp_path / "x.txt").write_bytes(b"x" * 4_000_000 + b"\nlast")
    shares = check(load_corpus(tmp_path / "x.txt"), [64])
    assert [len(share) for share in shares] == [1, *[0] * 62, 1]
    # Once by the rank that has it, to find its end, and once by all others, each in its range.
    assert sum(n_read) < 3 * 4_000_000


JSONL = {
    "blank lines": b'\n{"text": "a"}\n\n  \n{"text": "b"}\r\n\n{"text": "c"}',
    "escapes": rb'{"text": "a\nb\u00e9\ud83d\ude00"}' + b"\n" + rb'{"text": "\r\n"}' + b"\n",
    "mark": b'\xef\xbb\xbf{"text": "a"}\n\xef\xbb\xbf{"text": "b"}\n',
    "strings": '"a"\n"東京"\n\n"c"'.encode(),
    "null": b'{"text": null}\n{"text": "a"}\n',
    "CR in a line": b'{"text":\r"a"}\n{"text": "b"}',
}


@pytest.mark.parametrize("name", ["x.jsonl", "x.ndjson", "x.json"])
@pytest.mark.parametrize("content", JSONL.values(), ids=JSONL)
def test_json_lines(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    check(load_corpus(tmp_path / name), [*WORLDS, len(content)])


def test_columns_of_json_lines(tmp_path):
    columns = [
        {"text": "a", "lang": "de", "n": 2, "id": "x"},
        {"text": "", "n": 1},
        {"text": "東京" * 20, "lang": 7, "n": 3, "id": 1},
        {"text": None, "lang": "en", "n": 1},
        *({"text": f"line {i}", "lang": f"g{i % 3}", "n": i, "id": None} for i in range(1, 30)),
        *({"text": "no group", "n": 1} for i in range(30)),  # as in all of a share
    ]
    (tmp_path / "x.jsonl").write_bytes(b"\n\n".join(json.dumps(row).encode() for row in columns))
    corpus = load_corpus(
        tmp_path / "x.jsonl", group_column="lang", weight_column="n", align_column="id"
    )
    check(corpus, [*WORLDS, 50])


def test_an_array_is_read_whole(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps([{"text": str(i)} for i in range(20)]))
    shares = check(load_corpus(tmp_path / "x.json"))
    assert [len(share) for share in shares] == [20, *[0] * 8]


def write_parquet(path, sizes, texts=None):
    texts = iter(texts or (f"text {i} {'é' * (i % 5)}" for i in range(10**6)))
    schema = pa.schema([("text", "string"), ("lang", "string"), ("n", "int64"), ("id", "string")])
    with pq.ParquetWriter(path, schema) as writer:
        for i, size in enumerate(sizes):
            rows = [(next(texts), f"g{i % 3}", i + 1, f"id {j % 4}") for j in range(size)]
            columns = [*zip(*rows, strict=True)] or [()] * 4
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema))


@pytest.mark.parametrize(
    "sizes", [[3], [1] * 20, [0, 5, 0, 0, 7, 1, 0], [1000, 1, 1, 1], [0], []], ids=str
)
def test_row_groups(tmp_path, sizes):
    write_parquet(tmp_path / "x.parquet", sizes)
    corpus = load_corpus(
        tmp_path / "x.parquet", group_column="lang", weight_column="n", align_column="id"
    )
    if not any(sizes):
        assert not any(shared(corpus, 3))
        return
    assert max(map(len, check(corpus, [*WORLDS, 100]))) == max(sizes)


def test_a_folder_of_all_kinds(tmp_path):
    text = "".join(f"line {i}\n" for i in range(50))
    for folder in ("de", "en"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(text)
        (tmp_path / folder / "b.txt.gz").write_bytes(gzip.compress(text.encode()))
        (tmp_path / folder / "c.csv").write_text("text\n" + text)
        (tmp_path / folder / "d.py").write_text(text)
        (tmp_path / folder / "empty.txt").touch()
        write_parquet(tmp_path / folder / "e.parquet", [4, 5])
        pq.write_table(pa.table({"text": ["x", None]}), tmp_path / folder / "f.parquet")
        with zipfile.ZipFile(tmp_path / folder / "z.zip", "w") as archive:
            archive.writestr("in/a.jsonl", '{"text": "zipped"}\n' * 9)
            archive.writestr("b.txt", text)
    corpus = load_corpus(tmp_path)
    shares = check(corpus, [*WORLDS, 200])
    assert {group for share in shares for _, group, _, _ in share} >= {"de", "en"}
    check(concat([corpus, Corpus.of(["", "held"], ["x", "y"]), Corpus.of([""])], "all"))
    check(load_corpus([f"one={tmp_path / 'de'}", f"two={tmp_path / 'en' / 'a.txt'}"]))
    check(corpus.in_folds(3))
    assert shared(pickle.loads(pickle.dumps(corpus)), 3) == shared(corpus, 3)


def test_text_that_is_aligned_or_in_another_encoding_is_read_whole(tmp_path):
    (tmp_path / "x.txt").write_text("one\ntwo\nthree\n" * 9)
    shares = check(load_corpus(tmp_path / "x.txt", align_column="line"))
    assert [len(share) for share in shares] == [27, *[0] * 8]
    (tmp_path / "y.txt").write_text("eins\nzwei\n" * 9, encoding="utf-16")
    shares = check(load_corpus(tmp_path / "y.txt", encoding="utf-16"))
    assert [len(share) for share in shares] == [18, *[0] * 8]


def test_nasty_texts(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(
        b"".join(json.dumps({"text": text}).encode() + b"\n" for text in NASTY_TEXTS)
    )
    (tmp_path / "x.txt").write_bytes("\n\n".join(NASTY_TEXTS).encode())
    write_parquet(tmp_path / "x.parquet", [1] * len(NASTY_TEXTS), NASTY_TEXTS)
    for name in ("x.jsonl", "x.txt", "x.parquet"):
        check(load_corpus(tmp_path / name), [1, 2, 7, 64])


def test_progress_and_sizes_add_up(tmp_path):
    (tmp_path / "x.txt").write_text("some line\n" * 1000)
    write_parquet(tmp_path / "x.parquet", [10] * 7)
    corpus = load_corpus(tmp_path)
    for n in (1, 3, 50):
        steps: list[int] = []
        for rank in range(n):
            share = share_of(corpus, rank, n)
            before = sum(steps)
            for _ in share.batches(steps.append):
                pass
            assert sum(steps) - before == share.size
        assert sum(steps) == corpus.size
        assert min(steps) > 0


def test_what_was_replaced_and_left_out_adds_up(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"text": "\xff"}\n{"text": null}\n' * 9)
    corpus = load_corpus(tmp_path / "x.jsonl", errors="replace")
    rows(corpus)
    shares = [share_of(corpus, rank, 4) for rank in range(4)]
    for share in shares:
        rows(share)
    assert sum(share.replaced for share in shares) == corpus.replaced == 9
    assert sum(share.null_rows for share in shares) == corpus.null_rows == 9


def test_errors_name_the_byte(tmp_path):
    good = '{"text": "東京"}\n'.encode()
    content = 20 * good + b'{"text": 7}\n' + 3 * good
    (tmp_path / "x.jsonl").write_bytes(content)
    corpus = load_corpus(tmp_path / "x.jsonl")
    with pytest.raises(CorpusError, match="line 21,"):
        rows(corpus)
    with pytest.raises(CorpusError, match="line 21,"):
        rows(share_of(corpus, 0, 1))
    with pytest.raises(CorpusError, match=f"line at byte {20 * len(good)},"):
        shared(corpus, 2)
    bad = 20 * good + b'{"text": "\xff"}\n' + 3 * good
    (tmp_path / "y.jsonl").write_bytes(bad)
    with pytest.raises(CorpusError, match=f"at byte {20 * len(good) + 10}"):
        shared(load_corpus(tmp_path / "y.jsonl"), 2)
    # What is replaced takes more bytes than it took.
    (tmp_path / "z.jsonl").write_bytes(good + 9 * b'{"text": "\xff\xff"}\n' + b"{\n")
    with pytest.raises(CorpusError, match=f"line at byte {len(good) + 9 * 15},"):
        shared(load_corpus(tmp_path / "z.jsonl", errors="replace"), 2)
    (tmp_path / "w.jsonl").write_bytes(
        b"\n" + 9 * b'{"text": "a", "n": 1}\n\n' + b'{"text": "a", "n": 1.5}'
    )
    corpus = load_corpus(tmp_path / "w.jsonl", weight_column="n")
    with pytest.raises(CorpusError, match=r"'n' of .*, line 20, cannot be how often"):
        rows(corpus)
    with pytest.raises(
        CorpusError, match=rf"'n' of .*, line at byte {1 + 9 * 23}, cannot be how often"
    ):
        shared(corpus, 2)
    pq.write_table(
        pa.table({"text": [b"a", b"b", b"\xff"]}), tmp_path / "x.parquet", row_group_size=1
    )
    with pytest.raises(CorpusError, match="row 2, byte 0"):
        shared(load_corpus(tmp_path / "x.parquet"), 3)


def test_a_column_that_is_not_there(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"body": "a"}\n' * 20)
    pq.write_table(pa.table({"body": ["a"] * 20}), tmp_path / "x.parquet", row_group_size=2)
    with pytest.raises(CorpusError, match="no column 'text'"):
        rows(share_of(load_corpus(tmp_path / "x.jsonl"), 0, 4))
    for rank in range(4):
        with pytest.raises(CorpusError, match="no column 'text'"):
            rows(share_of(load_corpus(tmp_path / "x.parquet"), rank, 4))


def test_what_depends_on_the_whole_text_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("a\nb\n")
    corpus = load_corpus(tmp_path / "x.txt")
    choices = {
        "limit": load_corpus(tmp_path / "x.txt", limit=1),
        "temperature": corpus.balanced(2),
        "hold-out": concat([corpus.split()[0]], "nested"),
        "shares of a mixture": load_corpus(
            [f"{tmp_path / 'x.txt'}:0.5", f"{tmp_path / 'x.txt'}:0.5"]
        ),
        "a share already": share_of(corpus, 0, 2),
    }
    for word, choice in choices.items():
        with pytest.raises(CorpusError, match=f"share .* out among ranks.(.|\n)*{word}"):
            share_of(choice, 0, 2)
    hub = Corpus("hub", [HubReader(parse_hub("hf:org/name"), ReaderOptions(limit=3))])
    with pytest.raises(CorpusError, match="--limit 3"):
        share_of(hub, 0, 2)


@pytest.mark.parametrize(("rank", "world_size"), [(2, 2), (-1, 2), (0, 0), (0, -1)])
def test_no_such_rank(rank, world_size):
    with pytest.raises(CorpusError, match=f"no rank {rank} of {world_size}") as caught:
        share_of(Corpus.of(["a"]), rank, world_size)
    assert caught.value.is_usage


def test_a_file_that_changes_is_told(tmp_path):
    (tmp_path / "x.txt").write_text("one\ntwo\n" * 9)
    share = share_of(load_corpus(tmp_path / "x.txt"), 1, 2)
    rows(share)
    (tmp_path / "x.txt").write_text("one\ntwo\n" * 10)
    with pytest.raises(CorpusError, match="changed while it was in use"):
        rows(share)


def test_fingerprints_of_shares_differ(tmp_path):
    (tmp_path / "x.txt").write_text("one\n" * 9)
    corpus = load_corpus(tmp_path / "x.txt")
    prints = {share_of(corpus, rank, 3).fingerprint for rank in range(3)}
    assert len(prints | {corpus.fingerprint}) == 4
    assert share_of(corpus, 0, 1).fingerprint == corpus.fingerprint


def test_inputs(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    content = b"x" * 200_000
    for folder in (here, there):
        (folder / "de").mkdir(parents=True)
        (folder / "de" / "x.txt").write_bytes(content)
        with zipfile.ZipFile(folder / "z.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("y.txt"), "zipped\n")
    first = inputs_of(load_corpus(here))
    assert first == inputs_of(load_corpus(there))
    assert [(each["name"], each["bytes"]) for each in first] == [("x.txt", 200_000), ("y.txt", 7)]
    assert all(re.fullmatch("[0-9a-f]{16}", each["mark"]) for each in first)
    for changed in (b"y" + content[1:], content[1:] + b"y", content + b"x"):
        (there / "de" / "x.txt").write_bytes(changed)
        assert inputs_of(load_corpus(there))[0] != first[0]
    with zipfile.ZipFile(there / "z.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("y.txt"), "Zipped\n")
    assert inputs_of(load_corpus(there))[1] != first[1]
    assert inputs_of(Corpus.of(["a"])) != inputs_of(Corpus.of(["b"]))


def test_the_starter_corpus():
    corpus = load_corpus("starter:code")
    check(corpus, [3])
    assert inputs_of(corpus) == inputs_of(load_corpus("starter:code"))
