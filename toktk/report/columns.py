"""The columns of figures, each declared once: heading, metric, how a figure is written, and its legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from toktk.metrics import topic_of
from toktk.metrics.base import STANDARD
from toktk.pieces.table import POOLED
from toktk.report.ngrams import HALF
from toktk.report.records import FamilyRecords, Record, half_width
from toktk.report.table import NULL, Head, folded, shortened
from toktk.visible import quoted

_LONGEST_REFERENCE = 30
_LONGEST_HEAD = 8
LOST_MARK = "*"


@dataclass(frozen=True)
class Column:
    """A column of figures about all groups together.

    Attributes:
        metric: the figure; ``*`` stands for the reference in its name.
        show: writes the figure: a format of its value, or a function.
        name: what the legend calls it; none for a column that the one before explains.
        legend: explains it in a line; ``{reference}`` and ``{groups}``, how many, are those of the figure.
        applies: whether a family has something to show here, besides a figure of the metric.
        error: the format of half an interval; none where it is not shown.
    """

    head: Head
    metric: str
    show: str | Callable[[FamilyRecords, Record], str]
    name: str = ""
    legend: str = ""
    applies: Callable[[FamilyRecords], bool] = lambda family: True
    error: str = ""

    def fits(self, family: FamilyRecords) -> bool:
        """Return whether the family has this column: a figure at some size."""
        sizes = family.sizes
        return any(family.value(s, self.metric) is not None for s in sizes) and self.applies(family)

    def cell(self, family: FamilyRecords, size: int) -> str:
        """Return what stands there for the family at a size."""
        record = family.get(size, self.metric)
        if record is None or record.value is None:
            return NULL
        show = self.show
        return show.format(record.value) if isinstance(show, str) else show(family, record)

    def widest(self, families: Sequence[FamilyRecords]) -> str:
        """Return half the widest interval of the column; nothing where no figure has one."""
        halves = [
            half_width(family.get(size, self.metric))
            for family in families
            for size in family.sizes
        ]
        known = [half for half in halves if half is not None]
        return self.error.format(max(known)) if known and self.error else ""

    def head_for(self, families: Sequence[FamilyRecords]) -> Head:
        """Return the heading, its legend about the first family that has the column."""
        family = next(filter(self.fits, families))
        record = family.get(family.sizes[-1], self.metric)
        reference = shortened(quoted(family.reference(self.metric)), _LONGEST_REFERENCE)
        groups = counted((record and record.n) or 0, "group")
        text = self.legend.format(reference=reference, groups=groups)
        # Both names: that of the screen, and the one that -m and the records know.
        metric = self.metric.partition("[*]")[0].partition("|")[0]
        also = "" if metric == self.name else f"{metric}: "
        legend = f"{self.name:<11}  {also}{text}" if self.name else ""
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
    before = None if above is None else family.value(above, record.metric)
    if above is None or not before:
        return NULL
    return f"{_two_digits(100 * (before - tokens) / before * 1000 / (size - above))}%"


def _two_digits(value: float) -> str:
    """Return a number with two significant digits and no exponent."""
    if value == 0:
        return "0"
    return f"{value:.{max(0, min(6, 1 - math.floor(math.log10(abs(value)))))}f}"


def _has_lines(family: FamilyRecords) -> bool:
    return family.value(family.sizes[-1], "tokens_per_line") is not None


COLUMNS = (
    Column(
        Head("tokens/\nline"),
        "tokens_per_line",
        lambda family, record: f"{record.value:.1f}{lost_mark(family, record.size or 0)}",
        "tokens/line",
        "mean over the languages of parallel text; less is better",
        error="{:.1f}",
    ),
    Column(
        Head("bytes/\ntoken"),
        "bytes_per_token",
        _compression,
        "bytes/token",
        "all groups pooled; more is better",
        error="{:.3f}",
    ),
    Column(
        Head("gain\n/+1k", spare=1),
        "tokens_per_line",
        _gain,
        "gain /+1k",
        "tokens saved per 1,000 ids added since the previous size",
        applies=lambda family: len(family.sizes) > 1,
    ),
    Column(
        Head("gain\n/+1k", spare=1),
        "tokens",
        _gain,
        "gain /+1k",
        "tokens saved per 1,000 ids added since the previous size",
        applies=lambda family: len(family.sizes) > 1 and not _has_lines(family),
    ),
    Column(
        Head("of\nceiling", spare=5),
        "headroom",
        _of_ceiling,
        "of ceiling",
        "share of the best bytes/token this pretokenizer allows (each piece one token)",
        error="{:.1%}",
    ),
    Column(
        Head("ferti-\nlity", spare=8),
        "fertility[ws]|macro",
        "{:.2f}",
        "fertility",
        "tokens per white-space word, mean over {groups}",
        error="{:.2f}",
    ),
    Column(
        Head("parity\nmean"),
        "parity[*]|macro",
        "{:.2f}",
        "parity",
        "tokens relative to {reference}, mean and worst of {groups}; less where {reference} costs more",
        error="{:.2f}",
    ),
    Column(Head("\nworst", spare=9), "parity[*]|max", _worst, error="{:.1f}"),
    Column(
        Head("\nGini", spare=3),
        "gini[tokens_per_line]",
        "{:.3f}",
        "Gini",
        "inequality of tokens per line between languages; 0 is equal",
        error="{:.3f}",
    ),
    Column(
        Head("ids\nused", spare=6),
        "utilization",
        "{:.1%}",
        "ids used",
        "share of the vocabulary that occurs in this text",
        error="{:.1%}",
    ),
    Column(
        Head("whole\nwords", spare=4),
        "single_token_words[piece]",
        "{:.1%}",
        "whole words",
        "share of words (pieces with a letter) that are a single token",
        error="{:.1%}",
    ),
    Column(
        Head("1-gram\nbits", spare=2),
        "ngram_bpb[1]",
        "{:.3f}",
        "n-gram bits",
        "held-out bits per byte of n-gram models; less is better, at one size only",
        error="{:.3f}",
    ),
    Column(Head("2-gram\nbits"), "ngram_bpb[2]", "{:.3f}", error="{:.3f}"),
    Column(Head("3-gram\nbits", spare=1), "ngram_bpb[3]", "{:.3f}", error="{:.3f}"),
    Column(
        Head("\nlost"),
        "lost",
        _lost,
        "lost",
        f"share of bytes that no token stands for; {LOST_MARK} figures that this makes too good",
        applies=lambda family: any(family.value(size, "lost") for size in family.sizes),
    ),
)

ABOUT_PIECES = ("headroom", "single_token_words[piece]")
"""What depends on how text is cut, and is compared only within the same cut."""


def counted(n: int, what: str) -> str:
    """Return a number with what it counts, in the singular or plural."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def columns_of(families: Sequence[FamilyRecords], asked: Collection[str] = ()) -> list[Column]:
    """Return the columns that any of the families has, and one for each figure that was `asked` for.

    Those of other topics than the standard one have tables of their own: `toktk.report.topic_tables`.
    """
    columns = [column for column in COLUMNS if any(map(column.fits, families))]
    shown = {family.named(column.metric) for column in columns for family in families}
    pooled = dict.fromkeys(
        metric for f in families for _, metric, group in f.by_key if group == POOLED
    )
    for metric in pooled:
        is_asked = any(metric.startswith(name) for name in asked) and not metric.endswith(HALF)
        if metric not in shown and is_asked and topic_of(metric) in ("", STANDARD):
            unit = next(r.unit for f in families for r in f.by_key.values() if r.metric == metric)
            head = Head("\n".join(folded(metric, _LONGEST_HEAD)), whole=metric)
            further = Column(head, metric, _plain, metric, unit)
            columns += [further] if any(map(further.fits, families)) else []
    return columns


def _plain(family: FamilyRecords, record: Record) -> str:
    value = record.value or 0.0
    if record.unit == "share":
        return f"{value:.1%}"
    return f"{value:,.0f}" if value.is_integer() else f"{value:.3f}"
