"""Evaluation: what one encoding of the pieces tells, for ranked merges about every size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError
from toktk.evaluation.totals import Totals, totals_of
from toktk.models.bpe import BpeModel
from toktk.models.model import Ids, Model
from toktk.pieces.table import Int64, PieceTable
from toktk.runtime import in_threads

_SLICE = 1 << 23  # bytes of pieces that a thread encodes at a time
_DENSE = 5 << 20  # cells of groups x merges up to which every size is kept


class Evaluation(Totals, ABC):
    """Counts of tokens in each group of a text, at one or more vocabulary sizes."""

    @property
    @abstractmethod
    def sizes(self) -> Int64:
        """int64[E]: the vocabulary sizes that `tokens` and `single_token_words` can be asked for."""

    @abstractmethod
    def tokens(self, size: int) -> Int64:
        """Return int64[G]: tokens of each group's text under a vocabulary of `size` ids.

        Raises:
            MetricError: the size was not kept.
            TrainingError: there is no vocabulary of that size.
        """

    @abstractmethod
    def single_token_words(self, size: int) -> Int64:
        """Return int64[G]: occurrences of pieces with a letter that are one token."""

    @abstractmethod
    def token_counts(self, size: int) -> Int64:
        """Return int64[size]: how often each id occurs, over all groups."""

    def n_ids(self, size: int) -> int:
        """Return how many ids have a token, special tokens among them: `size` less the holes."""
        return size

    def unknown(self, size: int) -> Int64 | None:
        """Return int64[G]: tokens that stand for text the vocabulary lacks; None: it lacks none."""
        return None


@dataclass(frozen=True, eq=False)
class MergeEvaluation(Evaluation):
    """The counts for every size of one merge list, from one encoding."""

    model: BpeModel
    edges: Int64
    """int64[E], ascending: the merge counts at which `tokens` is known."""
    _unmerged: Int64
    """int64[G]: bytes of the pieces, which a normalizer may have made more or fewer than the text's."""
    _merged: Int64
    """int64[G, E]: merges applied once the first ``edges[e]`` are known, cumulative."""
    _single: Int64
    """int64[G, E]: word pieces that are one token then, cumulative."""
    _applied: Int64
    """int64[merges]: how often each merge is applied as soon as it exists."""
    _late: Int64
    """int64[:, 3]: (m, rank, count) of merges applied only once merge m > rank exists."""
    _byte_counts: Int64

    def _edge(self, size: int) -> int:
        n = self.model.merges_at(size)
        e = int(np.searchsorted(self.edges, n))
        if e == self.edges.size or self.edges[e] != n:
            raise MetricError(
                f"{size:,} tokens were not evaluated.",
                f"Found: {self.edges.size} sizes; with many groups only the sizes asked for are kept.",
            )
        return e

    def tokens(self, size: int) -> Int64:
        """See `Evaluation`."""
        return np.asarray(self._unmerged - self._merged[:, self._edge(size)])

    @property
    def sizes(self) -> Int64:
        """See `Evaluation`."""
        return np.unique(self.model.size_after[self.edges])

    def single_token_words(self, size: int) -> Int64:
        """See `Evaluation`."""
        return np.asarray(self._single[:, self._edge(size)])

    def token_counts(self, size: int) -> Int64:
        """See `Evaluation`."""
        n = self.model.merges_at(size)
        applied = self._applied[:n].copy()
        late = self._late[self._late[:, 0] < n]
        np.add.at(applied, late[:, 1], late[:, 2])
        counts = np.zeros(size, dtype=np.int64)
        counts[self.model.byte_ids] = self._byte_counts
        left, right, new = self.model.merges[:n].T
        np.add.at(counts, new, applied)
        np.subtract.at(counts, left, applied)
        np.subtract.at(counts, right, applied)
        return counts


