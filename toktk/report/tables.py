"""A sweep on the terminal: one table over sizes, all trainers side by side, and one over languages.

Everything is read from the records, so a run just made and one read back look the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toktk.report.columns import NULL, Column, columns, new_table, notes, short
from toktk.report.families import Family, families
from toktk.report.groups import groups_tables
from toktk.report.results import Results
from toktk.sizes import size_label

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_WIDEST = 30  # of trainer and cut together: then all columns fit 100
_LONGEST_NAME = 24

_CUTS = f"{NULL} of ceiling, whole words: of the pieces of each cut; compare them only within the same cut."
_CUT = "cut          how text is cut into pieces that no token crosses: toktk ls pretokenizers"


def sweep_tables(results: Results, unreached: Sequence[dict[str, Any]]) -> list[RenderableType]:
    """Return what a sweep shows: its sizes, its languages, then the legend.

    Args:
        results: of one or more trainers.
        unreached: sizes left out, as in run.json.
    """
    from rich.text import Text

    found = families(results, unreached)
    if not found:
        return []
    name = _name(found[0]) if len(found) == 1 else f"{len(found)} tokenizers side by side"
    made = _sizes_table(found[0]) if len(found) == 1 else _comparison(found)
    table, words, lacks = made
    shown: list[RenderableType] = [title(name, measured_on(found[0])), table]
    shown += [*(Text(note, style="yellow") for note in lacks), Text()]
    by_group = groups_tables(found)
    if by_group is not None:
        shown.append(title(name, by_group[0]))
        for one in by_group[1]:
            shown += [one, Text()]
    return shown + [Text(line, style="dim") for line in dict.fromkeys(words) if line]


def _sizes_table(family: Family) -> tuple[Table, list[str], list[str]]:
    """Return the table, the words that explain its columns, and notes on what it lacks."""
    from rich.text import Text

    over = columns(family)
    table = new_table()
    table.add_column("size", justify="right", style="bold", no_wrap=True)
    _add_columns(table, over)
    for size in family.sizes:
        table.add_row(size_label(size), *(Text(column.cell(size)) for column in over))
    for size in family.missing:
        table.add_row(Text(size_label(size), style="dim"), *[Text(NULL)] * len(over))
    return table, [column.words for column in over], notes(family)


def _comparison(found: Sequence[Family]) -> tuple[Table, list[str], list[str]]:
    """Return the same of several families: at each size a row for each, in the order asked for."""
    from rich.text import Text

    over = {family.label: {c.header: c for c in columns(family)} for family in found}
    heads = {header: c for by_header in over.values() for header, c in by_header.items()}
    names = {family.label: _tokenizer(family) for family in found}
    if max(map(len, names.values())) + max(len(f.pretokenizer) for f in found) > _WIDEST:
        heads.pop("gain\n/+1k", None)
    table = new_table()
    table.add_column("size", justify="right", style="bold", no_wrap=True)
    table.add_column("tokenizer", no_wrap=True)
    table.add_column("cut", style="dim", no_wrap=True)
    _add_columns(table, list(heads.values()))
    for size in sorted({size for family in found for size in (*family.sizes, *family.missing)}):
        label = size_label(size)
        for family in found:
            by_header = over[family.label] if size in family.sizes else {}
            cells = [by_header[h].cell(size) if h in by_header else NULL for h in heads]
            head = (label, names[family.label], short(family.pretokenizer, _LONGEST_NAME))
            table.add_row(*map(Text, (*head, *cells)))
            label = ""
        table.add_section()
    lacks = list(dict.fromkeys(note for family in found for note in notes(family, named=True)))
    pieces = {"of\nceiling", "whole\nwords"}
    if len({family.pretokenizer for family in found}) > 1 and pieces & set(heads):
        lacks.append(_CUTS)
    return table, [_CUT, *(column.words for column in heads.values())], lacks


def _add_columns(table: Table, over: Sequence[Column]) -> None:
    from rich.text import Text

    for column in over:
        table.add_column(Text(column.header), justify="right", no_wrap=True)


def _tokenizer(family: Family) -> str:
    name = f"{family.trainer}-{family.method}" if family.method else family.trainer
    return short(name or family.label, _LONGEST_NAME)


def measured_on(family: Family) -> str:
    """Return which text a family was measured on, and how much of it there is."""
    documents = family.value(family.sizes[0], "documents")
    amount = [] if documents is None else [f"{documents:,.0f} documents"]
    if len(family.groups) > 1:
        amount.append(f"{len(family.groups)} groups")
    return f"on {family.corpus}" + (f" ({', '.join(amount)})" if amount else "")


def _name(family: Family) -> str:
    parts = (family.trainer, family.pretokenizer, family.method)
    return " · ".join(part for part in parts if part)


def title(name: str, detail: str) -> Text:
    """Return the line above a table."""
    # A line of its own: rich folds a table's title to the width of the table.
    from rich.text import Text

    return Text.assemble((name, "bold"), "  ", (detail, "dim"))
