"""Files: which function reads which extension, and what all kinds of file have in common."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from toktk.arrow import pa
from toktk.corpus.columnar import read_arrow, read_parquet
from toktk.corpus.jsonl import read_jsonl
from toktk.corpus.options import ReaderOptions, Source
from toktk.corpus.text import read_text
from toktk.corpus.unchanged import State, check_unchanged, open_file
from toktk.corpus.utf8 import whole_name
from toktk.errors import CorpusError

Read = Callable[[Source, io.FileIO], "Iterator[tuple[pa.RecordBatch, int]]"]
"""Yields each batch with how many bytes of the open file were consumed so far."""

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
    """The documents of one file; its extensions say what it is.

    Where neither a column nor `group` names the group, it is the file's stem, without the
    compression's and the format's extension: that of ``news.2024.txt.gz`` is ``news.2024``.

    The file is the one that was first opened: once it is written to, every later reading is a
    `CorpusError`, so that no figure is of other bytes than the fingerprint.
    """

    def __init__(self, path: Path, options: ReaderOptions, group: str | None = None) -> None:
        compression = COMPRESSIONS.get(path.suffix.lower())
        bare = Path(path.stem) if compression else Path(path.name)
        group = whole_name(group or bare.stem or path.name)
        super().__init__(str(path), group, options, compression)
        self.path = path
        self.format, self._read_format = READERS.get(bare.suffix.lower(), PLAIN_TEXT)
        if self.format in ("parquet", "arrow") and compression:
            raise CorpusError(
                f"cannot read {path}: {self.format} files are compressed inside.",
                f"Decompress it, and name it {path.with_suffix('').name}.",
            )
        if self.format != "text":
            self._refuse_sampling("Leave sample_by out, or give plain text.")

    @functools.cached_property
    def _first(self) -> State:
        with self._reading(), open_file(self.path) as file:
            return State.of(file)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._first.size

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
        with self._reading(), open_file(self.path) as file:
            # Whoever writes to it after this leaves a trace, and what came before is hashed.
            self._first.settle()
            digest.update(hashlib.file_digest(file, "sha256").digest())
            check_unchanged(file, self.where, self._first)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return the file's name, size and group; folders are this machine's business."""
        return {"file": whole_name(self.path.name), "bytes": self.size, "group": self.group}

    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        self.replaced = self.null_rows = 0
        with open_file(self.path) as file:
            # Arrow closes what it has read; the file stays open, to be asked about.
            items = self._read_format(self, io.FileIO(file.fileno(), closefd=False))
            failures: tuple[type[BaseException], ...] = (CorpusError, *self._failures())
            while True:
                check_unchanged(file, self.where, self._first)
                try:
                    item = next(items, None)
                except failures:
                    check_unchanged(file, self.where, self._first)  # as may well be the cause
                    raise
                # Before anybody sees the batch: a limit or a sample reads no further.
                check_unchanged(file, self.where, self._first)
                if item is None:
                    return
                yield item
