"""How far a command is: one state of its steps, drawn as a bar, as plain lines or as JSON lines.

All of it goes to standard error. `docs/progress.md` says what each line holds.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toktk.cli.streams import SCHEMA, remark_event, say, say_json, writable
from toktk.lab.meter import Meter, Watcher
from toktk.sizes import bytes_label
from toktk.visible import visible

if TYPE_CHECKING:
    from rich.console import RenderableType

MODES = ("auto", "bar", "plain", "json", "none")

_TICK = 0.5  # seconds between two looks of what writes lines
_BRIEF = 1.0  # seconds of a step that plain lines say nothing about
_PAUSE, _LONG_PAUSE = 10.0, 60.0  # seconds between two lines on a step: at least, at most
_TENTH = 0.1  # of a total, from which on a plain line is due before the long pause has passed
_REFRESHES = 10  # of the bar in a second
_NARROW, _SHORT_BAR, _LONG_BAR = 100, 10, 24  # columns of a terminal and of the bars on it

Clock = Callable[[], float]


class Pace:
    """How fast a step goes on: over the later half of its time, or all of it where nothing came since.

    So it follows a step that becomes faster or slower, and outlasts pauses. The time counts from the first
    mark on: what comes before is getting ready, such as the seeds of a training.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, now: float, done: int) -> None:
        """Note what is done by now."""
        if not self._marks:
            self._first = now, done
            self._marks.append(self._first)
        began = self._first[0]
        if now - self._marks[-1][0] > (now - began) / 100:  # some hundreds are enough
            self._marks.append((now, done))
        while len(self._marks) > 1 and self._marks[1][0] <= (began + now) / 2:
            self._marks.popleft()

    def per_second(self, now: float, done: int) -> float | None:
        """Return the units a second, None where nothing has come since the first mark."""
        if not self._marks:
            return None
        then, before = self._marks[0]
        if done == before:
            then, before = self._first
        return (done - before) / (now - then) if done > before and now > then else None


@dataclass
class Step:
    """A step that goes on.

    Attributes:
        step, what, total, unit: as `Watcher.begin` has them.
        stage: its number, and how many there are; None where nobody can know.
        began: by the clock, in seconds.
        said, said_done: when a line told of it last, and what was done then.
        told_of_kernels: a line has said that its kernels are compiled.
    """

    step: str
    what: str
    total: int | None
    unit: str
    stage: tuple[int, int] | None
    began: float
    done: int = 0
    said: float | None = None
    said_done: int = 0
    told_of_kernels: bool = False
    pace: Pace = field(default_factory=Pace)

    @property
    def label(self) -> str:
        """What it is called: ``3/7 train bpe``."""
        number = "{}/{} ".format(*self.stage) if self.stage else ""
        return visible(f"{number}{self.step} {self.what}".strip())

    def seconds_left(self, now: float) -> float | None:
        """Return how long it will take at its pace; None where nobody can know, or of the first percent."""
        speed = self.pace.per_second(now, self.done)
        if self.total is None or speed is None or self.done < self.total / 100:
            return None
        return (self.total - self.done) / speed

    def state(self, now: float) -> dict[str, Any]:
        """Return all that is known of it, JSON-able."""
        number, of = self.stage or (None, None)
        speed, left = self.pace.per_second(now, self.done), self.seconds_left(now)
        return {
            "step": self.step,
            "what": self.what,
            "stage": number,
            "stages": of,
            "done": self.done,
            "total": self.total,
            "unit": self.unit or None,
            "seconds": round(now - self.began, 3),
            "per_second": speed and round(speed, 3),
            "seconds_left": None if left is None else round(left, 1),
        }

    def amount(self) -> str:
        """Return ``12 MB of 147 MB`` or ``1,000 of 2,000 tokens``."""
        label = bytes_label if self.unit == "bytes" else "{:,}".format
        shown = " of ".join(label(n) for n in (self.done, self.total) if n is not None)
        return shown if self.unit == "bytes" else f"{shown} {self.unit}".strip()

    def progress(self, now: float, brief: bool = False) -> str:
        """Return what is done, the speed, and the time left or else since it began.

        `brief` leaves out the percentage, and the unit where the speed has it.
        """
        speed, left = self.pace.per_second(now, self.done), self.seconds_left(now)
        amount = self.amount() if self.done else ""
        shown = [amount.removesuffix(f" {self.unit}") if brief and speed else amount]
        if self.done and self.total and not brief:
            shown.append(f"{self.done / self.total:.0%}".replace("%", " %"))
        if speed is not None:
            shown.append(speed_label(speed, self.unit))
        rest = (
            f"{time_label(now - self.began)} so far" if left is None else f"{time_label(left)} left"
        )
        return ", ".join(filter(None, [*shown, rest]))


