"""The process in which the `regex` library cuts text by patterns that do not compile to tables."""

from __future__ import annotations

import functools
import itertools
from array import array
from collections.abc import Iterator
from typing import Any

import regex

from toktk.child import MEMORY, Refused, serve
from toktk.errors import in_a_line

_FAULTS = (regex.error, RecursionError, MemoryError, OverflowError)


def spans(pattern: str, text: str) -> Iterator[str]:
    """Yield the pieces of a text: matches that are not empty, and what lies between them."""
    find = compiled(pattern).match
    gap = at = 0
    while at < len(text):
        match = find(text, at)
        if match is None or match.end() == at:
            at += 1
            continue
        if gap < at:
            yield text[gap:at]
        yield match.group()
        gap = at = match.end()
    if gap < at:
        yield text[gap:at]


@functools.lru_cache(maxsize=128)
def compiled(pattern: str) -> Any:
    """Return a pattern as `regex` compiles it.

    Raises:
        Refused: it cannot.
    """
    try:
        return regex.compile(pattern, regex.V0)
    except (*_FAULTS, ValueError) as error:  # ValueError: flags that exclude each other
        raise Refused(in_a_line(error) or type(error).__name__) from error


class Session:
    """What the parent asks for."""

    def compile(self, pattern: str) -> None:
        """Try whether `regex` understands a pattern."""
        compiled(pattern)

    def cut(self, data: bytes, offsets: bytes, pattern: str) -> tuple[None, bytes, bytes]:
        """Return the lengths in bytes of the pieces of documents, and how many each has; both int64."""
        lengths, counts = array("q"), array("q")
        for a, b in itertools.pairwise(array("q", offsets)):
            before = len(lengths)
            try:
                lengths.extend(len(piece.encode()) for piece in spans(pattern, data[a:b].decode()))
            except _FAULTS as error:
                raise Refused(in_a_line(error) or type(error).__name__) from error
            counts.append(len(lengths) - before)
        return None, lengths.tobytes(), counts.tobytes()


if __name__ == "__main__":
    serve(Session(), MEMORY)
