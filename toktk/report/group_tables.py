"""The tables over groups: tokens per parallel line of each language, bytes per token of other groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

from toktk.report.columns import counted, lost_mark
from toktk.report.records import FamilyRecords, half_width, untrained_groups
from toktk.report.table import ERROR, NULL, Head, Row, Table, folded, told_apart
from toktk.sizes import written_size

T = TypeVar("T")

MOST_GROUPS = 60
"""With more than these a table is folded: a row for each script."""

_LONGEST_GROUP = 24
_LONGEST_HEAD = 8  # of a line of a tokenizer's name above its column
_PER_COLUMN = 10  # characters of a column, with the gap before it

Across = Sequence[tuple[FamilyRecords, int]]
"""What each column shows: a family at a size."""


def groups_tables(
    families: Sequence[FamilyRecords],
    title: str,
    width: int,
    sized: bool,
    scripts: Mapping[str, str],
) -> list[Table]:
    """Return the tables over groups: tokens per parallel line, or else bytes per token.

    More than `MOST_GROUPS` become a row for each of `scripts`, {group: its script}.

    With `sized`, families stand side by side at as many sizes as fit, one alone with its parity.
    Else each family is one tokenizer. Families that do not fit a table go to tables of their own.
    """
    from rich.cells import cell_len

    first = families[0]
    if len(first.groups) < 2:
        return []
    sections = _sections(first)
    if not sections:
        return []
    longest = max(cell_len(group) for family in families for group in family.groups)
    room = max(1, (width - min(longest, _LONGEST_GROUP) - 2) // _PER_COLUMN)
    several = len(families) > 1
    if sized and not several and first.named("parity[*]"):
        room = max(1, room - 1)
    trained = [family for family in families if sized and family.first.trainer]
    fixed: Across = [(f, f.sizes[-1]) for f in families if f not in trained]
    detail = "bytes per token"
    if sections[0].metric == "tokens_per_line":
        record = first.get(first.sizes[-1], "tokens_per_line", sections[0].groups[0])
        detail = "tokens per parallel line"
        if record is not None and record.n is not None:
            detail += f" ({counted(record.n, 'line')})"
    parts: list[tuple[Across, list[str]]] = []
    for together in _in_parts(trained, room):
        across, left_out = _across(together, max(1, (room - len(fixed)) // len(together)))
        sizes = ", ".join(map(written_size, left_out))
        notes = (
            [f"{NULL} no room for {sizes}; a wider screen or -f csv shows all."] if sizes else []
        )
        parts.append((across, notes))
    if parts and len(parts[-1][0]) + len(fixed) <= room:
        parts[-1] = [*parts[-1][0], *fixed], parts[-1][1]
    else:
        parts += [(across, list[str]()) for across in _in_parts(fixed, room)]
    if scripts and any(len(section.groups) > MOST_GROUPS for section in sections):
        parts[-1][1].append(f"{NULL} a script's row is the mean of its groups; -f csv shows each.")
    tables = []
    for i, (across, notes) in enumerate(parts):
        heads, rows = _table(across, sections, sized, several, scripts)
        # Of several tables the last says which sizes are in none.
        said = notes if i == len(parts) - 1 or notes != parts[i + 1][1] else []
        tables.append(Table("" if i else title, "" if i else detail, heads, rows, said))
    return tables


def _in_parts(columns: Sequence[T], most: int) -> list[Sequence[T]]:
    """Return the columns in parts of at most `most`, as even as can be."""
    if not columns:
        return []
    each = math.ceil(len(columns) / math.ceil(len(columns) / most))
    return [columns[at : at + each] for at in range(0, len(columns), each)]


class _Section:
    """Groups that are measured alike."""

    def __init__(self, name: str, metric: str, digits: int, groups: Sequence[str]) -> None:
        self.name, self.metric, self.digits, self.groups = name, metric, digits, groups


def _sections(family: FamilyRecords) -> list[_Section]:
    """Return the languages by what they cost, those that were not trained on, and groups of other text."""
    size, untrained = family.sizes[-1], untrained_groups(family)
    costs: Mapping[str, float | None] = {
        group: family.value(size, "tokens_per_line", group) for group in family.groups
    }
    parallel = [g for _, g in sorted((cost, g) for g, cost in costs.items() if cost is not None)]
    measured = family.groups if "bytes_per_token" in family.metrics else []
    sections = [
        _Section("", "tokens_per_line", 1, [g for g in parallel if g not in untrained]),
        _Section(
            "not in the training text",
            "tokens_per_line",
            1,
            [g for g in parallel if g in untrained],
        ),
        _Section(
            "bytes per token", "bytes_per_token", 3, [g for g in measured if costs[g] is None]
        ),
    ]
    return [section for section in sections if section.groups]


def _across(families: Sequence[FamilyRecords], most: int) -> tuple[Across, list[int]]:
    """Return the columns, `most` sizes of each family, evenly; and the sizes left out."""
    common = [size for size in families[0].sizes if all(size in f.sizes for f in families)]
    if not common:
        return [(family, family.sizes[-1]) for family in families], []
    shown = common
    if len(common) > most == 1:
        shown = common[-1:]
    elif len(common) > most:  # both ends among them
        step = (len(common) - 1) / (most - 1)
        shown = [common[round(i * step)] for i in range(most)]
    left_out = [size for size in common if size not in shown]
    return [(family, size) for size in shown for family in families], left_out


def _table(
    across: Across,
    sections: Sequence[_Section],
    sized: bool,
    several: bool,
    scripts: Mapping[str, str],
) -> tuple[list[Head], list[Row]]:
    family, last = across[-1]
    is_parallel = sections[0].metric == "tokens_per_line"
    parity = family.named("parity[*]") if sized and is_parallel and not several else None
    heads = [Head("group", right=False, style="bold")]
    for column, size in across:
        label = [column.label] if several or not sized else []
        of_size = [written_size(size) if size else NULL] if sized else []
        lines = [line for name in label for line in folded(name, _LONGEST_HEAD)]
        heads.append(Head("\n".join([*lines, *of_size]), whole=" ".join([*label, *of_size])))
    if parity:
        heads.append(Head("parity"))
    empty = ("",) * (len(heads) - 1)
    folded_sections = [_folded_by(section, scripts) for section in sections]
    names = told_apart(
        [*dict.fromkeys(n for rows in folded_sections for n in rows)], _LONGEST_GROUP
    )
    rows: list[Row] = []
    for section, by_name in zip(sections, folded_sections, strict=True):
        if rows:
            rows.append(Row((section.name, *empty), rule_above=True, style="dim italic"))
        for name, groups in by_name.items():
            figures = [_mean(column, size, section.metric, groups) for column, size in across]
            cells = [
                _written(figure, section.digits)
                + max((lost_mark(column, size, group) for group in groups), key=len)
                for figure, (column, size) in zip(figures, across, strict=True)
            ]
            if parity:
                value = _mean(family, last, parity, groups)
                cells.append("" if value is None else f"{value:.2f}")
            best = frozenset(1 + i for i in _best(across, figures, section, groups))
            rows.append(Row((names[name], *cells), best=best))
        errors = [_widest(column, size, section) for column, size in across]
        if any(errors):
            cells = [ERROR, *errors, *[""] * (len(heads) - 1 - len(across))]
            rows.append(Row(tuple(cells), style="dim"))
    return heads, rows


def _widest(family: FamilyRecords, size: int, section: _Section) -> str:
    """Return half the widest interval of a section's groups; nothing where none has one."""
    halves = [half_width(family.get(size, section.metric, group)) for group in section.groups]
    known = [half for half in halves if half is not None]
    return f"{max(known):.{section.digits}f}" if known else ""


