"""``toktk replicate``: run again what was run, or train on resamples of the text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from toktk.cli.options import (
    corpus_options,
    eval_option,
    pretokenizer_options,
    run_options,
    sizes_option,
    temperature_option,
    trainers_option,
    training_options,
)
from toktk.cli.output import emit, emit_json, emit_rows, show_page
from toktk.cli.running import RunOptions
from toktk.cli.streams import remark
from toktk.sizes import DEFAULT_SIZES

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions
    from toktk.lab.plan import SweepPlan
    from toktk.lab.replicate import Replication
    from toktk.lab.trainings import Stabilities

_SHOWN = 20  # differences in a table
# What goes with a run directory; it says all the rest itself.
_WITH_RUN = {
    "run", "n", "shards", "output", "format", "quiet", "progress_mode", "seed", "jobs", "force",
    "memory", "engine_timeout",
}  # fmt: skip


@click.command("replicate")
@click.argument("run", required=False, metavar="[RUN]", type=click.Path(path_type=Path))
@click.option(
    "--trainings",
    "n",
    type=click.IntRange(min=2, max=100),
    metavar="N",
    help="Train on so many resamples of the text, 2 to 100, and compare what they give.",
)
@click.option(
    "--shards", is_flag=True, help="Train on N disjoint parts of the text instead of resamples."
)
@corpus_options("starter", "Text to train on, where no RUN says it")
@eval_option
@trainers_option(["bpe"])
@temperature_option
@pretokenizer_options
@sizes_option(DEFAULT_SIZES)
@training_options
@run_options("A folder: for the new run, or for confidence.parquet and stability.json.")
def command(
    run: Path | None,
    n: int | None,
    shards: bool,
    specs: tuple[str, ...],
    reader: ReaderOptions,
    temperature: float | None,
    evals: tuple[str, ...],
    options: RunOptions,
    **plan: Any,  # the other fields of a SweepPlan
) -> None:
    """Run again what a run directory holds, or train on resamples of its text.

    \b
    toktk replicate runs/news
    toktk replicate runs/news --trainings 5
    toktk replicate -c corpus/ -t bpe -s 8k,32k --trainings 5 -o stability/

    The first trains and measures once more, and says whether vocabularies, figures and curves come out
    identical; it exits 1 where they do not. With --trainings, every vocabulary is trained on N resamples
    of the documents: how far figures spread, how much of a vocabulary is the same in all of them, and
    which tokens are.
    """  # noqa: D301 - click wants the backspace itself
    context = click.get_current_context()
    given = [
        p
        for p in context.command.params
        if context.get_parameter_source(p.name or "") == ParameterSource.COMMANDLINE
    ]
    if run is not None and (own := [p for p in given if p.name not in _WITH_RUN]):
        raise click.UsageError(f"{run} says itself what {own[0].opts[-1]} says: leave that out.")
    if shards and n is None:
        raise click.UsageError("--shards needs --trainings N.")
    if run is None and n is None:
        raise click.UsageError("give a run directory, or text with -c and --trainings N.")
    options.progress.watch_downloads()
    if n is None:
        if run is not None:
            _run_again(run, options)
        return
    from toktk.lab.meter import Meter
    from toktk.lab.trainings import Resampling, plan_of, stabilities

    with options.progress.watching() as watcher:
        meter = Meter(watcher)
        if run is not None:
            sweep = plan_of(run, meter, **options.of_machine)
        else:
            sweep = _plan(specs, evals, reader, temperature, options, plan)
        found = stabilities(sweep, Resampling(n, shards, options.seed), meter)
    _show(found, options)


def _plan(
    specs: tuple[str, ...],
    evals: tuple[str, ...],
    reader: ReaderOptions,
    temperature: float | None,
    options: RunOptions,
    plan: dict[str, Any],
) -> SweepPlan:
    from toktk.corpus import train_and_test
    from toktk.lab.plan import SweepPlan

    with options.progress.opening(*specs, *evals):
        training, evaluation = train_and_test(specs, evals, reader, temperature)
    plan |= {"seed": options.seed, **options.of_machine}
    return SweepPlan(training, evaluation, **plan)


def _run_again(folder: Path, options: RunOptions) -> None:
    from toktk.lab.meter import Meter
    from toktk.lab.replicate import replicate

    with _folder(options.output) as into:
        with options.progress.watching() as watcher:
            replication = replicate(folder, into, Meter(watcher), options.jobs, options.memory)
        _show_replication(replication, options)


@contextlib.contextmanager
def _folder(output: Path | None) -> Iterator[Path]:
    """Yield where the new run goes: a folder of the user's, or one that goes in the end."""
    if output is not None:
        yield output
        return
    from toktk import temporary
    from toktk.paths import home

    with temporary.owned(home() / "temporary" / "replication", folder=True) as folder:
        yield folder / "run"


def _show_replication(replication: Replication, options: RunOptions) -> None:
    differences, around = replication.differences, replication.surroundings
    if options.format == "json":
        emit_json(
            {
                "schema": 1,
                "identical": replication.identical,
                "compared": dict(replication.compared),
                "differences": [change._asdict() for change in differences],
                "surroundings": [change._asdict() for change in around],
            }
        )
    elif options.format == "table":
        from toktk.lab.replicate import PLURALS

        rows: list[tuple[str | int | None, ...]] = []
        for kind, n in replication.compared.items():
            if n:
                differ = len({change.name for change in differences if change.kind == kind})
                rows.append((PLURALS[kind], n, n - differ, differ))
        emit_rows(("what", "compared", "identical", "different"), rows, "table")
        shown = [*differences[:_SHOWN], *around]
        if shown:
            more = len(differences) - _SHOWN
            below = f"and {more:,} further differences: -f json names all.\n" if more > 0 else ""
            emit("\n")
            emit_rows(("kind", "name", "then", "now"), shown, "table", below=below)
    else:
        emit_rows(("kind", "name", "then", "now"), [*differences, *around], options.format)
    if replication.identical and not options.quiet:
        remark(f"{replication.before.path} comes out identical.")
    replication.refuse_different()


def _show(found: Stabilities, options: RunOptions) -> None:
    from toktk.report.stability import COLUMNS, rows, stability_text, write_stability

    records = found.records
    if options.format == "json":
        named = [dict(zip(COLUMNS, row, strict=True)) for row in rows(records)]
        emit_json({"schema": 1, "records": named})
    elif options.format == "table":
        show_page(lambda width, color: stability_text(records, width, color))
    else:
        emit_rows(COLUMNS, rows(records), options.format)
    if options.output is not None:
        paths = write_stability(records, found.confidence(), options.output)
        if not options.quiet:
            remark(*map(str, paths))
