"""``toktk bench``: measure tokenizers that exist already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toktk.cli.options import (
    force_option,
    format_option,
    jobs_option,
    measured_corpus_options,
    output_option,
    quiet_option,
    reader_options,
    seed_option,
)

if TYPE_CHECKING:
    from toktk.lab.bench import BenchPlan
    from toktk.lab.run import RunDirectory
    from toktk.timing.timing import Timing
    from toktk.tokenizer import Tokenizer


@click.command("bench")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@measured_corpus_options
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME",
    help="What to measure: `toktk ls metrics`. Repeatable.  [default: all that the text allows]",
)
@click.option("--reference", metavar="GROUP", help="Parity's reference.  [default: English]")
@click.option(
    "--throughput/--no-throughput",
    default=True,
    show_default=True,
    help="Time each tokenizer in every engine that runs it, some 15 s each.",
)
@click.option(
    "--pathological", is_flag=True, help="Also time a megabyte of one letter and the like."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads that an engine may use when it is timed.",
)
@output_option("The run directory.  [default: runs/bench-<corpus>-<hash>]")
@format_option
@quiet_option
@seed_option
@jobs_option
@force_option
def command(**options: Any) -> None:
    """Measure tokenizers, public and your own, on text that none of them has seen.

    \b
    toktk bench tiktoken:o200k_base hf:Qwen/Qwen3-8B -c news.parquet --group-column lang
    toktk bench llama=path/tokenizer.json spm:path/tokenizer.model -c corpus/
    toktk bench mine=runs/news/tokenizers/bpe-128k tiktoken:cl100k_base

    A SPEC is a tokenizer.json, a folder with one, a .tiktoken or tekken file, spm:FILE.model,
    tiktoken:NAME or hf:ORG/NAME[@REVISION]; LABEL= in front names it in the tables.

    Each tokenizer is held against its own library first; where ids differ, the library runs it. Text
    is cut once for all tokenizers that cut alike. What is finished is kept, as in a sweep.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.cli.experiment import remark_on_kernels, show, whole_corpus
    from toktk.errors import StorageError
    from toktk.lab.bench import BenchPlan, bench, check_engines, load_all
    from toktk.lab.meter import Meter
    from toktk.lab.run import RunDirectory
    from toktk.lab.timings import timing_records
    from toktk.report.bench import bench_tables
    from toktk.report.progress import ProgressBars, costs_line
    from toktk.report.results import Results

    quiet, format = options["quiet"], options["format"]
    trouble: StorageError | None = None
    with ProgressBars(quiet) as bars:
        meter = Meter(bars)
        remark_on_kernels(meter)
        plan = BenchPlan(
            tokenizers=load_all(options["specs"], meter),
            corpus=whole_corpus(options["corpora"], reader_options()),
            metrics=tuple(dict.fromkeys(options["metrics"])),
            reference=options["reference"],
            jobs=options["jobs"],
            force=options["force"],
        )
        engines = check_engines(plan, meter)
        signature = plan.signature(engines)
        directory = RunDirectory(options["output"] or _default_directory(plan, signature))
        document = None if plan.force else directory.find(signature)
        reused = document is not None
        if document is not None:
            results = directory.results()
        else:
            directory.prepare()
            result = bench(plan, meter, engines)
            results = result.results
            try:
                document = directory.write_bench(result, signature, meter)
            except StorageError as error:
                # The figures are there: a full disk must not take them away.
                trouble, document = error, result.describe()
    made = document["tokenizers"]
    if format == "table":  # before the clocks start: what is known is seen at once
        show(results, format, lambda width: bench_tables(results, made, width))
    timings = _timings(plan, engines, options, None if trouble else directory, document)
    if format != "table":
        both = Results((*results, *timing_records(timings, plan)))
        show(both, format, lambda width: [])
    if trouble is not None:
        raise trouble
    if quiet:
        return
    if reused:
        click.echo("The figures were there; none was computed (--force does it anew).", err=True)
    click.echo(f"{costs_line(document['steps'])}\n{directory.path}", err=True)


def _timings(
    plan: BenchPlan,
    engines: Sequence[Tokenizer],
    options: dict[str, Any],
    directory: RunDirectory | None,
    document: dict[str, Any],
) -> list[Timing]:
    """Return timings, and show them if tables are shown: those of the run, or new ones, if wanted."""
    from toktk.cli.experiment import show_tables
    from toktk.lab.meter import Meter
    from toktk.lab.timings import asked, describe_timings, read_timings, time_tokenizers
    from toktk.report.progress import ProgressBars
    from toktk.report.throughput import throughput_tables

    if not options["throughput"]:
        return []
    want = asked(options["threads"], options["seed"], options["pathological"])
    stored = document.get("throughput")
    if stored is not None and stored["asked"] == want:
        timings = read_timings(stored["timings"])
    else:
        with ProgressBars(options["quiet"]) as bars:
            meter = Meter(bars)
            timings = time_tokenizers(plan, engines, meter, **want)
        described = {"asked": want, "timings": describe_timings(timings)}
        if directory is not None:
            directory.add(document, throughput=described)
    if options["format"] == "table":
        show_tables(lambda width: throughput_tables(timings))
    return timings


def _default_directory(plan: BenchPlan, signature: str) -> Path:
    from toktk.lab.plan import file_name

    return Path("runs") / f"bench-{file_name(plan.corpus.name)[:60]}-{signature[:8]}"
