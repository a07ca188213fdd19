import contextlib
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import pytest

from toktk.cache import entries
from toktk.corpus import ReaderOptions, load_corpus
from toktk.errors import CorpusError, StorageError
from toktk.places import without_secrets


class Handler(BaseHTTPRequestHandler):
    """Serves `files`, bytes by path, with `headers` beside them."""

    files: dict[str, bytes]
    headers_sent: dict[str, str]
    sent: list[str]

    def log_message(self, *args):
        pass

    def do_GET(self):
        content = self.files.get(self.path)
        self.send_response(404 if content is None else 200)
        content = content or b""
        for name, value in {"Content-Length": str(len(content)), **self.headers_sent}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who knows the mark reads no further
            self.wfile.write(content)
        self.sent.append(self.path)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    handler = type("Own", (Handler,), {"files": {}, "headers_sent": {}, "sent": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http_server:
        thread = threading.Thread(target=http_server.serve_forever, daemon=True)
        thread.start()
        handler.address = f"http://127.0.0.1:{http_server.server_port}"
        yield handler
        http_server.shutdown()
        thread.join()


@pytest.fixture
def memory(monkeypatch, tmp_path):
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("toktk.places.WAITS", (0, 0, 0))


def rows(spec, **options):
    corpus = load_corpus(spec, ReaderOptions(**options))
    return [
        row
        for batch in corpus.batches()
        for row in zip(*(batch.column(i).to_pylist() for i in range(2)), strict=True)
    ]


def test_a_download_is_watched(server, memory, monkeypatch):
    server.headers_sent["ETag"] = "1"
    server.files["/long.txt"] = b"line\n" * 500_000
    memory.pipe("/texts/a.txt", b"a\n")
    seen = []

    @contextlib.contextmanager
    def watch(address, total):
        steps = []
        yield steps.append
        seen.append((address, total, sum(steps), len(steps) > 1))

    monkeypatch.setattr("toktk.corpus.remote.watched", watch)
    for _ in range(2):  # downloaded, then kept
        load_corpus(f"{server.address}/long.txt")
        load_corpus("memory://texts/a.txt")
    assert seen == [
        (f"{server.address}/long.txt", 2_500_000, 2_500_000, True),
        ("memory:///texts/a.txt", 2, 2, False),
    ]


def test_a_file_over_http(server):
    server.files["/data/news.jsonl.gz"] = gzip.compress(b'{"text": "a"}\n{"text": "b"}\n')
    server.files["/data/news.csv?key=secret"] = b"body\nc\n"
    assert rows(f"{server.address}/data/news.jsonl.gz") == [("a", "news"), ("b", "news")]
    spec = f"{server.address}/data/news.csv?key=secret"
    assert rows(spec, text_column="body") == [("c", "news")]
    corpus = load_corpus(spec, text_column="body")
    assert corpus.describe()["parts"] == [{"file": "news.csv", "bytes": 7, "group": "news"}]
    assert "secret" not in str(corpus.describe())


@pytest.mark.parametrize("mark", ["ETag", "Last-Modified"])
def test_what_the_server_marks_is_kept_until_the_mark_changes(server, tmp_path, mark):
    server.files["/x.jsonl"] = b'{"text": "old"}'
    server.headers_sent = {mark: "one"}
    assert rows(f"{server.address}/x.jsonl") == [("old", "x")]
    server.files["/x.jsonl"] = b'{"text": "new"}'
    assert rows(f"{server.address}/x.jsonl") == [("old", "x")]
    server.headers_sent = {mark: "two"}
    assert rows(f"{server.address}/x.jsonl") == [("new", "x")]
    assert [entry.kind for entry in entries(tmp_path / "home")].count("downloads") == 2


NAMES = ["/..", "/%2e%2e%2f%2e%2e%2fx.jsonl", "/cell.json", "/x%00.jsonl", f"/{'x' * 300}.jsonl"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_server_leads_nowhere(server, tmp_path, name):
    server.files[name] = b'{"text": "a"}\n'
    assert rows(server.address + name)
    (kept,) = (tmp_path / "home" / "cells" / "downloads").glob("*/text*")
    assert kept.read_bytes() == server.files[name]
    assert kept.name in ("text", "text.", "text..", "text.json", "text.jsonl")


@pytest.mark.parametrize(
    ("path", "headers", "message"),
    [
        ("/missing.jsonl", {}, "404"),
        ("/x.jsonl", {"Content-Length": "100"}, "IncompleteRead"),
        ("/x.jsonl", {"Content-Length": "-3"}, "cannot read"),
    ],
)
def test_what_cannot_be_had(server, tmp_path, path, headers, message):
    server.files["/x.jsonl"] = b'{"text": "a"}'
    server.headers_sent = headers
    with pytest.raises(CorpusError, match=message):
        load_corpus(server.address + path)
    assert not [entry for entry in entries(tmp_path / "home") if entry.kind == "downloads"]


def test_no_server(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    with pytest.raises(
        CorpusError, match=r"cannot read http://127\.0\.0\.1:9/x\.jsonl\.(.|\n)*network"
    ):
        load_corpus("http://me:word@127.0.0.1:9/x.jsonl?token=1")


@pytest.mark.parametrize("spec", ["nosuch://bucket/x.txt", "https://", "http://[::1/x", "s3a5://x"])
def test_no_such_address(spec):
    with pytest.raises(CorpusError, match=r"cannot read .*://"):
        load_corpus(spec)


def test_no_driver():
    hint = "Install no_such_package"
    fsspec.register_implementation("nodriver", "no_such_package.System", errtxt=hint, clobber=True)
    with pytest.raises(CorpusError, match=f"no driver for nodriver:// .{hint}"):
        load_corpus("nodriver://bucket/*.parquet")


def test_through_fsspec(memory):
    memory.pipe(
        {"/d/de/a.jsonl": b'{"text": "eins"}', "/d/en.csv": b"text\none\n", "/d/photo.png": b"x"}
    )
    assert rows("memory://d") == [("eins", "de"), ("one", "en")]
    assert rows("memory://d/*/*.jsonl") == [("eins", "de")]
    assert rows("memory://d/en.csv") == [("one", "en")]
    memory.pipe("/d/en.csv", b"text\ntwo\n")
    assert rows("memory://d/en.csv") == [("two", "en")]
    for nothing in ("memory://d/*.txt", "memory://d/no.csv"):
        with pytest.raises(CorpusError, match="memory://d/"):
            load_corpus(nothing)


def test_equal_bytes_have_one_fingerprint_wherever_they_lie(memory, tmp_path):
    (tmp_path / "en.csv").write_bytes(b"text\none\n")
    memory.pipe("/d/en.csv", b"text\none\n")
    assert (
        load_corpus("memory://d/en.csv").fingerprint == load_corpus(tmp_path / "en.csv").fingerprint
    )


def test_no_room(memory, tmp_path, monkeypatch):
    memory.pipe("/d/en.csv", b"text\none\n")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="TOKTK_HOME"):
        load_corpus("memory://d/en.csv")


def test_a_dataset_that_is_named_as_something_else():
    with pytest.raises(CorpusError, match=r"Did you mean hf:allenai/c4"):
        load_corpus("allenai/c4")
    for page in ("", "/tree/main", "/blob/main/x.jsonl"):
        with pytest.raises(CorpusError, match=r"hf:allenai/c4"):
            load_corpus(f"https://huggingface.co/datasets/allenai/c4{page}")
    with pytest.raises(CorpusError) as error:
        load_corpus("data/news.txt")
    assert "hf:data" not in str(error.value)


def test_no_secrets():
    assert (
        without_secrets("https://me:pass@example.org/a/b.txt?key=1#x")
        == "https://example.org/a/b.txt"
    )
    assert without_secrets("s3://bucket/a@b") == "s3://bucket/a@b"
