"""Counters: pieces of documents or spans that are cut already, by group, in one hash table.

A counter is of one thread. What it holds becomes a `PieceTable`; where a bound of memory is given, it goes
elsewhere whenever the table would outgrow that, and the table is empty again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of, read_only
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, spans
from toktk.errors import CorpusError
from toktk.kernels.constants import N_TOTALS
from toktk.pieces.plain_totals import PlainTotals
from toktk.pieces.table import PieceTable, check_cut, gather
from toktk.runtime import in_threads

if TYPE_CHECKING:
    from toktk.pretokenizers.pretokenizer import Pretokenizer

Groups = npt.NDArray[np.int32]
"""The number of each document's or piece's group."""

ONE_GROUP = "text"
"""The name of the only group, where groups are not told apart."""

Slots = npt.NDArray[np.uint64]
"""A hash table of `toktk.kernels.count`, four numbers a slot."""

_Columns = tuple[Bytes, Int64, Int64, Groups, Int64]

_FIRST_SLOTS = 1 << 16
_SMALL = 1 << 26  # bytes of slots up to which a table always grows
_REPEATS = 2  # with fewer of a piece, about, a larger table would save little


class GroupTotals:
    """What is counted of raw text, however it is cut: totals and alignment of each group.

    Groups are numbered in order of appearance; without `by_group` there is one, and its totals stay
    0. The columns are those of `PieceTable`.
    """

    def __init__(self, by_group: bool) -> None:
        self._by_group = by_group
        self._numbers: dict[str, int] = {}
        self._plain = PlainTotals()
        self._totals = np.zeros((8, N_TOTALS), dtype=np.int64)
        self._aligned = np.zeros((8, 2), dtype=np.int64)

    def add(self, batch: pa.RecordBatch) -> Groups:
        """Add a batch; return int32[D]: the number of each document's group."""
        if not self._by_group:
            self._numbered([ONE_GROUP])
            return np.zeros(batch.num_rows, dtype=np.int32)
        group, align = batch.column(GROUP), batch.column(ALIGN)
        numbers = self._numbered(group.dictionary.to_pylist())
        groups: Groups = numbers[arrow.to_numpy(group.indices)]
        weights = arrow.to_numpy(batch.column(WEIGHT))
        self._plain.add(*spans(batch.column(TEXT)), groups, weights, self._totals)
        if align.null_count < len(align):
            from toktk.kernels.hash import hash_spans

            aligned = groups[arrow.is_valid(align)]
            hashes = hash_spans(*spans(align.drop_null().cast(pa.large_string())))
            np.add.at(self._aligned[:, 0], aligned, 1)
            np.add.at(self._aligned[:, 1], aligned, hashes.view(np.int64))
        return groups

    def add_table(self, table: PieceTable) -> Groups:
        """Add those of a table; return int32[G]: the numbers of its groups."""
        return self._add(table.groups, table.totals, table.aligned)

    def merge(self, other: GroupTotals) -> Groups:
        """Add those of another; return int32[G]: the number here of each of its groups."""
        n = len(other._numbers)
        return self._add([*other._numbers], other._totals[:n], other._aligned[:n])

    def _add(self, names: Sequence[str], totals: Int64, aligned: Int64) -> Groups:
        numbers = self._numbered(names)
        self._totals[numbers] += totals
        self._aligned[numbers] += aligned
        return numbers

    @property
    def names(self) -> list[str]:
        """The groups by number."""
        return [*self._numbers]

    def in_order(self) -> tuple[tuple[str, ...], Groups, Int64, Int64]:
        """Return the sorted names, int32[G]: where each number went, totals and alignment."""
        names = tuple(sorted(self._numbers))
        old = np.array([self._numbers[name] for name in names], dtype=np.int64)
        new_index = np.empty(len(names), dtype=np.int32)
        new_index[old] = np.arange(len(names))
        return names, new_index, self._totals[old], self._aligned[old]

    def _numbered(self, names: Sequence[str]) -> Groups:
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        while len(self._numbers) > len(self._totals):
            self._totals = np.vstack([self._totals, np.zeros_like(self._totals)])
            self._aligned = np.vstack([self._aligned, np.zeros_like(self._aligned)])
        return np.array(numbers, dtype=np.int32)


