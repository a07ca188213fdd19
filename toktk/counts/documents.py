"""What is kept of the documents of a count: a fingerprint, the totals of each group, and a sample."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.batch import ALIGN, GROUP, WEIGHT, constant_group, spans
from toktk.corpus.units import text_hashes
from toktk.errors import StorageError
from toktk.pieces.counter import ONE_GROUP
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import SampledDocuments

UInt64 = npt.NDArray[np.uint64]

_SALTS = range(41, 46)  # apart from other uses of the hash of a document
_WORD = 2**64


class DocumentSum:
    """A fingerprint of documents, each with text, group, alignment and weight, in any order and any parts.

    It is a sum of hashes, twice 64 bits: 32 digits in hex.
    """

    def __init__(self, value: str = "0" * 32) -> None:
        self._sums = [int(value[:16], 16), int(value[16:], 16)]
        self.n_documents = 0

    def __str__(self) -> str:
        return "".join(f"{value:016x}" for value in self._sums)

    def merge(self, other: DocumentSum) -> None:
        """Add the documents of another one."""
        self._sums = [(a + b) % _WORD for a, b in zip(self._sums, other._sums, strict=True)]

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the documents of a batch."""
        self.add_terms(terms_of(batch, text_hashes(batch)))

    def add_terms(self, terms: UInt64) -> None:
        """Add documents, of which `terms_of` gave these."""
        from toktk.kernels.hash import mix

        for i, of_word in enumerate((terms, mix(terms, _SALTS[4]))):
            self._sums[i] = (self._sums[i] + int(of_word.sum(dtype=np.uint64))) % _WORD
        self.n_documents += terms.size


def terms_of(batch: pa.RecordBatch, of_texts: UInt64) -> UInt64:
    """Return uint64[n]: a hash of text, group, alignment and weight of each document of a batch.

    `of_texts` are its `toktk.corpus.units.text_hashes`.
    """
    from toktk.kernels.hash import hash_spans, mix

    group, align = batch.column(GROUP), batch.column(ALIGN)
    names = hash_spans(*spans(group.dictionary.cast(pa.large_string())))
    terms: UInt64 = mix(of_texts + mix(names, _SALTS[0])[arrow.to_numpy(group.indices)], _SALTS[1])
    if align.null_count < len(align):
        aligned = np.flatnonzero(arrow.is_valid(align))
        ids = hash_spans(*spans(align.drop_null().cast(pa.large_string())))
        terms[aligned] = mix(terms[aligned] ^ mix(ids, _SALTS[2]), _SALTS[2])
    weights = arrow.to_numpy(batch.column(WEIGHT))
    weighted = np.flatnonzero(weights != 1)
    if weighted.size:
        terms[weighted] = mix(terms[weighted] ^ weights[weighted].view(np.uint64), _SALTS[3])
    return terms


