"""What ``sweep`` and ``train`` share: from specs to a plan, and from a run to the screen."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toktk.cli.output import emit, emit_rows

if TYPE_CHECKING:
    from rich.console import RenderableType

    from toktk.corpus import Corpus, ReaderOptions
    from toktk.lab.meter import Meter
    from toktk.lab.plan import SweepPlan
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.report.results import Results

HELD_OUT = 0.1
_PIPE_WIDTH = 100


def whole_corpus(specs: Sequence[str], options: ReaderOptions) -> Corpus:
    """Return all of the corpora as one.

    Raises:
        CorpusError: a spec names nothing.
    """
    from toktk.corpus import load_corpus

    return _joined([load_corpus(spec, options) for spec in specs])


def corpora(
    specs: Sequence[str], evals: Sequence[str], options: ReaderOptions
) -> tuple[Corpus, Corpus]:
    """Return the text to train on and the text to measure on.

    Without the latter a tenth of each corpus is held out, by a hash of each document; the starter
    corpus has a part of its own for that.

    Raises:
        CorpusError: a spec names nothing.
    """
    from toktk.corpus import load_corpus

    if evals:
        return whole_corpus(specs, options), whole_corpus(evals, options)
    training, evaluation = [], []
    for spec in specs:
        corpus = load_corpus(spec, options)
        if spec in ("starter", "starter:train"):
            training.append(corpus)
            evaluation.append(load_corpus("starter:eval", options))
        else:
            train, test = corpus.split(HELD_OUT)
            training.append(train)
            evaluation.append(test)
    return _joined(training), _joined(evaluation)


def _joined(found: list[Corpus]) -> Corpus:
    from toktk.corpus import concat

    return found[0] if len(found) == 1 else concat(found, " + ".join(one.name for one in found))


def named_pretokenizers(names: Sequence[str], patterns: Sequence[str]) -> tuple[Pretokenizer, ...]:
    """Return the pretokenizers asked for, each once.

    Raises:
        PatternError: an unknown name, or a pattern that nobody understands.
    """
    from toktk.pretokenizers.patterns import PATTERNS
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    found = [Pretokenizer.of(name) for name in names]
    known = {pattern: name for name, pattern in PATTERNS.items()}
    for pattern in patterns:
        digest = hashlib.sha256(pattern.encode("utf-8", "surrogatepass")).hexdigest()
        found.append(Pretokenizer(known.get(pattern, f"regex-{digest[:8]}"), pattern))
    for pretokenizer in found:
        pretokenizer.compile()  # an error comes early
    return tuple(dict.fromkeys(found))


def run(plan: SweepPlan, output: Path | None, format: str, quiet: bool) -> None:
    """Carry out a plan, or show what its run directory already holds.

    Raises:
        ToktkError: whatever is wrong with plan, text or folder.
    """
    from toktk.errors import StorageError
    from toktk.lab.meter import Meter
    from toktk.lab.run import RunDirectory
    from toktk.lab.sweep import failure, fingerprint, sweep
    from toktk.report.progress import ProgressBars, costs_line

    plan.check()
    trouble: StorageError | None = None
    with ProgressBars(quiet) as bars:
        meter = Meter(bars)
        remark_on_kernels(meter)
        signature = fingerprint(plan, meter)
        directory = RunDirectory(output or _default_directory(plan, signature))
        found = None if plan.force else directory.find(signature)
        if found is not None:
            document = found
            results = None if plan.evaluation is None else directory.results()
        else:
            directory.prepare()
            _remark_on_overlap(plan, meter)
            result = sweep(plan, meter)
            results = None if plan.evaluation is None else result.results
            try:
                document = directory.write(result, signature, meter)
            except StorageError as error:
                # The figures are there: a full disk must not take them away.
                trouble, document = error, result.describe()
    _show(results, document, format)
    if trouble is not None:
        raise trouble
    if not quiet:
        if found is not None:
            click.echo(
                "This run is complete; nothing was computed (--force does it anew).", err=True
            )
        click.echo(f"{costs_line(document['steps'])}\n{directory.path}", err=True)
    if document.get("failed"):
        raise failure(document["failed"])


def _default_directory(plan: SweepPlan, signature: str) -> Path:
    from toktk.lab.plan import file_name

    name = plan.training.name.removesuffix(" (train)")
    return Path("runs") / f"{file_name(name)[:60]}-{signature[:8]}"


def remark_on_kernels(meter: Meter) -> None:
    """Say that a first run compiles, so that nobody takes the wait for the work."""
    from toktk.kernels import cache_directory

    folder = cache_directory()
    if folder is None or not any(folder.rglob("*.nbi")):
        meter.watcher.remark("compiling kernels, once (up to a minute)")


def _remark_on_overlap(plan: SweepPlan, meter: Meter) -> None:
    if plan.evaluation is not None and plan.evaluation.fingerprint == plan.training.fingerprint:
        meter.watcher.remark("measuring on the text that is trained on: the figures flatter.")


def _show(results: Results | None, document: dict[str, Any], format: str) -> None:
    if results is None:
        _show_tokenizers(document.get("tokenizers", {}), format)
        return
    from toktk.report.tables import sweep_tables

    show(results, format, lambda width: sweep_tables(results, document["unreached"]))


def show(results: Results, format: str, tables: Callable[[int], Sequence[RenderableType]]) -> None:
    """Write figures to standard output in one of `toktk.cli.options.FORMATS`.

    `tables` makes what the terminal shows, given its width in characters.
    """
    if format == "json":
        emit(results.to_json(), None)
    elif format == "csv":
        emit(results.to_csv(), None)
    elif format == "md":
        emit(results.to_markdown(), None)
    elif format == "latex":
        emit(results.to_latex(), None)
    else:
        show_tables(tables)


def show_tables(tables: Callable[[int], Sequence[RenderableType]]) -> None:
    """Write tables to standard output, as wide as the terminal; `tables` is given that width."""
    import io

    from rich.console import Console

    on_screen = sys.stdout.isatty()
    text = io.StringIO()
    width = None if on_screen else _PIPE_WIDTH
    console = Console(file=text, force_terminal=on_screen, width=width, highlight=False)
    for table in tables(console.width):
        console.print(table)
    lines = text.getvalue().splitlines()
    click.echo("".join(f"{line.rstrip()}\n" for line in lines), nl=False, color=on_screen)


def _show_tokenizers(tokenizers: dict[str, Any], format: str) -> None:
    columns = ("tokenizer", "size", "pretokenizer", "folder", "files")
    rows = [
        (label, one["size"], one["pretokenizer"], one["folder"], ", ".join(one.get("files", ())))
        for label, one in tokenizers.items()
    ]
    emit_rows(columns, rows, format)