class SpanCounter:
    """Spans of bytes, counted by group in the hash table of `toktk.kernels.count`.

    Args:
        pretokenizer_signature: of what cut them.
        memory: bytes that the table may take where there is `spill`; else it takes what it needs.
        spill: called with the slots and the arena before the table would take more; it is emptied then. What
            one document or span needs, it takes all the same. A table that is not small takes no more
            either where most pieces of the text are new ones: to hold them all would save nothing.
    """

    def __init__(
        self,
        pretokenizer_signature: str,
        memory: int = 0,
        spill: Callable[[Slots, Bytes], None] | None = None,
    ) -> None:
        from toktk.kernels import count as k

        self._kernels = k
        self.signature = pretokenizer_signature
        self._memory = memory
        self._spill = spill
        self._slots = np.zeros(4 * _FIRST_SLOTS, dtype=np.uint64)
        self._arena = np.empty(1 << 16, dtype=np.uint8)
        self._state = np.zeros(k.STATE_SIZE, dtype=np.int64)
        self._read = 0  # bytes since the table was empty

    def reserve(self, n_entries: int) -> None:
        """Make room for as many entries as a table has whose spans will be added."""
        n_slots = self._slots.size // 4
        while self._kernels.is_too_small(n_slots, n_entries):
            n_slots *= 2
        self._resize(n_slots)

    def add_spans(
        self, data: Bytes, offsets: Int64, groups: Groups, counts: Int64, rows: Int64 | None = None
    ) -> None:
        """Add spans, each with a group, by number, and a count.

        With `rows`, span i has those at ``rows[i]:rows[i + 1]``: as many groups and counts as it needs.
        """
        rows = np.arange(offsets.size) if rows is None else rows
        data, offsets, groups, counts = _one_type(data, offsets, groups, counts)
        rows = read_only(rows, np.int64)
        self._state[self._kernels.BEGUN :] = 0
        self._read += int(offsets[-1] - offsets[0])
        longest = int((np.diff(offsets) * np.diff(rows)).max(initial=0))
        while self._grow(
            self._kernels.count_spans(
                data, offsets, rows, groups, counts, self._slots, self._arena, self._state
            ),
            longest,
        ):
            pass

    def _grow(self, lack: int, room: int) -> bool:
        """Enlarge or empty what a kernel lacks; return False when it lacks nothing."""
        k = self._kernels
        if lack == k.DONE:
            return False
        arena_used = int(self._state[k.ARENA_USED])
        # A small table grows faster. While one grows, the old and the new one are there.
        times = 4 if self._slots.nbytes <= _SMALL // 8 else 2
        slots, arena = (1 + times, 1) if lack == k.GROW_SLOTS else (1, 3)
        needed = slots * self._slots.nbytes + arena * arena_used
        used = int(self._state[k.USED])
        once = k.INLINE * used + arena_used  # bytes of all pieces, at most
        is_vain = self._slots.nbytes >= _SMALL and self._read < _REPEATS * once
        if self._spill and used and (is_vain or needed > self._memory):
            self._empty()
        elif lack == k.GROW_SLOTS:
            self._resize(times * self._slots.size // 4)
        else:
            enlarged = np.empty(2 * self._arena.size + room, dtype=np.uint8)
            enlarged[:arena_used] = self._arena[:arena_used]
            self._arena = enlarged
        return True

    def _resize(self, n_slots: int) -> None:
        if 4 * n_slots > self._slots.size:
            slots = np.zeros(4 * n_slots, dtype=np.uint64)
            self._kernels.rehash(self._slots, slots)
            self._slots = slots

    def _empty(self) -> None:
        k = self._kernels
        if self._spill and self._state[k.USED]:
            self._spill(self._slots, self._arena)
            self._slots.fill(0)
            self._state[k.USED] = self._state[k.ARENA_USED] = self._read = 0

    def release(self) -> None:
        """Give all entries to `spill`, and free the memory; nothing can be added any more."""
        self._empty()
        self._free()

    def _free(self) -> None:
        self._slots = np.zeros(4, dtype=np.uint64)
        self._arena = np.empty(0, dtype=np.uint8)

    def table(self, totals: GroupTotals) -> PieceTable:
        """Return what was counted; the groups, which `totals` names, are in alphabetical order."""
        names, new_index, sums, aligned = totals.in_order()
        columns = self._columns(new_index)
        return PieceTable(*columns, names, sums, aligned, self.signature)

    def _columns(self, new_index: Groups) -> _Columns:
        """Return data, offsets, rows, groups and counts of a table, in which group g is ``new_index[g]``."""
        data, offsets, groups, counts = entries_in(self._slots, self._arena)
        self._free()  # the entries are out
        rows = np.arange(counts.size + 1)
        if new_index.size > 1:
            data, offsets, rows, order = _unite(data, offsets)
            groups, counts = groups[order], counts[order]
        return data, offsets, rows, new_index[groups] if groups.size else groups, counts

    @property
    def n_entries(self) -> int:
        """How many pieces it holds, each once for each of its groups."""
        return int(self._state[self._kernels.USED])

    @classmethod
    def summed(
        cls, counters: Sequence[SpanCounter], totals: GroupTotals, numbers: Sequence[Groups]
    ) -> PieceTable:
        """Return what several counters counted, which are of no more use then.

        Each of as many parts, by the hash of the pieces, is added up by a thread.

        Args:
            totals: those of all. numbers: for each counter int32[G], the number there of each of its groups.
        """
        n_parts = len(counters)
        sizes, n_bytes = np.zeros((2, n_parts, n_parts), dtype=np.int64)
        k = counters[0]._kernels
        in_threads(k.size_parts, [*zip([c._slots for c in counters], sizes, n_bytes, strict=True)])
        names, new_index, sums, aligned = totals.in_order()

        def add_up(part: int) -> _Columns:
            whole = SpanCounter(counters[0].signature)
            # All pieces may be different; the table may become fuller than one that grows, but never full.
            n_slots = 1 << int(5 * sizes[:, part].sum() // 4).bit_length()
            whole._slots = np.zeros(4 * n_slots, dtype=np.uint64)
            whole._arena = np.empty(int(n_bytes[:, part].sum()), dtype=np.uint8)
            table = whole._slots, whole._arena, whole._state
            for counter, number in zip(counters, numbers, strict=True):
                k.add_slots(counter._slots, counter._arena, number, part, n_parts, *table)
            return whole._columns(new_index)

        columns = in_threads(add_up, [(part,) for part in range(n_parts)])
        for counter in counters:
            counter._free()
        data, offsets, rows, groups, counts = zip(*columns, strict=True)
        return PieceTable(
            np.concatenate(data),
            offsets_of(np.concatenate([np.diff(of_part) for of_part in offsets])),
            offsets_of(np.concatenate([np.diff(of_part) for of_part in rows])),
            np.concatenate(groups),
            np.concatenate(counts),
            *(names, sums, aligned, counters[0].signature),
        )


def entries_in(slots: Slots, arena: Bytes) -> tuple[Bytes, Int64, Groups, Int64]:
    """Return the entries of a hash table in the order of its slots: data, offsets, groups, counts."""
    from toktk.kernels import count as k

    n, n_bytes = k.size_entries(slots)
    data, offsets = np.empty(n_bytes, dtype=np.uint8), np.zeros(n + 1, dtype=np.int64)
    groups, counts = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int64)
    k.write_entries(slots, arena, data, offsets, groups, counts)
    return data, offsets, groups, counts


def numbered(data: Bytes, offsets: Int64) -> tuple[npt.NDArray[np.int32], int]:
    """Return int32[n], numbers of spans in order of first appearance, equal ones alike; and how many."""
    from toktk.kernels import count as k

    n = offsets.size - 1
    heads = np.full(1 << max(n, 1).bit_length(), -1, dtype=np.int32)
    starts, following = np.empty((2, n), dtype=np.int64)
    piece_of = np.empty(n, dtype=np.int32)
    hashes = np.empty(k.BLOCK, dtype=np.uint64)
    return piece_of, int(k.number_pieces(data, offsets, heads, starts, following, hashes, piece_of))


def _unite(data: Bytes, offsets: Int64) -> tuple[Bytes, Int64, Int64, Int64]:
    """Give equal spans of different groups one piece; return data, offsets, rows, order of entries."""
    from toktk.kernels.count import counting_sort

    piece_of, n_pieces = numbered(data, offsets)
    rows = offsets_of(np.bincount(piece_of, minlength=n_pieces))
    order = np.empty(piece_of.size, dtype=np.int64)
    counting_sort(piece_of, rows.copy(), order)
    return *gather(data, offsets, order[rows[:-1]]), rows, order


class Counter(SpanCounter):
    """The pieces that one pretokenizer cuts, counted by one thread; `memory` and `spill` as above."""

    def __init__(
        self,
        pretokenizer: Pretokenizer,
        memory: int = 0,
        spill: Callable[[Slots, Bytes], None] | None = None,
    ) -> None:
        from toktk.kernels.scan import BLOCK, workspace

        super().__init__(pretokenizer.signature, memory, spill)
        self._pretokenizer = pretokenizer
        self._work = workspace()
        self._ends = np.empty(BLOCK, dtype=np.int64)
        self._keys = np.empty(self._kernels.KEYS, dtype=np.uint64)

    def add(self, data: Bytes, offsets: Int64, groups: Groups, weights: Int64) -> None:
        """Count documents; each has a group, by number, and a weight."""
        data, parts, owner, atoms = self._pretokenizer.prepare(data, offsets)
        if owner is not None:
            groups, weights = groups[owner], weights[owner]
        if atoms is not None:
            whole = np.flatnonzero(atoms)
            self.add_spans(*gather(data, parts, whole), groups[whole], weights[whole])
            weights = np.where(atoms, 0, weights)  # not again
        transducer = self._pretokenizer.compile()
        if transducer is None:
            self._add_by_regex(data, parts, groups, weights)
            return
        documents = _one_type(data, parts, groups, weights)
        self._read += int(parts[-1] - parts[0])
        self._state[self._kernels.BEGUN :] = 0
        while self._grow(
            self._kernels.count_documents(
                *documents,
                transducer.tables,
                self._slots,
                self._arena,
                self._state,
                self._work,
                self._ends,
                self._keys,
            ),
            int(parts[-1] - parts[0]),
        ):
            pass

    def _add_by_regex(self, data: Bytes, offsets: Int64, groups: Groups, weights: Int64) -> None:
        """Cut with the `regex` library, for a pattern that does not compile."""
        cuts, firsts = self._pretokenizer.cut_parts(data, offsets, None)
        counts = np.diff(firsts)
        self.add_spans(data, cuts, np.repeat(groups, counts), np.repeat(weights, counts))


def _one_type(
    data: Bytes, offsets: Int64, groups: Groups, counts: Int64
) -> tuple[Bytes, Int64, Groups, Int64]:
    """Return views of one type, for which a kernel, and what it shares with others, compiles once."""
    return (
        read_only(data, np.uint8),
        read_only(offsets, np.int64),
        read_only(groups, np.int32),
        read_only(counts, np.int64),
    )


def merge(tables: Iterable[PieceTable]) -> PieceTable:
    """Return the sum of tables that were cut by the same pretokenizer; each is asked for when it is added."""
    totals = GroupTotals(by_group=True)
    counter: SpanCounter | None = None
    signature = ""
    for table in tables:
        if counter is None:
            counter, signature = SpanCounter(table.pretokenizer), table.pretokenizer
        check_cut(signature, table.pretokenizer)
        counter.reserve(table.entry_count.size)
        groups = totals.add_table(table)[table.entry_group]
        counter.add_spans(table.data, table.offsets, groups, table.entry_count, table.rows)
    if counter is None:
        raise CorpusError("cannot add piece tables.", "Found: no table.")
    return counter.table(totals)
