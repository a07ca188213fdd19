"""Documents as callers have them -> one UTF-8 buffer and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, Union

import numpy as np

from toktk.arrays import Bytes, Int64, offsets_of, packed
from toktk.arrow import pa
from toktk.errors import CorpusError, FormatError

Texts: TypeAlias = Union[Sequence[str], "pa.Array", "pa.ChunkedArray", tuple[Bytes, Int64]]
"""Strings, an Arrow array of strings, or (uint8[N], int64[D + 1]): UTF-8 and offsets."""


def utf8(text: str, document: int | None = None) -> bytes:
    """Return `text` in UTF-8; the error about a lone surrogate names the document, if it is given."""
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
    """Return all documents as uint8[N], valid UTF-8, and int64[D + 1]; large strings are not copied.

    Raises:
        FormatError: a lone surrogate; one string, or something else that is no batch.
        CorpusError: a null, or bytes that are no UTF-8; it names the document, from 0.
    """
    if isinstance(texts, str | bytes):
        raise FormatError(
            f"cannot encode a batch that is a {type(texts).__name__}.",
            "Pass a list of strings, or call encode() with the one string.",
        )
    if isinstance(texts, tuple) and len(texts) == 2 and not isinstance(texts[0], str):
        array = _of_arrays(*texts)
    elif type(texts).__module__.startswith("pyarrow"):
        array = _of_arrow(texts)
    else:
        return _of_strings(list(texts))
    from toktk.corpus.batch import spans
    from toktk.corpus.utf8 import check_rows

    check_rows(array, "the batch, row {}, byte {}".format, "strict")
    return spans(array)


def _of_strings(texts: Sequence[Any]) -> tuple[Bytes, Int64]:
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise FormatError(f"document {i} is no string.", f"Found: a {type(text).__name__}.")
    if all(map(str.isascii, texts)):
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        return np.frombuffer("".join(texts).encode(), np.uint8), offsets_of(lengths)
    return packed([utf8(text, i) for i, text in enumerate(texts)])


def _of_arrays(data: Any, offsets: Any) -> pa.Array:
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
        outside = f"Found: offsets that descend or leave the {data.size:,} bytes of text."
        raise FormatError("cannot encode these arrays.", outside)
    buffers = pa.py_buffer(offsets), pa.py_buffer(data)
    return pa.LargeStringArray.from_buffers(offsets.size - 1, *buffers)


def _of_arrow(texts: Any) -> pa.Array:
    if texts.type not in (pa.string(), pa.large_string(), pa.string_view()):
        raise FormatError(
            f"cannot encode an Arrow array of {texts.type}.", "Wanted: strings or large strings."
        )
    if texts.null_count:
        first = texts.is_null().index(True).as_py()
        raise CorpusError(f"document {first} of {len(texts):,} is null.", "Drop or fill the nulls.")
    array = texts.cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array
