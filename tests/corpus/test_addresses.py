"""Corpora at addresses: read in place by ranges, or downloaded once, over connections that drop."""

from __future__ import annotations

import gzip
import json
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from servers import file_server

from toktk.corpus import load_corpus
from toktk.corpus.in_place import Ranged
from toktk.corpus.shares import inputs_of, share_of
from toktk.errors import CorpusError, MissingExtraError

TEXTS = [f"line {i} {'é東🙂'[i % 3] * (i % 40)}" for i in range(1200)]


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("toktk.places.WAITS", (0, 0, 0))
    with file_server() as server:
        yield server


@pytest.fixture
def files(tmp_path):
    """Files of many kinds, by folder."""
    folder = tmp_path / "files"
    for language in ("de", "en"):
        below = folder / language
        below.mkdir(parents=True)
        table = pa.table({"text": TEXTS, "n": range(1, len(TEXTS) + 1), "other": TEXTS})
        pq.write_table(table, below / "a.parquet", row_group_size=150)
        rows = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
        (below / "b.jsonl").write_text(rows)
        (below / "c.txt").write_bytes("\r\n\r\n".join(TEXTS).encode())
        (below / "d.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
        (below / "e.csv").write_text("text\n" + "\n".join(TEXTS))
        with pa.ipc.new_file(below / "f.arrow", pa.schema([("text", pa.string())])) as writer:
            writer.write_table(pa.table({"text": TEXTS[:9]}))
        (below / "empty.txt").touch()
        (below / "photo.png").write_bytes(b"x")
    return folder


def rows(corpus):
    return [
        row
        for batch in corpus.batches()
        for row in zip(*(batch.column(i).to_pylist() for i in range(4)), strict=True)
    ]


def check(at_address, local, worlds=(2, 16)):
    expected = rows(local)
    for n in worlds:
        shares = [rows(share_of(at_address, rank, n)) for rank in range(n)]
        assert [row for share in shares for row in share] == expected, n
    assert len(shares[0]) < len(expected)


def test_shares_of_s3_equal_those_of_files(s3, files):
    import s3fs

    s3fs.S3FileSystem().put(str(files), "bucket/texts", recursive=True)
    at_address = load_corpus("s3://bucket/texts", in_place=True)
    local = load_corpus(files)
    check(at_address, local)
    assert {group for _, group, _, _ in rows(at_address)} == {"de", "en"}
    assert [(each["name"], each["bytes"]) for each in inputs_of(at_address)] == [
        (each["name"], each["bytes"]) for each in inputs_of(local)
    ]
    assert inputs_of(at_address) == inputs_of(load_corpus("s3://bucket/texts", in_place=True))
    check(load_corpus("s3://bucket/texts/*/c.txt", in_place=True), load_corpus(f"{files}/*/c.txt"))
    check(pickle.loads(pickle.dumps(at_address)), local, [4])
    downloaded = load_corpus("s3://bucket/texts")
    assert downloaded.fingerprint == local.fingerprint
    assert downloaded.is_at_hand
    assert not at_address.is_at_hand
    assert at_address.fingerprint == local.fingerprint


def test_a_listing_is_the_only_look_at_the_files(s3, files, monkeypatch):
    import s3fs

    s3fs.S3FileSystem().put(str(files), "bucket/texts", recursive=True)
    asked = []
    call = s3fs.S3FileSystem._call_s3

    def noted(self, method, *args, **kwargs):
        asked.append(method)
        return call(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", noted)
    corpus = load_corpus("s3://bucket/texts/**/[abc].*", in_place=True)
    assert len(inputs_of(corpus)) == 6
    share_of(corpus, 1, 7)
    assert set(asked) == {"list_objects_v2"}


@pytest.mark.parametrize("name", ["a.parquet", "b.jsonl", "c.txt", "d.jsonl.gz", "e.csv"])
def test_ranges_over_http(server, files, name):
    content = (files / "de" / name).read_bytes()
    server.files[f"/{name}"], server.tags[f"/{name}"] = content, '"one"'
    corpus = load_corpus(f"{server.address}/{name}", in_place=True)
    local = load_corpus(files / "de" / name)
    expected = rows(local)
    assert [row for rank in range(5) for row in rows(share_of(corpus, rank, 5))] == expected
    assert all(asked is not None for _, asked in server.asked)
    assert inputs_of(corpus)[0]["bytes"] == len(content)


def test_a_user_and_a_password(server, monkeypatch):
    with file_server() as other:
        seen, answer = [], server.do_GET

        def noted(self):
            seen.append((self.path, self.headers["Authorization"]))
            if self.path != "/old.txt":
                return answer(self)
            self.send_response(302)
            self.send_header("Location", f"{other.address}/x.txt")
            self.send_header("Content-Length", "0")
            return self.end_headers()

        for each in (server, other):
            monkeypatch.setattr(each, "do_GET", noted)
            each.files["/x.txt"], each.tags["/x.txt"] = b"one\ntwo\n", "one"
        with_login = server.address.replace("://", "://me:p%40ss@")
        login = "Basic bWU6cEBzcw=="
        for in_place in (False, True):
            corpus = load_corpus(f"{with_login}/x.txt", in_place=in_place)
            assert [text for text, *_ in rows(corpus)] == ["one\n", "two\n"]
            assert "p%40ss" not in str(corpus.describe())
        assert {told for _, told in seen} == {login}
        seen.clear()
        load_corpus(f"{with_login}/old.txt")
        assert seen == [("/old.txt", login), ("/x.txt", None)]


def test_a_share_does_not_fetch_the_rest(server):
    server.tags["/a.parquet"] = "one"
    table = pa.table({"text": ["x" * 500 + str(i) for i in range(20_000)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=1000, compression="none", use_dictionary=False)
    server.files["/a.parquet"] = sink.getvalue().to_pybytes()
    server.files["/b.txt"], server.tags["/b.txt"] = b"some line of text\n" * 600_000, "one"
    for name in ("a.parquet", "b.txt"):
        corpus = load_corpus(f"{server.address}/{name}", in_place=True)
        server.asked.clear()
        n_rows = len(rows(share_of(corpus, 7, 20)))
        assert n_rows in (1000, 30_000)
        ranges = [asked.removeprefix("bytes=").split("-") for _, asked in server.asked]
        fetched = sum(int(last) - int(first) + 1 for first, last in ranges)
        assert fetched < 0.05 * len(server.files[f"/{name}"]) + 5 * (1 << 16)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("name", ["a.parquet", "c.txt", "d.jsonl.gz"])
def test_connections_that_drop_cost_a_retry(server, files, name, in_place):
    server.files["/x" + name[1:]] = (files / "de" / name).read_bytes()
    server.tags["/x" + name[1:]] = "one"
    expected = rows(load_corpus(f"x={files / 'de' / name}"))
    server.drops += [50, 1000, 7]
    corpus = load_corpus(f"{server.address}/x{name[1:]}", in_place=in_place)
    assert [row for rank in range(3) for row in rows(share_of(corpus, rank, 3))] == expected
    assert not server.drops


def test_a_download_goes_on_where_it_broke(server):
    server.files["/x.txt"] = b"".join(b"line %d\n" % i for i in range(300_000))
    server.tags["/x.txt"] = "one"
    server.drops += [1_500_000, 700_000]
    assert len(rows(load_corpus(f"{server.address}/x.txt"))) == 300_000
    assert [asked for _, asked in server.asked] == [None, "bytes=1500000-", "bytes=2200000-"]


def test_without_a_mark_or_ranges_a_download_begins_anew(server, files):
    server.files["/x.txt"] = content = b"line\n" * 1000
    for tags, ranges in (({}, True), ({"/x.txt": "one"}, False)):
        type(server).__setattr__(server, "ranges", ranges)
        server.tags.update(tags)
        server.drops += [100, 200]
        corpus = load_corpus(f"{server.address}/x.txt", in_place=True)
        assert len(rows(share_of(corpus, 0, 2))) == 500
        assert corpus.size == len(content)
        assert not server.drops


def test_what_keeps_dropping_is_an_error(server):
    server.files["/x.txt"], server.tags["/x.txt"] = b"line\n" * 1000, "one"
    server.drops += [10, 10, 10, 10]
    with pytest.raises(CorpusError, match=r"IncompleteRead(.|\n)*tried 4 times"):
        load_corpus(f"{server.address}/x.txt")
    corpus = load_corpus(f"{server.address}/x.txt", in_place=True)
    server.drops += [10, 10, 10, 10]
    with pytest.raises(CorpusError, match=r"IncompleteRead(.|\n)*tried 4 times"):
        rows(share_of(corpus, 0, 2))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, status):
    server.files["/x.txt"], server.tags["/x.txt"] = b"line\n" * 10, "one"
    server.statuses += [status, status, status]
    assert len(rows(load_corpus(f"{server.address}/x.txt"))) == 10
    server.statuses += [status] * 4
    with pytest.raises(CorpusError, match=f"{status}(.|\n)*tried 4 times"):
        load_corpus(f"{server.address}/x.txt")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_is_final_is_not_asked_again(server, status):
    server.statuses += [status]
    server.files["/x.txt"] = b"line\n"
    for in_place in (True, False):
        server.statuses[:] = [status]
        server.asked.clear()
        with pytest.raises(CorpusError, match=str(status)):
            load_corpus(f"{server.address}/x.txt", in_place=in_place)
        assert len(server.asked) == 1


def test_a_file_that_changes_is_told(server):
    server.files["/x.txt"], server.tags["/x.txt"] = b"line\n" * 1000, "one"
    corpus = load_corpus(f"{server.address}/x.txt", in_place=True)
    rows(share_of(corpus, 0, 2))
    server.tags["/x.txt"] = "two"
    with pytest.raises(CorpusError, match=r"x\.txt changed while it was in use"):
        rows(share_of(corpus, 1, 2))
    server.files["/x.txt"] = b""
    with pytest.raises(CorpusError, match=r"x\.txt changed while it was in use"):
        rows(share_of(corpus, 1, 2))
    # In the middle of a download, too.
    server.files["/y.txt"], server.tags["/y.txt"] = b"line\n" * 1000, "one"
    server.drops.append(100)
    served = server.do_GET

    def changing(handler):
        served(handler)
        handler.tags["/y.txt"] = "two"

    server.do_GET = changing
    with pytest.raises(CorpusError, match=r"y\.txt changed while it was in use"):
        load_corpus(f"{server.address}/y.txt")


def test_a_file_of_s3_that_changes_is_told(s3, files):
    import s3fs

    system = s3fs.S3FileSystem()
    system.pipe("bucket/x.txt", b"line\n" * 1000)
    corpus = load_corpus("s3://bucket/x.txt", in_place=True)
    assert len(rows(corpus)) == 1000
    s3fs.S3FileSystem(skip_instance_cache=True).pipe("bucket/x.txt", b"Line\n" * 1000)
    with pytest.raises(CorpusError, match=r"x\.txt changed while it was in use"):
        rows(corpus)


def test_an_empty_file(server):
    server.files["/x.txt"], server.tags["/x.txt"] = b"", "one"
    corpus = load_corpus(f"{server.address}/x.txt", in_place=True)
    assert not rows(share_of(corpus, 0, 2))


def test_connections_to_s3_that_drop_cost_a_retry(s3, files):
    import s3fs

    s3fs.S3FileSystem().put(str(files / "de"), "bucket/texts", recursive=True)
    expected = rows(load_corpus(f"texts={files / 'de'}"))
    s3.drops += [50, 20_000, 30_000, 10_000]
    corpus = load_corpus("texts=s3://bucket/texts", in_place=True)
    assert [row for rank in range(3) for row in rows(share_of(corpus, rank, 3))] == expected
    assert not s3.drops
    s3.drops += [100, 30_000]
    assert rows(load_corpus("texts=s3://bucket/texts")) == expected
    assert not s3.drops


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("s3://nobucket/x.txt", "bucket"),
        ("s3://nobucket/*.txt", "no bucket nobucket"),
        ("s3://nobucket", "bucket"),
        ("s3://bucket/nothing.txt", "nothing is there"),
        ("s3://bucket/*.txt", "no text in s3://bucket"),
        ("s3://B!/x.txt", "Invalid bucket name"),
    ],
)
def test_what_is_not_there(s3, spec, found):
    with pytest.raises(CorpusError, match=found):
        load_corpus(spec)


@pytest.fixture
def other_s3(s3):
    """The server of S3, for a test that sets other variables before it is asked."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield s3
    s3fs.S3FileSystem.clear_instance_cache()


def test_no_credentials(other_s3, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CorpusError, match="credentials") as caught:
        load_corpus("s3://bucket/x.txt")
    assert "tried" not in str(caught.value)


def test_a_key_that_is_not_allowed(other_s3, server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
    server.statuses += [403] * 20
    with pytest.raises(CorpusError, match="not allowed"):
        load_corpus("s3://bucket/x.txt")
    assert len(server.asked) <= 3


def test_no_server_for_s3(other_s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(CorpusError, match=r"connect(.|\n)*tried 4 times"):
        load_corpus("s3://bucket/x.txt")


def test_the_extra_is_named(monkeypatch):
    def missing(*args, **kwargs):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    for spec in ("s3://bucket/x.txt", "gs://bucket/*.parquet"):
        with pytest.raises(
            MissingExtraError, match=r"no driver for .s?3?:?//(.|\n)*toktk\[cloud\]"
        ):
            load_corpus(spec)


def test_addresses_of_this_machine(tmp_path):
    (tmp_path / "a b.txt").write_text("one\ntwo\n")
    for spec in ((tmp_path / "a b.txt").as_uri(), f"file://localhost{tmp_path}/a b.txt"):
        corpus = load_corpus(spec)
        assert [text for text, *_ in rows(corpus)] == ["one\n", "two\n"]
        assert corpus.fingerprint == load_corpus(tmp_path / "a b.txt").fingerprint


def test_reading_on_asks_for_more_at_once():
    class Remote:
        size = 40_000_000
        asked: list[tuple[int, int]] = []  # noqa: RUF012

        def fetch(self, begin, end):
            self.asked.append((begin, end))
            return bytes(end - begin)

    file = Ranged(Remote())  # type: ignore[arg-type]
    while file.read(10_000):
        pass
    assert file.tell() == Remote.size
    assert sum(end - begin for begin, end in Remote.asked) == Remote.size
    assert len(Remote.asked) < 20
    file.seek(-10, 2)
    assert file.read(100) == bytes(10)
    assert file.read(1) == b""
