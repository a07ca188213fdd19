"""Parquet and Arrow IPC, and the rows of any table: only the columns needed, no Python object per row."""

from __future__ import annotations

import io
import mmap
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Int64, offsets_of
from toktk.arrow import pa
from toktk.corpus.batch import (
    BATCH_BYTES,
    as_string,
    constant_group,
    copied,
    group_column,
    make_batch,
    slices,
)
from toktk.corpus.options import Source, check_known
from toktk.corpus.text import check_length, longest_document
from toktk.corpus.utf8 import check_rows
from toktk.corpus.weights import whole_numbers
from toktk.errors import CorpusError

_FEW_ROWS = 256

_BYTES_OF_ONE_ROW = 16
"""What a row of text takes in a Parquet file, at least, unless most rows are equal to others."""

# A column that is null throughout has no type of its own.
_TEXT_TYPES = ("string", "large_string", "string_view", "null")

_BYTES = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}


def wanted_columns(
    source: Source, columns: Sequence[str], where: str = "", advice: str = ""
) -> list[str]:
    """Return those `columns` that the options name, each once; errors may call the table `where`."""
    options = source.options
    named = (options.text_column, options.group_column, options.align_column, options.weight_column)
    wanted = [*dict.fromkeys(name for name in named if name is not None)]
    for name in wanted:
        missing = f"{where or source.where} has no column {name!r}"
        how = "Name one with --text-column, --group-column, --align-column or --weight-column."
        check_known(name, columns, missing, *filter(None, [how, advice]))
    return wanted


def rows_to_batch(
    source: Source, rows: pa.RecordBatch, first_row: int, weight: pa.Array | None = None
) -> pa.RecordBatch:
    """Return rows of a table as a batch; count null rows and replaced sequences in `source`."""
    _check_layouts(source, rows)
    return _rows_to_batch(source, rows, first_row, weight)


def rows_to_batches(
    source: Source, rows: pa.RecordBatch, first_row: int, most: int, copy: bool = False
) -> Iterator[pa.RecordBatch]:
    """Yield rows of a table as batches of little text: many rows may share one value of a dictionary.

    A document has at most `most` bytes. With `copy` nothing yielded lies where `rows` do.
    """
    _check_layouts(source, rows)
    if sum(map(_most_bytes, rows.columns)) <= BATCH_BYTES:
        yield _rows_to_batch(source, rows, first_row, copy=copy)
        return
    nothing = np.zeros(rows.num_rows, np.int64)
    offsets = offsets_of(sum(map(_row_bytes, rows.columns), nothing))
    row = 0
    for part in slices(rows, offsets):
        end = row + part.num_rows
        check_length(
            source.where, int(offsets[end] - offsets[row]), most, f": row {first_row + row}"
        )
        yield _rows_to_batch(source, part, first_row + row, copy=copy)
        row = end


def _rows_to_batch(
    source: Source,
    rows: pa.RecordBatch,
    first_row: int,
    weight: pa.Array | None = None,
    copy: bool = False,
) -> pa.RecordBatch:
    options, where = source.options, source.where
    columns = dict(zip(rows.schema.names, map(_without_views, rows.columns), strict=True))
    text = columns[options.text_column]
    if pa.types.is_dictionary(text.type):
        text = text.dictionary_decode()
    elif copy:
        text = copied(text)
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
        values = columns[options.group_column]
        if copy and pa.types.is_dictionary(values.type):  # which may serve as it is
            values = copied(values)
        group = group_column(values, options.group_column)
    if options.weight_column is not None:
        values = columns[options.weight_column]
        weight = whole_numbers(values, options.weight_column, where, numbers)
    align = None
    if options.align_column is not None:
        align = as_string(columns[options.align_column], options.align_column)
        align = copied(align) if copy else align
    return make_batch(text, group, align, weight)


def _without_views(column: pa.Array) -> pa.Array:
    """Return string views, also those of a dictionary, as large strings: Arrow cannot filter views."""
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.dictionary.type):
        return pa.DictionaryArray.from_arrays(column.indices, _without_views(column.dictionary))
    if not pa.types.is_string_view(column.type):
        return column
    # Arrow follows the view of a null too, which no check of the layout has looked at.
    valid = arrow.is_valid(column)
    data = column.buffers()[2:]
    own = _words(column).copy()
    own[~valid] = 0
    validity = pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [validity, pa.py_buffer(own), *data]
    return pa.Array.from_buffers(column.type, len(column), buffers).cast(pa.large_string())


