"""Encoding as its definition says: slow, obvious, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def encode_by_pairs(
    symbols: Sequence[int], ranks: dict[tuple[int, int], tuple[int, int]]
) -> list[int]:
    """Merge the listed pair of lowest rank, the leftmost of equals, until none is left.

    `ranks` maps (left, right) to (rank, new id).
    """
    ids = list(symbols)
    while True:
        found = [(ranks[pair][0], at) for at, pair in enumerate(pairwise(ids)) if pair in ranks]
        if not found:
            return ids
        _, at = min(found)
        ids[at : at + 2] = [ranks[ids[at], ids[at + 1]][1]]


def encode_by_strings(piece: bytes, ids: dict[bytes, int]) -> list[int]:
    """Do as tiktoken does: a piece that is a token is that token; else merge the two neighbors that
    together spell the token of lowest id, the leftmost of equals, until none do."""
    if piece in ids:
        return [ids[piece]]
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while True:
        found = [(ids[a + b], at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in ids]
        if not found:
            return [ids[part] for part in parts]
        _, at = min(found)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
