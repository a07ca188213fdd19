"""How text is read: the options that every reader takes, and the source that it reads."""

from __future__ import annotations

import codecs
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from toktk.arrow import pa
from toktk.corpus.batch import slices
from toktk.errors import CorpusError, did_you_mean, in_a_line, usage

Progress = Callable[[int], None]

UTF8 = "utf-8"

LINE_NUMBER = "line"
"""The `align_column` that makes line-aligned plain text parallel."""


def check_known(name: str, known: Collection[str], what: str, *advice: str) -> None:
    """Raise a `CorpusError` that says `what` is wrong if `name` is not one of the `known`."""
    if name not in known:
        listed = f"Known: {', '.join(known) or 'none'}."
        raise CorpusError(f"{what}{did_you_mean(name, known)}.", listed, *advice)


@dataclass(frozen=True)
class ReaderOptions:
    """What to read of a source, and how.

    Args:
        text_column: the column of the text, of a table or on the hub. A path such as
            ``messages.content`` leads into objects and lists; the strings of a list become one text,
            with a line feed between two. A number is that of a column of a CSV or TSV without names.
        group_column: the column of the group; without one, the file's stem is the group.
        align_column: the column of the alignment id; for plain text ``"line"``, the line number.
        sample_by: "line", "paragraph" or "document"; None means line for plain text; document for
            source code, markup and settings, by their extension, and for everything else, where a row
            is a document. A line holds its line end, a paragraph the blank lines after it.
        line_ends: of plain text: "universal", CR LF and CR become LF; "keep", a line ends at LF alone,
            and a CR is text. None means keep where a file is one document, else universal. In parallel
            text (`align_column`) line ends are no part of the lines, and a CR alone is text.
        limit: documents per corpus, at most, from all its groups alike; of parallel text, aligned lines.
        seed: of the sample that `limit` takes.
        errors: "strict", or "replace" to read invalid UTF-8 as U+FFFD.
        weight_column: the column of how often a document counts, whole numbers; once, without one.
        quotes: in CSV and TSV, quotation marks enclose fields; False: they are text.
        encoding: of plain text and JSON Lines, by any name that Python has for it.
        split: of a saved dataset, or of a folder whose files are named after splits.

    Raises:
        CorpusError: a value that is none of these.
    """

    text_column: str = "text"
    group_column: str | None = None
    align_column: str | None = None
    sample_by: str | None = None
    line_ends: str | None = None
    limit: int | None = None
    seed: int = 0
    errors: str = "strict"
    weight_column: str | None = None
    quotes: bool = True
    encoding: str = UTF8
    split: str | None = None

    def __post_init__(self) -> None:
        if self.sample_by is not None:
            ways = ("line", "paragraph", "document")
            check_known(self.sample_by, ways, f"unknown sample_by {self.sample_by!r}")
        if self.line_ends is not None:
            known = ("universal", "keep")
            check_known(self.line_ends, known, f"unknown line_ends {self.line_ends!r}")
        check_known(self.errors, ("strict", "replace"), f"unknown errors {self.errors!r}")
        if self.limit is not None and self.limit < 1:
            raise CorpusError(f"cannot read {self.limit} documents.", "Give a limit of 1 or more.")
        object.__setattr__(self, "encoding", _encoding(self.encoding))

    @property
    def columns(self) -> list[str]:
        """The columns that are named, each once."""
        named = (self.text_column, self.group_column, self.align_column, self.weight_column)
        return [*dict.fromkeys(name for name in named if name is not None)]

    def changed(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, by name."""
        default = asdict(ReaderOptions())
        return {name: value for name, value in asdict(self).items() if value != default[name]}


def _encoding(name: str) -> str:
    """Return Python's first name for an encoding of text."""
    try:
        "".encode(name)  # or an error, also for codecs that are not of text
        first = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise CorpusError(
            f"unknown encoding {name!r}.",
            "Found: no encoding of that name in Python.",
            "Give one such as utf-16, latin-1, cp1252, shift_jis, gb18030 or koi8-r.",
        ) from error
    return UTF8 if first == "utf-8-sig" else first  # a mark is left out of either


@dataclass(eq=False)
class Source(ABC):
    """A file, a hub dataset or text in memory, and what the latest pass over it left out.

    Attributes:
        unit: what `size` and progress count: "bytes" of the source, or "rows".
        is_at_hand: it is on this machine, so that another pass downloads nothing.
        where: the path of the file, or what else errors call it.
        group: the group of every document, unless a column names the group.
        options: how to read it; `limit` and `seed` are the business of the corpus.
        row: what errors call a row of JSON: a line, or an item of an array.
        takes: the names of the options that say how it is read, of those that not all sources take.
        compression: of the whole file: "gzip", "zstd", "bz2" or "xz".
        replaced: invalid sequences that were replaced.
        null_rows: rows without text that were skipped.
        part: of its bytes, where those documents begin that are read, first and end; None: anywhere.
        begin: the byte of the file at which what the latest pass read begins.
    """

    unit = "bytes"
    is_at_hand = True
    row = "line"
    takes: ClassVar[Collection[str]] = ()

    where: str
    group: str
    options: ReaderOptions = field(default_factory=ReaderOptions)
    compression: str | None = None
    replaced: int = 0
    null_rows: int = 0
    part: tuple[int, int] | None = None
    begin: int = 0

    @property
    def one_group(self) -> bool:
        """Whether every document is in `group`."""
        return self.options.group_column is None

    @property
    @abstractmethod
    def size(self) -> int | None:
        """The total of what progress counts; None if unknown."""

    @property
    def stored(self) -> int:
        """The bytes that it takes up on the disk, all compression counted."""
        return self.size or 0

    @property
    def mark(self) -> str:
        """A sign of its contents that is cheap to have and the same on every machine."""
        return self.fingerprint[:16]

    def share(self, begin: int, end: int) -> Source | None:
        """Return the documents that begin in these bytes of what is `stored`; None where none can.

        One that cannot be cut has all its documents at byte 0.
        """
        return self if begin <= 0 < end else None

    @property
    def of_folders(self) -> Collection[str]:
        """The names of options whose column the folders have a value for."""
        return ()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """The sha256, in hex, of all that determines the documents."""

    def hash(self, progress: Progress) -> None:
        """Make `fingerprint` known; `progress` is called with the `size` in all."""
        _ = self.fingerprint
        progress(self.size or 0)

    @property
    def remarks(self) -> Sequence[str]:
        """What whoever reads figures of it should know."""
        return ()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return what a reader of the results needs to know, JSON-able."""

    @abstractmethod
    def _read(self) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Yield each batch with how much of the source was consumed so far."""

    def batches(self, progress: Progress = lambda _: None) -> Iterator[pa.RecordBatch]:
        """Yield the documents; call `progress` with what was consumed since the last call."""
        items = self._read()
        # Around next() alone: what the caller raises is not this source's fault.
        read = self._reading()(lambda: next(items, None))
        done = 0
        for batch, position in iter(read, None):
            yield from slices(batch)
            progress(position - done)
            done = position
        if self.size is not None:
            progress(self.size - done)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Say what went wrong with this source inside the block, and what to do."""
        try:
            yield
        except self._failures() as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            reason = in_a_line(reason)
            raise CorpusError(
                f"cannot read {self.where}.",
                f"Found: {reason[:400]}{'…' if len(reason) > 400 else '.'}",
                *self._advice(error),
            ) from error

    def _failures(self) -> tuple[type[BaseException], ...]:
        # The last two from names in a schema that are no text, and numbers that are no sizes.
        return pa.ArrowException, OSError, EOFError, UnicodeDecodeError, OverflowError

    def _advice(self, error: BaseException) -> list[str]:
        return ["Check the path, and that the file is whole."]

    @usage()
    def _refuse_sampling(self, advice: str) -> None:
        """Raise an error if a table is to be read by line or paragraph, or with other line ends."""
        way = self.options.sample_by
        if way not in (None, "document"):
            raise CorpusError(
                f"cannot read {self.where} by {way}: each row of it is a document.", advice
            )
        if self.options.line_ends is not None:
            raise CorpusError(
                f"cannot change the line ends of {self.where}: its rows are read as they are.",
                f"Found: line_ends={self.options.line_ends!r}, which is for plain text.",
                "Leave --line-ends out, or give plain text.",
            )
