"""Documents of ids for n-gram models, the same on every machine, and what other programs make of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np


def learned() -> list[list[int]]:
    """Return documents of ids, most of them rare, each more or less bound to the one before it."""
    numbers = _numbers(7)
    documents, ids = [], dict[int, int]()
    for _ in range(400):
        document, last = [], 0
        for _ in range(int(next(numbers) * 12)):
            drawn = int(500 * next(numbers) ** 5)
            last = (last * 5 + drawn) % 500 if next(numbers) < 0.5 else drawn
            document.append(ids.setdefault(last, len(ids)))
        documents.append(document)
    # KenLM takes the count of the last word, unlike those of all others, before it is adjusted.
    return [*documents, [0, len(ids)]]


def priced() -> list[list[int]]:
    """Return documents with n-grams that occur in those of `learned`, and some that do not."""
    return [[], [0], [3, 18, 7], learned()[5], [59, 59, 1], [N_IDS - 1, 2, 2, 40, 13]]


def _numbers(seed: int) -> Iterator[float]:
    """Yield numbers from 0 to 1 of a linear congruential generator (Numerical Recipes)."""
    while True:
        seed = (1664525 * seed + 1013904223) % 2**32
        yield (seed >> 8) / 2**24


def stream_of(documents: Sequence[Sequence[int]], n_ids: int) -> np.ndarray:
    """Return documents as `toktk.evaluation.ngrams.NgramCounts` takes them."""
    tokens = itertools.chain.from_iterable([n_ids + 1, *own, n_ids] for own in documents)
    return np.fromiter(tokens, dtype=np.int64)


N_IDS = max(map(max, filter(None, learned()))) + 1
"""How many ids the documents of `learned` have; all of them occur."""
