"""Corpora that somebody made to hang, to fill the memory or to crash: one clear error each."""

import gzip
import itertools
import json
import os
import random
import re
import socket
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.corpus import Corpus, load_corpus
from toktk.corpus import columnar as columnar_module
from toktk.corpus.cards import read_card
from toktk.corpus.text import LINE_END, after_last
from toktk.errors import CorpusError, ToktkError

posix = pytest.mark.skipif(os.name == "nt", reason="no such files")


def rows(corpus):
    """Return text, without the line feed that ends it, and group of each document."""
    found = []
    for batch in corpus.batches():
        found += zip(*(batch.column(i).to_pylist() for i in range(2)), strict=True)
    return [(text.removesuffix("\n"), group) for text, group in found]


def texts(corpus):
    return [text for text, _ in rows(corpus)]


# --- sizes


@pytest.fixture
def small(monkeypatch):
    """Let a batch have 1,000 bytes, a document 4,000 or 16 times its file."""
    for module in ("text", "batch", "columnar"):
        monkeypatch.setattr(f"toktk.corpus.{module}.BATCH_BYTES", 1000)
    monkeypatch.setattr("toktk.corpus.text.DOCUMENT_BYTES", 4000)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("sample_by", ["line", "paragraph", "document"])
def test_a_compressed_line_of_any_length_takes_little(tmp_path, compression, sample_by):
    path = tmp_path / f"x.txt.{'gz' if compression == 'gzip' else 'zst'}"
    with pa.output_stream(str(path), compression=compression) as file:
        file.write(b"first\n\n" + b"a" * 3_000_000)
    most = max(4000, 16 * path.stat().st_size)
    corpus = load_corpus(path, sample_by=sample_by)
    with pytest.raises(CorpusError):
        rows(corpus)  # what it imports and compiles is not counted
    tracemalloc.start()
    with pytest.raises(CorpusError, match=r"one document of .*x\.txt\.\w+ is too long"):
        rows(corpus)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * most + 1_000_000 < 3_000_000


@pytest.mark.usefixtures("small")
def test_a_compressed_row_of_any_length_takes_little(tmp_path):
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "b"}\n{"text": "' + b"a" * 1_000_000 + b'"}\n'))
    with pytest.raises(CorpusError, match="it begins at byte 14 of the text"):
        rows(load_corpus(path))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("ending", ["", "\n", "\nlast\n"])
def test_a_long_document_of_a_long_file_is_read(tmp_path, ending):
    text = "".join(random.Random(1).choices("abcdefghijklmnop ", k=50_000))
    plain = tmp_path / "x.txt"
    plain.write_text("first\n" + text + ending)
    packed = tmp_path / "x.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = plain.read_text().splitlines()
    assert texts(load_corpus(plain)) == texts(load_corpus(packed)) == expected


@settings(max_examples=200)
@given(st.lists(st.sampled_from([b"\n", b"\n\n", b"\n\r\n", b"a" * 5000, b"b", b"\r"]), max_size=8))
def test_where_a_block_ends(pieces):
    raw = b"".join(pieces)
    data = np.frombuffer(raw, np.uint8)
    # What reaches the end may go on in the next block.
    ends = [m.end() for m in re.finditer(rb"\n", raw) if m.end() < len(raw.rstrip(b"\r"))]
    assert after_last(LINE_END, data, 0) == max(ends, default=0)
    searched = ends[0] - 1 if ends else len(raw)
    assert after_last(LINE_END, data, searched) == max(ends, default=0)


