"""The tables over groups: languages down, tokenizers across."""

from __future__ import annotations

from collections.abc import Sequence

from toktk.report.families import FamilyRecords
from toktk.report.table import NULL, Head, Row, Table, folded, shortened
from toktk.sizes import size_label

MOST_ACROSS = 8  # columns of figures; more do not fit 100 characters
_MOST_GROUPS = 60
_FIRST = 20  # of more groups than that, so many come before those left out
_LONGEST_GROUP = 24
_LONGEST_HEAD = 8  # of a line of a tokenizer's name above its column
_PER_COLUMN = 10  # characters of a column under a tokenizer's name

Across = Sequence[tuple[FamilyRecords, int]]  # what a column shows: a family at a size


def groups_tables(
    families: Sequence[FamilyRecords], title: str, width: int, sized: bool
) -> list[Table]:
    """Return the tables over groups: tokens per parallel line, or else bytes per token.

    With `sized`, one family gets as many sizes as fit and its parity; several stand side by side at each
    size, as many sizes as fit. Else each family is one tokenizer. Families that do not fit a table go to
    tables of their own.
    """
    first = families[0]
    if len(first.groups) < 2:
        return []
    parallel = _parallel(first)
    measured = first.groups if "bytes_per_token" in first.metrics else []
    others = [group for group in measured if group not in parallel]
    if not parallel and not others:
        return []
    most_across = MOST_ACROSS
    if not sized:
        longest = max(len(group) for family in families for group in family.groups)
        most_across = max(1, (width - min(longest, _LONGEST_GROUP) - 2) // _PER_COLUMN)
    unit = "tokens per parallel line" if parallel else "bytes per token"
    tables = []
    for at in range(0, len(families), most_across):
        together = families[at : at + most_across]
        across = _across(together) if sized else [(family, family.sizes[-1]) for family in together]
        heads, rows = _groups_table(across, parallel, others, sized)
        tables.append(Table("" if at else title, "" if at else unit, heads, rows))
    return tables


def _parallel(family: FamilyRecords) -> list[str]:
    """Return the groups with parallel text, the cheapest at the largest size first."""
    last = family.sizes[-1]
    costs = [(family.value(last, "tokens_per_line", group), group) for group in family.groups]
    return [
        group for _, group in sorted((cost, group) for cost, group in costs if cost is not None)
    ]


def _across(families: Sequence[FamilyRecords]) -> Across:
    common = [size for size in families[0].sizes if all(size in f.sizes for f in families)]
    if not common:
        return [(family, family.sizes[-1]) for family in families]
    most = MOST_ACROSS // len(families)
    if len(common) > most == 1:
        common = common[-1:]
    elif len(common) > most:  # as many as fit, evenly, both ends among them
        step = (len(common) - 1) / (most - 1)
        common = [common[round(i * step)] for i in range(most)]
    return [(family, size) for size in common for family in families]


def _groups_table(
    across: Across, parallel: list[str], others: list[str], sized: bool
) -> tuple[list[Head], list[Row]]:
    family, last = across[-1]
    several = any(other is not family for other, _ in across)
    parity = family.named("parity[*]") if sized and parallel and not several else None
    heads = [Head("group", right=False, style="bold")]
    for column, size in across:
        lines = folded(column.label, _LONGEST_HEAD) if several or not sized else []
        heads.append(Head("\n".join([*lines, size_label(size)] if sized else lines)))
    if parity:
        heads.append(Head("parity"))

    def row(group: str, metric: str, digits: int) -> Row:
        cells = [_written(column.value(size, metric, group), digits) for column, size in across]
        if parity:
            value = family.value(last, parity, group) if metric == "tokens_per_line" else None
            cells.append("" if value is None else f"{value:.2f}")
        return Row((shortened(group, _LONGEST_GROUP), *cells))

    empty = ("",) * (len(heads) - 1)

    def rows_of(groups: list[str], metric: str, digits: int) -> list[Row]:
        rows = [row(group, metric, digits) for group in groups]
        left_out = len(groups) - _MOST_GROUPS
        if left_out > 0:
            more = Row((f"… {left_out} more …", *empty), style="dim")
            rows[_FIRST : _FIRST + left_out] = [more]
        return rows

    rows = rows_of(parallel, "tokens_per_line", 1)
    if parallel and others:
        rows.append(Row(("bytes per token", *empty), rule_above=True, style="dim italic"))
    return heads, rows + rows_of(others, "bytes_per_token", 3)


def _written(figure: float | None, digits: int) -> str:
    if figure is None:
        return NULL
    return f"{figure:.{digits}f}" if figure < 1000 else f"{figure:,.0f}"
