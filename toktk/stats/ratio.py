"""Ratios of sums, such as bytes per token: delta method on the log scale."""

from __future__ import annotations

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
    log_bounds,
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


def ratio_intervals(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    bounds: npt.NDArray[np.int64],
    *,
    n_all: npt.NDArray[np.int64],
    level: float = 0.95,
) -> list[Interval]:
    """Return what `ratio_interval` does for each of several texts, all at once.

    Args:
        numerators, denominators: int or float [n], one a document; those of text g are at
            ``bounds[g]:bounds[g + 1]``, at least one.
        bounds: int64[G + 1], ascending.
        n_all: int64[G]: documents of the whole of each text.
        level: how often such intervals cover.

    Raises:
        StatisticsError: as of `ratio_interval`.
    """
    x, y = counts_of("numerators", numerators), counts_of("denominators", denominators)
    check_equal_lengths(numerators=x, denominators=y)
    n = np.diff(bounds)
    if not n.size:
        return []
    for of_text, whole in zip(n.tolist(), n_all.tolist(), strict=True):
        check_options(of_text, whole, level)
    starts = bounds[:-1]
    text = np.repeat(np.arange(n.size), n)
    totals = np.add.reduceat(x, starts), np.add.reduceat(y, starts)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (side / total[text] for side, total in zip((x, y), totals, strict=True))
        effective = [1 / np.add.reduceat(share**2, starts) for share in (a, b)]
        n_effective = np.minimum(*effective) * (n_all / n)
        deviations = a - b
        deviations[abs(deviations) <= _ROUNDING * (a + b)] = 0
        deviations /= 1 - (a + b) / 2
        squares = deviations**2
        total = np.add.reduceat(squares, starts)
        fourth = np.add.reduceat((squares / np.where(total > 0, total, 1)[text]) ** 2, starts)
        degrees = np.maximum(np.minimum(n_effective - 1, 3 / fourth - 2), 1.0)
        error = np.sqrt((n - 1) / n * total * n / n_all)
        reach = np.where(error > 0, error * quantiles(0.5 + level / 2, degrees), 0.0)
        values = totals[0] / totals[1]
    decides = np.maximum.reduceat(squares, starts) > ONE_DECIDES * total
    intervals = []
    for g, (above, below) in enumerate(zip(*(side.tolist() for side in totals), strict=True)):
        if not above or not below:
            value = above / below if below else None
            intervals.append(Interval(value, None, None, int(n[g]), 0.0, "zero"))
            continue
        value, own = float(values[g]), float(n_effective[g])
        if own < MIN_EFFECTIVE or n[g] < 2:
            intervals.append(Interval(value, None, None, int(n[g]), own, "few"))
            continue
        low, high = log_bounds(value, float(reach[g]))
        intervals.append(Interval(value, low, high, int(n[g]), own, None, bool(decides[g])))
    return intervals


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
