"""Arrow arrays from and to NumPy and Python, buffer by buffer.

PyArrow's own conversions look for pandas first and import it when it is installed, which takes half a
second: as long as counting 100 MB of text.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import offsets_of, packed

_FEW = 10_000  # rows


class _PyArrow:
    def __getattr__(self, name: str) -> Any:
        import pyarrow

        return getattr(pyarrow, name)


pa: Any = _PyArrow()
"""PyArrow, imported at its first use: that takes too long for ``toktk --help``."""


def from_numpy(values: npt.NDArray[Any]) -> pa.Array:
    """Return `values` (1-D; bool, integer or float) as an array without nulls; numbers are not copied."""
    if values.dtype == np.bool_:
        return pa.Array.from_buffers(pa.bool_(), values.size, [None, _bits(values)])
    kind = getattr(pa, values.dtype.name)()
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kind, values.size, [None, buffer])


def to_numpy(array: pa.Array) -> npt.NDArray[Any]:
    """Return a view of an integer array that has no nulls."""
    dtype = np.dtype(str(array.type))
    buffer = array.buffers()[1]
    if buffer is None:
        return np.empty(0, dtype)
    # By count: a buffer from a file may end anywhere behind the last number.
    return np.frombuffer(buffer, dtype, array.offset + len(array))[array.offset :]


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Return the table in a Parquet file, or the columns of these names that it has.

    `pyarrow.parquet.read_table` imports pandas as well.
    """
    import pyarrow.parquet as pq

    with pa.OSFile(os.fsencode(path)) as raw, pq.ParquetFile(raw) as file:
        return file.read(columns)


def write_parquet(table: pa.Table, path: Path, in_haste: bool = False) -> None:
    """Write a Parquet file, whose path need not be UTF-8, as it must for PyArrow's own functions.

    `in_haste` it takes half the time and twice the room: for what toktk alone reads.
    """
    import pyarrow.parquet as pq

    options: dict[str, Any] = {"compression": "zstd"}
    if in_haste:
        texts = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
        options = {"compression": "lz4", "use_dictionary": texts}
    with pa.OSFile(os.fsencode(path), "wb") as raw:
        pq.write_table(table, raw, **options)


def is_valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Return bool[n]: where the array is not null."""
    validity = array.buffers()[0]
    if not array.null_count or validity is None:
        return np.full(len(array), not array.null_count)
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].astype(np.bool_)


def from_list(values: Sequence[str | int | float | None], kind: pa.DataType) -> pa.Array:
    """Return `values` as an array of `kind`: (large) string, int64 or float64; None becomes null."""
    present = np.array([value is not None for value in values], dtype=np.bool_)
    validity = None if present.all() else _bits(present)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        data, ends = packed([b"" if value is None else str(value).encode() for value in values])
        offsets = ends if pa.types.is_large_string(kind) else ends.astype(np.int32)
        buffers = [validity, pa.py_buffer(offsets), pa.py_buffer(data)]
    else:
        dtype = np.int64 if pa.types.is_int64(kind) else np.float64
        numbers = np.array([value or 0 for value in values], dtype=dtype)
        buffers = [validity, pa.py_buffer(numbers)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def from_names(names: Sequence[str | None], numbers: npt.NDArray[np.int32]) -> pa.Array:
    """Return the names of these numbers as an array of strings, in no more memory than that takes."""
    if numbers.size <= _FEW:  # sooner than what takes is imported
        return from_list([names[i] for i in numbers.tolist()], pa.string())
    return from_list(names, pa.string()).take(from_numpy(numbers))


@functools.cache
def _four_digits() -> npt.NDArray[np.uint8]:
    """Return the digits of 0000 to 9999, uint8[4, 10,000]."""
    places = 10 ** np.arange(3, -1, -1)[:, np.newaxis]
    return (np.arange(10_000) // places % 10 + ord("0")).astype(np.uint8)


def numerals(first: int, n: int) -> pa.Array:
    """Return `n` numbers from `first` >= 0 on as strings: 3 ns each, where a cast takes 20 ns.

    A first cast imports `pyarrow.compute` as well, which takes 0.06 s.
    """
    digits, widths, end = [np.empty(0, np.uint8)], np.empty(n, np.int32), first + n
    while first < end:
        # These share their width, and all but their last four digits.
        leading, low = str(first), first % 10_000
        stop = min(end, first - low + 10_000, 10 ** len(leading))
        columns = np.empty((stop - first, len(leading)), np.uint8)
        for place, digit in zip(range(-len(leading), 0), leading, strict=True):
            is_low = place >= -4
            columns[:, place] = (
                _four_digits()[place, low:][: len(columns)] if is_low else ord(digit)
            )
        digits.append(columns.ravel())
        widths[first - end : stop - end or None] = len(leading)
        first = stop
    offsets = pa.py_buffer(offsets_of(widths).astype(np.int32))
    return pa.Array.from_buffers(
        pa.string(), n, [None, offsets, pa.py_buffer(np.concatenate(digits))]
    )


def _bits(flags: npt.NDArray[np.bool_]) -> Any:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))
