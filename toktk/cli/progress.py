"""Progress bars and remarks on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from toktk.lab.meter import Watcher
from toktk.sizes import bytes_label

if TYPE_CHECKING:
    from rich.progress import TaskID


class ProgressBars(Watcher):
    """Show a bar for each step on a terminal, until the context ends; nothing at all if quiet."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._open: list[tuple[TaskID, str]] = []

    def __enter__(self) -> ProgressBars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def begin(self, step: str, total: int | None, unit: str) -> None:
        """Show a bar; the step around this one hides until it is done."""
        if self._open:
            self._progress.update(self._open[-1][0], visible=False)
        task = self._progress.add_task(step, total=total, amount="")
        self._open.append((task, unit))

    def advance(self, amount: int) -> None:
        """Move the innermost bar."""
        task, unit = self._open[-1]
        self._progress.advance(task, amount)
        if self._progress.disable:
            return
        state = self._progress.tasks[self._progress.task_ids.index(task)]
        self._progress.update(task, amount=_amount(state.completed, state.total, unit))

    def end(self) -> None:
        """Take the innermost bar away."""
        task, _ = self._open.pop()
        self._progress.remove_task(task)
        if self._open:
            self._progress.update(self._open[-1][0], visible=True)

    def remark(self, text: str) -> None:
        """Print a line above the bars."""
        if not self._quiet:
            self._console.print(text, markup=False, soft_wrap=True, style="dim")


def _amount(done: float, total: float | None, unit: str) -> str:
    label = bytes_label if unit == "bytes" else "{:,.0f}".format
    amount = label(done) if total is None else f"{label(done)} of {label(total)}"
    return amount if unit == "bytes" else f"{amount} {unit}"
