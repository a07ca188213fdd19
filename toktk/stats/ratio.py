"""Ratios of sums, such as bytes per token: delta method on the log scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.stats.interval import (
    MIN_EFFECTIVE,
    ONE_DECIDES,
    Float64,
    Interval,
    Spread,
    check_equal_lengths,
    check_options,
    counts_of,
    effective_number,
    log_interval,
    spread_of,
)
from toktk.stats.student import quantiles

_ROUNDING = 1e-15  # of shares: what is less apart is equal


def ratio_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    *,
    n_all: int | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the interval of R = sum x / sum y over documents.

    With shares a_i = x_i / X and b_i = y_i / Y of the sums, the delta method gives var(log R) =
    n / (n - 1) sum (a_i - b_i)^2 (Cochran 1977, Sampling Techniques, section 6.3). A large document pulls R
    toward itself, so that its deviation looks small: each is divided by 1 - (a_i + b_i) / 2, and n / (n - 1)
    becomes (n - 1) / n. That is the jackknife but for terms of the third order, as HC3 is in regression
    (MacKinnon and White 1985). The bounds are R exp(+-t s), t of Student's distribution, its degrees of
    freedom as `toktk.stats.interval.spread_of` has them.

    Args:
        numerators, denominators: int or float [n], one a document.
        n_all: documents of the whole text, where the n are a sample of it.
        level: how often such intervals cover.

    Raises:
        StatisticsError: the arrays differ in length or hold what is no count; an option is out of range.
    """
    x, y = counts_of("numerators", numerators), counts_of("denominators", denominators)
    check_equal_lengths(numerators=x, denominators=y)
    check_options(x.size, n_all, level)
    value = float(x.sum()) / float(y.sum()) if y.sum() else None
    n_effective, why, spread = log_ratio_spread(x, y, n_all)
    if not value or spread is None:
        return Interval(value, None, None, x.size, n_effective, why)
    low, high = log_interval(value, spread, level)
    return Interval(value, low, high, x.size, n_effective, None, spread.one_decides)


class Reaches(NamedTuple):
    """Intervals of many ratios, as how far their bounds are from them.

    Attributes:
        reach: float64[E, G]: the bounds of a ratio R are R exp(-reach) and R exp(reach); NaN without bounds.
        n_effective: float64[E, G].
        is_zero, one_decides: bool[E, G]: a side sums to nothing; see `Interval`.
    """

    reach: Float64
    n_effective: Float64
    is_zero: npt.NDArray[np.bool_]
    one_decides: npt.NDArray[np.bool_]


def ratio_reaches(
    numerators: Float64,
    denominators: Float64,
    spans: npt.NDArray[np.int64],
    *,
    n_all: npt.NDArray[np.int64],
    level: float = 0.95,
) -> Reaches:
    """Return the intervals of `ratio_interval` for G texts under E tokenizers, all at once.

    Args:
        numerators, denominators: float64[E, n], or [1, n] where all tokenizers have the same: one a document.
        spans: int64[G, 3]: where those of each text begin in the numerators and in the denominators, and
            how many there are.
        n_all: int64[G]: documents of the whole of each text.
        level: how often such intervals cover.
    """
    from toktk.kernels.ratio_moments import N_MOMENTS, ratio_moments

    n = spans[:, 2]
    moments = np.empty((max(len(numerators), len(denominators)), n.size, N_MOMENTS))
    ratio_moments(*map(np.ascontiguousarray, (numerators, denominators, spans)), _ROUNDING, moments)
    above, below, a2, b2, squares, fourth, largest = np.moveaxis(moments, 2, 0)
    is_zero = (above <= 0) | (below <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_effective = np.where(is_zero, 0.0, n_all / n / np.maximum(a2, b2))
        degrees = np.where(squares > 0, 3 * squares**2 / fourth - 2, np.inf)
        degrees = np.maximum(np.minimum(n_effective - 1, degrees), 1.0)
        error = np.sqrt((n - 1) / n_all * squares)
    reach = np.full(error.shape, np.nan)
    known = ~is_zero & (n_effective >= MIN_EFFECTIVE) & (n >= 2)
    reach[known] = error[known] * quantiles(0.5 + level / 2, degrees[known])
    return Reaches(reach, n_effective, is_zero, largest > ONE_DECIDES * squares)


def log_ratio_spread(
    x: Float64, y: Float64, n_all: int | None
) -> tuple[float, str | None, Spread | None]:
    """Return the effective number of documents, why there is no spread, and that of log(sum x / sum y).

    The effective number is that of the side whose documents differ more in size.
    """
    n = x.size
    n_effective = min(effective_number(x), effective_number(y)) * ((n_all or n) / n if n else 0)
    if not n_effective:
        return n_effective, "zero", None
    if n_effective < MIN_EFFECTIVE or n < 2:
        return n_effective, "few", None
    x, y = x / x.sum(), y / y.sum()
    deviations = x - y
    deviations[abs(deviations) <= _ROUNDING * (x + y)] = 0
    deviations /= 1 - (x + y) / 2
    return n_effective, None, spread_of(deviations, (n - 1) / n, n, n_all, n_effective)
