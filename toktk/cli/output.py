"""Where a command's data leaves: figures and rows in any of the formats, to standard output or a file.

A table is written in the encoding of standard output, all other formats in UTF-8. A terminal is sent no
character that could steer it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toktk.cli import streams
from toktk.report import tabular
from toktk.visible import json_text, visible, visible_name

if TYPE_CHECKING:
    from toktk.report.comparison import Comparisons
    from toktk.report.cost import Costs
    from toktk.report.results import Results
    from toktk.report.tables import Page

_PIPE_WIDTH, _FILE_WIDTH = 100, 100
_SHORT = 16

_LONGEST = 60
# Texts that begin so are formulas to a spreadsheet, in quotes as well.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_TEXT = {"csv": tabular.to_csv, "md": tabular.to_markdown, "latex": tabular.to_latex}
FORMATS = ("table", "json", *_TEXT)


def show(results: Results, format: str, quiet: bool = False, more: Sequence[Page] = ()) -> None:
    """Write figures to standard output in one of `FORMATS`; a table is as wide as the terminal.

    The pages of `more` follow in Markdown and LaTeX: other formats hold them as records.
    """
    if format == "table":
        show_page(lambda width, color: results.page(width).text(width, color))
        return
    texts = {
        "json": lambda: [results.to_json()],
        "csv": lambda: [results.to_csv()],
        "md": lambda: [results.to_markdown(), *(page.markdown() for page in more)],
        "latex": lambda: [results.to_latex(), *(page.latex() for page in more)],
    }
    emit("\n".join(texts[format]()))
    if format == "csv" and not quiet:
        note_formulas(results.rows())


def show_in(format: str, shown: Comparisons | Costs, output: Path | None = None) -> None:
    """Write in one of `FORMATS` to a file or to standard output, where a table is as wide as the terminal."""
    texts = {
        "json": shown.to_json,
        "csv": shown.to_csv,
        "md": shown.to_markdown,
        "latex": shown.to_latex,
    }
    if format in texts:
        emit(texts[format](), output)
    elif output is None:
        show_page(lambda width, color: shown.page(width).text(width, color))
    else:
        emit(shown.page(_FILE_WIDTH).text(_FILE_WIDTH), output)


def show_page(text: Callable[[int, bool], str]) -> None:
    """Write a page to standard output: `text` makes it for a width in characters, in color or not."""
    on_screen = streams.on_screen()
    width = shutil.get_terminal_size().columns if on_screen else _PIPE_WIDTH
    streams.write(streams.writable(text(width, on_screen), sys.stdout))


def emit(text: str, output: Path | None = None) -> None:
    """Write finished data to `output`, whole or not at all, or else to standard output.

    Raises:
        StorageError: it cannot be written.
    """
    if output is None:
        shown = "\n".join(map(visible, text.split("\n"))) if streams.on_screen() else text
        streams.write(_in_utf8(shown))
        return
    from toktk.paths import atomic_write

    with atomic_write(output) as temporary:
        temporary.write_bytes(_in_utf8(text))


def emit_json(value: object, output: Path | None = None) -> None:
    """Write a value as JSON."""
    emit(json_text(value, indent=2) + "\n", output)


def emit_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[tabular.Cell]],
    format: str,
    output: Path | None = None,
    below: str = "",
) -> None:
    """Write rows under column names in one of `FORMATS`; `below` follows a table.

    An empty text is an empty cell.
    """
    if format == "json":
        emit_json([dict(zip(columns, row, strict=True)) for row in rows], output)
        return
    rows = [[None if cell == "" else cell for cell in row] for row in rows]
    if format != "table":
        emit(_TEXT[format](columns, rows), output)
        if format == "csv":
            note_formulas(rows)
        return
    on_screen = output is None and streams.on_screen()
    text = _table(columns, rows, on_screen) + below
    if output is None:
        streams.write(streams.writable(text, sys.stdout))
    else:
        emit(text, output)


def _in_utf8(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # a path may hold what UTF-8 does not: \udcff


def note_formulas(rows: Iterable[Sequence[tabular.Cell]]) -> None:
    """Say which texts a spreadsheet would run: CSV that no reader takes for others cannot prevent it."""
    texts = {cell for row in rows for cell in row if isinstance(cell, str)}
    if formulas := sorted(text for text in texts if text.startswith(_FORMULA)):
        which = f"{visible_name(formulas[0])[:_LONGEST]}{', …' if len(formulas) > 1 else ''}"
        streams.remark(f"Note: a spreadsheet may run {which}: let it import all columns as text.")


def _table(columns: Sequence[str], rows: Sequence[Sequence[tabular.Cell]], on_screen: bool) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from toktk.report.table import rendered

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for i, column in enumerate(columns):
        # Only what is long is folded on a narrow screen, not names and numbers.
        cells = [tabular.shown(row[i]) for row in rows]
        longest = max(map(len, cells), default=0)
        word = max((len(word) for cell in cells for word in cell.split()), default=0)
        least = min(word, _SHORT)  # words are cut where they are very long
        table.add_column(column, overflow="fold", no_wrap=longest <= _SHORT, min_width=least)
    for row in rows:
        # Text, not str: rich would read the brackets of "fertility[ws]" as markup.
        table.add_row(*(Text(tabular.shown(cell)) for cell in row))
    # Nothing that reads a pipe or a file wants cells folded to fit 80 columns.
    width = shutil.get_terminal_size().columns if on_screen else 10_000
    return rendered([table], width, on_screen)
