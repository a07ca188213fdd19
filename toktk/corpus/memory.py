"""Text in memory: parts of a corpus that are built once and held, from strings or Arrow arrays."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, make_batch, slices, spans
from toktk.corpus.columnar import rows_to_batch
from toktk.corpus.options import ReaderOptions, Source
from toktk.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa


class InMemory:
    """A part of a corpus whose batches a subclass makes in `_build`, when they are first needed."""

    unit = "bytes"
    replaced = 0
    null_rows = 0

    def _build(self) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError

    @functools.cached_property
    def _batches(self) -> list[pa.RecordBatch]:
        return list(self._build())

    @functools.cached_property
    def size(self) -> int:
        """Bytes of text."""
        return sum(_text_bytes(batch) for batch in self._batches)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of texts, groups, weights and alignment ids, however they lie in memory."""
        digest = hashlib.sha256()
        for batch in self._batches:
            _update(digest, batch.column(TEXT))
            digest.update(arrow.to_numpy(batch.column(WEIGHT)).tobytes())
            # The names in order of appearance, which a slice or another dictionary does not change.
            groups = batch.column(GROUP).dictionary_decode().dictionary_encode()
            digest.update(str(groups.dictionary.to_pylist()).encode())
            if len(groups.dictionary) > 1:
                digest.update(arrow.to_numpy(groups.indices).tobytes())
            align = batch.column(ALIGN)
            if align.null_count < len(align):
                digest.update(arrow.is_valid(align).tobytes())
                _update(digest, align.fill_null("").cast("large_string"))
        return digest.hexdigest()

    def batches(self, progress: Callable[[int], None] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the documents; `progress` gets bytes of text."""
        for batch in self._batches:
            for rows in slices(batch):
                yield rows
                if progress is not None:
                    progress(_text_bytes(rows))


def _text_bytes(batch: pa.RecordBatch) -> int:
    _, offsets = spans(batch.column(TEXT))
    return int(offsets[-1] - offsets[0])


def _update(digest: Any, strings: pa.Array) -> None:
    data, offsets = spans(strings)
    digest.update(data[offsets[0] : offsets[-1]])
    digest.update(offsets - offsets[0])


class Texts(InMemory):
    """Documents at hand: see `toktk.corpus.Corpus.of`."""

    def __init__(self, texts: Any, groups: Any, align: Any, weights: Any, name: str) -> None:
        columns = {"text": _column(texts, "texts", strings_only=True)}
        n = len(columns["text"])
        one_group = groups is None or isinstance(groups, str)
        if not one_group:
            columns["group"] = _column(groups, "groups")
        if align is not None:
            columns["align"] = _column(align, "align")
        for column, values in columns.items():
            _check_length(column, len(values), n)
        options = ReaderOptions(
            group_column=None if one_group else "group",
            align_column=None if align is None else "align",
        )
        source = Source(name, (groups or name) if one_group else name, options)
        batch = rows_to_batch(source, columns, 0)
        if weights is not None:
            of_rows = _weights(weights, n)[arrow.is_valid(columns["text"])]
            batch = make_batch(
                batch.column(TEXT),
                batch.column(GROUP),
                batch.column(ALIGN),
                arrow.from_numpy(of_rows),
            )
        self.null_rows = source.null_rows
        self._batch = batch

    def _build(self) -> Iterator[pa.RecordBatch]:
        yield self._batch

    def describe(self) -> dict[str, Any]:
        """Return how many documents and bytes there are."""
        return {"texts": self._batch.num_rows, "bytes": self.size}


def _column(values: Any, name: str, strings_only: bool = False) -> pa.Array:
    """Return Arrow data, a column of a data frame or Python values as one Arrow array."""
    import pyarrow as pa

    if hasattr(values, "__arrow_c_stream__"):
        return _one_array(pa.chunked_array(values))
    if hasattr(values, "__arrow_c_array__"):
        return _one_array(pa.chunked_array([pa.array(values)]))
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise CorpusError(
            f"cannot make a corpus: {name} must be a list or an array.",
            f"Found: one {type(values).__name__}.",
        )
    items = list(values)
    allowed = (str, type(None)) if strings_only else (str, int, float, type(None))
    for i, item in enumerate(items):
        if not isinstance(item, allowed):
            raise CorpusError(
                f"cannot make a corpus: {name}[{i}] is a {type(item).__name__}.",
                f"Give {'strings' if strings_only else 'strings or numbers'}, or None for none.",
            )
    try:
        return arrow.from_list(items, pa.large_string())
    except UnicodeEncodeError as error:
        at = next(i for i, item in enumerate(items) if str(item) == error.object)
        raise CorpusError(
            f"cannot make a corpus: {name}[{at}] holds half a character.",
            f"Found: \\u{ord(error.object[error.start]):04x}, a surrogate without its partner.",
        ) from error


def _one_array(chunked: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    chunks = chunked.chunks
    if pa.types.is_dictionary(chunked.type):
        chunks = [chunk.dictionary_decode() for chunk in chunks]
    elif pa.types.is_string(chunked.type) and len(chunks) > 1:  # together they may exceed 2 GiB
        chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
    if len(chunks) == 1:
        return chunks[0]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.large_string())


def _weights(values: Any, n: int) -> Int64:
    weights = np.asarray(values)
    _check_length("weights", weights.size, n)
    counts = weights.astype(np.int64) if weights.dtype.kind in "iu" or not n else None
    if weights.ndim != 1 or counts is None or (counts < 0).any():
        raise CorpusError(
            "cannot make a corpus: a weight says how often a document counts.",
            f"Found: {weights.dtype}{list(weights.shape)}, the least is {weights.min()}.",
            "Give whole numbers of 0 or more.",
        )
    return counts


def _check_length(what: str, length: int, n: int) -> None:
    if length != n:
        raise CorpusError(
            f"cannot make a corpus: {length:,} {what} for {n:,} texts.", "Give one for each text."
        )