def pooled(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with all documents in one group."""
    return batch.set_column(GROUP, batch.schema[GROUP], constant_group(ONE_GROUP, len(batch)))


def muted(batch: pa.RecordBatch, rows: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Return a batch of which some rows, not all, count for nothing: no weight, alignment or own group."""
    import pyarrow.compute as pc

    columns = batch.columns
    columns[WEIGHT] = arrow.from_numpy(np.where(rows, 0, arrow.to_numpy(columns[WEIGHT])))
    if columns[ALIGN].null_count < len(batch):
        none = pa.scalar(None, columns[ALIGN].type)
        columns[ALIGN] = pc.if_else(arrow.from_numpy(rows), none, columns[ALIGN])
    group = columns[GROUP]
    other = arrow.to_numpy(group.indices)[np.argmin(rows)]
    indices = np.where(rows, other, arrow.to_numpy(group.indices))
    columns[GROUP] = pa.DictionaryArray.from_arrays(arrow.from_numpy(indices), group.dictionary)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def compacted(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch whose dictionary of groups names only groups of its rows."""
    column = batch.column(GROUP)
    indices = arrow.to_numpy(column.indices)
    present = np.flatnonzero(np.bincount(indices, minlength=len(column.dictionary)))
    if present.size == len(column.dictionary):
        return batch
    number = np.zeros(len(column.dictionary), dtype=np.int32)
    number[present] = np.arange(present.size)
    names = column.dictionary.take(arrow.from_numpy(present))
    group = pa.DictionaryArray.from_arrays(arrow.from_numpy(number[indices]), names)
    return batch.set_column(GROUP, batch.schema[GROUP], group)


class Totals(NamedTuple):
    """Plain totals of the groups of a side.

    Attributes:
        groups: their names, sorted.
        sums: int64[G, 9]: the totals of a `PieceTable`, then its `aligned`.
    """

    groups: tuple[str, ...]
    sums: Int64

    @classmethod
    def added(cls, parts: Iterable[Totals]) -> Totals:
        """Return the totals of several parts."""
        sums: dict[str, Int64] = {}
        for groups, of_groups in parts:
            for name, row in zip(groups, of_groups, strict=True):
                sums[name] = sums[name] + row if name in sums else row
        names = tuple(sorted(sums))
        empty = np.zeros((0, len(_COLUMNS)), dtype=np.int64)
        return cls(names, np.stack([sums[name] for name in names]) if names else empty)

    @property
    def totals(self) -> Int64:
        """int64[G, 7]: see `PieceTable.totals`."""
        return np.ascontiguousarray(self.sums[:, :-2])

    @property
    def aligned(self) -> Int64:
        """int64[G, 2]: see `PieceTable.aligned`."""
        return np.ascontiguousarray(self.sums[:, -2:])


def write_totals(totals: Mapping[str, Totals], path: Path) -> None:
    """Write the totals of each side."""
    sides = [side for side, of_side in totals.items() for _ in of_side.groups]
    names = [name for of_side in totals.values() for name in of_side.groups]
    columns = np.concatenate([of_side.sums for of_side in totals.values()])
    table = pa.table(
        {
            "side": arrow.from_list(sides, pa.string()),
            "group": arrow.from_list(names, pa.string()),
            **{name: arrow.from_numpy(columns[:, i]) for i, name in enumerate(_COLUMNS)},
        }
    )
    _write(table, path, {})


_COLUMNS = (
    "documents",
    "bytes",
    "chars",
    "lines",
    "words",
    "unspaced",
    "nonspace",
    "aligned",
    "alignment",
)
"""Those of `toktk.kernels.text_totals`, then those of `PieceTable.aligned`."""


def read_totals(path: Path) -> dict[str, Totals]:
    """Return what `write_totals` wrote; a side without documents is left out."""
    table, _ = _read(path)
    sides = np.array(table["side"].to_pylist(), dtype=object)
    names = np.array(table["group"].to_pylist(), dtype=object)
    columns = np.stack([arrow.to_numpy(table[name].combine_chunks()) for name in _COLUMNS], axis=1)
    return {
        side: Totals(tuple(names[sides == side]), columns[sides == side])
        for side in dict.fromkeys(sides)
    }


def write_sample(sample: Sample, path: Path) -> None:
    """Write the sample of a share, to be merged."""
    columns, about = sample.state()
    _write(_documents(columns), path, about)


def read_sample(path: Path) -> Sample:
    """Return what `write_sample` wrote."""
    table, about = _read(path)
    return Sample.of_state(_columns(table), about)


def write_documents(sample: SampledDocuments, path: Path) -> None:
    """Write the sample of a whole text."""
    columns = vars(sample).copy()
    about = {name: columns.pop(name) for name in ("groups", "kinds")}
    about["levels"] = columns.pop("levels").tolist()
    _write(_documents(columns), path, about)


def read_documents(path: Path) -> SampledDocuments:
    """Return what `write_documents` wrote."""
    table, about = _read(path)
    return SampledDocuments(
        groups=tuple(about["groups"]),
        kinds=tuple(about["kinds"]),
        levels=np.array(about["levels"], dtype=np.int64),
        **_columns(table),
    )


def _documents(columns: Mapping[str, npt.NDArray[Any]]) -> pa.Table:
    """Return columns of documents as a table: ``data`` and ``offsets`` become ``document``."""
    columns = dict(columns)
    offsets = np.ascontiguousarray(columns.pop("offsets"))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(columns.pop("data"))]
    document = pa.Array.from_buffers(pa.large_binary(), offsets.size - 1, buffers)
    return pa.table(
        {
            **{name: arrow.from_numpy(column) for name, column in columns.items()},
            "document": document,
        }
    )


def _columns(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    data, offsets = spans(table["document"].combine_chunks())
    columns: dict[str, npt.NDArray[Any]] = {"data": data[: offsets[-1]], "offsets": offsets}
    for name in table.column_names[:-1]:
        column = table[name].combine_chunks()
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
            columns[name] = arrow.to_numpy(column).astype(np.bool_)
        else:
            columns[name] = arrow.to_numpy(column)
    return columns


def _write(table: pa.Table, path: Path, about: Mapping[str, Any]) -> None:
    table = table.replace_schema_metadata({"toktk": json.dumps(about)})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        pa.OSFile(os.fsencode(path), "wb") as raw,
        pa.ipc.new_file(raw, table.schema, options=options) as writer,
    ):
        writer.write_table(table)


def _read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    try:
        with pa.OSFile(os.fsencode(path)) as raw, pa.ipc.open_file(raw) as file:
            table = file.read_all()
        return table, json.loads((table.schema.metadata or {})[b"toktk"])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise StorageError(
            f"{path} is no part of a count.",
            f"Found: {type(error).__name__}: {error}.",
            "Count again what it belongs to.",
        ) from error
