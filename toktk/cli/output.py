"""Where a command's data leaves: figures and rows in any of the formats, to standard output or a file."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.report import tabular

if TYPE_CHECKING:
    from toktk.report.results import Results

_PIPE_WIDTH = 100
_SHORT = 14

_TEXT = {"csv": tabular.to_csv, "md": tabular.to_markdown, "latex": tabular.to_latex}
FORMATS = ("table", "json", *_TEXT)


def show(results: Results, format: str) -> None:
    """Write figures to standard output in one of `FORMATS`; a table is as wide as the terminal."""
    from toktk.report.records import COLUMNS

    if format == "table":
        show_page(lambda width, color: results.page(width).text(width, color))
    elif format == "json":
        emit(results.to_json())
    else:
        emit(_TEXT[format](COLUMNS, results.rows()))


def show_page(text: Callable[[int, bool], str]) -> None:
    """Write a page to standard output: `text` makes it for a width in characters, in color or not."""
    on_screen = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if on_screen else _PIPE_WIDTH
    click.echo(text(width, on_screen), nl=False, color=on_screen)


def emit(text: str, output: Path | None = None) -> None:
    """Write finished text to `output`, whole or not at all, or else to standard output.

    Raises:
        StorageError: the file cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    from toktk.paths import atomic_write

    with atomic_write(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def emit_json(value: object, output: Path | None = None) -> None:
    """Write a value as JSON."""
    emit(json.dumps(value, ensure_ascii=False, indent=2) + "\n", output)


def emit_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[tabular.Cell]],
    format: str,
    output: Path | None = None,
    below: str = "",
) -> None:
    """Write rows under column names in one of `FORMATS`; `below` follows a table."""
    if format == "table":
        on_screen = output is None and sys.stdout.isatty()
        emit(_table(columns, rows, on_screen) + below, output)
    elif format == "json":
        emit_json([dict(zip(columns, row, strict=True)) for row in rows], output)
    else:
        emit(_TEXT[format](columns, rows), output)


def _table(columns: Sequence[str], rows: Sequence[Sequence[tabular.Cell]], on_screen: bool) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from toktk.report.table import rendered

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for i, column in enumerate(columns):
        # Only what is long is folded on a narrow screen, not names and numbers.
        longest = max((len(tabular.shown(row[i])) for row in rows), default=0)
        table.add_column(column, overflow="fold", no_wrap=longest <= _SHORT)
    for row in rows:
        # Text, not str: rich would read the brackets of "fertility[ws]" as markup.
        table.add_row(*(Text(tabular.shown(cell)) for cell in row))
    # Nothing that reads a pipe or a file wants cells folded to fit 80 columns.
    width = shutil.get_terminal_size().columns if on_screen else 10_000
    return rendered([table], width, on_screen)
