"""What the `regex` library knows of each character: letters, and the classes that tests tell apart."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import regex

from toktk.pretokenizers.syntax import CharacterSet

CODE_POINTS = 0x110000


class Partition(NamedTuple):
    """Classes of code points, and the classes that each character set consists of.

    Attributes:
        class_of: int64[0x110000], code point to class; numbered by first code point.
        size: the number of classes.
        members: for each character set, a bit mask of classes.
    """

    class_of: npt.NDArray[np.int64]
    size: int
    members: dict[CharacterSet, int]


def partition_unicode(sets: Iterable[CharacterSet], boundaries: str = "") -> Partition:
    """Ask the `regex` library which code points are in each set, and group those in the same sets.

    Each character of `boundaries` gets a class of its own. Surrogates are code points like others.

    Raises:
        regex.error: a set is malformed.
    """
    characters = _all_characters()
    extra = [CharacterSet(regex.escape(character)) for character in boundaries]
    distinct = list(dict.fromkeys([*sets, *extra]))
    spans = [_spans(characters, item) for item in distinct]
    # Between two neighboring span ends all code points are alike, so segments stand for them.
    starts = np.unique(np.concatenate([[0], *(span.ravel() for span in spans)]))
    starts = starts[starts < CODE_POINTS]
    inside = np.zeros((len(starts), len(distinct)), dtype=bool)
    for column, span in enumerate(spans):
        n_begun = np.searchsorted(span[:, 0], starts, side="right")
        n_ended = np.searchsorted(span[:, 1], starts, side="right")
        inside[:, column] = n_begun > n_ended
    firsts, class_of = number_rows(inside)
    lengths = np.diff(np.append(starts, CODE_POINTS))
    members = {
        item: sum(1 << number for number, segment in enumerate(firsts) if inside[segment, i])
        for i, item in enumerate(distinct)
    }
    return Partition(np.repeat(class_of, lengths), len(firsts), members)


def number_rows(rows: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first of each kind of row, in order, and for each row the number of its kind."""
    _, firsts, numbers = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return firsts[order], np.argsort(order)[numbers]


@functools.cache
def is_letter_table() -> npt.NDArray[np.uint8]:
    r"""Return whether each code point is a letter, ``\p{L}``: uint8[0x110000], 1 or 0."""
    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    for first, end in _spans(_all_characters(), CharacterSet(r"\p{L}")).tolist():
        table[first:end] = 1
    table.flags.writeable = False
    return table


def _spans(characters: str, item: CharacterSet) -> npt.NDArray[np.int64]:
    """Return the runs of code points that the set holds: [runs, 2], first and one past the last."""
    matches = regex.finditer(f"(?:{item.text})+", characters, regex.V0)
    return np.array([match.span() for match in matches], dtype=np.int64).reshape(-1, 2)


def _all_characters() -> str:
    codes = np.arange(CODE_POINTS, dtype="<u4")
    return codes.tobytes().decode("utf-32-le", "surrogatepass")
