"""Places: the same face for a folder of this machine and for one behind an address."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Callable, Iterator
from http.client import IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import fsspec
import pytest

from toktk.errors import MissingExtraError, StorageError
from toktk.places import Place, is_final, local_path, reaching, retried

if TYPE_CHECKING:
    from servers import Between


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        yield Place.of(tmp_path / "counts")
    elif request.param == "file":
        yield Place.of((tmp_path / "of this machine" / "counts").as_uri())
    elif request.param == "s3":
        request.getfixturevalue("s3")
        yield Place.of("s3://bucket/deep/counts/")
    else:
        yield Place.of("memory://bucket/counts")
        fsspec.filesystem("memory").store.clear()


def test_files_are_written_listed_read_and_removed(place: Place, tmp_path: Path) -> None:
    assert place.names() == []
    place.write("done/00001.json", b"one")
    place.write("done/00001.json", b"two")
    (tmp_path / "part").write_bytes(b"\0\xff")
    place.put(tmp_path / "part", "side=training/part=000/00001.parquet")
    assert not (tmp_path / "part").exists()
    assert place.names() == ["done/00001.json", "side=training/part=000/00001.parquet"]
    assert place.names("done") == ["done/00001.json"]
    assert place.names("nothing") == []
    assert place.read("done/00001.json") == b"two"
    assert place.read("done/00002.json") is None
    with place.local("side=training/part=000/00001.parquet") as path:
        assert path.read_bytes() == b"\0\xff"
    place.remove("done/00001.json")
    place.remove("done/00001.json")
    assert place.names("done") == []


def test_many_files_at_once(place: Place, tmp_path: Path) -> None:
    paths = {f"part={i:03}/00007.parquet": tmp_path / f"{i}" for i in range(40)}
    for name, path in paths.items():
        path.write_bytes(name.encode())
    place.put_all(paths)
    assert place.names() == sorted(paths)
    assert all(place.read(name) == name.encode() for name in paths)
    assert not any(path.exists() for path in paths.values())
    paths = {"a/1": tmp_path / "1", "a/2": tmp_path / "missing"}
    paths["a/1"].touch()
    with pytest.raises(StorageError, match="a/2"):
        place.put_all(paths)


def test_what_others_wrote_is_seen(s3: Between) -> None:
    import s3fs

    place = Place.of("s3://bucket/deep/counts")
    assert place.names() == []
    other = s3fs.S3FileSystem(skip_instance_cache=True)
    other.pipe("bucket/deep/counts/done/1.json", b"one")
    assert place.names("done") == ["done/1.json"]
    assert place.read("done/1.json") == b"one"
    other.pipe("bucket/deep/counts/done/1.json", b"three")
    with place.local("done/1.json") as path:
        assert path.read_bytes() == b"three"


def test_a_place_goes_to_other_processes(place: Place) -> None:
    if not place.shown.startswith("memory:"):  # which is of one process
        place.write("x", b"1")
        assert pickle.loads(pickle.dumps(place)).read("x") == b"1"


def test_what_is_written_is_there_whole_or_not_at_all(place: Place) -> None:
    def failing() -> None:
        with place.writing("done/b") as path:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with place.writing("done/a") as path:
        path.write_bytes(b"whole")
        assert place.names() == []
    with pytest.raises(StorageError, match=r"done/b(.|\n)*No space left"):
        failing()
    assert place.names() == ["done/a"]
    assert place.read("done/a") == b"whole"


def test_a_folder_that_cannot_be_listed_is_not_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place.of(tmp_path)
    place.write("done/1.json", b"one")
    scan = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "done":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("os.scandir", scandir)  # to the superuser, everything is allowed
    for below in ("", "done"):
        with pytest.raises(StorageError, match="Permission denied"):
            place.names(below)


def test_what_is_not_there_cannot_be_used(place: Place) -> None:
    with pytest.raises(StorageError, match=r"counts/nothing\.json"), place.local("nothing.json"):
        pass


def test_secrets_are_not_shown() -> None:
    address = "memory://me:secret@bucket/counts?token=s%20cret&n=1#hidden"
    place = Place.of(address)
    assert str(place) == "memory://bucket/counts"
    said = f"no answer of {address}: secret, 's cret' is wrong, 1 try of me"
    with pytest.raises(StorageError) as caught, reaching(address, "what.", StorageError, "do."):
        raise ConnectionError(said)
    assert not any(word in str(caught.value) for word in ("secret", "cret", "hidden"))
    assert "1 try of me" in str(caught.value)


def test_the_reason_of_an_error_of_urllib_is_told() -> None:
    with pytest.raises(StorageError) as caught, reaching("x://y", "what.", StorageError, "do."):
        raise URLError(ConnectionRefusedError(111, "Connection refused"))
    assert "Found: '[Errno 111] Connection refused'." in str(caught.value)


def test_connections_that_drop(s3: Between, tmp_path: Path) -> None:
    place = Place.of("s3://bucket/counts")
    content = bytes(range(256)) * 2000
    for upload, down in (([100_000, 200], []), ([], [50]), ([10], [10])):
        s3.upload_drops += upload
        s3.drops += down
        (tmp_path / "x").write_bytes(content)
        place.put(tmp_path / "x", "x")
        place.write("y", content[:200_000])
        s3.drops += [100_000, 300_000]
        assert place.read("x") == content
        with place.local("y") as path:
            assert path.read_bytes() == content[:200_000]
        s3.drops += [40, 80]
        assert place.names() == ["x", "y"]
        place.remove("y")
        assert place.names() == ["x"]
    assert not s3.drops
    assert not s3.upload_drops


def test_what_keeps_dropping_is_an_error_and_the_file_stays(s3: Between, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 100_000)
    s3.upload_drops += [1000] * 40
    with pytest.raises(
        StorageError, match=r"cannot write s3://bucket/counts/x(.|\n)*tried 4 times"
    ):
        Place.of("s3://bucket/counts").put(tmp_path / "x", "x")
    assert (tmp_path / "x").exists()
    s3.upload_drops.clear()
    assert Place.of("s3://bucket/counts").read("x") is None


def test_a_bucket_that_is_not_there(s3: Between, tmp_path: Path) -> None:
    place = Place.of("s3://nobucket/counts")
    (tmp_path / "x").touch()
    actions: list[Callable[[], object]] = [
        place.names,
        lambda: place.read("x"),
        lambda: place.write("x", b""),
        lambda: place.put(tmp_path / "x", "x"),
        lambda: place.local("x").__enter__(),
    ]
    for action in actions:
        with pytest.raises(StorageError, match=r"nothing is there(.|\n)*bucket") as caught:
            action()
        assert "tried" not in str(caught.value)


class Status(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class Answer:
    def __init__(self, status: int) -> None:
        self.status_code = status


class Answered(OSError):
    def __init__(self, response: object) -> None:
        self.response = response


class Certificate(OSError, ValueError):
    """As `ssl.SSLCertVerificationError` is."""


FINAL = [
    FileNotFoundError(),
    PermissionError(),
    OSError(errno.ENOSPC, "disk full"),
    OSError(errno.EINVAL, "no such name"),
    Status(404),
    Status(400),
    Answered(Answer(403)),
    Answered({"ResponseMetadata": {"HTTPStatusCode": 412}}),
    URLError(Certificate()),
    NotImplementedError(),
    ValueError(),
    StorageError("cannot"),
]
MOMENTARY = [
    ConnectionResetError(),
    TimeoutError(),
    OSError(errno.EIO, "error"),
    OSError("without a number"),
    EOFError(),
    IncompleteRead(b"", 3),
    URLError(ConnectionRefusedError()),
    Status(503),
    Status(429),
    Answered(Answer(500)),
    Answered({"ResponseMetadata": {"HTTPStatusCode": 503}}),
    type("ClientError", (Exception,), {"__module__": "aiohttp.client_exceptions"})(),
]


@pytest.mark.parametrize("error", FINAL, ids=repr)
def test_what_stays_as_it_is_is_not_tried_again(error: Exception) -> None:
    assert is_final(error)
    tries = []

    def attempt() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        retried(attempt)
    assert len(tries) == 1


@pytest.mark.parametrize("error", MOMENTARY, ids=repr)
def test_what_fails_for_the_moment_is_tried_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    results = [error, error, error, "content"]

    def attempt() -> str:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return str(result)

    assert retried(attempt) == "content"
    assert waits == [0.5, 1.0, 2.0]
    results[:] = [error] * 9
    with pytest.raises(type(error)) as caught:
        retried(attempt)
    assert len(results) == 5
    assert caught.value.__notes__ == ["tried 4 times"]


def test_a_driver_that_takes_long_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    tries = []

    def attempt() -> None:
        tries.append(1)
        clock[0] += 30
        raise TimeoutError

    with pytest.raises(TimeoutError):
        retried(attempt)
    assert len(tries) == 1


def test_addresses_of_this_machine(tmp_path: Path) -> None:
    assert local_path("s3://bucket/x") is None
    assert local_path("FILE:///data/a%20b/ü%25.txt") == Path("/data/a b/ü%.txt")
    assert local_path("file://localhost/data") == Path("/data")
    with pytest.raises(StorageError, match=r"three slashes") as caught:
        Place.of("file://data/counts")
    assert caught.value.is_usage


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(address: str, **options: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"s3://bucket/counts(.|\n)*toktk\[cloud\]"):
        Place.of("s3://bucket/counts")


def test_an_empty_name_is_not_this_folder() -> None:
    with pytest.raises(StorageError, match="empty name") as caught:
        Place.of("")
    assert caught.value.is_usage


def test_an_address_without_a_driver() -> None:
    with pytest.raises(StorageError) as caught:
        Place.of("nosuch://bucket/counts")
    assert "nosuch://bucket/counts" in caught.value.args[0]
