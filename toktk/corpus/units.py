"""What a choice of documents looks at: which rows belong together, in which group, and how long they are."""

from __future__ import annotations

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, spans


def text_hashes(batch: pa.RecordBatch) -> np.ndarray:
    """Return uint64[n]: a hash of each row's text."""
    from toktk.kernels.hash import hash_spans

    return hash_spans(*spans(batch.column(TEXT)))


def units(
    batch: pa.RecordBatch, of_texts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(keys, aligned)``: each row's uint64 key, and whether it has an alignment id.

    The key is a hash of the alignment id, else of the text: rows with equal keys belong together. `of_texts`
    are the `text_hashes`, where they are known.
    """
    from toktk.kernels.hash import hash_spans

    align = batch.column(ALIGN)
    aligned = arrow.is_valid(align)
    if aligned.any():
        keys = hash_spans(*spans(align.fill_null("").cast(pa.large_string())))
        if aligned.all():
            return keys, aligned
    if of_texts is None:
        of_texts = text_hashes(batch)
    return np.where(aligned, keys, of_texts) if aligned.any() else of_texts, aligned


def filtered(batch: pa.RecordBatch, keep: np.ndarray) -> pa.RecordBatch:
    """Return the rows of a batch that are to be kept; nothing is copied where all are."""
    return batch if keep.all() else batch.filter(arrow.from_numpy(keep))


class GroupNumbers:
    """Numbers for the groups of many batches, each of which has a dictionary of its own."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def names(self) -> list[str]:
        """The groups, by number."""
        return [*self._numbers]

    def of(self, batch: pa.RecordBatch) -> Int64:
        """Return the number of each row's group, int64[n]; groups not seen before get the next ones."""
        column = batch.column(GROUP)
        indices = arrow.to_numpy(column.indices)
        names = column.dictionary
        numbers = np.zeros(len(names), np.int64)
        # A dictionary may name groups that no row has.
        for i in np.flatnonzero(np.bincount(indices)).tolist():
            numbers[i] = self._numbers.setdefault(names[i].as_py(), len(self._numbers))
        of_rows: Int64 = numbers[indices]
        return of_rows
