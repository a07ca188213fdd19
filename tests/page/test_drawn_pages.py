"""Charts of a page: valid, and for families of any names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from toktk.child import ChildEnded
from toktk.page import drawings
from toktk.page.contents import Contents
from toktk.page.drawing_worker import drawn, page_charts
from toktk.page.figures import Figures
from toktk.page.pictures import card_of, pictures
from toktk.page.rows import Rows

NAMES = ['a "quoted" \\ name', "</script>", "7", "signal", "اللغة", "👩‍👩‍👧 é", "family 0", "x\ty"]


@dataclass
class FakeFigures:
    families: dict[str, list[str]]
    is_parallel: bool = True
    reference: str | None = None


@pytest.mark.parametrize("families", [["one"], ["one", "two"], NAMES])
@pytest.mark.parametrize("is_parallel", [False, True])
@pytest.mark.parametrize("reference", [None, "the 'first' one"])
def test_charts_of_a_page_are_valid(
    families: list[str], is_parallel: bool, reference: str | None
) -> None:
    for chart in page_charts(families, is_parallel, reference).values():
        assert chart.to_dict(validate=True) == chart.to_dict(validate=False)


def test_pictures_are_valid(contents: Contents) -> None:
    rows = Rows(contents.figures, contents.vocabulary)
    card = card_of(contents.figures, rows, contents.answers)
    for chart in [card, *(chart for _, chart in pictures(contents.figures, rows))]:
        assert chart.to_dict(validate=True)


@pytest.mark.parametrize("reference", [None, "signal"])
def test_kept_charts_serve_families_of_any_names(
    home: Path, monkeypatch: pytest.MonkeyPatch, reference: str | None
) -> None:
    def specs_of(names: list[str]) -> dict[str, Any]:
        figures = FakeFigures({name: [] for name in names}, reference=reference)
        return drawings.draw(cast(Figures, figures))[0]

    specs = drawn(page_charts(NAMES, True, reference))
    assert json.dumps(specs_of(NAMES)) == json.dumps(specs)  # drawn now
    monkeypatch.delattr(drawings.Engine, "ask")
    assert json.dumps(specs_of(NAMES)) == json.dumps(specs)  # kept
    other = [f"n{i}" for i in range(len(NAMES))]
    assert specs_of(other)["curve"]["scales"] != specs["curve"]["scales"]


def test_this_process_draws_where_another_cannot(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw() -> tuple[dict[str, Any], str]:
        return drawings.draw(cast(Figures, FakeFigures({name: [] for name in NAMES})))

    wanted = draw()
    monkeypatch.setattr(drawings, "Store", lambda: Nothing())
    monkeypatch.setattr(drawings, "kept", lambda key, make: make())
    asked = []

    class Ended:
        def __init__(self, module: str) -> None:
            asked.append(module)

        def ask(self, what: str, **arguments: Any) -> Any:
            raise ChildEnded("ended by signal 9 (SIGKILL)")

        def close(self) -> None:
            asked.append("closed")

    class Nothing:
        def read(self, *key: Any, **options: Any) -> None:
            return None

        def write(self, *key: Any, **options: Any) -> None:
            pass

    monkeypatch.setattr(drawings, "Child", Ended)
    found = draw()
    assert asked == ["toktk.page.drawing_worker", "closed"]
    assert json.dumps(found) == json.dumps(wanted)
