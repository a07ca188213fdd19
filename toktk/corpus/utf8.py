"""Valid UTF-8 or an error that says where it is not; `errors="replace"` puts U+FFFD and counts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from toktk.arrays import Bytes, offsets_of, packed
from toktk.arrow import pa
from toktk.corpus.batch import spans, strings
from toktk.errors import CorpusError

_REPLACE = "read it with --errors replace, which puts U+FFFD there."
_HINT = f"Repair the text, or {_REPLACE}"
_HINT_OF_BYTES = (
    f"Repair the text, name its encoding, such as --encoding latin-1 or cp1252, or {_REPLACE}"
)
_MARK = "\ufffd".encode()


def check_rows(
    array: pa.Array, place: Callable[[int, int], str], errors: str
) -> tuple[pa.Array, int]:
    """Return a large_string array, no nulls, as valid UTF-8, and how many sequences were replaced.

    `place` names a row and a byte in it, both from 0, for the error where `errors` is "strict".
    """
    # Arrow checks pure ASCII at memory speed and anything else about twice as fast as decoding.
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        data, offsets = spans(array)
    else:
        return array, 0
    texts: list[bytes] = []
    replaced = 0
    for row, (start, end) in enumerate(pairwise(offsets)):
        raw = text = data[start:end].tobytes()
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            if errors == "strict":
                raise CorpusError(
                    f"invalid UTF-8 in {place(row, error.start)}.",
                    f"Found: {raw[error.start : error.end + 4].hex(' ')} ({error.reason}).",
                    _HINT_OF_BYTES,
                ) from error
            text = raw.decode("utf-8", "replace").encode()
            replaced += text.count(_MARK) - raw.count(_MARK)
        texts.append(text)
    return strings(*packed(texts)), replaced


def check_block(data: Bytes, where: str, start: int, errors: str) -> tuple[Bytes, int]:
    """Return `data` as valid UTF-8, and how many invalid sequences were replaced.

    `data` neither begins nor ends inside a character. It begins at the byte `start` of the
    uncompressed file, which an error names.
    """
    block = strings(data, offsets_of([data.size]))
    block, replaced = check_rows(block, lambda _, byte: f"{where} at byte {start + byte}", errors)
    return (spans(block)[0] if replaced else data), replaced


def whole_name(name: str) -> str:
    r"""Return a name that UTF-8 has bytes for: of a file's name, bytes that are no text become ``\udcff``."""
    return name.encode("utf-8", "backslashreplace").decode()


def whole_characters(text: str, where: str, errors: str) -> tuple[str, int]:
    """Return `text` without lone surrogates, which UTF-8 has no bytes for, and how many were replaced."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if errors == "strict":
            raise CorpusError(
                f"{where} holds half a character.",
                f"Found: \\u{ord(text[error.start]):04x}, a surrogate without its partner.",
                _HINT,
            ) from error
    else:
        return text, 0
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).copy()
    lone = (points >= 0xD800) & (points <= 0xDFFF)
    points[lone] = 0xFFFD
    return points.tobytes().decode("utf-32-le"), int(lone.sum())
