"""SampledDocuments: the documents of a text that intervals rest on, as `toktk.pieces.sample` draws them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toktk.arrays import Bytes, Int64, read_arrays, write_arrays
from toktk.kernels.constants import BYTES, CHARS, N_TOTALS, WORDS
from toktk.pieces.sample_rows import Int32, UInt64

DOCUMENTS, LINES, BLOCKS = "documents", "lines", "blocks"
"""What the rows of a group are: documents, aligned lines, or blocks of its only document."""


@dataclass(frozen=True, eq=False)
class SampledDocuments:
    """Documents of a text, sorted by group, unit and text.

    Attributes:
        groups: the G names, sorted.
        group: int32[D], index into `groups`.
        unit: uint64[D]: hash of the document or of its alignment id, or the number of the block.
        copies: int64[D]: the weights of equal documents, which are one row, summed up.
        data, offsets: uint8 and int64[D + 1]: the text of document d is ``data[offsets[d]:offsets[d + 1]]``,
            an excerpt of a very long one.
        levels: int64[G]: one unit in ``2**level`` was kept.
        kinds: of each group, `DOCUMENTS`, `LINES` or `BLOCKS`.
        previous: int64[D]: the document before it in the text, of the same group, by its place here; -1 where
            that was not kept, or it is the first of a batch. Of several equal documents one is taken.
    """

    groups: tuple[str, ...]
    group: Int32
    unit: UInt64
    copies: Int64
    data: Bytes
    offsets: Int64
    levels: Int64
    kinds: tuple[str, ...]
    previous: Int64

    def __len__(self) -> int:
        return self.unit.size

    @property
    def n_all(self) -> Int64:
        """int64[G]: the different units of each group in the whole text; an estimate where it was sampled."""
        first = np.ones(len(self), dtype=np.bool_)
        first[1:] = (np.diff(self.group) != 0) | (self.unit[1:] != self.unit[:-1])
        kept = np.bincount(self.group[first], minlength=len(self.groups))
        return kept.astype(np.int64) << self.levels

    @functools.cached_property
    def totals(self) -> Int64:
        """int64[D, 7]: the plain totals of each document; columns as in toktk.kernels.text_totals."""
        from toktk.pieces.plain_totals import PlainTotals

        totals = np.zeros((len(self), N_TOTALS), dtype=np.int64)
        rows, ones = np.arange(len(self), dtype=np.int32), np.ones(len(self), dtype=np.int64)
        PlainTotals().add(self.data, self.offsets, rows, ones, totals)
        return totals

    @functools.cached_property
    def plain(self) -> dict[str, Int64]:
        """int64[D] each, which all that is measured on the documents shares: bytes, chars and words."""
        columns = {"bytes": BYTES, "chars": CHARS, "words": WORDS}
        return {name: self.totals[:, column].copy() for name, column in columns.items()}

    def save(self, folder: Path) -> None:
        """Write plain arrays."""
        names = ("group", "unit", "copies", "data", "offsets", "levels", "previous")
        arrays = {name: getattr(self, name) for name in names}
        write_arrays(folder, arrays, groups=self.groups, kinds=self.kinds)

    @classmethod
    def load(cls, folder: Path) -> SampledDocuments:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        return cls(groups=tuple(about["groups"]), kinds=tuple(about["kinds"]), **arrays)
