"""Samples in which some groups were drawn more thinly than others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_MOST_REPEATS = 64  # of a unit of a group that was sampled more thinly than others


def even_out(weights: Float64) -> tuple[Int64, int]:
    """Return how often to repeat units that stand for so many of the whole text, and how many that has.

    Groups that were sampled more thinly than others are repeated, each repetition with its share of what the
    unit stands for: then each row stands for as many units, and one factor, that of the group with the
    most of its text drawn, holds for all.

    Args:
        weights: float64[n], at least 1.

    Returns:
        int64[n], 1 to 64, and the units of the whole text.
    """
    base = float(weights.min(initial=np.inf)) if weights.size else 1.0
    repeats = np.clip(np.rint(weights / base), 1, _MOST_REPEATS).astype(np.int64)
    n = int(repeats.sum())
    return repeats, max(n, round(base * n))
