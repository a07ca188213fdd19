"""Cutting by the `regex` library in a child process, where a pattern does not compile to tables."""

from __future__ import annotations

import functools

import numpy as np

from toktk.arrays import Bytes, Int64, excerpt, offsets_of, runs
from toktk.child import ChildEnded, Refused, Service, engine_timeout, whole_or_each
from toktk.errors import PatternError, clipped
from toktk.pretokenizers import syntax

_BATCH_BYTES = 1_000_000  # of one call, for which the time is limited

_cutter = Service("toktk.pretokenizers.regex_worker")


def check(pattern: str) -> None:
    """Refuse a pattern that the `regex` library does not understand.

    Raises:
        PatternError: it does not, takes too long over it, or the pattern is too long or nested too deep.
    """
    syntax.check_size(pattern)
    try:
        with _cutter.turn() as child:
            child.ask("compile", limit=engine_timeout(), pattern=pattern)
    except Refused as refusal:
        raise PatternError(
            f"cannot compile the pattern {clipped(pattern, 200)}.",
            f"The regex library says: {refusal}.",
        ) from refusal
    except ChildEnded as ended:
        raise PatternError(
            f"cannot compile the pattern {clipped(pattern, 200)}.",
            f"Found: the regex library {ended.how}.",
            "Write a simpler pattern.",
        ) from ended


def cut(pattern: str, data: Bytes, offsets: Int64) -> tuple[Int64, Int64]:
    """Return where each piece of documents ends in `data`, and int64[D + 1]: the first of each document.

    Raises:
        PatternError: the library takes too long over a document (`engine_timeout`), or fails at it.
    """
    part = functools.partial(_cut, pattern, data, offsets)
    lengths, counts = [offsets[:1]], [np.empty(0, dtype=np.int64)]
    for first, last in runs(offsets, offsets.size, _BATCH_BYTES):
        for pieces in whole_or_each(part, first, last):
            lengths.append(pieces[0])
            counts.append(pieces[1])
    return np.cumsum(np.concatenate(lengths))[1:], offsets_of(np.concatenate(counts))


def _cut(pattern: str, data: Bytes, offsets: Int64, first: int, last: int) -> tuple[Int64, Int64]:
    """Return the lengths of the pieces of the documents first..last - 1, and how many each has."""
    text, starts = data[offsets[first] : offsets[last]], offsets[first : last + 1] - offsets[first]
    try:
        with _cutter.turn() as child:
            _, arrays = child.ask(
                "cut", text, starts, limit=engine_timeout(text.size), pattern=pattern
            )
    except (Refused, ChildEnded) as why:
        if last - first > 1:
            raise
        how = why.how if isinstance(why, ChildEnded) else f"says: {why}"
        raise PatternError(
            f"cannot cut text by the pattern {clipped(pattern, 200)}.",
            f"Found: the regex library {how} at the document {excerpt(text)}.",
            "Write a pattern that does not go back, or allow more with --engine-timeout SECONDS.",
        ) from why
    lengths, counts = (np.frombuffer(array, dtype=np.int64) for array in arrays)
    return lengths, counts
