"""Errors that a user can cause, each saying what was asked, what was found and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from toktk.visible import visible


class ToktkError(Exception):
    """Base of every error raised on purpose.

    `what` was asked and why it cannot be; `lines` say, indented, what was found and what to do. The
    message shows names from files and users as `visible` does, each part in a line; `args` holds the
    parts as they are.
    """

    def __init__(self, what: str, *lines: str) -> None:
        super().__init__(what, *lines)

    def __str__(self) -> str:
        return "\n  ".join(map(visible, self.args))


class CorpusError(ToktkError):
    """Text could not be read, or does not hold what was asked of it."""


class PatternError(ToktkError):
    """A pretokenizer pattern could not be understood."""


class TrainingError(ToktkError):
    """A trainer cannot do what was asked."""


class FormatError(ToktkError):
    """A tokenizer file is malformed, or a tokenizer does not fit a format."""


class LimitError(FormatError, PatternError):
    """A file or a pattern asks for more than toktk takes on, whatever engine is to run it."""


class MetricError(ToktkError):
    """A metric is undefined on this text."""


class StorageError(ToktkError):
    """A result could not be written or read."""


class PluginError(ToktkError):
    """Code of another package failed; `__cause__` is what it raised."""


class ThreadError(ToktkError):
    """The system has no thread left for the work."""


class MissingExtraError(ToktkError):
    """An optional dependency is needed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, f"Run: pip install 'toktk[{extra}]'")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def clipped(text: str | bytes, most: int = 80) -> str:
    """Return the `repr` of `text`, cut to its first `most` characters."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}…"


def in_a_line(error: object) -> str:
    """Return a message without its line breaks."""
    return " ".join(str(error).split())
