"""The process that draws: its engine takes seconds to start and some 200 MB, beside the rest of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toktk.child import serve
from toktk.report import charts

_BUNDLED = "window.vegaEmbed = vegaEmbed;"


def page_charts(
    families: Sequence[str], is_parallel: bool, reference: str | None
) -> dict[str, Any]:
    """Return the charts of a page by name; `reference` as in `toktk.page.figures.Figures`."""
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


def drawn(page_charts: Mapping[str, Any]) -> dict[str, Any]:
    """Return charts as Vega specifications."""
    import vl_convert

    # Tests validate them; here that would take as long as all else that altair does.
    specs = {
        name: vl_convert.vegalite_to_vega(chart.to_dict(validate=False))
        for name, chart in page_charts.items()
    }
    for spec in specs.values():
        del spec["background"]  # the page has its own
    return specs


def bundle() -> str:
    """Return Vega's JavaScript, which vl-convert bundles."""
    import vl_convert

    return str(vl_convert.javascript_bundle(_BUNDLED))


class Session:
    """What the parent asks for."""

    def specs(
        self, families: list[str], is_parallel: bool, reference: str | None
    ) -> dict[str, Any]:
        """Return the charts of a page, drawn."""
        return drawn(page_charts(families, is_parallel, reference))

    def bundle(self) -> str:
        """Return Vega's JavaScript."""
        return bundle()


if __name__ == "__main__":
    serve(Session())
