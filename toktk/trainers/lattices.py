"""The lattices of all pieces, and one slice of them for each thread."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toktk.kernels import unigram_train as k
from toktk.runtime import in_threads
from toktk.trainers.seeding import Characters, Int32, Int64, Seeds

Float64 = npt.NDArray[np.float64]
LEAST = math.exp(-26.0)
"""No probability is taken to be less, so that those of short pieces stay in the range of a float64."""
TOGETHER = 4096
"""So many pieces share their prefixes; a thread takes some times as many."""


@dataclass
class Lattices:
    """The edges of all pieces (toktk.kernels.unigram_train), cut into slices, one for each thread.

    The pieces must be sorted, those of more than SHORT characters at the end.

    Attributes:
        characters: the pieces.
        shared: int32 by piece: characters in common with the piece before. bases: int64[pieces + 1]: the
            first node of each.
        parent: int32 by node: the node before.
        fan, edges: uint8 by node, uint32: see the kernels.
        cuts: int[slices + 1], the first piece of each slice. starts: its first edge.
        n_short: pieces before the long ones.
        new_id: int32 by id: what it is by now, -1 if it is gone; None: edges are up to date.
    """

    characters: Characters
    shared: Int32
    bases: Int64
    parent: Int32
    fan: npt.NDArray[np.uint8]
    edges: npt.NDArray[np.uint32]
    cuts: list[int]
    starts: list[int]
    n_short: int
    new_id: Int32 | None = None
    _first: Int64 | None = None

    @classmethod
    def build(
        cls, characters: Characters, seeds: Seeds, id_of: Int32, jobs: int
    ) -> tuple[Lattices, Int32]:
        """Lay out the edges of all seeds; `id_of` (by code point) are the ids of single characters.

        Returns the lattices, and int32: a node at which each seed ends.
        """
        heads = characters.heads
        sizes = np.diff(heads) - 1
        long = np.flatnonzero(sizes > k.SHORT)
        n_short = int(long[0]) if long.size else sizes.size
        shared = np.empty(sizes.size, dtype=np.int32)
        k.share_prefixes(characters.codes, heads, n_short, TOGETHER, shared)
        bases = np.concatenate([[0], np.cumsum(sizes - shared)])
        cuts = _cuts(bases, n_short, jobs)
        fan = np.zeros(int(bases[-1]), dtype=np.uint8)

        def count(first: int, last: int) -> int:
            n = k.count_edges(
                first, last, heads, shared, bases, seeds.longest, seeds.shorter, seeds.length, fan
            )
            return int(n)

        starts = np.cumsum([0, *in_threads(count, list(itertools.pairwise(cuts)))]).tolist()
        edges = np.empty(starts[-1], dtype=np.uint32)
        end = np.full(seeds.home.size, -1, dtype=np.int32)
        room = int(sizes.max(initial=0)) + 1

        def fill(first: int, last: int, start: int) -> None:
            k.fill_edges(
                first, last, start, heads, shared, bases, characters.codes, id_of, seeds.longest,
                seeds.shorter, seeds.length, fan, edges, end, np.empty(room, dtype=np.int64),
            )  # fmt: skip

        spans = zip(itertools.pairwise(cuts), starts, strict=False)
        in_threads(fill, [(*pieces, start) for pieces, start in spans])
        parent = np.empty(fan.size, dtype=np.int32)
        k.find_parents(heads, shared, bases, np.empty(room, dtype=np.int32), parent)
        made = cls(
            characters, shared, bases, parent, fan, edges, cuts, starts[:-1], n_short
        )  # fmt: skip
        return made, end

    def __post_init__(self) -> None:
        self._room = int(np.diff(self.characters.heads).max(initial=0)) + k.SHORT + 1

    def _slices(self) -> list[tuple[int, int, int, int]]:
        """Return (slice, first piece, last piece, first edge) of each slice."""
        spans = zip(itertools.pairwise(self.cuts), self.starts, strict=True)
        return [(j, *pieces, start) for j, (pieces, start) in enumerate(spans)]

    def expect(self, p: Float64, scale: float) -> Float64:
        """Return float64: the expected occurrences of each id, times `scale`."""
        self.renumber()
        tables = np.zeros((len(self.starts), p.size, 2))
        tables[:, :, 0] = np.maximum(p, LEAST)
        tables[:, :, 0][:, p == 0] = 0
        characters = self.characters

        def run(j: int, first: int, last: int, start: int) -> None:
            stacks = np.empty(self._room), np.empty(self._room)
            shifts = np.empty((self._room, 2), dtype=np.int64)
            short = min(last, self.n_short)
            nodes = max(int(self.bases[short] - self.bases[first]), 0)
            edge = start
            if first < short:
                edge = k.expect(
                    first, short, start, characters.heads, self.shared, self.bases,
                    characters.counts, self.fan, self.edges, tables[j], scale, *stacks,
                    np.empty(nodes),
                )  # fmt: skip
            for piece in range(max(first, short), last):
                edge = k.expect_long(
                    piece, edge, characters.heads, self.bases, characters.counts, self.fan,
                    self.edges, tables[j], scale, *stacks, shifts,
                )  # fmt: skip

        in_threads(run, self._slices())
        return np.asarray(tables[:, :, 1].sum(axis=0))

    def count_best(self, score: Float64) -> Int64:
        """Return int64: how often each id occurs in the best segmentations."""
        self.renumber()
        sums = np.zeros((len(self.starts), score.size), dtype=np.int64)

        def run(j: int, first: int, last: int, start: int) -> None:
            nodes = int(self.bases[last] - self.bases[first])
            k.count_best(
                first, last, start, self.characters.heads, self.shared, self.bases,
                self.characters.counts, self.fan, self.edges, score, sums[j],
                np.empty(self._room), np.zeros(self._room, dtype=np.int64),
                np.empty(nodes, dtype=np.uint32),
            )  # fmt: skip

        in_threads(run, self._slices())
        return np.asarray(sums.sum(axis=0))

    def firsts(self) -> Int64:
        """Return int64 by node: its first edge."""
        self.renumber()
        if self._first is not None:
            return self._first
        first = np.cumsum(self.fan, dtype=np.int64)
        first -= self.fan
        for j, piece, last, start in self._slices():
            nodes = slice(*self.bases[[piece, last]].tolist())
            if j and nodes.start < nodes.stop:  # what was dropped has left a gap after each slice
                first[nodes] += start - int(first[nodes.start])
        self._first = first
        return first

    def keep(self, new_id: Int32) -> None:
        """Give new ids; -1 drops the edge. The edges change when they are next needed."""
        if self.new_id is not None:
            new_id = np.where(self.new_id < 0, -1, new_id[self.new_id]).astype(np.int32)
        self.new_id = new_id

    def renumber(self) -> None:
        """Write the new ids to the edges."""
        if self.new_id is None:
            return
        new_id = self.new_id

        def run(j: int, first: int, last: int, start: int) -> None:
            k.renumber(self.bases[first], self.bases[last], start, new_id, self.fan, self.edges)

        in_threads(run, self._slices())
        self.new_id = self._first = None


def _cuts(bases: Int64, n_short: int, jobs: int) -> list[int]:
    """Return the first piece of each of `jobs` slices of nearly equal nodes, where a thread may begin."""
    goals = np.linspace(0, bases[-1], jobs + 1)[1:-1]
    cuts = np.searchsorted(bases, goals)
    cuts = np.where(cuts < n_short, cuts // TOGETHER * TOGETHER, cuts)
    return [0, *cuts.tolist(), bases.size - 1]
