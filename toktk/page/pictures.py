"""Charts as pictures, PNG and SVG, and a card for posts; no browser is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from toktk.address_space import check_room_to_draw
from toktk.page.figures import Figures
from toktk.page.headline import WORST, Answer
from toktk.page.rows import Rows
from toktk.paths import atomic_write
from toktk.report import charts
from toktk.sizes import size_label

CARD_WIDTH, CARD_HEIGHT = 1200, 630
"""Pixels: what sites show of a link."""

_WIDTH = 640
_SCALE = 2.0  # pixels of a PNG for each of the chart
_WIDTH_OF_MODEL = 2048
_ON_CARD = 14  # languages


def write_pictures(
    figures: Figures,
    rows: Rows,
    answers: Sequence[Answer],
    folder: Path,
    advance: Callable[[int], None] = lambda n: None,
) -> list[Path]:
    """Write each chart of a page as PNG and SVG, and card.png; return the paths.

    Raises:
        StorageError: a file cannot be written.
        MemoryLimitError: a limit of address space leaves no room to draw.
    """
    check_room_to_draw()
    import vl_convert

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, chart in pictures(figures, rows):
        spec = {**chart.properties(width=_WIDTH).to_dict(validate=False), "background": "white"}
        paths.append(written(folder / f"{name}.svg", vl_convert.vegalite_to_svg(spec).encode()))
        png = vl_convert.vegalite_to_png(spec, scale=_SCALE)
        paths.append(written(folder / f"{name}.png", png))
        advance(1)
    spec = card_of(figures, rows, answers).to_dict(validate=False)
    card = vl_convert.vegalite_to_png(spec, scale=1)
    paths.append(written(folder / "card.png", card))
    advance(1)
    return paths


def pictures_of(rows: Rows) -> int:
    """Return how often `write_pictures` advances: for each chart, and for the card."""
    return 1 + sum(1 for _ in pictures(rows.figures, rows))


def written(path: Path, data: bytes) -> Path:
    """Write a file, whole or not at all, and return its path.

    Raises:
        StorageError: it cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return path


def pictures(figures: Figures, rows: Rows) -> Iterator[tuple[str, Any]]:
    """Yield the name of each chart and the chart, of those that have something to show."""
    families = [*figures.families]
    unit = "tokens per line" if figures.is_parallel else "bytes per token"
    reference = figures.reference
    points = rows.points()
    is_sweep = any(len(labels) > 1 for labels in figures.families.values())
    at = f", at {size_label(rows.size)} ids" if is_sweep else ""
    if is_sweep:
        yield (
            "size-curve",
            charts.size_curve(rows.curve(), points, rows.knees(), [], families, unit),
        )
    title = f"tokens, relative to {reference}{at}" if reference else f"{unit}{at}"
    if languages := rows.languages():
        yield "languages", charts.languages(languages, families, title, 1.0 if reference else None)
    if gains := rows.gains():
        yield "gains", charts.gains(gains, families)
    costs = {label: float(figures.size(label) * _WIDTH_OF_MODEL) for label in figures.tokenizers}
    if len(points) > 1:
        trade_off = rows.trade_off(costs)
        front = rows.front(trade_off, x_is_cost=True)
        labels = trade_off if len(trade_off) <= charts.MOST_LABELS else front
        yield "trade-off", charts.trade_off(
            trade_off, front, labels, families,
            f"parameters of the embedding, at a width of {_WIDTH_OF_MODEL}", unit,
        )  # fmt: skip
    if ranks := rows.ranks():
        yield "ranks", charts.ranks(ranks, families)
    for number, family in enumerate(families):
        if lengths := rows.lengths(family):
            suffix = f"-{number + 1}" if len(families) > 1 else ""
            yield f"lengths{suffix}", charts.lengths(lengths).properties(title=family)
            yield f"scripts{suffix}", charts.scripts(rows.scripts(family)).properties(title=family)


def card_of(figures: Figures, rows: Rows, answers: Sequence[Answer]) -> Any:
    """Return the card: bars of the costliest languages of one family, and a sentence on them."""
    import altair as alt

    family = next(iter(figures.families))
    own = [row for row in rows.languages() if row.get("family") == family]
    own.sort(key=lambda row: -row["value"])
    shown = [row for row in own if row["row"] not in figures.untrained][:_ON_CARD]
    reference = figures.reference
    what = f"tokens for the same content, {reference} = 1" if reference else "bytes per token"
    first = next((a.text for a in answers), "")
    sentence = next((a.text for a in answers if a.question == WORST), first)
    base = alt.Chart(alt.InlineData(values=shown))
    y = alt.Y(
        "row:N", sort=None, axis=alt.Axis(title=None, ticks=False, labelFontSize=20, labelLimit=220)
    )
    x = alt.X("value:Q", title=what, axis=alt.Axis(labelFontSize=18, titleFontSize=20))
    bars = base.mark_bar(color=charts.COLORS[0]).encode(y, x)
    interval = base.mark_rule(strokeWidth=3).encode(y, alt.X("low:Q", title=what), alt.X2("high:Q"))
    label = rows.chosen[family]
    title = alt.TitleParams(
        text=sentence, subtitle=f"{label} on {figures.tokenizers[label].corpus} · toktk",
        fontSize=34, subtitleFontSize=22, anchor="start", offset=24, limit=CARD_WIDTH - 60,
    )  # fmt: skip
    return (
        alt.layer(bars, interval)
        .properties(
            width=CARD_WIDTH, height=CARD_HEIGHT, title=title, background="white", padding=28
        )
        .properties(autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        .configure_view(stroke=None)
    )
