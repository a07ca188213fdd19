"""Files: plain text, JSON Lines (both also .gz and .zst), Parquet and Arrow IPC."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.corpus.batch import slices
from toktk.corpus.options import ReaderOptions
from toktk.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
FORMATS = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}


def split_name(path: Path) -> tuple[str, str, str | None]:
    """Return ``(stem, format, compression)`` by the file's extensions.

    The stem loses the compression's and the format's extension, no more: ``news.2024.txt.gz`` is
    ``news.2024``. An unknown extension means plain text.
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    bare = Path(path.stem) if compression else Path(path.name)
    return bare.stem or path.name, FORMATS.get(bare.suffix.lower(), "text"), compression


class FileReader:
    """The documents of one file.

    Args:
        path: the file; its extensions say what it is (`split_name`).
        options: how to read it; `limit` and `seed` are the corpus's business.
        group: the group where no column names one; the file's stem, unless given.
    """

    unit = "bytes"

    def __init__(self, path: Path, options: ReaderOptions, group: str | None = None) -> None:
        self.path = path
        self.options = options
        stem, self.format, self.compression = split_name(path)
        self.group = group or stem
        self.replaced = 0
        self.null_rows = 0
        if self.format in ("parquet", "arrow") and self.compression:
            raise CorpusError(
                f"cannot read {path}: {self.format} files are compressed inside.",
                f"Decompress it, and name it {path.with_suffix('').name}.",
            )
        if self.format != "text" and options.sample_by not in (None, "document"):
            raise CorpusError(
                f"cannot read {path} by {options.sample_by}: each row of it is a document.",
                "Leave sample_by out, or give plain text.",
            )

    @functools.cached_property
    def size(self) -> int:
        """Bytes on disk.

        Raises:
            CorpusError: the file is gone.
        """
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise _unreadable(self.path, error) from error

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of the file's bytes, its group and the options that change what is read.

        Raises:
            CorpusError: the file cannot be read.
        """
        read = self.options
        relevant = [self.format, self.group, read.align_column, read.errors]
        if self.format == "text":
            relevant.append(read.sample_by or "line")
        else:
            relevant += [read.text_column, read.group_column]
        digest = hashlib.sha256(repr(relevant).encode())
        try:
            with self.path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise _unreadable(self.path, error) from error
        return digest.hexdigest()

    def batches(self, progress: Callable[[int], None] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the documents; `progress` gets the bytes of the file consumed since the last call.

        Raises:
            CorpusError: the file is missing, corrupt, not UTF-8, or lacks a column.
        """
        self.replaced = self.null_rows = 0
        done = 0
        for batch, position in self._translated(self._read()):
            yield from slices(batch)
            if progress is not None and position > done:
                progress(position - done)
                done = position
        if progress is not None and self.size > done:
            progress(self.size - done)

    def describe(self) -> dict[str, Any]:
        """Return the file's name, size and group; folders are this machine's business."""
        return {"file": self.path.name, "bytes": self.size, "group": self.group}

    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        from toktk.corpus import jsonl, tables, text

        read = {
            "text": text.read_text,
            "jsonl": jsonl.read_jsonl,
            "parquet": tables.read_parquet,
            "arrow": tables.read_arrow,
        }
        return read[self.format](self)

    def _translated(
        self, items: Iterator[tuple[pa.RecordBatch, int]]
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        # Around next() alone: what the caller of batches() raises is not this file's fault.
        import pyarrow as pa

        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except (pa.ArrowException, OSError, EOFError) as error:
                raise _unreadable(self.path, error) from error
            yield item


def _unreadable(path: Path, error: Exception) -> CorpusError:
    found = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return CorpusError(
        f"cannot read {path}.",
        f"Found: {found.splitlines()[0]}.",
        "Check the path, and that the file is whole and is what its extension says.",
    )
