"""What each step of a run costs, and who watches it go by."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from toktk.errors import ToktkError
from toktk.runtime import peak_memory
from toktk.sizes import bytes_label
from toktk.visible import visible_name


class Watcher:
    """Is told what happens and shows nothing; subclasses do. Steps nest."""

    def stage(self, number: int, of: int) -> None:
        """Note that all steps from now on belong to stage `number`, from 1, of as many in the run."""

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        """Note that a step begins; `total` is in `unit`, None where nobody can know it."""

    def advance(self, amount: int) -> None:
        """Note that the innermost step went on by `amount` units; any thread may."""

    def end(self) -> None:
        """Note that the innermost step ended."""

    def compiling(self, active: bool) -> None:
        """Note that the innermost step waits for kernels that are compiled, or no longer; any thread may."""

    def remark(self, text: str) -> None:
        """Pass on what the user should know."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one step took.

    Attributes:
        step: such as "fingerprint", "count", "train", "infer", "load", "check", "measure", "intervals",
            "time" or "write".
        what: which corpus, trainer, tokenizer or pretokenizer.
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
        """Return the attributes, JSON-able, seconds to the millisecond."""
        return {**asdict(self), "wall": round(self.wall, 3), "cpu": round(self.cpu, 3)}


class Meter:
    """Clocks the steps and passes them on to a watcher."""

    def __init__(self, watcher: Watcher | None = None) -> None:
        self.watcher = watcher or Watcher()
        self.costs: list[Cost] = []
        self._inner: list[list[float]] = []  # wall and CPU seconds of the steps inside each

    def remark(self, text: str) -> None:
        """Pass on to the watcher what the user should know."""
        self.watcher.remark(text)

    def stage(self, number: int, of: int) -> None:
        """Pass on to the watcher in which stage of a run the next steps are."""
        self.watcher.stage(number, of)

    @contextlib.contextmanager
    def step(
        self, name: str, what: str, total: int | None = None, unit: str = ""
    ) -> Iterator[Callable[[int], None]]:
        """Clock a step; yields the function to call with what was done since the last call.

        A step that fails leaves no cost; an error that nobody expected bears a note of the step.
        """
        self._inner.append([0.0, 0.0])
        wall, cpu = time.perf_counter(), time.process_time()
        self.watcher.begin(name, what, total, unit)
        done = False
        try:
            yield self.watcher.advance
            done = True
        except ToktkError:
            raise
        except Exception as error:
            error.add_note(f"{name} {what}".strip())
            raise
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


def costs_line(costs: Sequence[dict[str, Any]]) -> str:
    """Return each kind of step of `Cost.describe` with its seconds and its peak of memory, in a line.

    Of several trainings, the seconds of each follow.
    """
    by_step: dict[str, list[dict[str, Any]]] = {}
    for cost in costs:
        by_step.setdefault(cost["step"], []).append(cost)
    shown = []
    for step, of_step in by_step.items():
        if all(cost["reused"] for cost in of_step):
            shown.append(f"{step} reused")
            continue
        peak = max(cost["peak_memory"] or 0 for cost in of_step)
        memory = f" {bytes_label(peak)}" if peak else ""
        each = (
            f" ({', '.join(map(_of_trainer, of_step))})"
            if step == "train" and len(of_step) > 1
            else ""
        )
        shown.append(f"{step} {sum(cost['wall'] for cost in of_step):.1f} s{memory}{each}")
    return " · ".join(shown)


def _of_trainer(cost: dict[str, Any]) -> str:
    took = "reused" if cost["reused"] else f"{cost['wall']:.1f} s"
    return f"{visible_name(cost['what'])} {took}"
