"""Cut delimited text (CSV, TSV) into rows and fields, quotation marks taken away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toktk.arrays import Bytes, Int64
from toktk.kernels import kernel

_START, _PLAIN, _QUOTED, _CLOSED = range(4)  # where in a field a byte is

NO_QUOTE = 256
"""The `quote` of text in which quotation marks are text."""

UNCLOSED, STRAY = -1, -2
"""What is wrong with a row: the text ends inside quotation marks; something follows closing ones."""


@kernel
def _row_ends(data: np.ndarray, delimiter: int, quote: int, ends: np.ndarray) -> int:
    rows = 0
    state = _START
    for i in range(data.size):
        byte = np.int64(data[i])
        if state == _QUOTED:
            if byte == quote:
                state = _CLOSED
        elif byte == quote and state != _PLAIN:
            state = _QUOTED  # a field begins, or a mark is doubled
        elif byte == 10 or byte == 13:
            if rows and byte == 10 and data[i - 1] == 13 and ends[rows - 1] == i:
                rows -= 1  # of a CR LF
            ends[rows] = i + 1
            rows += 1
            state = _START
        else:
            state = _START if byte == delimiter else _PLAIN
    return rows


def row_ends(data: Bytes, delimiter: int, quote: int) -> Int64:
    """Return where each whole row of contiguous uint8 `data` ends: after LF, CR or CR LF outside quotes."""
    # Room for a row a byte: memory that is not written to costs nothing.
    ends = np.empty(data.size, np.int64)
    rows = int(_row_ends(data, np.int64(delimiter), np.int64(quote), ends))
    return ends[:rows].copy()


@kernel
def _split_fields(
    data: np.ndarray,
    delimiter: int,
    quote: int,
    slots: np.ndarray,
    text: np.ndarray,
    written: np.ndarray,
    offsets: np.ndarray,
) -> tuple[int, int]:
    rows = field = 0
    slot = slots[0]
    state = _START
    begun = False  # a line with nothing on it is no row
    for i in range(data.size + 1):
        at_end = i == data.size
        byte = np.int64(10) if at_end else np.int64(data[i])
        if state == _QUOTED and at_end:
            return rows, UNCLOSED
        if state == _QUOTED and byte == quote:
            state = _CLOSED
        elif byte == quote and state == _START:
            state = _QUOTED
            begun = True
        elif state != _QUOTED and (byte == 10 or byte == 13):
            if begun:
                if field + 1 != slots.size:
                    return rows, field + 1
                rows += 1
                for k in range(written.size):
                    offsets[k, rows] = written[k]
            field = 0
            slot = slots[0]
            state = _START
            begun = False
        elif state != _QUOTED and byte == delimiter:
            field += 1
            slot = slots[field] if field < slots.size else np.int64(-1)
            state = _START
            begun = True
        elif state == _CLOSED and byte != quote:
            return rows, STRAY
        else:
            if state == _CLOSED:
                state = _QUOTED
            elif state == _START:
                state = _PLAIN
                begun = True
            if slot >= 0:
                text[slot, written[slot]] = data[i]
                written[slot] += 1
    return rows, 0


def split_fields(
    data: Bytes, delimiter: int, quote: int, n_columns: int, wanted: Sequence[int]
) -> tuple[list[tuple[Bytes, Int64]], int, int]:
    """Return ``(columns, rows, problem)`` of whole rows; columns are the text and offsets of those `wanted`.

    `problem` is 0, or tells what is wrong with the row after the first `rows`: how many fields it has
    where that is not `n_columns`, else `UNCLOSED` or `STRAY`. Empty lines are not rows.
    """
    slots = np.full(n_columns, -1, np.int64)
    slots[list(wanted)] = np.arange(len(wanted))
    ends = int(np.count_nonzero((data == 10) | (data == 13))) + 1
    text = np.empty((len(wanted), data.size), np.uint8)
    offsets = np.zeros((len(wanted), ends + 1), np.int64)
    written = np.zeros(len(wanted), np.int64)
    arguments = np.int64(delimiter), np.int64(quote), slots, text, written, offsets
    rows, problem = _split_fields(data, *arguments)
    columns = [(text[k, : offsets[k, rows]], offsets[k, : rows + 1]) for k in range(len(wanted))]
    return columns, int(rows), int(problem)
