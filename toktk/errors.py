"""Errors that a user can cause, each saying what was asked, what was found and what to do."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from toktk.visible import visible


class ToktkError(Exception):
    """Base of every error raised on purpose.

    `what` was asked and why it cannot be; `lines` say, indented, what was found and what to do. The
    message shows names from files and users as `visible` does, each part in a line; `args` holds the
    parts as they are.

    Attributes:
        is_usage: whether what was asked is wrong in itself, whatever files hold: an unknown name, a
            value out of range, options that do not go together. The command line then ends with 2.
    """

    is_usage = False

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


class NoIdsError(MetricError):
    """A figure needs the tokenizer or its ids, and counts of tokens alone are there."""

    def __init__(self, what: str = "a figure about ids") -> None:
        super().__init__(
            f"{what} needs the tokenizer itself.",
            "Found: only its counts of tokens.",
            "Measure it where the tokenizer is at hand.",
        )


class CostError(ToktkError):
    """What a tokenizer costs cannot be computed from what is given: a model, weights or prices."""


class StatisticsError(ToktkError):
    """Numbers are no counts of documents, or an option of a test is out of range."""


class LawError(ToktkError):
    """A law of scaling is asked outside of where it was fitted, or of what it cannot be fitted to."""


class StorageError(ToktkError):
    """A result could not be written or read."""


class PluginError(ToktkError):
    """Code of another package failed; `__cause__` is what it raised."""


class ThreadError(ToktkError):
    """The system has no thread left for the work."""


class MemoryLimitError(ToktkError):
    """A limit of the system leaves libraries less address space than they reserve."""


class MissingExtraError(ToktkError):
    """An optional dependency is needed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, f"Run: pip install 'toktk[{extra}]'")


_Error = TypeVar("_Error", bound=ToktkError)


def as_usage(error: _Error) -> _Error:
    """Return the error, marked as wrong usage."""
    error.is_usage = True
    return error


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """Mark what is raised within as wrong usage, unless a package, the disk or the system is at fault."""
    try:
        yield
    except (PluginError, MissingExtraError, StorageError, ThreadError, MemoryLimitError):
        raise
    except ToktkError as error:
        as_usage(error)
        raise


def did_you_mean(
    name: str, known: Iterable[str], other_names: Mapping[str, str] | None = None
) -> str:
    """Return `` (did you mean 'x'?)`` for the `closest` known name, or an empty string."""
    close = closest(name, known, other_names)
    return f" (did you mean {close!r}?)" if close else ""


def closest(
    name: str, known: Iterable[str], other_names: Mapping[str, str] | None = None
) -> str | None:
    """Return the known name that `name` was meant to be, if one is near; case and signs do not count.

    `other_names` holds what else the known ones are called: {other: known}.
    """
    names = {_bare(other): meant for other, meant in (other_names or {}).items()}
    names |= {_bare(each): each for each in known}
    close = difflib.get_close_matches(_bare(name), list(names), n=1)
    return names[close[0]] if close else None


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold() or name


def clipped(text: str | bytes, most: int = 80) -> str:
    """Return the `repr` of `text`, cut to its first `most` characters."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}…"


def in_a_line(error: object) -> str:
    """Return a message without its line breaks."""
    return " ".join(str(error).split())
