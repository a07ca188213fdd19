"""Counting with a bound of memory: what does not fit goes to disk, by partition.

A run is what a hash table held when it was full. It lies in a file, in the order of partitions: classes of
pieces by the hash of their bytes. So to join runs takes the memory of one partition at a time. Order and
number of the runs show nowhere: a partition lists its pieces by their bytes.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.corpus.batch import TEXT, WEIGHT, spans
from toktk.errors import StorageError
from toktk.pieces.counter import (
    Counter,
    Groups,
    GroupTotals,
    Slots,
    SpanCounter,
    entries_in,
)
from toktk.pieces.table import PieceTable, ascending, gather, taken

if TYPE_CHECKING:
    from toktk.arrow import pa
    from toktk.pretokenizers.pretokenizer import Pretokenizer

PARTITIONS = 64
"""Into how many partitions a count falls, unless told otherwise."""

_SALT = 31  # apart from the hashes that choose documents
_BLOCK = 1 << 20  # slots that are sorted at once: what that takes does not grow with the table

_FEW = 1 << 21  # entries of tables that are joined whole; of more, a partition at a time

Spans = tuple[Bytes, Int64, Groups, Int64, Int64 | None]
"""What `SpanCounter.add_spans` takes."""


def partition_of(data: Bytes, offsets: Int64, n_partitions: int) -> npt.NDArray[np.int32]:
    """Return int32[n]: the partition of each span, by the hash of its bytes; the same for ever."""
    from toktk.kernels.hash import hash_spans, mix

    high = mix(hash_spans(data, offsets), _SALT) >> np.uint64(32)
    return (high * np.uint64(n_partitions) >> np.uint64(32)).astype(np.int32)


def _by_partition(data: Bytes, offsets: Int64, n_partitions: int) -> tuple[Int64, Int64]:
    """Return the order of spans by partition, and where each partition begins in it and the last ends."""
    from toktk.kernels.count import counting_sort

    partitions = partition_of(data, offsets, n_partitions)
    bounds = offsets_of(np.bincount(partitions, minlength=n_partitions))
    order = np.empty(partitions.size, dtype=np.int64)
    counting_sort(partitions, bounds.copy(), order)
    return order, bounds


class _Block(NamedTuple):
    """Where a block of entries lies in a file; of partition k, ``entries[k]:entries[k + 1]``."""

    place: int
    entries: Int64
    bytes: Int64


class RunFile:
    """The runs of one counter, in a file of a folder; there is none before there is a run."""

    def __init__(self, folder: Callable[[], Path], n_partitions: int) -> None:
        self._path = functools.cache(lambda: folder() / f"{os.urandom(8).hex()}.runs")
        self._n_partitions = n_partitions
        self._blocks: list[_Block] = []
        self._size = 0

    def add(self, slots: Slots, arena: Bytes) -> None:
        """Write what a hash table holds.

        Raises:
            StorageError: the disk is full, or cannot be written.
        """
        for first in range(0, slots.size, 4 * _BLOCK):
            entries = entries_in(slots[first : first + 4 * _BLOCK], arena)
            if entries[3].size:
                self._write(*entries)

    def _write(self, data: Bytes, offsets: Int64, groups: Groups, counts: Int64) -> None:
        order, bounds = _by_partition(data, offsets, self._n_partitions)
        data, offsets = gather(data, offsets, order)
        columns = counts[order], groups[order], np.diff(offsets).astype(np.uint32)
        path = self._path()
        try:
            with path.open("ab") as file:
                for first, last in itertools.pairwise(bounds.tolist()):
                    for column in columns:
                        file.write(column[first:last].data)
                    file.write(data[offsets[first] : offsets[last]].data)
        except OSError as error:
            raise StorageError(
                f"cannot write {offsets[-1] + 16 * counts.size:,} bytes of counts beside the "
                f"{self._size:,} that are there, to {path.parent}.",
                f"Found: {error.strerror or error}.",
                "Free space, choose a place with more of it by TOKTK_HOME=DIR, or give a larger --memory: "
                "then fewer counts go to disk.",
            ) from error
        self._blocks.append(_Block(self._size, bounds, offsets[bounds]))
        self._size += int(offsets[-1]) + 16 * counts.size

    def __len__(self) -> int:
        return len(self._blocks)

    def partition(self, k: int) -> Iterator[Spans]:
        """Yield the spans of a partition, run by run.

        Raises:
            StorageError: the file cannot be read.
        """
        if not self._blocks:
            return
        path = self._path()
        try:
            with path.open("rb") as file:
                for place, entries, n_bytes in self._blocks:
                    n, size = int(np.diff(entries)[k]), int(np.diff(n_bytes)[k])
                    file.seek(place + 16 * int(entries[k]) + int(n_bytes[k]))
                    content = np.empty(16 * n + size, dtype=np.uint8)
                    if file.readinto(content.data) < content.size:
                        raise OSError("the file is shorter than it was")
                    counts, groups, lengths, data = np.split(content, [8 * n, 12 * n, 16 * n])
                    yield (
                        data,
                        offsets_of(lengths.view(np.uint32)),
                        groups.view(np.int32),
                        counts.view(np.int64),
                        None,
                    )
        except OSError as error:
            raise StorageError(
                f"cannot read counts back from {path}.",
                f"Found: {error.strerror or error}.",
                "Count again.",
            ) from error


class _Held:
    """A table in memory, by partition."""

    def __init__(self, table: PieceTable, n_partitions: int) -> None:
        self._table = table
        self._order, self._bounds = _by_partition(table.data, table.offsets, n_partitions)

    def partition(self, k: int) -> Iterator[Spans]:
        """Yield the spans of a partition."""
        part = taken(self._table, self._of(k))
        yield part.data, part.offsets, part.entry_group, part.entry_count, part.rows

    def ascending(self, k: int) -> PieceTable:
        """Return the table of the pieces of a partition, ascending."""
        return ascending(self._table, self._of(k))

    def _of(self, k: int) -> Int64:
        return self._order[self._bounds[k] : self._bounds[k + 1]]


class SpillingCounter(Counter):
    """A `Counter` that writes runs to `file` where it would take more than `memory` bytes.

    `folder` returns the folder of that file, when there is something to write.
    """

    def __init__(
        self,
        pretokenizer: Pretokenizer,
        memory: int,
        folder: Callable[[], Path],
        n_partitions: int = PARTITIONS,
    ) -> None:
        self.file = RunFile(folder, n_partitions)
        super().__init__(pretokenizer, memory, self.file.add)


class BoundedCounter:
    """Counts the batches of a corpus in one thread.

    Args:
        pretokenizer: cuts them.
        memory: bytes that the table of counts may take; what does not fit goes to `folder`.
        folder: an empty folder of whoever counts, who removes it when the `Runs` are no longer needed.
        n_partitions: in which the runs are, and are joined later.
        by_group: keep the counts of each group apart; else there is one group, whose totals are 0.
    """

    def __init__(
        self,
        pretokenizer: Pretokenizer,
        memory: int,
        folder: Path,
        *,
        n_partitions: int = PARTITIONS,
        by_group: bool = True,
    ) -> None:
        self._totals = GroupTotals(by_group)
        self._counter = SpillingCounter(pretokenizer, memory, lambda: folder, n_partitions)
        self._n_partitions = n_partitions

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of a corpus.

        Raises:
            StorageError: the disk is full, or cannot be written.
        """
        groups = self._totals.add(batch)
        self._counter.add(*spans(batch.column(TEXT)), groups, arrow.to_numpy(batch.column(WEIGHT)))

    def finish(self) -> Runs:
        """Return what was counted; nothing can be added any more."""
        return Runs.of([self._counter], [self._totals], self._n_partitions)