def _folded_by(section: _Section, scripts: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the groups of each row, by its name: each alone, or where they are very many, by script."""
    if len(section.groups) <= MOST_GROUPS or not scripts:
        return {group: [group] for group in section.groups}
    by_script: dict[str, list[str]] = {}
    for group in section.groups:
        by_script.setdefault(scripts.get(group, "other"), []).append(group)
    return {
        groups[0] if len(groups) == 1 else f"{script} ({len(groups)})": groups
        for script, groups in by_script.items()
    }


def _mean(family: FamilyRecords, size: int, metric: str, groups: Sequence[str]) -> float | None:
    values = [family.value(size, metric, group) for group in groups]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _best(
    across: Across, figures: Sequence[float | None], section: _Section, groups: Sequence[str]
) -> list[int]:
    """Return the columns with the best figure of their size: all others are worse, and no text is lost."""
    sign = -1 if section.metric == "bytes_per_token" else 1
    columns: dict[int, list[tuple[float, int]]] = {}
    for i, ((family, size), value) in enumerate(zip(across, figures, strict=True)):
        if value is not None and not any(family.value(size, "lost", group) for group in groups):
            # At one size, or tokenizers as they are; a baseline stands by itself among sizes.
            columns.setdefault(size if family.first.trainer else 0, []).append((sign * value, i))
    found = []
    for values in columns.values():
        least, i = min(values)
        if sum(value > least for value, _ in values) == len(values) - 1 > 0:
            found.append(i)
    return found


def _written(figure: float | None, digits: int) -> str:
    if figure is None:
        return NULL
    return f"{figure:.{digits}f}" if figure < 1000 else f"{figure:,.0f}"
