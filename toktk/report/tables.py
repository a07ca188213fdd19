"""The tables of a run: sizes or tokenizers down, figures across; then languages; then the legend.

Everything is read from the records and what is stored beside them, so a run just made and one read
back look the same.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from toktk.pieces.table import POOLED
from toktk.report import tabular
from toktk.report.columns import ABOUT_PIECES, COLUMNS, Column, columns_of, counted
from toktk.report.group_tables import groups_tables
from toktk.report.ngrams import ngram_lines
from toktk.report.records import (
    ALIKE,
    NO_INTERVAL,
    ONE_DECIDES,
    FamilyRecords,
    Record,
    families,
    untrained_groups,
    visible_records,
)
from toktk.report.table import ERROR, NULL, Head, Row, Table, rendered, shortened
from toktk.report.topic_tables import topic_tables
from toktk.sizes import size_label, why_unreached, written_size
from toktk.timing.figures import TIMED
from toktk.tokenizer import NATIVE
from toktk.visible import quoted, visible, visible_name

if TYPE_CHECKING:
    from rich.console import RenderableType

PIPE_WIDTH = 100
"""Characters on a line where there is no terminal to ask."""

PAGE_WIDTH = 160
"""Of a page in Markdown or LaTeX: no column is left out, and tables over groups are as wide as pages go."""

_LONGEST_CUT = 14
_INDENT = " " * 13  # as wide as what a line of the legend explains
_LONGEST_LIST = 60
_RULES = 0.5  # the share of the bytes above which a group decides what all groups together show
# As specs name the libraries.
_SHORT_ENGINES = {"tokenizers": "hf", "sentencepiece": "spm"}

_SIZE = "size         ids, special tokens and holes included"
_ENGINE = "engine       native: toktk's own, with the library's ids; else that library"
_HASHES = "contents     hash of all that decides ids; a label may say otherwise: "
_POOLED = ("bytes_per_token", "headroom", "utilization", "single_token_words[piece]")
_ERROR = "±            half of the 95 % interval for text like this, the widest of each column"
_CUT = "cut          how text is cut into pieces that no token crosses"
_CUTS = "of the pieces of each cut; compare only within the same cut."


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
        for line in self._legend(table for table, _ in fitted):
            folded = textwrap.fill(line, width, subsequent_indent=_INDENT, break_on_hyphens=False)
            lines.append(Text(folded, style="dim"))
        return rendered(lines, width, color)

    def html(self) -> str:
        """Return the page as HTML, for a notebook."""
        legend = "".join(f"{html.escape(line)}\n" for line in self._legend(self.tables))
        return f"{''.join(table.html() for table in self.tables)}<pre>{legend}</pre>"

    def markdown(self) -> str:
        """Return the page in GitHub's Markdown: each table under a line that says what it shows."""
        names = [line.partition("  ")[::2] for line in self._legend(self.tables)]
        text = tabular.markdown_text
        legend = [f"**{text(name)}** {text(about.strip())}  \n" for name, about in names]
        return "\n".join([*(table.markdown() for table in self.tables), "".join(legend)])

    def latex(self) -> str:
        """Return the page in LaTeX, for the package booktabs."""
        names = [line.partition("  ")[::2] for line in self._legend(self.tables)]
        text = tabular.latex_text
        legend = [f"\\textbf{{{text(name)}}} {text(about.strip())}\\\\\n" for name, about in names]
        tables = "\n".join(table.latex() for table in self.tables)
        return (
            f"% needs \\usepackage{{booktabs}}\n{tables}\n{{\\footnotesize\n{''.join(legend)}}}\n"
        )

    def _legend(self, tables: Iterable[Table]) -> list[str]:
        legends = [head.legend for table in tables for head in table.heads if head.legend]
        return [*dict.fromkeys(legends), *self.more]


