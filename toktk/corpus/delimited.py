"""CSV and TSV: rows of fields, which may hold line feeds and delimiters between quotation marks.

The first row names the columns, unless the options name columns by number, from 0. A .tsv whose first row
is a word and a count, and of which no option names a column, holds words and how often each occurs.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from toktk.arrays import Bytes
from toktk.arrow import pa
from toktk.corpus.batch import strings
from toktk.corpus.columnar import rows_to_batch, wanted_columns
from toktk.corpus.options import Source
from toktk.corpus.text import blocks
from toktk.corpus.utf8 import check_block
from toktk.corpus.weights import whole_numbers
from toktk.errors import CorpusError, clipped

_QUOTE = ord('"')
_TAB = ord("\t")
_WORD_COUNT = re.compile(rb"\S+\t[1-9][0-9]*")
_FIRST_LINE = 1 << 20  # bytes, at most, of a line that tells the delimiter


class Marks(NamedTuple):
    """What tells fields apart, two bytes (or `NO_QUOTE`), and whether rows are words and counts."""

    delimiter: int
    quote: int
    counts: bool = False


def read_csv(source: Source, file: io.RawIOBase) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a CSV; of comma, semicolon and tab, its first line says which."""
    return _read(source, file, b",;\t")


def read_tsv(source: Source, file: io.RawIOBase) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a TSV."""
    return _read(source, file, b"\t")


def _read(
    source: Source, file: io.RawIOBase, delimiters: bytes
) -> Iterator[tuple[pa.RecordBatch, int]]:
    from toktk.kernels.fields import row_ends

    marks: Marks | None = None
    columns: list[str] = []
    row = 1  # the number of the next one; that of names has one, too

    def end_of_rows(block: Bytes, searched: int) -> int:
        nonlocal marks
        marks = marks or _marks(source, block, delimiters)
        ends = row_ends(block, marks.delimiter, marks.quote)
        return int(ends[-1]) if ends.size else 0

    for data, start, position in blocks(source, file, end_of_rows):
        data, replaced = check_block(data, source.where, start, source.options.errors)
        source.replaced += replaced
        marks = marks or _marks(source, data, delimiters)
        if not columns:
            columns, begin = _columns(source, data, marks)
            data, row = data[begin:], row + (begin > 0)
        if columns:
            batch, n_rows = _batch(source, data, marks, columns, row)
            yield batch, position
            row += n_rows


def _marks(source: Source, data: Bytes, delimiters: bytes) -> Marks:
    """Return what tells fields apart in a file that begins with `data`."""
    from toktk.kernels.fields import NO_QUOTE

    options = source.options
    first_line = re.split(rb"[\r\n]", data[:_FIRST_LINE].tobytes().lstrip(b"\r\n"), maxsplit=1)[0]
    by_default = options.columns == ["text"] and b"text" not in first_line.split(b"\t")
    if delimiters == b"\t" and by_default and _WORD_COUNT.fullmatch(first_line):
        return Marks(_TAB, NO_QUOTE, counts=True)
    quote = _QUOTE if options.quotes else NO_QUOTE
    return Marks(max(delimiters, key=first_line.count), quote)


def _columns(source: Source, data: Bytes, marks: Marks) -> tuple[list[str], int]:
    """Return the names or numbers of the columns, none if there is no row, and where the rows begin."""
    from toktk.kernels.fields import NO_QUOTE, row_ends

    if marks.counts:
        return ["text", "weight"], 0
    begin = 0
    for end in [*row_ends(data, marks.delimiter, marks.quote).tolist(), data.size]:
        first_row = data[begin:end].tobytes().decode()
        begin = end
        if first_row.strip("\r\n"):
            break
    else:
        return [], 0
    rows = csv.reader(
        io.StringIO(first_row, newline=""),
        delimiter=chr(marks.delimiter),
        quoting=csv.QUOTE_NONE if marks.quote == NO_QUOTE else csv.QUOTE_MINIMAL,
    )
    try:
        names = next(rows)
    except csv.Error as error:
        raise CorpusError(
            f"cannot read the first row of {source.where}.",
            f"Found: {clipped(first_row)} ({error}).",
            "Give a table whose first row names the columns.",
        ) from error
    numbers = [*map(str, range(len(names)))]
    if all(name.isdecimal() for name in source.options.columns):
        names, begin = numbers, begin if names == numbers else 0
    # Or an error, before the rows are read.
    wanted_columns(source, names, advice="Without names, give numbers: --text-column 0.")
    return names, begin


def _batch(
    source: Source, data: Bytes, marks: Marks, columns: list[str], row: int
) -> tuple[pa.RecordBatch, int]:
    """Return whole rows as a batch, and how many they are; the first has the number `row`."""
    from toktk.kernels.fields import UNCLOSED, split_fields

    names = columns if marks.counts else wanted_columns(source, columns)
    wanted = [columns.index(name) for name in names]
    fields, n_rows, problem = split_fields(data, *marks[:2], len(columns), wanted)
    place = f"{source.where}, row {row + n_rows}"
    if problem > 0:
        raise CorpusError(
            f"{place}, has {problem} fields, not {len(columns)}.",
            "A row of each has the fields of the first; a field with a delimiter or a line feed stands "
            "between quotation marks.",
            "Where quotation marks are text, give --no-quotes.",
        )
    if problem:
        found = "they do not end" if problem == UNCLOSED else "something follows the closing one"
        raise CorpusError(
            f"quotation marks are not closed in {place}.",
            f"Found: {found}; a mark inside is written twice.",
            "Where quotation marks are text, give --no-quotes.",
        )
    arrays = {name: strings(*field) for name, field in zip(names, fields, strict=True)}
    if not marks.counts:
        return rows_to_batch(source, pa.record_batch(arrays), row), n_rows
    words = pa.record_batch({"text": arrays["text"]})
    numbers = np.arange(row, row + n_rows)
    counts = whole_numbers(arrays["weight"], "the count", source.where, numbers)
    return rows_to_batch(source, words, row, counts), n_rows
