"""Rows of charts against the figures they come from."""

from __future__ import annotations

import pytest

from toktk.page.contents import Contents
from toktk.page.rows import HEADING, Rows, _gain
from toktk.report.charts import NEVER, USED


@pytest.fixture(scope="session")
def rows(contents: Contents) -> Rows:
    return Rows(contents.figures, contents.vocabulary)


def test_the_curve_meets_the_figures(rows: Rows) -> None:
    """At a measured size the curve, from counts of tokens, is the record, interval included."""
    for group in rows.figures.groups:
        curve = {(row["family"], row["size"]): row for row in rows.curve(group)}
        points = rows.points(group)
        assert points
        for point in points:
            row = curve[point["family"], point["size"]]
            for name in ("value", "low", "high"):
                assert row[name] == pytest.approx(point[name], rel=1e-12)


def test_intervals_between_sizes_lie_between(rows: Rows) -> None:
    curve = [row for row in rows.curve() if row["family"] == "bpe"]
    widths = {row["size"]: row["high"] / row["low"] for row in curve}
    for size, width in widths.items():
        if 300 < size < 340:
            assert min(widths[300], widths[340]) <= width * (1 + 1e-12)
            assert width <= max(widths[300], widths[340]) * (1 + 1e-12)
        if size < 300:
            assert width == pytest.approx(widths[300])


def test_languages_stand_by_script(rows: Rows) -> None:
    names = list(dict.fromkeys(row["row"] for row in rows.languages()))
    headings = [name for name in names if name.startswith(HEADING)]
    assert set(headings) == {"▸ Latin", "▸ a script of its own"}
    for row in rows.languages():
        if not row["row"].startswith(HEADING):
            label = rows.chosen[row["family"]]
            assert row["value"] == rows.figures.value(label, "parity[en]", row["row"])


def test_gain_of_a_thousand_ids() -> None:
    curve = [(1000, 1000), (2000, 900), (5000, 729)]
    assert _gain(curve, 1000) == pytest.approx(0.1)
    assert _gain(curve, 2000) == pytest.approx(1 - (729 / 900) ** (1 / 3))
    assert _gain(curve, 9000) == pytest.approx(
        1 - (729 / 900) ** (1 / 3)
    )  # a step back, at the end
    assert _gain([(1000, 1000)], 1000) is None


def test_vocabulary_adds_up(rows: Rows) -> None:
    for family, label in rows.chosen.items():
        use = rows.vocabulary[label]
        counts = rows.figures.shown.token_counts[label]
        assert use["ids"] == rows.figures.size(label) - 1  # less the special token
        assert use["used"] == int((counts > 0).sum())
        for of in (rows.lengths(family), rows.scripts(family)):
            for kind, n in ((USED, use["used"]), (NEVER, use["never"])):
                assert sum(row["tokens"] for row in of if row["use"] == kind) == n
        assert use["ranks"][0] == [1, int(counts.max())]
        assert use["top"][0][2] == int(counts.max())
        assert all(count == 0 for _, _, count in use["unused"])


def test_front(rows: Rows) -> None:
    ends = [(1, 9), (2, 7), (3, 8), (4, 7), (5, 3)]
    points = [{"label": f"t{x}", "family": "t", "x": x, "y": y, "low": None} for x, y in ends]

    def labels(x_is_cost: bool) -> list[str]:
        return [row["label"] for row in rows.front(points, x_is_cost)]

    assert labels(True) == ["t1", "t2", "t5"]
    assert labels(False) == ["t5"]
