"""The digamma function, the derivative of the logarithm of gamma."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def digamma(x, result):
    """Write the digamma function of each x > 0 (float64); off by less than 1e-12 from 0.5 on.

    The recurrence up to 8, then the asymptotic series (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18).
    """
    for i in range(x.size):
        value = x[i]
        below = 0.0
        while value < 8.0:
            below -= 1.0 / value
            value += 1.0
        y = 1.0 / (value * value)
        series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
        result[i] = below + np.log(value) - 0.5 / value - series
