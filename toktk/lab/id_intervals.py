"""Intervals of what depends on single ids: how many are used, and how evenly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.evaluation.base import ChosenPieces, Evaluation
from toktk.evaluation.documents import DocumentPieces
from toktk.lab.intervals import Bounds
from toktk.lab.units import Units
from toktk.metrics.vocabulary import RENYI_ALPHA
from toktk.report.records import ALIKE
from toktk.stats.interval import MIN_EFFECTIVE, Interval, effective_number
from toktk.stats.jackknife import jackknife_spread
from toktk.stats.neighbors import TextOrder, neighbor_factors
from toktk.stats.ratio import ratio_interval

Float64 = npt.NDArray[np.float64]

_BYTES = 1 << 23  # of units whose ids are kept; the error of evenness is scaled to the whole
_LEAST_UNITS = 100  # but so many at least, where documents are large
_BLOCKS = 64  # the bits of a word


@dataclass(frozen=True)
class SpelledUnits:
    """The units of a text whose ids are kept.

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
    def chosen(self) -> ChosenPieces:
        """The pieces of all sampled documents, with the ids of those of these units."""
        return ChosenPieces(self.pieces.rows, (self._blocks != 0).astype(np.uint8))

    @cached_property
    def _blocks(self) -> npt.NDArray[np.uint64]:
        """uint64[S]: the blocks of units that have each piece, a bit for each."""
        from toktk.kernels.piece_ids import mark_blocks

        blocks = np.zeros(self.pieces.is_word.size, dtype=np.uint64)
        of_row = self.units.of_row
        place = self.units.places[of_row] if self.n == self.units.n else of_row
        block_of = np.where(of_row < self.n, place * self._n_blocks // max(self.n, 1), -1)
        mark_blocks(self.pieces.numbers, self.pieces.ends, block_of, blocks)
        return blocks

    @property
    def _is_whole(self) -> bool:
        """Whether these are all units of the text."""
        return self.n == self.units.n == self.units.n_all

    @property
    def _n_blocks(self) -> int:
        return min(self.n, _BLOCKS)

    def intervals(
        self, evaluations: Sequence[tuple[Evaluation, int]], tokens: Int64
    ) -> list[dict[str, Bounds]]:
        """Return the intervals of utilization and Rényi efficiency over the figures, by the metric's name.

        Args:
            evaluations: E evaluations, each with the size that it is asked at.
            tokens: int64[E, D], those of each document.
        """
        from toktk.kernels.piece_ids import read_ids

        largest = max(size for _, size in evaluations)
        of_id, blocks_of = np.empty(largest), np.empty(largest, dtype=np.uint64)
        of_piece = np.empty((len(evaluations), self._blocks.size))
        found: list[dict[str, Bounds]] = []
        totals = []
        for (evaluation, size), own in zip(evaluations, of_piece, strict=True):
            counts, of_pieces = evaluation.token_counts(size), evaluation.of_pieces(size)
            used = np.flatnonzero(counts)
            shares = counts[used] / max(counts.sum(), 1)
            of_id[used] = shares ** (RENYI_ALPHA - 1)
            # No dot product: for long vectors BLAS starts threads, which then wait at full speed.
            totals.append(float((shares * of_id[used]).sum()))
            blocks_of[:size] = 0
            alone = np.zeros(_BLOCKS, dtype=np.int64)
            n_used = read_ids(
                of_pieces.ids, of_pieces.first_of, of_pieces.tokens, of_id, self._blocks, own,
                blocks_of[:size], alone,
            )  # fmt: skip
            used_ids = Interval(n_used, None, None, self.n, 0.0, "part")
            if self._is_whole:
                used_ids = self._utilization(n_used, alone[: self._n_blocks], size)
            found.append({"utilization": Bounds.over(used_ids)})
        rows = np.flatnonzero(self.units.of_row < self.n)
        documents = zip(self.pieces.sums([*of_piece], rows), tokens[:, rows], strict=True)
        for e, ((evaluation, size), sums) in enumerate(zip(evaluations, documents, strict=True)):
            n_ids = evaluation.n_ids(size)
            found[e]["renyi_efficiency"] = self._renyi(totals[e], n_ids, rows, *sums)
        return found

    def _renyi(
        self, total: float, n_ids: int, rows: Int64, of_document: Float64, tokens: Int64
    ) -> Bounds:
        """Return the interval of H_a / log2 V over it, by the delta method.

        With p the shares of the ids and S = sum p^a, dS / S = a d(sum_v q_v p_v^(a-1)) / S in the shares q of
        documents: a times the relative error of a ratio of sums, of p^(a-1) over tokens to tokens.

        Args:
            total: S.
            rows: int64[n], the documents of these units.
            of_document: float64[n], the sum of p^(a-1) over the tokens of each of them.
            tokens: int64[n], of each.
        """
        unit, weight = self.units.of_row[rows], self.units.weight[rows]
        above, below = (
            np.bincount(unit, sums * weight, self.n).astype(np.float64)
            for sums in (of_document, tokens)
        )
        interval = ratio_interval(above, below, n_all=max(self.n, self.units.n_all))
        own = effective_number(below)
        # However many the whole text has: the error is known from these.
        if 0 < own < MIN_EFFECTIVE:
            return Bounds.of(Interval(interval.value, None, None, self.n, own, "few"))
        if interval.low is None or interval.high is None or total >= 1 or n_ids < 2:
            return Bounds.of(replace(interval, low=None, high=None))
        wider = 1.0
        if self._is_whole and self.units.is_of_one_kind(self.pieces.documents.groups):
            spans = np.array([[0, 0, self.n]])
            text = TextOrder.of(self.units.previous)
            wider = float(neighbor_factors(above, below, spans, text)[0])
        value = math.log(total) / (1 - RENYI_ALPHA) / math.log(n_ids)
        reach = wider * RENYI_ALPHA * math.log(interval.high / interval.low) / 2
        reach /= (RENYI_ALPHA - 1) * math.log(n_ids)
        low, high = max(0.0, value - reach), min(1.0, value + reach)
        bounds = Bounds.over(replace(interval, value=value, low=low, high=high))
        if wider > 1 and bounds.note is None:
            return bounds._replace(note=f"{ALIKE}{wider:.1f}")
        return bounds

    def _utilization(self, n_used: int, alone: Int64, size: int) -> Interval:
        """Return the interval of the ids used, by jackknife: without a block, those it alone has go."""
        values = np.append(n_used, n_used - alone).astype(np.float64)
        n_effective, why, spread = jackknife_spread(values, self.n, None, self._n_effective)
        if spread is None or not n_used:
            return Interval(n_used, None, None, self.n, n_effective, why or "zero")
        reach = spread.reach(0.95)
        return Interval(
            n_used,
            max(0.0, n_used - reach),
            min(float(size), n_used + reach),
            self.n,
            n_effective,
            None,
            spread.one_decides,
        )

    @cached_property
    def _n_effective(self) -> float:
        """The effective number of units, by their bytes."""
        sizes = self.pieces.plain["bytes"] * self.units.weight
        return effective_number(np.bincount(self.units.of_row, sizes))
