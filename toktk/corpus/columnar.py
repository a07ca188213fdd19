"""Parquet and Arrow IPC, and the rows of any table: only the columns needed, no Python object per row."""

from __future__ import annotations

import io
import itertools
import mmap
import os
from collections.abc import Iterator, Sequence
from typing import Any

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
from toktk.corpus.nested import as_large_string, column_at, outer
from toktk.corpus.options import Source, check_known
from toktk.corpus.text import check_length, longest_document
from toktk.corpus.utf8 import check_rows
from toktk.corpus.weights import whole_numbers
from toktk.errors import CorpusError

_FEW_ROWS, _SOME_ROWS, _MOST_ROWS = 1 << 8, 1 << 10, 1 << 16

_DICTIONARY_BYTES = 1 << 22
"""What the values take that the rows of a group may share: writers give up on more than 1 MB or so."""
_INDEX_BYTES = 8
"""What a row takes, at most, that refers to such a value."""
_SHORT_ROW = 256

_NOT_UTF8 = "a name that is not UTF-8"

_NAME_ONE = "Name one with --text-column, --group-column, --align-column or --weight-column."

# A column that is null throughout has no type of its own.
_TEXT_TYPES = ("string", "large_string", "binary", "large_binary", "null")

_SHAREABLE = ("string", "large_string")

_BYTES = {"string": "binary", "large_string": "large_binary", "string_view": "binary_view"}


def wanted_columns(
    source: Source, columns: Sequence[str], where: str = "", advice: str = ""
) -> list[str]:
    """Return those `columns` that the options name, or that their paths begin with, each once.

    Errors may call the table `where`, and end with `advice`.
    """
    wanted = []
    for name in source.options.columns:
        column = outer(name, columns)
        if column is None:
            missing = f"{where or source.where} has no column {name!r}"
            check_known(name, columns, missing, _NAME_ONE, *filter(None, [advice]))
            continue
        if (n := columns.count(column)) > 1:
            raise CorpusError(
                f"{where or source.where} has {n} columns {column!r}.",
                f"Write it anew with one of them. {_NAME_ONE}",
            )
        wanted.append(column)
    return [*dict.fromkeys(wanted)]


def _names(schema: pa.Schema) -> list[str]:
    """Return the names of all columns; in place of one that is not UTF-8, what no column has."""
    names = []
    for i in range(len(schema)):
        try:
            names.append(schema.field(i).name)
        except UnicodeDecodeError:
            names.append(_NOT_UTF8)
    return names


def rows_to_batch(
    source: Source,
    rows: pa.RecordBatch,
    first_row: int,
    weight: pa.Array | None = None,
    numbers: Int64 | None = None,
) -> pa.RecordBatch:
    """Return rows of a table as a batch; count null rows and replaced sequences in `source`.

    Errors count rows from `first_row`, or call each what `source` calls a row, by its number in `numbers`.
    """
    _check_layouts(source, rows)
    return _rows_to_batch(source, rows, first_row, weight, numbers=numbers)


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
    numbers: Int64 | None = None,
) -> pa.RecordBatch:
    options, where = source.options, source.where
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    columns = {
        name: column_at(columns, name, where, name == options.text_column, _without_views)
        for name in options.columns
    }
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
    text = as_large_string(text)
    called = "row" if numbers is None else source.row
    if numbers is None:
        numbers = np.arange(first_row, first_row + len(text))
    if text.null_count:
        source.null_rows += text.null_count
        keep = text.is_valid()
        numbers = numbers[arrow.is_valid(text)]
        text = text.filter(keep)
        columns = {name: column.filter(keep) for name, column in columns.items()}
        weight = None if weight is None else weight.filter(keep)
    text, replaced = check_rows(
        text, lambda i, byte: f"{where}, {called} {numbers[i]}, byte {byte}", options.errors
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
        weight = whole_numbers(values, options.weight_column, where, numbers, called)
    align = None
    if options.align_column is not None:
        align = as_string(columns[options.align_column], options.align_column)
        align = copied(align) if copy else align
    return make_batch(text, group, align, weight)


def _without_views(column: pa.Array) -> pa.Array:
    """Return views, also those of a dictionary, as large strings or bytes: Arrow cannot filter views."""
    if pa.types.is_dictionary(column.type) and _is_view(column.dictionary):
        return pa.DictionaryArray.from_arrays(column.indices, _without_views(column.dictionary))
    if not _is_view(column):
        return column
    # Arrow follows the view of a null too, which no check of the layout has looked at.
    valid = arrow.is_valid(column)
    data = column.buffers()[2:]
    own = _words(column).copy()
    own[~valid] = 0
    validity = pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [validity, pa.py_buffer(own), *data]
    target = pa.large_string() if pa.types.is_string_view(column.type) else pa.large_binary()
    return pa.Array.from_buffers(column.type, len(column), buffers).cast(target)


def _is_view(column: pa.Array) -> bool:
    return bool(pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type))


