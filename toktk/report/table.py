"""Table: text in rows and columns, made to fit a width, for the terminal and for a notebook."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toktk.report import tabular

if TYPE_CHECKING:
    from rich.console import RenderableType

NULL = "–"
"""What stands for a figure that was not measured."""

ERROR = "±"
"""What names the row of half intervals."""

_NARROWEST_NAME = 12
_LONGEST_NAME = 24
_BETWEEN_WORDS = "-_ "  # what a line of a name need not end in


@dataclass(frozen=True)
class Head:
    """The heading of a column; `text` holds its lines.

    Attributes:
        style: of the cells, as rich knows it.
        spare: 0: the column always stays; columns with 1, 2, … are left out in this order where the
            table is too wide.
        folds: long cells become several lines where the table is too wide.
        legend: a line that explains the column; it goes where the column goes.
        whole: what the lines are of, such as a label that was cut at a hyphen; by default they are joined.
    """

    text: str
    right: bool = True
    style: str = ""
    spare: int = 0
    folds: bool = False
    legend: str = ""
    whole: str = ""

    def __str__(self) -> str:
        joined = re.sub("- ?\n", "", self.text).replace("/\n", "/")
        return self.whole or " ".join(joined.split())


@dataclass(frozen=True)
class Row:
    """Cells, one for each head; a rule may stand above them. `best` are the columns that win, in bold."""

    cells: tuple[str, ...]
    rule_above: bool = False
    style: str = ""
    best: frozenset[int] = frozenset()

    def only(self, columns: Sequence[int]) -> Row:
        """Return the row with these columns alone."""
        best = frozenset(at for at, i in enumerate(columns) if i in self.best)
        return replace(self, cells=tuple(self.cells[i] for i in columns), best=best)


@dataclass(frozen=True)
class Table:
    """A table; its title and detail say what it shows and of what, its notes what the reader must know."""

    title: str
    detail: str
    heads: Sequence[Head]
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def fitted(self, width: int) -> tuple[Table, int]:
        """Return the table without the columns that the width has no room for, and the gap between columns.

        First the gap shrinks from two characters to one, then spare columns go.
        """
        spare = sorted({head.spare for head in self.heads if head.spare})
        for gap, last in [(2, 0), *((1, last) for last in (0, *spare))]:
            columns = [i for i, head in enumerate(self.heads) if not 0 < head.spare <= last]
            rows = [row.only(columns) for row in self.rows]
            table = replace(self, heads=[self.heads[i] for i in columns], rows=rows)
            # Names are folded as far as they may be.
            longest = _LONGEST_NAME if gap > 1 else _NARROWEST_NAME
            widths = zip(table.heads, table._widths(), strict=True)
            least = [min(own, longest) if head.folds else own for head, own in widths]
            if sum(least) + gap * (len(least) - 1) <= width:
                break
        names = ", ".join(str(head) for head in self.heads if head not in table.heads)
        if names:
            note = f"{NULL} no room for: {names}; a wider screen or -f csv shows all."
            table = replace(table, notes=(*table.notes, note))
        return table, gap

    def _widths(self) -> list[int]:
        from rich.cells import cell_len

        columns = zip(self.heads, zip(*(row.cells for row in self.rows), strict=True), strict=True)
        return [max(map(cell_len, (*head.text.split("\n"), *cells))) for head, cells in columns]

    def rich(self, gap: int, width: int) -> list[RenderableType]:
        """Return what rich prints: title, table with `gap` characters between columns, notes."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        # The title is a line of its own: rich would fold a table's title to the table's width.
        title = Text.assemble(
            (self.title, "bold"), "  " if self.detail else "", (self.detail, "dim")
        )
        table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim")
        table.padding = (0, gap - 1, 0, 0)
        for head in self.heads:
            table.add_column(
                Text(head.text),
                justify="right" if head.right else "left",
                style=head.style,
                no_wrap=True,
            )
        longest = self._longest(gap, width)
        for row in self.rows:
            if row.rule_above:
                table.add_section()
            texts = [
                "\n".join(folded(cell, longest[i])) if i in longest else cell
                for i, cell in enumerate(row.cells)
            ]
            # Text, not str: rich would read the brackets of "fertility[ws]" as markup.
            styles = ["bold" if i in row.best else row.style for i in range(len(texts))]
            table.add_row(*(Text(text, style=s) for text, s in zip(texts, styles, strict=True)))
        return [title, table, *(Text(note, style="yellow") for note in self.notes)]

    def _longest(self, gap: int, width: int) -> dict[int, int]:
        """Return how wide a cell of each column that folds may be: narrow ones leave their room to others."""
        widths = dict(enumerate(self._widths()))
        folding = sorted((i for i in widths if self.heads[i].folds), key=widths.__getitem__)
        room = width - sum(widths.values()) - gap * (len(widths) - 1)
        room += sum(widths[i] for i in folding)
        longest = {}
        for n_left, i in zip(range(len(folding), 0, -1), folding, strict=True):
            longest[i] = max(_NARROWEST_NAME - 4, min(_LONGEST_NAME, room // n_left))
            room -= min(widths[i], longest[i])
        return longest

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown: title, table with the best figures in bold, notes."""
        sides = ["---:" if head.right else "---" for head in self.heads]
        lines = [[tabular.markdown_text(str(head)) for head in self.heads], sides]
        for row in self.rows:
            texts = [tabular.markdown_text(cell) for cell in row.cells]
            lines.append([f"**{t}**" if i in row.best else t for i, t in enumerate(texts)])
        # Bold, for a line that begins with a name could begin with what makes it a heading or a list.
        title = f"**{tabular.markdown_text(self.title)}** " if self.title else ""
        title += tabular.markdown_text(self.detail)
        body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        notes = "".join(f"{tabular.markdown_text(note)}  \n" for note in self.notes)
        return "\n".join(filter(None, (f"{title}\n" if title else "", body, notes)))

    def latex(self) -> str:
        """Return the table as LaTeX's tabular, its title above it, its notes below."""
        sides = "".join("r" if head.right else "l" for head in self.heads)
        rows: list[str] = []
        for row in self.rows:
            texts = [tabular.latex_text(cell) for cell in row.cells]
            texts = [f"\\textbf{{{t}}}" if i in row.best else t for i, t in enumerate(texts)]
            rows.append(
                ("\\midrule\n" if row.rule_above and rows else "") + tabular.latex_row(texts)
            )
        heads = tabular.latex_row([tabular.latex_text(str(head)) for head in self.heads])
        title = tabular.latex_text(f"{self.title} {self.detail}".strip())
        notes = "".join(f"{tabular.latex_text(note)}\\\\\n" for note in self.notes)
        return (
            f"\\noindent {title}\n\n\\begin{{tabular}}{{{sides}}}\n\\toprule\n{heads}\\midrule\n"
            f"{''.join(rows)}\\bottomrule\n\\end{{tabular}}\n\n"
            + (f"{{\\footnotesize\n{notes}}}\n" if notes else "")
        )

    def html(self) -> str:
        """Return the table as HTML, for a notebook."""
        title = f"<b>{html.escape(self.title)}</b> {html.escape(self.detail)}".strip()
        sides = ["right" if head.right else "left" for head in self.heads]
        lines = [f"<p>{title}</p>", "<table>"]
        for tag, cells in [("th", map(str, self.heads)), *(("td", row.cells) for row in self.rows)]:
            columns = [
                f'<{tag} style="text-align: {side}; white-space: pre">{html.escape(cell)}</{tag}>'
                for side, cell in zip(sides, cells, strict=True)
            ]
            lines.append(f"<tr>{''.join(columns)}</tr>")
        lines += ["</table>", *(f"<p>{html.escape(note)}</p>" for note in self.notes)]
        return "\n".join(lines) + "\n"


def rendered(lines: Sequence[RenderableType], width: int, color: bool = False) -> str:
    """Return what rich prints of `lines` for a terminal of this width, without spaces at the ends."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, force_terminal=color, width=width, highlight=False)
    for line in lines:
        console.print(line)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def folded(label: str, longest: int) -> list[str]:
    """Return the label in lines at most `longest` characters wide, cut where its words end, if it can."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for word in re.findall(r"[^-_./ ]+[-_./ ]*|[-_./ ]+", label):
        if lines[-1] and cell_len((lines[-1] + word).rstrip(_BETWEEN_WORDS)) > longest:
            lines.append("")
        lines[-1] += word
        if cell_len(word.rstrip(_BETWEEN_WORDS)) > longest:
            lines[-1:] = chop_cells(lines[-1], longest)
    return [line.rstrip(_BETWEEN_WORDS) or line for line in lines]


def shortened(name: str, longest: int) -> str:
    """Return the name, its end left out if it is wider than `longest`."""
    from rich.cells import cell_len, chop_cells

    return name if cell_len(name) <= longest else f"{chop_cells(name, longest - 1)[0]}…"


def told_apart(names: Iterable[str], longest: int) -> dict[str, str]:
    """Return each name shortened, with its number at the end where several would be the same."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        alike.setdefault(shortened(name, longest), []).append(name)
    numbered = {
        name: f"{shortened(name, longest - len(str(i)))}{i}"
        for those in alike.values()
        if len(those) > 1
        for i, name in enumerate(those, 1)
    }
    return {name: short for short, those in alike.items() for name in those} | numbered
