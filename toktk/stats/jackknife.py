"""Figures that are no ratio of sums, such as a mean over languages: delete-a-block jackknife."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.errors import StatisticsError
from toktk.stats.interval import (
    MIN_EFFECTIVE,
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

MOST_BLOCKS = 200
_ENDLESS = 1e100  # the squares of more are not finite

Statistic = Callable[[Float64], Float64]
"""float64[..., K], sums over units -> float64[...]: the figure, NaN where there is none."""


def jackknife_interval(
    statistic: Statistic,
    sums: npt.ArrayLike,
    *,
    sizes: npt.ArrayLike,
    n_all: int | None = None,
    level: float = 0.95,
    log: bool = True,
) -> Interval:
    """Return the interval of a figure that is computed from sums over units.

    Units are joined, by position, to blocks of equally many, at most 200. With f_b the figure without
    block b of B, its variance is (B - 1) / B sum (f_b - mean f)^2 (Shao and Tu 1995, The Jackknife and
    Bootstrap, section 2.3). No randomness, so no seed.

    Args:
        statistic: see `Statistic`; it is called with all leave-one-out sums at once.
        sums: float64[U, K], what each unit adds to the sums.
        sizes: [U], the size of each unit, such as its bytes in all languages.
        n_all: units of the whole text, where these are a sample of it.
        level: how often such intervals cover.
        log: whether the interval is symmetric on the log scale, as befits a positive figure.

    Raises:
        StatisticsError: see `ratio_interval`.
    """
    sums, sizes = units_of("sums", sums), counts_of("sizes", sizes)
    check_equal_lengths(sums=sums, sizes=sizes)
    check_options(len(sums), n_all, level)
    values, blocks = leave_one_out(statistic, sums)
    value = float(values[0]) if np.isfinite(values[0]) else None
    scaled = logs_of(values) if log else values
    n_effective, why, spread = jackknife_spread(scaled, blocks, sizes, n_all)
    if value is None or (log and value <= 0):
        return Interval(value, None, None, len(sums), n_effective, "zero")
    if spread is None:
        return Interval(value, None, None, len(sums), n_effective, why)
    if log:
        low, high = log_interval(value, spread, level)
    else:
        low, high = value - spread.reach(level), value + spread.reach(level)
    return Interval(value, low, high, len(sums), n_effective, None, spread.one_decides)


def leave_one_out(statistic: Statistic, sums: Float64) -> tuple[Float64, int]:
    """Return float64[1 + B], the figure and what it is without each block, and the number of blocks."""
    n = len(sums)
    size = max(1, -(-n // MOST_BLOCKS))
    n_blocks = -(-n // size)
    edges = np.arange(n_blocks) * n // max(n_blocks, 1)
    blocks = np.add.reduceat(sums, edges, axis=0) if n else sums
    total = blocks.sum(axis=0)
    with np.errstate(all="ignore"):
        values = np.asarray(statistic(np.vstack([total, total - blocks])), dtype=np.float64)
    return values, n_blocks


def jackknife_spread(
    values: Float64, blocks: int, sizes: Float64, n_all: int | None
) -> tuple[float, str | None, Spread | None]:
    """Return the effective number of units, why there is no spread, and the spread of `values[0]`."""
    n = sizes.size
    n_effective = effective_number(sizes) * ((n_all or n) / n if n else 0)
    if not n_effective:
        return n_effective, "zero", None
    if n_effective < MIN_EFFECTIVE or blocks < 2:
        return n_effective, "few", None
    without = values[1:]
    if not np.all(np.abs(without) < _ENDLESS):
        return n_effective, "undefined", None
    deviations = without - without.mean()
    deviations[abs(deviations) <= 1e-14 * np.abs(without).max()] = 0
    factor = (blocks - 1) / blocks
    return n_effective, None, spread_of(deviations, factor, n, n_all, min(n_effective, blocks))


def units_of(name: str, sums: npt.ArrayLike) -> Float64:
    """Return what each unit adds as float64[U, K].

    Raises:
        StatisticsError: it is no table of finite numbers.
    """
    array = np.asarray(sums)
    if (
        array.ndim != 2
        or array.dtype.kind not in "biuf"
        or not np.all(np.abs(array.astype(np.float64)) < _ENDLESS)
    ):
        raise StatisticsError(
            f"{name}: a row of finite numbers for each unit is needed.",
            f"Found: shape {array.shape}, {array.dtype}.",
        )
    return array.astype(np.float64)


def logs_of(values: Float64) -> Float64:
    """Return logs, NaN where there is none."""
    with np.errstate(all="ignore"):
        return np.where(values > 0, np.log(values), np.nan)
