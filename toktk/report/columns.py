"""The columns over vocabulary sizes, and how a figure is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toktk.pieces.table import POOLED
from toktk.report.families import Family
from toktk.trainers.base import size_label

if TYPE_CHECKING:
    from rich.table import Table

NULL = "–"

Cell = Callable[[int], str]


@dataclass(frozen=True)
class Column:
    """A column over sizes: its heading, what a cell holds, and the line that explains it."""

    header: str
    cell: Cell
    words: str


def columns(family: Family) -> list[Column]:
    """Return the columns that the family has figures for."""

    def one(
        metric: str | None, header: str, show: Callable[[float], str], words: str
    ) -> list[Column]:
        if metric is None or metric not in family.metrics:
            return []
        return [Column(header, lambda size: shown(family.value(size, metric), show), words)]

    parity = family.named("parity[", "|macro")
    worst = family.named("parity[", "|max")
    reference = parity.partition("[")[2].partition("]")[0] if parity else ""
    columns = one("bytes_per_token", "bytes/\ntoken", "{:.3f}".format, _WORDS["bytes"])
    if "tokens" in family.metrics and len(family.sizes) > 1:
        columns.append(Column("gain\n/+1k", lambda size: _gain(family, size), _WORDS["gain"]))
    columns += one("headroom", "of\nceiling", lambda v: f"{100 * (1 - v):.1f}%", _WORDS["ceiling"])
    columns += one(
        "fertility[ws]|macro", "ferti-\nlity", "{:.2f}".format, _over(family, "fertility[ws]|macro")
    )
    columns += one(
        parity, "parity\nmean", "{:.2f}".format, _WORDS["parity"].format(reference=reference)
    )
    if worst is not None:
        columns.append(Column("\nworst", lambda size: _worst(family, size, worst), ""))
    columns += one("gini[tokens_per_line]", "\nGini", "{:.3f}".format, _WORDS["gini"])
    columns += one("utilization", "ids\nused", "{:.1%}".format, _WORDS["used"])
    columns += one("single_token_words[piece]", "whole\nwords", "{:.1%}".format, _WORDS["words"])
    return columns


_WORDS = {
    "bytes": "bytes/token  all groups pooled; more is better",
    "gain": "gain /+1k    tokens saved by each thousand ids more than the size before",
    "ceiling": "of ceiling   reached of one token a piece: this pretokenizer allows no more",
    "fertility": "fertility    tokens per white-space word, mean over {n} groups",
    "parity": "parity       tokens relative to {reference}, on parallel text: mean, and the worst",
    "gini": "Gini         inequality of tokens per line between languages; 0 is equal",
    "used": "ids used     share of the vocabulary that occurs in this text",
    "words": "whole words  share of the pieces with a letter that are one token",
}


def _over(family: Family, metric: str) -> str:
    record = family.get(family.sizes[-1], metric)
    return _WORDS["fertility"].format(n=record.n if record else 0)


def shown(value: float | None, show: Callable[[float], str]) -> str:
    """Return a figure as `show` writes it, or a dash."""
    return NULL if value is None else show(value)


def _gain(family: Family, size: int) -> str:
    above = max((other for other in family.sizes if other < size), default=None)
    if above is None:
        return NULL
    before, after = family.value(above, "tokens"), family.value(size, "tokens")
    if not before or after is None:
        return NULL
    return f"{_two_digits(100 * (before - after) / before * 1000 / (size - above))}%"


def _two_digits(value: float) -> str:
    """Return a number with two significant digits and no exponent."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, min(6, 1 - math.floor(math.log10(abs(value)))))}f}"


def _worst(family: Family, size: int, metric: str) -> str:
    record = family.get(size, metric)
    if record is None or record.value is None:
        return NULL
    return f"{record.value:.1f} {short(record.note or '', 8)}"


def short(name: str, longest: int) -> str:
    """Return the name, its end left out if it is longer than `longest`."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def notes(family: Family, named: bool = False) -> list[str]:
    """Return what the family's figures lack, a line each; `named` puts its label into them."""
    notes = []
    name = f"{family.label} " if named else ""
    if family.missing:
        gives = "" if family.available is None else f"; the text gives {family.available:,} tokens"
        sizes = ", ".join(map(size_label, family.missing))
        notes.append(f"{NULL} {name}not reached: {sizes}{gives}.")
    reasons: dict[str, list[str]] = {}
    for (_, metric, group), record in family.by_key.items():
        if group == POOLED and record.value is None and record.note:
            metrics = reasons.setdefault(record.note, [])
            if metric not in metrics and metric in _DISPLAYED:
                metrics.append(metric)
    notes += [f"{NULL} {', '.join(m)}: {note}." for note, m in reasons.items() if m]
    return notes


_DISPLAYED = {
    "bytes_per_token", "headroom", "fertility[ws]|macro", "gini[tokens_per_line]", "utilization",
    "single_token_words[piece]",
}  # fmt: skip


def new_table() -> Table:
    """Return an empty table in the style of all."""
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
