r"""The code points at which it is seen what a set of characters holds: far fewer than all.

The planes 4 to 13 hold no characters, 15 and 16 private ones alone, and no version of Unicode changes the
latter. What a set such as ``\p{L}`` says of a plane, it says of all of it but for its last two code points.
So each of them is seen at some code points; where these differ, all are to be looked at.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from toktk.arrays import Int64, read_only

CODE_POINTS = 0x110000

Codes: TypeAlias = Callable[[], Int64]

_PLANE = 0x10000
_ALIKE = (*range(4, 14), 15, 16)  # planes
_STEP = 0x100
# What names code points of its own may single out one of those planes: a number, or a character of them.
_NAMED = re.compile(r"\\[xuUNo\d]|[\U00040000-\U0010ffff]")

SURROGATES = slice(0xD800, 0xE000)


@functools.cache
def few() -> Int64:
    """Return the code points that are looked at first, ascending."""
    planes = []
    for plane in range(CODE_POINTS // _PLANE):
        first, end = plane * _PLANE, (plane + 1) * _PLANE
        if plane in _ALIKE:
            planes.append(np.array([*range(first, end, _STEP), end - 2, end - 1]))
        else:
            planes.append(np.arange(first, end))
    return read_only(np.concatenate(planes), np.int64)


@functools.cache
def every() -> Int64:
    """Return all code points."""
    return read_only(np.arange(CODE_POINTS), np.int64)


def singles_out(characters: str) -> bool:
    """Tell whether a set may hold single code points of a plane of which `few` are looked at."""
    return _NAMED.search(characters) is not None


def edges_of(characters: str, look: Callable[[Codes], Int64]) -> Int64:
    """Return the edges, in code points, of the runs that a set holds.

    Args:
        look: returns where runs begin and end, in turn, in the code points that a function gives.
    """
    if not singles_out(characters):
        edges: Int64 = np.append(few(), CODE_POINTS)[look(few)]
        if not (np.isin(edges // _PLANE, _ALIKE) & (edges % _PLANE != 0)).any():
            return edges
    return look(every)
