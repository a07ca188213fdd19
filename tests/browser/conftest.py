"""A browser, and pages of small runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import chromium, opened
from click.testing import CliRunner

from toktk.cli import main
from toktk.lab.run import Run, document_of, stored_run
from toktk.report.page.build import Contents, Page, write_document
from toktk.report.page.rows import Rows
from toktk.report.page.shown import Shown, shown_run


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


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


def run_toktk(*args: object) -> None:
    """Run a command in this process, which must end well."""
    result = CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr


def made_page(folder: Path, change: Callable[[Shown], Shown] = lambda shown: shown) -> MadePage:
    run = stored_run(folder, document_of(folder))
    shown = change(shown_run(run))
    contents = Contents(shown)
    page = contents.page()
    path = folder.parent / f"{folder.name}.html"
    write_document(page, path)
    return MadePage(path, run, shown, contents, page)


@pytest.fixture(scope="session")
def sweep_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> MadePage:
    """The page of a sweep of two families over four languages in three scripts."""
    from small_corpora import PARALLEL, write_parallel

    folder = tmp_path_factory.mktemp("sweep")
    corpus = write_parallel(folder / "text.jsonl", 600)
    run_toktk("sweep", "-c", corpus, *PARALLEL, "-t", "bpe", "-t", "unigram", "-s", "300,340,400",
              "--special", "<s>", "-o", folder / "run", "-q")  # fmt: skip
    assert (folder / "run" / "report.html").is_file()
    return made_page(folder / "run")


@pytest.fixture
def sweep(browser: Any, sweep_page: MadePage) -> Iterator[Any]:
    """The page of the sweep, open."""
    with opened(browser, sweep_page.path) as seen:
        yield seen