def results_page(records: Sequence[Record], about: Mapping[str, Any], width: int) -> Page:
    """Return what the commands show of records, which may be none.

    Tokenizers that were trained here are shown by size, others a row each.

    Args:
        about: what is known besides: ``unreached``, the sizes left out, as in run.json;
            ``engines``, {label: [engine, why]}; ``hashes``, {label: what begins the signature of the
            tokenizer}; ``failed``, {label: why there are no figures}; ``asked``, the metrics that were
            asked for by name; ``scripts``, {group: the script it is written in}, by which tables over very
            many groups are folded.
    """
    unreached = [
        {**entry, "family": visible_name(entry["family"])} for entry in about.get("unreached", ())
    ]
    figures = [record for record in records if not record.metric.startswith(TIMED)]
    shown = families(visible_records(figures), unreached)
    if not shown:
        return Page([])
    trained = [family for family in shown if family.first.trainer]
    baselines = [family for family in shown if not family.first.trainer]
    if not baselines:
        return _by_size(shown, about, width)
    engines = {
        visible_name(label): [*map(visible, why)] for label, why in about.get("engines", {}).items()
    }
    if trained:
        page = _with_baselines(_by_size(trained, about, width, baselines), baselines, engines)
    else:
        page = _by_tokenizer(shown, engines, about, width)
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
    trained: Sequence[FamilyRecords],
    about: Mapping[str, Any],
    width: int,
    baselines: Sequence[FamilyRecords] = (),
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
    columns = columns_of(shown, about.get("asked", ()))
    rows = []
    for size in sorted({size for f in trained for size in (*f.sizes, *f.unreached)}):
        label = written_size(size)
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
        label = written_size(size) if size else NULL
        rows.append(Row((label, *names, *cells), rule_above=family is baselines[0]))
    rows += _errors(columns, shown, len(heads))
    if rows[-1].cells[0] == ERROR:
        heads[0] = replace(heads[0], legend=_ERROR)
    notes = [note for family in trained for note in _notes(family, several)]
    notes += _warnings(shown, [column.metric for column in columns])
    title = f"{len(shown)} tokenizers side by side"
    if not several:
        first_record = shown[0].first
        inference = "" if first_record.inference == "own" else first_record.inference
        title = " · ".join(filter(None, (first_record.trainer, *cuts, inference)))
    heads += [column.head_for(shown) for column in columns]
    figures = Table(title, _measured_on(shown[0]), heads, rows, [*dict.fromkeys(notes)])
    tables = [figures, *topic_tables(shown, width)]
    return Page([*tables, *groups_tables(shown, title, width, True, _scripts(about))])


def _by_tokenizer(
    shown: Sequence[FamilyRecords],
    engines: Mapping[str, Sequence[str]],
    about: Mapping[str, Any],
    width: int,
) -> Page:
    """Return the page of a bench: a row for each tokenizer."""
    heads = [Head("tokenizer", right=False, style="bold", folds=True), Head("size", legend=_SIZE)]
    if engines:
        heads.append(Head("engine", right=False, style="dim", spare=7, legend=_ENGINE))
    heads.append(Head("cut", right=False, style="dim", spare=2, legend=_CUT))
    # Of each cut it is another ceiling: not to be compared.
    columns = [
        column
        for column in columns_of(shown, about.get("asked", ()))
        if column.metric != "headroom"
    ]
    rows = []
    for family in shown:
        size = family.sizes[-1]
        engine = engines.get(family.label, [NULL])[0].partition(" ")[0]
        first = [family.label, f"{size:,}" if size else NULL]
        if engines:
            first.append(_SHORT_ENGINES.get(engine, engine))
        first.append(shortened(family.first.pretokenizer or NULL, _LONGEST_CUT))
        rows.append(Row((*first, *(column.cell(family, size) for column in columns))))
    rows += _errors(columns, shown, len(heads))
    if rows[-1].cells[0] == ERROR:
        heads[0] = replace(heads[0], legend=_ERROR)
    notes = [*_whys(engines), *(note for family in shown for note in _notes(family, False))]
    notes += _warnings(shown, [column.metric for column in columns])
    title = shown[0].label if len(shown) == 1 else f"{len(shown)} tokenizers"
    heads += [column.head_for(shown) for column in columns]
    figures = Table(title, _measured_on(shown[0]), heads, rows, [*dict.fromkeys(notes)])
    tables = [figures, *topic_tables(shown, width)]
    return Page([*tables, *groups_tables(shown, title, width, False, _scripts(about))])


def _errors(columns: Sequence[Column], shown: Sequence[FamilyRecords], names: int) -> list[Row]:
    """Return the row of half intervals, below what `names` columns name; none where there are none."""
    cells = [column.widest(shown) for column in columns]
    if not any(cells):
        return []
    return [Row((ERROR, *[""] * (names - 1), *cells), rule_above=True, style="dim")]


def _scripts(about: Mapping[str, Any]) -> dict[str, str]:
    return {visible_name(group): visible(name) for group, name in about.get("scripts", {}).items()}


def _measured_on(family: FamilyRecords) -> str:
    """Return which text a family was measured on, and how much of it there is."""
    documents = family.value(family.sizes[0], "documents")
    amount = [] if documents is None else [counted(int(documents), "document")]
    if len(family.groups) > 1:
        amount.append(counted(len(family.groups), "group"))
    return on_text(family.first.corpus) + (f" ({', '.join(amount)})" if amount else "")


def on_text(corpus: str) -> str:
    """Return on which text, by the name that records have of it."""
    whole = corpus.removesuffix(" (test)")
    return f"on {'' if whole == corpus else 'the held-out part of '}{whole}"


