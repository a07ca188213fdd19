"""A browser, and the page of a small sweep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import Opened, chromium, opened
from made_pages import MadePage, made_page
from small_runs import swept


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def sweep_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> MadePage:
    """The page of a sweep of two families over four languages in three scripts."""
    return made_page(swept(tmp_path_factory.mktemp("sweep"), "--special", "<s>"))


@pytest.fixture
def sweep(browser: Any, sweep_page: MadePage) -> Iterator[Opened]:
    """The page of the sweep, open."""
    with opened(browser, sweep_page.path) as seen:
        yield seen
