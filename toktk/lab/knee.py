"""The knee: from which size on a thousand more ids save less than a tenth of a percent of the tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.lab.units import Units
from toktk.stats.interval import Interval
from toktk.stats.jackknife import jackknife_interval

Float64 = npt.NDArray[np.float64]

KNEE = "knee[0.1%/1k]"
"""The metric of its record; the unit is ids."""

GAIN = 0.001
_LEAST_SIZES = 3


def knee_of(
    sizes: Int64, tokens: list[Int64], units: Units, groups: tuple[str, ...] | None
) -> Interval | None:
    """Return the size at which the gain falls below `GAIN`, with its interval, by jackknife over units.

    The gain between two sizes is the share of tokens saved for each thousand ids, and stands for their
    geometric mean; between those, and up to the last size, its logarithm is linear in that of the size.
    None where fewer than three sizes are known, or where they do not reach the knee.

    Args:
        sizes: int64[E], ascending.
        tokens: for each size int64[D], of each sampled document.
        groups: whose documents count; None: all.
    """
    if len(sizes) < _LEAST_SIZES:
        return None
    rows = units.rows_of(groups)
    of_row, weight = units.places[units.of_row[rows]], units.weight[rows]
    sums = np.stack(
        [np.bincount(of_row, own[rows] * weight, minlength=units.n) for own in tokens], axis=1
    )
    present = sums[:, 0] > 0
    sums = sums[present]
    n_all = max(len(sums), len(sums) * units.n_all // max(units.n, 1))
    interval = jackknife_interval(_knees(sizes), sums, sizes=sums[:, 0], n_all=n_all)
    reached = interval.value is not None and interval.value <= sizes[-1]
    return interval if reached else None


def _knees(sizes: Int64) -> Callable[[Float64], Float64]:
    """Return the function from tokens at these sizes, float64[..., E], to the knee, or NaN."""
    middles = np.log(sizes[:-1]) / 2 + np.log(sizes[1:]) / 2
    steps = np.diff(sizes) / 1000

    def knees(tokens: Float64) -> Float64:
        flat = tokens.reshape(-1, tokens.shape[-1])
        found = np.full(len(flat), np.nan)
        for i, row in enumerate(flat):
            if (row <= 0).any():
                continue
            gains = (1 - row[1:] / row[:-1]) / steps
            if (gains <= 0).any():
                continue
            # Between the last middle and the last size the line of the last two goes on.
            k = min(max(int(np.argmax(gains < GAIN)) or gains.size - 1, 1), gains.size - 1)
            high, low = np.log(gains[k - 1 : k + 1])
            if gains[0] > GAIN and high > low:
                share = (high - np.log(GAIN)) / (high - low)
                found[i] = np.exp(middles[k - 1] + share * (middles[k] - middles[k - 1]))
        return found.reshape(tokens.shape[:-1])

    return knees
