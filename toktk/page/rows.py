"""Rows of charts at one vocabulary size, for pictures; `rows.js` gives the page the same at any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from toktk.page.figures import Figures
from toktk.pieces.table import POOLED
from toktk.report.charts import NEVER, USED

Row = dict[str, Any]
USUAL_SIZE = 50_000
HEADING = "▸ "
OWN_SCRIPT = "a script of its own"


class Rows:
    """The rows of each chart.

    Attributes:
        figures: of the page.
        size: of each family the tokenizer nearest to it is shown.
        vocabulary: of `toktk.page.vocabulary.vocabulary_use`.
    """

    def __init__(
        self, figures: Figures, vocabulary: Mapping[str, Any], size: int = USUAL_SIZE
    ) -> None:
        self.figures = figures
        self.vocabulary = vocabulary
        self.chosen = {
            family: min(labels, key=lambda n: abs(math.log(figures.size(n) / size)))
            for family, labels in figures.families.items()
        }
        sizes = {figures.size(label) for label in self.chosen.values()}
        self.size = min(sizes, key=lambda each: abs(math.log(each / size)))

    def points(self, group: str = POOLED) -> list[Row]:
        """Return family, label, size, value, low, high of every tokenizer, by the first metric."""
        rows = []
        for family, labels in self.figures.families.items():
            for label in labels:
                record = self.figures.by_key.get((label, self.figures.primary, group))
                if record is not None and record.value is not None:
                    rows.append(
                        {"family": family, "label": label, "size": self.figures.size(label),
                         "value": record.value, "low": record.low, "high": record.high}
                    )  # fmt: skip
        return rows

    def curve(self, group: str = POOLED) -> list[Row]:
        """Return family, size, value, low, high at many sizes, by the first metric.

        Between measured sizes the relative width of the interval is interpolated; beyond them it is that of
        the nearest.
        """
        rows = []
        for family in self.figures.families:
            curve = self.figures.curves[family]
            for size in self.figures.curve_sizes(family):
                value = self._value(curve[size], group)
                if value is not None:
                    low, high = self._interval(family, group, size, value)
                    rows.append(
                        {"family": family, "size": size, "value": value, "low": low, "high": high}
                    )
        return rows

    def _value(self, tokens: Mapping[str, int], group: str) -> float | None:
        """Return the first metric of a group from its tokens at one size."""
        lines = self.figures.lines
        if self.figures.primary == "bytes_per_token":
            n_bytes = self.figures.value(next(iter(self.figures.tokenizers)), "bytes", group)
            return n_bytes / tokens[group] if n_bytes and tokens.get(group) else None
        pooled = [g for g in lines if g not in self.figures.untrained]
        groups = pooled if group == POOLED else [group]
        if not groups or not all(g in lines and g in tokens for g in groups):
            return None
        return sum(tokens[g] for g in groups) / sum(lines[g] for g in groups)

    def _interval(
        self, family: str, group: str, size: int, value: float
    ) -> tuple[float, float] | tuple[None, None]:
        known = [
            (self.figures.size(label), *(math.log(end / record.value) for end in (record.low, record.high)))
            for label in self.figures.families[family]
            if (record := self.figures.by_key.get((label, self.figures.primary, group))) is not None
            and record.value and record.low and record.high
        ]  # fmt: skip
        if not known:
            return None, None
        sizes = np.log([each[0] for each in known])
        low, high = (np.interp(math.log(size), sizes, [each[k] for each in known]) for k in (1, 2))
        return value * math.exp(low), value * math.exp(high)

    def knees(self) -> list[Row]:
        """Return family, size, low, high of each knee that has an interval."""
        return [
            {"family": r.family, "size": r.value, "low": r.low, "high": r.high}
            for r in self.figures.records
            if r.metric.startswith("knee[") and r.low is not None
        ]

    def languages(self) -> list[Row]:
        """Return row, family, value, low, high: relative to the reference, else by the first metric."""
        reference = self.figures.reference
        metric = self.figures.primary if reference is None else f"parity[{reference}]"

        def cell(family: str, group: str) -> Row | None:
            key = (self.chosen[family], metric, group)
            record = self.figures.by_key.get(key)
            if record is None or record.value is None:
                return None
            return {"value": record.value, "low": record.low, "high": record.high}

        return self._by_script(cell)

    def gains(self) -> list[Row]:
        """Return row, family, value: the share of tokens that a thousand more ids save."""

        def cell(family: str, group: str) -> Row | None:
            labels = self.figures.families[family]
            if len(labels) < 2:
                return None
            curve = self.figures.curves[family]
            sizes = [s for s in self.figures.curve_sizes(family) if group in curve[s]]
            gain = _gain([(size, curve[size][group]) for size in sizes], self._size_of(family))
            return None if gain is None else {"value": gain}

        return self._by_script(cell)

    def _size_of(self, family: str) -> int:
        return self.figures.size(self.chosen[family])

    def _by_script(self, cell_of: Callable[[str, str], Row | None]) -> list[Row]:
        """Return rows by script, the costliest first; scripts of one language share a heading."""
        cells: dict[str, list[Row]] = {}
        for group in self.figures.groups[1:]:
            own = [
                {"family": family, **cell}
                for family in self.figures.families
                if (cell := cell_of(family, group)) is not None
            ]
            if own:
                cells[group] = own
        worth = {g: sum(c["value"] for c in own) / len(own) for g, own in cells.items()}
        scripts: dict[str, list[str]] = {}
        for group in cells:
            scripts.setdefault(self.figures.script(group) or "", []).append(group)
        alone = [group for groups in scripts.values() if len(groups) < 2 for group in groups]
        scripts = {script: groups for script, groups in scripts.items() if len(groups) > 1}
        if alone:
            scripts[OWN_SCRIPT if scripts else ""] = alone
        rows: list[Row] = []
        for script, groups in sorted(
            scripts.items(), key=lambda s: -max(map(worth.__getitem__, s[1]))
        ):
            if len(scripts) > 1:
                rows.append({"row": HEADING + (script or "other"), "value": None})
            for group in sorted(groups, key=lambda g: -worth[g]):
                rows += [{"row": group, **cell} for cell in cells[group]]
        return rows

    def ranks(self) -> list[Row]:
        """Return family, rank, count."""
        return [
            {"family": family, "rank": rank, "count": count}
            for family, label in self.chosen.items()
            for rank, count in self.vocabulary.get(label, {}).get("ranks", ())
        ]

    def lengths(self, family: str) -> list[Row]:
        """Return length, use, tokens of the vocabulary of a family."""
        return self._uses(family, "lengths", "length")

    def scripts(self, family: str) -> list[Row]:
        """Return row (the script), use, tokens of the vocabulary of a family."""
        return self._uses(family, "scripts", "row")

    def _uses(self, family: str, kind: str, field: str) -> list[Row]:
        cells = self.vocabulary.get(self.chosen[family], {}).get(kind, ())
        return [
            {field: name, "use": use, "tokens": tokens}
            for name, used, never in cells
            for use, tokens in ((USED, used), (NEVER, never))
        ]

    def trade_off(self, costs: Mapping[str, float]) -> list[Row]:
        """Return label, family, x, y, low, high of the tokenizers with a cost, {label: x}."""
        return [
            {"label": p["label"], "family": p["family"], "x": costs[p["label"]], "y": p["value"],
             "low": p["low"], "high": p["high"]}
            for p in self.points()
            if p["label"] in costs
        ]  # fmt: skip

    def front(self, points: Iterable[Row], x_is_cost: bool) -> list[Row]:
        """Return label, family, x and y of the points that no other is better than in both."""
        more_is_better = self.figures.primary == "bytes_per_token"
        front: list[Row] = []
        for point in sorted(points, key=lambda p: p["x"] if x_is_cost else -p["x"]):
            better = not front or (
                point["y"] > front[-1]["y"] if more_is_better else point["y"] < front[-1]["y"]
            )
            if better:
                front.append({name: point[name] for name in ("label", "family", "x", "y")})
        return front


def _gain(curve: Sequence[tuple[int, int]], size: int) -> float | None:
    """Return the share of tokens that a thousand ids more save: to the next point so far or farther.

    At the end of the curve it is what the step before saved for each thousand.
    """
    at = min(range(len(curve)), key=lambda i: abs(math.log(curve[i][0] / size)))
    to = next(
        (i for i in range(at, len(curve)) if curve[i][0] >= curve[at][0] + 1000), len(curve) - 1
    )
    first, last = (at - 1, at) if to == at else (at, to)
    if first < 0 or not curve[first][1]:
        return None
    thousands = (curve[last][0] - curve[first][0]) / 1000
    left: float = (curve[last][1] / curve[first][1]) ** (1 / thousands)
    return 1 - left
