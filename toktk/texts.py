"""Documents as callers have them -> one UTF-8 buffer and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, Union

import numpy as np

from toktk.arrow import pa
from toktk.errors import CorpusError, FormatError
from toktk.models.model import Bytes, Int64

Texts: TypeAlias = Union[Sequence[str], "pa.Array", "pa.ChunkedArray", tuple[Bytes, Int64]]
"""Strings, an Arrow array of strings, or (uint8[N], int64[D + 1]): UTF-8 and offsets."""


def utf8(text: str, document: int | None = None) -> bytes:
    """Return `text` in UTF-8.

    Raises:
        FormatError: a lone surrogate; it names the document, if that has a number.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        where = "" if document is None else f" of document {document}"
        raise FormatError(
            "cannot encode text that holds a lone surrogate.",
            f"Found: U+{ord(text[error.start]):04X} at character {error.start}{where}.",
            "Decode the text with errors='replace'.",
        ) from error


def flat(texts: Texts) -> tuple[Bytes, Int64]:
    """Return all documents as uint8[N], valid UTF-8, and int64[D + 1], where each begins and ends.

    Arrays are not copied where they are large_string arrays or flat already.

    Raises:
        FormatError: a string holds a lone surrogate; one string, or something else that is no batch.
        CorpusError: a null, or bytes that are no UTF-8; it names the document, from 0.
    """
    if isinstance(texts, str | bytes):
        raise FormatError(
            f"cannot encode a batch that is a {type(texts).__name__}.",
            "Pass a list of strings, or call encode() with the one string.",
        )
    if isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts):
        return _of_strings(texts)
    if isinstance(texts, tuple) and len(texts) == 2:
        return _of_arrays(*texts)
    if type(texts).__module__.startswith("pyarrow"):
        return _of_arrow(texts)
    return _of_strings(list(texts))


def _of_strings(texts: Sequence[Any]) -> tuple[Bytes, Int64]:
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise FormatError(f"document {i} is no string.", f"Found: a {type(text).__name__}.")
    if all(map(str.isascii, texts)):
        raw = "".join(texts).encode()
        lengths = map(len, texts)
    else:
        parts = [utf8(text, i) for i, text in enumerate(texts)]
        raw, lengths = b"".join(parts), map(len, parts)
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(texts)), out=offsets[1:])
    return np.frombuffer(raw, dtype=np.uint8), offsets


def _of_arrays(data: Any, offsets: Any) -> tuple[Bytes, Int64]:
    from toktk.corpus.batch import strings
    from toktk.corpus.utf8 import check_rows

    data, offsets = np.ascontiguousarray(data), np.ascontiguousarray(offsets)
    fits = data.dtype == np.uint8 and np.issubdtype(offsets.dtype, np.integer)
    if not fits or data.ndim != 1 or offsets.ndim != 1 or not offsets.size:
        raise FormatError(
            "cannot encode these arrays.",
            f"Found: {data.dtype}{list(data.shape)} and {offsets.dtype}{list(offsets.shape)}.",
            "Wanted: uint8[N], the text in UTF-8, and int64[D + 1], the offsets.",
        )
    offsets = offsets.astype(np.int64, copy=False)
    if offsets[0] < 0 or offsets[-1] > data.size or bool((offsets[1:] < offsets[:-1]).any()):
        raise FormatError(
            "cannot encode these arrays.",
            f"Found: offsets that descend or leave the {data.size:,} bytes of text.",
        )
    check_rows(strings(data, offsets), "the batch", range(offsets.size - 1), "strict")
    return data, offsets


def _of_arrow(texts: Any) -> tuple[Bytes, Int64]:
    from toktk.corpus.batch import spans
    from toktk.corpus.utf8 import check_rows

    kinds = (pa.string(), pa.large_string(), pa.string_view())
    if texts.type not in kinds:
        raise FormatError(
            f"cannot encode an Arrow array of {texts.type}.", "Wanted: strings or large strings."
        )
    if texts.null_count:
        first = texts.is_null().index(True).as_py()
        raise CorpusError(f"document {first} of {len(texts):,} is null.", "Drop or fill the nulls.")
    if isinstance(texts, pa.ChunkedArray):
        chunks = [chunk.cast(pa.large_string()) for chunk in texts.chunks]
        texts = pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())
    array = texts.cast(pa.large_string())
    check_rows(array, "the batch", range(len(array)), "strict")
    return spans(array)
