"""How text is read: the options that every reader takes, and the source that it reads."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from toktk.errors import CorpusError, did_you_mean

LINE_NUMBER = "line"
"""The `align_column` that makes line-aligned plain text parallel."""


@dataclass(frozen=True)
class ReaderOptions:
    """What to read of a source, and how.

    Args:
        text_column: the column of the text, in jsonl, parquet, arrow and on the hub.
        group_column: the column of the group; without one, the file's stem is the group.
        align_column: the column of the alignment id; for plain text ``"line"``, the line number.
        sample_by: "line", "paragraph" or "document"; None means line for plain text (a line ends
            at LF alone), document, that is, one row, for everything else.
        limit: documents per corpus, at most; of parallel text, aligned lines.
        seed: with `limit`, take a reproducible pseudo-random sample instead of the first.
        errors: "strict", or "replace" to read invalid UTF-8 as U+FFFD.

    Raises:
        CorpusError: a value that is none of these.
    """

    text_column: str = "text"
    group_column: str | None = None
    align_column: str | None = None
    sample_by: str | None = None
    limit: int | None = None
    seed: int | None = None
    errors: str = "strict"

    def __post_init__(self) -> None:
        _one_of("sample_by", self.sample_by, ("line", "paragraph", "document", None))
        _one_of("errors", self.errors, ("strict", "replace"))
        if self.limit is not None and self.limit < 1:
            raise CorpusError(f"cannot read {self.limit} documents.", "Give a limit of 1 or more.")

    def changed(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, by name."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}


@dataclass(eq=False)
class Source:
    """A file, a hub dataset or a table in memory, and what the latest pass over it left out.

    Attributes:
        where: the path of the file, or what else errors call it.
        group: the group of every document, unless a column names the group.
        options: how to read it; `limit` and `seed` are the business of the corpus.
        compression: of the whole file, as pyarrow names it.
        replaced: invalid sequences that were replaced.
        null_rows: rows without text that were skipped.
    """

    where: str
    group: str
    options: ReaderOptions
    compression: str | None = None
    replaced: int = 0
    null_rows: int = 0


def _one_of(option: str, value: str | None, allowed: tuple[str | None, ...]) -> None:
    if value not in allowed:
        names = [name for name in allowed if name]
        raise CorpusError(
            f"unknown {option} {value!r}{did_you_mean(str(value), names)}.",
            f"Use one of: {', '.join(names)}.",
        )
