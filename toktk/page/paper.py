"""Tables for a paper: every figure with its interval, in Markdown and LaTeX, escaped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toktk.page.figures import Figures
from toktk.page.pictures import written
from toktk.page.rows import Rows
from toktk.pieces.table import POOLED
from toktk.report.comparison import Comparison
from toktk.report.records import Record
from toktk.report.tabular import Cell, to_latex, to_markdown

Table = tuple[Sequence[str], Sequence[Sequence[Cell]]]

_OF_ALL = (
    "tokens_per_line",
    "bytes_per_token",
    "parity[{}]|macro",
    "gini[tokens_per_line]",
    "utilization",
)


def write_tables(
    figures: Figures, rows: Rows, comparisons: Sequence[Comparison], folder: Path
) -> list[Path]:
    """Write tokenizers.*, languages.* and differences.*, as .md and .tex; return the paths.

    Raises:
        StorageError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "tokenizers": _tokenizers(figures),
        "languages": _languages(figures, rows),
        "differences": _differences(comparisons),
    }
    paths = []
    for name, (columns, cells) in tables.items():
        if cells:
            paths.append(written(folder / f"{name}.md", to_markdown(columns, cells).encode()))
            paths.append(written(folder / f"{name}.tex", to_latex(columns, cells).encode()))
    return paths


def _tokenizers(figures: Figures) -> Table:
    """Return a row for each tokenizer, with what is known of all of the text."""
    wanted = [name.format(figures.reference) for name in _OF_ALL]
    metrics = [
        m for m in wanted if any((n, m, POOLED) in figures.by_key for n in figures.tokenizers)
    ]
    rows: list[list[Cell]] = [
        [
            label,
            figures.size(label),
            *(_cell(figures.by_key.get((label, m, POOLED))) for m in metrics),
        ]
        for label in figures.tokenizers
    ]
    return ("tokenizer", "ids", *metrics), rows


def _languages(figures: Figures, rows: Rows) -> Table:
    """Return a row for each group, with the tokenizer of each family that is nearest to the size."""
    labels = [*rows.chosen.values()]
    cells = []
    for group in figures.groups:
        own = [_cell(figures.by_key.get((label, figures.primary, group))) for label in labels]
        if any(own):
            cells.append([group, *own])
    return (figures.primary, *labels), cells


def _differences(comparisons: Sequence[Comparison]) -> Table:
    columns = ("metric", "group", "tokenizer", "against", "difference", "95 %", "verdict")
    return columns, [
        [
            row.metric,
            row.group,
            row.candidate,
            row.baseline,
            _percent(row.difference),
            "" if row.low is None else f"{_percent(row.low)} to {_percent(row.high)}",
            row.verdict,
        ]
        for row in comparisons
    ]


def _cell(record: Record | None) -> str:
    """Return ``31.8 (30.0 to 33.6)``: to four digits, the ends to as many decimals."""
    if record is None or record.value is None:
        return ""
    value = f"{record.value:#.4g}".removesuffix(".")
    if record.low is None or record.high is None:
        return value
    decimals = len(value.partition(".")[2])
    return f"{value} ({record.low:.{decimals}f} to {record.high:.{decimals}f})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.1f} %"
