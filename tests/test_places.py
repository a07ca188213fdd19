"""Places: the same face for a folder of this machine and for one behind an address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from toktk.errors import StorageError
from toktk.places import Place


@pytest.fixture(params=["folder", "address"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        yield Place.of(tmp_path / "counts")
        return
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


def test_what_is_not_there_cannot_be_used(place: Place) -> None:
    with pytest.raises(StorageError, match=r"counts/nothing\.json"), place.local("nothing.json"):
        pass


def test_secrets_are_not_shown() -> None:
    place = Place.of("memory://me:secret@bucket/counts?token=secret")
    assert "secret" not in str(place)


def test_an_address_without_a_driver() -> None:
    with pytest.raises(StorageError) as caught:
        Place.of("nosuch://bucket/counts")
    assert "nosuch://bucket/counts" in caught.value.args[0]
