"""Parquet and Arrow IPC, and the rows of any table: only the columns needed, no Python object per row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus.batch import BATCH_BYTES, as_string, constant_group, group_column, make_batch
from toktk.corpus.options import Source, check_known
from toktk.corpus.utf8 import check_rows
from toktk.errors import CorpusError

# A column that is null throughout has no type of its own.
_TEXT_TYPES = ("string", "large_string", "string_view", "null")

_BYTES = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}


def wanted_columns(source: Source, columns: Sequence[str], where: str = "") -> list[str]:
    """Return those `columns` that the options name, each once; errors may call the table `where`."""
    options = source.options
    named = (options.text_column, options.group_column, options.align_column)
    wanted = [*dict.fromkeys(name for name in named if name is not None)]
    for name in wanted:
        missing = f"{where or source.where} has no column {name!r}"
        advice = "Name one with --text-column, --group-column or --align-column."
        check_known(name, columns, missing, advice)
    return wanted


def rows_to_batch(
    source: Source, rows: pa.RecordBatch, first_row: int, weight: pa.Array | None = None
) -> pa.RecordBatch:
    """Return rows of a table as a batch; count null rows and replaced sequences in `source`."""
    options, where = source.options, source.where
    columns = {}
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        _check_layout(column, name, where)
        is_view = pa.types.is_string_view(column.type)  # which Arrow cannot filter
        columns[name] = column.cast(pa.large_string()) if is_view else column
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
    numbers = np.arange(first_row, first_row + len(text))
    if text.null_count:
        source.null_rows += text.null_count
        keep = text.is_valid()
        numbers = numbers[arrow.is_valid(text)]
        text = text.filter(keep)
        columns = {name: column.filter(keep) for name, column in columns.items()}
        weight = None if weight is None else weight.filter(keep)
    text, replaced = check_rows(
        text, lambda i, byte: f"{where}, row {numbers[i]}, byte {byte}", options.errors
    )
    source.replaced += replaced
    if options.group_column is None:
        group = constant_group(source.group, len(text))
    else:
        group = group_column(columns[options.group_column], options.group_column)
    align = None
    if options.align_column is not None:
        align = as_string(columns[options.align_column], options.align_column)
    return make_batch(text, group, align, weight)


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
    wanted = wanted_columns(source, columns.names)
    group = source.options.group_column
    # Strings alone: a nested column has no leaf of its name, and numbers have no dictionary.
    as_dictionary = [group] if group and str(columns.field(group).type) == "string" else None
    with pq.ParquetFile(source.where, metadata=metadata, read_dictionary=as_dictionary) as file:
        size = Path(source.where).stat().st_size
        # As many rows as hold about `BATCH_BYTES` of text.
        row_groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        text_bytes = sum(
            row_group.column(i).total_uncompressed_size
            for i in range(metadata.num_columns)
            if metadata.schema.column(i).path == source.options.text_column
            for row_group in row_groups
        )
        n_rows = BATCH_BYTES * metadata.num_rows // max(text_bytes, 1)
        n_rows = min(max(n_rows, 1), 1 << 20)
        row = 0
        for rows in file.iter_batches(batch_size=n_rows, columns=wanted):
            batch = rows_to_batch(source, rows, row)
            row += rows.num_rows
            yield batch, size * row // metadata.num_rows


def read_arrow(source: Source) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of an Arrow IPC file or stream, mapped into memory."""
    with pa.memory_map(source.where) as mapped:
        size = mapped.size()
        if size >= 6 and mapped.read_at(6, 0) == b"ARROW1":
            table = pa.ipc.open_file(mapped)
            n = table.num_record_batches
            batches = ((table.get_batch(i), size * (i + 1) // n) for i in range(n))
        else:
            table = pa.ipc.open_stream(mapped)
            batches = ((rows, mapped.tell()) for rows in table)
        wanted = wanted_columns(source, table.schema.names)
        row = 0
        for rows, position in batches:
            yield rows_to_batch(source, rows.select(wanted), row), position
            row += rows.num_rows
