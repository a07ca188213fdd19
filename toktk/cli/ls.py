"""``toktk ls``: what there is to train with, cut with, measure with and measure on."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from toktk.cli.options import format_option, output_option
from toktk.cli.output import emit_rows
from toktk.errors import ToktkError, in_a_line
from toktk.registry import guarded
from toktk.visible import visible

Row = tuple[str, ...]


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
    columns, rows = _corpora() if kind == "corpora" else _listed(kind)
    if kind != "trainers" or format != "table":
        emit_rows(columns, rows, format, output)
        return
    # A table has no room for sentences: they follow it.
    at = columns.index("options")  # and notes
    heads = [_TWO_LINES.get(column, column) for column in (*columns[:at], *columns[at + 2 :])]
    cells = [(*row[:at], *row[at + 2 :]) for row in rows]
    options = _below(rows, at, "Options, each set by -O TRAINER.NAME=VALUE")
    notes = _below(rows, at + 1, "Notes")
    emit_rows(heads, cells, format, output, below=options + notes)


def _below(rows: list[Row], at: int, title: str) -> str:
    """Return the cells of a column as lines that follow a table."""
    lines = "".join(f"{visible(row[0])}: {visible(row[at])}\n" for row in rows if row[at])
    return f"\n{title}\n{lines}" if lines else ""


_TWO_LINES = {
    "pretokenizer": "pre-\ntokenizer",
    "exact size": "exact\nsize",
    "deterministic": "deter-\nministic",
    "one training": "one\ntraining",
}


def _listed(kind: str) -> tuple[Row, list[Row]]:
    """Return the columns and rows of what a registry lists; a broken plug-in is a row too."""
    module, registry_name, columns, describe = _KINDS[kind]
    registry = getattr(importlib.import_module(f"toktk.{module}"), registry_name)
    what = columns.index("what") if "what" in columns else 0
    rows: list[Row] = []
    for name, origin in registry.names().items():
        try:
            target = registry.load(name)
            if kind == "patterns" and not isinstance(target, str):
                continue
            with guarded(f"the {registry.kind} {name!r}", target):
                cells = list(describe(target))
        except ToktkError as error:
            cells = [""] * len(columns)
            cells[what] = in_a_line(error)
        rows.append((name, *cells, origin))
    return ("name", *columns, "origin"), rows


def _first_line(target: Any) -> str:
    return (target.__doc__ or "").strip().partition("\n")[0]


def _trainer(target: Any) -> Row:
    from toktk.trainers.base import card_of
    from toktk.trainers.options import written_options

    card = card_of(target)
    options = ", ".join(written_options(target))
    claims = (card.exact_size, card.deterministic, card.shared)
    yes_or_no = ("yes" if claim else "no" for claim in claims)
    return (
        _first_line(target),
        card.reads,
        card.pretokenizer,
        *yes_or_no,
        options,
        " ".join(card.notes),
    )


def _what(target: Any) -> Row:
    return ("split pattern" if isinstance(target, str) else _first_line(target),)


def _metric(target: Any) -> Row:
    return target.unit, target.better or "", target.description or _first_line(target)


_CLAIMS = ("exact size", "deterministic", "one training")  # one training for all sizes
_CARD = ("what", "reads", "pretokenizer", *_CLAIMS, "options", "notes")
_PATTERNS = ("pretokenizers.patterns", "PRETOKENIZERS")
# Kind -> module and name of its registry, columns between name and origin, and what fills them.
_KINDS: dict[str, tuple[str, str, Row, Callable[[Any], Row]]] = {
    "trainers": ("trainers", "TRAINERS", _CARD, _trainer),
    "pretokenizers": (*_PATTERNS, ("what",), _what),
    "patterns": (*_PATTERNS, ("pattern",), lambda target: (target,)),
    "metrics": ("metrics", "METRICS", ("unit", "better", "what"), _metric),
    "pair-scores": ("trainers.pair_scores", "PAIR_SCORES", ("what",), _what),
    "inference": ("models.inference", "INFERENCE", ("what",), lambda t: (t.description,)),
}


def _corpora() -> tuple[Row, list[Row]]:
    from toktk.corpus.load import cards
    from toktk.corpus.starter import PARTS

    rows: list[Row] = [
        (f"starter:{part}", what, "ships with toktk", license)
        for part, (what, license) in PARTS.items()
    ]
    rows += [(name, card.title, card.spec, card.license) for name, card in cards().items()]
    return ("name", "what", "spec", "license"), rows
