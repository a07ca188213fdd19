"""Zip archives: read as the folder that they were made of; what is damaged or odd is said."""

import bz2
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from toktk.corpus import load_corpus
from toktk.errors import CorpusError

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
TABLE = pa.table({"text": ["parquet one", "zwei"], "lang": ["en", "de"]})


def table(write):
    out = io.BytesIO()
    write(TABLE, out)
    return out.getvalue()


FILES = {
    "a.txt": b"one\r\ntwo\n" * 4000,
    "empty.txt": b"",
    "news/b.jsonl": b'{"text": "jsonl"}\n',
    "news/c.csv": b'text,n\n"a, b",1\n',
    "news/d.json": b'[{"text": "item"}]',
    "deep/er/e.txt.gz": gzip.compress(b"packed twice\n"),
    "deep/f.jsonl.bz2": bz2.compress(b'{"text": "bz2"}\n'),
    "deep/g.parquet": table(pq.write_table),
    "h.arrow": table(lambda rows, out: feather.write_feather(rows, out, compression="zstd")),
    "about.json": b'{"version": 1}\n',
    "picture.png": b"\x89PNG\r\n",
    ".hidden.txt": b"hidden\n",
    ".git/config": b"hidden\n",
    ".git/head": b"hidden\n",
}


def archive(path, files=FILES, method="deflate"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", METHODS[method]) as out:
        for name, data in files.items() if isinstance(files, dict) else files:
            out.writestr(name, data)
    return path


def folder(path, files=FILES):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def rows(corpus):
    return [
        row
        for batch in corpus.batches()
        for row in zip(*(batch.column(i).to_pylist() for i in range(4)), strict=True)
    ]


@pytest.mark.parametrize("method", METHODS)
def test_an_archive_is_read_as_the_folder_it_was_made_of(tmp_path, method):
    packed = load_corpus(archive(tmp_path / "x" / "books.zip", method=method))
    loose = load_corpus(folder(tmp_path / "books"))
    assert rows(packed) == rows(loose)
    assert packed.fingerprint == loose.fingerprint
    (remark,) = packed.remarks
    assert remark == loose.remarks[0].replace("not read of books", "not read of books.zip")
    for unread in ("2 hidden", "1 .png", "1 .json without rows"):
        assert unread in remark
    assert rows(packed) == rows(loose)


def test_archives_in_folders_and_globs(tmp_path):
    texts = {"a.txt": b"in a\n", "sub/b.txt": b"in b\n", "c.png": b"c"}
    archive(tmp_path / "one.zip", texts)
    archive(tmp_path / "below" / "TWO.ZIP", texts)
    (tmp_path / "z.txt").write_bytes(b"beside\n")
    corpus = load_corpus(tmp_path)
    groups = [(text, group) for text, group, *_ in rows(corpus)]
    assert groups == [
        ("in a\n", "below"),
        ("in b\n", "below"),
        ("in a\n", "one"),
        ("in b\n", "one"),
        ("beside\n", "z"),
    ]
    assert corpus.remarks == [f"not read of {tmp_path.name}: 2 .png."]
    of_glob = load_corpus(str(tmp_path / "*"))
    assert [row[:2] for row in rows(of_glob)] == [
        ("in a\n", "one"),
        ("in b\n", "one"),
        ("beside\n", "z"),
    ]
    assert of_glob.remarks == ["not read of one.zip: 1 .png."]


def test_an_archive_that_was_unpacked_beside_it_is_remarked_on(tmp_path):
    path = archive(tmp_path / "x" / "books.zip", {"a.txt": b"a\n"})
    folder(tmp_path / "x" / "books", {"a.txt": b"a\n"})
    (remark,) = load_corpus(tmp_path / "x").remarks
    assert remark.startswith("books.zip and the folder books beside it are both read")
    assert load_corpus(path).remarks == []


def test_splits_and_options_hold_in_an_archive(tmp_path):
    path = archive(
        tmp_path / "x.zip",
        {"train/a.jsonl": b'{"body": "a"}\n', "test/b.jsonl": b'{"body": "b"}\n'},
    )
    assert [row[0] for row in rows(load_corpus(path, text_column="body", split="test"))] == ["b"]
    archive(path, {"a.txt": "größe\n".encode("latin-1")})
    assert rows(load_corpus(path, encoding="latin-1"))[0][0] == "größe\n"
    with pytest.raises(CorpusError, match="text-column"):
        load_corpus(path, text_column="body")


def test_a_saved_dataset_in_an_archive(tmp_path):
    out = io.BytesIO()
    with pa.ipc.new_stream(out, TABLE.schema) as stream:
        stream.write_table(TABLE)
    state = {"_data_files": [{"filename": "data.arrow"}], "_split": None}
    files = {"data.arrow": out.getvalue(), "state.json": json.dumps(state), "cache-1.arrow": b"x"}
    corpus = load_corpus(archive(tmp_path / "x.zip", files))
    assert [row[:2] for row in rows(corpus)] == [("parquet one", "x.zip"), ("zwei", "x.zip")]


def test_two_members_of_one_name_are_both_read(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(
            tmp_path / "x.zip",
            [("a.tar.txt", b"1\n"), ("a (2).tar.txt", b"0\n"), ("a.tar.txt", b"2\n")],
        )
    found = [row[:2] for row in rows(load_corpus(path))]
    assert found == [("0\n", "a (2).tar"), ("2\n", "a (3).tar"), ("1\n", "a.tar")]


@pytest.mark.parametrize(
    "name",
    ["../a.txt", "b/../../a.txt", "/a.txt", "a\n.txt", "C:\\a.txt", "\x1b[2J.txt", "..\\a.txt"],
)
def test_names_that_lead_elsewhere(tmp_path, name):
    path = archive(tmp_path / "x.zip", {"b.txt": b"b", name: b"a"})
    with pytest.raises(CorpusError, match=r"x\.zip: the name of a member") as caught:
        load_corpus(path)
    assert "Unpack it" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_name_with_a_zero(tmp_path):
    path = archive(tmp_path / "x.zip", {"aXb.txt": b"a"})
    path.write_bytes(path.read_bytes().replace(b"aXb.txt", b"a\0b.txt"))
    with pytest.raises(CorpusError, match="the name of a member"):
        load_corpus(path)


def test_separators_of_windows(tmp_path):
    path = archive(tmp_path / "x.zip", {"sub\\a.txt": b"a\n"})
    assert rows(load_corpus(path))[0][:2] == ("a\n", "sub")


def changed(path, at, value, directory=True):
    """Change a field of the last member's header in the directory (or its local one)."""
    raw = bytearray(path.read_bytes())
    begin = raw.rindex(b"PK\x01\x02") if directory else raw.rindex(b"PK\x03\x04")
    raw[begin + at : begin + at + len(value)] = value
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("at", "value", "found"),
    [
        (8, b"\x01\0", "encrypted"),
        (10, b"\x61\0", "method 97"),
        (16, b"abcd", "checksum"),
        (24, b"\x03\0\0\0", "length or checksum"),
        (24, b"\xff\0\0\x7f", "length or checksum"),
        (42, b"\x05\0\0\0", "no member begins"),
        (38, b"\0\0\0\xa1", "1 link"),
        (6, b"\x63\0", "zip file version 9.9"),
    ],
)
def test_what_cannot_be_unpacked_is_named(tmp_path, at, value, found):
    path = archive(tmp_path / "x.zip", {"sub/a.txt": b"some text\n" * 99}, "stored")
    changed(path, at, value)
    with pytest.raises(CorpusError) as caught:
        rows(load_corpus(path))
    message = str(caught.value)
    assert found in message
    assert ("x.zip" if found[0] in "1z" else "x.zip/sub/a.txt") in message.replace("\\", "/")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet", "a.txt.gz"])
def test_damaged_bytes_are_an_error_or_change_nothing(tmp_path, method, name):
    data = {
        "a.txt": b"".join(b"line %d\n" % i for i in range(900)),
        "a.jsonl": b"".join(b'{"text": "%d"}\n' % i for i in range(900)),
        "a.parquet": table(pq.write_table),
        "a.txt.gz": gzip.compress(b"line\n" * 900),
    }[name]
    path = archive(tmp_path / "x.zip", {name: data}, method)
    sound, wanted = path.read_bytes(), rows(load_corpus(path))
    refused = 0
    for at in range(0, len(sound), max(len(sound) // 60, 1)):
        raw = bytearray(sound)
        raw[at] ^= 0x55
        path.write_bytes(raw)
        try:
            found = rows(load_corpus(path))
        except CorpusError as error:
            refused += "x.zip" in str(error)
            continue
        assert [row[0] for row in found] == [row[0] for row in wanted]
    assert refused > 20


def test_what_is_no_archive(tmp_path):
    path = tmp_path / "x.zip"
    for raw, found in (
        (b"text\n", "not a zip file"),
        (gzip.compress(b"x"), "gzip"),
        (b"", "not a zip"),
    ):
        path.write_bytes(raw)
        with pytest.raises(CorpusError, match=rf"x\.zip as a zip archive\.\n  Found: .*{found}"):
            load_corpus(path)
    other = archive(tmp_path / "x.txt", {"a.txt": b"a"})
    with pytest.raises(
        CorpusError, match=r"a zip archive, by its first bytes\.\n.*End its name in \.zip"
    ):
        rows(load_corpus(other))


def test_an_archive_without_text(tmp_path):
    with pytest.raises(CorpusError, match=r"no text in x\.zip") as caught:
        load_corpus(archive(tmp_path / "x.zip", {"a.png": b"a", "inner.zip": b"PK\x05\x06"}))
    assert "1 .png, 1 .zip." in str(caught.value)


def test_an_archive_that_changes_is_an_error(tmp_path):
    path = archive(tmp_path / "x.zip", {"a.txt": b"a\n"})
    corpus = load_corpus(path)
    rows(corpus)
    archive(path, {"a.txt": b"other\n"})
    for use in (lambda: rows(corpus), lambda: corpus.fingerprint):
        with pytest.raises(CorpusError, match="changed while it was in use"):
            use()


@pytest.mark.parametrize("method", ["deflate", "bzip2", "lzma"])
def test_what_unpacks_to_very_much_is_read_a_block_at_a_time(tmp_path, method):
    path, n_mb = tmp_path / "x.zip", 140 if method == "deflate" else 70
    with zipfile.ZipFile(path, "w", METHODS[method]) as out, out.open("a.txt", "w") as member:
        for _ in range(n_mb):
            member.write((b"x" * 1023 + b"\n") * 1024)
    tallest = max(batch.column("text").nbytes for batch in load_corpus(path).batches())
    assert tallest < 64 << 20
    if method == "deflate":
        with pytest.raises(CorpusError, match="too long"):
            rows(load_corpus(path, sample_by="document"))


def test_nothing_is_left_of_members_that_need_seeking(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    path = archive(tmp_path / "x.zip", {"a.parquet": FILES["deep/g.parquet"]})
    assert [row[0] for row in rows(load_corpus(path))] == ["parquet one", "zwei"]
    left = [p for p in (tmp_path / "home").rglob("*") if "member" in p.name]
    assert left == []


@pytest.mark.skipif(os.name == "nt", reason="no /dev/stdin")
def test_an_archive_through_a_pipe(tmp_path):
    path = archive(tmp_path / "x.zip", {"sub/a.txt": b"piped\n"})
    code = "from toktk.corpus import load_corpus\nfor b in load_corpus('-').batches(): print(b.to_pylist())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=path.read_bytes(),
        capture_output=True,
        check=True,
        timeout=300,
    )
    assert b"piped" in done.stdout
    assert b"'group': 'sub'" in done.stdout


def test_an_archive_at_an_address(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    raw = archive(tmp_path / "x.zip", {"sub/a.txt": b"from afar\n", "b.png": b"b"}).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        corpus = load_corpus(f"http://127.0.0.1:{server.server_port}/data/x.zip")
        server.shutdown()
    assert [row[:2] for row in rows(corpus)] == [("from afar\n", "sub")]
    assert corpus.sources[0].where.endswith("/data/x.zip/sub/a.txt")
    assert any("1 .png" in remark for remark in corpus.remarks)


def test_large_settings_of_lzma_are_refused(tmp_path):
    path = archive(tmp_path / "x.zip", {"a.txt": b"a\n" * 100}, "lzma")
    raw = bytearray(path.read_bytes())
    at = raw.index(b"a.txt") + 10
    raw[at : at + 4] = struct.pack("<I", (1 << 31) + (1 << 30))
    path.write_bytes(raw)
    with pytest.raises(CorpusError, match=r"x\.zip.a\.txt"):
        rows(load_corpus(path))
