"""Documents on their way into a sample, as columns; and a group's only document, cut into blocks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, offsets_of

Int32 = npt.NDArray[np.int32]
UInt64 = npt.NDArray[np.uint64]

_N_BLOCKS = 200
_BLOCK_BYTES = 1000  # at least


@dataclass(frozen=True, eq=False)
class Rows:
    """Documents on their way into a sample; the columns are those of `SampledDocuments`.

    But for `previous`, uint64: the unit before it in its group, 0 where there is none. `size` are the
    bytes of each document, of which `data` may hold an excerpt.
    """

    group: Int32
    unit: UInt64
    text: UInt64
    aligned: npt.NDArray[np.bool_]
    copies: Int64
    previous: UInt64
    size: Int64
    data: Bytes
    offsets: Int64

    @classmethod
    def none(cls) -> Rows:
        """Return no rows."""
        return cls(
            np.empty(0, np.int32),
            np.empty(0, np.uint64),
            np.empty(0, np.uint64),
            np.empty(0, np.bool_),
            np.empty(0, np.int64),
            np.empty(0, np.uint64),
            np.empty(0, np.int64),
            np.empty(0, np.uint8),
            np.zeros(1, np.int64),
        )

    @classmethod
    def before(cls, group: Int32, unit: UInt64, text: UInt64, previous: UInt64) -> Rows:
        """Return rows of no copies, which only say what stands before others."""
        zeros = np.zeros(group.size + 1, dtype=np.int64)
        unknown = zeros[1:].astype(np.bool_)
        data = cls.none().data
        return cls(group, unit, text, unknown, zeros[1:], previous, zeros[1:], data, zeros)

    def take(self, chosen: npt.NDArray[Any], copies: Int64 | None = None) -> Rows:
        """Return some rows, by number; `copies` are theirs where they differ."""
        from toktk.pieces.table import gather

        is_all = chosen.size == self.unit.size and (np.diff(chosen, prepend=-1) == 1).all()
        if is_all and self.offsets[0] == 0 and self.offsets[-1] == self.data.size:
            return self if copies is None else replace(self, copies=copies)
        data, offsets = gather(self.data, self.offsets, chosen)
        return Rows(
            self.group[chosen],
            self.unit[chosen],
            self.text[chosen],
            self.aligned[chosen],
            self.copies[chosen] if copies is None else copies,
            self.previous[chosen],
            self.size[chosen],
            data,
            offsets,
        )

    @classmethod
    def joined(cls, parts: list[Rows]) -> Rows:
        """Return the rows of all parts, in order; nothing is copied of a part that has all."""
        parts = [part for part in parts if part.unit.size]
        if len(parts) < 2:
            return parts[0] if parts else cls.none()
        names = ("group", "unit", "text", "aligned", "copies", "previous", "size", "data")
        columns = {n: np.concatenate([getattr(part, n) for part in parts]) for n in names}
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(**columns, offsets=offsets_of(lengths))


def places_of(rows: Rows) -> Int64:
    """Return int64[D]: the place of the unit before each row, of rows by group and unit; -1 for none."""
    places = np.full(rows.unit.size, -1, dtype=np.int64)
    bounds = np.searchsorted(rows.group, np.arange(int(rows.group.max(initial=-1)) + 2))
    for first, last in itertools.pairwise(bounds.tolist()):
        unit, before = rows.unit[first:last], rows.previous[first:last]
        at = np.minimum(np.searchsorted(unit, before), max(last - first - 1, 0))
        known = np.flatnonzero((unit[at] == before) & (unit != before))
        places[first + known] = first + at[known]
    return places


def sorted_rows(group: Int32, unit: UInt64, text: UInt64) -> Int64:
    """Return the order of rows by group, unit and text; of rows that are alike in all three, any.

    Rows of one unit have one text nearly always, so one key is sorted in place of three.
    """
    from toktk.kernels.count import counting_sort

    by_unit = np.argsort(unit)
    groups = group[by_unit]
    order = np.empty(groups.size, dtype=np.int64)
    counting_sort(groups, offsets_of(np.bincount(groups)), order)
    order = by_unit[order]
    first, second = order[:-1], order[1:]
    differ = np.flatnonzero(text[first] != text[second])
    first, second = first[differ], second[differ]
    if ((unit[first] == unit[second]) & (group[first] == group[second])).any():
        return np.lexsort((text, unit, group))
    return order


def block_bounds(text: Bytes) -> list[int]:
    """Return where blocks of a document begin and end: after a line feed, else a space, where one is near."""
    raw = text.tobytes()
    n = min(_N_BLOCKS, len(raw) // _BLOCK_BYTES)
    bounds = [0]
    for b in range(1, n):
        at, end = len(raw) * b // n, len(raw) * (b + 1) // n
        near = [raw.find(mark, at, end) for mark in (b"\n", b" ")]
        cut = next((place + 1 for place in near if place >= 0), at)
        while cut < len(raw) and raw[cut] & 0xC0 == 0x80:  # not within a character
            cut += 1
        if bounds[-1] < cut < len(raw):
            bounds.append(cut)
    return [*bounds, len(raw)]


def as_blocks(text: Bytes, bounds: list[int], group: int) -> Rows:
    """Return a document as rows, which begin and end at `bounds`."""
    n = len(bounds) - 1
    unit = np.arange(n, dtype=np.uint64)  # in the order of the text
    return Rows(
        np.full(n, group, dtype=np.int32),
        unit,
        unit,
        np.zeros(n, dtype=np.bool_),
        np.ones(n, dtype=np.int64),
        np.concatenate([unit[:1], unit[:-1]]),  # the first has itself before it
        np.diff(bounds),
        text,
        np.array(bounds, dtype=np.int64),
    )
