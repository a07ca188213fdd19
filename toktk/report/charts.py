"""Charts of figures, as altair makes them: for the page, for notebooks, and as pictures.

Each function takes rows and returns a chart of them. Given the name of a data set instead of rows, the chart
has none yet: the page fills it, and fills it anew whenever the size changes.

Colors are those of Okabe and Ito (2008), which people with any common form of color blindness tell apart;
shapes and dashes say the same once more. A row is a plain dictionary. Names in it are text that is shown, so
the caller has made them visible (toktk.visible).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

Row = Mapping[str, Any]
Rows = Sequence[Row] | str
"""The rows of a chart, or the name of the data set that will hold them."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#7F7F7F")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [1, 3], [4, 4])
USED, NEVER = "in the text", "never in the text"

WIDTH = 560
"""Pixels of a chart that stands by itself."""

_STEP = 17  # pixels between rows
_INTERVAL, _FAINT = 0.25, 0.1  # opacity of a band, and of bands that lie on one another
_FEW = 3  # families

MOST_LABELS = 14
"""Of more points than that, only those of the front have their names beside them."""


def size_curve(
    curve: Rows, points: Rows, knees: Rows, at: Rows, families: Sequence[str], unit: str
) -> Any:
    """Return lines over vocabulary sizes with bands for intervals, marks for knees, and a line at a size.

    Args:
        curve: family, size, value, low, high.
        points: the same, where it was measured, and label.
        knees: family, size, low, high.
        at: size.
        families: in the order of their colors.
        unit: of value.
    """
    import altair as alt

    x = alt.X("size:Q", scale=alt.Scale(type="log", nice=False, padding=8), title="vocabulary size (ids)",
              axis=alt.Axis(format="~s", tickCount=8))  # fmt: skip
    y = alt.Y("value:Q", scale=alt.Scale(zero=False), title=unit)
    color = _color(families)
    band = (
        alt.Chart(_data(curve))
        .mark_area(opacity=_INTERVAL if len(families) <= _FEW else _FAINT)
        .encode(x, alt.Y("low:Q", title=unit), alt.Y2("high:Q"), color)
    )
    line = alt.Chart(_data(curve)).mark_line(strokeWidth=2).encode(
        x, y, color, strokeDash=_dash(families)
    )  # fmt: skip
    tooltip = [
        alt.Tooltip("label:N", title="tokenizer"),
        alt.Tooltip("size:Q", format=",", title="ids"),
        alt.Tooltip("value:Q", format=".4", title=unit),
        alt.Tooltip("low:Q", format=".4", title="95 % from"),
        alt.Tooltip("high:Q", format=".4", title="95 % to"),
    ]
    point = alt.Chart(_data(points)).mark_point(filled=True, size=55, opacity=1).encode(
        x, y, color, shape=_shape(families), tooltip=tooltip
    )  # fmt: skip
    interval = alt.Chart(_data(points)).mark_rule(strokeWidth=1.5, opacity=0.6)
    interval = interval.encode(x, alt.Y("low:Q", title=unit), alt.Y2("high:Q"), color)
    knee = alt.Chart(_data(knees)).mark_rect(opacity=0.12).encode(
        alt.X("low:Q"), alt.X2("high:Q"), color
    )  # fmt: skip
    knee_line = alt.Chart(_data(knees)).mark_rule(strokeDash=[4, 3], strokeWidth=1.5).encode(
        x, color,
        tooltip=[alt.Tooltip("family:N"), alt.Tooltip("size:Q", format=",", title="knee (ids)")],
    )  # fmt: skip
    here = alt.Chart(_data(at)).mark_rule(strokeWidth=1.5, color="#888").encode(x)
    return _sized(alt.layer(knee, band, line, knee_line, here, interval, point), 320)