def speed_label(per_second: float, unit: str) -> str:
    """Return ``4.1 MB/s``, ``12,345 tokens/s`` or, where it is slow, ``3.2 tokenizers/min``."""
    if unit == "bytes":
        return f"{bytes_label(per_second)}/s"
    value, time_unit = (per_second, "s") if per_second >= 1 else (per_second * 60, "min")
    return f"{value:,.{0 if value >= 9.95 else 1}f} {unit}/{time_unit}"


def time_label(seconds: float) -> str:
    """Return ``12 s``, ``1:40 min`` or ``2:05 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600:,}:{whole % 3600 // 60:02} h"


class Drawing(Watcher):
    """The state of the steps, which subclasses draw between entering and leaving it.

    Args:
        clock: tells the seconds.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.RLock()  # any thread may advance, and compile
        self._open: list[Step] = []
        self._stage: tuple[int, int] | None = None
        self._compiles = False

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def stage(self, number: int, of: int) -> None:
        """See `Watcher`."""
        self._stage = number, of

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        """See `Watcher`."""
        with self._lock:
            self._open.append(Step(step, what, total, unit, self._stage, self.clock()))

    def advance(self, amount: int) -> None:
        """See `Watcher`."""
        with self._lock:
            step = self._open[-1]
            step.done += amount
            step.pace.mark(self.clock(), step.done)

    def end(self) -> None:
        """See `Watcher`."""
        with self._lock:
            self._open.pop()
            self._resume()

    def compiling(self, active: bool) -> None:
        """See `Watcher`."""
        with self._lock:
            if self._compiles and not active:
                self._resume()
            self._compiles = active

    def _resume(self) -> None:
        """Leave what came in between out of the pace of the innermost step."""
        if self._open:
            self._open[-1].pace = Pace()

    def remark(self, text: str) -> None:
        """See `Watcher`."""
        say(text)


