"""Temporary files and folders: hidden, locked by their owner, and removed when it is gone.

A name is ``.<what it becomes>.<machine>-<random>``. The owner holds a lock, which the system drops when a
process is killed: so whoever gets the lock may remove the thing at once, whatever the clock says. Of
another machine, whose locks may not be seen here, and where there are no locks (Windows), age decides.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_DAY = 24 * 3600  # seconds after which something is left over, where locks do not tell
_LONGEST = 50  # characters of a name that are kept: the system allows 255 bytes
# Versions before this one wrote no machine.
_NAME = re.compile(r"\.(.*)\.(?:([0-9a-f]{4})([0-9a-f]{4})-)?[0-9a-f]{8}", re.DOTALL)
_TRIES = 20

_owned: set[Path] = set()  # what this process has to remove


def beside(path: Path) -> Path:
    """Return a hidden path beside `path` that nobody else uses.

    `tempfile` is not for what is moved into place later: it makes private files, and the umask,
    which says how public they should be, cannot be read without setting it for all threads.
    """
    mark = "".join(_machine())
    return path.with_name(f".{path.name[:_LONGEST]}.{mark}-{os.urandom(4).hex()}")


@contextlib.contextmanager
def owned(path: Path, folder: bool = False, mode: int = 0o777) -> Iterator[Path]:
    """Make an empty file or folder beside `path`, and remove it in the end unless it was moved away.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):
        temporary = beside(path)
        with contextlib.ExitStack() as at_end:
            _owned.add(temporary)
            at_end.callback(_owned.discard, temporary)
            at_end.callback(remove, temporary)
            if folder:
                temporary.mkdir(mode)
            else:
                os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode & 0o666))
            if _lock(temporary, at_end) is not False:
                yield temporary
                return
    raise BlockingIOError(f"{path} is swept as fast as it is made")


def found(parent: Path, name: str | None = None) -> list[Path]:
    """Return what is temporary in a folder; with a `name`, what would become a file of that name."""
    matches = []
    with contextlib.suppress(OSError), os.scandir(parent) as children:
        for child in children:
            match = child.name.startswith(".") and _NAME.fullmatch(child.name)
            if match and (name is None or (match[1] == name[:_LONGEST] and match[2])):
                matches.append(parent / child.name)
    return matches


def sweep(parent: Path, name: str | None = None) -> None:
    """Remove what killed processes left of that which `found` returns."""
    for path in found(parent, name):
        remove_if_left(path)


def remove_if_left(path: Path) -> bool:
    """Remove something temporary if its owner is gone; return whether it is gone, too."""
    match = _NAME.fullmatch(path.name)
    here = match is not None and any(map(str.__eq__, _machine(), match.groups("")[1:]))
    with contextlib.ExitStack() as at_end:
        left = _lock(path, at_end, exclusive=True) if here else None
        if left is None:
            with contextlib.suppress(OSError):
                left = time.time() - path.lstat().st_mtime > _DAY
        if left:
            remove(path)
    return not os.path.lexists(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder and all in it, as far as that can be done."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def remove_all() -> None:
    """Remove all that this process owns, for it is about to end while other threads go on."""
    for path in list(_owned):
        with contextlib.suppress(OSError):
            # Nobody moves into place what is half-removed.
            gone = path.with_name(path.name[:-8] + os.urandom(4).hex())
            path.rename(gone)
            remove(gone)


def _lock(path: Path, at_end: contextlib.ExitStack, exclusive: bool = False) -> bool | None:
    """Return whether a lock is held until `at_end`: not if the path is another's or gone.

    None says that nobody knows, for there are no locks.
    """
    if fcntl is None:
        return None
    flags = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        try:
            # A network file system wants it so.
            descriptor = os.open(path, flags | (os.O_RDWR if exclusive else os.O_RDONLY))
        except IsADirectoryError:
            descriptor = os.open(path, flags | os.O_RDONLY)
        at_end.callback(os.close, descriptor)
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        return None


@functools.cache
def _machine() -> tuple[str, str]:
    """Return marks of the machine's name, and of its system since it was started.

    Containers of one machine have names of their own and see each other's locks.
    """
    name = os.uname().nodename if hasattr(os, "uname") else ""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        started = name
    name, started = (hashlib.sha256(x.encode()).hexdigest()[:4] for x in (name, started))
    return name, started
