"""How a command carries out an experiment and shows its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.cli.output import emit_rows, show

if TYPE_CHECKING:
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

    def carry_out(self, experiment: Sweep | Bench) -> Run:
        """Carry out an experiment, with progress bars unless quiet."""
        from toktk.cli.progress import ProgressBars
        from toktk.lab.run import carry_out

        with ProgressBars(self.quiet) as bars:
            experiment.meter.watcher = bars
            return carry_out(experiment, self.output)

    def time(self, bench: Bench, run: Run, plan: TimingPlan) -> list[Timing]:
        """Return the timings of a bench, with a progress bar unless quiet."""
        from toktk.cli.progress import ProgressBars
        from toktk.lab.timing import timings_of

        with ProgressBars(self.quiet) as bars:
            bench.meter.watcher = bars
            return timings_of(bench, run, plan)

    def show(self, run: Run) -> None:
        """Write the figures of a run to standard output, or its tokenizers where nothing was measured."""
        if run.results is not None:
            show(run.results, self.format)
            return
        columns = ("tokenizer", "size", "pretokenizer", "folder", "files")
        rows = [
            (label, t["size"], t["pretokenizer"], t.get("folder"), ", ".join(t.get("files", ())))
            for label, t in run.document["tokenizers"].items()
        ]
        emit_rows(columns, rows, self.format)

    def close(self, run: Run) -> None:
        """Say what the run cost and where it is; then raise what went wrong, if anything did.

        Raises:
            StorageError: the run could not be written.
            ToktkError: something that was asked for has no figures.
        """
        from toktk.lab.meter import costs_line
        from toktk.lab.outcome import failure

        if run.trouble is not None:
            raise run.trouble
        if not self.quiet:
            if run.reused:
                click.echo(
                    "This run is complete; nothing was computed (--force computes it anew).",
                    err=True,
                )
            click.echo(f"{costs_line(run.document['steps'])}\n{run.directory.path}", err=True)
        if run.document["failed"]:
            raise failure(run.document["failed"])