def test_a_batch_of_empty_lines_has_a_bounded_number_of_rows(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\n" * 3_000_000)
    sizes = [batch.num_rows for batch in load_corpus(path, align_column="line").batches()]
    assert sum(sizes) == 3_000_000
    assert max(sizes) == 1 << 20


def table_of(path, array, **options):
    table = pa.table({"text": array, "group": array})
    if path.suffix == ".parquet":
        pq.write_table(table, path, **options)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
            out.write_table(table)
    return path


def shared(kind):
    """Return 3,000 rows that share two values: they take a thousandth of what they hold."""
    long, index = "x" * 300, [i % 7 == 0 for i in range(3000)]
    if kind == "dictionary":
        return pa.DictionaryArray.from_arrays(pa.array(index).cast(pa.int32()), [long, None])
    values = [None if null else long for null in index]
    if kind == "string":
        return pa.array(values)
    views = np.zeros((3000, 4), np.int32)  # length, four bytes of prefix, buffer, offset
    views[:, 0] = 300
    views[:, 1] = np.frombuffer(b"xxxx", np.int32)
    valid = pa.array([not null for null in index]).buffers()[1]
    buffers = [valid, pa.py_buffer(views), pa.py_buffer(long.encode())]
    return pa.Array.from_buffers(pa.string_view(), 3000, buffers, sum(index))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.arrow", "dictionary"),
        ("x.arrow", "view"),
        ("x.arrow", "string"),
        ("x.parquet", "string"),
    ],
)
@pytest.mark.parametrize("group", [None, "group"])
def test_values_that_rows_share_are_written_out_a_batch_at_a_time(
    tmp_path, monkeypatch, name, kind, group
):
    array = shared(kind)
    path = table_of(tmp_path / name, array)
    made, make = [], columnar_module.make_batch

    def watch(text, *rest):
        made.append(text.nbytes)
        return make(text, *rest)

    monkeypatch.setattr("toktk.corpus.columnar.make_batch", watch)
    expected = [(text, group and text) for text in array.to_pylist() if text]
    found = rows(load_corpus(path, group_column=group))
    assert [(text, group and name) for text, name in found] == expected
    assert max(made) < 3000


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_a_table_with_one_long_document(tmp_path, name):
    long = "z" * 100_000
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int8()), [long])
    array = pa.array([long]) if name == "x.parquet" else dictionary
    path = table_of(tmp_path / name, array, compression="zstd")
    if path.stat().st_size * 16 > 100_000:
        assert len(rows(load_corpus(path))) == 2000  # the file holds the text once
    else:
        with pytest.raises(CorpusError, match="too long"):
            rows(load_corpus(path))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("encoding", ["RLE_DICTIONARY", "DELTA_BYTE_ARRAY"])
def test_parquet_whose_rows_take_next_to_nothing_is_read_few_rows_at_a_time(
    tmp_path, monkeypatch, encoding
):
    shared = encoding == "RLE_DICTIONARY"
    values = [f"{'a' * 500}{0 if shared else i}" for i in range(3000)]
    encodings = None if shared else {"text": encoding}
    path = tmp_path / "x.parquet"
    table = pa.table({"text": values})
    pq.write_table(table, path, use_dictionary=shared, column_encoding=encodings)
    n_rows, cut = [], columnar_module.rows_to_batches

    def watch(source, rows, *rest):
        n_rows.append(rows.num_rows)
        return cut(source, rows, *rest)

    monkeypatch.setattr("toktk.corpus.columnar.rows_to_batches", watch)
    assert texts(load_corpus(path)) == values
    assert max(n_rows) <= 1024


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("group", [None, "group"])
def test_groups_of_rows_that_share_long_values_and_groups_that_do_not(
    tmp_path, monkeypatch, kind, group
):
    """The texts of each group of rows are read in the way that bounds their memory, in order."""
    monkeypatch.setattr("toktk.corpus.columnar._DICTIONARY_BYTES", 100_000)
    monkeypatch.setattr("toktk.corpus.columnar.BATCH_BYTES", 100_000)
    own = [f"{i} {'x' * 30}" for i in range(5000)]
    long = [f"{i % 3}{'y' * 10_000}" for i in range(5000)]
    values = [*own, *long, *own]
    path = tmp_path / "x.parquet"
    text = pa.array(values, kind)
    pq.write_table(pa.table({"text": text, "group": text}), path, row_group_size=5000)
    read, cut = [], columnar_module.rows_to_batches

    def watch(source, rows, *rest):
        assert rows.column(0).nbytes < 300_000
        read.append(pa.types.is_dictionary(rows.column(0).type))
        return cut(source, rows, *rest)

    monkeypatch.setattr("toktk.corpus.columnar.rows_to_batches", watch)
    corpus = load_corpus(path, group_column=group)
    assert [text for batch in corpus.batches() for text in batch.column(0).to_pylist()] == values
    assert [way for way, _ in itertools.groupby(read)] == [False, True, False]


