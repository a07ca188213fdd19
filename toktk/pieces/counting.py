"""Corpus -> PieceTable: text is cut and counted on its bytes, by threads that share nothing.

Memory is bounded by the distinct pieces (once per thread) and the batches in flight, never by the corpus.
Sums do not depend on order, so neither do the counts depend on threads, batches or document order.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.corpus.batch import spans
from toktk.errors import CorpusError
from toktk.pieces.table import Int64, PieceTable

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.corpus import Corpus
    from toktk.corpus.corpus import Progress
    from toktk.pretokenizers.pretokenizer import Pretokenizer

POOLED = "all"
_FIRST_SLOTS = 1 << 16


def count_corpus(
    corpus: Corpus,
    pretokenizer: Pretokenizer,
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
) -> PieceTable:
    """Count the pieces of `corpus`.

    Args:
        corpus: read once.
        pretokenizer: cuts the text.
        jobs: threads that cut and count; reading goes on in the calling thread.
        by_group: keep the counts of each group apart. Training needs no groups: without them the
            table is smaller, its one group is called ``text``, and totals of characters and words
            are left out (0).
        progress: called with source bytes (hub: rows) as they are read.

    Raises:
        CorpusError: the text cannot be read, or a group is called "all".
    """
    counters = [_Counter(pretokenizer, by_group) for _ in range(jobs)]
    if jobs == 1:
        for batch in corpus.batches(progress):
            counters[0].add(batch)
    else:
        _in_threads(corpus.batches(progress), counters)
    tables = [counter.table() for counter in counters]
    table = tables[0] if jobs == 1 else merge(tables)
    if by_group and POOLED in table.groups:
        raise CorpusError(
            f"a group of {corpus.name} is called {POOLED!r}, which stands for all groups together.",
            "Rename the group (or the file it is named after).",
        )
    return table


def _in_threads(batches: Iterable[pa.RecordBatch], counters: list[_Counter]) -> None:
    """Deal the batches to one thread per counter; the first error stops all and is raised."""
    work: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=len(counters))
    errors: list[BaseException] = []

    def run(counter: _Counter) -> None:
        while (batch := work.get()) is not None:
            if errors:
                continue
            try:
                counter.add(batch)
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(c,), daemon=True) for c in counters]
    for thread in threads:
        thread.start()
    try:
        for batch in batches:
            work.put(batch)
            if errors:
                break
    finally:
        for _ in threads:
            work.put(None)
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


class _Counter:
    """One thread's table."""

    def __init__(self, pretokenizer: Pretokenizer, by_group: bool) -> None:
        from toktk.kernels import counting as k
        from toktk.kernels.reduction import N_TOTALS
        from toktk.kernels.scanning import SEGMENT

        self._kernels = k
        self._pretokenizer = pretokenizer
        self._by_group = by_group
        self._groups: dict[str, int] = {}
        self._slots = np.zeros(4 * _FIRST_SLOTS, dtype=np.uint64)
        self._arena = np.empty(1 << 16, dtype=np.uint8)
        self._state = np.zeros(k.STATE_SIZE, dtype=np.int64)
        self._resume = np.empty(4, dtype=np.int64)
        self._ends = np.empty(SEGMENT + 16, dtype=np.int64)
        self._keys = np.empty(4 * k.BLOCK, dtype=np.uint64)
        self._flags = np.empty(0, dtype=np.uint8)
        self._totals = np.zeros((8, N_TOTALS), dtype=np.int64)
        self._aligned = np.zeros((8, 2), dtype=np.int64)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count one batch."""
        text, group, align, weight = (batch.column(i) for i in range(4))
        data, offsets = spans(text)
        groups = self._group_indices(group)
        weights = arrow.to_numpy(weight)
        if self._by_group:
            from toktk.kernels.reduction import add_totals

            n = int(offsets[-1] - offsets[0])
            if n > self._flags.size:
                self._flags = np.empty(n, dtype=np.uint8)
            add_totals(data, offsets, groups, weights, self._flags, self._totals)
            if align.null_count < len(align):
                self._add_alignment(align, groups)
        tables = self._pretokenizer.transducer
        if tables is None:
            self._add_by_regex(text, groups, weights)
            return
        text_and_tables = (data, offsets, groups, weights, tables.tables)
        self._state[self._kernels.DOCUMENT :] = 0
        while self._grow(
            self._kernels.count_documents(
                *text_and_tables,
                self._slots,
                self._arena,
                self._state,
                self._resume,
                self._ends,
                self._keys,
            ),
            int(offsets[-1] - offsets[0]),
        ):
            pass

    def _grow(self, lack: int, room: int) -> bool:
        """Enlarge what a kernel lacks; return False when it lacks nothing."""
        k = self._kernels
        if lack == k.GROW_SLOTS:
            grown = np.zeros(2 * self._slots.size, dtype=np.uint64)
            k.rehash(self._slots, grown)
            self._slots = grown
        elif lack == k.GROW_ARENA:
            arena = np.empty(2 * self._arena.size + room, dtype=np.uint8)
            arena[: self._arena.size] = self._arena
            self._arena = arena
        return bool(lack != k.DONE)

    def _group_indices(self, group: pa.DictionaryArray) -> npt.NDArray[np.int32]:
        if not self._by_group:
            self._groups.setdefault("text", 0)
            return np.zeros(len(group), dtype=np.int32)
        known = [
            self._groups.setdefault(name, len(self._groups))
            for name in group.dictionary.to_pylist()
        ]
        while len(self._groups) > len(self._totals):
            self._totals = np.vstack([self._totals, np.zeros_like(self._totals)])
            self._aligned = np.vstack([self._aligned, np.zeros_like(self._aligned)])
        indices = arrow.to_numpy(group.indices)
        of_batch: npt.NDArray[np.int32] = np.array(known, dtype=np.int32)[indices]
        return of_batch

    def _add_alignment(self, align: pa.Array, groups: npt.NDArray[np.int32]) -> None:
        import pyarrow as pa

        from toktk.kernels.hashing import hash_spans

        valid = arrow.is_valid(align)
        hashes = hash_spans(*spans(align.drop_null().cast(pa.large_string()))).view(np.int64)
        np.add.at(self._aligned[:, 0], groups[valid], 1)
        np.add.at(self._aligned[:, 1], groups[valid], hashes)

    def _add_by_regex(self, text: pa.Array, groups: npt.NDArray[np.int32], weights: Int64) -> None:
        """Cut with the `regex` library, for a pattern that does not compile."""
        counts: Counter[tuple[str, int]] = Counter()
        for document, g, w in zip(text.to_pylist(), groups.tolist(), weights.tolist(), strict=True):
            for piece in self._pretokenizer.spans(document):
                counts[piece, g] += w
        pieces = [piece.encode() for piece, _ in counts]
        self._add_spans(
            np.frombuffer(b"".join(pieces), dtype=np.uint8),
            np.cumsum([0, *map(len, pieces)], dtype=np.int64),
            np.array([g for _, g in counts], dtype=np.int32),
            np.array(list(counts.values()), dtype=np.int64),
        )

    def _add_spans(
        self,
        data: npt.NDArray[np.uint8],
        offsets: Int64,
        groups: npt.NDArray[np.int32],
        counts: Int64,
    ) -> None:
        rows = np.arange(offsets.size)
        self._add_entries(data, offsets, rows, groups, counts)

    def _add_entries(
        self,
        data: npt.NDArray[np.uint8],
        offsets: Int64,
        rows: Int64,
        groups: npt.NDArray[np.int32],
        counts: Int64,
    ) -> None:
        self._state[self._kernels.DOCUMENT :] = 0
        longest = int((np.diff(offsets) * np.diff(rows)).max(initial=0))
        while self._grow(
            self._kernels.count_spans(
                data, offsets, rows, groups, counts, self._slots, self._arena, self._state
            ),
            longest,
        ):
            pass

    def add_table(self, table: PieceTable) -> None:
        """Add a finished table."""
        known = np.array(
            [self._groups.setdefault(name, len(self._groups)) for name in table.groups] or [0],
            dtype=np.int32,
        )
        while len(self._groups) > len(self._totals):
            self._totals = np.vstack([self._totals, np.zeros_like(self._totals)])
            self._aligned = np.vstack([self._aligned, np.zeros_like(self._aligned)])
        self._totals[known[: len(table.groups)]] += table.totals
        self._aligned[known[: len(table.groups)]] += table.aligned
        groups = known[table.entry_group]
        self._add_entries(table.data, table.offsets, table.rows, groups, table.entry_count)

    def table(self) -> PieceTable:
        """Return what was counted; the groups are in alphabetical order."""
        k = self._kernels
        n = int(self._state[k.USED])
        lengths, counts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        groups = np.empty(n, dtype=np.int32)
        k.slot_lengths(self._slots, lengths, groups, counts)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        data = np.empty(int(offsets[-1]), dtype=np.uint8)
        k.slot_bytes(self._slots, self._arena, offsets, data)
        self._slots = np.zeros(4, dtype=np.uint64)  # the entries are out; free the memory now
        names = sorted(self._groups)
        new_index = np.empty(len(names), dtype=np.int32)
        for i, name in enumerate(names):
            new_index[self._groups[name]] = i
        old = np.array([self._groups[name] for name in names], dtype=np.int64)
        data, offsets, rows, order = _unite(data, offsets, len(names) > 1)
        return PieceTable(
            data,
            offsets,
            rows,
            new_index[groups[order]] if n else np.zeros(0, dtype=np.int32),
            counts[order],
            tuple(names),
            self._totals[old],
            self._aligned[old],
            self._pretokenizer.signature,
        )


def _unite(
    data: npt.NDArray[np.uint8], offsets: Int64, several_groups: bool
) -> tuple[npt.NDArray[np.uint8], Int64, Int64, Int64]:
    """Give equal spans of different groups one piece; return data, offsets, rows, order of entries."""
    from toktk.kernels import counting as k
    from toktk.kernels.reduction import gather_spans

    n = offsets.size - 1
    if not several_groups:
        return data, offsets, np.arange(n + 1), np.arange(n)
    heads = np.full(1 << max(n, 1).bit_length(), -1, dtype=np.int32)
    following, firsts, piece_of = (np.empty(n, dtype=np.int32) for _ in range(3))
    n_pieces = int(k.number_pieces(data, offsets, heads, following, firsts, piece_of))
    rows = np.zeros(n_pieces + 1, dtype=np.int64)
    np.cumsum(np.bincount(piece_of, minlength=n_pieces), out=rows[1:])
    order = np.empty(n, dtype=np.int64)
    k.counting_sort(piece_of, rows.copy(), order)
    first = order[rows[:-1]]
    lengths = (offsets[1:] - offsets[:-1])[first]
    packed_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    packed = np.empty(int(packed_offsets[-1]), dtype=np.uint8)
    gather_spans(data, offsets, first, packed_offsets, packed)
    return packed, packed_offsets, rows, order


def merge(tables: list[PieceTable]) -> PieceTable:
    """Return the sum of tables that were cut by the same pretokenizer."""
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    total = _Counter(Pretokenizer("merged", tables[0].pretokenizer), by_group=True)
    for table in tables:
        total.add_table(table)
    merged = total.table()
    return PieceTable(
        merged.data, merged.offsets, merged.rows, merged.entry_group, merged.entry_count,
        merged.groups, merged.totals, merged.aligned, tables[0].pretokenizer,
    )  # fmt: skip