class Runs:
    """What was counted: one table in memory, or parts, in memory or on disk, by partition.

    Attributes:
        groups, totals, aligned: as of a `PieceTable`, of all that was counted.
        pretokenizer: signature of what cut the text.
        n_partitions: how many partitions there are; some may be empty.
        spilled: whether a part is on disk.
    """

    def __init__(
        self,
        in_memory: PieceTable | None,
        parts: Sequence[tuple[RunFile | _Held, Groups]],
        totals: GroupTotals,
        pretokenizer: str,
        n_partitions: int,
    ) -> None:
        self._table = in_memory
        self._held: _Held | None = None  # that table by partition, once one is asked for
        self._parts = parts
        self._sums = totals
        self.groups, _, self.totals, self.aligned = totals.in_order()
        self.pretokenizer = pretokenizer
        self.n_partitions = n_partitions
        self.spilled = any(isinstance(part, RunFile) for part, _ in parts)

    @classmethod
    def of(
        cls,
        counters: Sequence[SpillingCounter],
        totals: Sequence[GroupTotals],
        n_partitions: int = PARTITIONS,
    ) -> Runs:
        """Return what several counters counted, each with its `totals`; they are of no more use."""
        sums = GroupTotals(by_group=True)
        numbers = [sums.merge(of_counter) for of_counter in totals]
        about = sums, counters[0].signature, n_partitions
        if any(len(counter.file) for counter in counters):
            for counter in counters:
                counter.release()
            files = [counter.file for counter in counters]
            return cls(None, [*zip(files, numbers, strict=True)], *about)
        if len(counters) == 1:
            return cls(counters[0].table(totals[0]), [], *about)
        if sum(counter.n_entries for counter in counters) <= _FEW:
            return cls(SpanCounter.summed(counters, sums, numbers), [], *about)
        tables = [c.table(t) for c, t in zip(counters, totals, strict=True)]
        of_names = {name: number for number, name in enumerate(sums.names)}
        parts = [
            (_Held(table, n_partitions), np.array([of_names[g] for g in table.groups], np.int32))
            for table in tables
        ]
        return cls(None, parts, *about)

    def partition(self, k: int) -> PieceTable:
        """Return the pieces of a partition, ascending by bytes, and their entries by group.

        Its groups, totals and alignment are those of all that was counted.
        """
        if self._table is None:
            return ascending(self._joined(k))
        if self._held is None:
            self._held = _Held(self._table, self.n_partitions)
        return self._held.ascending(k)

    def _joined(self, k: int) -> PieceTable:
        counter = SpanCounter(self.pretokenizer)
        for part, numbers in self._parts:
            for data, offsets, groups, counts, rows in part.partition(k):
                counter.add_spans(data, offsets, numbers[groups], counts, rows)
        return counter.table(self._sums)

    def table(self) -> PieceTable:
        """Return the table of all pieces, in any order."""
        if self._table is not None:
            return self._table
        data, groups, counts = _Growing(np.uint8), _Growing(np.int32), _Growing(np.int64)
        offsets, rows = _Growing(np.int64, [0]), _Growing(np.int64, [0])
        for k in range(self.n_partitions):
            part = self._joined(k)
            offsets.append(part.offsets[1:] + data.array.size)
            rows.append(part.rows[1:] + counts.array.size)
            data.append(part.data)
            if len(self.groups) > 1:
                groups.append(part.entry_group)
            counts.append(part.entry_count)
        return PieceTable(
            data.array,
            offsets.array,
            rows.array,
            groups.array if len(self.groups) > 1 else np.zeros(counts.array.size, np.int32),
            counts.array,
            self.groups,
            self.totals,
            self.aligned,
            self.pretokenizer,
        )


class _Growing:
    """An array to which arrays are appended, in place where the system can do that: no second copy."""

    def __init__(self, dtype: npt.DTypeLike, first: Sequence[int] = ()) -> None:
        self.array: npt.NDArray[Any] = np.array(first, dtype)

    def append(self, array: npt.NDArray[Any]) -> None:
        n = self.array.size
        self.array.resize(n + array.size, refcheck=False)
        self.array[n:] = array
