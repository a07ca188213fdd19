"""Evaluation of ranked merges: one encoding of the pieces serves every vocabulary size.

The slow twin is `toktk.educational.tokens_at_every_size`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from toktk.arrays import Ids, Int64, read_only
from toktk.errors import MetricError
from toktk.evaluation.base import (
    ChosenPieces,
    Evaluation,
    Flags,
    Int32,
    PieceCounts,
    Totals,
    slices_of,
    strides,
    sum_by_group,
)
from toktk.models.bpe import BpeModel
from toktk.pieces.table import PieceTable
from toktk.runtime import in_threads

_STRIDE = 1 << 18  # bytes of pieces that a kernel encodes between two reports
_DENSE = 5 << 20  # cells of groups x merges up to which every size is kept
_POINTS, _CELLS = 256, 1 << 20  # sizes that are kept of more: as many as fit into so many cells


@dataclass(frozen=True, eq=False)
class _MergeEvaluation(Evaluation):
    """The counts for every size of one merge list, from one encoding.

    With r1, r2, … the ranks of the merges that are applied to a piece, and m_i = max(r1..r_i), the first k
    merges leave ``bytes - #{i : m_i < k}`` tokens. So a weighted histogram of the m_i gives all sizes.
    """

    model: BpeModel
    edges: Int64
    """int64[E], ascending: the merge counts at which `tokens` is known."""
    unmerged: Int64
    """int64[G]: bytes of the pieces, which a normalizer may have made more or fewer than the text's."""
    merged: Int64
    """int64[E, G]: merges applied once the first ``edges[e]`` are known, cumulative."""
    single: Int64
    """int64[E, G]: word pieces that are one token then, cumulative."""
    applied: Int64
    """int64[merges]: how often each merge is applied as soon as it exists."""
    late: Int64
    """int64[:, 3]: (m, rank, count) of merges applied only once merge m > rank exists."""
    byte_counts: Int64
    """int64[256]: how often each byte occurs."""
    asked: Int64
    """int64[A], ascending: the merge counts at which `of_pieces` is known."""
    chosen_tokens: Int32
    """int32[S, A]: tokens of each chosen piece."""
    chosen_ids: Ids
    """uint32: their ids at all these sizes; see `PieceCounts`."""
    first_of: Int64
    """int64[A, S]"""
    _token_counts: dict[int, Int64] = field(default_factory=dict)

    def _edge(self, size: int) -> int:
        n = self.model.merges_at(size)
        e = int(np.searchsorted(self.edges, n))
        if e == self.edges.size or self.edges[e] != n:
            raise MetricError(
                f"{size:,} tokens were not evaluated.",
                f"Found: {self.edges.size} sizes; with many groups only the sizes asked for are kept.",
            )
        return e

    @property
    def sizes(self) -> Int64:
        sizes = self.model.size_after[self.edges]  # they never descend
        return np.asarray(sizes[np.diff(sizes, prepend=-1) > 0])

    def tokens(self, size: int) -> Int64:
        return np.asarray(self.unmerged - self.merged[self._edge(size)])

    def single_token_words(self, size: int) -> Int64:
        return np.asarray(self.single[self._edge(size)])

    def of_pieces(self, size: int) -> PieceCounts:
        found = np.flatnonzero(self.asked == self.model.merges_at(size))
        if not found.size:
            raise MetricError(f"no pieces were counted by themselves at {size:,} tokens.")
        return PieceCounts(
            self.chosen_tokens[:, found[0]], self.chosen_ids, self.first_of[found[0]]
        )

    def token_counts(self, size: int) -> Int64:
        if size not in self._token_counts:  # several metrics ask
            self._token_counts[size] = self._counted_at(size)
        return self._token_counts[size]

    def _counted_at(self, size: int) -> Int64:
        # Any size of the merge list may be asked for.
        n = self.model.merges_at(size)
        applied = self.applied[:n].copy()
        late = self.late[self.late[:, 0] < n]
        np.add.at(applied, late[:, 1], late[:, 2])
        counts = np.zeros(size, dtype=np.int64)
        counts[self.model.byte_ids] = self.byte_counts
        left, right, new = self.model.merges[:n].T
        np.add.at(counts, new, applied)
        np.subtract.at(counts, left, applied)
        np.subtract.at(counts, right, applied)
        return read_only(counts, np.int64)


