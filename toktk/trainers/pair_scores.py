"""Scores of pairs: what BPE merges first.

A score is called with five int64 arrays of one length, a value for each pair: how often the pair
occurs, how often its left and its right symbol occur, and the lengths of the two in bytes. It
returns as many finite float64 scores; the highest is merged. Counts are of occurrences in the text
as it is cut so far, weights included; those of pairs overlap, so "aaa" holds (a, a) twice. A score
must be a function of these values alone, pair by pair.

A package adds one under the entry-point group ``toktk.pair_scores``.

A slow twin is `toktk.educational.ratio`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.errors import TrainingError
from toktk.registry import Registry, guarded

Float64 = npt.NDArray[np.float64]
PairScore = Callable[[Int64, Int64, Int64, Int64, Int64], Float64]


def count(pair_count: Int64, *_: Int64) -> Float64:
    """How often the pair occurs: BPE proper (Sennrich et al. 2016)."""
    return pair_count.astype(np.float64)


def ratio(pair_count: Int64, left_count: Int64, right_count: Int64, *_: Int64) -> Float64:
    """Count over the product of both symbols' counts: WordPiece. Needs a --min-frequency.

    This is the formula commonly published for WordPiece; Schuster & Nakajima (2012) themselves ask
    for the merge that raises the likelihood most. Two symbols that occur once, together, have the
    highest score, 1. So without a floor the first merges are the rarest accidents of the text.
    """
    # In float64, where the product cannot overflow, and rounded once while it is below 2**53.
    return pair_count / (left_count.astype(np.float64) * right_count)


def count_times_length(
    pair_count: Int64,
    left_count: Int64,
    right_count: Int64,
    left_length: Int64,
    right_length: Int64,
) -> Float64:
    """Count times the bytes of the merged token: how much of the text it covers."""
    return pair_count.astype(np.float64) * (left_length + right_length)


PAIR_SCORES = Registry(
    "toktk.pair_scores",
    {"count": count, "ratio": ratio, "count*length": count_times_length},
)


NEED_FLOOR = ("ratio",)
"""Scores that are useless without a `min_frequency`."""


def scores_of(score: PairScore, name: str, features: Int64) -> Float64:
    """Return the checked scores of the pairs in `features` (int64[5, n]), always as a new array.

    Raises:
        TrainingError: not one finite number for each pair.
        PluginError: a score of another package fails.
    """
    with guarded(f"the pair score {name!r}", score):
        given = np.asarray(score(*features))
    n = features.shape[1]
    if given.shape != (n,) or given.dtype.kind not in "fiu":
        raise TrainingError(
            f"the pair score {name!r} is broken: it must return one float64 for each pair.",
            f"Found: {given.dtype} of shape {given.shape} for {n:,} pairs.",
        )
    scores = np.array(given, dtype=np.float64)
    finite = np.isfinite(scores)
    if not finite.all():
        at = int(np.argmin(finite))
        pair_count, left_count, right_count, left_length, right_length = features[:, at].tolist()
        raise TrainingError(
            f"the pair score {name!r} is broken: scores must be finite.",
            f"Found: {scores[at]} for a pair that occurs {pair_count:,} times, of symbols that occur "
            f"{left_count:,} and {right_count:,} times and have {left_length} and {right_length} "
            "bytes.",
        )
    return scores
