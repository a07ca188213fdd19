"""Comparisons: differences of tokenizers with intervals and verdicts, as tables and as data.

The difference on this text is exact; its interval and the verdict are about text like it.

Schema history of the JSON (`SCHEMA`):
    1   comparisons (the columns of a `Comparison`), ranking, gates, notes.
"""

from __future__ import annotations

import math
import operator
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace

from toktk.pieces.table import POOLED
from toktk.report import tabular
from toktk.report.records import common_signature, short_signature
from toktk.report.table import NULL, Head, Row, Table, folded, told_apart
from toktk.report.tables import PAGE_WIDTH, PIPE_WIDTH, Page, alike_line
from toktk.visible import json_text, listed, visible, visible_name

SCHEMA = 1

ONE_DECIDES = "one document decides how wide the interval is"
"""The note of a comparison whose interval may be too narrow."""

_WIDE = 140  # characters from which on there is room for sentences in a table
_LONGEST_GROUP, _LONGEST_HEAD = 24, 8
_LEGEND = (
    "difference   on this text, where it is exact: relative to {baseline}",
    "95%          where the difference lies on text like this",
    "verdict      on text like this; Holm over {n} questions, zone of equivalence ±{zone}",
)
_HASHES = "contents     hash of all that decides ids: "
_MOST_PIECES = 8  # groups of which a narrow table names the pieces that decide
_DECIDES = (
    "decides      n: documents, aligned lines or blocks, in brackets how many of equal size tell as much; "
    "≥: the least difference this text can show, ×: how much more text would settle which one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One figure of a tokenizer against the same figure of a baseline.

    Attributes:
        candidate, baseline: labels of the two.
        candidate_value, baseline_value: exact on this text; None where there is no figure.
        difference: candidate / baseline - 1, exact on this text.
        low, high: where it lies on text like this; None where there is no interval, and `note` says why.
        n, n_effective: units (documents, aligned lines or blocks), and how many of equal size tell as much.
        p, p_equivalent: of no difference, and of one beyond the zone, each before Holm.
        least: the least relative difference that this text can show.
        verdict: better, worse, equivalent, undecided; different where neither direction is better; none.
        wanted, text_needed: a difference, and how many times as much text would settle it.
        decides: the pieces that decide, if they are known.
        note: why there is no figure or no interval, or what was allowed to differ.
        signature: what both figures have in common.
    """

    candidate: str
    baseline: str
    corpus: str
    group: str
    metric: str
    unit: str
    candidate_value: float | None
    baseline_value: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    n_effective: float | None = None
    p: float | None = None
    p_equivalent: float | None = None
    least: float | None = None
    verdict: str = "none"
    wanted: float | None = None
    text_needed: float | None = None
    decides: str | None = None
    note: str | None = None
    signature: str


COLUMNS = tuple(each.name for each in fields(Comparison))
_row = operator.attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of a tokenizer among several by one metric: between `low` and `high`, simultaneously."""

    tokenizer: str
    metric: str
    value: float | None
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a gate for one comparison; `broken` is None where it could not be judged."""

    gate: str
    candidate: str
    group: str
    broken: bool | None
    why: str


@dataclass(frozen=True, slots=True, repr=False)
class Comparisons:
    """Comparisons in a fixed order, which print themselves and go to files.

    Attributes:
        zone: relative differences up to this do not matter.
        ranking: of all tokenizers where there are more than two.
        gates: what was asked with ``--fail-if``.
        notes: what a reader must know, a line each.
        hashes: {label: what begins the signature of the tokenizer}.
    """

    rows: tuple[Comparison, ...]
    zone: float
    ranking: tuple[Rank, ...] = ()
    gates: tuple[Judged, ...] = ()
    notes: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.rows)

    def __repr__(self) -> str:
        width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
        return self.page(width).text(width).rstrip("\n") or "Comparisons(none)"

    def _repr_html_(self) -> str:
        return self.page().html()

    def page(self, width: int = PIPE_WIDTH) -> Page:
        """Return the tables: one for each candidate, and the ranking."""
        pairs = dict.fromkeys((row.candidate, row.baseline) for row in self.rows)
        tables = [
            self._table([r for r in self.rows if (r.candidate, r.baseline) == pair], width)
            for pair in pairs
        ]
        if self.ranking:
            tables.append(self._ranking())
        if tables:
            undecided = sum(row.verdict == "undecided" for row in self.rows)
            more = [f"{NULL} {undecided} of {len(self)} are undecided."] if undecided else []
            more += [f"{NULL} {note}" for note in self.notes]
            tables[-1] = replace(tables[-1], notes=[*tables[-1].notes, *map(visible, more)])
        baselines = dict.fromkeys(visible_name(baseline) for _, baseline in pairs)
        shared = common_signature(row.signature for row in self.rows) if self.rows else ""
        shown = [f"signature    {visible(short_signature(shared))}"] if shared else []
        if self.hashes:
            named = (f"{visible_name(label)} {text}" for label, text in self.hashes.items())
            shown.append(_HASHES + ", ".join(named))
        legend = [
            line.format(
                baseline=", ".join(baselines),
                n=sum(row.p is not None for row in self),
                zone=percent(self.zone),
            )
            for line in _LEGEND
        ]
        return Page(tables, [*legend, *([] if width >= _WIDE else [_DECIDES]), *shown])

    def _table(self, rows: Sequence[Comparison], width: int) -> Table:
        labels = [visible_name(rows[0].candidate), visible_name(rows[0].baseline)]
        metrics = dict.fromkeys(row.metric for row in rows)
        sides = [Head("\n".join(folded(label, _LONGEST_HEAD)), whole=label) for label in labels]
        heads = [
            Head("group", right=False, style="bold", folds=True),
            *sides,
            Head("differ-\nence"),
            Head("95%"),
            Head("verdict", right=False),
            Head("decides", right=False),
        ]
        names = told_apart((visible_name(row.group) for row in rows), _LONGEST_GROUP)
        lines: list[Row] = []
        for metric in metrics:
            if len(metrics) > 1:
                empty = ("",) * (len(heads) - 1)
                section = (visible_name(metric), *empty)
                lines.append(Row(section, rule_above=bool(lines), style="dim italic"))
            for row in (row for row in rows if row.metric == metric):
                digits = _digits(row)
                cells = (
                    names[visible_name(row.group)],
                    _value(row.candidate_value),
                    _value(row.baseline_value),
                    NULL if row.difference is None else percent(row.difference, digits, "+"),
                    _interval(row, digits),
                    NULL if row.verdict == "none" else row.verdict,
                    visible(self._decides(row, width >= _WIDE)),
                )
                lines.append(Row(cells))
        named = visible_name(rows[0].metric) if len(metrics) == 1 else f"{len(metrics)} metrics"
        detail = f"{named} on {visible_name(rows[0].corpus)}"
        alike = alike_line([(row.group, row.note or "") for row in rows])
        notes = [*alike, *(() if width >= _WIDE else self._notes_of(rows))]
        return Table(" against ".join(labels), detail, heads, lines, notes)

    def _notes_of(self, rows: Sequence[Comparison]) -> Iterator[str]:
        """Yield what a narrow table has no room for in its rows: why there is no interval, and the pieces."""
        reasons: dict[str, dict[str, None]] = {}
        for row in rows:
            if row.verdict == "none" and row.note:
                reasons.setdefault(row.note, {})[row.group] = None
        for reason, groups in reasons.items():
            yield f"{NULL} {listed([*groups])}: {visible(reason)}."
        deciding = {visible_name(row.group): row.decides for row in rows if row.decides}
        if deciding:
            baseline = visible_name(rows[0].baseline)
            yield f"{NULL} pieces that decide, how often, and tokens more than {baseline}:"
        for group, pieces in [*deciding.items()][:_MOST_PIECES]:
            yield f"  {group}: {pieces}"

    def _decides(self, row: Comparison, wide: bool) -> str:
        """Return what decides on a verdict, in a sentence where there is room for one."""
        if row.verdict == "none":
            return (row.note or "") if wide else NULL
        if row.verdict == "equivalent":
            return f"inside ±{percent(self.zone)}"
        if row.verdict == "undecided" and row.note == ONE_DECIDES and (row.text_needed or 0) <= 1:
            return ONE_DECIDES if wide else "one document"
        if row.verdict == "undecided" and row.least is not None:
            more = ""
            least = percent(row.least, _decimals(row.least))
            if row.text_needed is not None and row.wanted is not None and row.text_needed > 1:
                times, wanted = f"{row.text_needed:,.0f}", percent(row.wanted)
                if row.text_needed < 10:
                    times = f"{row.text_needed:.1f}"
                settles = f"; about {times} times as much text would settle {wanted}"
                more = settles if wide else f" ×{times}: {wanted}"
            return f"{least} is the least this text can show{more}" if wide else f"≥{least}{more}"
        pieces = f"; {row.decides}" if wide and row.decides else ""
        return f"n {row.n or 0:,} ({row.n_effective or 0:,.0f}){pieces}"

    def _ranking(self) -> Table:
        first = self.ranking[0]
        heads = [Head("rank"), Head("tokenizer", right=False, style="bold", folds=True)]
        rows = [
            Row(
                (
                    str(rank.low) if rank.low == rank.high else f"{rank.low}–{rank.high}",
                    visible_name(rank.tokenizer),
                    _value(rank.value),
                )
            )
            for rank in self.ranking
        ]
        detail = f"by {visible_name(first.metric)}, {POOLED}; all ranks together hold with 95%"
        return Table("ranking", detail, [*heads, Head("value")], rows)

    def values(self) -> Iterator[tuple[str | int | float | None, ...]]:
        """Yield each comparison as a tuple in the order of `COLUMNS`."""
        return map(_row, self.rows)

    def to_json(self) -> str:
        """Return ``{"schema": 1, "comparisons": [...], "ranking": [...], …}``, a comparison a line."""
        parts: dict[str, Sequence[object]] = {
            "comparisons": [dict(zip(COLUMNS, row, strict=True)) for row in self.values()],
            "ranking": [asdict(rank) for rank in self.ranking],
            "gates": [asdict(gate) for gate in self.gates],
            "notes": list(self.notes),
            "tokenizers": [{"tokenizer": n, "hash": text} for n, text in self.hashes.items()],
        }
        lists = []
        for name, items in parts.items():
            body = ",\n".join(json_text(item, allow_nan=False) for item in items)
            lists.append(f'"{name}": [\n{body}\n]' if items else f'"{name}": []')
        return f'{{"schema": {SCHEMA}, "zone": {self.zone}, {", ".join(lists)}}}\n'

    def to_csv(self) -> str:
        """Return the comparisons as CSV with a header; null is an empty cell, text is as it is."""
        return tabular.to_csv(COLUMNS, self.values())

    def to_markdown(self) -> str:
        """Return the tables in Markdown, with legend and notes."""
        return self.page(PAGE_WIDTH).markdown()

    def to_latex(self) -> str:
        """Return the tables in LaTeX, with legend and notes."""
        return self.page(PAGE_WIDTH).latex()


def percent(share: float, digits: int | None = None, sign: str = "") -> str:
    """Return a share as ``0.5 %``: with so many decimals, or as many as it takes."""
    text = f"{100 * share:{sign}.{digits}f}" if digits is not None else f"{100 * share:{sign}.3g}"
    return f"{text}%"


def _decimals(width: float) -> int:
    """Return how many decimals a percentage needs so that `width`, a share, is seen."""
    if not width:
        return 1
    return max(0, min(4, 1 - math.floor(math.log10(100 * width))))


def _digits(row: Comparison) -> int:
    if row.low is None or row.high is None:
        return 1
    return min(3, max(1 if row.high < 1 else 0, _decimals(row.high - row.low) - 1))


def _interval(row: Comparison, digits: int) -> str:
    if row.low is None or row.high is None:
        return NULL
    return f"{100 * row.low:+.{digits}f} … {percent(row.high, digits, '+')}"


def _value(value: float | None) -> str:
    if value is None:
        return NULL
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
