"""The run directory: locked while it is written, replaced only when the new run is whole, and verified.

A new run is staged in a hidden folder inside, run.json with the hashes of all files last. Then its
files take their places, what the old run recorded and the new one lacks goes, and run.json takes its
place last. A process that is killed before run.json is staged leaves the old run as it was, and the
next run deletes the stage; later, the next run does the rest of the moves.

Nothing is written or deleted through a link, and nothing is deleted that no run.json records with
the hash it has. A folder inside which someone replaces files by links meanwhile is not defended.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from toktk.errors import StorageError
from toktk.lab.document import (
    CURVES,
    DOCUMENTS,
    LINES,
    NAME,
    OVERWRITE,
    PAGE,
    RESULTS,
    TOKEN_COUNTS,
    is_as_written,
    read_document,
    recorded_files,
)
from toktk.paths import sha256_of
from toktk.report.records import SCHEMA

try:
    import fcntl
except ImportError:  # Windows, where a folder cannot be locked
    fcntl = None  # type: ignore[assignment]

TOKENIZERS = "tokenizers"
_OWN = {NAME, RESULTS, DOCUMENTS, CURVES, TOKEN_COUNTS, LINES, TOKENIZERS, PAGE}
_STAGE = re.compile(r"\.toktk-[0-9a-f]{16}")
_DAY = 24 * 3600.0
_NAMED = 5  # of what a message lists


class RunFolder:
    """A run directory, which this process holds locked between `open_folder` and its end.

    Attributes:
        path: as the user gave it; links on the way there are followed, links inside are not.
        locked: whether no other process writes here; without locks nobody knows.
        busy: whether another process does; then what is here can be read alone.
    """

    def __init__(self, path: Path, locked: bool = False, busy: bool = False) -> None:
        self.path = path
        self.locked = locked
        self.busy = busy
        self._is_moving = False

    def refuse_if_busy(self) -> None:
        """Raise StorageError if another process writes here."""
        if self.busy:
            raise StorageError(
                f"another run is being written to {self.path}.",
                "Found: another process holds its lock.",
                "Wait until that one ends, or choose another folder with -o.",
            )

    def find(self, signature: str) -> dict[str, Any] | None:
        """Return run.json of this very run, complete; None if nothing is in the way of making it.

        Raises:
            StorageError: the folder holds something else, or a run.json that cannot be read.
        """
        document = read_document(self.path)
        if document is None:
            if strangers := self._strangers():
                raise StorageError(
                    f"{self.path} is not empty and not a run directory.",
                    f"Found: {_listed(strangers)}.",
                    "Choose another folder with -o, or write into it with --force.",
                )
            return None
        if document["signature"] != signature:
            raise StorageError(
                f"{self.path} holds another run.",
                f"Found: run {document['signature'][:8]} by toktk {document['toktk']}; this one is "
                f"{signature[:8]}.",
                OVERWRITE,
            )
        # What an older toktk wrote has no intervals: it can be read, and the same command makes it anew.
        is_current = document["schema"] == SCHEMA
        return document if is_current and self._is_complete(document) else None

    def _strangers(self) -> list[str]:
        names = sorted(child.name for child in self.path.iterdir())
        return [name for name in names if name not in _OWN and not name.startswith(".")]

    def _is_complete(self, document: dict[str, Any]) -> bool:
        """Return whether all that the run has is there, and as it was written."""
        files = recorded_files(document)
        needed = [f"{t['folder']}/{f}" for t in document["tokenizers"].values() if t.get("folder")
                  for f in t.get("files", ())]  # fmt: skip
        if document["evaluation"] is not None:
            needed += [RESULTS, *[CURVES] * (document.get("verb") != "bench")]
        return (
            is_as_written(document)
            and not document["failed"]
            and set(needed) <= files.keys()
            and all(self._is_recorded(name, record) for name, record in files.items())
        )

    def _is_recorded(self, name: str, record: Mapping[str, Any]) -> bool:
        """Return whether a file is there, through no link, with the size and the hash of its record."""
        *folders, last = name.split("/")
        try:
            file = self._inside(folders) / last
            found = file.lstat()
            is_same = stat.S_ISREG(found.st_mode) and found.st_size == record["size"]
            return is_same and sha256_of(file) == record["sha256"]
        except (OSError, StorageError):
            return False

    def make_room(self, labels: Iterable[str]) -> None:
        """Make sure that a run with these tokenizers can be written here, before hours of work.

        Raises:
            StorageError: the folder cannot be written, or a link or something else is in the way.
        """
        try:
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise _unwritable(self.path, error) from error
        for name in (NAME, RESULTS, DOCUMENTS, CURVES, TOKEN_COUNTS, LINES):
            self._target(name)
        for label in labels:
            folder = self._inside([TOKENIZERS, label])
            if folder.exists():
                self._target(f"{TOKENIZERS}/{label}/tokenizer.json")
                for child in folder.iterdir():
                    if child.is_symlink():
                        raise _in_the_way(child)

    def _target(self, name: str) -> Path:
        """Return where a file of a run goes; an error where a link or no regular file is."""
        *folders, last = name.split("/")
        path = self._inside(folders) / last
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise _in_the_way(path)
        return path

    def _inside(self, folders: Iterable[str]) -> Path:
        """Return a folder in the run directory, which need not exist; an error where a link leads out."""
        path = self.path
        for name in folders:
            path /= name
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if not _is_folder(found):
                raise _in_the_way(path)
        return path

    @contextlib.contextmanager
    def stage(self) -> Iterator[Path]:
        """Yield a new hidden folder for the files of a run, which goes at the end.

        It stays where `commit` was interrupted, for the next run to `recover`.
        """
        stage = self.path / f".toktk-{os.urandom(8).hex()}"
        try:
            stage.mkdir()
            yield stage
        except OSError as error:
            raise _unwritable(self.path, error) from error
        finally:
            if not self._is_moving:
                shutil.rmtree(stage, ignore_errors=True)

    def commit(self, stage: Path) -> list[str]:
        """Move a run that is staged whole into place, and delete what the one before it recorded.

        It can be done again after it was interrupted.

        Returns:
            what else is in the folder, by relative path: it stays.

        Raises:
            StorageError: something is in the way; if it was there before, nothing has been moved.
        """
        files = recorded_files(read_document(stage))
        try:
            staged = RunFolder(stage)
            moves = [(staged._target(name), self._target(name)) for name in (*files, NAME)]
            # What is not in the stage was moved before an interruption.
            moves = [(source, target) for source, target in moves if source.exists()]
            for _, target in moves:
                target.parent.mkdir(parents=True, exist_ok=True)
            *first, (new_document, document) = moves
            self._is_moving = True
            for source, target in first:
                source.replace(target)
            self._clear(files)
            new_document.replace(document)
            self._is_moving = False
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return self._left(files)

    def _clear(self, files: Iterable[str]) -> None:
        """Delete what the run that is replaced recorded, is as it was written, and is not in `files`."""
        try:
            earlier = recorded_files(read_document(self.path))
        except StorageError:
            earlier = {}
        # Where a file system ignores case, a new file may be found under an old name.
        new = {_identity(self.path / name) for name in files}
        for name, record in earlier.items():
            path = self.path / name
            if not self._is_recorded(name, record) or _identity(path) in new:
                continue
            path.unlink()
            if name.startswith(TOKENIZERS):
                for folder in (path.parent, path.parent.parent):
                    with contextlib.suppress(OSError):  # something else is in it
                        folder.rmdir()

    def _left(self, files: Iterable[str]) -> list[str]:
        known = {NAME, TOKENIZERS, "report.html", *files}
        known |= {name.rpartition("/")[0] for name in files}
        found = [child for child in self.path.iterdir() if not child.name.startswith(".")]
        with contextlib.suppress(OSError, StorageError):
            labels = list(self._inside([TOKENIZERS]).iterdir())
            found += labels
            for label in labels:
                if f"{TOKENIZERS}/{label.name}" in known:
                    found += label.iterdir()
        names = sorted(path.relative_to(self.path).as_posix() for path in found)
        return [name for name in names if name not in known]

    def recover(self) -> None:
        """Finish what a killed process had begun to move, and delete what it had staged.

        Without locks only what is a day old: a process may be at work.
        """
        with contextlib.suppress(OSError):  # such as a folder that cannot be written
            for child in list(self.path.iterdir()):
                found = child.lstat()
                if not _STAGE.fullmatch(child.name) or not _is_folder(found):
                    continue
                if self.locked or time.time() - found.st_mtime > _DAY:
                    with contextlib.suppress(StorageError):
                        if read_document(child) is not None:
                            self.commit(child)
                    shutil.rmtree(child, ignore_errors=True)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[RunFolder]:
    """Make a run directory if there is none, and hold it locked; what was made and stays empty goes.

    The system drops the lock of a process that ends, however it does, and no file is left of it.

    Raises:
        StorageError: the folder cannot be made.
    """
    try:
        made = [folder for folder in (path, *path.parents) if not folder.exists()]
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    descriptor: int | None = None
    folder = RunFolder(path)
    if fcntl is not None:
        try:
            descriptor = os.open(path, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.locked = True
        except BlockingIOError:
            folder.busy = True
        except OSError:  # a file system without locks
            pass
    try:
        yield folder
    finally:
        if not folder.busy:
            with contextlib.suppress(OSError):  # something is in it
                for empty in made:
                    empty.rmdir()
        if descriptor is not None:
            os.close(descriptor)


def files_in(stage: Path) -> dict[str, dict[str, Any]]:
    """Return all files below a folder, by relative path, with size and sha256."""
    paths = sorted(path for path in stage.rglob("*") if path.is_file())
    return {path.relative_to(stage).as_posix(): fact_of(path) for path in paths}


def fact_of(path: Path) -> dict[str, Any]:
    """Return what run.json records of a file: its size and sha256."""
    return {"size": path.stat().st_size, "sha256": sha256_of(path)}


def left_line(path: Path, left: list[str]) -> str:
    """Return what is said of files that a run leaves as they are."""
    return f"left in {path}, for no run wrote them as they are: {_listed(left)}"


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"


def _is_folder(found: os.stat_result) -> bool:
    # A junction of Windows is a folder that leads elsewhere.
    leads_away = getattr(found, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_REPARSE_POINT
    return stat.S_ISDIR(found.st_mode) and not leads_away


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _in_the_way(path: Path) -> StorageError:
    kind = "a link" if path.is_symlink() else "something that no run writes"
    return StorageError(
        f"cannot write {path}.",
        f"Found: {kind} in its place.",
        "Move it away, or choose another folder with -o.",
    )


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"cannot write to {path}.",
        f"Found: {error.strerror or error}.",
        "Free space, or choose another folder with -o.",
    )