def test_a_group_in_an_encoding_that_is_not_read_as_a_dictionary(tmp_path, monkeypatch):
    monkeypatch.setattr("toktk.corpus.columnar._SOME_ROWS", 100)
    names = [f"name{i // 7:05}" for i in range(3000)]
    path = tmp_path / "x.parquet"
    encoding = {"group": "DELTA_BYTE_ARRAY", "text": "PLAIN"}
    table = pa.table({"text": names, "group": names})
    pq.write_table(table, path, use_dictionary=False, column_encoding=encoding, row_group_size=999)
    assert rows(load_corpus(path, group_column="group")) == [(name, name) for name in names]


def test_reading_goes_on_where_a_dictionary_fails(tmp_path, monkeypatch):
    """What was read as a dictionary is not read again, and nothing is left out."""
    values = [f"row {i}" for i in range(2000)]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": values}), path)
    whole = pq.ParquetFile.iter_batches

    def failing(self, n_rows, **more):
        for number, batch in enumerate(whole(self, 300, **more)):
            if number == 3 and pa.types.is_dictionary(batch.column(0).type):
                raise OSError("Not yet implemented")
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", failing)
    assert texts(load_corpus(path)) == values


# --- nesting and numbers


def write_card(path, spec, more=""):
    path.write_text(f'name="n"\ntitle="t"\nlicense="l"\nspec="{spec}"\n{more}', encoding="utf-8")
    return path


@pytest.mark.parametrize("ring", [1, 2, 30])
def test_cards_that_name_one_another(tmp_path, ring):
    for i in range(ring):
        write_card(tmp_path / f"{i}.toml", f"{(i + 1) % ring}.toml")
    with pytest.raises(CorpusError, match="leads to no text"):
        load_corpus(tmp_path / "0.toml")


def test_a_card_may_name_another(tmp_path):
    (tmp_path / "x.txt").write_text("hello\n")
    write_card(tmp_path / "b.toml", "x.txt")
    assert texts(load_corpus(write_card(tmp_path / "a.toml", "b.toml"))) == ["hello"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("x = " + "[" * 100_000, "nested too deep"),
        ("x = " + "{a=" * 100_000, "nested too deep"),
        ("notes = 1e999", "Found: inf"),
        ("notes = " + "7" * 5000, "cannot read the corpus card"),
        (f"notes = {[7] * 1000}", r"Found: \[7, 7, 7, 7, 7, 7, \.\.\.\]"),
        ("notes = 1979-05-27T07:32:00Z", "must be a string"),
        ("a.b.c = 1", "unknown key 'a'"),
        ("# " + "x" * (1 << 20), "a card is short"),
        ("\0", "cannot read the corpus card"),
    ],
)
def test_odd_cards(tmp_path, more, message):
    with pytest.raises(CorpusError, match=message):
        read_card(write_card(tmp_path / "x.toml", "x.txt", more))


def test_a_card_that_names_nothing(tmp_path):
    with pytest.raises(CorpusError, match="is empty"):
        load_corpus(write_card(tmp_path / "x.toml", ""))


