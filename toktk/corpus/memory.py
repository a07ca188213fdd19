"""Text in memory: parts of a corpus that are built once and held, from strings or Arrow arrays."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, slices, spans
from toktk.corpus.columnar import rows_to_batch
from toktk.corpus.options import ReaderOptions, Source
from toktk.corpus.utf8 import whole_characters
from toktk.errors import CorpusError


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
        columns = {"text": _column(texts, "texts")}
        n = len(columns["text"])
        group = groups if isinstance(groups, str) else name
        options = ReaderOptions()
        if groups is not None and not isinstance(groups, str):
            columns["group"] = _column(groups, "groups", n)
            options = dataclasses.replace(options, group_column="group")
        if align is not None:
            columns["align"] = _column(align, "align", n)
            options = dataclasses.replace(options, align_column="align")
        source = Source(name, group, options)
        weight = None if weights is None else arrow.from_numpy(_weights(weights, n))
        self._batch = rows_to_batch(source, columns, 0, weight)
        self.null_rows = source.null_rows

    def _build(self) -> Iterator[pa.RecordBatch]:
        yield self._batch

    def describe(self) -> dict[str, Any]:
        """Return how many documents and bytes there are."""
        return {"texts": self._batch.num_rows, "bytes": self.size}


def _column(values: Any, name: str, n: int | None = None) -> pa.Array:
    """Return Arrow data, a column of a data frame or Python values as one Arrow array, n long."""
    if hasattr(values, "__arrow_c_stream__"):
        column = _one_array(pa.chunked_array(values))
    elif hasattr(values, "__arrow_c_array__"):
        column = pa.array(values)
    elif isinstance(values, Iterable) and not isinstance(values, str):
        column = _from_list(list(values), name)
    else:
        raise CorpusError(
            f"cannot make a corpus: {name} must be a list or an array.",
            f"Found: one {type(values).__name__}.",
        )
    _check_length(name, len(column), n)
    return column


def _one_array(chunked: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_string(chunked.type):  # whose chunks may hold more than 2 GiB together
        chunked = chunked.cast(pa.large_string())
    return chunked.combine_chunks()


def _from_list(values: list[Any], name: str) -> pa.Array:
    allowed = (str, type(None)) if name == "texts" else (str, int, float, type(None))
    for i, value in enumerate(values):
        if not isinstance(value, allowed):
            raise CorpusError(
                f"cannot make a corpus: {name}[{i}] is no string.", f"Found: {value!r:.80}."
            )
    try:
        return arrow.from_list(values, pa.large_string())
    except UnicodeEncodeError:
        for i, value in enumerate(values):
            whole_characters(str(value), f"{name}[{i}]", "strict")
        raise


def _weights(values: Any, n: int) -> Int64:
    weights = np.asarray(values if hasattr(values, "__array__") else list(values))
    _check_length("weights", weights.size, n)
    whole = weights.ndim == 1 and weights.dtype.kind in "iu"
    if n and not (whole and weights.min() >= 0):
        raise CorpusError(
            "cannot make a corpus: a weight says how often a document counts.",
            f"Found: {weights.min() if whole else f'{weights.dtype}{list(weights.shape)}'}.",
            "Give whole numbers of 0 or more.",
        )
    return weights.astype(np.int64)


def _check_length(name: str, length: int, n: int | None) -> None:
    if n is not None and length != n:
        raise CorpusError(
            f"cannot make a corpus: {length:,} {name} for {n:,} texts.", "Give one for each text."
        )
