"""Tables of counts: how many tokens each text has, by a tokenizer of which nothing else is known.

A Parquet file with the columns ``sha256``, the SHA-256 of the text's UTF-8 as 64 hex digits, and ``tokens``,
how many tokens the text has, nothing added to it. ``vocab_size``, where it is there, is one number in all
rows. Other columns are not looked at.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from toktk import arrow
from toktk.errors import FormatError, in_a_line
from toktk.models.counts import CountsModel
from toktk.sizes import MAX_SIZE
from toktk.visible import listed

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_MOST = 2**31 - 1  # tokens of a text, which are int32 where documents are sampled
_EMPTY = hashlib.sha256(b"").digest()
_WANTED = (
    "Wanted: sha256, of each text's UTF-8, as 64 hex digits, and tokens, a whole number; "
    "docs/tokenizers.md shows how to make it."
)


def read_counts(path: Path) -> CountsModel:
    """Return the model that a table of counts holds.

    Raises:
        FormatError: the file cannot be read, a column is missing or holds something else, a text has two
            counts, or the empty text has tokens.
    """
    import pyarrow as pa

    try:
        table = arrow.read_parquet(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        why = in_a_line(error)[:200]
        raise FormatError(
            f"cannot read the counts in {path}.", f"Found: {why}.", _WANTED
        ) from error
    for column in ("sha256", "tokens"):
        if table.column_names.count(column) != 1:
            what = f"{path} has no column {column!r}, or two of them."
            found = f"Found: {listed(table.column_names) or 'no columns'}."
            raise FormatError(what, found, _WANTED)
    hashes, tokens = _strings(path, table), _integers(path, table, "tokens")
    counts: dict[bytes, int] = {}
    for n, (written, count) in enumerate(zip(hashes, tokens, strict=True), 1):
        if written is None or not _HEX.fullmatch(written):
            raise _odd(path, n, "sha256", written, "64 hex digits")
        if count is None or not 0 <= count <= _MOST:
            raise _odd(path, n, "tokens", count, "a count")
        digest = bytes.fromhex(written)
        if counts.setdefault(digest, count) != count:
            raise FormatError(
                f"{path} has two counts of one text.",
                f"Found: {counts[digest]:,} tokens, and {count:,} in row {n:,}, of the SHA-256 {written}.",
                "A tokenizer gives a text one count: keep the right one.",
            )
    if not counts:
        raise FormatError(f"{path} holds no counts.", "Found: no rows.", _WANTED)
    if counts.get(_EMPTY):
        raise FormatError(
            f"the counts in {path} are not of the texts alone.",
            f"Found: {counts[_EMPTY]:,} tokens of the empty text.",
            "The API adds tokens of its own, as around a message: subtract them from every count.",
        )
    return CountsModel(counts, _vocab_size(path, table))


def _strings(path: Path, table: Any) -> list[str | None]:
    """Return the column of hashes."""
    import pyarrow as pa

    column = table.column("sha256")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise FormatError(
            f"the column 'sha256' of {path} holds no text.", f"Found: {column.type}.", _WANTED
        )
    strings: list[str | None] = column.to_pylist()
    return strings


def _integers(path: Path, table: Any, name: str) -> list[int | None]:
    """Return a column of whole numbers."""
    import pyarrow as pa

    column = table.column(name)
    if not pa.types.is_integer(column.type):
        raise FormatError(
            f"the column {name!r} of {path} holds no whole numbers.",
            f"Found: {column.type}.",
            _WANTED,
        )
    numbers: list[int | None] = column.to_pylist()
    return numbers


def _vocab_size(path: Path, table: Any) -> int:
    """Return the size that the file states; 0 where it states none."""
    if "vocab_size" not in table.column_names:
        return 0
    sizes = {size for size in _integers(path, table, "vocab_size") if size is not None}
    if len(sizes) > 1 or not all(0 < size <= MAX_SIZE for size in sizes):
        raise FormatError(
            f"the column 'vocab_size' of {path} is not one number of ids.",
            f"Found: {listed([f'{size:,}' for size in sorted(sizes)])}.",
            "Write the same size in all rows, or leave the column out.",
        )
    return max(sizes, default=0)


def _odd(path: Path, n: int, column: str, value: object, wanted: str) -> FormatError:
    return FormatError(
        f"{column} in row {n:,} of {path} is not {wanted}.", f"Found: {value!r:.100}.", _WANTED
    )
