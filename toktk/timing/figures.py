"""Figures made of seconds: `Timing` and how it is computed, with spread, ratio and exponent of growth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np

LEVEL = 1.05
"""Below this ratio, either way, two engines are called level, however narrow the interval."""


TIMED = (
    "ids[",
    "load[",
    "cold[",
    "warm[",
    "cold_ratio[",
    "warm_ratio[",
    "memory[",
    "pathological:",
)
"""How the metrics of timings begin among other records."""


class Interval(NamedTuple):
    """A value and the two ends around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Timing:
    """One figure of the timing protocol.

    Attributes:
        tokenizer: its label.
        engine: "toktk", or a library.
        threads: that the engine was allowed.
        what: ids (how many documents have the reference library's ids), load (seconds from the file
            to the first ids, in a fresh process, the library imported), cold (the first text of a
            fresh engine), warm (text it has not seen, after other text), cold_ratio and warm_ratio
            (speed, over the reference library's), memory (bytes by which the peak rose from before
            loading to after all timing), or pathological:<kind> (exponent of CPU time against
            length, and MB/s at the longest).
        value: None where it was not measured; `note` says why.
        low, high: of load, cold and warm the quartiles, of ratios and exponents the 95 % interval.
        unit: "s", "MB/s" (10**6 bytes of UTF-8), "ratio", "bytes", "documents" or "exponent".
        n: slices, processes, documents or lengths behind the value.
        note: what else is to be known.
        verified: the ids were compared with the reference library's on the very text, and are equal.
        busy: the engine had to wait for a core, so that `value` is too low and the interval too wide.
    """

    tokenizer: str
    engine: str
    version: str
    threads: int
    _: KW_ONLY
    what: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str
    n: int | None = None
    note: str = ""
    verified: bool
    busy: bool = False


def ends(interval: Interval | None) -> dict[str, float]:
    """Return an interval as the fields of a `Timing`; nothing for none."""
    return {} if interval is None else interval._asdict()


def spread(values: Sequence[float]) -> Interval:
    """Return the median and the quartiles (interpolated; both extremes belong to the sample)."""
    return Interval(*np.quantile(values, (0.5, 0.25, 0.75)).tolist())


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """Return the geometric mean of paired ratios with its 95 % interval; None of less than two.

    The interval is Student's for the mean of the logarithms (W. S. Gosset, "The probable error of a
    mean", Biometrika 6, 1908). The two engines of a pair had the same text at nearly the same time,
    so the interval is free of what is hard about a slice, or slow about a moment.
    """
    logs = [math.log(a / b) for a, b in zip(numerators, denominators, strict=True)]
    if len(logs) < 2:
        return None
    mean = statistics.fmean(logs)
    reach = student(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return Interval(math.exp(mean), math.exp(mean - reach), math.exp(mean + reach))


def is_level(interval: Interval) -> bool:
    """Tell whether a ratio is too near to 1 to name a faster one."""
    return interval.low <= 1 <= interval.high or 1 / LEVEL < interval.value < LEVEL


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> Interval | None:
    """Return b of ``seconds = a * sizes ** b`` with its 95 % interval; None of less than three.

    Least squares on the logarithms, and Student's interval for a slope.
    """
    if len(sizes) < 3:
        return None
    line, covariance = np.polyfit(np.log(sizes), np.log(seconds), 1, cov=True)
    slope = float(line[0])
    reach = student(len(sizes) - 2) * math.sqrt(covariance[0, 0])
    return Interval(slope, slope - reach, slope + reach)


# The 97.5 % quantile of Student's t for so many degrees of freedom: scipy.stats.t.ppf(0.975, df).
_FREEDOM = (math.inf, 120, 60, 40, *range(30, 0, -1))
_QUANTILES = (
    1.959964, 1.979930, 2.000298, 2.021075,
    2.042272, 2.045230, 2.048407, 2.051831, 2.055529, 2.059539, 2.063899, 2.068658, 2.073873, 2.079614,
    2.085963, 2.093024, 2.100922, 2.109816, 2.119905, 2.131450, 2.144787, 2.160369, 2.178813, 2.200985,
    2.228139, 2.262157, 2.306004, 2.364624, 2.446912, 2.570582, 2.776445, 3.182446, 4.302653, 12.706205,
)  # fmt: skip


def student(free: int) -> float:
    """Return the 97.5 % quantile of Student's t with `free` degrees of freedom, to four digits.

    Above 30 the table is interpolated in 1 / `free`, in which the quantile is nearly linear.
    """
    return float(np.interp(1 / free, [1 / degrees for degrees in _FREEDOM], _QUANTILES))
