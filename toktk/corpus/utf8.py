"""Valid UTF-8 or an error that says where it is not; `errors="replace"` puts U+FFFD and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toktk.arrays import Bytes, offsets_of
from toktk.corpus.batch import spans, strings
from toktk.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa

_HINT = 'Repair the text, or read it with errors="replace" (each invalid sequence becomes U+FFFD).'
_MARK = "\ufffd".encode()


def _is_valid(array: pa.Array) -> bool:
    import pyarrow as pa

    # Arrow checks pure ASCII at memory speed and anything else about twice as fast as decoding.
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _replace(raw: bytes) -> tuple[bytes, int]:
    fixed = raw.decode("utf-8", "replace").encode()
    return fixed, fixed.count(_MARK) - raw.count(_MARK)


def check_block(data: Bytes, where: str, start: int, errors: str) -> tuple[Bytes, int]:
    """Return `data` (uint8) as valid UTF-8, and how many invalid sequences were replaced.

    Args:
        data: a block that neither begins nor ends inside a character.
        where: the file's name, for the error.
        start: the offset of the block in the uncompressed file.
        errors: "strict" or "replace".

    Raises:
        CorpusError: invalid UTF-8 and ``errors="strict"``; it names the byte offset.
    """
    if _is_valid(strings(data, offsets_of([data.size]))):
        return data, 0
    raw = data.tobytes()
    if errors == "replace":
        fixed, replaced = _replace(raw)
        return np.frombuffer(fixed, np.uint8), replaced
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"invalid UTF-8 in {where} at byte {start + error.start}.",
            f"Found: {raw[error.start : error.end + 4].hex(' ')} ({error.reason}).",
            _HINT,
        ) from error
    return data, 0


def check_rows(
    array: pa.Array, where: str, rows: Sequence[int], errors: str
) -> tuple[pa.Array, int]:
    """Return a large_string array, no nulls, as valid UTF-8, and how many sequences were replaced.

    `rows` are the rows' numbers in the source, for the error.

    Raises:
        CorpusError: invalid UTF-8 and ``errors="strict"``; it names row and byte, from 0.
    """
    if _is_valid(array):
        return array, 0
    import pyarrow as pa

    data, offsets = spans(array)
    fixed: list[bytes] = []
    replaced = 0
    for row in range(len(array)):
        raw = data[offsets[row] : offsets[row + 1]].tobytes()
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            if errors == "strict":
                raise CorpusError(
                    f"invalid UTF-8 in {where}, row {rows[row]}, byte {error.start}.",
                    f"Found: {raw[error.start : error.end + 4].hex(' ')} ({error.reason}).",
                    _HINT,
                ) from error
            raw, count = _replace(raw)
            replaced += count
        fixed.append(raw)
    return pa.array(fixed, pa.large_binary()).cast(pa.large_string()), replaced
