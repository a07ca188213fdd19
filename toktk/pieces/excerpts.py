"""Excerpts of very long documents: evenly spread blocks of their text, so that a sample stays small."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from toktk.arrays import Bytes, Int64

_BLOCK = 1000  # bytes of a block, about
_NEAR = (
    64  # bytes behind the place where a block would end, in which it does at a line feed or space
)


class Excerpt(NamedTuple):
    """Which of the blocks of a document an excerpt is: each `every`-th, a power of two.

    So an excerpt of an excerpt is that of the document. `size` is the document's bytes; `lengths` are the
    blocks'.
    """

    size: int
    every: int
    lengths: Int64


def excerpt_of(text: Bytes, cap: int) -> tuple[Bytes, Excerpt]:
    """Return at most about half of `cap` bytes of a document."""
    n, every = max(text.size // _BLOCK, 1), _every(text.size, cap)
    spans = [(_bound(text, k, n), _bound(text, k + 1, n)) for k in range(0, n, every)]
    lengths = np.array([end - begin for begin, end in spans], dtype=np.int64)
    return np.concatenate([text[a:b] for a, b in spans]), Excerpt(text.size, every, lengths)


def shortened(data: Bytes, excerpt: Excerpt, cap: int) -> tuple[Bytes, Excerpt]:
    """Return the excerpt for a smaller `cap`, from one for a larger one."""
    every = _every(excerpt.size, cap)
    kept = np.arange(excerpt.lengths.size) % (every // excerpt.every) == 0
    chosen = data[np.repeat(kept, excerpt.lengths)]
    return chosen, Excerpt(excerpt.size, every, excerpt.lengths[kept])


def _every(size: int, cap: int) -> int:
    every = 1
    while 2 * size > cap * every:
        every *= 2
    return every


def _bound(text: Bytes, k: int, n: int) -> int:
    """Return where block k of n begins: behind a line feed or a space where one is near, in no character."""
    at = text.size * k // n
    if k in (0, n):
        return at
    window = text[at : at + _NEAR].tobytes()
    for mark in (b"\n", b" "):
        if (place := window.find(mark)) >= 0:
            return at + place + 1
    inside = next((i for i, byte in enumerate(window) if byte & 0xC0 != 0x80), 0)
    return at + inside
