"""Storing: finished work is written to the store by a thread beside what goes on, and none of it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from toktk.runtime import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future


class Storing:
    """What is to be written to the store, in this order."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._thread = Threads(1)
        self._begun: list[Future[None]] = []
        self._writing = threading.Lock()

    def add(self, write: Callable[[], None]) -> None:
        """Have `write` called, which holds what it writes, by `begin` or `finish`."""
        self._waiting.append(write)

    def begin(self) -> None:
        """Begin to write what waits, beside."""
        if self._waiting:
            self._begun.append(self._thread.submit(self._write))

    def finish(self) -> None:
        """Return when all is written: to be called whatever ends the work. The first error is raised."""
        while self._begun:
            self._begun[0].result()
            del self._begun[0]
        self._write()

    def _write(self) -> None:
        with self._writing:
            while self._waiting:
                self._waiting[0]()
                del self._waiting[0]  # not before: whoever is interrupted may write it after all
