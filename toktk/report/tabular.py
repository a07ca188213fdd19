"""Rows under column names as CSV, Markdown or LaTeX text; a None becomes an empty cell.

CSV holds text as it is; Markdown and LaTeX show it, with what cannot be seen as `toktk.visible` writes it.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable, Sequence

from toktk.visible import visible_name

Cell = str | int | float | None

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        '"': r"\symbol{34}",  # babel makes it a command in some languages
        "`": r"\textasciigrave{}",
    }
    | {character: "\\" + character for character in "&%$#_{}"}
)

# What Markdown and GitHub read anywhere in a cell; an underscore inside a word is none.
_MARKDOWN = re.compile(
    r"[\\`*|~$]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])"
    r"|(?:(?<=http)|(?<=https)|(?<=ftp)):(?=//)|(?<=www)\.",
    re.IGNORECASE,
)
# Two of these are one other character in LaTeX's fonts.
_LIGATURE = re.compile(r"([-,'])(?=\1)")
_SPACES = re.compile(r" {2,}")  # Markdown and LaTeX make one of them


class _Lines(list[str]):
    """What a csv.writer writes to."""

    def write(self, line: str) -> None:
        self.append(f"{line[:-2]}\n")


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return CSV with a header line; numbers in full precision, lines ended by LF.

    Text is as it is, quoted where it must be. A spreadsheet runs what begins with ``=``.
    """
    lines = _Lines()
    # Only where lines end in CR LF does the writer quote a cell with a CR.
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return "".join(lines)


def to_markdown(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a GitHub-flavored Markdown table; numbers to six digits."""
    lines = [columns, ["---"] * len(columns), *rows]
    written = functools.cache(_markdown)  # few cells differ
    return "".join(f"| {' | '.join(map(written, line))} |\n" for line in lines)


def to_latex(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a LaTeX tabular for the booktabs package; numbers to six digits."""
    written = functools.cache(_latex)
    header, *body = (latex_row([*map(written, line)]) for line in (columns, *rows))
    top = f"% needs \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{'l' * len(columns)}}}\n"
    return f"{top}\\toprule\n{header}\\midrule\n{''.join(body)}\\bottomrule\n\\end{{tabular}}\n"


def shown(cell: Cell) -> str:
    """Return a cell as a reader wants it: names visible, whole numbers whole, others to six digits."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else f"{cell:.6g}"
    return visible_name(cell) if isinstance(cell, str) else str(cell)


def _markdown(cell: Cell) -> str:
    return markdown_text(shown(cell))


def _latex(cell: Cell) -> str:
    return latex_text(shown(cell))


def markdown_text(text: str) -> str:
    """Return text, in which nothing is hidden, so that nothing within a line of Markdown is markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _MARKDOWN.sub(lambda special: f"\\{special[0]}", text)
    return _SPACES.sub(lambda spaces: "&nbsp;" * len(spaces[0]), text)


def latex_row(cells: Sequence[str]) -> str:
    """Return a row of a tabular from cells in LaTeX."""
    text = " & ".join(cells)
    # The command at the end of the row before would read a bracket or a star.
    return f"{'{}' if text.startswith(('[', '*')) else ''}{text} \\\\\n"


def latex_text(text: str) -> str:
    """Return text, in which nothing is hidden, so that nothing in it is a command of LaTeX."""
    text = _LIGATURE.sub(lambda one: f"{one[0]}{{}}", text.translate(_LATEX))
    return _SPACES.sub(lambda spaces: "\\ " * len(spaces[0]), text)
