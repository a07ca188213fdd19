"""Intervals of the figures of one text: from what each sampled document adds to the sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.lab.units import Pool, Units
from toktk.metrics.base import Column, Figure, Quotient, Summary
from toktk.report.records import ALIKE, NO_INTERVAL, ONE_DECIDES
from toktk.runtime import in_threads, parts
from toktk.stats.interval import WHY, Interval
from toktk.stats.jackknife import Statistic, blocks_of, jackknife_intervals, number_of_blocks
from toktk.stats.neighbors import TextOrder, neighbor_factors
from toktk.stats.ratio import Reaches, ratio_reaches
from toktk.stats.sampling import even_out

Float64 = npt.NDArray[np.float64]
T = TypeVar("T")

_SHARE = 1 << 17  # values that are worth another thread


class Bounds(NamedTuple):
    """The interval of one figure as its record has it; `note` says why there is none, or what to doubt."""

    low: float | None = None
    high: float | None = None
    n_effective: float | None = None
    note: str | None = None

    @classmethod
    def over(cls, interval: Interval) -> Bounds:
        """Return those of an interval over its figure."""
        return cls.of(interval).times(1 / interval.value if interval.value else 1.0)

    @classmethod
    def of(cls, interval: Interval) -> Bounds:
        """Return those of an interval."""
        note = None
        if interval.why not in (None, "zero"):
            note = f"{NO_INTERVAL}{WHY[interval.why or '']}"
        elif interval.one_decides:
            note = ONE_DECIDES
        return cls(interval.low, interval.high, interval.n_effective or None, note)

    def times(self, factor: float) -> Bounds:
        """Return the interval of a figure that is so many times this one."""
        if self.low is None or self.high is None:
            return self
        return Bounds(self.low * factor, self.high * factor, self.n_effective, self.note)


NO_BOUNDS = Bounds()
Groups = tuple[str, ...] | None


@dataclass(frozen=True)
class IntervalMaker:
    """Makes the intervals of figures of E tokenizers that cut text alike.

    Attributes:
        units: of the sample.
        quantities: int64[E, D] by name, or int64[1, D] where all tokenizers have the same; see
            `toktk.evaluation.documents.DocumentPieces.quantities` and `toktk.lab.recording`.
        of_ids: the intervals of figures about ids over the figure, for each tokenizer, by what begins the
            metric's name.
        of_one: whether the tokenizers are of one training: then how much neighbors are alike is seen under
            the largest alone, the last.
        jobs: threads; they change no interval.
    """

    units: Units
    quantities: Mapping[str, Int64]
    of_ids: Sequence[Mapping[str, Bounds]] = ()
    of_one: bool = True
    jobs: int = 1
    _ratios: dict[tuple[str | Groups, ...], _Ratios] = field(default_factory=dict)
    _groups: dict[str | None, tuple[Int64, Mapping[Groups, int]]] = field(default_factory=dict)
    _weighed: dict[str, Float64] = field(default_factory=dict)
    _summaries: dict[tuple[Statistic, tuple[Column, ...]], list[Bounds]] = field(
        default_factory=dict
    )
    _blocks: dict[str, Float64] = field(default_factory=dict)
    _pooled: dict[Column, Float64] = field(default_factory=dict)

    def bounds(self, figure: Figure, e: int) -> Bounds:
        """Return the interval of a figure of tokenizer `e`; none of what is a plain count or null."""
        value, made_of = figure.value, figure.made_of
        if value is None:
            return NO_BOUNDS
        if isinstance(made_of, Quotient):
            if not made_of.complement:
                return self._of_quotient(made_of, e).times(value)
            own = self._of_quotient(made_of, e).times(1 - value)
            if own.low is None or own.high is None:
                return own
            return own._replace(low=1 - own.high, high=1 - own.low)
        if made_of is not None:
            made = self._of_summary(made_of)
            return made[min(e, len(made) - 1)].times(value)
        of_ids = self.of_ids[e] if self.of_ids else {}
        return of_ids.get(figure.metric.partition("[")[0], NO_BOUNDS).times(value)

    def prepare(self, figures: Iterable[Figure]) -> None:
        """Work out the intervals of all ratios of sums that figures are, several at a time.

        Each is over all groups, and has parts of one core: a thread each leaves none idle.
        """
        ratios: dict[tuple[str | Groups, ...], Quotient] = {}
        for figure in figures:
            if isinstance(made_of := figure.made_of, Quotient) and figure.value is not None:
                ratios.setdefault(_key_of(made_of), made_of)
        in_threads(self._of_quotient, [(made_of, 0) for made_of in ratios.values()], self.jobs)

    # Ratios of sums: relative to the figure --------------------------------------------------------

    def _of_quotient(self, made_of: Quotient, e: int) -> Bounds:
        numerator, denominator, _, of_sample = made_of
        above, below = numerator.groups, denominator.groups
        key = _key_of(made_of)
        if len(key) == 3:
            if key not in self._ratios:
                reference = below[0] if below and below != above else None
                self._ratios[key] = self._of_each_group(
                    numerator.name, denominator.name, reference, of_sample
                )
            if (bounds := self._ratios[key].of(above, e)) is not None:
                return bounds
            key = numerator.name, denominator.name, above, below
        if key not in self._ratios:
            self._ratios[key] = self._of_pool(numerator, denominator, of_sample)
        return self._ratios[key].of(above, e) or NO_BOUNDS

    def _of_each_group(
        self, numerator: str, denominator: str, reference: str | None, of_sample: bool
    ) -> _Ratios:
        """Return the intervals of a ratio in each group whose rows are units.

        Below is the denominator of the reference, or of the group itself.
        """
        units, documents = self.units, self.units.documents
        groups, number_of = self._alike(reference)
        first, n = units.bounds[groups], np.diff(units.bounds)[groups]
        below = first
        if reference is not None:
            below = np.full_like(first, units.bounds[units.number_of[reference]])
        sums = self._weighted(numerator), self._weighted(denominator)
        # The weight of a group's rows is in both sums.
        n_all = n if of_sample else n << documents.levels[groups]
        spans, text = np.stack([first, below, n], axis=1), units.text

        def of_some(begin: int, end: int) -> tuple[Reaches, Float64]:
            own = spans[begin:end]
            reaches = ratio_reaches(*sums, own, n_all=n_all[begin:end])
            return reaches, self._wider(*sums, own, text)

        reaches, wider = zip(*self._in_threads(of_some, len(spans), sums[0].size), strict=True)
        whole = (np.concatenate(columns, axis=1) for columns in zip(*reaches, strict=True))
        return _Ratios(number_of, Reaches(*whole), np.concatenate(wider, axis=1))

    def _in_threads(self, run: Callable[[int, int], T], n: int, n_values: int) -> list[T]:
        """Return what `run` returns for parts of 0..n - 1; few values are not worth a thread."""
        jobs = max(1, min(self.jobs, n, n_values // _SHARE))
        return in_threads(run, parts(n, jobs))

    def _alike(self, reference: str | None) -> tuple[Int64, Mapping[Groups, int]]:
        """Return the groups of `Units.alike`, and which of them each is."""
        if reference not in self._groups:
            groups, names = self.units.alike(reference), self.units.documents.groups
            self._groups[reference] = (
                groups,
                {(names[g],): i for i, g in enumerate(groups.tolist())},
            )
        return self._groups[reference]

    def _of_pool(self, numerator: Column, denominator: Column, of_sample: bool) -> _Ratios:
        """Return the intervals of a ratio over the groups of its columns."""
        units, names = self.units, self.units.documents.groups
        both = {*(numerator.groups or names), *(denominator.groups or names)}
        pool = units.whole_pool if len(both) == len(names) else units.pool(tuple(sorted(both)))
        n = n_all = pool.n
        wider = np.ones((1, 1))
        above, below = (self._sums(column, pool) for column in (numerator, denominator))
        if units.n_all > units.n and not of_sample:
            repeats, n_all = even_out(pool.scale)
            above, below = (np.repeat(side / repeats, repeats, axis=1) for side in (above, below))
            n = int(repeats.sum())
        elif units.is_of_one_kind(both):
            wider = self._wider(above, below, np.array([[0, 0, n]]), units.order_in(pool))
        span, of_span = np.array([[0, 0, n]]), np.array([n_all])

        def of_some(begin: int, end: int) -> Reaches:
            own_above, own_below = (
                side if len(side) == 1 else side[begin:end] for side in (above, below)
            )
            return ratio_reaches(own_above, own_below, span, n_all=of_span)

        reaches = self._in_threads(of_some, max(len(above), len(below)), above.size + below.size)
        whole = map(np.concatenate, zip(*reaches, strict=True))
        return _Ratios({numerator.groups: 0}, Reaches(*whole), wider)

    def _wider(self, above: Float64, below: Float64, spans: Int64, order: TextOrder) -> Float64:
        """Return float64[E or 1, G]: the factors of `neighbor_factors`."""
        first = max(len(above), len(below)) - 1 if self.of_one else 0
        pairs = [
            (above[min(e, len(above) - 1)], below[min(e, len(below) - 1)])
            for e in range(first, max(len(above), len(below)))
        ]
        return np.stack([neighbor_factors(*pair, spans, order) for pair in pairs])

    def _weighted(self, name: str) -> Float64:
        """Return float64[E or 1, D]: a quantity of all copies of each row."""
        if name not in self._weighed:
            weight = self.units.weight
            of_copy = np.ones((1, 1)) if name == "lines" else self.quantities[name]
            weighted = np.empty((len(of_copy), weight.size))

            def weigh(begin: int, end: int) -> None:
                np.multiply(of_copy[begin:end], weight, out=weighted[begin:end])

            self._in_threads(weigh, len(of_copy), weighted.size)
            self._weighed[name] = weighted
        return self._weighed[name]

    def _sums(self, column: Column, pool: Pool) -> Float64:
        """Return float64[E or 1, n]: a column summed over each of the pool's units."""
        if pool is not self.units.whole_pool:
            return self._summed(column, pool)
        if column not in self._pooled:  # several ratios are of the same
            self._pooled[column] = self._summed(column, pool)
        return self._pooled[column]

    def _summed(self, column: Column, pool: Pool) -> Float64:
        rows = self.units.rows_of(column.groups)
        at, values = self.units.of_row[rows], self._weighted(column.name)[:, rows]
        if pool.n < self.units.n:
            at = pool.numbers[at]
        return np.array([np.bincount(at, own, minlength=pool.n) for own in values], np.float64)

    # Figures that are no ratio of sums -------------------------------------------------------------

    def _of_summary(self, made_of: Summary) -> list[Bounds]:
        """Return the intervals of a summary, over the figure, by tokenizer."""
        key = made_of.statistic, made_of.columns
        if key not in self._summaries:
            columns = [self._of_column(column) for column in made_of.columns]
            sums = np.empty((max(map(len, columns)), columns[0].shape[1], len(columns)))
            for k, column in enumerate(columns):
                sums[:, :, k] = column
            # What the most finely sampled group stands for: of thinly sampled groups that says too little.
            levels = self.units.documents.levels
            n_all = self.units.n << int(levels.min()) if levels.size else self.units.n
            intervals = jackknife_intervals(made_of.statistic, sums, sizes=self._sizes, n_all=n_all)
            self._summaries[key] = [*map(Bounds.over, intervals)]
        return self._summaries[key]

    @cached_property
    def _sizes(self) -> Float64:
        """float64[U]: the bytes of each unit."""
        units = self.units
        sums = np.bincount(units.of_row, self._weighted("bytes")[0], minlength=units.n)
        return sums.astype(np.float64)

    def _of_column(self, column: Column) -> Float64:
        """Return float64[E or 1, B]: a column summed over the blocks of the jackknife."""
        units, groups = self.units, self.units.documents.groups
        if column.name not in self._blocks:
            n_blocks = number_of_blocks(units.n)
            block = blocks_of(units.n)[units.places[units.of_row]]
            at = block * len(groups) + units.documents.group
            cells = n_blocks * len(groups)
            values = self._weighted(column.name)
            made = np.array([np.bincount(at, own, minlength=cells) for own in values])
            self._blocks[column.name] = made.reshape(len(values), n_blocks, len(groups))
        sums = self._blocks[column.name]
        chosen = [units.number_of[group] for group in column.groups or groups]
        return np.asarray(sums[:, :, chosen].sum(axis=2) if chosen[1:] else sums[:, :, chosen[0]])