def languages(rows: Rows, families: Sequence[str], title: str, rule: float | None = None) -> Any:
    """Return a row for each language, with a point and an interval for each family.

    Args:
        rows: row (name or heading, in the order shown), family, value, low, high; a heading has no value and
            begins with "▸".
        rule: where a line stands, such as 1 for the reference.
    """
    import altair as alt

    y = _across("row", rows)
    tooltip = [
        alt.Tooltip("row:N", title="language"),
        alt.Tooltip("family:N"),
        alt.Tooltip("value:Q", format=".4", title=title),
        alt.Tooltip("low:Q", format=".4", title="95 % from"),
        alt.Tooltip("high:Q", format=".4", title="95 % to"),
    ]
    # Relative costs multiply: twice and half are equally far from 1.
    ticks = [0.25, 0.5, 0.7, 1, 1.2, 1.5, 2, 3, 4, 6, 8, 12, 20, 40]
    scale = alt.Scale(zero=False) if rule is None else alt.Scale(type="log", nice=False, padding=8)
    axis = alt.Axis(orient="top", format="~g", **({} if rule is None else {"values": ticks}))
    x = alt.X("value:Q", title=title, scale=scale, axis=axis)
    interval = alt.Chart(_data(rows)).mark_rule(strokeWidth=2, opacity=0.6).encode(
        y, alt.X("low:Q", title=title), alt.X2("high:Q"), _color(families)
    )  # fmt: skip
    point = alt.Chart(_data(rows)).mark_point(filled=True, size=60, opacity=1).encode(
        y, x, _color(families), _shape(families), tooltip=tooltip
    )  # fmt: skip
    layers = [_places(rows), interval, point, _chosen(rows)]
    if rule is not None:
        at = alt.Chart(alt.InlineData(values=[{"at": rule}]))
        layers.insert(
            0, at.mark_rule(strokeDash=[3, 3], color="#888").encode(alt.X("at:Q", title=title))
        )
    return _rows_high(alt.layer(*layers))


def gains(rows: Rows, families: Sequence[str]) -> Any:
    """Return what a thousand more ids save, for each language and family; rows as for `languages`."""
    import altair as alt

    title = "tokens saved by the next 1,000 ids"
    x = alt.X("value:Q", title=title, axis=alt.Axis(orient="top", format=".2%"))
    tooltip = [
        alt.Tooltip("row:N", title="language"),
        alt.Tooltip("family:N"),
        alt.Tooltip("value:Q", format=".3%", title="saved"),
    ]
    bars = alt.Chart(_data(rows)).mark_point(filled=True, size=60, opacity=1)
    encoded = bars.encode(
        _across("row", rows), x, _color(families), _shape(families), tooltip=tooltip
    )
    return _rows_high(alt.layer(_places(rows), encoded, _chosen(rows)))


def ranks(rows: Rows, families: Sequence[str]) -> Any:
    """Return how often the tokens of each rank occur: family, rank, count."""
    import altair as alt

    log = alt.Scale(type="log", nice=False)
    line = alt.Chart(_data(rows)).mark_line(strokeWidth=2).encode(
        alt.X("rank:Q", scale=log, title="rank of the token", axis=alt.Axis(format="~s", tickCount=6)),
        alt.Y("count:Q", scale=log, title="occurrences in the text", axis=alt.Axis(format="~s", tickCount=6)),
        _color(families),
        strokeDash=_dash(families),
    )  # fmt: skip
    return _sized(line, 220)


def lengths(rows: Rows) -> Any:
    """Return tokens by their length: length (bytes, a label), use (`USED` or `NEVER`), tokens."""
    import altair as alt

    bars = alt.Chart(_data(rows)).mark_bar().encode(
        alt.X("length:O", sort=None, title="length of the token (bytes)", axis=alt.Axis(labelAngle=0)),
        alt.Y("tokens:Q", title="tokens", axis=alt.Axis(format="~s")),
        _use(),
        order=alt.Order("use:N"),
        tooltip=[alt.Tooltip("length:O"), alt.Tooltip("use:N"), alt.Tooltip("tokens:Q", format=",")],
    )  # fmt: skip
    return _sized(bars, 220)


def scripts(rows: Rows) -> Any:
    """Return tokens by the script of their letters: row (the script), use, tokens."""
    import altair as alt

    bars = alt.Chart(_data(rows)).mark_bar().encode(
        _across("row", rows),
        alt.X("tokens:Q", title="tokens", axis=alt.Axis(orient="top", format="~s")),
        _use(),
        order=alt.Order("use:N"),
        tooltip=[alt.Tooltip("row:N", title="script"), alt.Tooltip("use:N"),
                 alt.Tooltip("tokens:Q", format=",")],
    )  # fmt: skip
    return _rows_high(bars)


def bars(points: Rows, unit: str) -> Any:
    """Return a bar with its interval for each tokenizer: label, value, low, high, in the order given."""
    import altair as alt

    x = alt.X("label:N", sort=None, title=None)
    tooltip = ["label:N", "size:Q", "value:Q", "low:Q", "high:Q"]
    bar = alt.Chart(_data(points)).mark_bar(color=COLORS[0])
    bar = bar.encode(x, alt.Y("value:Q", title=unit), tooltip=tooltip)
    interval = alt.Chart(_data(points)).mark_rule(strokeWidth=2)
    return alt.layer(bar, interval.encode(x, alt.Y("low:Q", title=unit), alt.Y2("high:Q")))


