"""Evaluation: what one encoding of the pieces tells about every vocabulary size."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toktk.errors import CorpusError, MetricError
from toktk.kernels.reduction import BYTES, CHARS, DOCUMENTS, LINES, NONSPACE, UNSPACED, WORDS
from toktk.pieces.table import Int64, PieceTable
from toktk.tokenizer.bpe import BpeModel

_DENSE = 5 << 20  # cells of groups x merges up to which every size is kept


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Counts of tokens in each group of a text, for every size of one merge list.

    The plain totals are int64[G], in the order of `groups`. A word is a maximal run of characters without
    the White_Space property; an unspaced character belongs to a script written without spaces.
    """

    groups: tuple[str, ...]
    documents: Int64
    bytes: Int64
    chars: Int64
    lines: Int64
    words: Int64
    unspaced: Int64
    nonspace: Int64
    pieces: Int64
    word_pieces: Int64
    parallel: npt.NDArray[np.bool_]
    aligned_lines: int | None
    model: BpeModel
    edges: Int64
    """int64[E], ascending: the merge counts at which `tokens` is known."""
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
        """Return int64[G]: tokens of each group's text under a vocabulary of `size` ids.

        Raises:
            MetricError: the size was not kept.
            TrainingError: there is no vocabulary of that size.
        """
        return np.asarray(self.bytes - self._merged[:, self._edge(size)])

    @property
    def sizes(self) -> Int64:
        """int64[E]: the vocabulary sizes that `tokens` and `single_token_words` can be asked for."""
        return np.unique(self.model.size_after[self.edges])

    def single_token_words(self, size: int) -> Int64:
        """Return int64[G]: occurrences of pieces with a letter that are one token."""
        return np.asarray(self._single[:, self._edge(size)])

    def token_counts(self, size: int) -> Int64:
        """Return int64[size]: how often each id occurs, over all groups."""
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


def evaluate(
    table: PieceTable, model: BpeModel, sizes: Sequence[int] = (), *, jobs: int = 1
) -> Evaluation:
    """Encode each distinct piece once under all merges and add up every size.

    Args:
        table: the text to measure on.
        model: the largest vocabulary; smaller ones are cuts of it.
        sizes: where there are very many groups, the sizes to keep besides 256 others.
        jobs: threads.
    """
    edges = _edges(len(table.groups), model, sizes)
    marked = _holds_letter(table)
    sums, late = _encode(table, model, edges, marked, jobs)
    merged, single, single_bytes, applied, byte_counts = sums
    word_pieces = np.zeros(len(table.groups), dtype=np.int64)
    in_word = np.repeat(marked, np.diff(table.rows)).astype(np.bool_)
    np.add.at(word_pieces, table.entry_group[in_word], table.entry_count[in_word])
    parallel, aligned_lines = _alignment(table)
    return Evaluation(
        groups=table.groups,
        documents=table.totals[:, DOCUMENTS],
        bytes=table.totals[:, BYTES],
        chars=table.totals[:, CHARS],
        lines=table.totals[:, LINES],
        words=table.totals[:, WORDS],
        unspaced=table.totals[:, UNSPACED],
        nonspace=table.totals[:, NONSPACE],
        pieces=table.group_pieces,
        word_pieces=word_pieces,
        parallel=parallel,
        aligned_lines=aligned_lines,
        model=model,
        edges=edges,
        _merged=np.cumsum(merged, axis=1),
        _single=np.cumsum(single, axis=1) + single_bytes[:, None],
        _applied=applied,
        _late=late,
        _byte_counts=byte_counts,
    )


def _edges(n_groups: int, model: BpeModel, sizes: Sequence[int]) -> Int64:
    """Return the merge counts to keep: all, unless groups x merges is too much."""
    n = len(model.merges)
    if n_groups * (n + 1) <= _DENSE:
        return np.arange(n + 1)
    wanted = [model.merges_at(size) for size in sizes]
    spread = np.geomspace(1, n, 256).astype(np.int64)
    return np.unique(np.concatenate([[0, n], wanted, spread])).astype(np.int64)


def _holds_letter(table: PieceTable) -> npt.NDArray[np.uint8]:
    """Return uint8[n]: whether each piece holds a letter (Unicode category L)."""
    from toktk.kernels.reduction import mark_pieces
    from toktk.pretokenizers.automaton import compile_pattern

    class_of = compile_pattern(r"\p{L}").class_of
    marked = np.zeros(len(table), dtype=np.uint8)
    is_letter = (class_of == class_of[ord("a")]).astype(np.uint8)
    mark_pieces(table.data, table.offsets, is_letter, marked)
    return marked


def _alignment(table: PieceTable) -> tuple[npt.NDArray[np.bool_], int | None]:
    """Return which groups are sides of one parallel text, and its number of lines.

    Raises:
        CorpusError: groups with alignment ids do not have the same ids.
    """
    lines = table.aligned[:, 0]
    parallel = (lines > 0) & (lines == table.totals[:, DOCUMENTS])
    sides = table.aligned[parallel]
    if not len(sides):
        return parallel, None
    usual = sides[np.argmax([(sides == side).all(axis=1).sum() for side in sides])]
    for g in np.flatnonzero(parallel):
        if (table.aligned[g] != usual).any():
            raise CorpusError(
                f"the text is not parallel: group {table.groups[g]!r} has other alignment ids.",
                f"Found: {lines[g]:,} aligned lines in it, {usual[0]:,} in most groups.",
                "Keep only the lines that every group has, or leave out --align-column.",
            )
    return parallel, int(usual[0])


def _encode(
    table: PieceTable,
    model: BpeModel,
    edges: Int64,
    marked: npt.NDArray[np.uint8],
    jobs: int,
) -> tuple[list[Int64], Int64]:
    """Run the kernel over slices of the pieces, one thread each, and add up."""
    from toktk.kernels.encoding import SHORT, sweep_pieces

    n_groups, n_merges = len(table.groups), len(model.merges)
    bin_of = np.searchsorted(edges, np.arange(n_merges), side="right").astype(np.int32)
    longest = max(SHORT, int(np.diff(table.offsets).max(initial=0)))
    # Slices of equal bytes: pieces differ in length, and the time goes with the bytes.
    goals = np.linspace(0, table.offsets[-1], jobs + 1)[1:-1]
    cuts = [0, *np.searchsorted(table.offsets, goals).tolist(), len(table)]
    model.pair_table, model.byte_ids  # noqa: B018 - made here, not by two threads at once
    results: list[tuple[list[Int64], Int64] | None] = [None] * jobs

    def run(j: int) -> None:
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
                table.data, table.offsets, cuts[j], cuts[j + 1], table.rows, table.entry_group,
                table.entry_count, marked, model.byte_ids, model.pair_table, bin_of, merged, single,
                single_bytes, applied, byte_counts, late, np.empty(8 * longest, dtype=np.int64),
            )  # fmt: skip
            if n_late <= room:
                results[j] = sums, late[:n_late]
                return
            room = n_late

    threads = [threading.Thread(target=run, args=(j,)) for j in range(1, jobs)]
    for thread in threads:
        thread.start()
    run(0)
    for thread in threads:
        thread.join()
    done = [result for result in results if result is not None]
    if len(done) < jobs:
        raise MemoryError("a thread of the evaluation stopped early")
    sums = done[0][0]
    for other, _ in done[1:]:
        for mine, theirs in zip(sums, other, strict=True):
            mine += theirs
    return sums, np.concatenate([late for _, late in done])
