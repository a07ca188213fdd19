"""One thread's count of the pieces that one pretokenizer cuts."""

from __future__ import annotations

from collections import Counter as Counts
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk.pieces.table import Int64, PieceTable

if TYPE_CHECKING:
    from toktk.pieces.totals import GroupTotals
    from toktk.pretokenizers.pretokenizer import Pretokenizer

Bytes = npt.NDArray[np.uint8]
Groups = npt.NDArray[np.int32]
"""The number of each document's or piece's group."""

_FIRST_SLOTS = 1 << 16


class Counter:
    """The pieces of one pretokenizer, counted by one thread."""

    def __init__(self, pretokenizer: Pretokenizer) -> None:
        from toktk.kernels import count as k
        from toktk.kernels.scan import BLOCK, workspace

        self._kernels = k
        self._pretokenizer = pretokenizer
        self._slots = np.zeros(4 * _FIRST_SLOTS, dtype=np.uint64)
        self._arena = np.empty(1 << 16, dtype=np.uint8)
        self._state = np.zeros(k.STATE_SIZE, dtype=np.int64)
        self._work = workspace()
        self._ends = np.empty(BLOCK, dtype=np.int64)
        self._keys = np.empty(4 * k.BLOCK, dtype=np.uint64)

    def add(self, data: Bytes, offsets: Int64, groups: Groups, weights: Int64) -> None:
        """Count documents; each has a group, by number, and a weight."""
        data, parts, owner, atoms = self._pretokenizer.prepare(data, offsets)
        if owner is not None:
            groups, weights = groups[owner], weights[owner]
        if atoms is not None:
            chosen = np.flatnonzero(atoms)
            self._add_some(data, parts, chosen, groups[chosen], weights[chosen])
            weights = np.where(atoms, 0, weights)  # not again
        self._cut_and_add(data, parts, groups, weights)

    def _cut_and_add(self, data: Bytes, offsets: Int64, groups: Groups, weights: Int64) -> None:
        """Cut documents by the pretokenizer's last pattern and count the pieces."""
        tables = self._pretokenizer.compile()
        if tables is None:
            self._add_by_regex(data, offsets, groups, weights)
            return
        text_and_tables = (data, offsets, groups, weights, tables.tables)
        self._state[self._kernels.BEGUN :] = 0
        while self._grow(
            self._kernels.count_documents(
                *text_and_tables,
                self._slots,
                self._arena,
                self._state,
                self._work,
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

    def _add_by_regex(self, data: Bytes, offsets: Int64, groups: Groups, weights: Int64) -> None:
        """Cut with the `regex` library, for a pattern that does not compile."""
        counts: Counts[tuple[str, int]] = Counts()
        for d in np.flatnonzero(weights).tolist():
            document = data[offsets[d] : offsets[d + 1]].tobytes().decode()
            g, w = int(groups[d]), int(weights[d])
            for piece in self._pretokenizer.spans(document):
                counts[piece, g] += w
        pieces = [piece.encode() for piece, _ in counts]
        self._add_spans(
            np.frombuffer(b"".join(pieces), dtype=np.uint8),
            np.cumsum([0, *map(len, pieces)], dtype=np.int64),
            np.array([g for _, g in counts], dtype=np.int32),
            np.array(list(counts.values()), dtype=np.int64),
        )

    def _add_some(
        self,
        data: Bytes,
        offsets: Int64,
        chosen: Int64,
        groups: Groups,
        counts: Int64,
    ) -> None:
        """Count the chosen spans as they are."""
        from toktk.kernels.text_totals import gather_spans

        lengths = offsets[chosen + 1] - offsets[chosen]
        packed_offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        packed = np.empty(int(packed_offsets[-1]), dtype=np.uint8)
        gather_spans(data, offsets, chosen, packed_offsets, packed)
        self._add_spans(packed, packed_offsets, groups, counts)

    def _add_spans(self, data: Bytes, offsets: Int64, groups: Groups, counts: Int64) -> None:
        rows = np.arange(offsets.size)
        self._add_entries(data, offsets, rows, groups, counts)

    def _add_entries(
        self,
        data: Bytes,
        offsets: Int64,
        rows: Int64,
        groups: Groups,
        counts: Int64,
    ) -> None:
        self._state[self._kernels.BEGUN :] = 0
        longest = int((np.diff(offsets) * np.diff(rows)).max(initial=0))
        while self._grow(
            self._kernels.count_spans(
                data, offsets, rows, groups, counts, self._slots, self._arena, self._state
            ),
            longest,
        ):
            pass

    def add_table(self, table: PieceTable, groups: Groups) -> None:
        """Add a finished table, whose groups have these numbers here."""
        of_entry = groups[table.entry_group]
        self._add_entries(table.data, table.offsets, table.rows, of_entry, table.entry_count)

    def table(self, totals: GroupTotals) -> PieceTable:
        """Return what was counted; the groups, which `totals` names, are in alphabetical order."""
        k = self._kernels
        n = int(self._state[k.USED])
        lengths, counts = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        groups = np.empty(n, dtype=np.int32)
        k.slot_lengths(self._slots, lengths, groups, counts)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        data = np.empty(int(offsets[-1]), dtype=np.uint8)
        k.slot_bytes(self._slots, self._arena, offsets, data)
        self._slots = np.zeros(4, dtype=np.uint64)  # the entries are out; free the memory now
        names, new_index, sums, aligned = totals.in_order()
        data, offsets, rows, order = _unite(data, offsets, len(names) > 1)
        return PieceTable(
            data,
            offsets,
            rows,
            new_index[groups[order]] if n else np.zeros(0, dtype=np.int32),
            counts[order],
            names,
            sums,
            aligned,
            self._pretokenizer.signature,
        )


def _unite(data: Bytes, offsets: Int64, several_groups: bool) -> tuple[Bytes, Int64, Int64, Int64]:
    """Give equal spans of different groups one piece; return data, offsets, rows, order of entries."""
    from toktk.kernels import count as k
    from toktk.kernels.text_totals import gather_spans

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
