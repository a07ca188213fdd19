"""Charts of results, drawn by altair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toktk.errors import MetricError, did_you_mean
from toktk.pieces.table import POOLED
from toktk.report.records import Record


def chart(records: Sequence[Record], metric: str, group: str = POOLED) -> Any:
    """Return an altair Chart of one metric: a line over sizes for each family that has several, else bars.

    Raises:
        MetricError: there are no such figures.
    """
    import altair as alt

    drawn = [r for r in records if r.metric == metric and r.group == group and r.value is not None]
    if not drawn:
        metrics = dict.fromkeys(record.metric for record in records)
        raise MetricError(
            f"no figures of {metric!r} to draw{did_you_mean(metric, metrics)}.",
            f"Found: {', '.join(metrics) or 'no figures'}.",
        )
    names = ("tokenizer", "family", "size", "value")
    values = [{name: getattr(record, name) for name in names} for record in drawn]
    base = alt.Chart(alt.InlineData(values=values), title=f"{metric}, {group}, {drawn[0].corpus}")
    unit = alt.Y("value:Q", title=drawn[0].unit, scale=alt.Scale(zero=False))
    tooltip = ["tokenizer:N", "size:Q", "value:Q"]
    if len({record.family for record in drawn}) == len(drawn):
        order = [record.tokenizer for record in drawn]
        across = alt.X("tokenizer:N", sort=order, title=None)
        return base.mark_bar().encode(
            across, alt.Y("value:Q", title=drawn[0].unit), tooltip=tooltip
        )
    sizes = alt.X("size:Q", scale=alt.Scale(type="log"), title="vocabulary size (ids)")
    lines = base.mark_line(point=True)
    return lines.encode(sizes, unit, color=alt.Color("family:N", title=None), tooltip=tooltip)
