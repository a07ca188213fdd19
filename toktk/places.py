"""Places: a folder on this machine, or behind an address such as ``s3://bucket/counts``, through fsspec.

What many machines share is written file by file, each in its place whole or not at all. Credentials are the
business of the driver of an address.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from toktk.errors import (
    MissingExtraError,
    StorageError,
    ToktkError,
    as_usage,
    clipped,
    in_a_line,
)
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


def _redacted(said: str, address: str) -> str:
    """Return what a driver says of an address without what `without_secrets` leaves out of it."""
    place, *queries = re.split(r"[?#]", address.partition("://")[2])
    login = place.partition("/")[0].rpartition("@")[0]
    values = re.findall(r"=([^&]+)", "&".join(queries))
    secrets = [login, login.partition(":")[2], *queries, *values]
    for secret in sorted({*secrets, *map(unquote, secrets)}, key=len, reverse=True):
        if len(secret) > 3:  # shorter ones are words and numbers that stand elsewhere, too
            said = said.replace(secret, "…")
    return said


def local_path(address: str) -> Path | None:
    """Return the path of a ``file://`` address; None of another one.

    Raises:
        StorageError: it names another machine.
    """
    if _protocol(address) not in ("file", "local"):
        return None
    from urllib.request import url2pathname

    host, path = urlsplit(address)[1:3]
    if host not in ("", "localhost"):
        raise as_usage(
            StorageError(
                f"{without_secrets(address)} is on another machine.",
                f"Found: the host {host!r}.",
                "Give a path, or file:///path, with three slashes.",
            )
        )
    return Path(url2pathname(path))


def _protocol(address: str) -> str:
    return address.partition("://")[0].lower()


def system_of(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec that serves an address, and the path there."""
    import fsspec

    protocol, slashes, rest = address.partition("://")
    protocol, options = protocol.lower(), {}
    if protocol in ("s3", "s3a") and "AWS_MAX_ATTEMPTS" not in os.environ:
        # The driver tries again, and so does `retried`: if botocore did, too, silence would take minutes.
        options = {"config_kwargs": {"retries": {"total_max_attempts": 1}}}
    system, path = fsspec.core.url_to_fs(protocol + slashes + rest, **options)
    return system, path


def check_bucket(address: str) -> None:
    """Raise a `FileNotFoundError` where the bucket of an address is missing: a folder need not be there."""
    system, path = system_of(address)
    bucket = path.partition("/")[0]
    if _protocol(address) in _BUCKETS and not system.exists(bucket):
        raise FileNotFoundError(f"no bucket {bucket}")


WAITS = (0.5, 1.0, 2.0)
"""Seconds before what failed for the moment is tried again."""

_LONG = 20.0
"""Seconds after which nothing is: a driver that takes so long to fail has tried by itself."""

_AT_ONCE = 16
_BUCKETS = ("s3", "s3a", "gs", "gcs")
"""Whose addresses begin with a bucket, which has to be there, unlike a folder."""
_TRANSIENT_STATUS = (408, 425, 429)  # of those below 500
_FINAL_NUMBERS = frozenset(
    getattr(errno, name)
    for name in (
        "EACCES", "EDQUOT", "EEXIST", "EFBIG", "EINVAL", "EISDIR", "EMSGSIZE", "ENAMETOOLONG", "ENOENT",
        "ENOSPC", "ENOSYS", "ENOTDIR", "EPERM", "EROFS",
    )
    if hasattr(errno, name)
)  # fmt: skip
_TRANSIENT = frozenset(
    (
        "aiohttp.client_exceptions.ClientError",
        "botocore.exceptions.ConnectionError",
        "botocore.exceptions.HTTPClientError",
        "botocore.exceptions.IncompleteReadError",
        "google.auth.exceptions.TransportError",
        "http.client.HTTPException",
        "httpx.TransportError",
        "paramiko.ssh_exception.SSHException",
        "urllib3.exceptions.HTTPError",
    )
)
"""Errors of networks that are no `OSError`, by the names of their classes: nothing imports these here."""

_Result = TypeVar("_Result")


def is_final(error: BaseException) -> bool:
    """Return whether an error of a driver stays as it is, however often one tries."""
    if (status := _status(error)) is not None:
        return 400 <= status < 500 and status not in _TRANSIENT_STATUS
    inner = getattr(error, "reason", None)  # as `urllib` wraps them
    if isinstance(inner, OSError):
        return is_final(inner)
    if isinstance(error, OSError):
        # A certificate that does not hold is both, and no other one comes.
        return error.errno in _FINAL_NUMBERS or isinstance(
            error, FileNotFoundError | PermissionError | FileExistsError | ValueError
        )
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not (isinstance(error, EOFError) or names & _TRANSIENT)


def _status(error: BaseException) -> int | None:
    """Return the status of HTTP that an error came with, or the answer that a cause of it holds."""
    candidates = [getattr(error, "status", None), getattr(error, "code", None)]
    cause: BaseException | None = error
    while cause is not None:
        answer = getattr(cause, "response", None)
        if isinstance(answer, dict):  # of botocore
            candidates.append(answer.get("ResponseMetadata", {}).get("HTTPStatusCode"))
        candidates.append(getattr(answer, "status_code", None))
        cause = cause.__cause__
    return next((each for each in candidates if isinstance(each, int) and 400 <= each < 600), None)