@pytest.mark.parametrize("row", ["first", "later"])
def test_json_nested_deep(tmp_path, row):
    path = tmp_path / "x.jsonl"
    deep = '{"text": "b", "x": ' + "[" * 100_000 + "]" * 100_000 + "}\n"
    path.write_text('{"text": "a"}\n' * (row == "later") + deep)
    if row == "first":
        with pytest.raises(CorpusError, match=r"line 1, is nested too deep(?s:.*)repair"):
            rows(load_corpus(path))
    else:  # it is a column that is not read
        assert texts(load_corpus(path)) == ["a", "b"]
    path.write_text('{"text": "a"}\n{"text": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(CorpusError, match="line 2"):
        rows(load_corpus(path))


def test_json_numbers_of_any_size(tmp_path):
    path = tmp_path / "x.jsonl"
    digits = "7" * 5000
    numbers = [digits, "1e999", "-1e999", "1", str(2**64), "1e400", "0.5"]
    path.write_text("".join(f'{{"text": "a", "g": {n}, "n": {digits}}}\n' for n in numbers))
    groups = [group for _, group in rows(load_corpus(path, group_column="g"))]
    assert groups == [digits, "inf", "-inf", "1", str(2**64), "inf", "0.5"]
    path.write_text(f'{{"text": {digits}}}\n')
    with pytest.raises(CorpusError, match="line 1, cannot serve as text"):
        rows(load_corpus(path))


# --- paths


def test_globs_follow_each_folder_once(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.txt").write_text("world\n")
    (tmp_path / "away").mkdir()
    for i in range(
        12
    ):  # each doubles what is found, on every level, where links are followed blindly
        (tmp_path / f"loop{i}").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "deep" / f"up{i}").symlink_to("..", target_is_directory=True)
    assert rows(load_corpus(f"{tmp_path}/**/*.txt")) == [("hello", "a"), ("world", "deep")]
    assert len(rows(load_corpus(f"{tmp_path}/**/**/*.txt"))) == 2
    assert len(rows(load_corpus(f"{tmp_path}/**/deep/**/b.*"))) == 1
    assert len(rows(load_corpus(tmp_path))) == 2


def test_globs_follow_a_link_that_leads_away(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.txt").write_text("world\n")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out", target_is_directory=True)
    assert rows(load_corpus(f"{tmp_path}/in/**/*.txt")) == [("world", "link")]


NAMES = st.sampled_from(["a", "b.txt", ".h", "[x]", "c.txt"])
PARTS = st.sampled_from(["**", "*", "*.txt", "a", "?", "[ab]*", ".*", "b.txt", "[[]x]"])


@settings(max_examples=100)
@given(
    st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple)),
    st.lists(PARTS, min_size=1, max_size=3),
)
def test_globs_find_what_pythons_find(tmp_path_factory, tree, pattern):
    import glob
    from pathlib import Path

    from toktk.corpus.find import matching

    top = tmp_path_factory.mktemp("g")
    for parts in tree:
        path = top.joinpath(*parts)
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    whole = top.joinpath(*pattern)
    # Below a file, ** gives the file with a slash at its end in Python, which names no file.
    names = glob.glob(str(whole), recursive=True)  # noqa: PTH207
    expected = {name for name in names if not name.endswith("/") and Path(name).is_file()}
    found = [str(path) for path in matching(Path(whole)).files]
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("spec", ["", [""], ["starter", ""]])
def test_no_name(spec):
    with pytest.raises(CorpusError, match=r"a corpus has no name(?s:.*)-c \."):
        load_corpus(spec)


@pytest.mark.parametrize(
    "spec", ["~nosuchuser/x", "~nosuchuser/*.txt", "a\0b", "x" * 300, "\ud800"]
)
def test_names_of_nothing(spec):
    with pytest.raises(CorpusError):
        load_corpus(spec)


@posix
@pytest.mark.parametrize("spec", ["/dev/zero", "/dev/random", "/dev/null", "/dev/tty"])
def test_devices_are_not_read(spec):
    with pytest.raises(CorpusError, match=r"no regular file(?s:.*)a device(?s:.*)into a file"):
        load_corpus(spec)


