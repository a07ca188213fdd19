"""The slow, obvious oracle of BPE by scores: everything is counted anew before every merge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

import reference

# Count of the pair, of its left and right symbol, their lengths -> anything that can be ordered.
Score = Callable[[int, int, int, int, int], float | Fraction]


def ratio(pair, left, right, left_length, right_length):
    return Fraction(pair, left * right)


def count_times_length(pair, left, right, left_length, right_length):
    return pair * (left_length + right_length)


def train_scored(
    pieces: dict[bytes, int],
    size: int,
    score: Score,
    specials: int = 0,
    min_frequency: int = 0,
    max_token_length: int | None = None,
) -> list[tuple[int, int, int, int]]:
    """Return left id, right id, new id and count of each merge until `size` ids exist."""
    ids = reference.byte_ids(specials)
    length = dict.fromkeys(ids, 1)
    words = [([ids[b] for b in piece], count) for piece, count in pieces.items()]
    merges = []
    for new in range(256 + specials, size):
        symbols: Counter[int] = Counter()
        for word, count in words:
            for symbol in word:
                symbols[symbol] += count
        pairs = reference.count_pairs(words)
        allowed = {
            (a, b): score(count, symbols[a], symbols[b], length[a], length[b])
            for (a, b), count in pairs.items()
            if count >= max(min_frequency, 1)
            and length[a] + length[b] <= (max_token_length or 2**31)
        }
        if not allowed:
            break
        pair = min(allowed, key=lambda pair: (-allowed[pair], pair))
        length[new] = length[pair[0]] + length[pair[1]]
        merges.append((*pair, new, pairs[pair]))
        words = [(reference.merge_pair(word, pair, new), count) for word, count in words]
    return merges
