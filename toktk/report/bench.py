"""A bench on the terminal: tokenizers down, figures across; then languages down, tokenizers across.

Everything is read from the records and run.json, so a run just made and one read back look the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toktk.report.columns import NULL, Column, columns, new_table, notes, short, shown
from toktk.report.families import Family, tokenizers
from toktk.report.groups import folded, groups_tables
from toktk.report.results import Results
from toktk.report.tables import measured_on, title
from toktk.tokenizer import NATIVE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_LONGEST_NAME = 24
_LEAST_NAME = 12
_LONGEST_CUT = 14
_PER_COLUMN = 10  # characters of a column of the table over languages
_WHY = 300  # characters of a reason

# How a table is made to fit: characters between columns, and what is left out.
_GINI, _WORDS, _LOST = "\nGini", "whole\nwords", "\nlost"
_TIGHTER = (
    (2, ()), (1, ()), (1, ("cut",)), (1, ("cut", _GINI)), (1, ("cut", _GINI, _WORDS)),
)  # fmt: skip

# As specs name the libraries.
_SHORT_ENGINES = {"tokenizers": "hf", "sentencepiece": "spm"}

_LEGEND = {
    "size": "size         ids, special tokens and holes included",
    "engine": "engine       native: toktk's own, with the library's ids; else that library",
    "cut": "cut          how text is cut into pieces that no token crosses",
    "\nlost": "lost         share of tokens that are unknown: text that the vocabulary lacks",
}


def bench_tables(
    results: Results, made: Mapping[str, Mapping[str, Any]], width: int
) -> list[RenderableType]:
    """Return what a bench shows: its tokenizers, its languages, then the legend.

    Args:
        results: of one or more tokenizers.
        made: label -> size, engine and why, as under "tokenizers" in run.json.
        width: of the terminal, in characters: so many tokenizers stand side by side.
    """
    from rich.text import Text

    found = tokenizers(results)
    if not found:
        return []
    name = found[0].label if len(found) == 1 else f"{len(found)} tokenizers"
    over = _columns(found)
    cells = _cells(found, made, over)
    gap, left_out = _tighter(found, cells, width)
    kept = {header: column for header, column in cells.items() if header not in left_out}
    lacks = [*_reasons(made), *dict.fromkeys(note for one in found for note in _lacks(one))]
    shown_: list[RenderableType] = [
        title(name, measured_on(found[0])),
        _table(found, kept, gap, width),
        *(Text(note, style="yellow") for note in lacks),
        Text(),
    ]
    longest = max((len(group) for family in found for group in family.groups), default=0)
    most_across = max(1, (width - min(longest, _LONGEST_NAME) - 2) // _PER_COLUMN)
    by_group = groups_tables(found, most_across, sized=False)
    if by_group is not None:
        shown_.append(title(name, by_group[0]))
        for one in by_group[1]:
            shown_ += [one, Text()]
    words = [_LEGEND.get(h) or over[h].words for h in kept]
    if left_out:
        names = ", ".join(header.strip().replace("\n", " ") for header in left_out)
        words.append(f"Left out, for want of room: {names}. A wider screen or -f csv shows all.")
    return shown_ + [Text(line, style="dim") for line in dict.fromkeys(words) if line]


def _columns(found: Sequence[Family]) -> dict[str, Column]:
    """Return the columns that any tokenizer has, by heading."""
    heads: dict[str, Column] = {}
    for family in found:
        for column in columns(family):
            heads.setdefault(column.header, column)
    heads.pop("of\nceiling", None)  # of each cut another one: not to be compared
    if any(family.value(family.sizes[-1], "unknown") for family in found):
        heads[_LOST] = Column(_LOST, lambda size: NULL, _LEGEND[_LOST])
    return heads


def _cells(
    found: Sequence[Family], made: Mapping[str, Mapping[str, Any]], over: Mapping[str, Column]
) -> dict[str, list[str]]:
    """Return what stands under each heading, a cell for each tokenizer."""
    cells: dict[str, list[str]] = {header: [] for header in ("size", "engine", "cut", *over)}
    for family in found:
        size = family.sizes[-1]
        engine = str(made.get(family.label, {}).get("engine", "")).partition(" ")[0]
        cells["size"].append(f"{size:,}")
        cells["engine"].append(_SHORT_ENGINES.get(engine, engine))
        cells["cut"].append(short(family.pretokenizer, _LONGEST_CUT) or NULL)
        by_header = {column.header: column.cell(size) for column in columns(family)}
        by_header[_LOST] = shown(family.value(size, "unknown"), "{:.2%}".format)
        for header in over:
            cells[header].append(by_header.get(header, NULL))
    return cells


def _tighter(
    found: Sequence[Family], cells: Mapping[str, Sequence[str]], width: int
) -> tuple[int, tuple[str, ...]]:
    """Return how many characters stand between columns, and which are left out, to fit the width."""
    wanted = min(_LONGEST_NAME, max(len(family.label) for family in found))
    for gap, left_out in _TIGHTER:
        if _room(cells, gap, width, left_out) >= (wanted if gap > 1 else min(wanted, _LEAST_NAME)):
            return gap, tuple(header for header in left_out if header in cells)
    gap, left_out = _TIGHTER[-1]
    return gap, tuple(header for header in left_out if header in cells)


def _room(
    cells: Mapping[str, Sequence[str]], gap: int, width: int, left_out: Sequence[str] = ()
) -> int:
    """Return how many characters the other columns leave for a tokenizer's name."""
    from rich.cells import cell_len

    for header, column in cells.items():
        if header not in left_out:
            width -= gap + max(map(cell_len, (*header.split("\n"), *column)))
    return width


def _table(
    found: Sequence[Family], cells: Mapping[str, Sequence[str]], gap: int, width: int
) -> Table:
    from rich.text import Text

    table = new_table()
    table.padding = (0, gap - 1, 0, 0)
    table.add_column("tokenizer", no_wrap=True, style="bold")
    for header in cells:
        left = header in ("engine", "cut")
        table.add_column(
            Text(header),
            justify="left" if left else "right",
            style="dim" if left else "",
            no_wrap=True,
        )
    longest = max(_LEAST_NAME - 4, min(_LONGEST_NAME, _room(cells, gap, width)))
    for family, *row in zip(found, *cells.values(), strict=True):
        table.add_row(*map(Text, ("\n".join(folded(family.label, longest)), *row)))
    return table


def _reasons(made: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return why a library runs a tokenizer, a line for each reason."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for label, one in made.items():
        if one.get("engine") != NATIVE:
            why = short(" ".join(str(one.get("why") or "not told").split()), _WHY)
            by_reason.setdefault((str(one.get("engine")), why), []).append(label)
    return [
        f"{NULL} {', '.join(labels)} on {engine}: {why.rstrip('.')}."
        for (engine, why), labels in by_reason.items()
    ]


def _lacks(family: Family) -> list[str]:
    """Return why figures are missing, but for what a library does not show: `_reasons` tells."""
    from toktk.lab.figures import NO_PIECES

    return [note for note in notes(family) if NO_PIECES not in note]
