"""Opening a page in headless Chromium, from disk and with the network off."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (390, 820, 1280)
"""Pixels: a phone, a tablet, a laptop."""

READY = "window.toktk && window.toktk.isReady"
SETTLE = 40  # milliseconds: two frames and what they start


def chromium() -> str:
    """Return the path of Chromium, or skip the tests that need it."""
    pytest.importorskip(
        "playwright", reason="playwright is not installed: pip install '.[browser]'"
    )
    wanted = os.environ.get("TOKTK_TEST_CHROMIUM")
    path = wanted or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(NAMES)} is installed")
    return path


@dataclass
class Opened:
    """A page that is open, and what it did.

    Attributes:
        page: playwright's.
        errors: what it wrote to the console as an error or a warning, and what it threw.
        requests: addresses that it asked for, its own file included.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def ask(self, script: str, argument: object = None) -> Any:
        """Return what a script gives in the page."""
        return self.page.evaluate(script, argument)

    def settle(self) -> None:
        """Wait until a change is drawn."""
        self.ask(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        self.page.wait_for_timeout(SETTLE)

    def see(self, selector: str) -> None:
        """Scroll to an element, so that it is drawn."""
        self.page.locator(selector).scroll_into_view_if_needed()
        self.settle()

    def rows(self, chart: str, data: str = "rows") -> list[dict[str, Any]]:
        """Return the rows that a chart draws."""
        script = "([chart, name]) => JSON.parse(JSON.stringify(toktk.charts[chart].data(name)))"
        return [dict(row) for row in self.ask(script, [chart, data])]

    def hash(self) -> str:
        """Return the state in the address, once it is written there."""
        self.page.wait_for_timeout(300)
        return str(self.ask("location.hash"))

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.page.locator(selector).inner_text())


@contextmanager
def opened(
    browser: Any, path: Path, state: str = "", width: int = 1280, **options: Any
) -> Iterator[Opened]:
    """Open a file with a state; at the end it must have asked for nothing and found no fault."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    context.set_offline(True)
    page = context.new_page()
    seen = Opened(page)
    page.on("console", lambda m: m.type in ("error", "warning") and seen.errors.append(m.text))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    address = path.as_uri()
    page.goto(address + state)
    page.wait_for_function(READY)
    seen.settle()
    yield seen
    context.close()
    assert seen.errors == []
    assert {request.partition("#")[0] for request in seen.requests} == {address}
