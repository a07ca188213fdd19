"""Where a command's data leaves: rows in any of the formats, to standard output or a file."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from toktk.report import tabular


def emit(text: str, output: Path | None) -> None:
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


def emit_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[tabular.Cell]],
    format: str,
    output: Path | None = None,
    below: str = "",
) -> None:
    """Write rows under column names in one of `toktk.cli.options.FORMATS`.

    JSON is a list of objects. `below` follows a table.

    Raises:
        StorageError: the file cannot be written.
    """
    if format == "json":
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        text = json.dumps(records, ensure_ascii=False, indent=2) + "\n"
    elif format == "csv":
        text = tabular.to_csv(columns, rows)
    elif format == "md":
        text = tabular.to_markdown(columns, rows)
    elif format == "latex":
        text = tabular.to_latex(columns, rows)
    else:
        text = _table(columns, rows, on_screen=output is None and sys.stdout.isatty())
        text += below
    emit(text, output)


_SHORT = 14


def _table(columns: Sequence[str], rows: Sequence[Sequence[tabular.Cell]], on_screen: bool) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for i, column in enumerate(columns):
        # Only what is long is folded on a narrow screen, not names and numbers.
        longest = max((len(tabular.shown(row[i])) for row in rows), default=0)
        table.add_column(column, overflow="fold", no_wrap=longest <= _SHORT)
    for row in rows:
        # Text, not str: rich would read the brackets of "fertility[ws]" as markup.
        table.add_row(*(Text(tabular.shown(cell)) for cell in row))
    text = io.StringIO()
    # Nothing that reads a pipe or a file wants cells folded to fit 80 columns.
    width = None if on_screen else 10_000
    Console(file=text, force_terminal=on_screen, width=width).print(table)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())