def _words(views: pa.Array) -> npt.NDArray[np.int32]:
    """Return int32[n, 4]: the parts of string views, of which the first is the length."""
    end = views.offset + len(views)
    words = np.frombuffer(views.buffers()[1], np.int32, 4 * end)
    return words.reshape(-1, 4)[views.offset :]


def _most_bytes(column: pa.Array) -> int:
    """Return what all rows of strings hold, at most, once they are written out."""
    if pa.types.is_dictionary(column.type):
        return len(column) * int(_row_bytes(column.dictionary).max(initial=0))
    if _is_view(column):
        return int(_row_bytes(column).sum())
    offsets = _offsets(column)
    return int(offsets[-1] - offsets[0])


def _offsets(column: pa.Array) -> Int64:
    """Return where the strings of a column end, or zeros where it holds something else."""
    n, wide = len(column), str(column.type) in ("large_string", "large_binary")
    if not n or not (wide or str(column.type) in ("string", "binary")):
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
    if _is_view(column) and len(column):
        return np.where(arrow.is_valid(column), _words(column)[:, 0], 0).astype(np.int64)
    return np.diff(_offsets(column)).astype(np.int64)


def _check_layouts(source: Source, rows: pa.RecordBatch) -> None:
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        _check_layout(column, name, source.where)


def _check_layout(column: pa.Array, name: str, where: str) -> None:
    """Refuse a column whose offsets or indices lead out of its data: Arrow follows them unchecked."""
    try:
        _validate(column)
    except pa.ArrowInvalid as error:
        raise CorpusError(
            f"column {name!r} of {where} is damaged.",
            f"Found: {str(error).splitlines()[0]}.",
            "Write the file anew.",
        ) from error


def _validate(column: pa.Array) -> None:
    """Validate a column and all inside it, each part by itself, strings as bytes.

    Whether they are UTF-8 is asked elsewhere, where they may be replaced.
    """
    kind, types = column.type, pa.types
    column.validate()  # the sizes of all parts
    if types.is_dictionary(kind):
        _validate(column.dictionary)
        nothing = pa.nulls(len(column.dictionary))
        column = pa.DictionaryArray.from_arrays(column.indices, nothing, safe=False)
    elif types.is_struct(kind):
        for i in range(kind.num_fields):
            _validate(column.field(i))
        return
    elif types.is_list(kind) or types.is_large_list(kind):
        _validate(column.values)
        lists = pa.list_ if types.is_list(kind) else pa.large_list
        own, nothing = column.buffers()[:2], [pa.nulls(len(column.values))]
        own_kind = lists(pa.null())
        column = pa.Array.from_buffers(own_kind, len(column), own, -1, column.offset, nothing)
    elif types.is_fixed_size_list(kind):
        _validate(column.values)
        return
    elif str(kind) in _BYTES:
        column = column.view(_BYTES[str(kind)])
    column.validate(full=True)


