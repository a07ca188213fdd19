"""The record batch that every corpus yields, and how to build, view and slice one."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.arrow import pa
from toktk.errors import CorpusError

TEXT, GROUP, ALIGN, WEIGHT = range(4)
"""The columns of a batch, by number."""

BATCH_BYTES = 1 << 24
"""Text in one batch, at most; a longer document is a batch of its own."""

NO_GROUP = "(none)"
"""The group of a row whose group column is null."""


@functools.cache
def schema() -> pa.Schema:
    """Return the columns of every batch: text, group, align, weight."""
    return pa.schema(
        [
            pa.field("text", pa.large_string(), nullable=False),
            pa.field("group", pa.dictionary(pa.int32(), pa.string())),
            pa.field("align", pa.string()),
            pa.field("weight", pa.int64()),
        ]
    )


def group_names(batch: pa.RecordBatch) -> list[str]:
    """Return the groups that the rows of a batch belong to, each once."""
    column = batch.column(GROUP)
    names = column.dictionary.to_pylist()
    return [names[i] for i in np.flatnonzero(np.bincount(arrow.to_numpy(column.indices)))]


@functools.lru_cache(maxsize=4)
def _constants(capacity: int) -> tuple[pa.Array, pa.Array, pa.Array]:
    zeros = arrow.from_numpy(np.zeros(capacity, np.int32))
    ones = arrow.from_numpy(np.ones(capacity, np.int64))
    return zeros, pa.nulls(capacity, pa.string()), ones


def constant_group(name: str, rows: int) -> pa.DictionaryArray:
    """Return a group column that names one group for every row, without a value per row."""
    indices = _constants(1 << max(rows, 1).bit_length())[0].slice(0, rows)
    return pa.DictionaryArray.from_arrays(indices, arrow.from_list([name], pa.string()))


def group_column(values: pa.Array, name: str) -> pa.DictionaryArray:
    """Return `values` (strings, numbers or a dictionary of them) as a group column, with no null."""
    target = schema().field("group").type
    if values.type == target and not values.null_count + values.dictionary.null_count:
        as_string(values.dictionary, name)  # or an error
        return values
    return as_string(values, name).fill_null(NO_GROUP).dictionary_encode().cast(target)


def as_string(values: pa.Array, name: str) -> pa.Array:
    """Return the column `name`, of strings, numbers or a dictionary of them, as strings or null."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        strings = values.cast(pa.string())
        strings.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise CorpusError(
            f"column {name!r} cannot serve as a group or alignment id.",
            f"Found: {values.type} ({error}).",
            "Name a column of strings or numbers.",
        ) from error
    return strings


def make_batch(
    text: pa.Array, group: pa.DictionaryArray, align: pa.Array | None = None, weight: Any = None
) -> pa.RecordBatch:
    """Return one batch in the common schema; no `align` means not aligned, no `weight` means 1."""
    _, nulls, ones = _constants(1 << max(len(text), 1).bit_length())
    align = nulls.slice(0, len(text)) if align is None else align
    weight = ones.slice(0, len(text)) if weight is None else weight
    return pa.RecordBatch.from_arrays([text, group, align, weight], schema=schema())


def spans(array: pa.Array) -> tuple[Bytes, Int64]:
    """Return ``(data, offsets)`` of large strings or large binary as NumPy views, nothing copied.

    Value `i` is ``data[offsets[i]:offsets[i + 1]]``. The array may be a slice: `offsets` then
    need not start at 0, nor end at ``data.size``.
    """
    _, ends, text = array.buffers()
    data = np.frombuffer(text, np.uint8) if text is not None else np.empty(0, np.uint8)
    if not len(array):
        return data, np.zeros(1, np.int64)
    offsets = np.frombuffer(ends, np.int64, array.offset + len(array) + 1)
    return data, offsets[array.offset :]


def strings(data: Bytes, offsets: Int64) -> pa.Array:
    """Return a large_string array over `data`, which is valid UTF-8, and `offsets`."""
    buffers = pa.py_buffer(offsets), pa.py_buffer(data)
    return pa.LargeStringArray.from_buffers(offsets.size - 1, *buffers)


def slices(batch: pa.RecordBatch, offsets: Int64 | None = None) -> Iterator[pa.RecordBatch]:
    """Yield `batch` in pieces of at most `BATCH_BYTES` of text; an empty batch yields nothing.

    `offsets`, int64[n + 1], say where each row's bytes end, if not those of the text column.
    """
    if offsets is None:
        _, offsets = spans(batch.column(TEXT))
    start, rows = 0, batch.num_rows
    while start < rows:
        limit = offsets[start] + BATCH_BYTES
        end = max(int(np.searchsorted(offsets, limit, side="right")) - 1, start + 1)
        yield batch.slice(start, end - start)
        start = end


def copied(column: pa.Array) -> pa.Array:
    """Return a copy of a column, for one that lies in a file that another process may write to."""
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(copied(column.indices), copied(column.dictionary))
    return pa.concat_arrays([column, column.slice(0, 0)])  # of one array alone there is no copy
