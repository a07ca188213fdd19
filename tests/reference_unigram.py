"""Encoding by tokens that are looked up whole: straight from the rules, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterator

Path = list[bytes]


def edges(
    piece: bytes, start: int, tokens: set[bytes], fallback: bool
) -> Iterator[tuple[int, bytes | None]]:
    """Yield (end, token) of each token that begins at `start`, the shortest first.

    With `fallback` the character that begins there comes last as (end, None), unless it is a token.
    """
    longest = max(map(len, tokens), default=0)
    for end in range(start + 1, min(len(piece), start + longest) + 1):
        if piece[start:end] in tokens:
            yield end, piece[start:end]
    end = min(start + char_length(piece[start]), len(piece))
    if fallback and piece[start:end] not in tokens:
        yield end, None


def char_length(first: int) -> int:
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def viterbi(
    piece: bytes, scores: dict[bytes, float], unknown: float | None = None
) -> list[bytes | int]:
    """Return the tokens of the best path; the bytes of unknown characters as numbers.

    `unknown` is the score of a character spelled by its bytes; None allows none.
    """
    best: list[tuple[float, int, bytes | None] | None] = [None] * (len(piece) + 1)
    best[0] = (0.0, 0, None)
    for start in range(len(piece)):
        at = best[start]
        if at is None:
            continue
        for end, token in edges(piece, start, set(scores), unknown is not None):
            score = at[0] + (scores[token] if token is not None else unknown or 0.0)
            old = best[end]
            if old is None or score > old[0]:
                best[end] = (score, start, token)
    path: list[bytes | int] = []
    end = len(piece)
    while end:
        entry = best[end]
        assert entry is not None
        _, start, token = entry
        path[:0] = list(piece[start:end]) if token is None else [token]
        end = start
    return path


def greedy(piece: bytes, tokens: set[bytes], fallback: bool = False) -> list[bytes | int]:
    path: list[bytes | int] = []
    at = 0
    while at < len(piece):
        fitting = [end for end, token in edges(piece, at, tokens, fallback) if token is not None]
        if fitting:
            path.append(piece[at : max(fitting)])
            at = max(fitting)
        else:
            ((end, _),) = edges(piece, at, tokens, fallback)
            path += list(piece[at:end])
            at = end
    return path


def all_paths(
    piece: bytes, tokens: set[bytes], fallback: bool = False, start: int = 0
) -> Iterator[list[bytes | int]]:
    """Yield every segmentation there is."""
    if start == len(piece):
        yield []
        return
    for end, token in edges(piece, start, tokens, fallback):
        head: list[bytes | int] = list(piece[start:end]) if token is None else [token]
        for tail in all_paths(piece, tokens, fallback, end):
            yield head + tail


def fewest(piece: bytes, tokens: set[bytes], fallback: bool = False) -> int:
    return min(len(path) for path in all_paths(piece, tokens, fallback))


def log_likelihood(piece: bytes, scores: dict[bytes, float], unknown: float | None = None) -> float:
    """Return the log of the sum over all segmentations, added in one go from the left."""
    into: list[list[float]] = [[] for _ in range(len(piece) + 1)]
    into[0] = [0.0]
    for start in range(len(piece)):
        here = log_sum(into[start])
        for end, token in edges(piece, start, set(scores), unknown is not None):
            score = scores[token] if token is not None else unknown or 0.0
            if here > -math.inf:
                into[end].append(here + score)
    return log_sum(into[-1])


def log_sum(values: list[float]) -> float:
    high = max(values, default=-math.inf)
    if high == -math.inf:
        return high
    return high + math.log(math.fsum(math.exp(value - high) for value in values))
