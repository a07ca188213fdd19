"""JSON Lines: one object a line, or, where the first one is and no column is named, one string.

Python's `json`, as `_parse_slow` uses it, defines what a line means. Arrow's parser is many times
faster: `_parse_fast` returns its columns, or None where Arrow refuses a line or would read it
differently. Then `_parse_slow` reads the block again and gives the rows, or the error that names
the line. The tests hold the two against each other.
"""

from __future__ import annotations

import io
import json
import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from toktk.arrays import Bytes, Int64
from toktk.arrow import pa
from toktk.corpus.columnar import rows_to_batch, wanted_columns
from toktk.corpus.nested import inner_path, json_type, json_value, outer
from toktk.corpus.options import ReaderOptions, Source
from toktk.corpus.text import LINE_END, blocks
from toktk.corpus.utf8 import check_block, whole_characters
from toktk.errors import CorpusError

_NULL = re.compile(rb"^[ \t\r]*null[ \t\r]*$", re.MULTILINE)
_STRINGS = re.compile(rb'(?:[ \t\r]*+"(?:[^"\\\n]++|\\[^\n])*+"[ \t\r]*+(?:\n|\Z))++')
"""Lines that are a string each."""
_BEFORE, _AFTER = b'{"%s":' % ReaderOptions.text_column.encode(), b"}"
_AROUND = len(_BEFORE + _AFTER)

Numbers = Sequence[int]
"""What errors call the lines of a block, in order."""


def read_jsonl(source: Source, file: io.RawIOBase) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a JSON Lines file; errors name the line, from 1."""
    return read_rows(source, blocks(source, file, LINE_END))


def row_ends(source: Source, head: object) -> re.Pattern[bytes]:
    """Return what a row begins after."""
    return LINE_END


def read_rows(
    source: Source, lines: Iterable[tuple[Bytes, int, int]]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of blocks with a row a line; blank lines are not rows.

    Where the file is not read from its start, errors name the byte at which a line begins.
    """
    types: dict[str, pa.DataType | None] = {}
    strings = False
    line = 1
    if source.begin:
        source.row = "line at byte"
    for data, start, position in lines:
        begins = start + _starts(data) if source.begin else None
        data, replaced = check_block(data, source.where, start, source.options.errors)
        source.replaced += replaced
        raw = data.tobytes()
        starts = _starts(data)
        numbers = range(line, line + starts.size) if begins is None else begins.tolist()
        if not types:
            strings = _are_strings(raw, source)
            types = _column_types(raw, source, numbers, strings)
        if types:
            columns = None
            if strings and _STRINGS.fullmatch(raw):
                rows = _strings_as_rows(raw)
                columns = _parse_fast(rows, starts + np.arange(starts.size) * _AROUND, types)
            elif not (strings or None in types.values()):
                columns = _parse_fast(raw, starts, types)
            if columns is None:
                columns = _parse_slow(raw, source, numbers, strings)
            table = pa.record_batch(columns)
            of_rows = None
            if source.options.weight_column is not None:  # whose errors name a row
                filled = [bool(text.strip()) for text in io.BytesIO(raw)]
                of_rows = np.array(numbers)[filled]
            yield rows_to_batch(source, table, 0, numbers=of_rows), position
        line += raw.count(b"\n")


def _starts(data: Bytes) -> Int64:
    """Return int64: where the lines of a block begin."""
    starts = np.append(0, np.flatnonzero(data == ord("\n")) + 1)
    return starts[starts < data.size]


def _are_strings(raw: bytes, source: Source) -> bool:
    """Return whether rows are strings and no objects: the first one is, and no column is named."""
    by_default = source.options.columns == [ReaderOptions.text_column]
    return by_default and raw.lstrip().startswith(b'"')


def _strings_as_rows(raw: bytes) -> bytes:
    """Return lines of a string each as lines of an object each."""
    inner = raw.removesuffix(b"\n").replace(b"\n", _AFTER + b"\n" + _BEFORE)
    return _BEFORE + inner + _AFTER


def _column_types(
    raw: bytes, source: Source, numbers: Numbers, strings: bool
) -> dict[str, pa.DataType | None]:
    """Return the Arrow types to parse as, each by the first row of a block that has the column.

    None says that only the slow parser reads a column. Nothing is returned if there is no row yet.

    Raises:
        CorpusError: no row of the block has a column or a field that is wanted.
    """
    met: dict[str, Any] = {}
    types: dict[str, pa.DataType | None] = {}
    others: dict[str, set[str]] = {name: set() for name in source.options.columns}
    for line, text in zip(numbers, io.BytesIO(raw), strict=False):
        if text.strip():
            # Of a null, the type shows in a later row, if anywhere.
            row = _row(text, source, line, strings)
            met |= {name: value for name, value in row.items() if met.get(name) is None}
            for name, fields in others.items():
                types[name] = types.get(name) or _type(row, name, source, fields)
            if all(types.values()):
                break
    if not types:
        return {}
    if source.begin and None in types.values():
        return dict.fromkeys(types)  # whether there is such a column shows at the start of the file
    where = f"{source.where}, up to {source.row} {line},"
    columns = wanted_columns(source, [*met], where)
    for name, fields in others.items():
        if types[name] is None and fields:
            found = f"Found: {', '.join(sorted(fields))}."
            raise CorpusError(f"{where} has no {name!r}.", found, "Name a field that is there.")
    # Two paths into one column would need a type with both.
    if len(columns) < len(types):
        return dict.fromkeys(columns)
    return dict(zip(columns, types.values(), strict=True))


