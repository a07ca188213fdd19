"""The tables of a run: sizes or tokenizers down, figures across; then languages; then the legend.

Everything is read from the records and what is stored beside them, so a run just made and one read
back look the same.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toktk.pieces.table import POOLED
from toktk.report.columns import ABOUT_PIECES, COLUMNS, columns_of, lost_mark
from toktk.report.records import FamilyRecords, Record, families, visible_records
from toktk.report.table import NULL, Head, Row, Table, folded, rendered, shortened, told_apart
from toktk.sizes import size_label, why_unreached
from toktk.tokenizer import NATIVE
from toktk.visible import visible, visible_name

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_ACROSS = 8  # columns of figures; more do not fit 100 characters
_MOST_GROUPS = 60
_FIRST = 20  # of more groups than that, so many come before those left out
_LONGEST_GROUP = 24
_LONGEST_HEAD = 8  # of a line of a tokenizer's name above its column
_PER_COLUMN = 10  # characters of a column under a tokenizer's name
_LONGEST_CUT = 14
# As specs name the libraries.
_SHORT_ENGINES = {"tokenizers": "hf", "sentencepiece": "spm"}

_SIZE = "size         ids, special tokens and holes included"
_ENGINE = "engine       native: toktk's own, with the library's ids; else that library"
_HASHES = "contents     hash of all that decides ids; a label may say otherwise: "
_CUT = "cut          how text is cut into pieces that no token crosses"
_CUTS = f"{NULL} of ceiling, whole words: of the pieces of each cut; compare them only within the same cut."


Across = Sequence[tuple[FamilyRecords, int]]  # what a column shows: a family at a size


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
        about: what is known besides: ``unreached``, the sizes left out, as in run.json;
            ``engines``, {label: [engine, why]}; ``hashes``, {label: what begins the signature of the
            tokenizer}; ``failed``, {label: why there are no figures}.
    """
    unreached = [
        {**entry, "family": visible_name(entry["family"])} for entry in about.get("unreached", ())
    ]
    shown = families(visible_records(records), unreached)
    if not shown:
        return Page([])
    trained = [family for family in shown if family.first.trainer]
    baselines = [family for family in shown if not family.first.trainer]
    if not baselines:
        return _by_size(shown, width)
    engines = {
        visible_name(label): [*map(visible, why)] for label, why in about.get("engines", {}).items()
    }
    if trained:
        page = _with_baselines(_by_size(trained, width, baselines), baselines, engines)
    else:
        page = _by_tokenizer(shown, engines, width)
    named = [
        f"{visible_name(label)} {visible(text)}" for label, text in about.get("hashes", {}).items()
    ]
    return replace(page, more=(*page.more, _HASHES + ", ".join(named))) if named else page


def _with_baselines(
    page: Page, baselines: Sequence[FamilyRecords], engines: Mapping[str, Sequence[str]]
) -> Page:
    """Return the page of a sweep with why a library runs a baseline, and why figures of it are missing."""
    first, *others = page.tables
    notes = [note for family in baselines for note in _notes(family, True)]
    notes = [*first.notes, *_whys(engines), *notes]
    return replace(page, tables=[replace(first, notes=[*dict.fromkeys(notes)]), *others])


def _by_size(
    trained: Sequence[FamilyRecords], width: int, baselines: Sequence[FamilyRecords] = ()
) -> Page:
    """Return the page of a sweep: at each size a row for each family, in the order asked for.

    Below them stand the baselines, each with its own size.
    """
    shown = [*trained, *baselines]
    several = len(shown) > 1
    cuts = [family.first.pretokenizer or "" for family in shown]
    heads = [Head("size", style="bold")]
    if several:
        # Where the name alone tells them apart, the column of the cut can be spared.
        unique = len({family.name or family.label for family in shown}) == len(shown)
        heads.append(Head("tokenizer", right=False, folds=True))
        heads.append(Head("cut", right=False, style="dim", spare=2 if unique else 0, legend=_CUT))
    columns = columns_of(shown)
    rows = []
    for size in sorted({size for f in trained for size in (*f.sizes, *f.unreached)}):
        label = size_label(size)
        for family, cut in zip(trained, cuts, strict=False):  # the baselines' cuts follow
            names = (family.name or family.label, shortened(cut, 2 * _LONGEST_CUT))
            cells = [column.cell(family, size) for column in columns]
            first = (label, *names) if several else (label,)
            rows.append(Row((*first, *cells), rule_above=several and bool(label)))
            label = ""
    for family, cut in zip(baselines, cuts[len(trained) :], strict=True):
        size = family.sizes[-1]
        names = (family.label, shortened(cut or NULL, 2 * _LONGEST_CUT))
        cells = [column.cell(family, size) for column in columns]
        rows.append(Row((size_label(size), *names, *cells), rule_above=family is baselines[0]))
    notes = list(dict.fromkeys(note for family in trained for note in _notes(family, several)))
    if len(set(cuts)) > 1 and any(column.metric in ABOUT_PIECES for column in columns):
        notes.append(_CUTS)
    title = f"{len(shown)} tokenizers side by side"
    if not several:
        first_record = shown[0].first
        inference = "" if first_record.inference == "own" else first_record.inference
        title = " · ".join(filter(None, (first_record.trainer, *cuts, inference)))
    heads += [column.head_for(shown) for column in columns]
    figures = Table(title, _measured_on(shown[0]), heads, rows, notes)
    return Page([figures, *_groups_tables(shown, title, width, sized=True)])


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
    return Page([figures, *_groups_tables(shown, title, width, sized=False)])


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
        why = why_unreached(family.available, family.least)
        sizes = ", ".join(map(size_label, family.unreached))
        notes.append(f"{NULL} {name}not reached: {sizes}{'; ' if why else ''}{why}.")
    shown = {column.metric for column in COLUMNS}
    reasons: dict[str, dict[str, None]] = {}
    for (_, metric, group), record in family.by_key.items():
        # A library that cuts does not show its pieces: that it runs the tokenizer is said already.
        unexplained = record.value is None and record.note and record.pretokenizer is not None
        if group == POOLED and unexplained and metric in shown and metric != "lost":
            reasons.setdefault(record.note or "", {})[metric] = None
    return notes + [f"{NULL} {', '.join(m)}: {note}." for note, m in reasons.items()]