@posix
def test_pipes_and_sockets_are_not_waited_for(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # a socket's whole path may have some 100 bytes
        listening.bind("socket.txt")
        os.fchdir(here)
        os.close(here)
        with pytest.raises(CorpusError, match="a socket"):
            load_corpus(tmp_path / "socket.txt")
        assert texts(load_corpus(tmp_path)) == texts(load_corpus(f"{tmp_path}/*.txt")) == ["hello"]
    with pytest.raises(CorpusError, match="a pipe"):
        load_corpus(tmp_path / "pipe.txt")
    with pytest.raises(CorpusError, match="a pipe"):
        read_card(tmp_path / "pipe.txt")
    corpus = load_corpus(tmp_path / "a.txt")
    (tmp_path / "pipe.txt").replace(tmp_path / "a.txt")
    with pytest.raises(CorpusError, match="a pipe"):
        rows(corpus)
    read, written = os.pipe()
    os.close(written)
    with pytest.raises(CorpusError, match="no documents in pipe"):
        rows(load_corpus(f"/dev/fd/{read}"))
    os.close(read)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("hello\n")
    (tmp_path / "private").mkdir()
    scan = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("private"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr("toktk.corpus.find.os.scandir", refuse)
    for spec in (tmp_path, tmp_path / "private", f"{tmp_path}/**/*.txt", f"{tmp_path}/*/*.txt"):
        with pytest.raises(CorpusError, match=r"private.*\n.*Permission denied"):
            load_corpus(spec)
    assert texts(load_corpus(f"{tmp_path}/*.txt")) == ["hello"]


def test_a_file_that_may_not_be_seen(tmp_path, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("toktk.corpus.find.Path.stat", refuse)
    with pytest.raises(CorpusError, match="Permission denied"):
        load_corpus(tmp_path / "x.txt")


@posix
@pytest.mark.parametrize("name", [b"caf\xe9", b"new\nline", b"\x1b[31mred", b"a\\b", "東".encode()])
def test_any_file_name(tmp_path, name):
    folder = tmp_path / os.fsdecode(name)
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    (folder / os.fsdecode(name + b".txt")).write_text("hello\n")
    (folder / "deep").mkdir()
    (folder / "deep" / "b.txt").write_text("world\n")
    for spec in (folder, folder / os.fsdecode(name + b".txt"), f"{tmp_path}/**/*.txt"):
        corpus = load_corpus(spec)
        assert texts(corpus)[0] == "hello" or texts(corpus)[1] == "hello"
        json.dumps(corpus.describe(), ensure_ascii=False).encode()
        f"{corpus!r} {corpus.name}".encode()
    (folder / os.fsdecode(name + b".txt")).write_bytes(b"\xff")
    with pytest.raises(CorpusError, match="invalid UTF-8"):
        rows(load_corpus(folder))


def test_names_at_hand():
    with pytest.raises(CorpusError, match="half a character"):
        Corpus.of(["a"], groups="\ud800")
    corpus = Corpus.of(["a"], name="\ud800")
    assert rows(corpus) == [("a", "\\ud800")]
    assert corpus.describe()["name"] == "\\ud800"


# --- damaged tables


def test_rows_that_the_reader_of_parquet_leaves_out_are_missed(tmp_path, monkeypatch):
    from toktk.corpus import columnar

    whole = columnar._rows_of

    def some(*args):
        for rows in whole(*args):
            yield rows.slice(1)  # as PyArrow does where pages are damaged

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b", "c"]}), path)
    assert rows(load_corpus(path)) == [("a", "a"), ("b", "a"), ("c", "a")]
    monkeypatch.setattr(columnar, "_rows_of", some)
    with pytest.raises(CorpusError, match=r"damaged(?s:.*)2 of 3 rows"):
        rows(load_corpus(path))


def damaged(raw, chance):
    raw = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(raw))
        if chance.random() < 0.5:
            raw[at] = chance.randrange(256)
        else:
            width = chance.choice([4, 8])
            number = chance.choice([0, -1, 1 << 16, 1 << 30, (1 << 31) - 1])
            raw[at : at + width] = number.to_bytes(width, "little", signed=True)
    return bytes(raw)


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.feather"])
def test_damaged_tables_are_errors_or_text(tmp_path, name):
    table = pa.table(
        {"text": ["a", "bé", None, "c" * 50] * 5, "g": ["x", "y"] * 10, "n": range(20)}
    )
    table = table.set_column(1, "g", table.column("g").dictionary_encode())
    path = tmp_path / name
    if name == "x.parquet":
        pq.write_table(table, path)
    else:
        new = pa.ipc.new_file if name == "x.arrow" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as out:
            out.write_table(table)
    raw = path.read_bytes()
    for seed in range(150):
        path.write_bytes(damaged(raw, random.Random(seed)))
        try:
            found = rows(load_corpus(path, group_column="g", align_column="n"))
        except ToktkError as error:
            assert "x." in str(error) or "group or alignment" in str(error)  # noqa: PT017
        else:
            assert all(isinstance(text, str) for text, _ in found)


@pytest.mark.parametrize("name", ["x.arrow", "x.feather", "x.parquet"])
def test_a_column_whose_name_is_no_text(tmp_path, name):
    table = pa.table({"text": ["a"], "mark": ["b"]})
    path = tmp_path / name
    if name == "x.parquet":
        pq.write_table(table, path, store_schema=False)
    else:
        new = pa.ipc.new_file if name == "x.arrow" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as out:
            out.write_table(table)
    path.write_bytes(path.read_bytes().replace(b"mark", b"m\xff\xfek"))
    if name == "x.parquet":
        with pytest.raises(CorpusError, match=r"x\.parquet: the name of a column is not UTF-8"):
            texts(load_corpus(path))
    else:
        assert texts(load_corpus(path)) == ["a"]
        with pytest.raises(CorpusError, match="Known: text, a name that is not UTF-8"):
            rows(load_corpus(path, group_column="mark"))
