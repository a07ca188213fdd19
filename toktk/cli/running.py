"""How a command carries out an experiment and shows its run."""

from __future__ import annotations

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


def carried_out(experiment: Sweep | Bench, output: Path | None, quiet: bool) -> Run:
    """Carry out an experiment, with progress bars unless `quiet`."""
    from toktk.cli.progress import ProgressBars
    from toktk.lab.run import carry_out

    with ProgressBars(quiet) as bars:
        experiment.meter.watcher = bars
        return carry_out(experiment, output)


def timed(bench: Bench, run: Run, plan: TimingPlan, quiet: bool, throughput: bool) -> list[Timing]:
    """Return the timings of a bench, with a progress bar unless `quiet`; none unless `throughput`."""
    from toktk.cli.progress import ProgressBars
    from toktk.lab.timing import timings_of

    if not throughput:
        return []
    with ProgressBars(quiet) as bars:
        bench.meter.watcher = bars
        return timings_of(bench, run, plan)


def show_run(run: Run, format: str) -> None:
    """Write the figures of a run to standard output, or its tokenizers where nothing was measured."""
    if run.results is not None:
        show(run.results, format)
        return
    columns = ("tokenizer", "size", "pretokenizer", "folder", "files")
    rows = [
        (label, t["size"], t["pretokenizer"], t.get("folder"), ", ".join(t.get("files", ())))
        for label, t in run.document["tokenizers"].items()
    ]
    emit_rows(columns, rows, format)


def close(run: Run, quiet: bool) -> None:
    """Say what the run cost and where it is; then raise what went wrong, if anything did.

    Raises:
        StorageError: the run could not be written.
        ToktkError: something that was asked for has no figures.
    """
    from toktk.lab.measure import without_figures
    from toktk.lab.meter import costs_line

    if run.trouble is not None:
        raise run.trouble
    if not quiet:
        if run.reused:
            click.echo(
                "This run is complete; nothing was computed (--force computes it anew).", err=True
            )
        click.echo(f"{costs_line(run.document['steps'])}\n{run.path}", err=True)
    if failed := run.document["failed"]:
        raise without_figures(
            f"without figures: {', '.join(failed)}.",
            failed,
            "The figures of the others are complete. The same command tries only these again.",
        )