class Bar(Drawing):
    """One line on a terminal, of the innermost step; it goes when the context ends."""

    def __init__(self, force: bool = False, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._console = Console(stderr=True, highlight=False, force_terminal=force or None)
        self._spinner = Spinner("line" if self._console.options.ascii_only else "dots")
        self._live = Live(
            get_renderable=self.line,
            console=self._console,
            transient=True,
            refresh_per_second=_REFRESHES,
        )

    def __enter__(self) -> Bar:
        with contextlib.suppress(RuntimeError):  # no thread is left to draw it
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        """Draw at once: the step may be over before the next refresh."""
        super().begin(step, what, total, unit)
        self._live.refresh()

    def compiling(self, active: bool) -> None:
        """Draw at once that kernels are compiled."""
        is_new = active != self._compiles
        super().compiling(active)
        if is_new:
            self._live.refresh()

    def remark(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(visible(text), markup=False, soft_wrap=True, style="dim")

    def line(self) -> RenderableType:
        """Return what is drawn now: a row that is no wider than the terminal."""
        from rich.cells import cell_len, set_cell_size
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            if not self._open:
                return Text()
            step, now = self._open[-1], self.clock()
            right = compiling_label() if self._compiles else step.progress(now, brief=True)
            label, total, done = step.label, step.total, step.done
        width = self._console.width
        bar_width = _SHORT_BAR if width < _NARROW else _LONG_BAR
        label, dots = writable(label, sys.stderr), writable("…", sys.stderr)
        room = max(width - 1 - bar_width - cell_len(right) - 4, 8)
        if cell_len(label) > room:
            label = set_cell_size(label, room - len(dots)) + dots
        bar = ProgressBar(
            total=total, completed=done, width=bar_width, pulse=not done, animation_time=now
        )
        row = Table.grid(padding=(0, 1))
        row.add_row(self._spinner.render(now), Text(label), bar, Text(right))
        for column in row.columns:
            column.no_wrap, column.overflow = True, "crop"
        return row


class _Lines(Drawing):
    """Lines on standard error; a thread looks twice a second whether one is due."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._left = threading.Event()

    def __enter__(self) -> _Lines:
        with contextlib.suppress(RuntimeError):  # no thread is left: beginnings and ends are told
            threading.Thread(target=self._watch, name="progress", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:  # behind the last line
            self._left.set()

    def _watch(self) -> None:
        while not self._left.wait(_TICK):
            self.tick()

    def tick(self) -> None:
        """Write the line that is due, if one is."""
        with self._lock:
            if self._open and not self._left.is_set():
                self._look(self._open[-1], self.clock())

    def _look(self, step: Step, now: float) -> None:
        raise NotImplementedError


class PlainLines(_Lines):
    """A line on a step that takes longer than a second, more where it takes long, and one at its end."""

    def end(self) -> None:
        """Say what was done, of a step that a line has told of."""
        with self._lock:
            step = self._open[-1]
            super().end()
            if step.said is not None:
                took = time_label(self.clock() - step.began)
                say(
                    f"{step.label}: {step.amount()} in {took}"
                    if step.done
                    else f"{step.label}: {took}"
                )

    def _look(self, step: Step, now: float) -> None:
        if self._compiles and not step.told_of_kernels and now - step.began >= _BRIEF:
            step.told_of_kernels = True
            say(f"{step.label}: {compiling_label()}")
        elif not self._compiles and self._is_due(step, now):
            step.said, step.said_done = now, step.done
            say(f"{step.label}: {step.progress(now)}")

    def _is_due(self, step: Step, now: float) -> bool:
        if step.said is None:
            return now - step.began >= _BRIEF
        pause = now - step.said
        is_far = step.done - step.said_done >= _TENTH * (step.total or 0)
        return pause >= (_PAUSE if is_far else _LONG_PAUSE)


class JsonLines(_Lines):
    """An object a line: when a step begins, goes on and ends, of kernels, and for each remark."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__(clock)
        self._told_of_kernels = False

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        """Tell that a step begins."""
        with self._lock:
            super().begin(step, what, total, unit)
            self._tell("begin", self._open[-1], self._open[-1].began)

    def end(self) -> None:
        """Tell that a step ended."""
        with self._lock:
            self._tell("end", self._open[-1], self.clock())
            super().end()

    def remark(self, text: str) -> None:
        """Tell a remark."""
        say_json(remark_event(text))

    def _look(self, step: Step, now: float) -> None:
        if self._compiles != self._told_of_kernels:
            self._told_of_kernels = self._compiles
            self._tell("compiling", step, now, active=self._compiles)
        elif step.done != step.said_done or now - (step.said or step.began) >= _PAUSE:
            self._tell("progress", step, now)

    def _tell(self, event: str, step: Step, now: float, **more: Any) -> None:
        step.said, step.said_done = now, step.done
        say_json({"schema": SCHEMA, "event": event, **step.state(now), **more})


class Remarks(Drawing):
    """Remarks alone, or nothing at all."""

    def __init__(self, quiet: bool = False) -> None:
        super().__init__()
        self._quiet = quiet

    def remark(self, text: str) -> None:
        """See `Watcher`."""
        if not self._quiet:
            say(text)


def compiling_label() -> str:
    """Return what is said while kernels are compiled."""
    from toktk.kernels import MACHINE_CODE

    return "compiling (once)" if MACHINE_CODE.is_kept else "compiling"


class Progress:
    """What a command was told to show; see `toktk.cli.options.progress_options`.

    Args:
        mode: one of `MODES`.
        quiet: no progress and no remarks.
    """

    def __init__(self, mode: str = "auto", quiet: bool = False) -> None:
        if mode == "auto":
            on_screen = sys.stderr is not None and sys.stderr.isatty()
            mode = "bar" if on_screen and os.environ.get("TERM") != "dumb" else "plain"
        self.mode = "none" if quiet else mode
        self.quiet = quiet
        self._drawing: Drawing | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[Drawing]:
        """Yield what draws the steps of a meter until the context ends; contexts inside share it."""
        if self._drawing is not None:
            yield self._drawing
            return
        # Not imported for this: it takes hold of its folder, which `toktk cache --clear` is to delete.
        kernels = sys.modules.get("toktk.kernels")
        with self._new() as drawing:
            self._drawing = drawing
            if kernels is not None:
                kernels.MACHINE_CODE.compiling = drawing.compiling
            try:
                yield drawing
            finally:
                self._drawing = None
                if kernels is not None:
                    kernels.MACHINE_CODE.compiling = lambda active: None

    @contextlib.contextmanager
    def step(self, name: str, what: str) -> Iterator[None]:
        """Show a step of which nobody can know how far it is."""
        with self.watching() as watcher, Meter(watcher).step(name, what):
            yield

    def opening(self, *specs: str) -> AbstractContextManager[None]:
        """Show that corpora are opened: folders are listed, pipes are read."""
        from toktk.places import without_secrets

        return self.step("open", ", ".join(map(without_secrets, specs)))

    def _new(self) -> Drawing:
        if self.mode == "bar":
            return Bar(force=True)  # where it was asked for without a terminal, too
        if self.mode == "plain":
            return PlainLines()
        return JsonLines() if self.mode == "json" else Remarks(self.quiet)

    def watch_downloads(self) -> None:
        """Show each corpus that is downloaded from now on as a step."""
        from toktk.corpus import remote

        @contextlib.contextmanager
        def step(address: str, total: int | None) -> Iterator[Callable[[int], None]]:
            with (
                self.watching() as watcher,
                Meter(watcher).step("download", address, total, "bytes") as advance,
            ):
                yield advance

        remote.watched = step
