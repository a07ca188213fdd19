"""Pages on disk, and what they were made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from small_runs import opened as stored

from toktk.lab.run import Run
from toktk.page.build import Page, page_of, write_document
from toktk.page.contents import Contents
from toktk.page.rows import Rows
from toktk.page.shown import Shown, shown_run


@dataclass(frozen=True)
class MadePage:
    """A page on disk, and what it was made of."""

    path: Path
    run: Run
    shown: Shown
    contents: Contents
    page: Page

    def rows(self, size: int = 50_000) -> Rows:
        return Rows(self.contents.figures, self.contents.vocabulary, size)


def made_page(folder: Path, change: Callable[[Shown], Shown] = lambda shown: shown) -> MadePage:
    run = stored(folder)
    shown = change(shown_run(run))
    contents = Contents(shown)
    page = page_of(contents)
    path = folder.parent / f"{folder.name}.html"
    write_document(page, path)
    return MadePage(path, run, shown, contents, page)
