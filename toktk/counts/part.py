"""Parts of a count: the pieces of one partition in Parquet, ascending by their bytes, then by group.

Columns: ``piece`` (binary), ``group`` (dictionary of string), ``count`` (int64). Equal content gives equal
bytes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toktk import arrow
from toktk.arrays import Int64, offsets_of, runs
from toktk.arrow import pa
from toktk.errors import CorpusError, StorageError
from toktk.pieces.table import PieceTable, gather

TRAINING, HELD_OUT = "training", "held-out"
SIDES = (TRAINING, HELD_OUT)
"""What a count keeps apart: what is trained on, and what is measured on."""

_ROWS = 1 << 18  # of a row group
_BYTES = 1 << 26  # of the pieces of a row group
_LONGEST = (1 << 31) - 1  # bytes of a piece that Parquet holds


@dataclass(frozen=True)
class Sizes:
    """How much a table holds.

    Attributes:
        pieces: as often as they occur.
        text_bytes: of them.
        distinct: different pieces.
        piece_bytes: of them, each once.
        entries: different pieces times groups, where they occur.
    """

    pieces: int
    text_bytes: int
    distinct: int
    piece_bytes: int
    entries: int

    @classmethod
    def of(cls, table: PieceTable) -> Sizes:
        """Return those of a table."""
        return cls(
            int(table.counts.sum()),
            int(table.counts @ np.diff(table.offsets)),
            len(table),
            table.data.size,
            table.entry_count.size,
        )

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(*(a + b for a, b in zip(_values(self), _values(other), strict=True)))

    def __sub__(self, other: Sizes) -> Sizes:
        return Sizes(*(a - b for a, b in zip(_values(self), _values(other), strict=True)))


NOTHING = Sizes(0, 0, 0, 0, 0)


def _values(sizes: Sizes) -> list[int]:
    return [*vars(sizes).values()]


def folder_of(side: str, partition: int) -> str:
    """Return where the parts of a partition lie, as DuckDB and others name it."""
    return f"side={side}/part={partition:03d}"


def write_part(table: PieceTable, path: Path) -> None:
    """Write a table whose pieces ascend; only the groups that occur in it are named.

    Raises:
        OSError: it cannot be written.
        CorpusError: a piece is too long for Parquet.
    """
    import pyarrow.parquet as pq

    longest = int(np.diff(table.offsets).max(initial=0))
    if longest > _LONGEST:
        raise CorpusError(
            f"cannot write a piece of {longest:,} bytes.",
            f"Found: Parquet holds up to {_LONGEST:,}.",
            "Choose a pretokenizer that cuts such text, or cut its documents.",
        )

    present = np.unique(table.entry_group)
    number = np.zeros(len(table.groups), dtype=np.int32)
    number[present] = np.arange(present.size)
    names = arrow.from_list([table.groups[g] for g in present.tolist()], pa.string())
    schema = pa.schema(
        [
            ("piece", pa.binary()),
            ("group", pa.dictionary(pa.int32(), pa.string())),
            ("count", pa.int64()),
        ]
    )
    of_entry = np.repeat(np.arange(len(table)), np.diff(table.rows))
    lengths = np.diff(table.offsets)[of_entry]
    is_plain = of_entry.size == len(table)  # each piece is written once, so that none is copied
    with (
        pa.OSFile(os.fsencode(path), "wb") as raw,
        pq.ParquetWriter(
            raw,
            schema,
            compression="zstd",
            use_dictionary=["group", "count"],
            column_encoding={"piece": "DELTA_BYTE_ARRAY"},
        ) as writer,
    ):
        for first, last in runs(offsets_of(lengths), _ROWS, _BYTES):
            if is_plain:
                offsets = table.offsets[first : last + 1]
                data, offsets = table.data[offsets[0] : offsets[-1]], offsets - offsets[0]
            else:
                data, offsets = gather(table.data, table.offsets, of_entry[first:last])
            buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
            groups = arrow.from_numpy(number[table.entry_group[first:last]])
            columns = [
                pa.Array.from_buffers(pa.binary(), last - first, buffers),
                pa.DictionaryArray.from_arrays(groups, names),
                arrow.from_numpy(table.entry_count[first:last]),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def read_part(path: Path, signature: str) -> PieceTable:
    """Return the table in a part, cut by the pretokenizer of that signature; its totals are 0.

    Raises:
        StorageError: the file is no part of a count.
    """
    with _refusing(path):
        stored = arrow.read_parquet(path, ["piece", "group", "count"])
        if any(column.null_count for column in stored.columns):
            raise ValueError("a column holds nulls")
        pieces = stored["piece"].cast(pa.large_binary()).combine_chunks()
        counts = arrow.to_numpy(stored["count"].cast(pa.int64()).combine_chunks())
        group = stored["group"].dictionary_encode().unify_dictionaries().combine_chunks()
    names = group.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    number = np.zeros(max(len(names), 1), dtype=np.int32)
    number[order] = np.arange(len(names))
    return PieceTable.of_rows(
        pieces,
        number[arrow.to_numpy(group.indices)],
        counts,
        tuple(names[i] for i in order),
        _zeros(len(names), 7),
        _zeros(len(names), 2),
        signature,
    )


def n_pieces(path: Path) -> int:
    """Return how many pieces are in a part, as often as they occur.

    Raises:
        StorageError: the file is no part of a count.
    """
    import pyarrow.compute as pc

    with _refusing(path):
        return int(pc.sum(arrow.read_parquet(path, ["count"])["count"]).as_py() or 0)


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise StorageError(
            f"{path} is no part of a count.",
            f"Found: {type(error).__name__}: {error}.",
            "Count again what it belongs to.",
        ) from error


def _zeros(*shape: int) -> Int64:
    return np.zeros(shape, dtype=np.int64)
