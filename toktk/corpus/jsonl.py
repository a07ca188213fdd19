"""JSON Lines: one object a line, parsed by Arrow, and by Python's json where Arrow declines."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk.corpus.options import ReaderOptions
from toktk.corpus.tables import rows_to_batch, wanted_columns
from toktk.corpus.text import blocks, line_end
from toktk.corpus.utf8 import check_block
from toktk.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.corpus.readers import FileReader

_NULL = re.compile(rb"^[ \t\r]*null[ \t\r]*$", re.MULTILINE)


def read_jsonl(reader: FileReader) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Yield ``(batch, bytes consumed)`` of a JSON Lines file; blank lines are not rows.

    Raises:
        CorpusError: a line that is not a JSON object, a column missing from the first line, text
            that is not a string, invalid UTF-8, a lone surrogate. It names the line, from 1.
    """
    options = reader.options
    source = str(reader.path)
    types: dict[str, pa.DataType] = {}
    line = 1
    for data, start, position in blocks(reader.path, reader.compression, line_end):
        data, replaced = check_block(data, source, start, options.errors)
        raw = data.tobytes()
        types = types or _column_types(raw, options, source, line)
        if types:
            columns = _parse_fast(raw, types)
            if columns is None:
                columns, count = _parse_slow(raw, options, source, line)
                replaced += count
            batch, nulls, _ = rows_to_batch(columns, options, source, 0, reader.group)
            reader.null_rows += nulls
            yield batch, position
        reader.replaced += replaced
        line += int(np.count_nonzero(data == 10))


def _column_types(
    raw: bytes, options: ReaderOptions, source: str, line: int
) -> dict[str, pa.DataType]:
    """Return the Arrow types to parse as, by the first row; nothing if there is no row yet."""
    import pyarrow as pa

    for offset, text in enumerate(io.BytesIO(raw)):
        if text.strip():
            row = _object(text, source, line + offset)
            wanted = wanted_columns(options, list(row), f"{source}, line {line + offset},")
            types = {name: pa.string() for name in wanted}
            for name in wanted:
                if type(row[name]) is int:
                    types[name] = pa.int64()
            types[options.text_column] = pa.large_string()
            return types
    return {}


def _parse_fast(raw: bytes, types: dict[str, pa.DataType]) -> dict[str, pa.Array] | None:
    """Return the columns, or None where only the slow parser can say what is wrong, if anything."""
    import pyarrow as pa
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
        # Arrow takes two objects on a line for two rows.
        if table.num_rows != raw.rstrip().count(b"\n") + 1:
            return None
        columns = {name: _one_chunk(table.column(name)) for name in types}
        # Arrow takes a line that is null for an object with nothing in it.
        nulls = any(column.null_count for column in columns.values())
        return None if nulls and _NULL.search(raw) else columns
    return None


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _parse_slow(
    raw: bytes, options: ReaderOptions, source: str, first_line: int
) -> tuple[dict[str, pa.Array], int]:
    """Return the columns, and how many lone surrogates were replaced; errors name their line."""
    import pyarrow as pa

    texts: list[str | None] = []
    others: dict[str, list[str | None]] = {
        name: [] for name in (options.group_column, options.align_column) if name
    }
    replaced = 0
    for line, text in enumerate(io.BytesIO(raw), first_line):
        if not text.strip():
            continue
        row = _object(text, source, line)
        value = row.get(options.text_column)
        if not (value is None or isinstance(value, str)):
            raise CorpusError(
                f"{options.text_column!r} in {source}, line {line}, is not a string.",
                f"Found: {json.dumps(value)[:80]}.",
                "Name a text column with --text-column.",
            )
        if value is not None:
            value, count = _whole_characters(value, options, source, line)
            replaced += count
        texts.append(value)
        for name, values in others.items():
            label = _label(row.get(name), name, source, line)
            if label is not None:
                label, count = _whole_characters(label, options, source, line)
                replaced += count
            values.append(label)
    columns = {name: pa.array(values, pa.string()) for name, values in others.items()}
    columns[options.text_column] = pa.array(texts, pa.large_string())
    return columns, replaced


def _object(text: bytes, source: str, line: int) -> dict[str, Any]:
    try:
        row = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(
            f"{source}, line {line}, is not JSON.",
            f"Found: {text[:60].decode('utf-8', 'replace')!r} ({error}).",
            "JSON Lines has one object a line; repair the line or leave it out.",
        ) from error
    if not isinstance(row, dict):
        raise CorpusError(
            f"{source}, line {line}, is not a JSON object.",
            f"Found: {text[:60].decode('utf-8', 'replace')!r}.",
            'JSON Lines has one object a line, such as {"text": "…"}.',
        )
    return row


def _label(value: object, name: str, source: str, line: int) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise CorpusError(
        f"{name!r} in {source}, line {line}, cannot serve as a group or alignment id.",
        f"Found: {json.dumps(value)[:80]}.",
        "Name a column of strings or numbers.",
    )


def _whole_characters(text: str, options: ReaderOptions, source: str, line: int) -> tuple[str, int]:
    """Return `text` without lone surrogates, and how many were replaced."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if options.errors == "strict":
            raise CorpusError(
                f"{source}, line {line}, holds half a character.",
                f"Found: \\u{ord(text[error.start]):04x}, a surrogate without its partner.",
                'Repair the line, or read it with errors="replace".',
            ) from error
    else:
        return text, 0
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    lone = (points >= 0xD800) & (points <= 0xDFFF)
    points[lone] = 0xFFFD
    return points.tobytes().decode("utf-32-le"), int(lone.sum())
