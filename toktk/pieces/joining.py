"""Tables whose pieces ascend, merged as sorted lists are: what parts of a count come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from toktk.arrays import Bytes, Int64, offsets_of
from toktk.errors import CorpusError
from toktk.pieces.counter import GroupTotals
from toktk.pieces.table import PieceTable, check_cut, gather, heads_of

_AT_ONCE = 1 << 20  # entries that are merged at a time, at least


def joined(tables: Iterable[PieceTable]) -> PieceTable:
    """Return the sum of tables whose pieces ascend by their bytes, and their entries by group, as do its own.

    Neither the order of the tables nor into how many a count falls changes the result. Each table is asked
    for when it is added; beside the sum, as much memory is taken as that takes.

    Raises:
        CorpusError: there is none, or they were cut differently.
    """
    waiting: list[PieceTable] = []
    whole = n_waiting = 0
    for table in tables:
        if waiting:
            check_cut(waiting[0].pretokenizer, table.pretokenizer)
        waiting.append(table)
        n_waiting += table.entry_count.size
        if n_waiting > max(_AT_ONCE, whole):
            waiting = [_merged(waiting)]
            whole, n_waiting = waiting[0].entry_count.size, 0
    if not waiting:
        raise CorpusError("cannot add piece tables.", "Found: no table.")
    return _merged(waiting)


def _merged(tables: Sequence[PieceTable]) -> PieceTable:
    from toktk.kernels.spans import mark_new_spans

    if len(tables) == 1:
        return tables[0]
    totals = GroupTotals(by_group=True)
    numbers = [totals.add_table(table) for table in tables]
    names, new_number, sums, aligned = totals.in_order()
    data = np.concatenate([table.data for table in tables])
    offsets = offsets_of(np.concatenate([np.diff(table.offsets) for table in tables]))
    order = _merged_order(data, offsets, offsets_of([len(table) for table in tables]))
    new = np.zeros(order.size, dtype=np.uint8)
    mark_new_spans(data, offsets, order, new)
    firsts = np.flatnonzero(new)

    rows = offsets_of(np.concatenate([np.diff(table.rows) for table in tables]))
    counts = np.concatenate([table.entry_count for table in tables])
    groups = np.concatenate(
        [new_number[n][table.entry_group] for n, table in zip(numbers, tables, strict=True)]
    )
    if len(names) <= 1:
        counts = np.add.reduceat(counts[order], firsts) if order.size else counts
        groups, entries = groups[: firsts.size], np.arange(firsts.size + 1)
    else:
        n_entries = np.diff(rows)[order]
        begins = offsets_of(n_entries)
        at = np.arange(begins[-1]) + np.repeat(rows[order] - begins[:-1], n_entries)
        piece = np.repeat(np.cumsum(new, dtype=np.int64) - 1, n_entries)
        key = piece * len(names) + groups[at]
        by_key = np.argsort(key, kind="stable")
        distinct = np.flatnonzero(np.diff(key[by_key], prepend=-1))
        counts = np.add.reduceat(counts[at[by_key]], distinct) if at.size else counts
        groups = groups[at[by_key[distinct]]]
        entries = offsets_of(np.bincount(piece[by_key[distinct]], minlength=firsts.size))
    return PieceTable(
        *gather(data, offsets, order[firsts]), entries, groups, counts, names, sums, aligned,
        tables[0].pretokenizer,
    )  # fmt: skip


def _merged_order(data: Bytes, offsets: Int64, bounds: Int64) -> Int64:
    """Return the order of spans by their bytes; between two of `bounds` they ascend."""
    from toktk.kernels.spans import merge_ascending

    heads = heads_of(data, offsets[:-1], np.diff(offsets))
    order, merged = np.arange(heads.size), np.empty(heads.size, dtype=np.int64)
    while bounds.size > 2:
        merge_ascending(data, offsets, heads, order, bounds, merged)
        order, merged = merged, order
        bounds = np.append(bounds[:-1:2], bounds[-1])
    return order
