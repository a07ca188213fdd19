"""Groups (languages) down, tokenizers across."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from toktk.report.columns import new_table, short, shown
from toktk.report.families import Family
from toktk.sizes import size_label

if TYPE_CHECKING:
    from rich.table import Table

_MOST_ACROSS = 8  # more do not fit 100 columns
_MOST_GROUPS = 60
_LONGEST_NAME = 24
_BETWEEN = "-_ "  # what a line of a name need not end in
_LONGEST_HEAD = 8  # of a line of a tokenizer's name above its column

Across = Sequence[tuple[Family, int]]  # what a column shows: a family at a size


def groups_tables(
    families: Sequence[Family], most_across: int = _MOST_ACROSS, sized: bool = True
) -> tuple[str, list[Table]] | None:
    """Return what the tables hold, tokens per parallel line or bytes, and the tables.

    One family gets as many sizes as fit and its parity. Several stand side by side at each size, as many
    sizes as fit; families that do not fit go to tables of their own, at the largest size.
    """
    first = families[0]
    if len(first.groups) < 2:
        return None
    parallel = _parallel(first)
    others = [group for group in first.groups if group not in parallel]
    if "bytes_per_token" not in first.metrics:
        others = []
    if not parallel and not others:
        return None
    tables = []
    for at in range(0, len(families), most_across):
        together = families[at : at + most_across]
        across = _across(together) if sized else [(family, family.sizes[-1]) for family in together]
        table = _groups_table(across, parallel, others, sized)
        tables.append(table)
    return "tokens per parallel line" if parallel else "bytes per token", tables


def _parallel(family: Family) -> list[str]:
    """Return the groups with parallel text, the cheapest at the largest size first."""

    def cost(group: str) -> float | None:
        return family.value(family.sizes[-1], "tokens_per_line", group)

    found = [group for group in family.groups if cost(group) is not None]
    return sorted(found, key=lambda group: (cost(group) or 0, group))


def _across(families: Sequence[Family]) -> Across:
    common = [size for size in families[0].sizes if all(size in f.sizes for f in families)]
    if not common:
        return [(family, family.sizes[-1]) for family in families]
    sizes = _spread(common, _MOST_ACROSS // len(families))
    return [(family, size) for size in sizes for family in families]


def _spread(sizes: list[int], most: int) -> list[int]:
    """Return all sizes, or as many as fit, evenly, both ends among them; of one, the largest."""
    if len(sizes) <= most:
        return sizes
    if most == 1:
        return sizes[-1:]
    step = (len(sizes) - 1) / (most - 1)
    return [sizes[round(i * step)] for i in range(most)]


def _groups_table(across: Across, parallel: list[str], others: list[str], sized: bool) -> Table:
    from rich.text import Text

    family, last = across[-1]
    several = any(one is not family for one, _ in across)
    parity = next((m for m in family.metrics if m.startswith("parity[") and m.endswith("]")), None)
    if several or not parallel:
        parity = None
    table = new_table()
    table.add_column("group", no_wrap=True, style="bold")
    for one, size in across:
        if sized:
            head = [*one.label.split("-"), size_label(size)] if several else [size_label(size)]
        else:
            head = folded(one.label, _LONGEST_HEAD)
        table.add_column(Text("\n".join(head)), justify="right", vertical="bottom", no_wrap=True)
    if parity:
        table.add_column("parity", justify="right", no_wrap=True)
    for group in _ends(parallel):
        figures = [one.value(size, "tokens_per_line", group or "") for one, size in across]
        row = [shown(value, _four_digits) for value in figures]
        if parity:
            row.append(shown(family.value(last, parity, group or ""), "{:.2f}".format))
        _add(table, group, row, len(parallel))
    if parallel and others:
        table.add_section()
        _add(table, "bytes per token", [""] * (len(across) + bool(parity)), 0)
    for group in _ends(others):
        figures = [one.value(size, "bytes_per_token", group or "") for one, size in across]
        row = [shown(value, "{:.3f}".format) for value in figures]
        _add(table, group, [*row, ""] if parity else row, len(others))
    return table


def folded(label: str, longest: int) -> list[str]:
    """Return the label in lines at most `longest` characters wide, cut where its words end, if it can."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in re.findall(r"[^-_./ ]+[-_./ ]*|[-_./ ]+", label):
        if lines[-1] and cell_len((lines[-1] + word).rstrip(_BETWEEN)) > longest:
            lines.append("")
        lines[-1] += word
        if cell_len(word.rstrip(_BETWEEN)) > longest:
            lines[-1:] = chop_cells(lines[-1], longest)
    return [line.rstrip(_BETWEEN) or line for line in lines]


def _add(table: Table, group: str | None, cells: list[str], of: int) -> None:
    from rich.text import Text

    if group is None:
        left_out = of - _MOST_GROUPS
        table.add_row(Text(f"… {left_out} more …", style="dim"), *[""] * len(cells))
        return
    style = "dim italic" if of == 0 else ""
    table.add_row(Text(short(group, _LONGEST_NAME), style=style), *map(Text, cells))


def _ends(groups: list[str]) -> Iterable[str | None]:
    """Yield the groups, or of very many the first and last, with None for those between."""
    if len(groups) <= _MOST_GROUPS:
        return groups
    return [*groups[:20], None, *groups[len(groups) - _MOST_GROUPS + 20 :]]


def _four_digits(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"
