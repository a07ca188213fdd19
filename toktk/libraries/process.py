"""Tokenizers in a library, which runs in a child process: one for each library."""

from __future__ import annotations

import contextlib
import functools
import itertools
import weakref
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from toktk.child import Buffer, Child, ChildEnded, Refused, Service, engine_timeout
from toktk.errors import FormatError

WORKER = "toktk.libraries.worker"
"""The module that runs in the child."""

_STARTING = 300.0  # seconds for Python and the library's own modules
_ADVICE = {
    True: "Allow more time with --engine-timeout SECONDS, or leave this tokenizer out.",
    False: "Leave this tokenizer out.",
}
_numbers = itertools.count(1)
_keepers: list[None] = []  # one for each `kept_running` that goes on


class LibraryTokenizer:
    """A tokenizer in a library: it is loaded at the first question, and again after the child has ended.

    Args:
        package: one of `toktk.libraries.worker.LIBRARIES`.
        blobs, arguments: what its `load` takes.

    Attributes:
        library: the package and its version, such as ``tokenizers 0.23.3``.
    """

    def __init__(self, package: str, *blobs: Buffer, **arguments: Any) -> None:
        self.library = f"{package} {version(package)}"
        self._host = _host_of(package)
        self._number = next(_numbers)
        self._blobs, self._arguments = blobs, arguments
        self._loaded: Any = None
        weakref.finalize(self, self._host.forget, self._number).atexit = False

    def load(self) -> Any:
        """Load the tokenizer, unless it is loaded; return what the library says of it.

        Raises:
            Refused: the library refuses it.
            ChildEnded: the library took too long for so much data, or ended its process.
        """
        with self._host.turn() as child:
            self._load(child)
        return self._loaded

    def ask(self, what: str, *blobs: Buffer, **arguments: Any) -> tuple[Any, list[bytes]]:
        """Return the library's answer; see `toktk.libraries.worker`.

        Raises:
            Refused, ChildEnded: see `load`.
        """
        with self._host.turn() as child:
            self._load(child)
            return self._call(child, what, *blobs, **arguments)

    def failure(self, what: str, why: Refused | ChildEnded, where: str = "") -> FormatError:
        """Return the error that says what the library did with what it was asked."""
        if isinstance(why, Refused):
            end = (
                "." if where else ""
            )  # of its own words the library has ended the sentence, or not
            return FormatError(f"{what}.", f"{self.library} says: {why}{where}{end}")
        # What a library prints before it aborts is no news to a user; a Python error may be.
        detail = f": {why.complaint}" if why.is_error else ""
        found = f"Found: {self.library} {why.how}{where}{detail}."
        return FormatError(f"{what}.", found, _ADVICE[why.late])

    def _load(self, child: Child) -> None:
        if self._number not in self._host.loaded:
            self._loaded, _ = self._call(child, "load", *self._blobs, **self._arguments)
            self._host.loaded.add(self._number)

    def _call(
        self, child: Child, what: str, *blobs: Buffer, **arguments: Any
    ) -> tuple[Any, list[bytes]]:
        limit = engine_timeout(memoryview(blobs[0]).nbytes if blobs else 0)  # the text, or the file
        question = {"number": self._number, "method": what, "arguments": arguments}
        return child.ask("call", *blobs, limit=limit, question=question)


class _Host(Service):
    """A library's child; `loaded` are the numbers of the tokenizers that it holds."""

    def __init__(self, package: str) -> None:
        super().__init__(WORKER)
        self.loaded: set[int] = set()
        self._package = package
        _hosts.add(self)
        self._forgotten: list[int] = []

    @contextlib.contextmanager
    def turn(self) -> Iterator[Child]:
        """See `Service.turn`; the child has forgotten what it is to forget."""
        with super().turn() as child:
            forgotten, self._forgotten = self._forgotten, []
            if gone := self.loaded.intersection(forgotten):
                child.ask("forget", numbers=sorted(gone))
                self.loaded -= gone
            yield child

    def forget(self, number: int) -> None:
        """Have the child forget a tokenizer at the next question; see `end_if_idle`."""
        self._forgotten.append(number)
        self.end_if_idle()

    def end_if_idle(self) -> None:
        """End the child if it holds no tokenizer, and nobody wants it kept."""
        if not _keepers and self._lock.acquire(blocking=False):  # else it is at work
            try:
                if self._child is not None and self.loaded <= {*self._forgotten}:
                    self._child.close()
            finally:
                self._lock.release()

    def _open(self) -> Child:
        self.loaded.clear()
        return open_library(self._package)


_hosts = weakref.WeakSet[_Host]()


@functools.cache
def _host_of(package: str) -> _Host:
    return _Host(package)


@contextlib.contextmanager
def kept_running() -> Iterator[None]:
    """Let the libraries' children run on meanwhile, also where they hold no tokenizer for a while."""
    _keepers.append(None)
    try:
        yield
    finally:
        _keepers.pop()
        for host in tuple(_hosts):
            host.end_if_idle()


def start_ahead(package: str) -> None:
    """Start a library's child beside other work, where children are kept running."""
    if _keepers:
        _host_of(package).start()


def open_library(package: str) -> Child:
    """Start a child that has imported a library; see `toktk.libraries.worker.Session`."""
    child = Child(WORKER)
    child.ask("open", limit=_STARTING, library=package)
    return child
