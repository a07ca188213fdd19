"""The arrays of a BPE training: laid out once, grown when the kernel asks, read off at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, offsets_of
from toktk.kernels import bpe_train as k
from toktk.kernels.pair_heap import N_BUCKETS

_BUDGET = 4096  # merges between two reports
_FEW = 1 << 26  # places that the pool has room for, whatever part of all places that is
_MANY = 1 << 20  # pairs that there may be room for from the beginning
_NARROW = 2**16 - k.FIRST_ID  # ids that cells of two bytes can hold
_SMALL_COUNTS = 1 << 12  # counts whose class is looked up in a table
_AT_ONCE = 1 << 16  # cells that are made wider at once


def grown(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    """Return a longer copy of an array, its new rows zero; they take no memory before they are used."""
    longer = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    longer[: array.shape[0]] = array
    return longer


def power_of_two(n: int) -> int:
    """Return the smallest power of two that is at least `n`."""
    return 1 << max(n - 1, 1).bit_length()


class MergeTask(NamedTuple):
    """What is merged, and how far.

    Attributes:
        cells, weights, ends: see `toktk.kernels.bpe_train.Text`.
        wide: the memory of the cells, for when ids take more than two bytes.
        symbols: int64[256], how often each byte occurs, by the order of ids.
        pairs, occurrences: int64[256 * 256], how often each pair of bytes occurs, in text and in the pieces.
        byte_ids: int64[256], the id of each byte; a range of 256 consecutive ids.
        max_size: most ids that there can be, specials and bytes included.
        floor: a pair is merged only while its count is at least this (>= 1).
        longest: most bytes of a merged token.
    """

    cells: npt.NDArray[Any]
    wide: npt.NDArray[np.uint32]
    weights: Int64
    ends: Int64
    symbols: Int64
    pairs: Int64
    occurrences: Int64
    byte_ids: Int64
    max_size: int
    floor: int
    longest: int

    @classmethod
    def of(
        cls,
        data: Bytes,
        offsets: Int64,
        counts: Int64,
        byte_ids: Int64,
        max_size: int,
        floor: int,
        longest: int,
    ) -> MergeTask:
        """Lay the distinct pieces out; `counts`, int64[n], says how often each occurs."""
        base = int(byte_ids.min())
        # A merge leaves at least one symbol less in the pieces, so whatever size is asked for, there
        # are fewer merges than bytes.
        max_size = base + 256 + min(max(max_size, 0), data.size)
        weights = np.unique(counts)
        classes = np.searchsorted(weights, np.arange(_SMALL_COUNTS))
        sizes = np.zeros(weights.size, dtype=np.int64)
        k.count_cells(offsets, counts, weights, classes, sizes)
        ends = 1 + np.cumsum(sizes)
        wide = np.empty(1 + int(sizes.sum()), dtype=np.uint32)
        cells = wide.view(np.uint16)[: wide.size] if base + 256 <= _NARROW else wide
        k.lay_out(data, offsets, counts, weights, classes, byte_ids, ends - sizes, cells)
        symbols = np.zeros(256, dtype=np.int64)
        pairs, occurrences = np.zeros((2, 256 * 256), dtype=np.int64)
        k.count_bytes(data, offsets, counts, byte_ids, base, symbols, pairs, occurrences)
        about = byte_ids, max_size, floor, longest
        return cls(cells, wide, weights, ends, symbols, pairs, occurrences, *about)


class MergeLoop:
    """Merge the most frequent pair again and again."""

    _part = 0.8  # of the places of pairs of bytes, those that the pool has room for

    def __init__(self, task: MergeTask) -> None:
        self.floor, self.longest = task.floor, task.longest
        self._wide = task.wide
        self.base = int(task.byte_ids.min())
        self.state = np.zeros(k.STATE_SIZE, dtype=np.int64)
        self.state[k.N_TOKENS] = self.base + 256
        self.merges = np.empty((task.max_size, 4), dtype=np.int64)
        left, right = np.zeros((2, task.max_size, 4), dtype=np.int64)
        left[task.byte_ids, k.LENGTH] = right[task.byte_ids, k.LENGTH] = 1
        self.sides = k.Sides(left, right, np.empty((2, task.max_size), dtype=np.int32))
        wanted = self._first_pairs(task)
        self._queue_pairs()
        self._rehash()
        self._grant_runs(7 / 8)
        self._place_bytes(wanted)

    def _first_pairs(self, task: MergeTask) -> Int64:
        """Make the pairs of bytes, and room for runs; return which pairs of bytes these are."""
        cells, occurrences = task.cells, task.occurrences
        wanted = np.flatnonzero((task.pairs >= self.floor) & (self.longest >= 2))
        n, n_places = wanted.size, int(occurrences[wanted].sum())
        position = np.int32 if cells.size < 2**31 else np.int64
        size = max(int(self._part * n_places), min(2 * n_places, _FEW)) + 1024
        # What is not used takes no memory: so the pool, a view of the room, can grow without a copy.
        self._room = np.empty(4 * max(n_places, size), dtype=position)
        births = np.empty((int(occurrences[wanted].max(initial=1)), 4), dtype=position)
        self.text = k.Text(cells, task.weights, task.ends, self._room[:size], births)
        # To grow takes as long as thousands of merges; room that is not used takes no memory here either.
        capacity = power_of_two(max(4 * n, min(cells.size // 8, _MANY), 4096))
        rows = np.empty((capacity, 4), dtype=np.int64)
        rows[:n, k.KEY] = ((wanted // 256 + self.base) << 32) | (wanted % 256 + self.base)
        rows[:n, k.COUNT] = task.pairs[wanted]
        rows[:n, k.START] = k.UNPLACED
        rows[:n, k.PLACES] = occurrences[wanted]
        self.pairs = k.Pairs(np.empty(0, dtype=np.int32), rows)
        self.state[k.N_PAIRS] = n
        return wanted

    def _queue_pairs(self) -> None:
        capacity = self.pairs.rows.shape[0]
        self.queue = k.Queue(
            np.empty((capacity, 3), dtype=np.int64),
            np.empty(capacity, dtype=np.int32),
            np.full(N_BUCKETS, -1, dtype=np.int32),
        )
        self.state[k.BUCKET] = N_BUCKETS
        k.enqueue_new(self.queue, self.pairs, self.state, 0)

    def _rehash(self) -> None:
        table = np.full(2 * self.pairs.rows.shape[0], -1, dtype=np.int32)
        self.pairs = self.pairs._replace(table=table)
        k.rehash(self.pairs, self.state[k.N_PAIRS])

    @property
    def n_tokens(self) -> int:
        """Ids so far, specials and bytes included."""
        return int(self.state[k.N_TOKENS])

    @property
    def learned(self) -> Int64:
        """int64[n, 4]: left id, right id, new id and count of each merge so far."""
        return self.merges[: self.state[k.N_MERGES]]

    def run(self, target: int, progress: Callable[[int], None] | None = None) -> bool:
        """Merge until `target` ids exist; return False when no pair reaches the floor before."""
        while True:
            before = self.n_tokens
            why = self._merge(min(target, self._widest))
            if progress is not None:
                progress(self.n_tokens - before)
            if why == k.DONE:
                if self.n_tokens >= target:
                    return True
                self._widen()
            if why == k.EXHAUSTED:
                return False
            if why == k.GROW_POOL:
                self._grow_pool()
            elif why == k.GROW_PAIRS:
                self._grow_pairs()
            elif why == k.PLACE:
                self._place(7 / 8)

    @property
    def _widest(self) -> int:
        """How many ids the cells can hold."""
        return _NARROW if self.text.cells.itemsize == 2 else 2**31

    def _widen(self) -> None:
        """Let cells take four bytes, from the last to the first: none comes to lie on one that follows."""
        cells, wide = self.text.cells, self._wide
        for first in range((cells.size - 1) // _AT_ONCE * _AT_ONCE, -1, -_AT_ONCE):
            wide[first : first + _AT_ONCE] = cells[first : first + _AT_ONCE].copy()
        self.text = self.text._replace(cells=wide)

    def _merge(self, target: int) -> int:
        # No local holds the arrays: those that grow are freed one by one.
        arrays = self.text, self.pairs, self.queue, self.sides, self.merges, self.state
        return int(k.merge_steps(*arrays, target, self.floor, self.longest, _BUDGET))

    def _grow_pool(self) -> None:
        """Drop the runs of pairs that are merged or rare from the pool; enlarge it if that is too little."""
        from toktk.kernels.spans import move_spans

        pool, rows = self.text.pool, self.pairs.rows[: self.state[k.N_PAIRS]]
        left = np.flatnonzero(rows[:, k.START] >= 0)
        left = left[np.argsort(rows[left, k.START])]
        ends = offsets_of(rows[left, k.PLACES])
        move_spans(pool, rows[left, k.START], ends)  # in place: no run moves back
        rows[left, k.START] = ends[:-1]
        self.state[k.POOL_USED] = ends[-1]
        if self._lacks_room() and self._part < 1 and pool.size > _FEW:
            self._place(1 / 2)
        if self._lacks_room():
            self._enlarge(pool.size + pool.size // 4)

    def _lacks_room(self) -> bool:
        used, most_new = int(self.state[k.POOL_USED]), 3 * self.text.births.shape[0]
        return bool(used + most_new > self.text.pool.size * 15 // 16)

    def _enlarge(self, size: int) -> None:
        size = max(size, int(self.state[k.POOL_USED]) + 3 * self.text.births.shape[0])
        if size > self._room.size:
            self._room = grown(self.text.pool, 2 * size)
        self.text = self.text._replace(pool=self._room[:size])

    def _place(self, part: float) -> None:
        """Give runs to the most frequent pairs, and write their places."""
        n_pairs = self._grant_runs(part)
        block = np.empty((256, 3), dtype=np.int64)
        k.place(self.text, self.pairs, self.sides, n_pairs, block)

    def _grant_runs(self, part: float) -> int:
        """Give runs to the most frequent pairs; return how many pairs there are.

        Runs take a part of the pool, or what the first needs.
        """
        n_pairs = int(self.state[k.N_PAIRS])
        rows = self.pairs.rows[:n_pairs]
        rows[rows[:, k.COUNT] < self.floor, k.START] = k.GONE
        left = np.flatnonzero(rows[:, k.START] != k.GONE)
        left = left[np.lexsort((rows[left, k.KEY], -rows[left, k.COUNT]))]
        ends = np.cumsum(rows[left, k.PLACES])
        room = self.text.pool.size * part if self._part < 1 else ends[-1:].sum()
        n = max(int(np.searchsorted(ends, room, side="right")), min(left.size, 1))
        rows[left, k.START] = k.UNPLACED
        rows[left[:n], k.START] = ends[:n] - rows[left[:n], k.PLACES]
        self.state[k.LEAST_PLACED] = rows[left[n - 1], k.COUNT] if n < left.size else 0
        self.state[k.POOL_USED] = ends[n - 1] if n else 0
        if self.state[k.POOL_USED] > self.text.pool.size:
            self._enlarge(0)
        return n_pairs

    def _place_bytes(self, wanted: Int64) -> None:
        """Write the places of the pairs of bytes that have runs: a look-up each, no hash."""
        cursor = np.full(256 * 256, -1, dtype=np.int64)
        cursor[wanted] = np.maximum(self.pairs.rows[: wanted.size, k.START], -1)
        k.place_bytes(self.text.cells, self.base, cursor, self.text.pool)

    def _grow_pairs(self) -> None:
        capacity = 2 * self.pairs.rows.shape[0]
        self.pairs = self.pairs._replace(rows=grown(self.pairs.rows, capacity))
        self._grow_queue(capacity)
        self._rehash()

    def _grow_queue(self, capacity: int) -> None:
        heap, links = grown(self.queue.heap, capacity), grown(self.queue.links, capacity)
        self.queue = self.queue._replace(heap=heap, links=links)
