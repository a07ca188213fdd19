"""The files of token shards: arrays of NumPy that can be mapped into memory, or Parquet.

::

    00007-00000.tokens.npy      uint16[n] or uint32[n], the tokens of all documents
    00007-00000.offsets.npy     int64[D + 1], where those of each document begin, and the last ends
    00007-00000.bytes.npy       int64[D], the bytes of each document's text in UTF-8
    00007-00000.groups.npy      int32[D], the group of each document, a number into
    00007-00000.groups.json     the names of the groups, in order of appearance

    00007-00000.parquet         a row a document: tokens, bytes, group

The first number is the rank's, the second counts its shards.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrow import pa
from toktk.errors import CorpusError
from toktk.places import Place
from toktk.ranks.folder import delivered, rank_name
from toktk.shards.documents import EncodedDocuments
from toktk.shards.npy import NpyFile

_ROW_GROUP = 1 << 22  # tokens of a row group of Parquet, or one batch
_MOST_OF_ROWS = 2**31 - 1  # tokens of a batch of rows


class _Files(Protocol):
    """The files of one shard, not complete yet."""

    def append(self, documents: EncodedDocuments) -> None:
        """Add documents behind the others."""

    def finish(self) -> None:
        """Complete the files."""


class ShardWriter:
    """Writes the documents of a rank in order; a shard ends where the next document would be too much.

    Used in a ``with``, after which no unfinished file is left. A file gets its name when it is whole.

    Args:
        format: one of `FORMATS`.
        shard_tokens: of a shard, at most; one longer document is a shard of its own.
    """

    def __init__(
        self, place: Place, rank: int, format: str, dtype: np.dtype[Any], shard_tokens: int
    ) -> None:
        self._place, self._rank = place, rank
        self._format, self._dtype, self._shard_tokens = format, dtype, shard_tokens
        self._shards: list[dict[str, Any]] = []
        self._about: dict[str, dict[str, Any]] = {}
        self._unfinished = contextlib.ExitStack()
        self._files: _Files | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._unfinished.__exit__(*error)

    def add(self, documents: EncodedDocuments) -> None:
        """Write documents.

        Raises:
            StorageError: they cannot be written.
            CorpusError: a document is too long for Parquet.
        """
        first = 0
        while first < len(documents):
            if self._files is None:
                self._files = self._open()
            shard = self._shards[-1]
            end = documents.offsets[first] + self._shard_tokens - shard["tokens"]
            last = int(np.searchsorted(documents.offsets, end, side="right")) - 1
            if last <= first:
                if shard["documents"]:
                    self._close()
                    continue
                last = first + 1
            part = documents.part(first, last)
            self._files.append(part)
            shard["documents"] += len(part)
            shard["tokens"] += part.tokens.size
            shard["bytes"] += int(part.lengths.sum())
            first = last

    def finish(self) -> dict[str, Any]:
        """Complete the last shard; return what the rank's marker says of all: ``shards`` and ``files``."""
        self._close()
        return {"shards": self._shards, "files": dict(sorted(self._about.items()))}

    def _open(self) -> _Files:
        stem = f"{rank_name(self._rank)}-{len(self._shards):05d}"
        self._shards.append({"name": stem, "documents": 0, "tokens": 0, "bytes": 0})
        return FORMATS[self._format](self, stem, self._dtype)

    def path(self, name: str) -> Path:
        """Return where to write what becomes the file of this name."""
        return self._unfinished.enter_context(delivered(self._place, name, self._about))

    def at_end(self, close: Callable[[], object]) -> None:
        """Call what closes a file at such a path, whatever happens."""
        self._unfinished.callback(close)

    def _close(self) -> None:
        if self._files is None:
            return
        self._files.finish()
        # The one that was opened first is there last: it does not stand without the others.
        self._unfinished.close()
        self._files = None


