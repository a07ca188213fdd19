"""``toktk compare``: differences of tokenizers that can be believed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.cli.options import (
    corpus_options,
    each_once,
    engine_timeout_option,
    format_option,
    jobs_option,
    output_option,
    parsed,
    progress_options,
    sampling_seed_option,
)
from toktk.cli.output import show_in
from toktk.cli.progress import Progress
from toktk.cli.streams import remark

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions
    from toktk.lab.measures import Measures
    from toktk.lab.sources import Sources
    from toktk.report.comparison import Comparisons

GATE_FAILED = 3
"""The exit code where a gate fails."""


def _share(text: str) -> float:
    """Return 0.005 for ``0.5%``."""
    number = text.strip().removesuffix("%").strip()
    try:
        share = float(number) / 100
    except ValueError:
        share = -1.0
    if not (text.strip().endswith("%") and 0 <= share < 1):
        raise ValueError(f"{text!r:.40} is no difference in percent; write 0.5%.")
    return share


@click.command("compare")
@click.argument("sources", nargs=-1, required=True, metavar="SPEC|RUN...")
@corpus_options("starter:eval", "Text to measure tokenizers on; a run has its own")
@click.option(
    "--baseline",
    metavar="LABEL|FILE",
    help="The tokenizer to compare with, or a file of --save-baseline.  [default: the last one]",
)
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    callback=each_once,
    metavar="NAME",
    help="What to compare: bytes_per_token, tokens_per_line, fertility, parity, gini, ngram_bpb, "
    "or languages, which is over languages at large. Repeatable.  [default: bytes_per_token; "
    "tokens_per_line of parallel text]",
)
@click.option(
    "-g",
    "--group",
    "groups",
    multiple=True,
    callback=each_once,
    metavar="NAME",
    help="A group, or all. Repeatable.  [default: all, and each]",
)
@click.option("--reference", metavar="GROUP", help="Parity's reference.  [default: English]")
@click.option(
    "--zone",
    default="0.5%",
    show_default=True,
    callback=parsed(_share),
    metavar="PERCENT",
    help="Differences up to this do not matter: equivalent.",
)
@click.option(
    "--allow",
    multiple=True,
    callback=each_once,
    metavar="FIELD",
    help="Compare although this differs: unit, aggregation, corpus, normalization, specials, groups or "
    "n-gram text. Repeatable.",
)
@click.option(
    "--save-baseline",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write what a later comparison needs of all these tokenizers.",
)
@click.option(
    "--fail-if",
    "gates",
    multiple=True,
    metavar="GATE",
    help="End with 3 if the interval, not the point, is beyond: 'bytes_per_token < -1%'; of one group "
    "'bytes_per_token:de < -1%', of each 'bytes_per_token:* < -1%'. Repeatable.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page to look at, as `toktk report` does, with this comparison in it.",
)
@format_option
@output_option()
@progress_options
@sampling_seed_option
@jobs_option
@engine_timeout_option
@click.pass_context
def command(
    context: click.Context,
    sources: tuple[str, ...],
    specs: tuple[str, ...],
    reader: ReaderOptions,
    baseline: str | None,
    metrics: tuple[str, ...],
    groups: tuple[str, ...],
    reference: str | None,
    zone: float,
    allow: tuple[str, ...],
    save_baseline: Path | None,
    gates: tuple[str, ...],
    page: Path | None,
    format: str,
    output: Path | None,
    progress: Progress,
    seed: int,
    jobs: int,
) -> None:
    """Say which tokenizer is better, worse or equivalent, and on what that rests.

    \b
    toktk compare mine=path/tokenizer.json tiktoken:o200k_base -c news.parquet --group-column lang
    toktk compare runs/news --baseline bpe-50k
    toktk compare runs/today runs/yesterday
    toktk compare mine=path/ -c text/ --save-baseline baseline.json
    toktk compare mine=path/ -c text/ --baseline baseline.json --fail-if 'bytes_per_token < -1%'

    A SPEC is a tokenizer as for `toktk bench`; a RUN is a folder that sweep or bench wrote. Of two runs,
    each tokenizer of the first is compared with that of its label in the second.

    The difference on this text is exact; its interval, paired by document, and the verdict are about text
    like it.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.lab.baseline import write_baseline
    from toktk.lab.compare import Asked, compare_sides
    from toktk.lab.gate import parse_gate, refuse_unjudged
    from toktk.lab.meter import Meter
    from toktk.lab.pairing import matched, pairs_of, told_apart

    asked = Asked(metrics, groups, zone, allow, [*map(parse_gate, gates)])
    asked.check()
    is_given = context.get_parameter_source("specs") != click.core.ParameterSource.DEFAULT
    progress.watch_downloads()
    measures = _measures([*metrics, *(gate.metric for gate in asked.gates)], reference)
    found = _sources(sources, specs if is_given else (), reader, measures, jobs, progress)
    sides = told_apart([side for source in found for side in source.sides])
    alone = len(sides) == 1 and baseline is None
    if save_baseline is not None:
        write_baseline([side for source in found for side in source.sides], save_baseline)
        remark(str(save_baseline))
        if alone:
            return
    if len(found) == 2 and baseline is None:
        pairs = matched(found[0].sides, found[1].sides)
    else:
        if baseline is None and len(found) == 1 and found[0].decides is None and len(sides) > 2:
            raise click.UsageError(
                f"name the tokenizer to compare with: --baseline {sides[0].label}; there are "
                f"{', '.join(side.label for side in sides)}."
            )
        pairs = pairs_of(sides, baseline)
    remarks = [text for source in found for text in source.remarks]
    decides = found[0].decides if len(found) == 1 else None
    with progress.watching() as watcher:
        result = compare_sides(pairs, asked, decides, remarks, Meter(watcher))
    show_in(format, result, output)
    if page is not None:
        _write_page(page, found, result, progress)
    refuse_unjudged(result.gates)
    failed = [judged for judged in result.gates if judged.broken]
    for judged in failed:
        remark(f"Gate {judged.gate!r} fails: {judged.candidate}, {judged.group}: {judged.why}.")
    if failed:
        sys.exit(GATE_FAILED)


