"""Text that comes through a pipe: kept in a file until the process ends, for it is read more than once."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import shutil
import stat
from pathlib import Path

from toktk.corpus.first_bytes import content_of
from toktk.errors import CorpusError
from toktk.paths import temporary_folder

_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_HEAD = 1 << 16
_PACKED = ("gzip", "zstd", "bz2", "xz")


def open_pipe(spec: str) -> int | None:
    """Return the descriptor that a spec names if it is to be read as a pipe: ``-``, ``<(cat x.txt)``.

    A pipe that has a name in a folder is none: nobody may ever write to it.
    """
    if spec in _STANDARD_INPUT:
        descriptor = 0
    elif match := _DESCRIPTOR.fullmatch(spec):
        descriptor = int(match[1])
    else:
        return None
    try:
        mode = os.fstat(descriptor).st_mode
    except (OSError, OverflowError):  # not open
        return None
    return descriptor if spec == "-" or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


def kept(descriptor: int) -> Path:
    """Return a file with all that a descriptor gives; later calls for it return the same file.

    What the first bytes are decides the file's extension: Parquet, Arrow, a zip archive, JSON
    Lines if the first line is an object, else plain text.

    Raises:
        CorpusError: it cannot be read, is compressed, or there is no room for it.
    """
    about = os.fstat(descriptor)
    return _kept(descriptor, (about.st_dev, about.st_ino))


@functools.cache
def _kept(descriptor: int, identity: tuple[int, int]) -> Path:
    name = "stdin" if descriptor == 0 else "pipe"
    folder = _folders().enter_context(temporary_folder())
    try:
        with os.fdopen(os.dup(descriptor), "rb") as pipe:
            head = pipe.read(_HEAD)
            path = folder / f"{name}{_extension(head, name)}"
            with path.open("wb") as file:
                file.write(head)
                shutil.copyfileobj(pipe, file, 1 << 20)
    except OSError as error:
        raise CorpusError(
            f"cannot keep what comes through {name}, which is read more than once.",
            f"Found: {error.strerror or error}.",
            "Write the text into a file, and give that, or choose another place with TOKTK_HOME=DIR.",
        ) from error
    return path


@functools.cache
def _folders() -> contextlib.ExitStack:
    folders = contextlib.ExitStack()
    atexit.register(folders.close)
    return folders


def _extension(head: bytes, name: str) -> str:
    content = content_of(head)
    if content and content.name in _PACKED:
        # By its first bytes alone, whether it is text or JSON Lines inside cannot be told.
        raise CorpusError(
            f"cannot read what comes through {name}: it is compressed.",
            f"Found: {content.name}, by its first bytes.",
            "Decompress it on the way, such as by gzip -dc x.jsonl.gz | toktk train -c -, or give the file.",
        )
    if content and content.name in ("parquet", "arrow"):
        return f".{content.name}"
    if content and content.name == "a zip archive":
        return ".zip"
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(json.loads(line), dict):
            return ".jsonl"
    # The first row may be longer than what was looked at.
    return ".jsonl" if line.startswith(b'{"') and len(line) > _HEAD // 2 else ".txt"
