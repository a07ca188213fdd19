"""Where toktk keeps what it computes once: ``TOKTK_HOME``, else the user's cache directory."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from toktk.errors import StorageError


def home() -> Path:
    """Return the cache directory: ``$TOKTK_HOME``, else the platform's user cache for toktk."""
    chosen = os.environ.get("TOKTK_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("toktk"))


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it vanishes.

    Raises:
        StorageError: the directory cannot be written, or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes private files; results are meant to be shared like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}.",
            f"Found: {error.strerror or error}.",
            "Free space, or choose another place with -o DIR or TOKTK_HOME=DIR.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
