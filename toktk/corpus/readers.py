"""Files: which function reads which extension, and what all kinds of file have in common."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from toktk.arrow import pa
from toktk.corpus.batch import slices
from toktk.corpus.columnar import read_arrow, read_parquet
from toktk.corpus.jsonl import read_jsonl
from toktk.corpus.options import ReaderOptions, Source
from toktk.corpus.text import read_text
from toktk.errors import CorpusError

Read = Callable[[Source], "Iterator[tuple[pa.RecordBatch, int]]"]
"""Yields each batch with how many bytes of the file were consumed so far."""

PLAIN_TEXT: tuple[str, Read] = ("text", read_text)

READERS: dict[str, tuple[str, Read]] = {
    ".txt": PLAIN_TEXT,
    ".jsonl": ("jsonl", read_jsonl),
    ".ndjson": ("jsonl", read_jsonl),
    ".json": ("jsonl", read_jsonl),
    ".parquet": ("parquet", read_parquet),
    ".arrow": ("arrow", read_arrow),
    ".feather": ("arrow", read_arrow),
}
"""The name of the format and what reads it, by extension; any other extension is plain text."""

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


class FileReader(Source):
    """The documents of one file.

    The file's extensions say what it is. Its stem loses the compression's and the format's, no
    more: ``news.2024.txt.gz`` is ``news.2024``.

    Args:
        path: the file.
        options: how to read it.
        group: the group where no column names one; the file's stem, unless given.
    """

    unit = "bytes"

    def __init__(self, path: Path, options: ReaderOptions, group: str | None = None) -> None:
        compression = COMPRESSIONS.get(path.suffix.lower())
        bare = Path(path.stem) if compression else Path(path.name)
        super().__init__(str(path), group or bare.stem or path.name, options, compression)
        self.path = path
        self.format, self._read = READERS.get(bare.suffix.lower(), PLAIN_TEXT)
        if self.format in ("parquet", "arrow") and compression:
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
        """Bytes on disk."""
        try:
            return self.path.stat().st_size
        except OSError as error:
            raise _unreadable(self.path, error) from error

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of the file's bytes, its group and the options that change what is read."""
        options = self.options
        relevant = [self.format, self.group, options.align_column, options.errors]
        if self.format == "text":
            relevant.append(options.sample_by or "line")
        else:
            relevant += [options.text_column, options.group_column]
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
        for batch, position in self._translated(self._read(self)):
            yield from slices(batch)
            if progress is not None and position > done:
                progress(position - done)
                done = position
        if progress is not None and self.size > done:
            progress(self.size - done)

    def describe(self) -> dict[str, Any]:
        """Return the file's name, size and group; folders are this machine's business."""
        return {"file": self.path.name, "bytes": self.size, "group": self.group}

    def _translated(
        self, items: Iterator[tuple[pa.RecordBatch, int]]
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        # Around next() alone: what the caller of batches() raises is not this file's fault.
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except (pa.ArrowException, OSError, EOFError) as error:
                raise _unreadable(self.path, error) from error
            yield item


def _unreadable(path: Path, error: Exception) -> CorpusError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return CorpusError(
        f"cannot read {path}.",
        f"Found: {reason.splitlines()[0]}.",
        "Check the path, and that the file is whole and is what its extension says.",
    )