def trade_off(
    points: Rows, front: Rows, labels: Rows, families: Sequence[str], x_title: str, unit: str
) -> Any:
    """Return tokenizers by what they cost and what they give, with the front that none is better than.

    Args:
        points: label, family, x, y, low, high.
        front: x, y, in the order of the line.
        labels: label, family, x, y of the points with a name beside them; see `MOST_LABELS`.
    """
    import altair as alt

    x = alt.X("x:Q", scale=alt.Scale(type="log", nice=False, padding=24), title=x_title,
              axis=alt.Axis(format="~s", tickCount=6))  # fmt: skip
    y = alt.Y("y:Q", scale=alt.Scale(zero=False), title=unit)
    line = alt.Chart(_data(front)).mark_line(interpolate="step-after", color="#888").encode(
        x, y, alt.Order("x:Q")
    )  # fmt: skip
    point = alt.Chart(_data(points)).mark_point(filled=True, size=70, opacity=1).encode(
        x, y, _color(families), _shape(families),
        tooltip=[alt.Tooltip("label:N", title="tokenizer"), alt.Tooltip("x:Q", format=",.4", title=x_title),
                 alt.Tooltip("y:Q", format=".4", title=unit)],
    )  # fmt: skip
    interval = alt.Chart(_data(points)).mark_rule(opacity=0.5).encode(
        x, alt.Y("low:Q", title=unit), alt.Y2("high:Q"), _color(families)
    )  # fmt: skip
    text = alt.Chart(_data(labels)).mark_text(align="left", dx=7, dy=-6, fontSize=10).encode(
        x, y, alt.Text("label:N"), _color(families)
    )  # fmt: skip
    return _sized(alt.layer(line, interval, point, text), 320)


def _data(rows: Rows) -> Any:
    import altair as alt

    return alt.NamedData(name=rows) if isinstance(rows, str) else alt.InlineData(values=[*rows])


def _color(families: Sequence[str]) -> alt.Color:
    import altair as alt

    colors = [COLORS[i % len(COLORS)] for i in range(len(families))]
    scale = alt.Scale(domain=[*families], range=colors)
    return alt.Color("family:N", scale=scale, title=None, legend=_legend(families))


def _shape(families: Sequence[str]) -> alt.Shape:
    import altair as alt

    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(families))]
    scale = alt.Scale(domain=[*families], range=shapes)
    return alt.Shape("family:N", scale=scale, title=None, legend=_legend(families))


def _dash(families: Sequence[str]) -> alt.StrokeDash:
    import altair as alt

    dashes = [[*DASHES[i % len(DASHES)]] for i in range(len(families))]
    scale = alt.Scale(domain=[*families], range=dashes)
    return alt.StrokeDash("family:N", scale=scale, title=None, legend=_legend(families))


def _legend(families: Sequence[str]) -> Any:
    import altair as alt

    if len(families) < 2:
        return None
    return alt.Legend(orient="top", columns=3, labelLimit=220, symbolOpacity=1)


def _places(rows: Rows) -> Any:
    """Return what keeps every row its place, headings too: marks without a value are left out of an axis."""
    import altair as alt

    return alt.Chart(_data(rows)).mark_tick(opacity=0).encode(_across("row", rows))


def _chosen(rows: Rows) -> Any:
    """Return what marks the row of the data set ``chosen``."""
    import altair as alt

    marked: Rows = "chosen" if isinstance(rows, str) else ()
    return (
        alt.Chart(_data(marked)).mark_rect(opacity=0.15, color="#888").encode(_across("row", rows))
    )


def _use() -> alt.Color:
    import altair as alt

    scale = alt.Scale(domain=[USED, NEVER], range=[COLORS[0], "#BBBBBB"])
    return alt.Color("use:N", scale=scale, title=None, legend=alt.Legend(orient="top"))


def _across(field: str, rows: Rows) -> alt.Y:
    """Return the axis of a row for each name; a heading stands out."""
    import altair as alt

    bold = {"condition": {"test": "test(/^▸/, datum.value)", "value": "bold"}, "value": "normal"}
    axis = alt.Axis(title=None, ticks=False, domain=False, labelLimit=160, labelFontWeight=bold)
    return alt.Y(f"{field}:N", sort=None, axis=axis)


def _sized(chart: Any, height: int) -> Any:
    return chart.properties(width="container", height=height)


def _rows_high(chart: Any) -> Any:
    import altair as alt

    return chart.properties(width="container", height=alt.Step(_STEP))
