"""Valid UTF-8 or an error that says where it is not; `errors="replace"` puts U+FFFD and counts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from toktk.arrays import Bytes, offsets_of, packed
from toktk.arrow import pa
from toktk.corpus.batch import spans, strings
from toktk.errors import CorpusError

_HINT = 'Repair the text, or read it with errors="replace" (each invalid sequence becomes U+FFFD).'
_MARK = "\ufffd".encode()


def _is_valid(array: pa.Array) -> bool:
    # Arrow checks pure ASCII at memory speed and anything else about twice as fast as decoding.
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _repaired(raw: bytes, errors: str, place: Callable[[int], str]) -> tuple[bytes, int]:
    """Return `raw` as valid UTF-8, and how many sequences were replaced; `place` names a byte."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        if errors == "strict":
            raise CorpusError(
                f"invalid UTF-8 in {place(error.start)}.",
                f"Found: {raw[error.start : error.end + 4].hex(' ')} ({error.reason}).",
                _HINT,
            ) from error
    else:
        return raw, 0
    fixed = raw.decode("utf-8", "replace").encode()
    return fixed, fixed.count(_MARK) - raw.count(_MARK)


def check_block(data: Bytes, where: str, start: int, errors: str) -> tuple[Bytes, int]:
    """Return `data` as valid UTF-8, and how many invalid sequences were replaced.

    `data` neither begins nor ends inside a character. It begins at the byte `start` of the
    uncompressed file.

    Raises:
        CorpusError: invalid UTF-8 and ``errors="strict"``; it names the byte offset.
    """
    if _is_valid(strings(data, offsets_of([data.size]))):
        return data, 0
    fixed, n = _repaired(data.tobytes(), errors, lambda byte: f"{where} at byte {start + byte}")
    return np.frombuffer(fixed, np.uint8), n


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
    data, offsets = spans(array)
    fixed: list[bytes] = []
    replaced = 0
    for number, (start, end) in zip(rows, pairwise(offsets), strict=True):
        place = functools.partial("{}, row {}, byte {}".format, where, number)
        raw, n = _repaired(data[start:end].tobytes(), errors, place)
        fixed.append(raw)
        replaced += n
    return strings(*packed(fixed)), replaced


def whole_characters(text: str, where: str, errors: str) -> tuple[str, int]:
    """Return `text` without lone surrogates, which UTF-8 has no bytes for, and how many were replaced.

    Raises:
        CorpusError: there is one, and ``errors="strict"``.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if errors == "strict":
            raise CorpusError(
                f"{where} holds half a character.",
                f"Found: \\u{ord(text[error.start]):04x}, a surrogate without its partner.",
                'Repair the text, or read it with errors="replace".',
            ) from error
    else:
        return text, 0
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    lone = (points >= 0xD800) & (points <= 0xDFFF)
    points[lone] = 0xFFFD
    return points.tobytes().decode("utf-32-le"), int(lone.sum())
