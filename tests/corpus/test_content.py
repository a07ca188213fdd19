"""Files whose bytes are another thing than their names say, and packed or encoded text."""

import bz2
import gzip
import io
import lzma
import random
import sys
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toktk.corpus import ReaderOptions, load_corpus
from toktk.corpus.first_bytes import wide_encoding
from toktk.errors import CorpusError

LINES = ["The café ", "öffnet um 8", "", "東京 is far", "end"]
TEXT = "\n".join(LINES)


def texts(path, **options):
    corpus = load_corpus(path, **options)
    found = [batch.column(0).to_pylist() for batch in corpus.batches()]
    return [text.rstrip("\n") for batch in found for text in batch]


def packed(suffix, data):
    if suffix == ".zst":
        return pa.Codec("zstd").compress(data, asbytes=True)
    return {".gz": gzip, ".bz2": bz2, ".xz": lzma}[suffix].compress(data)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("kind", [".txt", ".jsonl"])
def test_compressed_files_of_several_members_with_padding(tmp_path, suffix, kind):
    data = (
        TEXT.encode() if kind == ".txt" else "".join(f'{{"text": "{t}"}}\n' for t in LINES).encode()
    )
    padding = b"" if suffix == ".zst" else b"\0" * 512
    path = tmp_path / f"x{kind}{suffix}"
    path.write_bytes(packed(suffix, data[:30]) + packed(suffix, data[30:]) + padding)
    assert texts(path) == LINES


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_large_compressed_files_and_their_damage(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr("toktk.corpus.streams._CHUNK", 1000)
    monkeypatch.setattr("toktk.corpus.streams._MOST_OUT", 3000)
    lines = [f"{i} {random.Random(i).random()}" for i in range(2000)]
    path = tmp_path / f"x.txt{suffix}"
    whole = packed(suffix, "\n".join(lines).encode())
    path.write_bytes(whole)
    assert texts(path) == lines
    for cut in (len(whole) // 2, len(whole) - 1, 20):
        path.write_bytes(whole[:cut])
        with pytest.raises(CorpusError, match=r"cannot read .*x\.txt"):
            texts(path)
    path.write_bytes(whole[: len(whole) // 2] + b"\x55" * 40 + whole[len(whole) // 2 :])
    with pytest.raises(CorpusError, match=r"cannot read .*x\.txt"):
        texts(path)
    path.write_bytes(b"no such thing")
    with pytest.raises(CorpusError, match=r"cannot read .* as \w+\.\n"):
        texts(path)


def long_window(data):
    """Return one frame of Zstandard with a window of 2 GiB and the data as it is."""
    block = (1 | len(data) << 3).to_bytes(3, "little") + data
    return b"\x28\xb5\x2f\xfd\x00" + bytes([21 << 3]) + block


def test_zstandard_with_a_long_window(tmp_path, monkeypatch):
    path = tmp_path / "x.txt.zst"
    path.write_bytes(long_window(TEXT.encode()))
    if sys.version_info >= (3, 14):
        assert texts(path) == LINES
    else:
        monkeypatch.setitem(sys.modules, "zstandard", None)
        with pytest.raises(CorpusError, match=r"2,147,483,648(?s:.*)pip install zstandard"):
            texts(path)


def test_zstandard_with_a_long_window_by_its_library(tmp_path):
    pytest.importorskip("zstandard")
    path = tmp_path / "x.txt.zst"
    path.write_bytes(long_window(TEXT.encode()) * 2)
    assert texts(path) == [*LINES[:-1], LINES[-1] + LINES[0], *LINES[1:]]


def tar_of(data):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        member = tarfile.TarInfo("a.txt")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def zip_of(data):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.txt", data)
    return sink.getvalue()


def table_of(write):
    sink = pa.BufferOutputStream()
    write(pa.table({"text": ["a"]}), sink)
    return sink.getvalue().to_pybytes()


def arrow_file(table, sink):
    with pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table)


def arrow_stream(table, sink):
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)


RAW = b'{"text": "a"}\n' * 30
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 7\n"
OTHER = {
    "gzip": gzip.compress(RAW),
    "bz2": bz2.compress(RAW),
    "xz": lzma.compress(RAW),
    "zstd": packed(".zst", RAW),
    "parquet": table_of(pq.write_table),
    "arrow": table_of(arrow_file),
    "a tar archive": tar_of(RAW),
    "a zip archive": zip_of(RAW),
    "a pointer of Git LFS": LFS,
    "text in UTF-16": RAW.decode().encode("utf-16"),
    "text in UTF-32": RAW.decode().encode("utf-32"),
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\n",
}


@pytest.mark.parametrize(
    "name", ["x.txt", "x.jsonl", "x", "x.py", "x.txt.gz", "x.parquet", "x.arrow"]
)
@pytest.mark.parametrize("content", OTHER)
@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_what_is_named_as_something_else_is_said_to_be_what_it_is(tmp_path, name, content, errors):
    if name == f"x.{content}":
        pytest.skip("it is that")
    path = tmp_path / name
    path.write_bytes(gzip.compress(OTHER[content]) if name.endswith(".gz") else OTHER[content])
    corpus = load_corpus(path, errors=errors)
    for use in (lambda: texts(path, errors=errors), lambda: corpus.fingerprint):
        with pytest.raises(
            CorpusError, match=rf"cannot read .* as \w+\.\n  Found( inside)?: {content}"
        ):
            use()


def test_a_stream_of_arrow_may_have_the_name_of_a_file(tmp_path):
    path = tmp_path / "x.arrow"
    path.write_bytes(table_of(arrow_stream))
    assert texts(path) == ["a"]


def test_text_that_looks_like_something_else_at_first(tmp_path):
    path = tmp_path / "x.txt"
    for text in (
        "PAR1 is a receptor",
        "BZh is a word",
        "PK",
        "version https://git",
        "%PDF",
        "ORC",
        "",
    ):
        path.write_text(text + "\nmore")
        assert texts(path) == [text, "more"]


# --- encodings


@pytest.mark.parametrize(
    "encoding",
    [
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "cp1252",
        "latin-1",
        "shift_jis",
        "gb18030",
        "koi8-r",
        "iso2022_jp",
        "UTF8",
        "utf-7",
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_text_in_another_encoding(tmp_path, monkeypatch, encoding, suffix):
    monkeypatch.setattr("toktk.corpus.streams._CHUNK", 5)  # characters lie across the seams
    lines = [line.encode(encoding, "ignore").decode(encoding) for line in LINES]
    raw = "\n".join(lines).encode(encoding)
    path = tmp_path / f"x.txt{suffix}"
    path.write_bytes(gzip.compress(raw) if suffix else raw)
    assert texts(path, encoding=encoding) == lines
    rows = "".join(f'{{"text": "{line}"}}\n' for line in lines).encode(encoding)
    path = tmp_path / f"x.jsonl{suffix}"
    path.write_bytes(gzip.compress(rows) if suffix else rows)
    assert texts(path, encoding=encoding) == lines


@pytest.mark.parametrize(
    ("encoding", "good", "bad", "n_replaced"),
    [
        ("ascii", b"abcdef\n", b"\xff", 1),
        ("cp1252", b"abcdef\n", b"\x81\x8d", 2),
        ("utf-16-le", "abc\ufffd\n".encode("utf-16-le"), b"\x00\xd8", 1),
        ("utf-16", "\ufeffabc".encode("utf-16-le"), b"\x00\xdc", 1),
        ("shift_jis", "東京\n".encode("shift_jis"), b"\xff", 1),
    ],
)
def test_what_another_encoding_does_not_have(
    tmp_path, monkeypatch, encoding, good, bad, n_replaced
):
    monkeypatch.setattr("toktk.corpus.streams._CHUNK", 4)
    path = tmp_path / "x.txt"
    path.write_bytes(good + bad + good.removeprefix(b"\xff\xfe"))
    with pytest.raises(
        CorpusError, match=rf"invalid {encoding}.* at byte {len(good)}\.(?s:.*)--errors r"
    ):
        texts(path, encoding=encoding)
    corpus = load_corpus(path, encoding=encoding, errors="replace")
    for _ in range(2):
        list(corpus.batches())
        assert corpus.replaced == n_replaced


def test_encodings_have_fingerprints_of_their_own(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"caf\xe9\n")
    prints = {
        load_corpus(path, encoding=name).fingerprint for name in ("latin-1", "cp1252", "utf-8")
    }
    assert len(prints) == 3
    assert load_corpus(path, encoding="latin1").fingerprint in prints


@pytest.mark.parametrize("name", ["nonsense", "base64", "rot13", "", "a\0b", "undefined"])
def test_unknown_encodings(name):
    with pytest.raises(CorpusError, match="unknown encoding"):
        ReaderOptions(encoding=name)


def test_parquet_has_no_encoding_of_its_own(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(OTHER["parquet"])
    with pytest.raises(CorpusError, match=r"--encoding 'utf-16' does not fit .*\n.*UTF-8"):
        load_corpus(path, encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_nul_beside_every_letter_is_remarked_on(tmp_path, encoding):
    path = tmp_path / "x.txt"
    path.write_bytes(("plain words\n" * 9).encode(encoding))
    (remark,) = load_corpus(path).remarks
    assert f"--encoding {encoding}" in remark
    path.write_bytes(b"a few\0NULs are text\0\n" * 9)
    assert load_corpus(path).remarks == []
    assert wide_encoding(b"") is wide_encoding(b"\0" * 100) is None


def test_advice_names_options_of_the_command(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(CorpusError, match=r"--encoding latin-1(?s:.*)--errors replace"):
        texts(path)
