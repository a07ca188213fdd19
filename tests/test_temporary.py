"""Temporary files: whose owner lives stay, whatever their age; whose owner is gone go at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from toktk import paths, temporary
from toktk.errors import StorageError

locking = pytest.mark.skipif(sys.platform == "win32", reason="Windows locks by open files")

OWNER = """
import sys
from pathlib import Path
from toktk import paths, temporary
kind, path = sys.argv[1], Path(sys.argv[2])
made = {
    "file": lambda: paths.atomic_write(path),
    "folder": lambda: temporary.owned(path, folder=True),
    "timing": paths.temporary_folder,
}
with made[kind]() as unfinished:
    if unfinished.is_dir():
        (unfinished / "below").mkdir()
        (unfinished / "below" / "file").write_text("x")
    print(unfinished, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def owner(kind: str, path: Path) -> Iterator[Path]:
    """Yield what another process writes, which is killed in the end."""
    command = [sys.executable, "-c", OWNER, kind, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


def age(path: Path) -> None:
    """Make a file or folder as old as the clock goes back."""
    os.utime(path, (0, 0))


@locking
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_it_stays_while_its_owner_lives_and_goes_with_it(tmp_path: Path, kind: str) -> None:
    with owner(kind, tmp_path / "a") as unfinished:
        age(unfinished)
        temporary.sweep(tmp_path)
        assert not temporary.remove_if_left(unfinished)
        assert unfinished.exists()
    assert unfinished.exists()
    assert temporary.found(tmp_path) == [unfinished]
    temporary.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert temporary.remove_if_left(unfinished)  # gone already


@locking
def test_a_writer_sweeps_what_was_to_become_the_same_file(tmp_path: Path) -> None:
    with owner("file", tmp_path / "a") as dead, owner("file", tmp_path / "b") as other:
        pass
    users = [tmp_path / ".a.0123abcd", tmp_path / ".a.txt", tmp_path / ".a.01234567-0123abcd.txt"]
    for path in users:
        path.write_text("the user's")
        age(path)
    with owner("file", tmp_path / "a") as living, paths.atomic_write(tmp_path / "a") as mine:
        assert not dead.exists()
        assert living.exists()
        mine.write_text("written")
    assert (tmp_path / "a").read_text() == "written"
    assert {*tmp_path.iterdir()} == {tmp_path / "a", living, other, *users}


@locking
def test_of_another_machine_age_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        stack.enter_context(owner("file", tmp_path / "young"))
        old = stack.enter_context(owner("file", tmp_path / "old"))
    age(old)
    monkeypatch.setattr(temporary, "_machine", lambda: ("here", "now!"))
    temporary.sweep(tmp_path)
    assert [path.name.split(".")[1] for path in tmp_path.iterdir()] == ["young"]


def test_either_mark_of_the_machine_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name, started = temporary._machine()
    for other in ((name, "0000"), ("0000", started)):
        monkeypatch.setattr(temporary, "_machine", lambda other=other: other)
        path = temporary.beside(tmp_path / "a")
        path.touch()
        monkeypatch.undo()
        assert temporary.remove_if_left(path) is (sys.platform != "win32")


def test_where_there_are_no_locks_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "fcntl", None)
    young, old = (temporary.beside(tmp_path / name) for name in ("young", "old"))
    for path in (young, old):
        path.mkdir()
    age(old)
    temporary.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    with paths.atomic_write(tmp_path / "a") as unfinished:
        unfinished.write_text("x")
    assert (tmp_path / "a").exists()


@locking
@pytest.mark.parametrize("times", [1, 3])
def test_what_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    lock, swept = temporary._lock, []

    def late(path: Path, *args: object, **kwargs: object) -> bool | None:
        if len(swept) < times:
            swept.append(path)
            temporary.remove(path)
        return lock(path, *args, **kwargs)

    monkeypatch.setattr(temporary, "_lock", late)
    with temporary.owned(tmp_path / "a", folder=True) as unfinished:
        assert unfinished.is_dir()
        assert unfinished not in swept
    assert len(swept) == times
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    link = temporary.beside(tmp_path / "a")
    link.symlink_to(tmp_path / "mine")
    temporary.sweep(tmp_path)
    temporary.remove(link)
    assert (tmp_path / "mine" / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 255, "語" * 85, "a\nb.c-", ".hidden", "日.本"])
def test_any_name_can_be_written(tmp_path: Path, name: str) -> None:
    for text in ("first", "second"):
        with paths.atomic_write(tmp_path / name) as unfinished:
            unfinished.write_text(text)
            assert temporary.found(tmp_path, name) == [unfinished]
    assert (tmp_path / name).read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_all_that_a_process_owns_goes_at_once(tmp_path: Path) -> None:
    before = set(temporary._owned)  # what standard input of other tests came to
    with ExitStack() as stack:
        for i, folder in enumerate((True, False)):
            unfinished = stack.enter_context(temporary.owned(tmp_path / f"{i}", folder=folder))
            if folder:
                (unfinished / "file").write_text("x")
        assert len(list(tmp_path.iterdir())) == 2
        temporary.remove_all()
        assert list(tmp_path.iterdir()) == []
    assert temporary._owned == before


# The folder for what is timed


def test_the_folder_is_at_home_and_private(home: Path) -> None:
    with paths.temporary_folder() as folder:
        assert folder.parent == home / "temporary"
        if os.name == "posix":
            assert folder.stat().st_mode & 0o777 == 0o700
    assert list((home / "temporary").iterdir()) == []


@locking
def test_what_a_killed_process_left_goes_with_the_next(home: Path) -> None:
    with owner("timing", home) as left:
        pass
    assert (left / "below" / "file").exists()
    with paths.temporary_folder() as folder:
        assert list((home / "temporary").iterdir()) == [folder]


@pytest.mark.parametrize("trouble", ["a file", "nearly full"])
def test_without_room_at_home_it_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "home"))
    if trouble == "a file":
        (tmp_path / "home").touch()
    else:

        def usage(path: Path) -> SimpleNamespace:
            return SimpleNamespace(free=10**9 if path.parent == elsewhere else 10**6)

        monkeypatch.setattr(paths.shutil, "disk_usage", usage)
    with paths.temporary_folder() as folder:
        assert folder.parent == elsewhere
    assert list(elsewhere.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "home" / "none"))
    with pytest.raises(StorageError, match="TMPDIR"), paths.temporary_folder():
        pass
