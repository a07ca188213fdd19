"""Parquet and Arrow IPC: only the columns needed, and no Python object per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from toktk import arrow
from toktk.corpus.batch import (
    BATCH_BYTES,
    align_column,
    constant_group,
    group_column,
    make_batch,
)
from toktk.corpus.options import ReaderOptions
from toktk.corpus.utf8 import check_rows
from toktk.errors import CorpusError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.corpus.readers import FileReader


# A column that is null throughout has no type of its own.
_TEXT_TYPES = ("string", "large_string", "string_view", "null")

_BYTES = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}


def wanted_columns(options: ReaderOptions, found: Sequence[str], source: str) -> list[str]:
    """Return the columns that `options` name, each once.

    Raises:
        CorpusError: one is not among those `found`.
    """
    named = (options.text_column, options.group_column, options.align_column)
    wanted = [*dict.fromkeys(name for name in named if name is not None)]
    for name in wanted:
        if name not in found:
            raise CorpusError(
                f"{source} has no column {name!r}{did_you_mean(name, found)}.",
                f"Found: {', '.join(found) or 'no columns'}.",
                "Name one with --text-column, --group-column or --align-column.",
            )
    return wanted


def rows_to_batch(
    columns: dict[str, pa.Array],
    options: ReaderOptions,
    source: str,
    first_row: int,
    group: str,
) -> tuple[pa.RecordBatch, int, int]:
    """Return ``(batch, null rows skipped, sequences replaced)`` for rows of a table.

    Raises:
        CorpusError: the text column does not hold strings, or not UTF-8; a column is damaged.
    """
    import pyarrow as pa

    for name, column in columns.items():
        _check_layout(column, name, source)
    text = columns[options.text_column]
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    if str(text.type) not in _TEXT_TYPES:
        raise CorpusError(
            f"column {options.text_column!r} of {source} does not hold text.",
            f"Found: {text.type}.",
            "Name a string column with --text-column.",
        )
    text = text.cast(pa.large_string())
    rows: Sequence[int] = range(first_row, first_row + len(text))
    nulls = text.null_count
    if nulls:
        keep = text.is_valid()
        rows = (np.flatnonzero(arrow.is_valid(text)) + first_row).tolist()
        text = text.filter(keep)
        columns = {name: column.filter(keep) for name, column in columns.items()}
    text, replaced = check_rows(text, source, rows, options.errors)
    groups = (
        constant_group(group, len(text))
        if options.group_column is None
        else group_column(columns[options.group_column], f"column {options.group_column!r}")
    )
    align = None
    if options.align_column is not None:
        align = align_column(columns[options.align_column], f"column {options.align_column!r}")
    return make_batch(text, groups, align), nulls, replaced


def _check_layout(column: pa.Array, name: str, source: str) -> None:
    """Refuse a column whose offsets or indices lead out of its data: Arrow follows them unchecked.

    Raises:
        CorpusError: naming file and column.
    """
    import pyarrow as pa

    try:
        if pa.types.is_dictionary(column.type):
            values = column.dictionary
            _check_layout(values, name, source)
            column = pa.DictionaryArray.from_arrays(
                column.indices, pa.nulls(len(values)), safe=False
            )
        # As bytes: whether they are UTF-8 is asked elsewhere, where they may be replaced.
        elif str(column.type) in _BYTES:
            column = column.view(_BYTES[str(column.type)])
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CorpusError(
            f"column {name!r} of {source} is damaged.",
            f"Found: {str(error).splitlines()[0]}.",
            "Write the file anew.",
        ) from error


def _batch(
    reader: FileReader, rows: pa.RecordBatch, wanted: list[str], first_row: int
) -> pa.RecordBatch:
    columns = {name: rows.column(name) for name in wanted}
    source = str(reader.path)
    batch, nulls, replaced = rows_to_batch(columns, reader.options, source, first_row, reader.group)
    reader.null_rows += nulls
    reader.replaced += replaced
    return batch


def read_parquet(reader: FileReader) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a Parquet file; the bytes are a share by rows.

    Raises:
        CorpusError: a column is missing, not text, or not UTF-8.
    """
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(reader.path)
    columns = metadata.schema.to_arrow_schema()
    wanted = wanted_columns(reader.options, columns.names, str(reader.path))
    group = reader.options.group_column
    # Strings alone: a nested column has no leaf of its name, and numbers have no dictionary.
    as_dictionary = [group] if group and str(columns.field(group).type) == "string" else None
    with pq.ParquetFile(reader.path, metadata=metadata, read_dictionary=as_dictionary) as file:
        total = metadata.num_rows
        row = 0
        size = _rows_per_batch(metadata, reader.options.text_column)
        for rows in file.iter_batches(batch_size=size, columns=wanted):
            batch = _batch(reader, rows, wanted, row)
            row += rows.num_rows
            yield batch, reader.size * row // total


def _rows_per_batch(metadata: pa.parquet.FileMetaData, text_column: str) -> int:
    """Return how many rows hold about `BATCH_BYTES` of text."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    bytes_ = sum(
        group.column(i).total_uncompressed_size
        for i in range(metadata.num_columns)
        if metadata.schema.column(i).path == text_column
        for group in groups
    )
    rows = BATCH_BYTES * metadata.num_rows // max(bytes_, 1)
    return int(min(max(rows, 1), 1 << 20))


def read_arrow(reader: FileReader) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of an Arrow IPC file or stream, mapped into memory.

    Raises:
        CorpusError: a column is missing, not text, or not UTF-8.
    """
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(reader.path)) as source:
        row = 0
        if source.size() >= 6 and source.read_at(6, 0) == b"ARROW1":
            file = ipc.open_file(source)
            wanted = wanted_columns(reader.options, file.schema.names, str(reader.path))
            for i in range(file.num_record_batches):
                rows = file.get_batch(i)
                position = reader.size * (i + 1) // file.num_record_batches
                yield _batch(reader, rows, wanted, row), position
                row += rows.num_rows
            return
        stream = ipc.open_stream(source)
        wanted = wanted_columns(reader.options, stream.schema.names, str(reader.path))
        for rows in stream:
            yield _batch(reader, rows, wanted, row), source.tell()
            row += rows.num_rows
