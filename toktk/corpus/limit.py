"""A limit: as many documents of each group, chosen by a seeded hash."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.options import Progress
from toktk.corpus.units import GroupNumbers, filtered, units

_ENOUGH = 1 << 16  # rows to gather before those that cannot be chosen are dropped


@dataclass(frozen=True, eq=False)
class Limit:
    """At most `documents` units, as many of each group; of each those of smallest seeded hash.

    A unit is an alignment id, with all its rows, or a row that has none. Aligned text is taken as one
    group. What a small group lacks is taken from the larger ones.
    """

    read: Callable[[Progress | None], Iterator[pa.RecordBatch]]
    documents: int
    seed: int = 0

    def __str__(self) -> str:
        return f"a sample of {self.documents} from all groups alike, seed {self.seed}"

    @functools.cached_property
    def drawn(self) -> tuple[GroupNumbers, np.ndarray, Int64]:
        """The largest hash taken of each group, and how many rows have it; the first call reads all."""
        return self._drawn()

    @property
    def is_decided(self) -> bool:
        """Whether `drawn` is known."""
        return "drawn" in self.__dict__

    def decide(self, progress: Progress | None) -> None:
        """Make `drawn` known, with progress if that has to read."""
        if not self.is_decided:
            self.__dict__["drawn"] = self._drawn(progress)

    def _drawn(self, progress: Progress | None = None) -> tuple[GroupNumbers, np.ndarray, Int64]:
        strata = GroupNumbers()
        chosen = _Smallest(self.documents)
        for batch in self.read(progress):
            numbers, hashes, aligned = self._rows(batch, strata)
            first = np.ones(numbers.size, np.bool_)
            if aligned.any():  # the first row of each id in this batch stands for it
                rows = np.flatnonzero(aligned)
                first[rows] = False
                first[rows[np.unique(hashes[rows], return_index=True)[1]]] = True
            chosen.add(numbers[first], hashes[first])
        chosen.settle()
        return strata, *chosen.thresholds(len(strata) + 1)

    def start(self, read: object) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""
        strata, thresholds, at_threshold = self.drawn
        left = at_threshold.copy()

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            numbers, hashes, aligned = self._rows(batch, strata)
            limit = thresholds[numbers]
            kept = (hashes < limit) | (aligned & (hashes == limit))
            # Equal texts have equal hashes: at the threshold, only as many rows as still fit.
            ties = np.flatnonzero((hashes == limit) & ~aligned)
            for number in np.unique(numbers[ties]):
                fit = ties[numbers[ties] == number][: left[number]]
                kept[fit] = True
                left[number] -= fit.size
            return filtered(batch, kept)

        return select

    def _rows(
        self, batch: pa.RecordBatch, strata: GroupNumbers
    ) -> tuple[Int64, np.ndarray, np.ndarray]:
        """Return ``(numbers, hashes, aligned)``: each row's stratum, 0 for aligned text, and hash."""
        from toktk.kernels.hash import mix

        # Salts of splits are small and positive: keep clear of them, or a split of a sample
        # would ask which documents have a small hash of those that have.
        salt = (self.seed << 32) + (1 << 31)
        keys, aligned = units(batch)
        return np.where(aligned, 0, strata.of(batch) + 1), mix(keys, salt), aligned


class _Smallest:
    """The units that may be among those chosen, of all that were added."""

    def __init__(self, documents: int) -> None:
        self._documents = documents
        self._level = documents  # no group can have more in the end
        self._numbers = np.empty(0, np.int64)
        self._hashes = np.empty(0, np.uint64)
        self._ranks = np.empty(0, np.int64)
        self._waiting: list[tuple[Int64, np.ndarray]] = []
        self._n_waiting = 0

    def add(self, numbers: Int64, hashes: np.ndarray) -> None:
        """Take units, with the number of the group of each; number 0 may bring one again."""
        self._waiting.append((numbers, hashes))
        self._n_waiting += numbers.size
        if self._n_waiting >= max(_ENOUGH, self._documents):
            self._drop()

    def _drop(self) -> None:
        """Keep the `documents` of smallest hash in each group, and of those no more than the level."""
        columns = zip((self._numbers, self._hashes), *self._waiting, strict=True)
        numbers, hashes = (np.concatenate(column) for column in columns)
        self._waiting, self._n_waiting = [], 0
        order = np.lexsort((hashes, numbers))
        numbers, hashes = numbers[order], hashes[order]
        new = np.ones(numbers.size, np.bool_)
        new[1:] = (numbers[1:] > 0) | (numbers[:-1] > 0) | (hashes[1:] != hashes[:-1])
        numbers, hashes = numbers[new], hashes[new]
        counts = np.bincount(numbers)
        ranks = np.arange(numbers.size) - (np.cumsum(counts) - counts)[numbers]
        # Groups only grow, so the level only falls; one more may be needed to fill the rest.
        self._level = min(self._level, _level(counts, self._documents))
        kept = ranks <= self._level
        self._numbers, self._hashes, self._ranks = numbers[kept], hashes[kept], ranks[kept]

    def settle(self) -> None:
        """Keep those that are chosen."""
        self._drop()
        kept = self._ranks < self._level
        rest = np.flatnonzero(~kept)
        kept[
            rest[np.argsort(self._hashes[rest], kind="stable")][: self._documents - kept.sum()]
        ] = True
        self._numbers, self._hashes = self._numbers[kept], self._hashes[kept]

    def thresholds(self, n_groups: int) -> tuple[np.ndarray, Int64]:
        """Return the largest hash of each group, and how many of its units have that one."""
        largest = np.zeros(n_groups, np.uint64)
        np.maximum.at(largest, self._numbers, self._hashes)
        at = self._numbers[self._hashes == largest[self._numbers]]
        return largest, np.bincount(at, minlength=n_groups)


def _level(counts: Int64, documents: int) -> int:
    """Return how many units every group may give, the most that come to no more than `documents`."""
    ascending = np.sort(counts)
    below = np.cumsum(ascending) - ascending  # if all smaller groups give all
    levels = (documents - below) // np.arange(ascending.size, 0, -1)
    enough = np.flatnonzero(levels < ascending)
    return int(levels[enough[0]]) if enough.size else documents
