"""The tables of topics: figures down, tokenizers across, as many side by side as the width holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toktk.metrics import topic_of
from toktk.metrics.base import STANDARD
from toktk.metrics.ngrams import TOPIC as NGRAMS
from toktk.pieces.table import POOLED
from toktk.report.records import FamilyRecords, Record
from toktk.report.table import NULL, Head, Row, Table, folded

_LONGEST_HEAD = 12
_GAP = 2
_LEGEND = "figure       toktk ls metrics and docs/metrics.md say what each is"

_Side = tuple[str, FamilyRecords, int]  # a tokenizer: its label, family and size


def topic_tables(shown: Sequence[FamilyRecords], width: int) -> list[Table]:
    """Return the tables of the topics whose figures are no columns of the first table."""
    topics: dict[str, list[str]] = {}
    for metric in dict.fromkeys(metric for family in shown for metric in family.metrics):
        topic = topic_of(metric)
        if topic not in ("", STANDARD, NGRAMS):  # those have columns in the first table
            topics.setdefault(topic, []).append(metric)
    sides = [(_label(family, size), family, size) for family in shown for size in family.sizes]
    return [
        _table(topic, metrics, part)
        for topic, metrics in topics.items()
        for part in _parts(metrics, sides, width)
    ]


def _label(family: FamilyRecords, size: int) -> str:
    return next(r.tokenizer for (s, *_), r in family.by_key.items() if s == size)


def _parts(metrics: Sequence[str], sides: Sequence[_Side], width: int) -> Iterator[list[_Side]]:
    """Yield as many tokenizers at a time as fit side by side, at least one."""
    from rich.cells import cell_len

    room = width - max(map(cell_len, metrics))
    part: list[_Side] = []
    left = room
    for side in sides:
        cells = [cells[0] for cells in (_cells(metric, [side]) for metric in metrics)]
        needed = _GAP + max(map(cell_len, (*folded(side[0], _LONGEST_HEAD), *cells)))
        if part and needed > left:
            yield part
            part, left = [], room
        part.append(side)
        left -= needed
    yield part


def _table(topic: str, metrics: Sequence[str], sides: Sequence[_Side]) -> Table:
    heads = [Head("figure", right=False, style="bold", legend=_LEGEND)]
    heads += [Head("\n".join(folded(label, _LONGEST_HEAD)), whole=label) for label, _, _ in sides]
    known = [metric for metric in metrics if {*_cells(metric, sides)} != {NULL}] or metrics
    rows = [Row((metric, *_cells(metric, sides))) for metric in known]
    missing = [metric for metric in metrics if metric not in known]
    return Table(topic, "", heads, rows, [*_notes(known, sides), *_left_out(missing, sides)])


def _record(metric: str, side: _Side) -> Record | None:
    _, family, size = side
    return family.get(size, metric, POOLED)


def _cells(metric: str, sides: Sequence[_Side]) -> list[str]:
    """Return a figure of each tokenizer, with the same decimals in all."""
    records = [_record(metric, side) for side in sides]
    values = [None if record is None else record.value for record in records]
    known = [value for value in values if value is not None]
    unit = next((record.unit for record in records if record is not None), "")
    form = "{:,.0f}" if all(value.is_integer() for value in known) else "{:,.2f}"
    if unit == "share":
        form = "{:.1%}"
    return [NULL if value is None else form.format(value) for value in values]


def _left_out(metrics: Sequence[str], sides: Sequence[_Side]) -> list[str]:
    """Return why figures have no row, none of these tokenizers having one, a line for each reason."""
    names: dict[str, list[str]] = {}
    for metric in metrics:
        notes = (record.note for side in sides if (record := _record(metric, side)) is not None)
        names.setdefault("; ".join(dict.fromkeys(filter(None, notes))) or "no figure", []).append(
            metric
        )
    return [f"{', '.join(those)}: {why}." for why, those in names.items()]


def _notes(metrics: Sequence[str], sides: Sequence[_Side]) -> list[str]:
    """Return why figures are missing, a line for each reason."""
    labels: dict[str, dict[str, None]] = {}
    for side in sides:
        for record in (_record(metric, side) for metric in metrics):
            if record is not None and record.value is None and record.note:
                labels.setdefault(record.note, {})[side[0]] = None
    return [f"{NULL} {', '.join(names)}: {why}." for why, names in labels.items()]
