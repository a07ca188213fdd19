"""What the `regex` library knows of each character: letters, and the classes that tests tell apart."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import regex

from toktk.arrays import Int64, read_only
from toktk.pretokenizers.syntax import CharacterSet

CODE_POINTS = 0x110000


class Partition(NamedTuple):
    """Classes of code points, and the classes that each character set consists of.

    Attributes:
        class_of: int64[0x110000], code point to class; numbered by first code point.
        size: the number of classes.
        members: for each character set, a bit mask of classes.
    """

    class_of: Int64
    size: int
    members: dict[CharacterSet, int]


def partition_unicode(sets: Iterable[CharacterSet], boundaries: str = "") -> Partition:
    """Ask the `regex` library which code points are in each set, and group those in the same sets.

    Each character of `boundaries` gets a class of its own. Surrogates are code points like others.

    Raises:
        regex.error: a set is malformed.
    """
    characters = np.arange(CODE_POINTS, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    extra = [CharacterSet(regex.escape(character)) for character in boundaries]
    distinct = list(dict.fromkeys([*sets, *extra]))
    edges = []  # where the runs of code points in each set begin and end, in turn
    for item in distinct:
        runs = regex.finditer(f"(?:{item.text})+", characters, regex.V0)
        edges.append(np.array([edge for run in runs for edge in run.span()], dtype=np.int64))
    # Between two neighboring edges all code points are alike, so segments stand for them.
    starts = np.unique(np.concatenate([[0], *edges]))
    starts = starts[starts < CODE_POINTS]
    inside = np.array([np.searchsorted(each, starts, side="right") % 2 for each in edges]).T
    firsts, class_of = number_rows(inside)
    lengths = np.diff(np.append(starts, CODE_POINTS))
    members = {
        item: sum(1 << number for number, segment in enumerate(firsts) if inside[segment, i])
        for i, item in enumerate(distinct)
    }
    return Partition(np.repeat(class_of, lengths), len(firsts), members)


def number_rows(rows: npt.NDArray[Any]) -> tuple[Int64, Int64]:
    """Return the first of each kind of row, in order, and for each row the number of its kind."""
    _, firsts, numbers = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return firsts[order], np.argsort(order)[numbers]


@functools.cache
def is_letter_table() -> npt.NDArray[np.uint8]:
    r"""Return whether each code point is a letter, ``\p{L}``: uint8[0x110000], 1 or 0."""
    letters = CharacterSet(r"\p{L}")
    class_of, _, members = partition_unicode([letters])
    return read_only(members[letters] >> class_of & 1, np.uint8)
