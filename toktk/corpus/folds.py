"""Folds: disjoint parts of a text into which documents fall by a hash, and sums of such parts.

Equal documents, and the languages of an aligned line, are in one fold, so folds are independent samples of
the text. A bootstrap draws folds with replacement, as it would documents: a fold that is drawn twice counts
twice (block bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.batch import GROUP
from toktk.corpus.units import units

_SALT = 1 << 30  # apart from those of splits, samples and limits, which choose by the same hash
_DRAWS = (1 << 30) + 1


def fold_names(n: int) -> list[str]:
    """Return what the folds are called as groups: alphabetical order is that of their numbers."""
    return [f"fold {i:04}" for i in range(n)]


def drawn(n: int, replicate: int, seed: int = 0) -> tuple[int, ...]:
    """Return how often each of `n` folds is drawn, n times in all, for a replicate by number.

    The draws are a hash of seed, replicate and number, so they are the same on every machine.
    """
    from toktk.kernels.hash import mix

    counters = np.arange(replicate * n, (replicate + 1) * n, dtype=np.uint64)
    with np.errstate(over="ignore"):  # wraps by design
        folds = _scaled(mix(mix(counters, _DRAWS), (seed << 32) + _DRAWS), n)
    return tuple(np.bincount(folds, minlength=n).tolist())


def _scaled(hashes: np.ndarray, n: int) -> Int64:
    """Return int64: hashes scaled to 0 .. n - 1."""
    folds: Int64 = ((hashes >> np.uint64(32)) * np.uint64(n) >> np.uint64(32)).astype(np.int64)
    return folds


def folds_of(batch: pa.RecordBatch, n: int) -> Int64:
    """Return int64[rows]: the fold of each row, by its text, or its alignment id where it has one."""
    from toktk.kernels.hash import mix

    with np.errstate(over="ignore"):
        return _scaled(mix(units(batch)[0], _SALT), n)


@dataclass(frozen=True)
class Folded:
    """All documents, the group of each being its fold."""

    n: int

    def __str__(self) -> str:
        return f"in {self.n} folds"

    def start(self, read: object) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""
        names = arrow.from_list(fold_names(self.n), pa.string())

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            numbers = arrow.from_numpy(folds_of(batch, self.n).astype(np.int32))
            column = pa.DictionaryArray.from_arrays(numbers, names)
            return batch.set_column(GROUP, batch.schema.field(GROUP), column)

        return select


@dataclass(frozen=True)
class Resampled:
    """The documents of each fold as often as its multiplicity says, one after the other."""

    multiplicities: tuple[int, ...]

    def __str__(self) -> str:
        return f"folds {' '.join(map(str, self.multiplicities))}"

    def start(self, read: object) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""
        times = np.array(self.multiplicities, dtype=np.int64)

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            of_rows = times[folds_of(batch, times.size)]
            return batch.take(arrow.from_numpy(np.repeat(np.arange(of_rows.size), of_rows)))

        return select
