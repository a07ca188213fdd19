"""Corpus -> PieceTable: text is cut and counted on its bytes, by threads that share nothing.

Memory is bounded by the distinct pieces (once per thread) and the batches in flight, never by the
corpus. Sums do not depend on order. So the counts depend neither on threads, nor on batches or
document order. `toktk.educational.count_pieces` does the same slowly.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of, read_only
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, spans
from toktk.errors import CorpusError
from toktk.pieces.beside import Beside
from toktk.pieces.table import POOLED, PieceTable, gather
from toktk.runtime import Threads

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.corpus.options import Progress
    from toktk.pretokenizers.pretokenizer import Pretokenizer

Groups = npt.NDArray[np.int32]
"""The number of each document's or piece's group."""

ONE_GROUP = "text"
"""The name of the only group, where groups are not told apart."""

_FIRST_SLOTS = 1 << 16


def count_corpus(
    corpus: Corpus,
    pretokenizer: Pretokenizer,
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
) -> PieceTable:
    """Count the pieces of `corpus`, which is read once.

    Args:
        jobs: threads that cut and count; reading goes on in the calling thread.
        by_group: keep the counts of each group apart. Training needs no groups: without them the
            table is smaller, its one group is called ``text``, and totals of characters and words
            are left out (0).
        progress: called with source bytes (of the hub: rows) as they are read.
    """
    (table,) = count_corpus_many(
        corpus, [pretokenizer], jobs=jobs, by_group=by_group, progress=progress
    )
    return table


def count_corpus_many(
    corpus: Corpus,
    pretokenizers: Sequence[Pretokenizer],
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
    beside: Sequence[Beside] = (),
) -> list[PieceTable]:
    """Count the pieces of `corpus` under each of `pretokenizers` in one reading; see `count_corpus`.

    All that is in `beside` sees the documents too.
    """
    batches = corpus.batches(progress)
    apart = len(pretokenizers) >= jobs > 1
    tallies = [
        _Tally(pretokenizers, by_group, [one.fresh() for one in beside])
        for _ in range(1 if apart else jobs)
    ]
    tables = _by_pretokenizer(batches, tallies[0], jobs) if apart else _by_batch(batches, tallies)
    for i, one in enumerate(beside):
        one.merge(tally.beside[i] for tally in tallies)
    for table in tables:
        if by_group and POOLED in table.groups:
            raise CorpusError(
                f"a group of {corpus.name} is called {POOLED!r}, which stands for all groups together.",
                "Rename the group (or the file it is named after).",
            )
    return tables


def merge(tables: Sequence[PieceTable]) -> PieceTable:
    """Return the sum of tables that were cut by the same pretokenizer."""
    signatures = [*dict.fromkeys(table.pretokenizer for table in tables)]
    if len(signatures) != 1:
        raise CorpusError(
            "cannot add piece tables that were cut differently.",
            f"Found: {' and '.join(signatures) or 'no table'}.",
            "Count all with the same pretokenizer.",
        )
    totals = GroupTotals(by_group=True)
    counter = SpanCounter(signatures[0], max(table.entry_count.size for table in tables))
    for table in tables:
        groups = totals.add_table(table)[table.entry_group]
        counter.add_spans(table.data, table.offsets, groups, table.entry_count, table.rows)
    return counter.table(totals)


class _Tally:
    """What is counted side by side: the raw text once, its pieces under each pretokenizer."""

    def __init__(
        self, pretokenizers: Sequence[Pretokenizer], by_group: bool, beside: Sequence[Beside]
    ) -> None:
        self._totals = GroupTotals(by_group)
        self.beside = beside
        self.counters = [Counter(pretokenizer) for pretokenizer in pretokenizers]

    def documents(self, batch: pa.RecordBatch) -> tuple[Bytes, Int64, Groups, Int64]:
        """Add a batch to the totals; return what each counter adds."""
        groups = self._totals.add(batch)
        data, offsets = spans(batch.column(TEXT))
        for one in self.beside:
            one.see(batch)
        return data, offsets, groups, arrow.to_numpy(batch.column(WEIGHT))

    def add(self, batch: pa.RecordBatch) -> None:
        documents = self.documents(batch)
        for counter in self.counters:
            counter.add(*documents)

    def table(self, counter: Counter) -> PieceTable:
        return counter.table(self._totals)


def _by_pretokenizer(
    batches: Iterable[pa.RecordBatch], tally: _Tally, jobs: int
) -> list[PieceTable]:
    """Count with one table for each pretokenizer, so that there is nothing to merge."""
    with Threads(jobs) as pool:
        pending: list[Future[None]] = []
        for batch in batches:
            for future in pending:
                future.result()
            documents = tally.documents(batch)
            pending = [pool.submit(counter.add, *documents) for counter in tally.counters]
        for future in pending:
            future.result()
        return list(pool.map(tally.table, tally.counters))


def _by_batch(batches: Iterable[pa.RecordBatch], tallies: list[_Tally]) -> list[PieceTable]:
    """Deal the batches to a thread for each tally, then merge; the first error stops all."""
    if len(tallies) == 1:
        for batch in batches:
            tallies[0].add(batch)
        return [*map(tallies[0].table, tallies[0].counters)]
    work: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=len(tallies))
    errors: list[BaseException] = []

    def run(tally: _Tally) -> None:
        while (batch := work.get()) is not None:
            try:
                if not errors:
                    tally.add(batch)
            except BaseException as error:
                errors.append(error)

    with Threads(len(tallies)) as pool:
        try:
            for tally in tallies:
                pool.submit(run, tally)
            for batch in batches:
                work.put(batch)
                if errors:
                    break
        finally:
            for _ in tallies:
                work.put(None)
    if errors:
        raise errors[0]
    tables = [map(tally.table, tally.counters) for tally in tallies]
    return [merge(of_pretokenizer) for of_pretokenizer in zip(*tables, strict=True)]


class GroupTotals:
    """What is counted of raw text, however it is cut: totals and alignment of each group.

    Groups are numbered in order of appearance; without `by_group` there is one, and its totals stay
    0. The columns are those of `PieceTable`.
    """

    def __init__(self, by_group: bool) -> None:
        from toktk.kernels.text_totals import N_TOTALS

        self._by_group = by_group
        self._numbers: dict[str, int] = {}
        self._flags = np.empty(0, dtype=np.uint8)
        self._totals = np.zeros((8, N_TOTALS), dtype=np.int64)
        self._aligned = np.zeros((8, 2), dtype=np.int64)

    def add(self, batch: pa.RecordBatch) -> Groups:
        """Add a batch; return int32[D]: the number of each document's group."""
        if not self._by_group:
            self._numbered([ONE_GROUP])
            return np.zeros(batch.num_rows, dtype=np.int32)
        from toktk.kernels.text_totals import add_totals

        group, align = batch.column(GROUP), batch.column(ALIGN)
        numbers = self._numbered(group.dictionary.to_pylist())
        groups: Groups = numbers[arrow.to_numpy(group.indices)]
        data, offsets = spans(batch.column(TEXT))
        weights = arrow.to_numpy(batch.column(WEIGHT))
        n = int(offsets[-1] - offsets[0])
        if n > self._flags.size:
            self._flags = np.empty(n, dtype=np.uint8)
        add_totals(data, offsets, groups, weights, self._flags, self._totals)
        if align.null_count < len(align):
            from toktk.kernels.hash import hash_spans

            aligned = groups[arrow.is_valid(align)]
            hashes = hash_spans(*spans(align.drop_null().cast(pa.large_string())))
            np.add.at(self._aligned[:, 0], aligned, 1)
            np.add.at(self._aligned[:, 1], aligned, hashes.view(np.int64))
        return groups

    def add_table(self, table: PieceTable) -> Groups:
        """Add those of a table; return int32[G]: the numbers of its groups."""
        numbers = self._numbered(table.groups)
        self._totals[numbers] += table.totals
        self._aligned[numbers] += table.aligned
        return numbers

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
        n_entries: how many different ones there will be at least; the table has room for them.
    """

    def __init__(self, pretokenizer_signature: str, n_entries: int = 0) -> None:
        from toktk.kernels import count as k

        self._kernels = k
        self._signature = pretokenizer_signature
        n_slots = _FIRST_SLOTS
        while k.is_too_small(n_slots, n_entries):
            n_slots *= 2
        self._slots = np.zeros(4 * n_slots, dtype=np.uint64)
        self._arena = np.empty(1 << 16, dtype=np.uint8)
        self._state = np.zeros(k.STATE_SIZE, dtype=np.int64)

    def add_spans(
        self, data: Bytes, offsets: Int64, groups: Groups, counts: Int64, rows: Int64 | None = None
    ) -> None:
        """Add spans, each with a group, by number, and a count.

        With `rows`, span i has those at ``rows[i]:rows[i + 1]``: as many groups and counts as it needs.
        """
        rows = np.arange(offsets.size) if rows is None else rows
        self._state[self._kernels.BEGUN :] = 0
        longest = int((np.diff(offsets) * np.diff(rows)).max(initial=0))
        while self._grow(
            self._kernels.count_spans(
                data, offsets, rows, groups, counts, self._slots, self._arena, self._state
            ),
            longest,
        ):
            pass

    def _grow(self, lack: int, room: int) -> bool:
        """Enlarge what a kernel lacks; return False when it lacks nothing."""
        k = self._kernels
        if lack == k.GROW_SLOTS:
            slots = np.zeros(2 * self._slots.size, dtype=np.uint64)
            k.rehash(self._slots, slots)
            self._slots = slots
        elif lack == k.GROW_ARENA:
            arena = np.empty(2 * self._arena.size + room, dtype=np.uint8)
            arena[: self._arena.size] = self._arena
            self._arena = arena
        return bool(lack != k.DONE)

    def table(self, totals: GroupTotals) -> PieceTable:
        """Return what was counted; the groups, which `totals` names, are in alphabetical order."""
        k = self._kernels
        n = int(self._state[k.USED])
        lengths, counts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        groups = np.empty(n, dtype=np.int32)
        k.slot_lengths(self._slots, lengths, groups, counts)
        offsets = offsets_of(lengths)
        data = np.empty(int(offsets[-1]), dtype=np.uint8)
        k.slot_bytes(self._slots, self._arena, offsets, data)
        self._slots = np.zeros(4, dtype=np.uint64)  # the entries are out; free the memory now
        names, new_index, sums, aligned = totals.in_order()
        rows, order = np.arange(n + 1), np.arange(n)
        if len(names) > 1:
            data, offsets, rows, order = _unite(data, offsets)
        entries = new_index[groups[order]] if n else np.zeros(0, dtype=np.int32), counts[order]
        return PieceTable(data, offsets, rows, *entries, names, sums, aligned, self._signature)


def _unite(data: Bytes, offsets: Int64) -> tuple[Bytes, Int64, Int64, Int64]:
    """Give equal spans of different groups one piece; return data, offsets, rows, order of entries."""
    from toktk.kernels import count as k

    n = offsets.size - 1
    heads = np.full(1 << max(n, 1).bit_length(), -1, dtype=np.int32)
    following, firsts, piece_of = (np.empty(n, dtype=np.int32) for _ in range(3))
    n_pieces = int(k.number_pieces(data, offsets, heads, following, firsts, piece_of))
    rows = offsets_of(np.bincount(piece_of, minlength=n_pieces))
    order = np.empty(n, dtype=np.int64)
    k.counting_sort(piece_of, rows.copy(), order)
    return *gather(data, offsets, order[rows[:-1]]), rows, order


class Counter(SpanCounter):
    """The pieces that one pretokenizer cuts, counted by one thread."""

    def __init__(self, pretokenizer: Pretokenizer) -> None:
        from toktk.kernels.scan import BLOCK, workspace

        super().__init__(pretokenizer.signature)
        self._pretokenizer = pretokenizer
        self._work = workspace()
        self._ends = np.empty(BLOCK, dtype=np.int64)
        self._keys = np.empty(4 * self._kernels.BLOCK, dtype=np.uint64)

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
        documents = (data, parts, groups, weights)
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
        data = read_only(data, np.uint8)  # so that the kernel compiles once
        self.add_spans(data, cuts, np.repeat(groups, counts), np.repeat(weights, counts))