def read_parquet(source: Source, file: io.FileIO) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a Parquet file; the bytes are a share by rows.

    Of a `part`, the row groups that begin there.
    """
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(file)
        columns = metadata.schema.to_arrow_schema()
        wanted = wanted_columns(source, columns.names)
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"cannot read {source.where}: the name of a column is not UTF-8.",
            f"Found: {error.object!r:.80}.",
            "Write it anew, with another name for that column.",
        ) from error
    size, most = source.size or 0, longest_document(source)
    # Of whole rows: PyArrow aborts at what damage may have made of a column's metadata.
    begins = _begins(metadata, source.stored)
    first, end = np.searchsorted(begins, source.part or (0, source.stored)).tolist()
    before = [metadata.row_group(i).num_rows for i in range(first)]
    row_groups = [metadata.row_group(i) for i in range(first, end)]
    for part in row_groups:
        check_length(source.where, part.total_byte_size // max(part.num_rows, 1), most)
    # Strings alone: a nested column has no leaf of its name, and numbers have no dictionary.
    shared = [name for name in wanted if str(columns.field(name).type) in _SHAREABLE]
    group = [name for name in shared if name == source.options.group_column]
    ways = [_way(part.num_rows, part.total_byte_size) for part in row_groups]
    row, expected = 0, sum(part.num_rows for part in row_groups)
    for (as_dictionary, n_rows), numbers in itertools.groupby(
        range(len(ways)), key=ways.__getitem__
    ):
        dictionary = shared if as_dictionary else group
        of_file = [first + i for i in numbers]
        for rows in _rows_of(file, metadata, of_file, wanted, dictionary, n_rows):
            position = size * (row + rows.num_rows) // expected
            for batch in rows_to_batches(source, rows, sum(before) + row, most):
                yield batch, position
            row += rows.num_rows
    if row != expected:  # PyArrow can end without a word where pages are damaged
        raise CorpusError(
            f"{source.where} is damaged.",
            f"Found: {row:,} of {expected:,} rows.",
            "Get the whole file.",
        )


def _begins(metadata: Any, size: int) -> Int64:
    """Return int64, ascending: where each row group of a file of `size` bytes begins, the first at 0."""
    begins = np.zeros(metadata.num_row_groups, np.int64)
    for i in range(1, begins.size):
        group = metadata.row_group(i)
        if group.num_columns:
            column = group.column(0)
            offsets = column.dictionary_page_offset, column.data_page_offset
            begins[i] = min((offset for offset in offsets if offset), default=0)
    # A file may have them in another order, and damage may be anywhere.
    return np.maximum.accumulate(np.clip(begins, 0, max(size - 1, 0)))


def _rows_of(
    file: io.FileIO,
    metadata: Any,
    row_groups: list[int],
    wanted: list[str],
    dictionary: list[str],
    n_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some groups, those columns as a dictionary that PyArrow reads as one."""
    import pyarrow.parquet as pq

    done = 0
    while True:
        known = done
        try:
            with pq.ParquetFile(file, metadata=metadata, read_dictionary=dictionary) as table:
                for rows in table.iter_batches(n_rows, row_groups=row_groups, columns=wanted):
                    rows, known = rows.slice(known), max(known - rows.num_rows, 0)
                    if rows.num_rows:
                        yield rows
                        done += rows.num_rows
            return
        except (OSError, pa.ArrowException):
            if not dictionary:
                raise
            # There are encodings that it does not read so; few rows, for they may share long values.
            dictionary, n_rows = [], min(n_rows, _SOME_ROWS)


def _way(n_rows: int, n_bytes: int) -> tuple[bool, int]:
    """Return how a group of rows is read: strings as a dictionary or written out; how many at a time.

    What rows take in the file bounds what they hold where each has a value of its own. Where many may
    share one, they are read as references to it, and written out a batch at a time.
    """
    # As many rows as hold about `BATCH_BYTES`; some more where it may not be the text that is long.
    a_batch = BATCH_BYTES * n_rows // max(n_bytes, 1)
    a_batch = 1 << min(max(a_batch, _FEW_ROWS), _MOST_ROWS).bit_length() - 1
    if n_bytes > _DICTIONARY_BYTES + _INDEX_BYTES * n_rows:
        return False, a_batch
    # To look long values up in a dictionary takes longer than to read few of them.
    short = n_bytes < _SHORT_ROW * n_rows
    return short, a_batch if short else min(a_batch, _SOME_ROWS)


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
    names = _names(table.schema)
    wanted = [names.index(name) for name in wanted_columns(source, names)]
    row, most = 0, longest_document(source)
    for rows, position in batches:
        for batch in rows_to_batches(source, rows.select(wanted), row, most, copy=True):
            yield batch, position
        row += rows.num_rows
