"""What is counted of raw text, however it is cut: totals and alignment of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.corpus.batch import spans
from toktk.pieces.table import Int64, PieceTable

if TYPE_CHECKING:
    import pyarrow as pa

ONE_GROUP = "text"
"""The name of the only group, where groups are not told apart."""


class GroupTotals:
    """Groups in order of appearance, with the totals (toktk.kernels.text_totals) and the alignment of each.

    Args:
        by_group: tell groups apart; else there is one, and its totals stay 0.
    """

    def __init__(self, by_group: bool) -> None:
        from toktk.kernels.text_totals import N_TOTALS

        self._by_group = by_group
        self._numbers: dict[str, int] = {}
        self._flags = np.empty(0, dtype=np.uint8)
        self._totals = np.zeros((8, N_TOTALS), dtype=np.int64)
        self._aligned = np.zeros((8, 2), dtype=np.int64)

    def add(self, batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
        """Add a batch; return int32[D]: the number of each document's group."""
        text, group, align, weight = (batch.column(i) for i in range(4))
        if not self._by_group:
            self._numbered([ONE_GROUP])
            return np.zeros(len(group), dtype=np.int32)
        from toktk.kernels.text_totals import add_totals

        known = self._numbered(group.dictionary.to_pylist())
        groups: npt.NDArray[np.int32] = known[arrow.to_numpy(group.indices)]
        data, offsets = spans(text)
        n = int(offsets[-1] - offsets[0])
        if n > self._flags.size:
            self._flags = np.empty(n, dtype=np.uint8)
        add_totals(data, offsets, groups, arrow.to_numpy(weight), self._flags, self._totals)
        if align.null_count < len(align):
            self._add_alignment(align, groups)
        return groups

    def add_table(self, table: PieceTable) -> npt.NDArray[np.int32]:
        """Add those of a table; return int32[G]: the numbers of its groups."""
        known = self._numbered(table.groups)
        self._totals[known] += table.totals
        self._aligned[known] += table.aligned
        return known

    def in_order(self) -> tuple[tuple[str, ...], npt.NDArray[np.int32], Int64, Int64]:
        """Return the names in alphabetical order, int32[G]: where each number went, totals and alignment."""
        names = tuple(sorted(self._numbers))
        old = np.array([self._numbers[name] for name in names], dtype=np.int64)
        new_index = np.empty(len(names), dtype=np.int32)
        new_index[old] = np.arange(len(names))
        return names, new_index, self._totals[old], self._aligned[old]

    def _numbered(self, names: tuple[str, ...] | list[str]) -> npt.NDArray[np.int32]:
        known = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        while len(self._numbers) > len(self._totals):
            self._totals = np.vstack([self._totals, np.zeros_like(self._totals)])
            self._aligned = np.vstack([self._aligned, np.zeros_like(self._aligned)])
        return np.array(known, dtype=np.int32)

    def _add_alignment(self, align: pa.Array, groups: npt.NDArray[np.int32]) -> None:
        import pyarrow as pa

        from toktk.kernels.hash import hash_spans

        valid = arrow.is_valid(align)
        hashes = hash_spans(*spans(align.drop_null().cast(pa.large_string()))).view(np.int64)
        np.add.at(self._aligned[:, 0], groups[valid], 1)
        np.add.at(self._aligned[:, 1], groups[valid], hashes)
