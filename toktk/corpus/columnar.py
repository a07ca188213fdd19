"""Parquet and Arrow IPC, and the rows of any table: only the columns needed, no Python object per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus.batch import (
    BATCH_BYTES,
    align_column,
    constant_group,
    group_column,
    make_batch,
)
from toktk.corpus.options import ReaderOptions, Source
from toktk.corpus.utf8 import check_rows
from toktk.errors import CorpusError, did_you_mean

# A column that is null throughout has no type of its own.
_TEXT_TYPES = ("string", "large_string", "string_view", "null")

_BYTES = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}


def wanted_columns(options: ReaderOptions, columns: Sequence[str], where: str) -> list[str]:
    """Return the columns that `options` name, each once.

    Raises:
        CorpusError: one is not among the `columns` of the table.
    """
    named = (options.text_column, options.group_column, options.align_column)
    wanted = [*dict.fromkeys(name for name in named if name is not None)]
    for name in wanted:
        if name not in columns:
            raise CorpusError(
                f"{where} has no column {name!r}{did_you_mean(name, columns)}.",
                f"Found: {', '.join(columns) or 'no columns'}.",
                "Name one with --text-column, --group-column or --align-column.",
            )
    return wanted


def rows_to_batch(
    source: Source, columns: dict[str, pa.Array], first_row: int, weight: pa.Array | None = None
) -> pa.RecordBatch:
    """Return rows of a table as a batch; count null rows and replaced sequences in `source`.

    Raises:
        CorpusError: the text column does not hold strings, or not UTF-8; a column is damaged.
    """
    options, where = source.options, source.where
    for name, column in columns.items():
        _check_layout(column, name, where)
    text = columns[options.text_column]
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    if str(text.type) not in _TEXT_TYPES:
        raise CorpusError(
            f"column {options.text_column!r} of {where} does not hold text.",
            f"Found: {text.type}.",
            "Name a string column with --text-column.",
        )
    text = text.cast(pa.large_string())
    rows: Sequence[int] = range(first_row, first_row + len(text))
    if text.null_count:
        source.null_rows += text.null_count
        keep = text.is_valid()
        rows = (np.flatnonzero(arrow.is_valid(text)) + first_row).tolist()
        text = text.filter(keep)
        columns = {name: _filtered(column, keep) for name, column in columns.items()}
        weight = None if weight is None else weight.filter(keep)
    text, replaced = check_rows(text, where, rows, options.errors)
    source.replaced += replaced
    groups = (
        constant_group(source.group, len(text))
        if options.group_column is None
        else group_column(columns[options.group_column], f"column {options.group_column!r}")
    )
    align = None
    if options.align_column is not None:
        align = align_column(columns[options.align_column], f"column {options.align_column!r}")
    return make_batch(text, groups, align, weight)


def _filtered(column: pa.Array, keep: pa.Array) -> pa.Array:
    if pa.types.is_string_view(column.type):  # which Arrow cannot filter
        column = column.cast(pa.large_string())
    return column.filter(keep)


def _check_layout(column: pa.Array, name: str, where: str) -> None:
    """Refuse a column whose offsets or indices lead out of its data: Arrow follows them unchecked."""
    try:
        if pa.types.is_dictionary(column.type):
            values = column.dictionary
            _check_layout(values, name, where)
            column = pa.DictionaryArray.from_arrays(
                column.indices, pa.nulls(len(values)), safe=False
            )
        # As bytes: whether they are UTF-8 is asked elsewhere, where they may be replaced.
        elif str(column.type) in _BYTES:
            column = column.view(_BYTES[str(column.type)])
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise CorpusError(
            f"column {name!r} of {where} is damaged.",
            f"Found: {str(error).splitlines()[0]}.",
            "Write the file anew.",
        ) from error


def read_parquet(source: Source) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a Parquet file; the bytes are a share by rows."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(source.where)
    columns = metadata.schema.to_arrow_schema()
    wanted = wanted_columns(source.options, columns.names, source.where)
    group = source.options.group_column
    # Strings alone: a nested column has no leaf of its name, and numbers have no dictionary.
    as_dictionary = [group] if group and str(columns.field(group).type) == "string" else None
    with pq.ParquetFile(source.where, metadata=metadata, read_dictionary=as_dictionary) as file:
        size = Path(source.where).stat().st_size
        rows_per_batch = _rows_per_batch(metadata, source.options.text_column)
        row = 0
        for rows in file.iter_batches(batch_size=rows_per_batch, columns=wanted):
            batch = _batch(source, rows, wanted, row)
            row += rows.num_rows
            yield batch, size * row // metadata.num_rows


def _rows_per_batch(metadata: pa.parquet.FileMetaData, text_column: str) -> int:
    """Return how many rows hold about `BATCH_BYTES` of text."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    text_bytes = sum(
        group.column(i).total_uncompressed_size
        for i in range(metadata.num_columns)
        if metadata.schema.column(i).path == text_column
        for group in groups
    )
    rows = BATCH_BYTES * metadata.num_rows // max(text_bytes, 1)
    return int(min(max(rows, 1), 1 << 20))


def read_arrow(source: Source) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of an Arrow IPC file or stream, mapped into memory."""
    with pa.memory_map(source.where) as mapped:
        row = 0
        if mapped.size() >= 6 and mapped.read_at(6, 0) == b"ARROW1":
            file = pa.ipc.open_file(mapped)
            wanted = wanted_columns(source.options, file.schema.names, source.where)
            for i in range(file.num_record_batches):
                rows = file.get_batch(i)
                position = mapped.size() * (i + 1) // file.num_record_batches
                yield _batch(source, rows, wanted, row), position
                row += rows.num_rows
            return
        stream = pa.ipc.open_stream(mapped)
        wanted = wanted_columns(source.options, stream.schema.names, source.where)
        for rows in stream:
            yield _batch(source, rows, wanted, row), mapped.tell()
            row += rows.num_rows


def _batch(
    source: Source, rows: pa.RecordBatch, wanted: list[str], first_row: int
) -> pa.RecordBatch:
    return rows_to_batch(source, {name: rows.column(name) for name in wanted}, first_row)
