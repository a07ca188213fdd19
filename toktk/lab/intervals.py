"""Intervals of the figures of one text: from what each sampled document adds to the sums."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64, offsets_of
from toktk.kernels.hash import mix
from toktk.metrics.base import Column, Figure, Quotient, Summary
from toktk.pieces.sample import BLOCKS, SampledDocuments
from toktk.report.records import NO_INTERVAL, ONE_DECIDES
from toktk.stats.interval import WHY, Interval
from toktk.stats.jackknife import jackknife_interval
from toktk.stats.ratio import ratio_interval, ratio_intervals

Float64 = npt.NDArray[np.float64]

_MOST_REPEATS = 64
_MOST_UNITS = (
    20_000  # of a summary over groups; beyond, units are joined, as the jackknife does anyway
)


def unit_hashes(documents: SampledDocuments) -> npt.NDArray[np.uint64]:
    """Return uint64[D]: the unit of each row, in no order of the text."""
    blocks = np.array([kind == BLOCKS for kind in documents.kinds], dtype=np.bool_)
    is_block = blocks[documents.group]
    units = documents.unit.copy()
    units[is_block] = mix(units[is_block] ^ documents.group[is_block].astype(np.uint64) << 32, 0)
    return units


@dataclass(frozen=True)
class Units:
    """The sampled documents by unit: a document, or an aligned line with all its languages.

    Attributes:
        documents: the sample.
        n: how many units there are.
        of_row: int64[D], the unit of each row, numbered in the order of their hashes.
        weight: float64[D], what the counts of one copy are multiplied by: copies, and rows of the text for
            each row of the sample.
        n_all: units of the whole text.
    """

    documents: SampledDocuments
    n: int
    of_row: Int64
    weight: Float64
    n_all: int
    _rows: dict[tuple[str, ...], Int64 | slice] = field(default_factory=dict)

    @cached_property
    def bounds(self) -> Int64:
        """int64[G + 1]: where the rows of each group begin and end."""
        groups = np.arange(len(self.documents.groups) + 1)
        return np.searchsorted(self.documents.group, groups).astype(np.int64)

    @cached_property
    def _by_unit(self) -> npt.NDArray[np.bool_]:
        """bool[G]: whether each row of a group is a unit of its own, and there is any."""
        spans = itertools.pairwise(self.bounds.tolist())
        return np.array([a < b == a + np.unique(self.of_row[a:b]).size for a, b in spans])

    def alike(self, reference: str | None) -> Int64:
        """Return the groups, by number, whose rows are units, those of the reference where one is named."""
        chosen = np.flatnonzero(self._by_unit)
        if reference is None:
            return chosen
        units = self.of_row[self.rows_of((reference,))]
        spans = {g: slice(int(self.bounds[g]), int(self.bounds[g + 1])) for g in chosen.tolist()}
        same = [g for g, rows in spans.items() if np.array_equal(self.of_row[rows], units)]
        return np.array(same, dtype=np.int64)

    @classmethod
    def of(cls, documents: SampledDocuments) -> Units:
        """Return the units of a sample."""
        _, first, of_row = np.unique(unit_hashes(documents), return_index=True, return_inverse=True)
        scale = 2.0 ** documents.levels[documents.group]
        weight = documents.copies * scale
        return cls(documents, first.size, of_row, weight, int(scale[first].sum()))

    def rows_of(self, groups: tuple[str, ...] | None) -> Int64 | slice:
        """Return which rows are of some groups."""
        if groups is None:
            return slice(None)
        if groups not in self._rows:
            self._rows[groups] = self._found(groups)
        return self._rows[groups]

    def _found(self, groups: tuple[str, ...]) -> Int64 | slice:
        if len(groups) == 1:  # rows are sorted by group
            g = self.documents.groups.index(groups[0])
            return slice(int(self.bounds[g]), int(self.bounds[g + 1]))
        numbers = [self.documents.groups.index(group) for group in groups]
        return np.flatnonzero(np.isin(self.documents.group, numbers)).astype(np.int64)


@dataclass(frozen=True)
class IntervalMaker:
    """Makes the intervals of one tokenizer's figures.

    Attributes:
        units: of the sample.
        quantities: int64[D] by name; see `toktk.evaluation.documents.DocumentPieces.quantities`.
        of_ids: of figures about ids, by what begins the metric's name.
    """

    units: Units
    quantities: Mapping[str, Int64]
    of_ids: Mapping[str, Interval] = field(default_factory=dict)
    _made: dict[Quotient, Interval] = field(default_factory=dict)
    _tables: dict[tuple[str, str, str | None], dict[str, Interval]] = field(default_factory=dict)

    def interval(self, figure: Figure) -> Interval | None:
        """Return the interval of a figure, around its value; None where it is a plain count or null."""
        if figure.value is None:
            return None
        if figure.made_of is None:
            about_ids = self.of_ids.get(figure.metric.partition("[")[0])
            return None if about_ids is None else _around(about_ids, figure.value)
        if isinstance(figure.made_of, Summary):
            return _around(self._of_summary(figure.made_of), figure.value)
        made_of = figure.made_of
        if made_of.complement:
            made_of = Quotient(made_of.numerator, made_of.denominator)
        if made_of not in self._made:
            self._made[made_of] = self._of_quotient(made_of)
        interval = self._made[made_of]
        if not figure.made_of.complement:
            return _around(interval, figure.value)
        around = _around(interval, 1 - figure.value)
        low = None if around.high is None else 1 - around.high
        high = None if around.low is None else 1 - around.low
        return replace(around, value=figure.value, low=low, high=high)

    def _of_quotient(self, made_of: Quotient) -> Interval:
        numerator, denominator = made_of.numerator, made_of.denominator
        units = self.units
        if len(numerator.groups or ()) == len(denominator.groups or ()) == 1:
            ((group,), (below,)) = numerator.groups or ("",), denominator.groups or ("",)
            key = numerator.name, denominator.name, None if below == group else below
            if key not in self._tables:
                self._tables[key] = self._of_each_group(*key)
            if group in self._tables[key]:
                return self._tables[key][group]
        both = {*(numerator.groups or units.documents.groups)}
        both |= {*(denominator.groups or units.documents.groups)}
        chosen = units.rows_of(
            tuple(sorted(both)) if len(both) < len(units.documents.groups) else None
        )
        of_row = units.of_row[chosen]
        present = np.zeros(units.n, dtype=np.bool_)
        present[of_row] = True
        numbers = np.cumsum(present) - 1
        n = int(present.sum())
        sums = [self._sums(column, numbers, n) for column in (numerator, denominator)]
        if units.n_all == units.n:
            return ratio_interval(*sums)
        scale = np.empty(units.n)
        scale[of_row] = 2.0 ** units.documents.levels[units.documents.group[chosen]]
        scale = scale[present]
        # Groups that were sampled more thinly are repeated, each time with its share: so each row stands
        # for as many units of the text, and one factor holds for all.
        repeats = np.clip(scale / scale.min(), 1, _MOST_REPEATS).astype(np.int64)
        evened = [np.repeat(values / repeats, repeats) for values in sums]
        n_rows = int(repeats.sum())
        return ratio_interval(*evened, n_all=max(n_rows, round(n_rows * scale.min())))

    def _of_each_group(
        self, numerator: str, denominator: str, reference: str | None
    ) -> dict[str, Interval]:
        """Return the intervals of a ratio in each group whose rows are units, by group.

        Below is the denominator of the reference, or of the group itself.
        """
        units, documents = self.units, self.units.documents
        groups = units.alike(reference)
        spans = [slice(int(units.bounds[g]), int(units.bounds[g + 1])) for g in groups]
        if not spans:
            return {}
        x, y = self._weighted(numerator), self._weighted(denominator)
        above = np.concatenate([x[rows] for rows in spans])
        shared = None if reference is None else y[units.rows_of((reference,))]
        below = np.concatenate([y[rows] if shared is None else shared for rows in spans])
        lengths = units.bounds[groups + 1] - units.bounds[groups]
        # The weight of a group's rows is in both sums.
        made = ratio_intervals(
            above, below, offsets_of(lengths), n_all=lengths << documents.levels[groups]
        )
        return {documents.groups[g]: one for g, one in zip(groups, made, strict=True)}

    def _weighted(self, name: str) -> Float64:
        """Return float64[D]: a quantity of the copies of each row."""
        weight = self.units.weight
        return weight if name == "lines" else self.quantities[name] * weight

    def _of_summary(self, made_of: Summary) -> Interval:
        n = min(self.units.n, _MOST_UNITS)
        joined = np.arange(self.units.n) * n // max(self.units.n, 1)
        sums = np.stack([self._sums(column, joined, n) for column in made_of.columns], axis=1)
        sizes = self._sums(Column("bytes"), joined, n)
        # What the most finely sampled group stands for: of thinly sampled groups that says too little.
        levels = self.units.documents.levels
        n_all = n << int(levels.min()) if levels.size else n
        return jackknife_interval(made_of.statistic, sums, sizes=sizes, n_all=n_all)

    def _sums(self, column: Column, numbers: Int64, n: int) -> Float64:
        """Return float64[n]: a column summed over the units of each number."""
        rows = self.units.rows_of(column.groups)
        weight = self.units.weight[rows]
        values = weight if column.name == "lines" else self.quantities[column.name][rows] * weight
        sums = np.bincount(numbers[self.units.of_row[rows]], values, minlength=n)
        return sums.astype(np.float64)


def _around(interval: Interval, value: float) -> Interval:
    """Return an interval of the sample around the figure of the whole text."""
    low, high = interval.low, interval.high
    if low is not None and high is not None and interval.value:
        scale = value / interval.value
        low, high = low * scale, high * scale
    n, n_effective, why = interval.n, interval.n_effective, interval.why
    return Interval(value, low, high, n, n_effective, why, interval.one_decides)


def doubt(interval: Interval | None) -> str | None:
    """Return what the note of a figure says where it has no interval, or one that is not to be relied on."""
    if interval is None or interval.why == "zero":
        return None
    if interval.why is not None:
        return f"{NO_INTERVAL}{WHY[interval.why]}"
    return ONE_DECIDES if interval.one_decides else None
