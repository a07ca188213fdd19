"""The charts of a page as Vega specifications, and the JavaScript that draws them."""

from __future__ import annotations

import functools
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toktk.cache import Store
from toktk.page.figures import Figures
from toktk.page.packing import deflated
from toktk.report import charts
from toktk.visible import json_text

_BUNDLED = "window.vegaEmbed = vegaEmbed;"


def chart_specs(figures: Figures) -> dict[str, Any]:
    """Return the charts of a page as Vega specifications, with data sets that the page fills."""
    key = ["charts", [*figures.families], figures.is_parallel, figures.reference]

    def load(folder: Path) -> dict[str, Any]:
        specs: dict[str, Any] = json.loads((folder / "charts.json").read_bytes())
        return specs

    store = Store()
    specs = store.read("assets", key, load)
    if specs is None:
        specs = _chart_specs(figures)
        text = json_text(specs)
        store.write("assets", key, lambda folder: _write_text(folder / "charts.json", text))
    return specs


def _chart_specs(figures: Figures) -> dict[str, Any]:
    import vl_convert

    families = [*figures.families]
    unit = "tokens per line" if figures.is_parallel else "bytes per token"
    relative = figures.reference is not None
    title = f"tokens, relative to {figures.reference}" if relative else unit
    made = {
        "curve": charts.size_curve("curve", "points", "knees", "at", families, unit),
        "languages": charts.languages("rows", families, title, 1.0 if relative else None),
        "gains": charts.gains("rows", families),
        "ranks": charts.ranks("rows", families),
        "lengths": charts.lengths("rows"),
        "scripts": charts.scripts("rows"),
        "parameters": charts.trade_off(
            "points", "front", "labels", families, "parameters of the embedding", unit
        ),
        "speed": charts.trade_off("points", "front", "labels", families, "throughput (MB/s)", unit),
    }
    specs = {name: vl_convert.vegalite_to_vega(chart.to_dict()) for name, chart in made.items()}
    for spec in specs.values():
        del spec["background"]  # the page has its own
    return specs


@functools.cache
def vega() -> str:
    """Return Vega's JavaScript, deflated and in base 85; vl-convert bundles it, which takes a second."""
    key = ["vega", version("vl-convert-python"), "base85"]
    store = Store()

    def load(folder: Path) -> str:
        return (folder / "vega.txt").read_text(encoding="ascii")

    packed = store.read("assets", key, load, code=None)
    if packed is None:
        import vl_convert

        packed = deflated(vl_convert.javascript_bundle(_BUNDLED))
        bundle = packed
        store.write(
            "assets", key, lambda folder: _write_text(folder / "vega.txt", bundle), code=None
        )
    return packed


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
