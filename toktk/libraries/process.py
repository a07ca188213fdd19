"""A library with one tokenizer, in a child process."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from toktk.child import Buffer, Child, ChildEnded, Refused, engine_timeout, kills
from toktk.errors import FormatError

_STARTING = 300.0  # seconds for Python and the library's own modules
_KEPT = 8  # children that wait for something to do; a tokenizer whose child had to go loads again
_ADVICE = "Allow more time with --engine-timeout SECONDS, or leave this tokenizer out."

_recent: deque[weakref.ref[LibraryProcess]] = deque()
_lock = threading.Lock()


class LibraryProcess:
    """A tokenizer in a library: the child starts at the first question, and again after it has ended.

    Args:
        library: the package, which is one of `toktk.libraries.worker.LIBRARIES`.
        blobs, arguments: what its `load` takes.

    Attributes:
        library: the package and its version, such as ``tokenizers 0.23.3``.
    """

    def __init__(self, library: str, *blobs: Buffer, **arguments: Any) -> None:
        self.library = f"{library} {version(library)}"
        self._package, self._blobs, self._arguments = library, blobs, arguments
        self._child: Child | None = None
        self._loaded: Any = None
        self._lock = threading.Lock()

    def load(self) -> Any:
        """Load the tokenizer, unless it is loaded; return what the library says of it."""
        with self._lock:
            self._start()
        return self._loaded

    def ask(self, what: str, *blobs: Buffer, **arguments: Any) -> tuple[Any, list[bytes]]:
        """Return the library's answer; see `toktk.libraries.worker`.

        Raises:
            Refused: the library refuses it.
            ChildEnded: the library took too long for so much data, or ended its process.
        """
        began = kills()
        limit = engine_timeout(sum(memoryview(blob).nbytes for blob in blobs))
        with self._lock:
            if kills() != began:
                raise ChildEnded("was interrupted", interrupted=True)
            return self._start().ask(what, *blobs, limit=limit, **arguments)

    def failure(self, what: str, why: Refused | ChildEnded, where: str = "") -> FormatError:
        """Return the error that says what the library did with what it was asked."""
        if isinstance(why, Refused):
            return FormatError(f"{what}.", f"{self.library} says: {why}{where}")
        # What a library prints before it aborts is no news to a user; a Python error may be.
        detail = f": {why.complaint}" if why.is_error else ""
        return FormatError(f"{what}.", f"Found: {self.library} {why.how}{where}{detail}.", _ADVICE)

    def close(self) -> None:
        """End the child unless it is at work."""
        if self._lock.acquire(blocking=False):
            try:
                if self._child is not None:
                    self._child.close()
            finally:
                self._lock.release()

    def _start(self) -> Child:
        if self._child is not None and self._child.running:
            return self._child
        self._child = open_library(self._package)
        limit = engine_timeout(sum(memoryview(blob).nbytes for blob in self._blobs))
        self._loaded, _ = self._child.ask("load", *self._blobs, limit=limit, **self._arguments)
        _keep(self)
        return self._child


def open_library(package: str) -> Child:
    """Start a child that has imported a library."""
    child = Child("toktk.libraries.worker")
    child.ask("open", limit=_STARTING, library=package)
    return child


def _keep(process: LibraryProcess) -> None:
    """Count a process among those that are kept, and end the oldest beyond `_KEPT`."""
    with _lock:
        others: Sequence[LibraryProcess | None] = [reference() for reference in _recent]
        kept = [other for other in others if other is not None and other is not process]
        _recent.clear()
        _recent.extend(map(weakref.ref, [*kept, process][-_KEPT:]))
    for other in kept[: max(0, len(kept) + 1 - _KEPT)]:
        other.close()
