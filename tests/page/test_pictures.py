"""Charts as files, and tables for a paper."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from toktk.page.contents import Contents
from toktk.page.paper import write_tables
from toktk.page.pictures import write_pictures
from toktk.page.rows import Rows

NAMES = (
    "size-curve", "languages", "gains", "trade-off", "ranks",
    "lengths-1", "scripts-1", "lengths-2", "scripts-2",
)  # fmt: skip


def test_pictures(contents: Contents, tmp_path: Path) -> None:
    rows = Rows(contents.figures, contents.vocabulary)
    advanced: list[int] = []
    paths = write_pictures(contents.figures, rows, contents.answers, tmp_path, advanced.append)
    assert sorted(p.name for p in paths) == sorted(
        [*(f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")), "card.png"]
    )
    assert sum(advanced) == len(NAMES) + 1
    for path in paths:
        data = path.read_bytes()
        if path.suffix == ".svg":
            assert ElementTree.fromstring(data).tag.endswith("svg")
        else:
            assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", (tmp_path / "card.png").read_bytes()[16:24])
    assert (width, height) == (1200, 630)


def test_tables(contents: Contents, tmp_path: Path) -> None:
    rows = Rows(contents.figures, contents.vocabulary)
    paths = write_tables(contents.figures, rows, contents.comparisons, tmp_path)
    tables = ("differences", "languages", "tokenizers")
    assert sorted(p.name for p in paths) == [
        f"{t}.{kind}" for t in tables for kind in ("md", "tex")
    ]
    record = contents.figures.by_key["bpe-400", "tokens_per_line", "de"]
    assert record.low is not None
    assert record.high is not None
    cell = f"{record.value:.2f} ({record.low:.2f} to {record.high:.2f})"
    assert cell in (tmp_path / "languages.md").read_text()
    text = (tmp_path / "languages.tex").read_text()
    assert cell in text
    assert r"tokens\_per\_line" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