def _warnings(shown: Sequence[FamilyRecords], metrics: Collection[str]) -> list[str]:
    """Return what a reader must know to read the columns of these metrics rightly, a line each."""
    family, notes = shown[0], []
    size = family.sizes[-1]
    if untrained := untrained_groups(family):
        notes.append(
            f"{NULL} Not in the training text, and left out of means, worst and Gini: "
            f"{_listed(untrained)}."
        )
    reference = family.reference("parity[*]")
    if reference in untrained:
        notes.append(
            f"{NULL} Parity's reference {quoted(reference)} is one of them: choose another."
        )
    n_bytes = {group: family.value(size, "bytes", group) or 0 for group in family.groups}
    largest = max(n_bytes, key=n_bytes.__getitem__, default="")
    total = sum(n_bytes.values())
    if len(n_bytes) > 1 and n_bytes[largest] > _RULES * total:
        pooled = [c.name for c in COLUMNS if c.metric in _POOLED and c.metric in metrics]
        if pooled:
            share = n_bytes[largest] / total
            notes.append(
                f"{NULL} {quoted(largest)} is {share:.0%} of the bytes and decides {', '.join(pooled)}."
            )
    notes += _doubts(family)
    notes += [f"{NULL} {line}" for line in ngram_lines(shown)]
    cuts = {family.first.pretokenizer for family in shown}
    of_pieces = [c.name for c in COLUMNS if c.metric in ABOUT_PIECES and c.metric in metrics]
    if len(cuts) > 1 and of_pieces:
        notes.append(f"{NULL} {', '.join(of_pieces)}: {_CUTS}")
    return notes


def _doubts(family: FamilyRecords) -> list[str]:
    """Return which groups have no interval, or one that is not to be relied on, and why: a line a reason."""
    by_reason: dict[str, list[str]] = {}
    alike = []
    for group in (POOLED, *family.groups):
        of_group = [
            family.get(family.sizes[-1], metric, group)
            for metric in ("tokens_per_line", "bytes_per_token")
        ]
        record = next((r for r in of_group if r is not None and r.value is not None), None)
        note = (record and record.note) or ""
        alike.append((group, note))
        if note.startswith((NO_INTERVAL, ONE_DECIDES)):
            by_reason.setdefault(note, []).append(group)
    lines = [
        f"{NULL} {_listed(groups) if groups != [POOLED] else 'all groups'}: {reason}."
        for reason, groups in by_reason.items()
    ]
    return lines + alike_line(alike)


def alike_line(notes: Sequence[tuple[str, str]]) -> list[str]:
    """Return the line that says in which groups neighbors are alike, of (group, note); none if in none."""
    times = {group: note.removeprefix(ALIKE) for group, note in notes if note.startswith(ALIKE)}
    if not times:
        return []
    least, most = (find(times.values(), key=float) for find in (min, max))
    factor = least if least == most else f"{least} to {most}"
    return [f"{NULL} {_listed([*times])}: {ALIKE}{factor}."]


def _listed(names: Sequence[str]) -> str:
    """Return as many of the names as a line holds."""
    shown: list[str] = []
    for name in names:
        if shown and len(", ".join((*shown, name))) > _LONGEST_LIST:
            return f"{', '.join(shown)} and {len(names) - len(shown)} more"
        shown.append(name)
    return ", ".join(shown)


def _notes(family: FamilyRecords, named: bool) -> list[str]:
    """Return why figures of the family are missing, a line each; `named` puts its label in front."""
    notes = []
    name = f"{family.label} " if named else ""
    notes += [
        f"{NULL} {name}{_knee(record)}" for record in family.by_key.values() if _is_knee(record)
    ]
    if family.unreached:
        why = why_unreached(family.available, family.least)
        sizes = ", ".join(map(written_size, family.unreached))
        notes.append(f"{NULL} {name}not reached: {sizes}{'; ' if why else ''}{why}.")
    names = {family.named(column.metric): column.name for column in COLUMNS if column.name}
    reasons: dict[str, dict[str, None]] = {}
    for (_, metric, group), record in family.by_key.items():
        # A library that cuts does not show its pieces: that it runs the tokenizer is said already.
        unexplained = record.value is None and record.note and record.pretokenizer is not None
        if group == POOLED and unexplained and metric in names and metric != "lost":
            reasons.setdefault(record.note or "", {})[names[metric]] = None
    return notes + [f"{NULL} {', '.join(m)}: {note}." for note, m in reasons.items()]


def _is_knee(record: Record) -> bool:
    return record.metric.startswith("knee[") and record.low is not None


def _knee(record: Record) -> str:
    low, high = (size_label(int(round(end or 0, -3))) for end in (record.low, record.high))
    where = f"between {low} and {high}" if low != high else f"near {low}"
    return f"{where}, a thousand more ids begin to save less than 0.1 %."


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