@dataclass(frozen=True, eq=False)
class PlainEvaluation(Evaluation):
    """The counts for one model, whatever it does."""

    model: Model
    _tokens: Int64
    """int64[G]"""
    _single: Int64
    """int64[G]"""
    _counts: Int64
    """int64[ids]"""
    _unknown: Int64 | None = None
    """int64[G]"""

    def _check(self, size: int) -> None:
        if size != self.model.vocab_size:
            raise MetricError(
                f"{size:,} tokens were not evaluated.",
                f"Found: one vocabulary of {self.model.vocab_size:,} tokens.",
            )

    @property
    def sizes(self) -> Int64:
        """See `Evaluation`."""
        return np.array([self.model.vocab_size], dtype=np.int64)

    def tokens(self, size: int) -> Int64:
        """See `Evaluation`."""
        self._check(size)
        return self._tokens

    def single_token_words(self, size: int) -> Int64:
        """See `Evaluation`."""
        self._check(size)
        return self._single

    def token_counts(self, size: int) -> Int64:
        """See `Evaluation`."""
        self._check(size)
        return self._counts

    def n_ids(self, size: int) -> int:
        """See `Evaluation`."""
        self._check(size)
        return sum(map(bool, self.model.tokens))

    def unknown(self, size: int) -> Int64 | None:
        """See `Evaluation`."""
        self._check(size)
        return self._unknown


def evaluate(
    table: PieceTable, model: Model, sizes: Sequence[int] = (), *, jobs: int = 1
) -> Evaluation:
    """Encode each distinct piece once and add up: at every size if `model` is ranked merges.

    Args:
        table: the text to measure on.
        model: the largest vocabulary; smaller ones are cuts of it, where there are any.
        sizes: where there are very many groups, the sizes to keep besides 256 others.
        jobs: threads.

    Raises:
        CorpusError: groups with alignment ids do not have the same ids.
    """
    if isinstance(model, BpeModel):
        return evaluate_merges(table, model, sizes, jobs=jobs)
    return evaluate_plainly(table, model, jobs=jobs)


def evaluate_merges(
    table: PieceTable, model: BpeModel, sizes: Sequence[int] = (), *, jobs: int = 1
) -> MergeEvaluation:
    """Do as `evaluate` does with ranked merges: one encoding under all of them serves every size."""
    edges = _edges(len(table.groups), model, sizes)
    totals, marked = totals_of(table)
    sums, late = _encode(table, model, edges, marked, jobs)
    merged, single, single_bytes, applied, byte_counts = sums
    return MergeEvaluation(
        **vars(totals),
        model=model,
        edges=edges,
        _unmerged=_by_group(table, np.diff(table.offsets)),
        _merged=np.cumsum(merged, axis=1),
        _single=np.cumsum(single, axis=1) + single_bytes[:, None],
        _applied=applied,
        _late=late,
        _byte_counts=byte_counts,
    )


