"""Text in memory: parts of a corpus that are built once and held, from strings or Arrow arrays."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, slices, spans
from toktk.corpus.columnar import rows_to_batch
from toktk.corpus.options import ReaderOptions, Source
from toktk.corpus.utf8 import whole_characters, whole_name
from toktk.errors import CorpusError


class InMemory(Source):
    """Text whose batches a subclass makes in `_build`, when they are first needed."""

    one_group = False

    @abstractmethod
    def _build(self) -> Iterator[pa.RecordBatch]:
        """Yield all documents, in batches of any size."""

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

    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        position = 0
        for batch in self._batches:
            for rows in slices(batch):
                position += _text_bytes(rows)
                yield rows, position


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
        one_group = isinstance(groups, str)
        given = {"texts": texts, "groups": None if one_group else groups, "align": align}
        columns = {
            column: _column(values, column)
            for column, values in given.items()
            if column == "texts" or values is not None
        }
        if weights is not None:
            columns["weights"] = _weights(weights)
        n = len(columns["texts"])
        for column, values in columns.items():
            if len(values) != n:
                raise CorpusError(
                    f"cannot make a corpus: {len(values):,} {column} for {n:,} texts.",
                    "Give one for each text.",
                )
        weight = columns.pop("weights", None)
        group_column, align_column = (
            key if key in columns else None for key in ("groups", "align")
        )
        options = ReaderOptions("texts", group_column, align_column)
        group = whole_characters(groups, "groups", "strict")[0] if one_group else whole_name(name)
        super().__init__(name, group, options)
        self._batch = rows_to_batch(self, pa.record_batch(columns), 0, weight)

    def _build(self) -> Iterator[pa.RecordBatch]:
        yield self._batch

    def describe(self) -> dict[str, Any]:
        """Return how many documents and bytes there are."""
        return {"texts": self._batch.num_rows, "bytes": self.size}


def _column(values: Any, name: str) -> pa.Array:
    """Return Arrow data, a column of a data frame or Python values as one Arrow array."""
    if hasattr(values, "__arrow_c_stream__"):
        chunked = pa.chunked_array(values)
        if pa.types.is_string(chunked.type):  # whose chunks may hold more than 2 GiB together
            chunked = chunked.cast(pa.large_string())
        return chunked.combine_chunks()
    if hasattr(values, "__arrow_c_array__"):
        return pa.array(values)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise CorpusError(
            f"cannot make a corpus: {name} must be a list or an array.",
            f"Found: one {type(values).__name__}.",
        )
    values = list(values)
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


def _weights(values: Any) -> pa.Array:
    weights = np.asarray(values if hasattr(values, "__array__") else list(values))
    whole = weights.ndim == 1 and weights.dtype.kind in "iu"
    if weights.size and not (whole and weights.min() >= 0):
        raise CorpusError(
            "cannot make a corpus: a weight says how often a document counts.",
            f"Found: {weights.min() if whole else f'{weights.dtype}{list(weights.shape)}'}.",
            "Give whole numbers of 0 or more.",
        )
    return arrow.from_numpy(weights.astype(np.int64))