def _words(views: pa.Array) -> npt.NDArray[np.int32]:
    """Return int32[n, 4]: the parts of string views, of which the first is the length."""
    end = views.offset + len(views)
    words = np.frombuffer(views.buffers()[1], np.int32, 4 * end)
    return words.reshape(-1, 4)[views.offset :]


def _most_bytes(column: pa.Array) -> int:
    """Return what all rows of strings hold, at most, once they are written out."""
    if pa.types.is_dictionary(column.type):
        return len(column) * int(_row_bytes(column.dictionary).max(initial=0))
    if pa.types.is_string_view(column.type):
        return int(_row_bytes(column).sum())
    offsets = _offsets(column)
    return int(offsets[-1] - offsets[0])


def _offsets(column: pa.Array) -> Int64:
    """Return where the strings of a column end, or zeros where it holds something else."""
    n, wide = len(column), pa.types.is_large_string(column.type)
    if not n or not (wide or pa.types.is_string(column.type)):
        return np.zeros(n + 1, np.int64)
    kind, end = np.int64 if wide else np.int32, column.offset + n + 1
    offsets: Int64 = np.frombuffer(column.buffers()[1], kind, end)
    return offsets[column.offset :]


def _row_bytes(column: pa.Array) -> Int64:
    """Return int64[n]: the bytes that each row of strings holds once they are written out."""
    if pa.types.is_dictionary(column.type):
        values = np.append(_row_bytes(column.dictionary), 0)  # and of null
        index = arrow.to_numpy(column.indices).astype(np.int64)
        return values[np.where(arrow.is_valid(column.indices), index, -1)]
    if pa.types.is_string_view(column.type) and len(column):
        return np.where(arrow.is_valid(column), _words(column)[:, 0], 0).astype(np.int64)
    return np.diff(_offsets(column)).astype(np.int64)


def _check_layouts(source: Source, rows: pa.RecordBatch) -> None:
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        _check_layout(column, name, source.where)


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


def read_parquet(source: Source, file: io.FileIO) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a Parquet file; the bytes are a share by rows."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    columns = metadata.schema.to_arrow_schema()
    wanted = wanted_columns(source, columns.names)
    size, most = os.fstat(file.fileno()).st_size, longest_document(file)
    # Of whole rows: PyArrow aborts at what damage may have made of a column's metadata.
    row_groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    for part in row_groups:
        check_length(source.where, part.total_byte_size // max(part.num_rows, 1), most)
    all_bytes = max(sum(part.total_byte_size for part in row_groups), 1)
    # As many rows as hold about `BATCH_BYTES`; some more where it may not be the text that is long.
    n_rows = min(max(BATCH_BYTES * metadata.num_rows // all_bytes, _FEW_ROWS), 1 << 20)
    # Rows that take next to no bytes are of values that the file holds once, of whatever length.
    if all_bytes < _BYTES_OF_ONE_ROW * metadata.num_rows:
        n_rows = min(n_rows, max(8 * BATCH_BYTES // all_bytes, 4 * _FEW_ROWS))
    group = source.options.group_column
    # Strings alone: a nested column has no leaf of its name, and numbers have no dictionary.
    as_dictionary = [group] if group and str(columns.field(group).type) == "string" else None
    with pq.ParquetFile(file, metadata=metadata, read_dictionary=as_dictionary) as table:
        row = 0
        for rows in table.iter_batches(batch_size=n_rows, columns=wanted):
            position = size * (row + rows.num_rows) // metadata.num_rows
            for batch in rows_to_batches(source, rows, row, most):
                yield batch, position
            row += rows.num_rows


def read_arrow(source: Source, file: io.FileIO) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of an Arrow IPC file or stream, mapped into memory.

    The batches are copies: nobody may write to what was read.
    """
    size = os.fstat(file.fileno()).st_size
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    reader = pa.BufferReader(mapped)
    if size >= 6 and mapped[:6] == b"ARROW1":
        table = pa.ipc.open_file(reader)
        n = table.num_record_batches
        batches = ((table.get_batch(i), size * (i + 1) // n) for i in range(n))
    else:
        table = pa.ipc.open_stream(reader)
        batches = ((rows, reader.tell()) for rows in table)
    wanted = wanted_columns(source, table.schema.names)
    row, most = 0, longest_document(file)
    for rows, position in batches:
        for batch in rows_to_batches(source, rows.select(wanted), row, most, copy=True):
            yield batch, position
        row += rows.num_rows
