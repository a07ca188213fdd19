"""Files of this machine: where toktk keeps what it computes once, written whole, known by their hash.

That is ``TOKTK_HOME``, else the user's cache directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from toktk import temporary
from toktk.errors import StorageError

_ROOM = 100 * 10**6  # bytes that temporary files may need


FILE, FOLDER = "a file", "a folder"
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: FOLDER,
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def kind(mode: int) -> str:
    """Return in words what a file of this `st_mode` is."""
    return _KINDS.get(stat.S_IFMT(mode), "something else")


def home() -> Path:
    """Return the cache directory, which need not exist.

    Raises:
        StorageError: it lies below a home directory that there is not.
    """
    chosen = os.environ.get("TOKTK_HOME")
    try:
        if chosen:
            return Path(chosen).expanduser()
        import platformdirs

        return Path(platformdirs.user_cache_dir("toktk"))
    except RuntimeError as error:
        raise StorageError(
            "cannot tell where toktk keeps what it computes.",
            f"Found: {f'TOKTK_HOME={chosen}' if chosen else 'no TOKTK_HOME'}, "
            "and no home directory of that user.",
            "Set TOKTK_HOME=DIR to a folder that you may write to.",
        ) from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it vanishes.

    Raises:
        StorageError: the directory cannot be written, or the disk is full.
    """
    try:
        temporary.sweep(path.parent, path.name)
        with temporary.owned(path) as unfinished:
            yield unfinished
            unfinished.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}.",
            f"Found: {error.strerror or error}.",
            f"Free space, or choose another place with {_option_for(path)}.",
        ) from error


def _option_for(path: Path) -> str:
    with contextlib.suppress(StorageError, OSError):  # no home, or no current folder
        if path.absolute().is_relative_to(home().absolute()):
            return "TOKTK_HOME=DIR"
    return "-o"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder that goes in the end, or is swept after this process was killed.

    It is under ``TOKTK_HOME/temporary``; where that cannot be written or is nearly full, in the system's
    folder for such things.

    Raises:
        StorageError: there is room in neither.
    """
    reason = "the disk is nearly full"
    with contextlib.ExitStack() as at_end:
        for at_home in (True, False):
            try:
                parent = home() / "temporary" if at_home else Path(tempfile.gettempdir())
                temporary.sweep(parent, "toktk")
                owned = temporary.owned(parent / "toktk", folder=True, mode=0o700)
                folder = at_end.enter_context(owned)
                if shutil.disk_usage(folder).free >= _ROOM:
                    break
            except OSError as error:
                reason = error.strerror or str(error)
        else:
            raise StorageError(
                "there is no room for temporary files.",
                f"Found: {reason}.",
                "Free space, or choose other places with TOKTK_HOME=DIR and TMPDIR=DIR.",
            )
        yield folder