def retried(attempt: Callable[[], _Result]) -> _Result:
    """Return what `attempt` does, called again after each of `WAITS` where it fails for the moment.

    The last error has a note of how often it was tried, which `reaching` shows.
    """
    waits, end, n = iter(WAITS), time.monotonic() + _LONG, 0
    while True:
        n += 1
        try:
            return attempt()
        except Exception as error:
            if is_final(error):
                raise
            wait = next(waits, None) if time.monotonic() < end else None
            if wait is None:
                error.add_note(f"tried {n} times" if n > 1 else "tried once, for a long time")
                raise
            time.sleep(wait)


@contextlib.contextmanager
def reaching(address: str, what: str, kind: type[ToktkError], advice: str) -> Iterator[None]:
    """Say what went wrong with an address inside the block, in an error of a `kind`."""
    try:
        yield
    except ToktkError:
        raise
    except ImportError as error:
        protocol = _protocol(address)
        found = f"no driver for {protocol}:// ({in_a_line(error)})"
        if protocol in _BUCKETS:
            raise MissingExtraError(f"{what.removesuffix('.')}: {found}.", "cloud") from error
        raise kind(what, f"Found: {found}.", f"Install it beside toktk. {advice}") from error
    # Drivers are foreign code, with errors of their own: of networks, accounts, addresses.
    except Exception as error:
        inner = getattr(error, "reason", None)  # as `urllib` wraps them
        reason = inner if isinstance(inner, OSError) else error
        said = in_a_line(reason) or type(reason).__name__
        said = clipped(_redacted(said, address), 400)
        if isinstance(error, FileNotFoundError):
            said = f"nothing is there ({said})"
        elif isinstance(error, PermissionError):
            said = f"it is not allowed ({said})"
        often = "".join(f", {note}" for note in getattr(error, "__notes__", []))
        raise kind(what, f"Found: {said}{often}.", advice) from error


class Place(ABC):
    """A folder. Names of files are relative to it, with slashes; their folders are made as needed.

    Attributes:
        shown: what messages call it, without what may be secret.
        folder: where it is on this machine; None behind an address.
    """

    shown: str
    folder: Path | None = None

    @staticmethod
    def of(where: str | Path) -> Place:
        """Return the place that a path or an address names; it need not exist.

        Raises:
            StorageError: no driver for such an address, or the name is empty.
        """
        if not str(where):
            raise as_usage(
                StorageError("no folder has an empty name.", "Give a path, or an address.")
            )
        if not is_address(str(where)):
            return _Local(Path(where))
        path = local_path(str(where))
        return _Remote(str(where)) if path is None else _Local(path)

    def __str__(self) -> str:
        return self.shown

    @property
    def quoted(self) -> str:
        """What a command that users copy calls it: `shown`, as a word of a shell."""
        return shlex.quote(self.shown)

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

    def put_all(self, paths: Mapping[str, Path]) -> None:
        """Move files of this machine to names here, as `put` does; behind an address many at a time.

        Raises:
            StorageError: one cannot be written; others may have been.
        """
        for name, path in paths.items():
            self.put(path, name)

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

    folder: Path

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown = str(folder)

    def names(self, below: str = "") -> list[str]:
        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                raise error

        with self._at(below):
            return sorted(
                Path(folder, name).relative_to(self.folder).as_posix()
                for folder, _, names in os.walk(self.folder / below, onerror=refuse)
                for name in names
                if not name.startswith(".")  # those are being written
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
    """A folder behind an address. What fails for the moment is tried again."""

    def __init__(self, address: str) -> None:
        self.shown = without_secrets(address).rstrip("/")
        self._address = address
        with self._at("", "open"):
            self._root = system_of(address)[1].rstrip("/")

    def names(self, below: str = "") -> list[str]:
        def listed(system: Any) -> list[str]:
            # Other machines write there while this one looks: what was listed before is not asked.
            system.invalidate_cache()
            try:
                paths: list[str] = system.find(self._path(below))
            except FileNotFoundError:
                paths = []
            if not paths:
                check_bucket(self._address)
            return paths

        root = PurePosixPath(self._root)
        paths = self._do("list", below, listed)
        return sorted(PurePosixPath(path).relative_to(root).as_posix() for path in paths)

    def read(self, name: str) -> bytes | None:
        def content(system: Any) -> bytes | None:
            try:
                return bytes(system.cat_file(self._path(name)))
            except FileNotFoundError:
                check_bucket(self._address)
                return None

        return self._do("read", name, content)

    def write(self, name: str, content: bytes) -> None:
        self._do("write", name, lambda system: system.pipe_file(self._path(name), content))

    def put(self, path: Path, name: str) -> None:
        self._do("write", name, lambda system: system.put_file(str(path), self._path(name)))
        path.unlink()

    def put_all(self, paths: Mapping[str, Path]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in [pool.submit(self.put, path, name) for name, path in paths.items()]:
                done.result()

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
            copy = str(folder / PurePosixPath(name).name)
            self._do("read", name, lambda system: system.get_file(self._path(name), copy))
            yield Path(copy)

    def remove(self, name: str) -> None:
        def removed(system: Any) -> None:
            with contextlib.suppress(FileNotFoundError):
                system.rm_file(self._path(name))

        self._do("remove", name, removed)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")

    def _do(self, verb: str, name: str, work: Callable[[Any], _Result]) -> _Result:
        with self._at(name, verb):
            # Asked for each time, for a driver does not outlive a fork; it is the same one in a process.
            return retried(lambda: work(system_of(self._address)[0]))

    def _at(self, name: str, verb: str) -> contextlib.AbstractContextManager[None]:
        what = f"cannot {verb} {self.shown}{'/' * bool(name)}{name}."
        advice = "Check the address, the network, and that you may use it."
        return reaching(self._address, what, StorageError, advice)