def evaluate_plainly(
    table: PieceTable,
    model: Model,
    *,
    jobs: int = 1,
    known: tuple[Totals, npt.NDArray[np.uint8]] | None = None,
    progress: Callable[[int], None] = lambda pieces: None,
) -> PlainEvaluation:
    """Do as `evaluate` does with any model: what it makes of each piece is counted.

    Args:
        table: the text to measure on.
        model: any.
        jobs: threads.
        known: `totals_of` the table, where several models are measured on it.
        progress: called with pieces encoded since the last call.
    """
    totals, marked = known or totals_of(table)
    lengths, unknown = np.zeros((2, len(table)), dtype=np.int64)
    counts = np.zeros(model.vocab_size, dtype=np.int64)
    cuts = slices(table, max(jobs, int(table.offsets[-1]) // _SLICE))
    lost: int | None = getattr(model, "unknown_id", None)

    def run(first: int, last: int) -> tuple[Ids, Int64]:
        begin, end = table.offsets[first], table.offsets[last]
        return model.encode_pieces(table.data[begin:end], table.offsets[first : last + 1] - begin)

    with ThreadPoolExecutor(jobs) as pool:
        for first, (ids, ends) in zip(cuts, pool.map(run, cuts, cuts[1:]), strict=False):
            per_piece = np.diff(ends, prepend=0)
            last = first + per_piece.size
            lengths[first:last] = per_piece
            np.add.at(counts, ids, np.repeat(table.counts[first:last], per_piece))
            if lost is not None:
                np.add.at(
                    unknown[first:last],
                    np.searchsorted(ends, np.flatnonzero(ids == lost), "right"),
                    1,
                )
            progress(per_piece.size)
    return PlainEvaluation(
        **vars(totals),
        model=model,
        _tokens=_by_group(table, lengths),
        _single=_by_group(table, ((lengths == 1) & (marked != 0)).astype(np.int64)),
        _counts=counts,
        _unknown=None if lost is None else _by_group(table, unknown),
    )


def _by_group(table: PieceTable, per_piece: Int64) -> Int64:
    """Return int64[G]: the sum over the occurrences of pieces in each group."""
    sums = np.zeros(len(table.groups), dtype=np.int64)
    np.add.at(
        sums, table.entry_group, table.entry_count * np.repeat(per_piece, np.diff(table.rows))
    )
    return sums


def slices(table: PieceTable, n: int) -> list[int]:
    """Return where n slices of equal bytes begin and end: the time goes with the bytes."""
    goals = np.linspace(0, table.offsets[-1], n + 1)[1:-1]
    return [0, *np.searchsorted(table.offsets, goals).tolist(), len(table)]


def _edges(n_groups: int, model: BpeModel, sizes: Sequence[int]) -> Int64:
    """Return the merge counts to keep: all, unless groups x merges is too much."""
    n = len(model.merges)
    if n_groups * (n + 1) <= _DENSE:
        return np.arange(n + 1)
    wanted = [model.merges_at(size) for size in sizes]
    spread = np.geomspace(1, n, 256).astype(np.int64)
    return np.unique(np.concatenate([[0, n], wanted, spread])).astype(np.int64)


def _encode(
    table: PieceTable,
    model: BpeModel,
    edges: Int64,
    marked: npt.NDArray[np.uint8],
    jobs: int,
) -> tuple[list[Int64], Int64]:
    """Run the kernel over slices of the pieces, one thread each, and add up."""
    from toktk.kernels.bpe_encode import SHORT, sweep_pieces

    n_groups, n_merges = len(table.groups), len(model.merges)
    bin_of = np.searchsorted(edges, np.arange(n_merges), side="right").astype(np.int32)
    longest = max(SHORT, int(np.diff(table.offsets).max(initial=0)))
    cuts = slices(table, jobs)
    model.pair_table, model.byte_ids  # noqa: B018 - made here, not by two threads at once

    def run(first: int, last: int) -> tuple[list[Int64], Int64]:
        room = 1 << 16
        while True:
            sums = [
                np.zeros((n_groups, edges.size), dtype=np.int64),
                np.zeros((n_groups, edges.size), dtype=np.int64),
                np.zeros(n_groups, dtype=np.int64),
                np.zeros(n_merges, dtype=np.int64),
                np.zeros(256, dtype=np.int64),
            ]
            merged, single, single_bytes, applied, byte_counts = sums
            late = np.empty((room, 3), dtype=np.int64)
            n_late = sweep_pieces(
                table.data, table.offsets, first, last, table.rows, table.entry_group,
                table.entry_count, marked, model.byte_ids, model.pair_table, bin_of, merged, single,
                single_bytes, applied, byte_counts, late, np.empty(8 * longest, dtype=np.int64),
            )  # fmt: skip
            if n_late <= room:
                return sums, late[:n_late]
            room = n_late

    done = in_threads(run, list(pairwise(cuts)))
    sums = done[0][0]
    for other, _ in done[1:]:
        for mine, theirs in zip(sums, other, strict=True):
            mine += theirs
    return sums, np.concatenate([late for _, late in done])
