"""Files: which function reads which extension, and what all kinds of file have in common."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

from toktk.arrow import pa
from toktk.corpus.batch import NO_GROUP
from toktk.corpus.columnar import read_arrow, read_parquet
from toktk.corpus.cuts import Part, first_begin
from toktk.corpus.delimited import read_csv, read_tsv
from toktk.corpus.first_bytes import HEAD, Content, content_of, wide_encoding
from toktk.corpus.json_array import line_ends, read_json
from toktk.corpus.jsonl import read_jsonl, row_ends
from toktk.corpus.options import UTF8, Progress, ReaderOptions, Source
from toktk.corpus.streams import STREAM_FAILURES, first_bytes
from toktk.corpus.text import document_ends, layout, read_text
from toktk.corpus.unchanged import State, Watched, check_unchanged
from toktk.corpus.utf8 import whole_name
from toktk.corpus.zipped import Member, opened
from toktk.errors import CorpusError

Read = Callable[[Source, Any], "Iterator[tuple[pa.RecordBatch, int]]"]
"""Yields each batch of an open file with how many bytes of it were consumed so far.

It is an `io.FileIO`, or, but of a kind that is packed, what can only be read on: a member of an archive.
"""


def _none(source: Source, head: object) -> None:
    """Return that a kind of file is read whole."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file: to read a further one, add it to `KINDS`.

    Attributes:
        name: what messages call it; it enters the fingerprint.
        extensions: what its files' names end with, in lower case.
        read: yields the batches of an open file.
        columns: its rows have columns, which options name; without, a document is a piece of text.
        packed: it is compressed inside, and a file of it is not compressed as a whole.
        ends: returns what a document begins after, of a source and what gives the first bytes of its file,
            or None where that is read whole; see `document_ends` of `toktk.corpus.text`.
        parts: `read` itself keeps to the `part` of a source.
        mapped: it is read from the memory of this machine, so from its disk alone.
    """

    name: str
    extensions: tuple[str, ...]
    read: Read
    columns: bool = True
    packed: bool = False
    ends: Callable[[Source, Callable[[], bytes]], re.Pattern[bytes] | None] = _none
    parts: bool = False
    mapped: bool = False


PLAIN_TEXT = Kind("text", (".txt",), read_text, columns=False, ends=document_ends)

KINDS = (
    PLAIN_TEXT,
    Kind("jsonl", (".jsonl", ".ndjson"), read_jsonl, ends=row_ends),
    Kind("json", (".json",), read_json, ends=line_ends),
    Kind("csv", (".csv",), read_csv),
    Kind("tsv", (".tsv",), read_tsv),
    Kind("parquet", (".parquet",), read_parquet, packed=True, parts=True),
    Kind("arrow", (".arrow", ".feather"), read_arrow, packed=True, mapped=True),
)

READERS = {extension: kind for kind in KINDS for extension in kind.extensions}
"""The kind of file by extension; any other extension is plain text."""

_ENDS = 1 << 16
"""Bytes of either end of a file that its mark is made of."""
_BLOCK = 1 << 20  # bytes that are hashed between two reports
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}


def kind_of(path: Path) -> tuple[Kind | None, str | None, str]:
    """Return what a file is by its name: the kind, None if no extension says it, compression, stem."""
    compression = COMPRESSIONS.get(path.suffix.lower())
    bare = Path(path.stem) if compression else Path(path.name)
    return READERS.get(bare.suffix.lower()), compression, bare.stem or path.name


def _partition(folders: Sequence[str], column: str) -> str | None:
    """Return the value that a folder gives a column, such as ``lang=de``: of the one next to the file."""
    for folder in reversed(folders):
        name, equals, value = folder.partition("=")
        if equals and unquote(name) == column:
            return NO_GROUP if value == _NO_VALUE else unquote(value)
    return None


class FileReader(Source):
    """The documents of one file; its extensions say what it is.

    A folder such as ``lang=de`` stands for the column ``lang``, as in a Hive data set. Where neither a
    column nor `group` names the group, it is the file's stem, without the
    compression's and the format's extension: that of ``news.2024.txt.gz`` is ``news.2024``.

    The file is the one that was first opened: once it is written to, every later reading is a
    `CorpusError`, so that no figure is of other bytes than the fingerprint.

    `where` is what errors and results call it, if not by its path. Of a `member` of a zip archive the
    path goes through the archive.
    """

    def __init__(
        self,
        path: Path,
        options: ReaderOptions,
        group: str | None = None,
        where: str | None = None,
        member: Member | None = None,
    ) -> None:
        kind, compression, stem = kind_of(path)
        where = where or str(path)
        value = None
        if options.group_column is not None:
            value = _partition(PurePath(where).parts[:-1], options.group_column)
        if value is not None:
            group, options = value, dataclasses.replace(options, group_column=None)
        super().__init__(where, whole_name(group or stem), options, compression)
        self.path, self.member = path, member
        self._of_folder = value is not None
        self.kind = kind or PLAIN_TEXT
        if self.kind.packed and compression:
            raise CorpusError(
                f"cannot read {where}: {self.kind.name} files are compressed inside.",
                f"Decompress it, and name it {PurePath(where).with_suffix('').name}.",
            )
        if self.kind.columns:
            self._refuse_sampling("Leave --sample-by out, or give plain text.")
        self._wide: str | None = None

    @property
    def of_folders(self) -> Collection[str]:
        """The column of the group, where a folder stands for it."""
        return ("group_column",) if self._of_folder else ()

    @property
    def takes(self) -> Collection[str]:  # type: ignore[override]
        """Names of columns, where there are some; an encoding, but where bytes say what text is."""
        columns = ("text_column", "group_column", "weight_column") if self.kind.columns else ()
        quotes = ("quotes",) if self.kind.name in ("csv", "tsv") else ()
        return columns if self.kind.packed else ("encoding", *quotes, *columns)

    def _open(
        self, seeking: bool = False
    ) -> contextlib.AbstractContextManager[tuple[Watched, io.RawIOBase]]:
        """Open it; see `opened`."""
        return opened(self.path, self.member, seeking)

    @functools.cached_property
    def _first(self) -> State:
        with self._reading(), self._open() as (file, content):
            state = State.of(file)
            self._check_content(content)
            return state

    def head(self) -> bytes:
        """Return the first bytes of its text, decompressed and not decoded.

        Raises:
            CorpusError: it cannot be read.
        """
        with self._reading(), self._open() as (_, content):
            return first_bytes(self, content, HEAD)

    def _check_content(self, file: io.RawIOBase) -> None:
        """Compare what a file's first bytes say with what its name says.

        Raises:
            CorpusError: they say different things.
        """
        head = file.read(HEAD) or b""
        found = content_of(head)
        if self.compression:
            if head and (found is None or found.name != self.compression):
                raise self._is_not(self.compression, found)
            file.seek(0)
            head = first_bytes(self, file, HEAD)
            found = content_of(head)
        elif self.kind.packed and found is not None and found.name == self.kind.name:
            return
        encoding = self.options.encoding
        if found is not None and not (
            found.name.startswith("text in") and encoding.startswith(("utf-16", "utf-32"))
        ):
            raise self._is_not(self.kind.name, found)
        if not self.kind.packed and encoding == UTF8:
            self._wide = wide_encoding(head)

    def _is_not(self, expected: str, found: Content | None) -> CorpusError:
        inside = self.compression is not None and expected != self.compression
        advice = found.advice if found else "Give it the name that says what it is."
        return CorpusError(
            f"cannot read {self.where} as {expected}.",
            f"Found{' inside' * inside}: {found.name if found else 'another thing'}, by its first bytes.",
            f"Decompress it. {advice}" if inside else advice,
        )

    @property
    def remarks(self) -> list[str]:
        """What its first bytes let suspect."""
        if not self._first or not self._wide:
            return []
        return [
            f"nearly every other byte at the start of {self.where} is NUL: if it is UTF-16, read it with "
            f"--encoding {self._wide}."
        ]

    @property
    def size(self) -> int:
        """Bytes on disk; of a member of an archive, what it holds."""
        if self.part:
            return self.part[1] - self.part[0]
        return self.member.info.file_size if self.member else self._first.size

    @property
    def stored(self) -> int:
        """Bytes on disk, of the whole file."""
        return self.member.info.compress_size if self.member else self._first.size

    @functools.cached_property
    def mark(self) -> str:
        """A hash of its size, its first and its last bytes; of a member, of what its archive says of it."""
        if self.member:
            said = f"{self.member.info.file_size} {self.member.info.CRC}".encode()
        else:
            with self._reading(), self._open() as (file, content):
                said = f"{self.stored} ".encode() + content.read(_ENDS)
                content.seek(max(self.stored - _ENDS, 0))
                said += content.read(_ENDS)
                check_unchanged(file, self.where, self._first)
        return hashlib.sha256(said).hexdigest()[:16]

    @property
    def _is_cut(self) -> bool:
        return self.member is None and (self.kind.parts or self._ends is not None)

    @functools.cached_property
    def _ends(self) -> re.Pattern[bytes] | None:
        if self.compression or self.options.encoding != UTF8:
            return None
        return self.kind.ends(self, self.head)

    def share(self, begin: int, end: int) -> Source | None:
        """See `Source.share`."""
        part = max(begin, 0), min(end, self.stored)
        # What is of another rank is not opened to know whether it can be cut.
        if part[0] >= part[1] or part == (0, self.stored) or not self._is_cut:
            return super().share(begin, end)
        share = copy.copy(self)
        share.part, share.replaced, share.null_rows = part, 0, 0
        share.__dict__.pop("fingerprint", None)
        return share

    def _part(self, file: io.RawIOBase) -> io.RawIOBase:
        """Return what is read of an open file: of a part, its documents."""
        if self.part is None or self._ends is None:
            return file
        size, (begin, end) = self.stored, self.part
        self.begin = first_begin(file, size, self._ends, begin, end)
        # That of the next part is not looked for where this one has no document.
        stop = first_begin(file, size, self._ends, end, size) if self.begin < end else self.begin
        return Part(file, self.begin, stop)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of the file's bytes, its group and the options that change what is read."""
        return self._hashed(lambda _: None)

    def hash(self, progress: Progress) -> None:
        """See `Source.hash`."""
        if "fingerprint" in self.__dict__:
            progress(self.size)
        else:
            self.__dict__["fingerprint"] = self._hashed(progress)

    def _hashed(self, progress: Progress) -> str:
        options = self.options
        relevant: list[Any] = [self.kind.name, self.group, options.align_column, options.errors]
        if self.kind.columns:
            relevant += [options.text_column, options.group_column]
            # Only where given, so that earlier fingerprints hold.
            relevant += [] if options.weight_column is None else ["weight", options.weight_column]
            relevant += [] if options.quotes else ["no quotes"]
        else:
            relevant += layout(self)
        if options.encoding != UTF8:
            relevant.append(options.encoding)
        relevant += [self.part] if self.part else []
        digest = hashlib.sha256(repr(relevant).encode())
        with self._reading(), self._open() as (file, content):
            # Whoever writes to it after this leaves a trace, and what came before is hashed.
            self._first.settle()
            digest.update(_digest(content, progress))
            check_unchanged(file, self.where, self._first)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return the file's name, size and group; folders are this machine's business."""
        name = whole_name(PurePath(self.where).name)
        about = {"file": name, "bytes": self.size, "group": self.group}
        return about if self.kind.columns else about | layout(self)._asdict()

    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        self.replaced = self.null_rows = 0
        with self._open(seeking=self.kind.packed) as (file, content):
            # Arrow closes what it has read; the file stays open, to be asked about.
            if isinstance(content, io.FileIO):
                content = io.FileIO(content.fileno(), closefd=False)
            items = self.kind.read(self, self._part(content))
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
                batch, position = item
                yield batch, min(position, self.size)  # the last document may end behind the part

    def _failures(self) -> tuple[type[BaseException], ...]:
        return *super()._failures(), *STREAM_FAILURES


def _digest(content: io.RawIOBase, progress: Progress) -> bytes:
    """Return the sha256 of what is left of a file; `progress` is called with its bytes."""
    digest, block = hashlib.sha256(), memoryview(bytearray(_BLOCK))
    while n_bytes := content.readinto(block):
        digest.update(block[:n_bytes])
        progress(n_bytes)
    return digest.digest()
