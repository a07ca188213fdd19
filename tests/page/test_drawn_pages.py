"""Charts of a page: valid, and for families of any names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import vl_convert

from toktk.page import drawings
from toktk.page.contents import Contents
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
    for chart in drawings.page_charts(families, is_parallel, reference).values():
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
        return drawings.chart_specs(cast(Figures, figures))

    drawn = drawings._drawn(drawings.page_charts(NAMES, True, reference))
    assert json.dumps(specs_of(NAMES)) == json.dumps(drawn)  # drawn now
    monkeypatch.delattr(vl_convert, "vegalite_to_vega")
    assert json.dumps(specs_of(NAMES)) == json.dumps(drawn)  # kept
    other = [f"n{i}" for i in range(len(NAMES))]
    assert specs_of(other)["curve"]["scales"] != drawn["curve"]["scales"]
