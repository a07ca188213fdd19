"""What is made of seconds: their spread, the interval of a ratio, the exponent of growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

LEVEL = 1.05
"""Below this ratio, either way, two engines are called level, however narrow the interval."""

# The 97.5 % quantile of Student's t, for 1 to 5 degrees of freedom, and of the normal distribution.
_FEW = (12.706205, 4.302653, 3.182446, 2.776445, 2.570582)
_NORMAL = 1.959963985

Interval = tuple[float, float, float]
"""A value, and the two ends around it."""


def spread(values: Sequence[float]) -> Interval:
    """Return the median and the quartiles (interpolated, both extremes belonging to the sample)."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """Return the geometric mean of paired ratios with its 95 % interval; None of less than two.

    The interval is Student's for the mean of the logarithms (W. S. Gosset, "The probable error of a
    mean", Biometrika 6, 1908): the two engines of a pair had the same text at nearly the same time, so
    that what is hard about a slice, or slow about a moment, is not in it.
    """
    logs = [math.log(a / b) for a, b in zip(numerators, denominators, strict=True)]
    if len(logs) < 2:
        return None
    mean = statistics.fmean(logs)
    reach = student(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - reach), math.exp(mean + reach)


def is_level(interval: Interval) -> bool:
    """Tell whether a ratio is too near to 1 to name a faster one."""
    value, low, high = interval
    return low <= 1 <= high or 1 / LEVEL < value < LEVEL


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Interval | None:
    """Return b of ``seconds = a * sizes ** b`` with its 95 % interval; None of less than three.

    Least squares on the logarithms, and Student's interval for a slope.
    """
    if len(sizes) < 3:
        return None
    x, y = [math.log(n) for n in sizes], [math.log(t) for t in seconds]
    slope, intercept = statistics.linear_regression(x, y)
    off = sum((b - slope * a - intercept) ** 2 for a, b in zip(x, y, strict=True))
    middle = statistics.fmean(x)
    free = len(x) - 2
    reach = student(free) * math.sqrt(off / free / sum((a - middle) ** 2 for a in x))
    return slope, slope - reach, slope + reach


def student(free: int) -> float:
    """Return the 97.5 % quantile of Student's t with `free` degrees of freedom, to four digits.

    From six on by the series in powers of 1/free (Abramowitz and Stegun, 26.7.5).
    """
    if free <= len(_FEW):
        return _FEW[free - 1]
    z, square = _NORMAL, _NORMAL * _NORMAL
    terms = (
        (square + 1) / 4,
        (5 * square**2 + 16 * square + 3) / 96,
        (3 * square**3 + 19 * square**2 + 17 * square - 15) / 384,
        (79 * square**4 + 776 * square**3 + 1482 * square**2 - 1920 * square - 945) / 92160,
    )
    total: float = sum(term / free**k for k, term in enumerate(terms, 1))
    return z * (1 + total)
