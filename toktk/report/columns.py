"""The columns of figures, each declared once: heading, metric, how a figure is written, and its legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toktk.pieces.table import POOLED
from toktk.report.records import FamilyRecords, Record
from toktk.report.table import NULL, Head, shortened
from toktk.visible import quoted

_LONGEST_REFERENCE = 30
LOST_MARK = "*"


@dataclass(frozen=True)
class Column:
    """A column of figures about all groups together.

    Attributes:
        metric: the figure; ``*`` stands for the reference in its name.
        show: writes the figure: a format of its value, or a function.
        legend: explains it in a line; ``{reference}`` and ``{n}`` are those of the figure.
        applies: whether a family has something to show here, besides having the metric.
    """

    head: Head
    metric: str
    show: str | Callable[[FamilyRecords, Record], str]
    legend: str = ""
    applies: Callable[[FamilyRecords], bool] = lambda family: True

    def fits(self, family: FamilyRecords) -> bool:
        """Return whether the family has this column."""
        return family.named(self.metric) is not None and self.applies(family)

    def cell(self, family: FamilyRecords, size: int) -> str:
        """Return what stands there for the family at a size."""
        record = family.get(size, self.metric)
        if record is None or record.value is None:
            return NULL
        show = self.show
        return show.format(record.value) if isinstance(show, str) else show(family, record)

    def head_for(self, families: Sequence[FamilyRecords]) -> Head:
        """Return the heading, its legend about the first family that has the column."""
        family = next(filter(self.fits, families))
        record = family.get(family.sizes[-1], self.metric)
        reference = shortened(quoted(family.reference(self.metric)), _LONGEST_REFERENCE)
        legend = self.legend.format(reference=reference, n=(record and record.n) or 0)
        return replace(self.head, legend=legend)


def _of_ceiling(family: FamilyRecords, record: Record) -> str:
    return f"{100 * (1 - (record.value or 0)):.1f}%"


def _compression(family: FamilyRecords, record: Record) -> str:
    return f"{record.value:.3f}{lost_mark(family, record.size or 0)}"


def _lost(family: FamilyRecords, record: Record) -> str:
    share = record.value or 0
    return f"{share:.2%}" if share >= 0.0001 or not share else "<0.01%"


def lost_mark(family: FamilyRecords, size: int, group: str = POOLED) -> str:
    """Return what stands behind a figure about text of which some is lost."""
    return LOST_MARK if family.value(size, "lost", group) else ""


def _worst(family: FamilyRecords, record: Record) -> str:
    return f"{record.value:.1f} {shortened(record.note or '', 8)}"


def _gain(family: FamilyRecords, record: Record) -> str:
    size, tokens = record.size or 0, record.value or 0
    above = max((other for other in family.sizes if other < size), default=None)
    before = None if above is None else family.value(above, "tokens")
    if above is None or not before:
        return NULL
    return f"{_two_digits(100 * (before - tokens) / before * 1000 / (size - above))}%"


def _two_digits(value: float) -> str:
    """Return a number with two significant digits and no exponent."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, min(6, 1 - math.floor(math.log10(abs(value)))))}f}"


COLUMNS = (
    Column(
        Head("bytes/\ntoken"),
        "bytes_per_token",
        _compression,
        "bytes/token  all groups pooled; more is better",
    ),
    Column(
        Head("gain\n/+1k", spare=1),
        "tokens",
        _gain,
        "gain /+1k    tokens saved by each thousand ids more than the size before",
        applies=lambda family: len(family.sizes) > 1,
    ),
    Column(
        Head("of\nceiling"),
        "headroom",
        _of_ceiling,
        "of ceiling   reached of one token a piece: this pretokenizer allows no more",
    ),
    Column(
        Head("ferti-\nlity"),
        "fertility[ws]|macro",
        "{:.2f}",
        "fertility    tokens per white-space word, mean over {n} groups",
    ),
    Column(
        Head("parity\nmean"),
        "parity[*]|macro",
        "{:.2f}",
        "parity       tokens relative to {reference}, on parallel text: mean, and the worst",
    ),
    Column(Head("\nworst"), "parity[*]|max", _worst),
    Column(
        Head("\nGini", spare=3),
        "gini[tokens_per_line]",
        "{:.3f}",
        "Gini         inequality of tokens per line between languages; 0 is equal",
    ),
    Column(
        Head("ids\nused"),
        "utilization",
        "{:.1%}",
        "ids used     share of the vocabulary that occurs in this text",
    ),
    Column(
        Head("whole\nwords", spare=4),
        "single_token_words[piece]",
        "{:.1%}",
        "whole words  share of the pieces with a letter that are one token",
    ),
    Column(
        Head("\nlost"),
        "lost",
        _lost,
        f"lost         share of bytes that no token stands for; {LOST_MARK} figures that this makes too good",
        applies=lambda family: any(family.value(size, "lost") for size in family.sizes),
    ),
)

ABOUT_PIECES = ("headroom", "single_token_words[piece]")
"""What depends on how text is cut, and is compared only within the same cut."""


def columns_of(families: Sequence[FamilyRecords]) -> list[Column]:
    """Return the columns that any of the families has."""
    return [column for column in COLUMNS if any(map(column.fits, families))]
