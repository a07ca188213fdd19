"""``toktk bench``: measure tokenizers that exist already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.cli.counts import CountsOptions, counts_options
from toktk.cli.options import corpus_options, measuring_options, run_options
from toktk.cli.output import show, show_page
from toktk.cli.running import RunOptions

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions
    from toktk.lab.measures import Measures


@click.command("bench")
@click.argument("tokenizers", nargs=-1, required=True, metavar="SPEC...")
@corpus_options("starter:eval", "Text to measure on")
@counts_options
@measuring_options
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
    type=click.IntRange(min=1, max=1024),
    default=1,
    show_default=True,
    help="Threads that an engine may use when it is timed.",
)
@click.option(
    "--ids",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a Parquet file of all ids by frequency, with their bytes and their counts in each group, and "
    "show how many of the tokens the first 1,024 … 65,536 ids cover.",
)
@run_options("The run directory.  [default: runs/bench-<corpus>-<hash>]")
def command(
    tokenizers: tuple[str, ...],
    specs: tuple[str, ...],
    reader: ReaderOptions,
    counts: CountsOptions,
    measures: Measures,
    throughput: bool,
    pathological: bool,
    threads: int,
    ids: Path | None,
    options: RunOptions,
) -> None:
    """Measure tokenizers, public and your own, on text that none of them has seen.

    \b
    toktk bench tiktoken:o200k_base hf:Qwen/Qwen3-8B -c news.parquet --group-column lang
    toktk bench llama=path/tokenizer.json spm:path/tokenizer.model -c corpus/
    toktk bench mine=runs/news/tokenizers/bpe-128k tiktoken:cl100k_base -c runs/news:held-out
    toktk bench mine=runs/news/tokenizers/bpe-128k --counts counts/

    A SPEC is a tokenizer.json, a folder with one, a .tiktoken or tekken file, spm:FILE.model,
    tiktoken:NAME, hf:ORG/NAME[@REVISION], or counts:FILE.parquet for one that only counts; LABEL= in
    front names it in the tables.

    Each tokenizer is checked against its own library first; where ids differ, the library runs it. Text
    is cut once for all tokenizers that cut alike. What is finished is kept, as in a sweep.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.corpus import load_corpus
    from toktk.lab.bench import Bench
    from toktk.lab.id_frequencies import with_coverage
    from toktk.lab.plan import BenchPlan
    from toktk.lab.timing import TimingPlan, with_timings
    from toktk.report.coverage import coverage_page
    from toktk.report.throughput import throughput_page, throughput_text

    if ids is not None and ids.suffix.lower() != ".parquet":
        raise click.UsageError(
            f"--ids writes Parquet: give a name that ends in .parquet, not {ids.name!r}."
        )
    if counts and (pathological or (counts.is_given("throughput") and throughput)):
        raise click.UsageError(
            "--counts has no text to time tokenizers on: leave --throughput out."
        )
    options.progress.watch_downloads()
    with options.progress.opening(*(counts.folders or specs)):
        corpus = counts.to_measure() if counts else load_corpus(specs, reader)
    plan = BenchPlan(tokenizers, corpus, measures, **options.of_machine)
    bench = Bench(plan)
    run = options.carry_out(bench)
    if options.format == "table":  # what is known is shown before the clocks start
        options.show(run)
    covered = options.count_ids(bench, ids) if ids is not None else {}
    coverage = coverage_page(covered)
    if coverage is not None and options.format == "table":
        show_page(coverage.text)
    timing = TimingPlan(threads, options.seed, pathological)
    timings = options.time(bench, run, timing) if throughput else []
    if options.format == "table":
        show_page(lambda width, color: throughput_text(timings, width, color))
    else:
        more = [] if coverage is None else [coverage]
        more += [throughput_page(timings)] if timings else []
        results = with_coverage(with_timings(run.results, timings, bench), covered, bench)
        show(results, options.format, options.quiet, more)
    options.close(run)
