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


KINDS = {
    "trainers": ("What builds vocabularies, with its options and known defects.", "-t"),
    "pretokenizers": ("How text is cut into pieces, and the patterns that do it.", "-p"),
    "metrics": ("What is measured, with its unit.", "-m"),
    "corpora": ("Text that ships with toktk, and public text that it can find.", "-c"),
    "pair-scores": ("The score that picks the next merge of BPE.", "--pair-score"),
    "inference": ("The algorithm that encodes with each vocabulary.", "--inference"),
}


@click.command("ls")
@click.argument("kind", type=click.Choice(list(KINDS)), required=False)
@format_option
@output_option()
def command(kind: str | None, format: str, output: Path | None) -> None:
    """List what toktk and the installed packages offer: name, what it is, where it comes from.

    Without a KIND, list the kinds.
    """
    if kind is None:
        kinds = [(name, *of_kind) for name, of_kind in KINDS.items()]
        emit_rows(("kind", "what", "option"), kinds, format, output)
        return
    columns, rows = _corpora() if kind == "corpora" else _listed(kind)
    if format != "table":
        emit_rows(columns, rows, format, output)
        return
    # A table has no room for sentences: they follow it. Nor for where all is from, if that is toktk.
    sentences = [i for i, column in enumerate(columns) if column in _SENTENCES]
    own = columns[-1] == "origin" and {row[-1] for row in rows} == {"toktk"}
    left_out = [*sentences, len(columns) - 1] if own else sentences
    heads = [_TWO_LINES.get(c, c) for i, c in enumerate(columns) if i not in left_out]
    cells = [tuple(cell for i, cell in enumerate(row) if i not in left_out) for row in rows]
    below = "".join(_below(rows, i, columns[i]) for i in sentences)
    emit_rows(heads, cells, format, output, below=below)


def _below(rows: list[Row], at: int, column: str) -> str:
    """Return the cells of a column as lines that follow a table."""
    write = _quoted if column == "pattern" else str
    lines = "".join(f"{visible(row[0])}: {visible(write(row[at]))}\n" for row in rows if row[at])
    return f"\n{_SENTENCES[column]}\n{lines}" if lines else ""


def _quoted(pattern: str) -> str:
    """Return a pattern between quotation marks that it does not hold, for it may begin with a space."""
    mark = next((mark for mark in "'\"`" if mark not in pattern), "'")
    return f"{mark}{pattern}{mark}"


_SENTENCES = {
    "options": "Options, each set by -O TRAINER.NAME=VALUE",
    "notes": "Notes",
    "formula": "Formulas",
    "trap": "Traps",
    "source": "Sources",
    "pattern": "Patterns, between quotation marks; one of your own is given with --pattern",
}
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
    what = next(i for i, column in enumerate(columns) if column in ("what", "words"))
    rows: list[Row] = []
    for name, origin in registry.names().items():
        try:
            target = registry.load(name)
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
    return (_first_line(target),)


def _cut(target: Any) -> Row:
    from toktk.pretokenizers.patterns import CUTS, Cut, name_of

    if not isinstance(target, str):
        return (*Cut("", _first_line(target), "", "", ""), "")
    return (*CUTS.get(name_of(target), Cut("", "as its pattern says", "", "", "")), target)


def _metric(target: Any) -> Row:
    what = target.description or _first_line(target)
    about = target.formula, target.trap, target.source
    return target.topic, target.unit, target.better or "", what, *about


_CLAIMS = ("exact size", "deterministic", "one training")  # one training for all sizes
_CARD = ("what", "reads", "pretokenizer", *_CLAIMS, "options", "notes")
_METRIC = ("topic", "unit", "better", "what", "formula", "trap", "source")
_CUT = ("of", "words", "digits", "spaces", "case", "pattern")
# Kind -> module and name of its registry, columns between name and origin, and what fills them.
_KINDS: dict[str, tuple[str, str, Row, Callable[[Any], Row]]] = {
    "trainers": ("trainers", "TRAINERS", _CARD, _trainer),
    "pretokenizers": ("pretokenizers.patterns", "PRETOKENIZERS", _CUT, _cut),
    "metrics": ("metrics", "METRICS", _METRIC, _metric),
    "pair-scores": ("trainers.pair_scores", "PAIR_SCORES", ("what",), _what),
    "inference": ("models.inference", "INFERENCE", ("what",), lambda t: (t.description,)),
}


def _corpora() -> tuple[Row, list[Row]]:
    from toktk.corpus.cards import cards
    from toktk.corpus.starter import PARTS

    rows: list[Row] = [
        (f"starter:{part}", what, "ships with toktk", license)
        for part, (what, license) in PARTS.items()
    ]
    rows += [(name, card.title, card.spec, card.license) for name, card in cards().items()]
    return ("name", "what", "spec", "license"), rows
