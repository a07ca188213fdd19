"""Which tokens of a text several tokenizers have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.segmentation.segmentation import Segmentation, Token

Agreement = npt.NDArray[np.int8]

AGREED, DIFFERS, UNKNOWN = 1, 0, -1
"""A token is agreed if every other tokenizer has one at the same bytes of the text.

It is unknown where nobody can tell where the tokens of one of them lie.
"""


def agreement(segmentations: Sequence[Segmentation]) -> list[Agreement]:
    """Return for each token of each tokenizer whether it is agreed; the text is the same."""
    keys = [_keys(each) for each in segmentations]
    return [
        _agreed(own, keys[n], [(other, keys[m]) for m, other in enumerate(segmentations) if m != n])
        for n, own in enumerate(segmentations)
    ]


def _keys(segmentation: Segmentation) -> Int64:
    """Return a number for each span; those of tokens that lie nowhere are below 0."""
    return segmentation.starts * (len(segmentation.text) + 1) + segmentation.ends


def _agreed(
    own: Segmentation, keys: Int64, others: Sequence[tuple[Segmentation, Int64]]
) -> Agreement:
    agreed = np.full(len(own), AGREED, dtype=np.int8)
    for other, other_keys in others:
        lacks = ~np.isin(keys, other_keys)
        hidden = lacks & _meets(own, other.blind)
        agreed[hidden & (agreed == AGREED)] = UNKNOWN
        agreed[lacks & ~hidden] = DIFFERS
    agreed[own.starts < 0] = UNKNOWN
    return agreed


def _meets(own: Segmentation, parts: Int64) -> npt.NDArray[np.bool_]:
    """Return for each token whether it shares a byte with one of the parts, which are in order."""
    if not parts.size:
        return np.zeros(len(own), dtype=np.bool_)
    before = np.searchsorted(parts[:, 0], own.ends) - 1
    met: npt.NDArray[np.bool_] = (before >= 0) & (parts[before, 1] > own.starts)
    return met


def differing_spans(
    segmentations: Sequence[Segmentation], agreed: Sequence[Agreement]
) -> list[tuple[int, int]]:
    """Return the parts of the text, in order, in which tokens differ: (start, end) in bytes."""
    pairs = [
        (each.starts[a == DIFFERS], each.ends[a == DIFFERS])
        for each, a in zip(segmentations, agreed, strict=True)
    ]
    starts, ends = (np.concatenate(column) for column in zip(*pairs, strict=True))
    order = np.lexsort((ends, starts))
    # An empty token belongs to what follows it: twice as fine, it has a length too.
    starts, ends = 2 * starts[order], np.maximum(2 * ends, 2 * starts + 1)[order]
    reached = np.maximum.accumulate(ends)
    is_first = np.append(True, starts[1:] >= reached[:-1])[: starts.size]
    firsts = np.flatnonzero(is_first)
    begins = starts[firsts] // 2
    stops = reached[np.append(firsts[1:] - 1, starts.size - 1)[: firsts.size]] // 2
    return [*zip(begins.tolist(), stops.tolist(), strict=True)]


def readings(
    segmentations: Sequence[Segmentation], start: int, end: int
) -> list[tuple[list[Token], list[str]]]:
    """Return how a part of the text falls apart, each way with the names of the tokenizers that have it.

    Those are left out of which nobody can tell.
    """
    ways: dict[tuple[int, ...], tuple[list[Token], list[str]]] = {}
    for each in segmentations:
        inside = (
            (each.starts >= start) & (each.ends <= end) & ((each.starts < end) | (start == end))
        )
        tokens = each.tokens(np.flatnonzero(inside))
        edges = tuple(edge for token in tokens for edge in (token.start or 0, token.end or 0))
        hidden = each.blind
        if not ((hidden[:, 0] < end) & (hidden[:, 1] > start)).any():
            ways.setdefault(edges, (tokens, []))[1].append(each.name)
    return [*ways.values()]
