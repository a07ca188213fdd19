"""How a command carries out an experiment, with progress on standard error, and shows its run."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.cli.output import emit_rows, show
from toktk.cli.streams import say
from toktk.errors import ToktkError, in_a_line
from toktk.lab.meter import Meter, Watcher, costs_line
from toktk.sizes import bytes_label
from toktk.visible import visible

if TYPE_CHECKING:
    from rich.progress import TaskID

    from toktk.corpus import Corpus
    from toktk.lab.bench import Bench
    from toktk.lab.run import Run
    from toktk.lab.sweep import Sweep
    from toktk.lab.timing import TimingPlan
    from toktk.timing.figures import Timing


@dataclass(frozen=True)
class RunOptions:
    """What sweep, train and bench are told alike; see `toktk.cli.options.run_options`."""

    output: Path | None
    format: str
    quiet: bool
    seed: int
    jobs: int
    force: bool
    page: bool = True

    def sweep(self, training: Corpus, evaluation: Corpus | None, **plan: Any) -> None:
        """Carry out a sweep and show it; `plan` holds what its plan needs besides these options."""
        from toktk.lab.plan import SweepPlan
        from toktk.lab.sweep import Sweep

        plan |= {"seed": self.seed, "jobs": self.jobs, "force": self.force}
        sweep = Sweep(SweepPlan(training, evaluation, **plan))
        run = self.carry_out(sweep)
        self.show(run)
        self.close(run)
        if sweep.plan.must_write:
            run.refuse_unwritten()

    def watch_downloads(self) -> None:
        """Show a progress bar for each corpus that is downloaded from now on, unless quiet."""
        from toktk.corpus import remote

        @contextlib.contextmanager
        def bar(address: str, total: int | None) -> Iterator[Callable[[int], None]]:
            bars = ProgressBars(self.quiet)
            with bars, Meter(bars).step("download", address, total, "bytes") as advance:
                yield advance

        remote.watched = bar

    def carry_out(self, experiment: Sweep | Bench) -> Run:
        """Carry out an experiment, with progress bars unless quiet."""
        from toktk.lab.run import carry_out

        with ProgressBars(self.quiet) as bars:
            experiment.meter.watcher = bars
            return carry_out(experiment, self.output)

    def time(self, bench: Bench, run: Run, plan: TimingPlan) -> list[Timing]:
        """Return the timings of a bench, with a progress bar unless quiet."""
        from toktk.lab.timing import timings_of

        with ProgressBars(self.quiet) as bars:
            bench.meter.watcher = bars
            return timings_of(bench, run, plan)

    def show(self, run: Run) -> None:
        """Write the figures of a run to standard output, or its tokenizers where nothing was measured."""
        if run.results is not None:
            show(run.results, self.format, self.quiet)
            return
        columns = ("tokenizer", "size", "pretokenizer", "folder", "files")
        rows = [
            (label, t["size"], t["pretokenizer"], t.get("folder"), ", ".join(t.get("files", ())))
            for label, t in run.document["tokenizers"].items()
        ]
        emit_rows(columns, rows, self.format)

    def close(self, run: Run) -> None:
        """Say what the run cost and where it is; then raise what went wrong, if anything did."""
        from toktk.lab.outcome import without_figures

        if run.trouble is not None:
            raise run.trouble
        page = self._page_of(run) if self.page and run.results is not None else None
        if not self.quiet:
            if run.reused:
                say("This run is complete; nothing was computed (--force computes it anew).")
            pages = [] if page is None else [str(page)]
            say(costs_line(run.document["steps"]), *pages, str(run.path))
        if failed := run.document["failed"]:
            raise without_figures(
                f"without figures: {', '.join(failed)}.",
                failed,
                "The figures of the others are complete. The same command tries only these again.",
            )

    def _page_of(self, run: Run) -> Path | None:
        """Return the page of a run, which is written unless it is there; None where it cannot be."""
        from toktk.lab.document import NAME, PAGE
        from toktk.page.build import write_page

        path, document = run.path / PAGE, run.path / NAME
        try:
            if path.is_file() and path.stat().st_mtime_ns >= document.stat().st_mtime_ns:
                return path
            with ProgressBars(self.quiet) as bars, Meter(bars).step("write", PAGE):
                return write_page(run)
        except (OSError, ToktkError) as error:  # the run is complete all the same
            say(f"{PAGE} is not written: {in_a_line(error)}")
            return None


class ProgressBars(Watcher):
    """Show a bar for each step on a terminal, until the context ends; nothing at all if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._quiet = quiet
        on_screen = sys.stderr is not None and sys.stderr.isatty()
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn("line" if self._console.options.ascii_only else "dots"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not on_screen,
        )
        self._open: list[tuple[TaskID, str]] = []
        self._compiles = False
        self._lock = threading.RLock()  # any thread may compile

    def __enter__(self) -> ProgressBars:
        with contextlib.suppress(RuntimeError):  # no thread is left to draw the bars
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def begin(self, step: str, total: int | None, unit: str) -> None:
        """Show a bar; the step around this one hides until it is done."""
        if self._open:
            self._progress.update(self._open[-1][0], visible=False)
        task = self._progress.add_task(visible(step), total=total, amount="")
        self._open.append((task, unit))

    def advance(self, amount: int) -> None:
        """Move the innermost bar."""
        self._progress.advance(self._open[-1][0], amount)
        self._write_amount()

    def compiling(self, active: bool) -> None:
        """Say in the innermost bar that kernels are compiled, in place of what is done."""
        with self._lock:
            self._compiles, before = active, self._compiles
            if active != before:
                self._write_amount()

    def _write_amount(self) -> None:
        if self._progress.disable or not self._open:
            return
        task, unit = self._open[-1]
        if self._compiles:
            from toktk.kernels import MACHINE_CODE

            amount = "compiling (once)" if MACHINE_CODE.is_kept else "compiling"
            self._progress.update(task, amount=amount, refresh=True)
            return
        state = self._progress.tasks[self._progress.task_ids.index(task)]
        if not state.completed:
            self._progress.update(task, amount="")
            return
        label = bytes_label if unit == "bytes" else "{:,.0f}".format
        done = " of ".join(label(n) for n in (state.completed, state.total) if n is not None)
        self._progress.update(task, amount=done if unit == "bytes" else f"{done} {unit}")

    def end(self) -> None:
        """Take the innermost bar away."""
        with self._lock:
            task, _ = self._open.pop()
            self._progress.remove_task(task)
        if self._open:
            self._progress.update(self._open[-1][0], visible=True)

    def remark(self, text: str) -> None:
        """Print a line above the bars."""
        if self._quiet:
            return
        if self._progress.disable:
            say(text)
        else:
            self._console.print(visible(text), markup=False, soft_wrap=True, style="dim")