def _whys(engines: Mapping[str, Sequence[str]]) -> list[str]:
    """Return why a library runs a tokenizer, a line for each reason."""
    labels: dict[tuple[str, str], list[str]] = {}
    for label, (engine, why) in engines.items():
        if engine != NATIVE:
            line = " ".join((why or "not told").split())
            labels.setdefault((engine, line), []).append(label)
    return [
        f"{NULL} {', '.join(names)} on {engine}: {why.rstrip('.')}."
        for (engine, why), names in labels.items()
    ]


def _groups_tables(
    families: Sequence[FamilyRecords], title: str, width: int, sized: bool
) -> list[Table]:
    """Return the tables over groups: tokens per parallel line, or else bytes per token.

    With `sized`, families stand side by side at as many sizes as fit, one alone with its parity.
    Else each family is one tokenizer. Families that do not fit a table go to tables of their own.
    """
    first = families[0]
    if len(first.groups) < 2:
        return []
    last = first.sizes[-1]
    costs = {group: first.value(last, "tokens_per_line", group) for group in first.groups}
    by_cost = sorted((cost, group) for group, cost in costs.items() if cost is not None)
    parallel = [group for _, group in by_cost]
    measured = first.groups if "bytes_per_token" in first.metrics else []
    others = [group for group in measured if group not in parallel]
    if not parallel and not others:
        return []
    most_across = _MOST_ACROSS
    if not sized:
        from rich.cells import cell_len

        longest = max(cell_len(group) for family in families for group in family.groups)
        most_across = max(1, (width - min(longest, _LONGEST_GROUP) - 2) // _PER_COLUMN)
    unit = "tokens per parallel line" if parallel else "bytes per token"
    tables = []
    for at in range(0, len(families), most_across):
        together = families[at : at + most_across]
        across = _across(together) if sized else [(family, family.sizes[-1]) for family in together]
        heads, rows = _groups_table(across, parallel, others, sized)
        tables.append(Table("" if at else title, "" if at else unit, heads, rows))
    return tables


def _across(families: Sequence[FamilyRecords]) -> Across:
    fixed = [(family, family.sizes[-1]) for family in families if not family.first.trainer]
    families = [family for family in families if family.first.trainer]
    if not families:
        return fixed
    common = [size for size in families[0].sizes if all(size in f.sizes for f in families)]
    if not common:
        return [*((family, family.sizes[-1]) for family in families), *fixed]
    most = max(1, (_MOST_ACROSS - len(fixed)) // len(families))
    if len(common) > most == 1:
        common = common[-1:]
    elif len(common) > most:  # as many as fit, evenly, both ends among them
        step = (len(common) - 1) / (most - 1)
        common = [common[round(i * step)] for i in range(most)]
    return [*((family, size) for size in common for family in families), *fixed]


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

    empty = ("",) * (len(heads) - 1)
    names = told_apart([*parallel, *others], _LONGEST_GROUP)

    def rows_of(groups: list[str], metric: str, digits: int) -> list[Row]:
        rows = []
        for group in groups:
            cells = [
                f"{_written(column.value(size, metric, group), digits)}{lost_mark(column, size, group)}"
                for column, size in across
            ]
            if parity:
                value = family.value(last, parity, group) if metric == "tokens_per_line" else None
                cells.append("" if value is None else f"{value:.2f}")
            rows.append(Row((names[group], *cells)))
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