class _Arrays:
    """A shard as arrays."""

    def __init__(self, writer: ShardWriter, stem: str, dtype: np.dtype[Any]) -> None:
        self._arrays = [
            NpyFile(writer.path(f"{stem}.{what}.npy"), of)
            for what, of in (
                ("tokens", dtype),
                ("offsets", np.int64),
                ("bytes", np.int64),
                ("groups", np.int32),
            )
        ]
        self._tokens, self._offsets, self._bytes, self._groups = self._arrays
        for array in self._arrays:
            writer.at_end(array.close)
        self._names = writer.path(f"{stem}.groups.json")
        self._numbers: dict[str, int] = {}
        self._offsets.append(np.zeros(1, dtype=np.int64))

    def append(self, documents: EncodedDocuments) -> None:
        self._offsets.append(documents.offsets[1:] + self._tokens.size)
        self._tokens.append(documents.tokens)
        self._bytes.append(documents.lengths)
        self._groups.append(self._numbered(documents))

    def _numbered(self, documents: EncodedDocuments) -> npt.NDArray[np.int32]:
        """Return int32[D]: the groups by the numbers that they have in this shard."""
        groups, names = documents.groups, documents.group_names
        used = np.flatnonzero(np.bincount(groups, minlength=len(names)))
        if any(names[i] not in self._numbers for i in used.tolist()):
            used, begins = np.unique(groups, return_index=True)
            for i in used[np.argsort(begins)].tolist():
                self._numbers.setdefault(names[i], len(self._numbers))
        numbers = np.zeros(len(names), dtype=np.int32)
        numbers[used] = [self._numbers[names[i]] for i in used.tolist()]
        return numbers[groups]

    def finish(self) -> None:
        for array in self._arrays:
            array.finish()
        self._names.write_text(json.dumps([*self._numbers]) + "\n", encoding="ascii")


class _Rows:
    """A shard as rows of Parquet."""

    def __init__(self, writer: ShardWriter, stem: str, dtype: np.dtype[Any]) -> None:
        import pyarrow.parquet as pq

        self._type = pa.list_(pa.field("item", pa.from_numpy_dtype(dtype), nullable=False))
        self._schema = pa.schema(
            [
                pa.field("tokens", self._type, nullable=False),
                pa.field("bytes", pa.int64(), nullable=False),
                pa.field("group", pa.string(), nullable=False),
            ]
        )
        # By a path that need not be UTF-8, as it must for PyArrow's own functions.
        self._sink = pa.OSFile(os.fsencode(writer.path(f"{stem}.parquet")), "wb")
        writer.at_end(self._sink.close)
        self._file = pq.ParquetWriter(
            self._sink, self._schema, compression="zstd", use_dictionary=["group"]
        )
        writer.at_end(self._file.close)
        self._waiting: list[pa.RecordBatch] = []
        self._n_waiting = 0

    def append(self, documents: EncodedDocuments) -> None:
        if documents.tokens.size > _MOST_OF_ROWS:
            raise CorpusError(
                "a document is too long for a row of Parquet.",
                f"Found: {documents.tokens.size:,} tokens; a row holds {_MOST_OF_ROWS:,}.",
                "Write arrays (--files npy), or cut the document.",
            )
        groups = pa.DictionaryArray.from_arrays(
            arrow.from_numpy(documents.groups),
            arrow.from_list(documents.group_names, pa.string()),
        )
        offsets = arrow.from_numpy(documents.offsets.astype(np.int32))
        tokens = arrow.from_numpy(documents.tokens)
        columns = [
            pa.ListArray.from_arrays(offsets, tokens, type=self._type),
            arrow.from_numpy(documents.lengths),
            groups.cast(pa.string()),
        ]
        self._waiting.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._n_waiting += documents.tokens.size
        if self._n_waiting >= _ROW_GROUP:
            self._write()

    def _write(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._file.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._n_waiting = [], 0

    def finish(self) -> None:
        self._write()
        self._file.close()
        self._sink.close()


FORMATS: dict[str, Callable[[ShardWriter, str, np.dtype[Any]], _Files]] = {
    "npy": _Arrays,
    "parquet": _Rows,
}
"""The kinds of files, by name."""