def _write_page(
    page: Path, sources: list[Sources], result: Comparisons, progress: Progress
) -> None:
    from toktk.lab.meter import Meter
    from toktk.page.build import page_of, parts_of, write_document
    from toktk.page.contents import Contents
    from toktk.page.shown import merged, shown_bench, shown_run

    shown = [shown_run(source.run) for source in sources if source.run is not None]
    shown += [
        shown_bench(source.bench, source.outcome)
        for source in sources
        if source.bench is not None and source.outcome is not None
    ]
    contents = Contents(merged(shown), result)
    with (
        progress.watching() as watcher,
        Meter(watcher).step("write", page.name, parts_of(contents), "parts") as advance,
    ):
        write_document(page_of(contents, advance=advance), page)
    if not progress.quiet:
        remark(str(page))


def _measures(metrics: Sequence[str], reference: str | None) -> Measures:
    """Return what is to be measured of tokenizers: the standard metrics, and n-grams where asked for."""
    from toktk.lab.differences import base_of
    from toktk.lab.measures import Measures
    from toktk.metrics.base import STANDARD
    from toktk.metrics.ngrams import TOPIC, ngram_bpb

    has_ngrams = not {TOPIC, ngram_bpb.name}.isdisjoint(map(base_of, metrics))
    return Measures((STANDARD, TOPIC) if has_ngrams else (), reference)


def _sources(
    sources: tuple[str, ...],
    specs: tuple[str, ...],
    reader: ReaderOptions,
    measures: Measures,
    jobs: int,
    progress: Progress,
) -> list[Sources]:
    """Return the runs, or the one bench of all tokenizers."""
    from toktk.corpus import load_corpus
    from toktk.lab.bench import Bench
    from toktk.lab.plan import BenchPlan
    from toktk.lab.sources import measured, run_folder, sources_of

    runs = {source: run_folder(source) for source in sources}
    folders = [run for run in runs.values() if run is not None]
    if not folders:
        texts = specs or ("starter:eval",)
        with progress.opening(*texts):
            corpus = load_corpus(texts, reader)
        bench = Bench(BenchPlan(sources, corpus, measures, jobs))
        with progress.watching() as bench.meter.watcher:
            return [measured(bench)]
    if others := [source for source, run in runs.items() if run is None]:
        raise click.UsageError(
            f"{others[0]!r} is no run, and {folders[0][1]} is one: a run is compared with runs, or with "
            "a tokenizer of its own or a file by --baseline."
        )
    if specs:
        raise click.UsageError("a run was measured on its own text: leave out -c.")
    return [sources_of(name, folder) for name, folder in folders]
