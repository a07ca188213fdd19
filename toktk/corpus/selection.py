"""Which documents of a corpus to keep: one side of a split, or a limited number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, TEXT, spans

Pass = Callable[[], "Iterator[pa.RecordBatch]"]
Select = Callable[["pa.RecordBatch"], "pa.RecordBatch | None"]
"""Keeps some of each batch of one pass; returns None once nothing can follow."""


def units(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(keys, aligned)``: each row's uint64 key, and whether it has an alignment id.

    The key is a hash of the alignment id, else of the text: rows with equal keys belong together.
    """
    from toktk.kernels.hash import hash_spans

    align = batch.column(ALIGN)
    aligned = arrow.is_valid(align)
    if not aligned.any():
        return hash_spans(*spans(batch.column(TEXT))), aligned
    keys = hash_spans(*spans(align.fill_null("").cast(pa.large_string())))
    if not aligned.all():
        keys = np.where(aligned, keys, hash_spans(*spans(batch.column(TEXT))))
    return keys, aligned


def _filter(batch: pa.RecordBatch, keep: np.ndarray) -> pa.RecordBatch:
    return batch if keep.all() else batch.filter(arrow.from_numpy(keep))


@dataclass(frozen=True)
class Split:
    """The train or the test side of a split by hash; `salt` tells nested splits apart."""

    test: float
    side: str
    salt: int = 1

    def __str__(self) -> str:
        nested = "" if self.salt == 1 else f", level {self.salt}"
        return f"{self.side} side of a {self.test:g} split{nested}"

    def start(self, read: Pass) -> Select:
        """Begin a pass."""
        from toktk.kernels.hash import mix

        threshold = np.uint64(min(int(self.test * 2.0**64), 2**64 - 1))

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            test = mix(units(batch)[0], self.salt) < threshold
            return _filter(batch, test if self.side == "test" else ~test)

        return select


@dataclass(frozen=True)
class Limit:
    """At most `documents` units: the first, or with a seed those of smallest seeded hash.

    A unit is an alignment id, with all its rows, or a row that has none.
    """

    documents: int
    seed: int | None = None

    def __str__(self) -> str:
        if self.seed is None:
            return f"the first {self.documents}"
        return f"a sample of {self.documents}, seed {self.seed}"

    def start(self, read: Pass) -> Select:
        """Begin a pass; a sample first reads all documents once, to find the threshold."""
        return self._first() if self.seed is None else self._sample(read, self.seed)

    def _first(self) -> Select:
        taken = np.empty(0, np.uint64)  # the hashes of alignment ids
        left = self.documents

        def select(batch: pa.RecordBatch) -> pa.RecordBatch | None:
            nonlocal taken, left
            if left == 0 and not taken.size:
                return None
            keys, aligned = units(batch)
            # A unit is new at a row without id, and at the first row of an id not seen before.
            new = ~aligned
            rows = np.flatnonzero(aligned)
            rows = rows[~np.isin(keys[rows], taken)]
            _, first = np.unique(keys[rows], return_index=True)
            new[rows[first]] = True
            new &= np.cumsum(new) <= left
            left -= int(new.sum())
            taken = np.union1d(taken, keys[new & aligned])
            return _filter(batch, np.where(aligned, np.isin(keys, taken), new))

        return select

    def _sample(self, read: Pass, seed: int) -> Select:
        from toktk.kernels.hash import mix

        # Salts of splits are small and positive: keep clear of them, or a split of a sample
        # would ask which documents have a small hash of those that have.
        salt = (seed << 32) + (1 << 31)
        ids = np.empty(0, np.uint64)  # the smallest hashes so far, of alignment ids and of rows
        rows = np.empty(0, np.uint64)
        for batch in read():
            keys, aligned = units(batch)
            hashes = mix(keys, salt)
            ids = np.union1d(ids, hashes[aligned])[: self.documents]
            rows = np.sort(np.concatenate([rows, hashes[~aligned]]))[: self.documents]
        chosen = np.sort(np.concatenate([ids, rows]))[: self.documents]
        if chosen.size < self.documents:
            return lambda batch: batch
        threshold = chosen[-1]
        # Equal texts have equal hashes: at the threshold, only as many rows as still fit.
        ties = int((chosen == threshold).sum()) - int((ids == threshold).sum())

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            nonlocal ties
            keys, aligned = units(batch)
            hashes = mix(keys, salt)
            at = (hashes == threshold) & ~aligned
            at &= np.cumsum(at) <= ties
            ties -= int(at.sum())
            return _filter(batch, (hashes < threshold) | at | (aligned & (hashes == threshold)))

        return select


Selection = Split | Limit
"""A choice of documents; ``str()`` says which, and enters the fingerprint."""
