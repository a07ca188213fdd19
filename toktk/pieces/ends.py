"""Ends of a text: which documents its groups begin and end with, so that parts of it can be joined."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
UInt64 = npt.NDArray[np.uint64]


class Ends:
    """The first and the last document of each group in a part of a text.

    Attributes:
        first_unit, first_text, last_unit: uint64[G]: their hashes, by the number of the group.
        seen: bool[G]: whether the part has a document of the group.
    """

    def __init__(
        self, first_unit: UInt64, first_text: UInt64, last_unit: UInt64, seen: npt.NDArray[np.bool_]
    ) -> None:
        self.first_unit, self.first_text, self.last_unit = first_unit, first_text, last_unit
        self.seen = seen

    @classmethod
    def none(cls) -> Ends:
        """Return those of no text."""
        empty: UInt64 = np.zeros(0, dtype=np.uint64)
        return cls(empty, empty, empty, np.zeros(0, dtype=np.bool_))

    def grow(self, n_groups: int) -> None:
        """Make room for groups that are numbered from now on."""
        more = n_groups - self.seen.size
        for name, column in vars(self).items():
            setattr(self, name, np.concatenate([column, np.zeros(more, dtype=column.dtype)]))

    def go_on(self, group: Int32, unit: UInt64, text: UInt64, before: UInt64) -> None:
        """Go on with further documents; fill in the unit before the first of each group in `before`."""
        # Of several rows of a group, the one that is assigned last stays.
        rows = np.arange(group.size)
        first, last = np.full((2, self.seen.size), -1)
        first[group[::-1]], last[group] = rows[::-1], rows
        present = np.flatnonzero(last >= 0).astype(np.int32)
        firsts = first[present]
        known = self.seen[present]
        before[firsts[known]] = self._before(present[known], unit[firsts[known]])
        new = present[~known]
        self.first_unit[new], self.first_text[new] = unit[firsts[~known]], text[firsts[~known]]
        self.last_unit[present] = unit[last[present]]
        self.seen[present] = True

    def join(self, other: Ends, numbers: Int32) -> tuple[Int32, UInt64, UInt64, UInt64]:
        """Go on with a part that follows, whose group g has the number ``numbers[g]`` here.

        Returns of each first document of that part, where it is known what stands before it: group, unit,
        text, and the unit before it.
        """
        there = np.flatnonzero(other.seen)
        groups = numbers[there]
        known = self.seen[groups]
        unit, text = other.first_unit[there], other.first_text[there]
        joints = groups[known], unit[known], text[known], self._before(groups[known], unit[known])
        new = groups[~known]
        self.first_unit[new], self.first_text[new] = unit[~known], text[~known]
        self.last_unit[groups] = other.last_unit[there]
        self.seen[groups] = True
        return joints

    def _before(self, groups: Int32, unit: UInt64) -> UInt64:
        last = self.last_unit[groups]
        return np.where(last == unit, np.uint64(0), last)
