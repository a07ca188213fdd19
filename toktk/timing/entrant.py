"""One engine in the contest: its process of the moment, and what has come of it so far."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toktk.timing.children import EngineError, Held
from toktk.timing.contenders import Contender

Start = Callable[[Contender, int], Held]

_LOADING = 300.0  # seconds after which a child is given up
_ENCODING = 120.0
_BUSY = 0.9  # of the time on a core: an engine that had less waited for other programs


class Entrant:
    """An engine, its child process and its figures.

    Attributes:
        engine: which.
        failed: why it is out; empty while it is not.
        loads: seconds of each timed loading.
        speeds: MB/s of each slice, under "cold" and "warm".
    """

    def __init__(self, engine: Contender, jobs: int, start: Start) -> None:
        self.engine = engine
        self.failed = ""
        self.loads: list[float] = []
        self.speeds: dict[str, list[float]] = {"cold": [], "warm": []}
        self._shares: dict[str, list[float]] = {"cold": [], "warm": []}
        self._about: dict[str, Any] = {}
        self._jobs, self._start = jobs, start
        self._held: Held | None = None

    def load(self, timed: bool = False) -> None:
        """Start a fresh process in place of the one there is, and load the tokenizer in it.

        Raises:
            EngineError: it cannot.
        """
        self.close()
        self._held = self._start(self.engine, self._jobs)
        answer = self.ask(
            "load",
            _LOADING,
            adapter=self.engine.adapter,
            source=dict(self.engine.source),
            jobs=self._jobs,
        )
        self._about = answer
        if timed:
            self.loads.append(answer["load"])

    def ask(self, what: str, limit: float = _ENCODING, **arguments: Any) -> Any:
        """Ask the process; see `toktk.timing.children.Held`.

        Raises:
            EngineError: there is none, it failed, or it took too long.
        """
        if self._held is None:
            raise EngineError("not running")
        return self._held.ask(what, limit, **arguments)

    def encode(self, text: Path, what: str) -> None:
        """Time one slice.

        Raises:
            EngineError: it failed.
        """
        answer = self.ask("encode", text=str(text))
        seconds = max(answer["seconds"], 1e-9)
        self.speeds[what].append(answer["bytes"] / seconds / 1e6)
        self._shares[what].append(answer["cpu"] / seconds)

    def note(self, what: str) -> str:
        """Return what was timed, and whether other programs were in the way."""
        if what == "load":
            return str(self._about["loads"])
        share = statistics.median(self._shares[what])
        busy = f"; a busy machine: it had {share:.0%} of a core" if share < _BUSY else ""
        return f"{self._about['call']}{busy}"

    def close(self) -> None:
        """End the process, if there is one."""
        if self._held is not None:
            self._held.close()
            self._held = None
