"""Intervals of what depends on single ids: how many are used, and how evenly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.evaluation.base import Evaluation
from toktk.evaluation.documents import DocumentPieces
from toktk.lab.intervals import Units
from toktk.metrics.vocabulary import RENYI_ALPHA
from toktk.models.model import Model
from toktk.pieces.table import gather
from toktk.stats.interval import MIN_EFFECTIVE, Interval, effective_number
from toktk.stats.jackknife import jackknife_spread
from toktk.stats.ratio import ratio_interval

Float64 = npt.NDArray[np.float64]

_BYTES = 1 << 17  # of units that are spelled out; the error is scaled to the whole
_LEAST_UNITS = 100  # but so many at least, where documents are large
_BLOCKS = 100


@dataclass(frozen=True)
class SpelledUnits:
    """Some units of a text, whose pieces each tokenizer spells out in ids.

    Attributes:
        pieces: all sampled documents as pieces.
        units: of them.
        n: how many units these are: the first, in the order of their hashes.
    """

    pieces: DocumentPieces
    units: Units
    n: int

    @classmethod
    def of(cls, pieces: DocumentPieces, units: Units) -> SpelledUnits:
        """Return as many units as `_BYTES` hold, and at least `_LEAST_UNITS` where there are as many."""
        sizes = np.bincount(units.of_row, pieces.plain["bytes"], minlength=units.n)
        n = int(np.searchsorted(np.cumsum(sizes), _BYTES, side="right"))
        return cls(pieces, units, max(n, min(units.n, _LEAST_UNITS)))

    @cached_property
    def _occurrences(self) -> tuple[Int64, Int64, Float64]:
        """Unit and number of each piece in these units, int64; the weight of its document, float64."""
        lengths = np.diff(self.pieces.ends)
        chosen = self.units.of_row < self.n
        is_chosen = np.repeat(chosen, lengths)
        numbers = self.pieces.numbers[is_chosen].astype(np.int64)
        unit = np.repeat(self.units.of_row[chosen], lengths[chosen])
        return unit, numbers, np.repeat(self.units.weight[chosen], lengths[chosen])

    @cached_property
    def _different(self) -> tuple[Int64, Int64]:
        """The numbers of the different pieces, ascending, and for each occurrence its place there."""
        present, place = np.unique(self._occurrences[1], return_inverse=True)
        return present, place

    @property
    def _n_all(self) -> int:
        return max(self.n, self.units.n_all)

    def intervals(self, model: Model, evaluation: Evaluation, size: int) -> dict[str, Interval]:
        """Return the intervals of utilization and Rényi efficiency around 1, by the metric's name."""
        present, place = self._different
        ids, ends = model.encode_pieces(*gather(self.pieces.data, self.pieces.offsets, present))
        lengths = np.diff(ends, prepend=0)
        counts = evaluation.token_counts(size).astype(np.float64)
        found = {
            "renyi_efficiency": self._renyi(ids, lengths, place, counts, evaluation.n_ids(size))
        }
        if self.n == self.units.n == self.units.n_all:
            found["utilization"] = self._utilization(ids, lengths, place, counts.size)
        return found

    def _renyi(
        self, ids: npt.NDArray[np.uint32], lengths: Int64, place: Int64, counts: Float64, n_ids: int
    ) -> Interval:
        """Return the interval of H_a / log2 V, by the delta method.

        With p the shares of the ids and S = sum p^a, dS / S = a d(sum_v q_v p_v^(a-1)) / S in the shares q of
        documents: a times the relative error of a ratio of sums, of p^(a-1) over tokens to tokens.
        """
        unit, _, weight = self._occurrences
        shares = counts / max(counts.sum(), 1.0)
        of_id = shares ** (RENYI_ALPHA - 1)
        owner = np.repeat(np.arange(lengths.size), lengths)
        of_piece = np.bincount(owner, of_id[ids], minlength=lengths.size)
        above = np.bincount(unit, of_piece[place] * weight, minlength=self.n)
        below = np.bincount(unit, lengths[place] * weight, minlength=self.n)
        interval = ratio_interval(above, below, n_all=self._n_all)
        own = effective_number(below)
        if (
            0 < own < MIN_EFFECTIVE
        ):  # however many the whole text has: the error is known from these
            return Interval(interval.value, None, None, self.n, own, "few")
        total = float((shares**RENYI_ALPHA).sum())
        if interval.low is None or interval.high is None or total >= 1 or n_ids < 2:
            return replace(interval, low=None, high=None)
        value = math.log(total) / (1 - RENYI_ALPHA) / math.log(n_ids)
        reach = RENYI_ALPHA * math.log(interval.high / interval.low) / 2
        reach /= (RENYI_ALPHA - 1) * math.log(n_ids)
        return replace(
            interval, value=value, low=max(0.0, value - reach), high=min(1.0, value + reach)
        )

    def _utilization(
        self, ids: npt.NDArray[np.uint32], lengths: Int64, place: Int64, n_counts: int
    ) -> Interval:
        """Return the interval of the ids used, by jackknife: without a block, those it alone has go."""
        unit, _, weight = self._occurrences
        blocks = min(self.n, _BLOCKS)
        of_block = unit * blocks // max(self.n, 1)
        pairs = np.unique(of_block * np.int64(lengths.size) + place)
        block, piece = np.divmod(pairs, lengths.size) if lengths.size else (pairs, pairs)
        first = np.cumsum(lengths) - lengths
        at = np.arange(int(lengths[piece].sum())) - np.repeat(
            np.cumsum(lengths[piece]) - lengths[piece], lengths[piece]
        )
        spelled = ids[np.repeat(first[piece], lengths[piece]) + at].astype(np.int64)
        pairs = np.unique(spelled * blocks + np.repeat(block, lengths[piece]))
        used, in_block = np.divmod(pairs, max(blocks, 1))
        times = np.bincount(used, minlength=n_counts)
        alone = np.bincount(in_block[times[used] == 1], minlength=blocks)
        n_used = int(np.count_nonzero(times))
        values = np.concatenate([[n_used], n_used - alone]).astype(np.float64)
        sizes = np.bincount(unit, weight, minlength=self.n).astype(np.float64)
        n_effective, why, spread = jackknife_spread(values, blocks, sizes, None)
        if spread is None or not n_used:
            return Interval(n_used, None, None, self.n, effective_number(sizes), why or "zero")
        reach = spread.reach(0.95)
        return Interval(
            n_used,
            max(0.0, n_used - reach),
            min(float(n_counts), n_used + reach),
            self.n,
            n_effective,
            None,
            spread.one_decides,
        )
