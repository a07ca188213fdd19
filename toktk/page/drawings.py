"""The charts of a page as Vega specifications, and the JavaScript that draws them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toktk.address_space import check_room_to_draw
from toktk.cache import Store
from toktk.page.figures import Figures
from toktk.page.kept import kept
from toktk.page.packing import deflated
from toktk.report import charts

_BUNDLED = "window.vegaEmbed = vegaEmbed;"


def chart_specs(figures: Figures) -> dict[str, Any]:
    """Return the charts of a page as Vega specifications, with data sets that the page fills.

    They are kept, as making them takes most of a second, and serve as many families of any names.
    """
    families = [f"family {i}" for i in range(len(figures.families))]
    of_page = families, figures.is_parallel, figures.reference
    specs = kept(["charts", *of_page], lambda: _drawn(page_charts(*of_page)))
    for spec in specs.values():
        for scale in spec["scales"]:
            if scale.get("domain") == families:
                scale["domain"] = [*figures.families]
    return specs


def page_charts(
    families: Sequence[str], is_parallel: bool, reference: str | None
) -> dict[str, Any]:
    """Return the charts of a page by name; `reference` as in `Figures`."""
    unit = "tokens per line" if is_parallel else "bytes per token"
    relative = reference is not None
    title = f"tokens, relative to {reference}" if relative else unit
    return {
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


def _drawn(page_charts: Mapping[str, Any]) -> dict[str, Any]:
    check_room_to_draw()
    import vl_convert

    # Tests validate them; here that would take as long as all else that altair does.
    specs = {
        name: vl_convert.vegalite_to_vega(chart.to_dict(validate=False))
        for name, chart in page_charts.items()
    }
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
        check_room_to_draw()
        import vl_convert

        packed = deflated(vl_convert.javascript_bundle(_BUNDLED))
        bundle = packed

        def save(folder: Path) -> None:
            (folder / "vega.txt").write_text(bundle, encoding="ascii")

        store.write("assets", key, save, code=None)
    return packed
