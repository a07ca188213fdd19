"""What each step of an experiment costs, and who watches it go by."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from toktk.runtime import peak_memory


class Watcher(Protocol):
    """Told what happens; shows it or does not. Steps nest: a step may begin inside another."""

    def begin(self, step: str, total: int | None, unit: str) -> None:
        """See a step begin; `total` is in `unit`, None where nobody can know it."""

    def advance(self, amount: int) -> None:
        """See the innermost step go on by `amount` units."""

    def end(self) -> None:
        """See the innermost step end."""

    def remark(self, text: str) -> None:
        """Pass on what the user should know."""


class Unwatched:
    """A watcher that looks away."""

    def begin(self, step: str, total: int | None, unit: str) -> None:
        """Ignore it."""

    def advance(self, amount: int) -> None:
        """Ignore it."""

    def end(self) -> None:
        """Ignore it."""

    def remark(self, text: str) -> None:
        """Ignore it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step took.

    Attributes:
        step: "fingerprint", "count", "train", "infer", "measure" or "write".
        what: which corpus, trainer or pretokenizer.
        wall: seconds, without steps inside this one.
        cpu: seconds of all threads, without steps inside this one.
        peak_memory: bytes, the most that the process has held until the end of this step; None
            where the system does not tell.
        reused: the result was stored by an earlier run.
    """

    step: str
    what: str
    wall: float
    cpu: float
    peak_memory: int | None
    reused: bool = False

    def describe(self) -> dict[str, Any]:
        """Return it as JSON-able columns, seconds to the millisecond."""
        return {**asdict(self), "wall": round(self.wall, 3), "cpu": round(self.cpu, 3)}


class Meter:
    """Clocks the steps and passes them on to a watcher."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.watcher = watcher or Unwatched()
        self.costs: list[Cost] = []
        self._inner: list[list[float]] = []  # wall and CPU seconds of the steps inside each

    @contextlib.contextmanager
    def step(
        self, name: str, what: str, total: int | None = None, unit: str = ""
    ) -> Iterator[Callable[[int], None]]:
        """Clock a step; yields the function to call with what was done since the last call.

        A step that fails leaves no cost.
        """
        self._inner.append([0.0, 0.0])
        wall, cpu = time.perf_counter(), time.process_time()
        self.watcher.begin(f"{name} {what}".strip(), total, unit)
        done = False
        try:
            yield self.watcher.advance
            done = True
        finally:
            self.watcher.end()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            inner_wall, inner_cpu = self._inner.pop()
            if self._inner:
                self._inner[-1][0] += wall
                self._inner[-1][1] += cpu
            if done:
                self.costs.append(
                    Cost(name, what, wall - inner_wall, cpu - inner_cpu, peak_memory())
                )

    def reused(self, name: str, what: str) -> None:
        """Note a step that an earlier run has done."""
        self.costs.append(Cost(name, what, 0.0, 0.0, None, reused=True))
