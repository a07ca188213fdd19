"""Student's t, from scipy: quantiles, tails, and what a test can detect."""

from __future__ import annotations

import functools
import importlib.util
import sys
import threading
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

POWER = 0.8
"""The share of texts on which the least detectable difference is found."""

SIGNIFICANCE = 0.05
"""The two-sided error of the test that the least detectable difference is of."""


_LOADING = threading.Lock()
_COMPILED = ("_ufuncs_cxx", "_ellip_harm_2", "_special_ufuncs", "_gufuncs", "_ufuncs")
"""What scipy.special's functions are in, each behind what it needs."""


@functools.cache
def _functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return ``stdtrit`` and ``stdtr`` of scipy.special.

    Without the package around them: that imports NumPy's Fortran compiler and more, which takes as long as
    measuring a megabyte. Whoever imports it later finds its modules loaded.
    """
    try:
        with _LOADING:  # two threads that load them at once end the process
            _load_compiled()
        module = importlib.import_module("scipy.special._ufuncs")
        return module.stdtrit, module.stdtr
    except (ImportError, AttributeError):  # another SciPy
        from scipy.special import stdtr, stdtrit

        return stdtrit, stdtr


def _load_compiled() -> None:
    import scipy

    folders = [str(Path(path) / "special") for path in scipy.__path__]
    for name in _COMPILED:
        full = f"scipy.special.{name}"
        spec = None if full in sys.modules else PathFinder.find_spec(full, folders)
        if spec is None or spec.loader is None:
            continue
        sys.modules[full] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[full])
        except BaseException:
            del sys.modules[full]
            raise


def quantile(p: float, degrees: float) -> float:
    """Return below what a share `p` of Student's t lies."""
    return float(_functions()[0](degrees, p))


def quantiles(p: float, degrees: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `quantile` for each of the degrees of freedom."""
    return np.asarray(_functions()[0](degrees, p), dtype=np.float64)


def tail(t: float, degrees: float) -> float:
    """Return the share of Student's t above `t`."""
    return float(_functions()[1](degrees, -t))


def two_sided(t: float, degrees: float) -> float:
    """Return the share of Student's t farther from 0 than `t`."""
    return min(1.0, 2 * tail(abs(t), degrees))


def detectable(degrees: float) -> float:
    """Return how many standard errors a difference needs to be found: t of 97.5 % and t of the power.

    The usual approximation, t_(1 - alpha / 2) + t_power, to the noncentral t.
    """
    return quantile(1 - SIGNIFICANCE / 2, degrees) + quantile(POWER, degrees)
