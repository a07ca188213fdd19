"""PieceTable: the distinct pieces of a corpus and how often each occurs in each group."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64, offsets_of
from toktk.arrow import pa
from toktk.corpus.batch import spans
from toktk.errors import CorpusError, StorageError

POOLED = "all"
"""The group that stands for all groups together; no group of a corpus may have this name."""

UNSPACED_LIMIT = 0.10
"""Above this share of characters from scripts without spaces, "white-space word" means nothing.

Real text of spaced languages stays far below it; Chinese, Japanese and Thai far above.
"""

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class PieceTable:
    """Pieces x groups counts, sparse, with the plain totals of the text they come from.

    Attributes:
        data: uint8, the bytes of all pieces.
        offsets: int64[n + 1]; piece p is ``data[offsets[p]:offsets[p + 1]]``. No two are equal.
        rows: int64[n + 1]; the entries of piece p are ``rows[p]:rows[p + 1]``.
        entry_group: int32[entries], index into `groups`.
        entry_count: int64[entries], occurrences, > 0.
        groups: the G names, sorted.
        totals: int64[G, 7]; columns as in toktk.kernels.text_totals.
        aligned: int64[G, 2]; documents with an alignment id, and the sum (modulo 2**64) of the
            hashes of those ids, so that two groups with the same ids have equal rows.
        pretokenizer: signature of what cut the text.
    """

    data: Bytes
    offsets: Int64
    rows: Int64
    entry_group: npt.NDArray[np.int32]
    entry_count: Int64
    groups: tuple[str, ...]
    totals: Int64
    aligned: Int64
    pretokenizer: str

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __repr__(self) -> str:
        return (
            f"PieceTable({len(self):,} distinct of {int(self.entry_count.sum()):,} pieces, "
            f"{len(self.groups)} groups, {self.pretokenizer})"
        )

    @functools.cached_property
    def counts(self) -> Int64:
        """int64[n]: occurrences of each piece over all groups."""
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        if self.entry_count.size == len(self):  # one entry each
            return self.entry_count
        sums: Int64 = np.add.reduceat(self.entry_count, self.rows[:-1])
        return sums

    @functools.cached_property
    def group_pieces(self) -> Int64:
        """int64[G]: occurrences of pieces in each group."""
        sums = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(sums, self.entry_group, self.entry_count)
        return sums

    @functools.cached_property
    def spelled(self) -> pa.Array:
        """large_binary[n]: the pieces, not copied."""
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_binary(), len(self), buffers)

    def piece(self, p: int) -> bytes:
        """Return the bytes of piece `p`."""
        return bytes(self.data[self.offsets[p] : self.offsets[p + 1]])

    def to_dict(self) -> dict[tuple[bytes, str], int]:
        """Return {(piece, group): count}; for tests and small tables."""
        return {
            (self.piece(p), self.groups[self.entry_group[e]]): int(self.entry_count[e])
            for p in range(len(self))
            for e in range(self.rows[p], self.rows[p + 1])
        }

    def write_parquet(self, path: Path) -> None:
        """Write piece, group and count, sorted; equal tables give equal bytes.

        Totals and signature go to the file's metadata.
        """
        from toktk.paths import atomic_write

        table = ascending(self)
        pieces = table.spelled
        of_entry = np.repeat(np.arange(len(table)), np.diff(table.rows))
        columns = {
            "piece": pieces.take(arrow.from_numpy(of_entry)).cast(pa.binary()),
            "group": pa.DictionaryArray.from_arrays(
                arrow.from_numpy(table.entry_group),
                arrow.from_list(self.groups, pa.string()),
            ),
            "count": arrow.from_numpy(table.entry_count),
        }
        meta = {
            "format": _FORMAT,
            "groups": self.groups,
            "totals": self.totals.tolist(),
            "aligned": self.aligned.tolist(),
            "pretokenizer": self.pretokenizer,
        }
        stored = pa.table(columns).replace_schema_metadata({"toktk": json.dumps(meta)})
        with atomic_write(path) as temporary:
            arrow.write_parquet(stored, temporary)

    @classmethod
    def read_parquet(cls, path: Path) -> PieceTable:
        """Read what `write_parquet` wrote; raise a `StorageError` if that is missing or damaged."""
        try:
            return cls._from_arrow(arrow.read_parquet(path))
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise StorageError(
                f"cannot read the piece table {path}.",
                f"Found: {type(error).__name__}: {error}.",
                "Delete the file; it will be counted anew.",
            ) from error

    @classmethod
    def _from_arrow(cls, table: pa.Table) -> PieceTable:
        meta = json.loads((table.schema.metadata or {})[b"toktk"])
        if meta["format"] != _FORMAT:
            raise ValueError(f"format {meta['format']}, not {_FORMAT}")
        if any(column.null_count for column in table.columns):
            raise ValueError("a column holds nulls")
        group = table["group"].combine_chunks().dictionary_encode()
        groups = tuple(meta["groups"])
        numbers = [groups.index(name) for name in group.dictionary.to_pylist()] or [0]
        return cls.of_rows(
            table["piece"].combine_chunks().cast(pa.large_binary()),
            np.array(numbers, dtype=np.int32)[arrow.to_numpy(group.indices)],
            arrow.to_numpy(table["count"].combine_chunks()).astype(np.int64),
            groups,
            np.array(meta["totals"], dtype=np.int64).reshape(len(groups), -1),
            np.array(meta["aligned"], dtype=np.int64).reshape(len(groups), 2),
            meta["pretokenizer"],
        )

    @classmethod
    def of_rows(
        cls,
        pieces: pa.Array,
        entry_group: npt.NDArray[np.int32],
        entry_count: Int64,
        *about: Any,
    ) -> PieceTable:
        """Return the table of rows, one for each piece and group, in which equal pieces stand together.

        Args:
            pieces: large_binary[entries]: the piece of each row.
            entry_group, entry_count: as of the table.
            about: groups, totals, aligned and pretokenizer, as of the table.
        """
        from toktk.kernels.spans import mark_new_spans

        data, offsets = spans(pieces)
        new = np.zeros(offsets.size - 1, dtype=np.uint8)
        mark_new_spans(data, offsets, np.arange(new.size), new)
        first = np.flatnonzero(new)
        rows = np.append(first, len(pieces))
        return cls(*gather(data, offsets, first), rows, entry_group, entry_count, *about)


def check_cut(signature: str, other: str) -> None:
    """Refuse to add tables up whose texts were cut by pretokenizers of different signatures.

    Raises:
        CorpusError: they differ.
    """
    if signature != other:
        raise CorpusError(
            "cannot add piece tables that were cut differently.",
            f"Found: {signature} and {other}.",
            "Count all with the same pretokenizer.",
        )


def gather(data: Bytes, offsets: Int64, chosen: Int64) -> tuple[Bytes, Int64]:
    """Return ``(data, offsets)`` of the chosen spans, in this order."""
    new_offsets = offsets_of(np.diff(offsets)[chosen])
    return packed_spans(data, offsets[chosen], new_offsets), new_offsets


def packed_spans(data: Bytes, starts: Int64, new_offsets: Int64) -> Bytes:
    """Return the spans that begin at `starts`, one after the other."""
    from toktk.kernels.spans import gather_spans

    packed = np.empty(int(new_offsets[-1]), dtype=np.uint8)
    gather_spans(data, starts, new_offsets, packed)
    return packed


def are_pieces(table: PieceTable, strings: Sequence[str | bytes]) -> npt.NDArray[np.bool_]:
    """Return bool[n]: which pieces equal one of `strings`."""
    equal = np.zeros(len(table), dtype=np.bool_)
    lengths = np.diff(table.offsets)
    for string in strings:
        spelled = string.encode() if isinstance(string, str) else string
        wanted = np.frombuffer(spelled, dtype=np.uint8)
        alike = np.flatnonzero(lengths == wanted.size)
        those = table.data[table.offsets[alike, None] + np.arange(wanted.size)]
        equal[alike[(those == wanted).all(axis=1)]] = True
    return equal


def taken(table: PieceTable, chosen: Int64) -> PieceTable:
    """Return the table of some pieces, by number, in this order; totals stay as they are."""
    data, offsets = gather(table.data, table.offsets, chosen)
    if table.entry_count.size == len(table):
        rows, entries = np.arange(chosen.size + 1), chosen
    else:
        n_entries = np.diff(table.rows)[chosen]
        rows = offsets_of(n_entries)
        entries = np.arange(rows[-1]) + np.repeat(table.rows[chosen] - rows[:-1], n_entries)
    return replace(
        table,
        data=data,
        offsets=offsets,
        rows=rows,
        entry_group=table.entry_group[entries],
        entry_count=table.entry_count[entries],
    )


def multiplied(table: PieceTable, times: npt.ArrayLike) -> PieceTable:
    """Return the table of a text whose documents count `times`, int64[G] and above 0, as often."""
    factors = np.asarray(times, dtype=np.int64)
    if (factors == 1).all():
        return table
    return replace(
        table,
        entry_count=table.entry_count * factors[table.entry_group],
        totals=table.totals * factors[:, None],
    )


def may_hold(table: PieceTable, string: str) -> bool:
    """Return whether a text may hold a string, which is not empty, by its pieces; False is sure.

    They must be all of the text, which no normalizer changed. No piece has the string within then, and no
    pieces that may stand in a row spell it.
    """
    import pyarrow.compute as pc

    spelled, pieces = string.encode(), table.spelled

    def any_piece(test: Callable[..., pa.Array], part: bytes) -> bool:
        return bool(pc.any(test(pieces, part)).as_py())

    if any_piece(pc.match_substring, spelled):
        return True
    cuts = range(1, len(spelled))
    reached = [n for n in cuts if any_piece(pc.ends_with, spelled[:n])]
    for n in cuts:
        if n not in reached:
            continue
        if any_piece(pc.starts_with, spelled[n:]):
            return True
        rest = range(n + 1, len(spelled))
        reached += [m for m in rest if are_pieces(table, [spelled[n:m]]).any()]
    return False


def chosen_pieces(table: PieceTable, kept: npt.NDArray[np.bool_]) -> PieceTable:
    """Return the table of the pieces for which `kept`, bool[n], is set; totals stay as they are."""
    return table if kept.all() else taken(table, np.flatnonzero(kept))


def ascending(table: PieceTable, chosen: Int64 | None = None) -> PieceTable:
    """Return the table with pieces in the order of their bytes, and entries in that of groups.

    With `chosen` it is one of those pieces, by number.
    """
    starts, lengths = table.offsets[:-1], np.diff(table.offsets)
    if chosen is None:
        order = by_bytes(table.data, starts, lengths)
    else:
        order = chosen[by_bytes(table.data, starts[chosen], lengths[chosen])]
    table = taken(table, order)
    if table.entry_count.size == len(table):
        return table
    of_entry = np.repeat(np.arange(len(table)), np.diff(table.rows))
    entries = np.lexsort((table.entry_group, of_entry))
    return replace(
        table,
        entry_group=table.entry_group[entries],
        entry_count=table.entry_count[entries],
    )


def by_bytes(data: Bytes, starts: Int64, lengths: Int64) -> Int64:
    """Return the order of different spans by their bytes."""
    import pyarrow.compute as pc

    from toktk.kernels.spans import sort_few

    heads = heads_of(data, starts, lengths)
    order = np.argsort(heads)
    many = np.zeros(order.size, dtype=np.uint8)
    sort_few(data, starts, lengths, heads, order, many)
    if many.any():
        alike = np.flatnonzero(many)
        tied = order[alike]
        offsets = offsets_of(lengths[tied])
        buffers = [
            None,
            pa.py_buffer(offsets),
            pa.py_buffer(packed_spans(data, starts[tied], offsets)),
        ]
        pieces = pa.Array.from_buffers(pa.large_binary(), tied.size, buffers)
        order[alike] = tied[arrow.to_numpy(pc.sort_indices(pieces))]
    return order


def heads_of(data: Bytes, starts: Int64, lengths: Int64) -> npt.NDArray[np.uint64]:
    """Return the first eight bytes of each span, zero-padded, as numbers that ascend as the bytes do."""
    from toktk.kernels.spans import write_heads

    heads = np.empty(starts.size, dtype=np.uint64)
    write_heads(data, starts, lengths, heads)
    return heads


def weighted_sum(table: PieceTable, weights: npt.ArrayLike, name: str) -> PieceTable:
    """Return all groups added up, each as often as `weights`, int64[G], says, as the one group `name`.

    Pieces that so occur nowhere are left out. So the table of some folds of a text, or of a bootstrap of
    them, is had without counting again.
    """
    times = np.asarray(weights, dtype=np.int64)
    counts = np.zeros(0, dtype=np.int64)
    if len(table):
        counts = np.add.reduceat(
            table.entry_count * times[table.entry_group], table.rows[:-1], dtype=np.int64
        )
    there = np.flatnonzero(counts)
    data, offsets = gather(table.data, table.offsets, there)
    return PieceTable(
        data,
        offsets,
        np.arange(there.size + 1),
        np.zeros(there.size, dtype=np.int32),
        counts[there],
        (name,),
        (times @ table.totals)[None],
        np.zeros((1, 2), dtype=np.int64),
        table.pretokenizer,
    )


def without_pieces(table: PieceTable, strings: Sequence[str]) -> PieceTable:
    """Return the table without the pieces that equal one of `strings`; totals stay as they are."""
    return chosen_pieces(table, ~are_pieces(table, strings)) if strings else table
