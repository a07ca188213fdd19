"""Many questions at once: Holm's adjustment of p."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def holm(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return float64[n], p adjusted by Holm (1979): those below 5 % hold together with 95 % confidence.

    The smallest of n is multiplied by n, the next by n - 1, and so on, none below the one before, at most 1.
    Nothing is assumed of how the questions depend on one another.
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
