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

MOST_BLOCKS = 64
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

    Units are joined, by position, to blocks of equally many, at most 64. With f_b the figure without
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
    check_options(sizes.size, n_all, level)
    values = leave_one_out(statistic, sums)
    return _interval(values, sizes.size, n_all, effective_number(sizes), level, log)


def jackknife_intervals(
    statistic: Statistic, sums: Float64, *, sizes: Float64, n_all: int, level: float = 0.95
) -> list[Interval]:
    """Return what `jackknife_interval` does for E tokenizers, all at once.

    Args:
        sums: float64[E, B, K], what each of the `blocks_of` the units adds to the sums.
        sizes: float64[U], the size of each unit.
        n_all: units of the whole text.
    """
    total = sums.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        values = statistic(np.concatenate([total, total - sums], axis=1))
    n_effective = effective_number(sizes)
    return [_interval(own, sizes.size, n_all, n_effective, level, log=True) for own in values]


def _interval(
    values: Float64, n: int, n_all: int | None, n_effective: float, level: float, log: bool
) -> Interval:
    """Return the interval of ``values[0]``; the others are what it is without each block."""
    value = float(values[0]) if np.isfinite(values[0]) else None
    scaled = logs_of(values) if log else values
    n_effective, why, spread = jackknife_spread(scaled, n, n_all, n_effective)
    if value is None or (log and value <= 0):
        return Interval(value, None, None, n, n_effective, "zero")
    if spread is None:
        return Interval(value, None, None, n, n_effective, why)
    if log:
        low, high = log_interval(value, spread, level)
    else:
        low, high = value - spread.reach(level), value + spread.reach(level)
    return Interval(value, low, high, n, n_effective, None, spread.one_decides)


def number_of_blocks(n: int) -> int:
    """Return how many blocks `n` units are joined to: of equally many, and at most `MOST_BLOCKS`."""
    return -(-n // max(1, -(-n // MOST_BLOCKS)))


def blocks_of(n: int) -> npt.NDArray[np.int64]:
    """Return int64[n]: the block of each unit."""
    return np.searchsorted(_edges(n), np.arange(n), side="right").astype(np.int64) - 1


def _edges(n: int) -> npt.NDArray[np.int64]:
    n_blocks = number_of_blocks(n)
    return np.arange(n_blocks, dtype=np.int64) * n // max(n_blocks, 1)


def leave_one_out(statistic: Statistic, sums: Float64) -> Float64:
    """Return float64[1 + B], the figure and what it is without each block."""
    n = len(sums)
    blocks = np.add.reduceat(sums, _edges(n), axis=0) if n else sums
    total = blocks.sum(axis=0)
    with np.errstate(all="ignore"):
        return np.asarray(statistic(np.vstack([total, total - blocks])), dtype=np.float64)


def jackknife_spread(
    values: Float64, n: int, n_all: int | None, n_effective: float
) -> tuple[float, str | None, Spread | None]:
    """Return the effective number in the whole text, why there is no spread, and the spread of `values[0]`.

    `values` are those of `leave_one_out`; `n_effective` is that of the `n` units.
    """
    blocks = values.size - 1
    n_effective *= (n_all or n) / n if n else 0
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
