"""The tables of a run: sizes or tokenizers down, figures across; then languages; then the legend.

Everything is read from the records and what is stored beside them, so a run just made and one read back
look the same.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toktk.pieces.table import POOLED
from toktk.report.columns import ABOUT_PIECES, COLUMNS, columns_of
from toktk.report.families import FamilyRecords, families
from toktk.report.groups import groups_tables
from toktk.report.records import Record
from toktk.report.table import NULL, Head, Row, Table, rendered, shortened
from toktk.sizes import size_label
from toktk.tokenizer import NATIVE

if TYPE_CHECKING:
    from rich.console import RenderableType

_LONGEST_CUT = 14
_LONGEST_WHY = 300
# As specs name the libraries.
_SHORT_ENGINES = {"tokenizers": "hf", "sentencepiece": "spm"}

_SIZE = "size         ids, special tokens and holes included"
_ENGINE = "engine       native: toktk's own, with the library's ids; else that library"
_CUT = "cut          how text is cut into pieces that no token crosses"
_CUTS = f"{NULL} of ceiling, whole words: of the pieces of each cut; compare them only within the same cut."


@dataclass(frozen=True)
class Page:
    """Tables, the legend of their columns, and further lines of it."""

    tables: Sequence[Table]
    more: Sequence[str] = ()

    def text(self, width: int, color: bool = False) -> str:
        """Return the page as text for a terminal of this width."""
        from rich.text import Text

        fitted = [table.fitted(width) for table in self.tables]
        lines: list[RenderableType] = []
        for table, gap in fitted:
            lines += [*table.rich(gap, width), Text()]
        lines += [Text(line, style="dim") for line in self._legend(table for table, _ in fitted)]
        return rendered(lines, width, color)

    def html(self) -> str:
        """Return the page as HTML, for a notebook."""
        legend = "".join(f"{html.escape(line)}\n" for line in self._legend(self.tables))
        return f"{''.join(table.html() for table in self.tables)}<pre>{legend}</pre>"

    def _legend(self, tables: Iterable[Table]) -> list[str]:
        legends = [head.legend for table in tables for head in table.heads if head.legend]
        return [*dict.fromkeys(legends), *self.more]


def results_page(records: Sequence[Record], about: Mapping[str, Any], width: int) -> Page:
    """Return what the commands show of records, which may be none.

    Tokenizers that were trained here are shown by size, others a row each.

    Args:
        about: what is known besides: ``unreached``, the sizes left out, as in run.json; ``engines``,
            {label: [engine, why]}; ``failed``, {label: why there are no figures}.
        width: of the terminal, in characters.
    """
    shown = families(records, about.get("unreached", ()))
    if not shown:
        return Page([])
    if all(family.first.trainer for family in shown):
        return _by_size(shown, width)
    return _by_tokenizer(shown, about.get("engines", {}), width)


def _by_size(shown: Sequence[FamilyRecords], width: int) -> Page:
    """Return the page of a sweep: at each size a row for each family, in the order asked for."""
    several = len(shown) > 1
    cuts = [family.first.pretokenizer or "" for family in shown]
    heads = [Head("size", style="bold")]
    if several:
        # Where the name alone tells them apart, the column of the cut can be spared.
        unique = len({family.name for family in shown}) == len(shown)
        heads.append(Head("tokenizer", right=False, folds=True))
        heads.append(Head("cut", right=False, style="dim", spare=2 if unique else 0, legend=_CUT))
    columns = columns_of(shown)
    rows = []
    for size in sorted({size for f in shown for size in (*f.sizes, *f.unreached)}):
        label = size_label(size)
        for family, cut in zip(shown, cuts, strict=True):
            names = (family.name or family.label, shortened(cut, 2 * _LONGEST_CUT))
            cells = [column.cell(family, size) for column in columns]
            first = (label, *names) if several else (label,)
            rows.append(Row((*first, *cells), rule_above=several and bool(label)))
            label = ""
    notes = list(dict.fromkeys(note for family in shown for note in _notes(family, several)))
    if len(set(cuts)) > 1 and any(column.metric in ABOUT_PIECES for column in columns):
        notes.append(_CUTS)
    title = f"{len(shown)} tokenizers side by side"
    if not several:
        first_record = shown[0].first
        inference = "" if first_record.inference == "own" else first_record.inference
        title = " · ".join(filter(None, (first_record.trainer, *cuts, inference)))
    heads += [column.head_for(shown) for column in columns]
    figures = Table(title, _measured_on(shown[0]), heads, rows, notes)
    return Page([figures, *groups_tables(shown, title, width, sized=True)])


def _by_tokenizer(
    shown: Sequence[FamilyRecords], engines: Mapping[str, Sequence[str]], width: int
) -> Page:
    """Return the page of a bench: a row for each tokenizer."""
    heads = [Head("tokenizer", right=False, style="bold", folds=True), Head("size", legend=_SIZE)]
    if engines:
        heads.append(Head("engine", right=False, style="dim", legend=_ENGINE))
    heads.append(Head("cut", right=False, style="dim", spare=2, legend=_CUT))
    # Of each cut it is another ceiling: not to be compared.
    columns = [column for column in columns_of(shown) if column.metric != "headroom"]
    rows = []
    for family in shown:
        size = family.sizes[-1]
        engine = engines.get(family.label, [NULL])[0].partition(" ")[0]
        first = [family.label, f"{size:,}"]
        if engines:
            first.append(_SHORT_ENGINES.get(engine, engine))
        first.append(shortened(family.first.pretokenizer or NULL, _LONGEST_CUT))
        rows.append(Row((*first, *(column.cell(family, size) for column in columns))))
    notes = [*_whys(engines), *dict.fromkeys(n for family in shown for n in _notes(family, False))]
    title = shown[0].label if len(shown) == 1 else f"{len(shown)} tokenizers"
    heads += [column.head_for(shown) for column in columns]
    figures = Table(title, _measured_on(shown[0]), heads, rows, notes)
    return Page([figures, *groups_tables(shown, title, width, sized=False)])


def _measured_on(family: FamilyRecords) -> str:
    """Return which text a family was measured on, and how much of it there is."""
    documents = family.value(family.sizes[0], "documents")
    amount = [] if documents is None else [f"{documents:,.0f} documents"]
    if len(family.groups) > 1:
        amount.append(f"{len(family.groups)} groups")
    return f"on {family.first.corpus}" + (f" ({', '.join(amount)})" if amount else "")


def _notes(family: FamilyRecords, named: bool) -> list[str]:
    """Return why figures of the family are missing, a line each; `named` puts its label in front."""
    notes = []
    name = f"{family.label} " if named else ""
    if family.unreached:
        gives = "" if family.available is None else f"; the text gives {family.available:,} tokens"
        sizes = ", ".join(map(size_label, family.unreached))
        notes.append(f"{NULL} {name}not reached: {sizes}{gives}.")
    shown = {column.metric for column in COLUMNS}
    reasons: dict[str, dict[str, None]] = {}
    for (_, metric, group), record in family.by_key.items():
        # A library that cuts does not show its pieces: that it runs the tokenizer is said already.
        unexplained = record.value is None and record.note and record.pretokenizer is not None
        if group == POOLED and unexplained and metric in shown and metric != "unknown":
            reasons.setdefault(record.note or "", {})[metric] = None
    return notes + [f"{NULL} {', '.join(m)}: {note}." for note, m in reasons.items()]


def _whys(engines: Mapping[str, Sequence[str]]) -> list[str]:
    """Return why a library runs a tokenizer, a line for each reason."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, (engine, why) in engines.items():
        if engine != NATIVE:
            line = shortened(" ".join((why or "not told").split()), _LONGEST_WHY)
            labels.setdefault((engine, line), []).append(label)
    return [
        f"{NULL} {', '.join(names)} on {engine}: {why.rstrip('.')}."
        for (engine, why), names in labels.items()
    ]
