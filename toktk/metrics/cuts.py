"""Where a tokenizer cuts text that was made for a metric."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64, offsets_of
from toktk.metrics.base import Case, Figure
from toktk.pieces.table import POOLED

if TYPE_CHECKING:
    from toktk.tokenizer import Tokenizer

CHANGED = "the tokenizer changes or loses the text made for this"
"""The note of a figure that is null since the tokens do not spell the text."""

_FEW = 100


@dataclass(frozen=True)
class Cuts:
    """The tokens of D texts.

    Attributes:
        lengths: int64[D], the bytes of each text.
        offsets: int64[D + 1]: the tokens of text d are those from ``offsets[d]`` to ``offsets[d + 1]``.
        starts: int64[n]: the byte of its text at which each token begins; negative where the tokenizer puts
            a space in front.
    """

    lengths: Int64
    offsets: Int64
    starts: Int64

    @property
    def counts(self) -> Int64:
        """int64[D]: the tokens of each text."""
        return np.diff(self.offsets)

    @functools.cached_property
    def owner(self) -> Int64:
        """int64[n]: the text of each token."""
        return np.repeat(np.arange(self.lengths.size), self.counts)

    def has(self, places: Int64) -> npt.NDArray[np.bool_]:
        """Return bool[D, ...]: whether a token begins, or the text ends, at bytes of each, int64[D, ...]."""
        first = offsets_of(self.lengths + 1)
        is_cut = np.zeros(int(first[-1]), dtype=np.bool_)
        within = self.starts >= 0
        is_cut[first[self.owner[within]] + self.starts[within]] = True
        is_cut[first[1:] - 1] = True
        shape = (-1,) + (1,) * (places.ndim - 1)
        inside = (places >= 0) & (places <= self.lengths.reshape(shape))
        at = np.where(inside, first[:-1].reshape(shape) + places, 0)
        return is_cut[at] & inside

    def masks(self, begin: Int64, length: Int64) -> Int64:
        """Return int64[D]: which bytes of a part of each text begin a token: bit i, but for byte 0.

        Args:
            begin: int64[D], where the part of each text begins.
            length: int64[D], of the part, 62 at most.
        """
        at = self.starts - begin[self.owner]
        inside = (at > 0) & (at < length[self.owner])
        masks = np.zeros(self.lengths.size, dtype=np.int64)
        np.bitwise_or.at(masks, self.owner[inside], np.int64(1) << at[inside])
        return masks


def cuts_of(tokenizer: Tokenizer, texts: Sequence[str]) -> Cuts | None:
    """Return where a tokenizer cuts texts; None where the tokens do not spell one of them.

    Spaces that a tokenizer puts in front of a text are allowed for.
    """
    if len(texts) > 10 * _FEW and cuts_of(tokenizer, texts[:: len(texts) // _FEW]) is None:
        return None  # without encoding them all, which a library takes long for
    ids, offsets = tokenizer.encode_batch(list(texts))
    tokens = tokenizer.model.tokens
    spelled = [tokens[i] for i in ids.tolist()]
    edges = offsets_of(np.fromiter(map(len, spelled), dtype=np.int64, count=len(spelled)))
    joined, raw = b"".join(spelled), [text.encode() for text in texts]
    lengths = np.fromiter(map(len, raw), dtype=np.int64, count=len(raw))
    ends = edges[offsets[1:]]
    begins = ends - lengths  # of the texts, behind what is put in front
    if joined != b"".join(raw) or (begins != edges[offsets[:-1]]).any():
        firsts = edges[offsets[:-1]].tolist()
        for text, first, begin, end in zip(
            raw, firsts, begins.tolist(), ends.tolist(), strict=True
        ):
            if begin < first or joined[begin:end] != text or joined[first:begin].strip(b" "):
                return None
    return Cuts(lengths, offsets, edges[:-1] - np.repeat(begins, np.diff(offsets)))


def figures_of(case: Case, values: Mapping[str, tuple[float | None, int]]) -> list[Figure]:
    """Return a figure about made text for each key: its value, and how many texts that rests on.

    The key goes in brackets behind the name of the metric. None says that the tokens do not spell the text.
    """
    return [
        replace(case, name=f"{case.name}[{key}]").figure(POOLED, value, n, CHANGED, "changed")
        for key, (value, n) in values.items()
    ]
