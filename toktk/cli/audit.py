"""``toktk audit``: what is wrong with a tokenizer, or with a text."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.cli.compare import GATE_FAILED
from toktk.cli.options import (
    corpus_options,
    engine_timeout_option,
    format_option,
    jobs_option,
    output_option,
    parsed,
    progress_options,
    sampling_seed_option,
)
from toktk.cli.output import emit, emit_rows, show_page
from toktk.cli.progress import Progress
from toktk.cli.streams import remark

if TYPE_CHECKING:
    from toktk.audit.finding import Finding, Severity
    from toktk.corpus import Corpus, ReaderOptions
    from toktk.lab.counted import CountedCorpora

_FILE_WIDTH = 100


def _names(values: Sequence[str]) -> tuple[str, ...]:
    names = (name.strip() for value in values for name in value.split(","))
    chosen = tuple(dict.fromkeys(filter(None, names)))
    if values and not chosen:
        raise ValueError("no check is named; write reachability,special.")
    return chosen


@click.command("audit")
@click.argument("tokenizer", required=False, metavar="[SPEC]")
@corpus_options(None, "Text to audit the tokenizer on, or to audit alone")
@click.option(
    "--second",
    metavar="SPEC",
    help="Another text, read as the first, in which ids that the first does not use are looked for.",
)
@click.option(
    "--checks",
    multiple=True,
    callback=parsed(_names),
    metavar="NAME[,NAME...]",
    help="Only these: files, reachability, utf8, lost, round-trip, special, hygiene, usage, boundary, "
    "determinism, speed. Repeatable.",
)
@click.option(
    "--training/--measuring",
    default=None,
    help="What the text alone is for: also warn of copies and imbalance, which a training learns from, or "
    "not.  [default: training]",
)
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning", "info")),
    help="End with 3 where a finding is as bad as this, or worse.",
)
@format_option
@output_option()
@progress_options
@sampling_seed_option
@jobs_option
@engine_timeout_option
def command(
    tokenizer: str | None,
    specs: tuple[str, ...],
    reader: ReaderOptions,
    second: str | None,
    checks: tuple[str, ...],
    training: bool | None,
    fail_on: Severity | None,
    format: str,
    output: Path | None,
    progress: Progress,
    seed: int,
    jobs: int,
) -> None:
    """Say what is wrong with a tokenizer, or with a text: findings with figures, the worst first.

    \b
    toktk audit tiktoken:o200k_base
    toktk audit hf:Qwen/Qwen3-8B -c news.parquet --group-column lang --fail-on error
    toktk audit mine=path/tokenizer.json --checks reachability,special -f json -o findings.json
    toktk audit -c news.parquet --group-column lang

    A SPEC is a tokenizer as for `toktk bench`. Without a text, all is checked that a vocabulary and its
    library show by themselves; with -c also what of that text is lost, cut or never used. Without a
    SPEC, the text itself is audited.
    """  # noqa: D301 - click wants the backspace itself
    if tokenizer is None and not specs:
        raise click.UsageError("name a tokenizer, a text with -c, or both.")
    if tokenizer is None and (checks or second is not None):
        option = "--checks" if checks else "--second"
        raise click.UsageError(f"{option} goes with a tokenizer: toktk audit SPEC {option} …")
    if tokenizer is not None and training is not None:
        raise click.UsageError(
            "--training and --measuring go with a text alone: leave out the tokenizer."
        )
    if second is not None and not specs:
        raise click.UsageError("--second goes with a first text: give it with -c.")
    if second is not None and checks and "usage" not in checks:
        raise click.UsageError(
            "--second is for the check usage: name it too, or leave --second out."
        )
    if not specs:
        _refuse_reading(reader)
    findings = _audited(
        tokenizer, specs, reader, second, checks, training is not False, progress, jobs
    )
    _show(findings, format, output)
    if fail_on is not None:
        _judge(findings, fail_on)


def _refuse_reading(reader: ReaderOptions) -> None:
    """Refuse options of how to read a text where there is none."""
    from dataclasses import fields

    for field in fields(reader):
        if field.name != "seed" and getattr(reader, field.name) != field.default:
            option = f"--{field.name.replace('_', '-')}"
            raise click.UsageError(f"{option} says how to read a text: give one with -c.")


def _audited(
    tokenizer: str | None,
    specs: tuple[str, ...],
    reader: ReaderOptions,
    second: str | None,
    checks: tuple[str, ...],
    training: bool,
    progress: Progress,
    jobs: int,
) -> list[Finding]:
    """Return the findings about a tokenizer, or about a text."""
    from toktk.audit.text import audit_text
    from toktk.audit.tokenizer import Asked, audit_tokenizer
    from toktk.corpus import load_corpus
    from toktk.lab.counted import CountedCorpora
    from toktk.lab.meter import Meter
    from toktk.loading.load import open_tokenizer

    asked = Asked(checks) if checks else Asked()
    progress.watch_downloads()
    loaded = None if tokenizer is None else open_tokenizer(tokenizer)
    corpora: list[Corpus] = []
    for text in filter(None, (specs, (second,) if second is not None else ())):
        with progress.opening(*text):
            corpora.append(load_corpus(text, reader))
    with progress.watching() as watcher:
        counted = CountedCorpora(Meter(watcher), jobs)
        _look_over(corpora, counted)
        if loaded is None:
            return audit_text(corpora[0], training, counted)
        first, other = [*corpora, None, None][:2]
        return audit_tokenizer(loaded, first, counted, other, asked)


def _look_over(corpora: Sequence[Corpus], counted: CountedCorpora) -> None:
    """Say what is known of the texts before they are read."""
    from toktk.lab.reading import fingerprint_text, remark_on_texts

    for corpus in corpora:
        fingerprint_text(counted.meter, corpus.name, corpus, counted.jobs)
    remark_on_texts(counted.meter, *corpora)


def _show(findings: list[Finding], format: str, output: Path | None) -> None:
    from toktk.audit import report

    if format == "json":
        emit(report.to_json(findings), output)
    elif format != "table":
        emit_rows(report.COLUMNS, report.rows(findings, format == "csv"), format, output)
    elif output is None:
        show_page(lambda width, color: report.text(findings, width, color))
    else:
        emit(report.text(findings, _FILE_WIDTH, False), output)


def _judge(findings: list[Finding], fail_on: Severity) -> None:
    """End with 3 where findings are too bad."""
    from toktk.audit.finding import is_as_bad_as

    bad = [f for f in findings if is_as_bad_as(f, fail_on)]
    if bad:
        n = len(bad)
        remark(
            f"{n} finding{'s' if n > 1 else ''} of severity {fail_on} or worse: {bad[0].check}"
            f"{', …' if n > 1 else ''}."
        )
        sys.exit(GATE_FAILED)
