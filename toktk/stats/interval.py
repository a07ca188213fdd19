"""Intervals of one figure, and the error that intervals, tests and verdicts share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.errors import StatisticsError, as_usage
from toktk.stats.student import quantile

Float64 = npt.NDArray[np.float64]

MIN_EFFECTIVE = 20
"""The least effective number of documents that an interval is given for."""

ONE_DECIDES = 0.2
"""The share of the squared deviations above which a single document decides how wide an interval is."""

WHY = {
    "few": f"fewer than {MIN_EFFECTIVE} effective documents",
    "zero": "nothing to divide by, or nothing counted",
    "undefined": "undefined without some of the documents",
    "languages": "fewer than 5 languages",
    "part": "a part of the text says nothing of the ids that all of it uses",
}
"""What the keys of `Interval.why` and `Difference.why` mean."""

_MOST = 700.0  # exp of more overflows
_SMALLEST, _LARGEST = 1e-100, 1e100  # of counts that are not 0: their squares and ratios are finite


@dataclass(frozen=True)
class Interval:
    """A figure, and between what it lies for text like this.

    Attributes:
        value: the figure on this text, exact; None where there is nothing to divide by.
        low, high: the bounds; None where there is no interval.
        n: units: documents, aligned lines, blocks, or languages.
        n_effective: (sum b)^2 / sum b^2 of their sizes b.
        why: a key of `WHY` that says why there is no interval.
        one_decides: whether a single document has more than a fifth of the squared deviations. Such an
            interval covers less or more often than its level says.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_effective: float
    why: str | None = None
    one_decides: bool = False


@dataclass(frozen=True)
class Spread:
    """The standard error of a figure, with the degrees of freedom of its t."""

    error: float
    degrees: float
    one_decides: bool

    def reach(self, level: float) -> float:
        """Return how far the bounds of an interval are from its middle."""
        return self.error * quantile(0.5 + level / 2, self.degrees) if self.error else 0.0


def spread_of(
    deviations: Float64, factor: float, n: int, n_all: int | None, n_effective: float
) -> Spread:
    """Return the spread of a figure, from the deviations that its units cause.

    The variance is `factor` times their sum of squares. Where the `n` units are a sample of `n_all`,
    the variance is divided by n_all / n.

    Degrees of freedom are n_effective - 1 or, where few squares make up the sum, 3 k - 2: k is the
    effective number of the squares, which is a third of their number for normal deviations. The choice is
    that of `benchmarks/calibrate.py`: without k, families of equal tokenizers have more than 5 % of false
    verdicts; the full correction for kurtosis, about 2 k, makes intervals of heavy-tailed sizes too wide.
    """
    squares = deviations**2
    total, degrees = float(squares.sum()), n_effective - 1
    if total:
        shares = squares / total
        degrees = min(degrees, 3 / float((shares**2).sum()) - 2)
    variance = factor * total * n / (n_all or n)
    return Spread(math.sqrt(variance), max(degrees, 1.0), one_decides(squares))


def effective_number(sizes: npt.ArrayLike) -> float:
    """Return (sum b)^2 / sum b^2: how many documents of equal size weigh as much; 0 for no text."""
    sizes = counts_of("sizes", sizes)
    total = float(sizes.sum())
    if not total:
        return 0.0
    shares = sizes / total
    return 1 / float((shares**2).sum())


def one_decides(contributions: npt.ArrayLike, limit: float = ONE_DECIDES) -> bool:
    """Tell whether one unit has more than `limit` of what all contribute, such as squared deviations."""
    contributions = np.asarray(contributions, dtype=np.float64)
    return bool(contributions.size and contributions.max() > limit * contributions.sum())


def log_interval(value: float, spread: Spread, level: float) -> tuple[float, float]:
    """Return the bounds around a positive value, symmetric on the log scale."""
    reach = min(spread.reach(level), _MOST)
    return value * math.exp(-reach), value * math.exp(reach)


def relative(log_ratio: float) -> float:
    """Return the relative difference of a log ratio: 0.05 for log 1.05."""
    return math.expm1(min(log_ratio, _MOST))


# What is asked ------------------------------------------------------------------------------------


def counts_of(name: str, counts: npt.ArrayLike) -> Float64:
    """Return counts as float64[n].

    Raises:
        StatisticsError: they are no numbers in one row, or one is negative or not finite.
    """
    array: npt.NDArray[Any] = np.asarray(counts)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise StatisticsError(
            f"{name}: one number for each document is needed.",
            f"Found: shape {array.shape}, {array.dtype}.",
        )
    floats = array.astype(np.float64)
    if not np.all((floats == 0) | ((floats >= _SMALLEST) & (floats <= _LARGEST))):
        raise StatisticsError(
            f"{name}: counts are finite and not negative.",
            f"Found: between {floats.min()} and {floats.max()}.",
        )
    return floats


def check_equal_lengths(**arrays: Float64) -> None:
    """Refuse arrays of different lengths.

    Raises:
        StatisticsError: one has another number of documents than the first.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise StatisticsError(
            "the same documents are needed on all sides.",
            f"Found: {', '.join(f'{n:,} of {name}' for name, n in lengths.items())}.",
        )


def check_options(n: int, n_all: int | None, level: float, zone: float = 0.0) -> None:
    """Refuse options out of range.

    Raises:
        StatisticsError: `level` is not between 0 and 1, `zone` is negative or endless, or `n_all` is less
            than the `n` documents.
    """
    if not 0 < level < 1:
        raise as_usage(
            StatisticsError(
                f"a level of {level} is none.", "Give one between 0 and 1, such as 0.95."
            )
        )
    if not 0 <= zone < math.inf:
        raise as_usage(
            StatisticsError(
                f"a zone of {zone} is none.", "Give a share such as 0.005, which is 0.5 %."
            )
        )
    if n_all is not None and n_all < n:
        raise StatisticsError(
            f"{n:,} documents cannot be a sample of {n_all:,}.",
            "Give the number in the whole text.",
        )