def evaluate_merges(
    table: PieceTable,
    model: BpeModel,
    sizes: Sequence[int],
    is_word: Flags,
    jobs: int,
    totals: Totals,
    chosen: ChosenPieces,
    progress: Callable[[int], None],
) -> Evaluation:
    """Encode each piece under all merges of `model`, slices of the pieces side by side.

    `progress` is called with pieces encoded since the last call, by any thread.
    """
    from toktk.kernels.bpe_encode import SHORT, sweep_pieces

    n_groups, n_merges = len(table.groups), len(model.merges)
    edges = np.arange(n_merges + 1)
    if n_groups * (n_merges + 1) > _DENSE:  # too much to keep every size
        wanted = [model.merges_at(size) for size in sizes]
        most = max(min(_POINTS, _CELLS // n_groups), 2)
        spread = np.geomspace(1, n_merges, most).astype(np.int64)
        edges = np.unique(np.concatenate([[0, n_merges], wanted, spread])).astype(np.int64)
    bin_of = np.searchsorted(edges, np.arange(n_merges), side="right").astype(np.int32)
    asked = np.unique([model.merges_at(size) for size in sizes]).astype(np.int64)
    asked_bin = np.searchsorted(asked, np.arange(n_merges), side="right").astype(np.int32)
    merges_of = np.zeros((chosen.spelled.size, asked.size), dtype=np.int32)
    rooms = asked.size * chosen.rooms(table)
    ids = np.empty(int(rooms[-1]), dtype=np.uint32)
    first_of = np.full((asked.size, chosen.spelled.size), -1, dtype=np.int64)
    new_of = np.ascontiguousarray(model.merges[:, 2])
    longest = max(SHORT, int(np.diff(table.offsets).max(initial=0)))
    byte_ids, pair_table = model.byte_ids, model.pair_table  # made here, not by two threads at once

    def run(first: int, last: int) -> tuple[list[Int64], Int64]:
        shapes = (edges.size, n_groups), (edges.size, n_groups), n_groups, n_merges, 256
        sums = [np.zeros(shape, dtype=np.int64) for shape in shapes]
        scratch = np.empty(8 * longest, dtype=np.int64)
        steps = [*strides(table, first, last, _STRIDE)]
        # A piece of n bytes has fewer merges than bytes.
        most = max(
            (int(table.offsets[end] - table.offsets[begin]) for begin, end in steps), default=0
        )
        late = np.empty((most, 3), dtype=np.int64)
        late_ones = [late[:0]]
        for begin, end in steps:
            n_late = sweep_pieces(
                table.data, table.offsets, begin, end, table.rows, table.entry_group,
                table.entry_count, is_word, byte_ids, pair_table, bin_of, *sums, late,
                chosen.rows, asked_bin, merges_of, chosen.spelled, new_of, first_of, ids, rooms[begin],
                scratch,
            )  # fmt: skip
            late_ones.append(late[:n_late].copy())
            progress(end - begin)
        return sums, np.concatenate(late_ones)

    parts = in_threads(run, slices_of(table, jobs))
    sums = parts[0][0]
    for others, _ in parts[1:]:
        for total, other in zip(sums, others, strict=True):
            total += other
    merged, single, single_bytes, applied, byte_counts = sums
    np.cumsum(single, axis=0, out=single)
    single += single_bytes
    n_bytes = chosen.by_row(np.diff(table.offsets))
    chosen_tokens = n_bytes[:, None] - np.cumsum(merges_of, axis=1, dtype=np.int32)
    return _MergeEvaluation(
        **vars(totals),
        model=model,
        edges=edges,
        unmerged=sum_by_group(table, np.diff(table.offsets)),
        merged=np.cumsum(merged, axis=0, out=merged),
        single=single,
        applied=applied,
        late=np.concatenate([late for _, late in parts]),
        byte_counts=byte_counts,
        asked=asked,
        chosen_tokens=chosen_tokens,
        chosen_ids=ids,
        first_of=first_of,
    )
