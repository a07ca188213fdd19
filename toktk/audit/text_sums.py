"""Sums by hash, of a text of any length in bounded memory: how often each document, line or id occurs.

Beyond `most` different hashes a sample is kept: those below a limit, which halves as often as it takes. All
that have one hash are in it or none. So shares and repeats of the sample stand for those of the text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64

UInt64 = npt.NDArray[np.uint64]

MOST = 1 << 20
"""How many different pairs of hash and group are kept, unless told otherwise: some 50 MB."""


class HashSums:
    """Sums of some columns by hash and group.

    Args:
        n_columns: how many numbers go with a hash.
        most: how many pairs of hash and group are kept.

    Attributes:
        hashes: uint64[n], ascending; equal ones, of several groups, stand side by side.
        groups: int64[n], ascending for equal hashes.
        sums: int64[n, n_columns].
        halvings: one hash in ``2**halvings`` is kept.
    """

    def __init__(self, n_columns: int, most: int = MOST) -> None:
        self.hashes: UInt64 = np.empty(0, np.uint64)
        self.groups: Int64 = np.empty(0, np.int64)
        self.sums: Int64 = np.empty((0, n_columns), np.int64)
        self.halvings = 0
        self._most = most
        self._new: list[tuple[UInt64, Int64, Int64]] = []
        self._n_new = 0

    def add(self, hashes: UInt64, groups: Int64, columns: Int64) -> None:
        """Add numbers, int64[n, n_columns], under hashes and groups."""
        if self.halvings:
            below = hashes < self._limit
            hashes, groups, columns = hashes[below], groups[below], columns[below]
        self._new.append((hashes, groups, columns))
        self._n_new += hashes.size
        if self._n_new >= self._most:
            self.settle()

    def settle(self) -> None:
        """Take in what was added; the attributes are right after this."""
        if not self._new:
            return
        parts = [(self.hashes, self.groups, self.sums), *self._new]
        self._new, self._n_new = [], 0
        hashes, groups, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.lexsort((groups, hashes)) if groups.any() else np.argsort(hashes, kind="stable")
        hashes, groups = hashes[order], groups[order]
        first = np.ones(hashes.size, np.bool_)
        first[1:] = (hashes[1:] != hashes[:-1]) | (groups[1:] != groups[:-1])
        starts = np.flatnonzero(first)
        sums = np.add.reduceat(columns[order], starts) if starts.size else columns[:0]
        self.hashes, self.groups, self.sums = hashes[starts], groups[starts], sums
        while np.searchsorted(self.hashes, self._limit) > self._most:
            self.halvings += 1
        kept = int(np.searchsorted(self.hashes, self._limit)) if self.halvings else starts.size
        self.hashes, self.groups = self.hashes[:kept].copy(), self.groups[:kept].copy()
        self.sums = self.sums[:kept].copy()

    @property
    def _limit(self) -> np.uint64:
        return np.uint64((1 << (64 - self.halvings)) - 1)

    @property
    def starts(self) -> Int64:
        """Where the entries of each different hash begin."""
        return np.flatnonzero(np.diff(self.hashes, prepend=~self.hashes[:1]))

    def by_hash(self) -> tuple[UInt64, Int64]:
        """Return the different hashes, and the sums of each over all groups."""
        starts = self.starts
        sums: Any = np.add.reduceat(self.sums, starts) if starts.size else self.sums
        return self.hashes[starts], sums