def _type(row: dict[str, Any], name: str, source: Source, others: set[str]) -> pa.DataType | None:
    """Return the type of the column that `name` is or leads into; None if the row does not tell."""
    column = outer(name, row)
    if column is None:
        return None
    is_text = name == source.options.text_column
    whole = not is_text and type(json_value(row, name, False)) is int
    leaf = pa.large_string() if is_text else pa.int64() if whole else pa.string()
    return json_type(row[column], inner_path(name, column), leaf, others)


def _parse_fast(
    raw: bytes, starts: Int64, types: dict[str, pa.DataType | None]
) -> dict[str, pa.Array] | None:
    """Return the columns, or None where only the slow parser can say what is wrong, if anything."""
    from pyarrow import json as arrow_json

    if raw.isspace() or not raw:
        return {name: pa.array([], kind) for name, kind in types.items()}
    # An explicit type, for a text that looks like a date would otherwise become one.
    parse = arrow_json.ParseOptions(
        explicit_schema=pa.schema(list(types.items())), unexpected_field_behavior="ignore"
    )
    # In parallel by the megabyte; where a row is longer than that, all in one.
    for block_size in (1 << 20, len(raw) + 1):
        read = arrow_json.ReadOptions(block_size=block_size)
        try:
            table = arrow_json.read_json(pa.BufferReader(raw), read, parse)
        except pa.ArrowInvalid:
            continue
        n_rows = starts.size
        if (np.frombuffer(raw, np.uint8)[starts] <= ord(" ")).any():
            n_rows = sum(1 for line in io.BytesIO(raw) if line.strip())
        # Arrow takes two objects on a line for two rows.
        if table.num_rows != n_rows:
            return None
        columns = {name: table.column(name).combine_chunks() for name in types}
        # Arrow takes a line that is null for an object with nothing in it.
        nulls = any(column.null_count for column in columns.values())
        return None if nulls and _NULL.search(raw) else columns
    return None


def _parse_slow(raw: bytes, source: Source, numbers: Numbers, strings: bool) -> dict[str, pa.Array]:
    """Return the columns; count replaced surrogates in `source`. Errors name their line."""
    columns: dict[str, list[str | None]] = {name: [] for name in source.options.columns}
    for line, text in zip(numbers, io.BytesIO(raw), strict=False):
        if text.strip():
            row = _row(text, source, line, strings)
            for name, values in columns.items():
                value = json_value(row, name, name == source.options.text_column)
                values.append(_value(value, name, source, line))
    return {name: pa.array(values, pa.large_string()) for name, values in columns.items()}


def _row(text: bytes, source: Source, line: int, strings: bool) -> dict[str, Any]:
    """Return the object of a line, or that of its string."""
    cause: Exception | None = None
    try:
        row = json.loads(text.decode("utf-8-sig"), parse_int=_whole)
        if strings and isinstance(row, str):
            return {ReaderOptions.text_column: row}
        if isinstance(row, dict) and not strings:
            return row
        problem = f"is not a JSON {'string, as the first one' if strings else 'object'}"
    except ValueError as error:
        cause, problem = error, f"is not JSON ({error})"
    except RecursionError as error:
        cause, problem = error, "is nested too deep"
    raise CorpusError(
        f"{source.where}, {source.row} {line}, {problem}.",
        f"Found: {text[:60].decode('utf-8', 'replace')!r}.",
        'JSON Lines has one object a line, such as {"text": "…"}; repair the line or leave it out.',
    ) from cause


def _whole(digits: str) -> int | Decimal:
    """Return a whole number, also where it has more digits than Python makes an integer of."""
    try:
        return int(digits)
    except ValueError:
        return Decimal(digits)


def _value(value: object, name: str, source: Source, line: int) -> str | None:
    """Return what a column has in this line: text, or an id that may also be a number."""
    where = f"{source.where}, {source.row} {line},"
    is_text = name == source.options.text_column
    if isinstance(value, (int, float, Decimal)) and not (is_text or isinstance(value, bool)):
        return str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        use = "text" if is_text else "a group or alignment id"
        raise CorpusError(
            f"{name!r} in {where} cannot serve as {use}.",
            f"Found: {reprlib.repr(value)}.",
            f"Name a column of strings{'' if is_text else ' or numbers'}.",
        )
    value, replaced = whole_characters(value, where, source.options.errors)
    source.replaced += replaced
    return value
