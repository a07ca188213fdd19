"""Where toktk keeps what it computes once: ``TOKTK_HOME``, else the user's cache directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from toktk.errors import StorageError


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


def beside(path: Path) -> Path:
    """Return a hidden path beside `path` that nobody else uses.

    `tempfile` is not for what is moved into place later: it makes private files, and the umask,
    which says how public they should be, cannot be read without setting it for all threads.
    """
    return path.with_name(f".{path.name}.{os.urandom(4).hex()}")


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it vanishes.

    Raises:
        StorageError: the directory cannot be written, or the disk is full.
    """
    temporary = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}.",
            f"Found: {error.strerror or error}.",
            "Free space, or choose another place with -o DIR or TOKTK_HOME=DIR.",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # such as a folder that is a file
            temporary.unlink(missing_ok=True)
