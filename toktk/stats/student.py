"""Student's t, from scipy: quantiles, tails, and what a test can detect."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

POWER = 0.8
"""The share of texts on which the least detectable difference is found."""

SIGNIFICANCE = 0.05
"""The two-sided error of the test that the least detectable difference is of."""


def quantile(p: float, degrees: float) -> float:
    """Return below what a share `p` of Student's t lies."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, p))


def quantiles(p: float, degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `quantile` for each of the degrees of freedom."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(degrees, p), dtype=np.float64)


def tail(t: float, degrees: float) -> float:
    """Return the share of Student's t above `t`."""
    from scipy.special import stdtr

    return float(stdtr(degrees, -t))


def two_sided(t: float, degrees: float) -> float:
    """Return the share of Student's t farther from 0 than `t`."""
    return min(1.0, 2 * tail(abs(t), degrees))


def detectable(degrees: float) -> float:
    """Return how many standard errors a difference needs to be found: t of 97.5 % and t of the power.

    The usual approximation, t_(1 - alpha / 2) + t_power, to the noncentral t.
    """
    return quantile(1 - SIGNIFICANCE / 2, degrees) + quantile(POWER, degrees)
