"""The sampled documents of a text by unit: what intervals are over."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.pieces.sampled_documents import BLOCKS, LINES, SampledDocuments
from toktk.stats.neighbors import TextOrder, places_in_text

Float64 = npt.NDArray[np.float64]


def unit_hashes(documents: SampledDocuments) -> npt.NDArray[np.uint64]:
    """Return uint64[D]: the unit of each row, in no order of the text."""
    from toktk.kernels.hash import mix

    blocks = np.array([kind == BLOCKS for kind in documents.kinds], dtype=np.bool_)
    is_block = blocks[documents.group]
    units = documents.unit.copy()
    units[is_block] = mix(units[is_block] ^ documents.group[is_block].astype(np.uint64) << 32, 0)
    return units


class Pool(NamedTuple):
    """The units of some groups together.

    Attributes:
        present: bool[U], which.
        numbers: int64[U], their numbers 0 to n - 1.
        scale: float64[n], for how many of the whole text each stands.
    """

    present: npt.NDArray[np.bool_]
    numbers: Int64
    scale: Float64

    @property
    def n(self) -> int:
        """How many they are."""
        return self.scale.size


@dataclass(frozen=True)
class Units:
    """The sampled documents by unit: a document, or an aligned line with all its languages.

    Attributes:
        documents: the sample.
        n: how many units there are.
        of_row: int64[D], the unit of each row, numbered in the order of their hashes.
        weight: float64[D], what the counts of one copy are multiplied by: copies, and rows of the text for
            each row of the sample.
        n_all: units of the whole text.
    """

    documents: SampledDocuments
    n: int
    of_row: Int64
    weight: Float64
    n_all: int
    _rows: dict[tuple[str, ...], Int64 | slice] = field(default_factory=dict)

    @cached_property
    def bounds(self) -> Int64:
        """int64[G + 1]: where the rows of each group begin and end."""
        groups = np.arange(len(self.documents.groups) + 1)
        return np.searchsorted(self.documents.group, groups).astype(np.int64)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each group, by name."""
        return {group: g for g, group in enumerate(self.documents.groups)}

    @cached_property
    def _by_unit(self) -> npt.NDArray[np.bool_]:
        """bool[G]: whether each row of a group is a unit of its own, and there is any."""
        spans = itertools.pairwise(self.bounds.tolist())
        return np.array([a < b and _differ(self.of_row[a:b]) for a, b in spans])

    @cached_property
    def previous(self) -> Int64:
        """int64[U]: the unit before each in the text, by number; -1: it is not known."""
        rows = np.flatnonzero(self.documents.previous >= 0)
        found = np.full(self.n, -1, dtype=np.int64)
        found[self.of_row[rows]] = self.of_row[self.documents.previous[rows]]
        return found

    @cached_property
    def by_hash(self) -> tuple[Int64 | slice, dict[str, npt.NDArray[Any]]]:
        """The order of rows by group and hash of the unit, and what the counts of all tokenizers share in it.

        These are the columns group, unit, copies, bytes, chars, words and previous of `DocumentCounts`.
        """
        documents = self.documents
        hashes = unit_hashes(documents)
        columns: dict[str, npt.NDArray[Any]] = {
            "group": documents.group,
            "unit": hashes,
            "copies": documents.copies,
            **documents.plain,
            "previous": documents.previous,
        }
        if BLOCKS not in documents.kinds:  # whose numbers are no hashes; others are in order
            return slice(None), columns
        order = np.lexsort((hashes, documents.group))
        row_of = np.empty(order.size + 1, dtype=np.int64)
        row_of[order], row_of[-1] = np.arange(order.size), -1  # what has none before it stays -1
        columns["previous"] = row_of[documents.previous]
        return order, {name: column[order] for name, column in columns.items()}

    @cached_property
    def text(self) -> TextOrder:
        """The order of the rows of each group."""
        return TextOrder.of(self.documents.previous, self.documents.group)

    @cached_property
    def order(self) -> TextOrder:
        """The order of the units, where all are of one kind."""
        return TextOrder.of(self.previous)

    @cached_property
    def whole_pool(self) -> Pool:
        """All groups together."""
        return self.pool(None)

    def pool(self, groups: tuple[str, ...] | None) -> Pool:
        """Return the pool of some groups, None: of all."""
        rows = self.rows_of(groups)
        of_row, group = self.of_row[rows], self.documents.group[rows]
        scale = np.zeros(self.n)
        scale[of_row] = (2.0**self.documents.levels)[group]
        present = scale > 0
        return Pool(present, np.cumsum(present) - 1, scale[present])

    def order_in(self, pool: Pool) -> TextOrder:
        """Return the order of the units of a pool, by their numbers there, where all are of one kind."""
        if pool.n == self.n:
            return self.order
        before = self.previous[pool.present]
        known = (before >= 0) & pool.present[before]
        return TextOrder.of(np.where(known, pool.numbers[before], -1))

    def is_of_one_kind(self, groups: Collection[str]) -> bool:
        """Tell whether units of these groups may be compared with the one before: lines of all, or one group.

        In a pool of several groups neighbors, being of one group, would always seem alike.
        """
        kinds = dict(zip(self.documents.groups, self.documents.kinds, strict=True))
        return len(groups) == 1 or all(kinds[group] == LINES for group in groups)

    @cached_property
    def places(self) -> Int64:
        """int64[U]: neighbors in the text have neighboring numbers, where all units are of one kind."""
        if not self.is_of_one_kind(self.documents.groups):
            return np.arange(self.n)
        return places_in_text(self.previous)

    def alike(self, reference: str | None) -> Int64:
        """Return the groups, by number, whose rows are units, those of the reference where one is named."""
        chosen = np.flatnonzero(self._by_unit)
        if reference is None:
            return chosen
        units = self.of_row[self.rows_of((reference,))]
        spans = {g: slice(int(self.bounds[g]), int(self.bounds[g + 1])) for g in chosen.tolist()}
        same = [g for g, rows in spans.items() if np.array_equal(self.of_row[rows], units)]
        return np.array(same, dtype=np.int64)

    @classmethod
    def of(cls, documents: SampledDocuments) -> Units:
        """Return the units of a sample."""
        _, first, of_row = np.unique(unit_hashes(documents), return_index=True, return_inverse=True)
        scale = (2.0**documents.levels)[documents.group]
        weight = documents.copies * scale
        return cls(documents, first.size, of_row, weight, int(scale[first].sum()))

    def rows_of(self, groups: tuple[str, ...] | None) -> Int64 | slice:
        """Return which rows are of some groups."""
        if groups is None:
            return slice(None)
        if groups not in self._rows:
            self._rows[groups] = self._found(groups)
        return self._rows[groups]

    def _found(self, groups: tuple[str, ...]) -> Int64 | slice:
        if len(groups) == 1:  # rows are sorted by group
            g = self.number_of[groups[0]]
            return slice(int(self.bounds[g]), int(self.bounds[g + 1]))
        numbers = [self.number_of[group] for group in groups]
        return np.flatnonzero(np.isin(self.documents.group, numbers)).astype(np.int64)


def _differ(numbers: Int64) -> bool:
    """Tell whether no two of some numbers are the same."""
    if (numbers[1:] > numbers[:-1]).all():  # as nearly always
        return True
    return bool(np.unique(numbers).size == numbers.size)
