"""``toktk ls``: what there is to train with, cut with, measure with and measure on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from toktk import registry
from toktk.cli.options import format_option, output_option
from toktk.cli.output import emit_rows
from toktk.errors import ToktkError

Row = tuple[str, ...]
Listing = tuple[Row, list[Row]]  # column names, rows


@click.command("ls")
@click.argument(
    "kind",
    type=click.Choice(
        ("trainers", "pretokenizers", "metrics", "corpora", "patterns", "pair-scores", "inference")
    ),
)
@format_option
@output_option()
def command(kind: str, format: str, output: Path | None) -> None:
    """List what toktk and the installed packages offer: name, what it is, where it comes from."""
    columns, rows = _LISTS[kind]()
    if kind != "trainers" or format != "table":
        emit_rows(columns, rows, format, output)
        return
    # A table has no room for sentences: they follow it.
    at = columns.index("notes")
    heads = [_TWO_LINES.get(column, column) for column in (*columns[:at], *columns[at + 1 :])]
    notes = "".join(f"{row[0]}: {row[at]}\n" for row in rows if row[at])
    cells = [(*row[:at], *row[at + 1 :]) for row in rows]
    emit_rows(heads, cells, format, output, below=f"\n{notes}" if notes else "")


_TWO_LINES = {
    "pretokenizer": "pre-\ntokenizer",
    "exact size": "exact\nsize",
    "deterministic": "deter-\nministic",
    "one training": "one\ntraining",
}


def _trainers() -> Listing:
    from toktk.trainers import TRAINERS
    from toktk.trainers.base import card_of

    rows: list[Row] = []
    for name, target, origin in _loaded(TRAINERS):
        trouble = _trouble(target)
        if trouble:
            rows.append((name, trouble, *[""] * 6, origin))
            continue
        card = card_of(target)
        claims = (card.exact_size, card.deterministic, card.shared)
        yes_or_no = ("yes" if claim else "no" for claim in claims)
        about = (card.reads, card.pretokenizer, *yes_or_no, " ".join(card.notes))
        rows.append((name, _first_line(target), *about, origin))
    return (
        "name",
        "what",
        "reads",
        "pretokenizer",
        "exact size",
        "deterministic",
        "one training",  # for all sizes
        "notes",
        "origin",
    ), rows


def _pretokenizers() -> Listing:
    from toktk.pretokenizers.patterns import PRETOKENIZERS

    rows: list[Row] = [
        (
            name,
            "split pattern" if isinstance(target, str) else _trouble(target) or _first_line(target),
            origin,
        )
        for name, target, origin in _loaded(PRETOKENIZERS)
    ]
    return ("name", "what", "origin"), rows


def _patterns() -> Listing:
    from toktk.pretokenizers.patterns import PRETOKENIZERS

    rows: list[Row] = [
        (name, target, origin)
        for name, target, origin in _loaded(PRETOKENIZERS)
        if isinstance(target, str)
    ]
    return ("name", "pattern", "origin"), rows


def _metrics() -> Listing:
    from toktk.metrics import METRICS

    rows: list[Row] = []
    for name, target, origin in _loaded(METRICS):
        trouble = _trouble(target)
        if trouble:
            rows.append((name, "", "", trouble, origin))
        else:
            better = getattr(target, "better", None) or ""
            what = getattr(target, "description", "") or _first_line(target)
            rows.append((name, getattr(target, "unit", ""), better, what, origin))
    return ("name", "unit", "better", "what", "origin"), rows


def _pair_scores() -> Listing:
    from toktk.trainers.pair_scores import PAIR_SCORES

    rows: list[Row] = [
        (name, _trouble(target) or _first_line(target), origin)
        for name, target, origin in _loaded(PAIR_SCORES)
    ]
    return ("name", "what", "origin"), rows


def _inference() -> Listing:
    from toktk.models.inference import INFERENCE

    rows: list[Row] = [
        (name, _trouble(target) or getattr(target, "description", ""), origin)
        for name, target, origin in _loaded(INFERENCE)
    ]
    return ("name", "what", "origin"), rows


def _corpora() -> Listing:
    from toktk.corpus.cards import cards
    from toktk.corpus.starter import PARTS

    rows: list[Row] = [
        (f"starter:{part}", what, "ships with toktk", license)
        for part, (what, license) in PARTS.items()
    ]
    rows += [(name, card.title, card.spec, card.license) for name, card in cards().items()]
    return ("name", "what", "spec", "license"), rows


_LISTS = {
    "trainers": _trainers,
    "pretokenizers": _pretokenizers,
    "metrics": _metrics,
    "corpora": _corpora,
    "patterns": _patterns,
    "pair-scores": _pair_scores,
    "inference": _inference,
}


def _loaded(of: registry.Registry) -> Iterator[tuple[str, object, str]]:
    """Yield name, object and origin; of one that cannot be loaded the error is the object."""
    for name, origin in of.names().items():
        try:
            yield name, of.load(name), origin
        except ToktkError as error:
            yield name, error, origin


def _trouble(target: object) -> str:
    # One broken plugin is one row of the list, not the end of it.
    return " ".join(str(target).split()) if isinstance(target, ToktkError) else ""


def _first_line(target: object) -> str:
    return (target.__doc__ or "").strip().partition("\n")[0]
