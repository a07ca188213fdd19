"""README is short and begins with the ten lines; what it shows runs in `test_docs`."""

from __future__ import annotations

import re

from pages import PAGES, blocks_of

README = PAGES[0]


def test_the_ten_lines_come_first() -> None:
    assert "```python" in README.read_text(encoding="utf-8").splitlines()[:25]
    (ten_lines,) = (block.text for block in blocks_of(README) if block.language == "python")
    assert len(ten_lines.strip().splitlines()) <= 12


def test_it_is_what_a_first_visitor_needs() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    assert len(re.findall(r"^[ \t]*(\$ )?python3 -m venv .*pytest", text, re.M)) == 1  # for .ci/run
