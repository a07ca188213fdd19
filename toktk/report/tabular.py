"""Rows under column names as CSV, Markdown or LaTeX text; a None becomes an empty cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

Cell = str | int | float | None

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
    }
    | {character: "\\" + character for character in "&%$#_{}"}
)


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return CSV with a header line; numbers in full precision, lines ended by LF."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a GitHub-flavored Markdown table; numbers to six digits."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(map(_markdown, line))} |\n" for line in lines)


def to_latex(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a LaTeX tabular for the booktabs package; numbers to six digits."""
    header, *body = (
        f"{' & '.join(shown(cell).translate(_LATEX) for cell in line)} \\\\\n"
        for line in (columns, *rows)
    )
    top = f"% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{'l' * len(columns)}}}\n"
    return f"{top}\\toprule\n{header}\\midrule\n{''.join(body)}\\bottomrule\n\\end{{tabular}}\n"


def shown(cell: Cell) -> str:
    """Return a cell as a reader wants it: whole numbers whole, others to six digits."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.6g}"
    return str(cell)


def _markdown(cell: Cell) -> str:
    # A pipe ends a cell and a line break ends the table, even inside code.
    return shown(cell).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
