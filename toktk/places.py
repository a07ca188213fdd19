"""Places: a folder on this machine, or behind an address such as ``s3://bucket/counts``, through fsspec.

What many machines share is written file by file, each in its place whole or not at all. Credentials are the
business of the driver of an address.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from toktk.errors import StorageError, ToktkError, clipped, in_a_line
from toktk.paths import atomic_write, temporary_folder

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_address(spec: str) -> bool:
    """Return whether a spec begins as an address does, with letters and ``://``."""
    return _ADDRESS.match(spec) is not None


def without_secrets(address: str) -> str:
    """Return an address without user, password and query, where keys stand."""
    before, slashes, rest = address.partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return before + slashes + host.rpartition("@")[2] + slash + path


class Place(ABC):
    """A folder. Names of files are relative to it, with slashes; their folders are made as needed.

    Attributes:
        shown: what messages call it, without what may be secret.
    """

    shown: str

    @staticmethod
    def of(where: str | Path) -> Place:
        """Return the place that a path or an address names; it need not exist.

        Raises:
            StorageError: no driver for such an address.
        """
        return _Remote(str(where)) if is_address(str(where)) else _Local(Path(where))

    def __str__(self) -> str:
        return self.shown

    @abstractmethod
    def names(self, below: str = "") -> list[str]:
        """Return the files of a folder of it, those of subfolders too, sorted; none where it is not there."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where there is none.

        Raises:
            StorageError: it is there and cannot be read.
        """

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of one that is there.

        Raises:
            StorageError: it cannot be written.
        """

    @abstractmethod
    def put(self, path: Path, name: str) -> None:
        """Move a file of this machine to a name here, in place of one that is there.

        Raises:
            StorageError: it cannot be written.
        """

    @abstractmethod
    def writing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Yield a path of this machine to write to; what it holds in the end is written, unless that fails.

        Here it is beside the file that it becomes, so that no other disk needs room.

        Raises:
            StorageError: it cannot be written.
        """

    @abstractmethod
    def local(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Yield the path of a file on this machine: itself, or a copy that goes in the end.

        Raises:
            StorageError: it is not there, or cannot be read.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            StorageError: it cannot be removed.
        """


class _Local(Place):
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

    def names(self, below: str = "") -> list[str]:
        folder = self.folder / below
        with self._at(below):
            return sorted(
                path.relative_to(self.folder).as_posix()
                for path in folder.rglob("*")
                if path.is_file() and not path.name.startswith(".")  # those are being written
            )

    def read(self, name: str) -> bytes | None:
        with self._at(name):
            try:
                return (self.folder / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        with atomic_write(self.folder / name) as unfinished:
            unfinished.write_bytes(content)

    def put(self, path: Path, name: str) -> None:
        with self.writing(name) as unfinished:
            shutil.move(path, unfinished)

    def writing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        return atomic_write(self.folder / name)

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with self._at(name):
            (self.folder / name).stat()
        yield self.folder / name

    def remove(self, name: str) -> None:
        with self._at(name):
            (self.folder / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _at(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot use {self.folder / name}.",
                f"Found: {error.strerror or error}.",
                "Check the path, and that you may use it.",
            ) from error


class _Remote(Place):
    """A folder behind an address."""

    def __init__(self, address: str) -> None:
        self.shown = without_secrets(address).rstrip("/")
        with self._at("", "open"):
            import fsspec

            self._system, root = fsspec.core.url_to_fs(address)
        self._root = root.rstrip("/")

    def names(self, below: str = "") -> list[str]:
        with self._at(below, "list"):
            # Other machines write there while this one looks: what was listed before is not asked.
            self._system.invalidate_cache()
            try:
                paths = self._system.find(self._path(below))
            except FileNotFoundError:
                return []
            root = PurePosixPath(self._root)
            return sorted(PurePosixPath(path).relative_to(root).as_posix() for path in paths)

    def read(self, name: str) -> bytes | None:
        with self._at(name, "read"):
            try:
                return bytes(self._system.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        with self._at(name, "write"):
            self._system.pipe_file(self._path(name), content)

    def put(self, path: Path, name: str) -> None:
        with self._at(name, "write"):
            self._system.put_file(str(path), self._path(name))
        path.unlink()

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with temporary_folder() as folder:
            unfinished = folder / PurePosixPath(name).name
            try:
                yield unfinished
            except OSError as error:
                raise StorageError(
                    f"cannot write {self.shown}/{name}.",
                    f"Found: {error.strerror or error}, of its copy on this machine.",
                    "Free space, or choose another place for temporary files with TOKTK_HOME=DIR.",
                ) from error
            self.put(unfinished, name)

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with temporary_folder() as folder:
            copy = folder / PurePosixPath(name).name
            with self._at(name, "read"):
                self._system.get_file(self._path(name), str(copy))
            yield copy

    def remove(self, name: str) -> None:
        with self._at(name, "remove"), contextlib.suppress(FileNotFoundError):
            self._system.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")

    @contextlib.contextmanager
    def _at(self, name: str, verb: str) -> Iterator[Any]:
        what = f"cannot {verb} {self.shown}{'/' * bool(name)}{name}."
        try:
            yield
        except ToktkError:
            raise
        except ImportError as error:
            raise StorageError(
                what,
                f"Found: no driver for such an address ({in_a_line(error)}).",
                "Install it beside toktk, or give a folder of this machine.",
            ) from error
        # Drivers are foreign code, with errors of their own: of networks, accounts, addresses.
        except Exception as error:
            raise StorageError(
                what,
                f"Found: {clipped(in_a_line(error) or type(error).__name__, 400)}.",
                "Check the address, the network, and that you may use it.",
            ) from error
