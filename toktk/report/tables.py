"""A sweep on the terminal: one table over sizes for each trainer, one over languages.

Everything is read from the records, so a run just made and one read back look the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toktk.lab.results import Record, Results
from toktk.metrics.base import POOLED
from toktk.trainers.base import size_label

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

NULL = "–"
_MOST_SIZES = 8  # across; more do not fit 100 columns
_MOST_GROUPS = 60
_LONGEST_NAME = 24


@dataclass
class _Family:
    """The records of one trainer and pretokenizer."""

    label: str
    trainer: str
    pretokenizer: str
    corpus: str
    sizes: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    available: int | None = None
    groups: list[str] = field(default_factory=list)
    metrics: dict[str, None] = field(default_factory=dict)
    by_key: dict[tuple[int, str, str], Record] = field(default_factory=dict)

    def get(self, size: int, metric: str, group: str = POOLED) -> Record | None:
        return self.by_key.get((size, metric, group))

    def value(self, size: int, metric: str, group: str = POOLED) -> float | None:
        record = self.get(size, metric, group)
        return None if record is None else record.value

    def named(self, prefix: str, suffix: str = "") -> str | None:
        """Return the metric that begins and ends so; parity carries its reference in its name."""
        found = (m for m in self.metrics if m.startswith(prefix) and m.endswith(suffix))
        return next(found, None)


def sweep_tables(results: Results, unreached: Sequence[dict[str, Any]]) -> list[RenderableType]:
    """Return what a sweep shows: for each family its sizes and its languages, then the legend.

    Args:
        results: of one or more trainers.
        unreached: sizes left out, as in run.json.
    """
    from rich.text import Text

    shown: list[RenderableType] = []
    legend: dict[str, None] = {}
    for family in _families(results, unreached):
        table, words, notes = _sizes_table(family)
        shown += [_title(family, _measured_on(family)), table]
        shown += [*(Text(note, style="yellow") for note in notes), Text()]
        by_group = _groups_table(family)
        if by_group is not None:
            shown += [_title(family, by_group[0]), by_group[1], Text()]
        legend.update(dict.fromkeys(words))
    shown += [Text(line, style="dim") for line in legend if line]
    return shown


def _families(results: Results, unreached: Sequence[dict[str, Any]]) -> list[_Family]:
    families: dict[str, _Family] = {}
    for record in results:
        size = record.size or 0
        label = record.tokenizer.removesuffix(f"-{size_label(size)}")
        family = families.setdefault(
            label,
            _Family(label, record.trainer or "", record.pretokenizer or "", record.corpus),
        )
        if size not in family.sizes:
            family.sizes.append(size)
        if record.group != POOLED and record.group not in family.groups:
            family.groups.append(record.group)
        family.metrics[record.metric] = None
        family.by_key[size, record.metric, record.group] = record
    for one in unreached:
        if one["family"] in families:
            families[one["family"]].missing = list(one["sizes"])
            families[one["family"]].available = one["available"]
    return list(families.values())


# -- sizes ----------------------------------------------------------------------------------------

Cell = Callable[[int], str]


@dataclass(frozen=True)
class _Column:
    """A column over sizes: its heading, what a cell holds, and the line that explains it."""

    header: str
    cell: Cell
    words: str


def _sizes_table(family: _Family) -> tuple[Table, list[str], list[str]]:
    """Return the table, the words that explain its columns, and notes on what it lacks."""
    from rich.text import Text

    columns = _columns(family)
    table = _table()
    table.add_column("size", justify="right", style="bold", no_wrap=True)
    for column in columns:
        table.add_column(Text(column.header), justify="right", no_wrap=True)
    for size in family.sizes:
        table.add_row(size_label(size), *(Text(column.cell(size)) for column in columns))
    for size in family.missing:
        table.add_row(Text(size_label(size), style="dim"), *[Text(NULL)] * len(columns))
    return table, [column.words for column in columns], _notes(family)


def _measured_on(family: _Family) -> str:
    documents = family.value(family.sizes[0], "documents")
    amount = [] if documents is None else [f"{documents:,.0f} documents"]
    if len(family.groups) > 1:
        amount.append(f"{len(family.groups)} groups")
    return f"on {family.corpus}" + (f" ({', '.join(amount)})" if amount else "")


def _columns(family: _Family) -> list[_Column]:
    def one(
        metric: str | None, header: str, show: Callable[[float], str], words: str
    ) -> list[_Column]:
        if metric is None or metric not in family.metrics:
            return []
        return [_Column(header, lambda size: _shown(family.value(size, metric), show), words)]

    parity = family.named("parity[", "|macro")
    worst = family.named("parity[", "|max")
    reference = parity.partition("[")[2].partition("]")[0] if parity else ""
    columns = one("bytes_per_token", "bytes/\ntoken", "{:.3f}".format, _WORDS["bytes"])
    if "tokens" in family.metrics and len(family.sizes) > 1:
        columns.append(_Column("gain\n/+1k", lambda size: _gain(family, size), _WORDS["gain"]))
    columns += one("headroom", "of\nceiling", lambda v: f"{100 * (1 - v):.1f}%", _WORDS["ceiling"])
    columns += one(
        "fertility[ws]|macro", "ferti-\nlity", "{:.2f}".format, _over(family, "fertility[ws]|macro")
    )
    columns += one(
        parity, "parity\nmean", "{:.2f}".format, _WORDS["parity"].format(reference=reference)
    )
    if worst is not None:
        columns.append(_Column("\nworst", lambda size: _worst(family, size, worst), ""))
    columns += one("gini[tokens_per_line]", "\nGini", "{:.3f}".format, _WORDS["gini"])
    columns += one("utilization", "ids\nused", "{:.1%}".format, _WORDS["used"])
    columns += one("single_token_words[piece]", "whole\nwords", "{:.1%}".format, _WORDS["words"])
    return columns


_WORDS = {
    "bytes": "bytes/token  all groups pooled; more is better",
    "gain": "gain /+1k    tokens saved by each thousand ids more than the row above",
    "ceiling": "of ceiling   reached of one token a piece: this pretokenizer allows no more",
    "fertility": "fertility    tokens per white-space word, mean over {n} groups",
    "parity": "parity       tokens relative to {reference}, on parallel text: mean, and the worst",
    "gini": "Gini         inequality of tokens per line between languages; 0 is equal",
    "used": "ids used     share of the vocabulary that occurs in this text",
    "words": "whole words  share of the pieces with a letter that are one token",
}


def _over(family: _Family, metric: str) -> str:
    record = family.get(family.sizes[-1], metric)
    return _WORDS["fertility"].format(n=record.n if record else 0)


def _shown(value: float | None, show: Callable[[float], str]) -> str:
    return NULL if value is None else show(value)


def _gain(family: _Family, size: int) -> str:
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


def _worst(family: _Family, size: int, metric: str) -> str:
    record = family.get(size, metric)
    if record is None or record.value is None:
        return NULL
    return f"{record.value:.1f} {_short(record.note or '', 8)}"


def _notes(family: _Family) -> list[str]:
    notes = []
    if family.missing:
        gives = "" if family.available is None else f"; the text gives {family.available:,} tokens"
        sizes = ", ".join(map(size_label, family.missing))
        notes.append(f"{NULL} not reached: {sizes}{gives}.")
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


# -- languages ------------------------------------------------------------------------------------


def _groups_table(family: _Family) -> tuple[str, Table] | None:
    """Return groups down, sizes across, and what it holds: tokens per parallel line, or bytes."""
    if len(family.groups) < 2:
        return None
    last = family.sizes[-1]
    parity = next((m for m in family.metrics if m.startswith("parity[") and m.endswith("]")), None)

    def cost(group: str) -> float | None:
        return family.value(last, "tokens_per_line", group)

    parallel = [group for group in family.groups if cost(group) is not None]
    parallel.sort(key=lambda group: (cost(group) or 0, group))
    others = [group for group in family.groups if group not in parallel]
    if "bytes_per_token" not in family.metrics:
        others = []
    if not parallel and not others:
        return None
    sizes = _spread(family.sizes)
    table = _table()
    table.add_column("group", no_wrap=True, style="bold")
    for size in sizes:
        table.add_column(size_label(size), justify="right", no_wrap=True)
    if parity and parallel:
        table.add_column("parity", justify="right", no_wrap=True)
    for group in _ends(parallel):
        figures = [family.value(size, "tokens_per_line", group or "") for size in sizes]
        row = [_shown(value, _four_digits) for value in figures]
        if parity:
            row.append(_shown(family.value(last, parity, group or ""), "{:.2f}".format))
        _add(table, group, row, len(parallel))
    if parallel and others:
        table.add_section()
        _add(table, "bytes per token", [""] * (len(sizes) + bool(parity)), 0)
    for group in _ends(others):
        figures = [family.value(size, "bytes_per_token", group or "") for size in sizes]
        row = [_shown(value, "{:.3f}".format) for value in figures]
        _add(table, group, [*row, ""] if parity and parallel else row, len(others))
    return "tokens per parallel line" if parallel else "bytes per token", table


def _add(table: Table, group: str | None, cells: list[str], of: int) -> None:
    from rich.text import Text

    if group is None:
        left_out = of - _MOST_GROUPS
        table.add_row(Text(f"… {left_out} more …", style="dim"), *[""] * len(cells))
        return
    style = "dim italic" if of == 0 else ""
    table.add_row(Text(_short(group, _LONGEST_NAME), style=style), *map(Text, cells))


def _ends(groups: list[str]) -> Iterable[str | None]:
    """Yield the groups, or of very many the first and last, with None for those between."""
    if len(groups) <= _MOST_GROUPS:
        return groups
    return [*groups[:20], None, *groups[len(groups) - _MOST_GROUPS + 20 :]]


def _spread(sizes: list[int]) -> list[int]:
    """Return all sizes, or as many as fit, evenly, both ends among them."""
    if len(sizes) <= _MOST_SIZES:
        return sizes
    step = (len(sizes) - 1) / (_MOST_SIZES - 1)
    return [sizes[round(i * step)] for i in range(_MOST_SIZES)]


def _four_digits(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _title(family: _Family, detail: str) -> Text:
    # A line of its own: rich folds a table's title to the width of the table.
    from rich.text import Text

    name = f"{family.trainer} · {family.pretokenizer}"
    if family.label.startswith(family.trainer):  # what else the label holds is the inference method
        rest = family.label.removeprefix(family.trainer).removeprefix(f"-{family.pretokenizer}")
        name += f" · {rest[1:]}" if rest else ""
    return Text.assemble((name, "bold"), "  ", (detail, "dim"))


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