def _key_of(made_of: Quotient) -> tuple[str | Groups, ...]:
    """Return what tells ratios apart: three parts of one in each group, four of one in a pool of groups."""
    (above, groups), (below, reference) = made_of.numerator, made_of.denominator
    if len(groups or ()) == len(reference or ()) == 1:
        return above, below, None if reference == groups else reference
    return above, below, groups, reference


@dataclass(frozen=True)
class _Ratios:
    """The intervals of G ratios under E tokenizers, over the ratio: numbers, for there may be 50,000 groups.

    Attributes:
        number_of: which of the G ratios is that of each group, or of each pool of groups.
        reaches: float64[E, G] and bool[E, G]; those of one tokenizer serve all.
        wider: float64[E or 1, G], see `neighbor_factors`.
    """

    number_of: Mapping[Groups, int]
    reaches: Reaches
    wider: Float64

    @cached_property
    def _ends(self) -> tuple[Float64, Float64]:
        reach = self.reaches.reach * self.wider
        return np.exp(-reach), np.exp(reach)

    def of(self, groups: Groups, e: int) -> Bounds | None:
        """Return the interval of a ratio under tokenizer `e`; None where the ratio is not here."""
        g = self.number_of.get(groups)
        if g is None:
            return None
        _, n_effective, is_zero, one_decides = self.reaches
        at = min(e, len(is_zero) - 1), g
        if is_zero[at]:
            return NO_BOUNDS
        low, high = (end.item(at) for end in self._ends)
        if math.isnan(low):
            return Bounds(None, None, n_effective.item(at), f"{NO_INTERVAL}{WHY['few']}")
        wider = self.wider.item(min(e, len(self.wider) - 1), g)
        alike = f"{ALIKE}{wider:.1f}" if wider > 1 else None
        return Bounds(low, high, n_effective.item(at), ONE_DECIDES if one_decides[at] else alike)
