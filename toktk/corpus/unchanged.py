"""Files that are read more than once: what one looked like at first, and whether it still does."""

from __future__ import annotations

import io
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from toktk.corpus.find import not_a_file
from toktk.errors import CorpusError
from toktk.paths import kind

_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

_TICK, _COARSE_TICK = 20_000_000, 2_000_000_000
"""Nanoseconds within which two writes may leave the same time; the coarse one of whole seconds."""


class AtAddress(Protocol):
    """A file that is on no disk of this machine."""

    @property
    def state(self) -> State:
        """What tells that it was written to."""


Watched: TypeAlias = "io.FileIO | AtAddress"


class State(NamedTuple):
    """What tells that a file was written to: its size in bytes, and times in nanoseconds.

    `changed` is set by the system at each write, also where `modified` is set back. Device and inode
    are left out: some network file systems number a file anew at each opening.
    """

    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, file: Watched) -> State:
        """Return the state of an open file."""
        if not isinstance(file, io.FileIO):
            return file.state
        about = os.fstat(file.fileno())
        return cls(about.st_size, about.st_mtime_ns, about.st_ctime_ns)

    def __str__(self) -> str:
        seconds, below = divmod(max(self.modified, self.changed), 10**9)
        return f"{self.size:,} bytes, last touched {np.datetime64(seconds, 's')}.{below:09}"

    def settle(self) -> None:
        """Wait until a write from now on leaves another time than the last one did."""
        for moment in (self.modified, self.changed):
            tick = _TICK if moment % 10**9 else _COARSE_TICK
            left = moment + tick - time.time_ns()
            if 0 < left <= tick:
                time.sleep(left / 1e9)


def open_file(path: Path) -> io.FileIO:
    """Open a regular file to read it, unbuffered; a pipe or a device is not waited for.

    Raises:
        CorpusError: it is no regular file.
        OSError: it cannot be opened.
    """
    if not stat.S_ISREG(mode := path.stat().st_mode):
        raise not_a_file(path, kind(mode))
    # Asked again of the open file: another may lie there by now.
    file = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | _NO_WAITING))
    if not stat.S_ISREG(mode := os.fstat(file.fileno()).st_mode):
        file.close()
        raise not_a_file(path, kind(mode))
    file.seek(0)  # /dev/stdin is on some systems the same opening again, read already
    return file


def check_unchanged(file: Watched, where: str, first: State) -> None:
    """Raise a `CorpusError` if the file is not as it was at `first`."""
    now = State.of(file)
    if now != first:
        raise CorpusError(
            f"{where} changed while it was in use.",
            f"Found: {now}; at first: {first}.",
            "Run again when nobody writes to it. Nothing was kept of the changed text.",
        )
