from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from toktk.cache import Store, code_digest
from toktk.errors import StorageError

KEY = {"corpus": "abc", "sizes": [1, 2]}


def save(text: str):
    def fill(folder: Path) -> None:
        (folder / "text").write_text(text)

    return fill


def load(folder: Path) -> str:
    return (folder / "text").read_text()


def cell(store: Store) -> Path:
    (folder,) = (store.root / "kind").iterdir()
    return folder


@pytest.fixture
def remarks() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, remarks: list[str]) -> Store:
    return Store(remarks.append, tmp_path / "cells")


def test_what_is_written_is_read(store: Store) -> None:
    assert store.read("kind", KEY, load) is None
    store.write("kind", KEY, save("found"))
    assert store.read("kind", KEY, load) == "found"
    assert store.read("kind", {**KEY, "sizes": [1, 2, 3]}, load) is None
    assert store.read("other", KEY, load) is None
    assert json.loads((cell(store) / "cell.json").read_text())["key"] == KEY


@pytest.mark.parametrize("damage", ["change", "delete", "manifest", "no manifest", "not JSON"])
def test_a_damaged_cell_is_made_anew(store: Store, damage: str) -> None:
    store.write("kind", KEY, save("found"))
    folder = cell(store)
    if damage == "change":
        (folder / "text").write_text("fount")
    elif damage == "delete":
        (folder / "text").unlink()
    elif damage == "manifest":
        (folder / "cell.json").write_text("[]")
    elif damage == "no manifest":
        (folder / "cell.json").unlink()
    else:
        (folder / "cell.json").write_text("{")
    assert store.read("kind", KEY, load) is None
    store.write("kind", KEY, save("again"))
    assert store.read("kind", KEY, load) == "again"


def test_a_cell_that_cannot_be_understood_is_made_anew(store: Store) -> None:
    store.write("kind", KEY, save("found"))

    def fail(folder: Path) -> str:
        raise KeyError("of another format")

    assert store.read("kind", KEY, fail) is None
    assert list((store.root / "kind").iterdir()) == []


def test_a_failing_save_leaves_nothing_and_is_raised(store: Store) -> None:
    def fail(folder: Path) -> None:
        (folder / "text").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write("kind", KEY, fail)
    assert list((store.root / "kind").iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), StorageError("cannot write x.")]
)
def test_a_full_disk_is_remarked_upon_once(
    store: Store, remarks: list[str], error: Exception
) -> None:
    def fail(folder: Path) -> None:
        raise error

    store.write("kind", KEY, fail)
    store.write("kind", KEY, save("later"))
    assert len(remarks) == 1
    assert "interrupted run starts anew" in remarks[0]
    assert store.read("kind", KEY, load) is None
    assert list((store.root / "kind").iterdir()) == []


def test_a_home_that_is_a_file(tmp_path: Path, remarks: list[str]) -> None:
    (tmp_path / "file").write_text("")
    store = Store(remarks.append, tmp_path / "file" / "cells")
    store.write("kind", KEY, save("x"))
    assert store.read("kind", KEY, load) is None
    assert len(remarks) == 1


def test_the_first_of_two_writers_stays(store: Store, remarks: list[str]) -> None:
    def slow(folder: Path) -> None:
        Store(root=store.root).write("kind", KEY, save("first"))
        save("second")(folder)

    store.write("kind", KEY, slow)
    assert store.read("kind", KEY, load) == "first"
    assert remarks == []
    assert len(list((store.root / "kind").iterdir())) == 1


def test_force_finds_nothing_and_replaces(store: Store) -> None:
    store.write("kind", KEY, save("old"))
    forced = Store(root=store.root, force=True)
    assert forced.read("kind", KEY, load) is None
    forced.write("kind", KEY, save("new"))
    assert store.read("kind", KEY, load) == "new"


def test_leftovers_of_killed_runs_go_after_a_day(store: Store) -> None:
    old, young = store.root / "kind" / ".old", store.root / "kind" / ".young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    store.write("kind", KEY, save("x"))
    assert not old.exists()
    assert young.exists()


def test_the_code_is_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, source in (("one_plugin", "a = 1"), ("two_plugin", "a = 2")):
        (tmp_path / f"{name}.py").write_text(source)
    assert code_digest("one_plugin") != code_digest("two_plugin")
    assert len(code_digest("toktk")) == 64
    assert code_digest("no_such_package_anywhere") == ""
