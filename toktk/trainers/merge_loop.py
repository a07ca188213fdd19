"""The arrays of a BPE training: laid out once, grown when the kernel asks, read off at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, offsets_of
from toktk.kernels import bpe_train as k

_BUDGET = 4096  # merges between two reports


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
        data, offsets: uint8[N], int64[n + 1]: the distinct pieces.
        counts: int64[n], how often each piece occurs.
        byte_ids: int64[256], the id of each byte; a range of 256 consecutive ids.
        max_size: most ids, specials and bytes included, that will be asked for.
        floor: a pair is merged only while its count is at least this (>= 1).
        longest: most bytes of a merged token.
    """

    data: Bytes
    offsets: Int64
    counts: Int64
    byte_ids: Int64
    max_size: int
    floor: int
    longest: int


class MergeLoop:
    """Merge the most frequent pair again and again."""

    def __init__(self, task: MergeTask) -> None:
        self.floor, self.longest = task.floor, task.longest
        self.base = int(task.byte_ids.min())
        # A merge leaves at least one symbol less in the pieces, so whatever size is asked for, there
        # are fewer merges than bytes.
        max_size = self.base + 256 + min(max(task.max_size, 0), task.data.size)
        self.state = np.zeros(k.STATE_SIZE, dtype=np.int64)
        self.state[k.N_TOKENS] = self.base + 256
        self.merges = np.empty((max_size, 4), dtype=np.int64)
        left, right = np.zeros((2, max_size, 4), dtype=np.int64)
        left[task.byte_ids, k.LENGTH] = right[task.byte_ids, k.LENGTH] = 1
        self.sides = k.Sides(left, right, np.empty((2, max_size), dtype=np.int32))
        self._first_pairs(task)
        self._queue_pairs()
        self._rehash()

    def _first_pairs(self, task: MergeTask) -> None:
        """Lay the pieces out as cells; make the pairs of bytes and their runs."""
        data, offsets, counts, ids = task[:4]
        weights = np.unique(counts)
        sizes = np.zeros(weights.size, dtype=np.int64)
        k.count_cells(offsets, counts, weights, sizes)
        behind = 1 + np.cumsum(sizes)
        n_cells = 1 + int(sizes.sum())
        largest = self.merges.shape[0] + k.FIRST_ID
        cells = np.empty(n_cells, dtype=np.uint16 if largest <= 2**16 else np.uint32)
        k.lay_out(data, offsets, counts, weights, ids, behind - sizes, cells)
        totals, occurrences = np.zeros((2, 256 * 256), dtype=np.int64)
        k.count_byte_pairs(data, offsets, counts, ids, self.base, totals, occurrences)
        wanted = np.flatnonzero((totals >= self.floor) & (self.longest >= 2))
        ends = np.cumsum(occurrences[wanted])
        starts = ends - occurrences[wanted]
        n, n_places = wanted.size, int(ends[-1]) if wanted.size else 0
        position = np.int32 if n_cells < 2**31 else np.int64
        # What is not used takes no memory: so the pool, a view of the room, can grow without a copy.
        self._room = np.empty(4 * n_places + 1024, dtype=position)
        pool = self._room[: n_places + n_places // 2 + 1024]
        cursor = np.full(256 * 256, -1, dtype=np.int64)
        cursor[wanted] = starts
        k.fill_byte_pairs(cells, self.base, cursor, pool)
        births = np.empty((int(occurrences[wanted].max(initial=1)), 4), dtype=position)
        self.text = k.Text(cells, weights, behind, pool, births)
        capacity = power_of_two(max(4 * n, n_cells // 32, 4096))
        rows = np.empty((capacity, 4), dtype=np.int64)
        rows[:n, k.KEY] = ((wanted // 256 + self.base) << 32) | (wanted % 256 + self.base)
        rows[:n, k.COUNT] = totals[wanted]
        rows[:n, k.START] = starts
        rows[:n, k.PLACES] = occurrences[wanted]
        self.pairs = k.Pairs(np.empty(0, dtype=np.int32), rows)
        self.state[k.N_PAIRS] = n
        self.state[k.POOL_USED] = n_places

    def _queue_pairs(self) -> None:
        capacity = self.pairs.rows.shape[0]
        self.queue = k.Queue(
            np.empty((capacity, 3), dtype=np.int64),
            np.empty(capacity, dtype=np.int32),
            np.full(k.N_BUCKETS, -1, dtype=np.int32),
        )
        self.state[k.BUCKET] = k.N_BUCKETS
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
            why = self._merge(target)
            if progress is not None:
                progress(self.n_tokens - before)
            if why == k.DONE:
                return True
            if why == k.EXHAUSTED:
                return False
            if why == k.GROW_POOL:
                self._grow_pool()
            elif why == k.GROW_PAIRS:
                self._grow_pairs()

    def _merge(self, target: int) -> int:
        # No local holds the arrays: those that grow are freed one by one.
        arrays = self.text, self.pairs, self.queue, self.sides, self.merges, self.state
        return int(k.merge_steps(*arrays, target, self.floor, self.longest, _BUDGET))

    def _grow_pool(self) -> None:
        """Drop the runs of pairs that are merged from the pool; enlarge it if that is too little."""
        from toktk.kernels.spans import move_spans

        pool, rows = self.text.pool, self.pairs.rows[: self.state[k.N_PAIRS]]
        left = np.flatnonzero(rows[:, k.START] >= 0)
        left = left[np.argsort(rows[left, k.START])]
        ends = offsets_of(rows[left, k.PLACES])
        raw = pool.view(np.uint8)
        # In place: no run moves back.
        move_spans(raw, rows[left, k.START] * pool.itemsize, ends * pool.itemsize)
        rows[left, k.START] = ends[:-1]
        self.state[k.POOL_USED] = ends[-1]
        needed = int(ends[-1]) + 3 * self.text.births.shape[0]
        if needed > pool.size * 7 // 8:
            size = max(pool.size + pool.size // 4, needed)
            if size > self._room.size:
                self._room = grown(pool, 2 * size)
            self.text = self.text._replace(pool=self._room[:size])

    def _grow_pairs(self) -> None:
        capacity = 2 * self.pairs.rows.shape[0]
        self.pairs = self.pairs._replace(rows=grown(self.pairs.rows, capacity))
        self._grow_queue(capacity)
        self._rehash()

    def _grow_queue(self, capacity: int) -> None:
        heap, links = grown(self.queue.heap, capacity), grown(self.queue.links, capacity)
        self.queue = self.queue._replace(heap=heap, links=links)
