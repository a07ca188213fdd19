"""The arrays of a BPE training: laid out once, grown when the kernel asks, read off at the end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.kernels import bpe_train as k

Int64 = npt.NDArray[np.int64]


def power_of_two(n: int) -> int:
    """Return the smallest power of two that is at least `n`."""
    return 1 << max(n - 1, 1).bit_length()


class MergeLoop:
    """Merge the most frequent pair again and again.

    Args:
        data: uint8[N], the bytes of all distinct pieces.
        offsets: int64[n + 1], where each piece begins.
        counts: int64[n], how often each piece occurs.
        byte_ids: int64[256], the id of each byte; a range of 256 consecutive ids.
        max_size: most ids, specials and bytes included, that will be asked for.
        floor: a pair is merged only while its count is at least this (>= 1).
        longest: most bytes of a merged token.
    """

    def __init__(
        self,
        data: npt.NDArray[np.uint8],
        offsets: Int64,
        counts: Int64,
        byte_ids: Int64,
        max_size: int,
        floor: int,
        longest: int,
    ) -> None:
        self.floor, self.longest = floor, longest
        self.base = int(byte_ids.min())
        self._lay_out(data, offsets, counts, byte_ids)
        self._tokens(byte_ids, max(max_size, self.base + 256))
        self._first_pairs()

    def _lay_out(
        self, data: npt.NDArray[np.uint8], offsets: Int64, counts: Int64, byte_ids: Int64
    ) -> None:
        values, weight_class = np.unique(counts, return_inverse=True)
        self.weights = np.ascontiguousarray(values, dtype=np.int64)
        n = int(offsets[-1] - offsets[0]) + offsets.size + 1
        self.cells = np.empty(2 * n, dtype=np.int32)
        self.n_cells = int(
            k.lay_out(data, offsets, weight_class.astype(np.int32), byte_ids, self.cells)
        )

    def _tokens(self, byte_ids: Int64, max_size: int) -> None:
        self.left = np.zeros((max_size, 4), dtype=np.int64)
        self.left[byte_ids, 3] = 1
        self.right = self.left.copy()
        self.merges = np.empty((max_size, 4), dtype=np.int64)
        self.state = np.zeros(k.STATE_SIZE, dtype=np.int64)
        self.state[k.N_TOKENS] = self.base + 256

    def _first_pairs(self) -> None:
        totals = np.zeros(256 * 256, dtype=np.int64)
        occurrences = np.zeros(256 * 256, dtype=np.int64)
        k.count_byte_pairs(
            self.cells, self.n_cells, self.weights, self.base, 256, totals, occurrences
        )
        wanted = np.flatnonzero((totals >= self.floor) & (self.longest >= 2))
        ends = np.cumsum(occurrences[wanted])
        n, room = wanted.size, int(ends[-1]) if wanted.size else 0
        position = np.int32 if self.cells.size // 2 < 2**31 else np.int64
        self.pool = np.empty(room + room // 2 + 1024, dtype=position)
        cursor = np.full(256 * 256, -1, dtype=np.int64)
        cursor[wanted] = ends - occurrences[wanted]
        starts = cursor[wanted]
        k.fill_byte_pairs(self.cells, self.n_cells, self.base, 256, cursor, self.pool)
        most = int(occurrences[wanted].max()) if n else 1
        self.births = np.empty((most, 4), dtype=position)
        self.touched = np.empty((2, self.merges.shape[0]), dtype=np.int32)
        capacity = power_of_two(max(4 * n, self.n_cells // 8, 4096))
        self.pairs = np.empty((capacity, 4), dtype=np.int64)
        self.pairs[:n, 0] = ((wanted // 256 + self.base) << 32) | (wanted % 256 + self.base)
        self.pairs[:n, 1] = totals[wanted]
        self.pairs[:n, 2] = starts
        self.pairs[:n, 3] = occurrences[wanted]
        self.state[k.N_PAIRS] = n
        self.state[k.POOL_USED] = room
        self._queue()
        self._rehash()

    def _queue(self) -> None:
        self.heap = np.empty((self.pairs.shape[0], 3), dtype=np.int64)
        self.links = np.empty(self.pairs.shape[0], dtype=np.int32)
        self.buckets = np.full(k.N_BUCKETS, -1, dtype=np.int32)
        k.enqueue_first(self.state, self.heap, self.links, self.buckets, self.pairs)

    def _rehash(self) -> None:
        self.table = np.full(2 * self.pairs.shape[0], -1, dtype=np.int32)
        k.rehash(self.table, self.pairs, self.state[k.N_PAIRS])

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
            why = k.merge_steps(
                self.cells, self.weights, self.pool, self.table, self.pairs, self.heap,
                self.links, self.buckets, self.merges, self.left, self.right, self.touched,
                self.births, self.state, target, self.floor, self.longest, 4096,
            )  # fmt: skip
            if progress is not None:
                progress(self.n_tokens - before)
            if why == k.DONE:
                return True
            if why == k.EXHAUSTED:
                return False
            if why == k.GROW_POOL:
                self._grow_pool(3 * self.births.shape[0])
            elif why == k.GROW_PAIRS:
                self._grow_pairs()

    def _grow_pool(self, room: int) -> None:
        size = max(self.pool.size + self.pool.size // 2, self.state[k.POOL_USED] + room)
        grown = np.empty(size, dtype=self.pool.dtype)
        grown[: self.pool.size] = self.pool
        self.pool = grown

    def _grow_pairs(self) -> None:
        rows = 2 * self.pairs.shape[0]
        for name in ("pairs", "heap"):
            old = getattr(self, name)
            grown = np.empty((rows, old.shape[1]), dtype=np.int64)
            grown[: old.shape[0]] = old
            setattr(self, name, grown)
        self.links = np.resize(self.links, rows)
        self._rehash()
