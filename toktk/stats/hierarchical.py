"""Figures of languages at large, where those measured are a sample of them: random effects."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from toktk.errors import StatisticsError
from toktk.stats.interval import Float64, Interval, check_equal_lengths, check_options, counts_of
from toktk.stats.student import quantile

MIN_LANGUAGES = 5
"""The fewest languages that others are judged by."""

FEW = 10
"""With fewer languages intervals are too wide where languages hardly differ: with five they cover 97.8 %."""

_LEAST_VARIANCE = 1e-9  # of the largest: a language without spread is known well, not endlessly
_ENDLESS = 1e100


def over_languages(
    values: npt.ArrayLike, variances: npt.ArrayLike, *, level: float = 0.95
) -> Interval:
    """Return the mean over languages like these, such as of log ratios, with its interval.

    Languages differ by a variance of their own, estimated by DerSimonian and Laird (1986), beside that of
    their documents. The interval is Hartung and Knapp's (2001), Student's t with L - 1 degrees, never
    narrower than the plain one (Rover et al. 2015). It is a figure of its own: that of the very
    languages measured has the languages fixed, and is narrower.

    Args:
        values: [L], one a language.
        variances: [L], squared standard errors, from documents.
        level: how often such intervals cover.

    Raises:
        StatisticsError: the arrays differ in length, or a variance is negative or not finite.
    """
    y, v = np.asarray(values, dtype=np.float64), counts_of("variances", variances)
    check_equal_lengths(values=y, variances=v)
    check_options(y.size, None, level)
    if not np.all(np.abs(y) < _ENDLESS):
        raise StatisticsError(
            "values: finite numbers are needed.", "Leave out languages without one."
        )
    if not y.size:
        return Interval(None, None, None, 0, 0.0, "languages")
    weights, plain = _weights(y, v)
    mean = float(weights @ y)
    n_effective = 1 / float(weights @ weights)
    if y.size < MIN_LANGUAGES:
        return Interval(mean, None, None, y.size, n_effective, "languages")
    by_languages = float(weights @ (y - mean) ** 2) / (y.size - 1)
    reach = math.sqrt(max(by_languages, plain)) * quantile(0.5 + level / 2, y.size - 1)
    return Interval(mean, mean - reach, mean + reach, y.size, n_effective)


def _weights(y: Float64, v: Float64) -> tuple[Float64, float]:
    """Return what each language weighs, in all 1, and the variance of the mean that follows from it.

    Weights are inverse to the variance of documents and of languages together.
    """
    n, largest = y.size, float(v.max())
    if largest <= _LEAST_VARIANCE * float(y.var()):  # documents tell nothing of who is known better
        return np.full(n, 1 / n), 0.0
    relative = np.maximum(v / largest, _LEAST_VARIANCE)
    fixed = 1 / relative
    mean = float(fixed @ y / fixed.sum())
    heterogeneity = float(fixed @ (y - mean) ** 2) - (n - 1) * largest
    between = 0.0
    if n > 1 and heterogeneity > 0:
        between = heterogeneity / float(fixed.sum() - (fixed @ fixed) / fixed.sum())
    weights = 1 / (relative + between / largest)
    return weights / weights.sum(), largest / float(weights.sum())
