"""Differences of a candidate against a baseline, and the verdicts on a family of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toktk.errors import StatisticsError, as_usage
from toktk.stats import student
from toktk.stats.interval import (
    Spread,
    check_equal_lengths,
    check_options,
    counts_of,
    effective_number,
    one_decides,
    relative,
)
from toktk.stats.jackknife import Statistic, jackknife_spread, leave_one_out, logs_of, units_of
from toktk.stats.multiplicity import holm
from toktk.stats.ratio import log_ratio_spread

ZONE = 0.005
"""Relative differences that do not matter, unless told otherwise: half a percent."""

VERDICTS = ("better", "worse", "different", "equivalent", "undecided", "none")
"""What `verdicts` says; "different" of a figure that is neither better high nor low."""


@dataclass(frozen=True)
class Difference:
    """A candidate against a baseline, relative to it: 0.05 is +5 %.

    Attributes:
        value: the difference on this text, exact; None where there is nothing to divide by.
        low, high: the bounds of the difference on text like this; None where there is no interval.
        n: units: documents, aligned lines or blocks; of the smaller text where the two differ.
        n_effective: (sum b)^2 / sum b^2 of their sizes b.
        p: of no difference, two-sided.
        p_equivalent: of a difference as large as the zone or larger: the larger of two one-sided tests.
        least: the least relative difference that such a text shows four times out of five (two-sided, 5 %).
        why: a key of `toktk.stats.interval.WHY` that says why there is no interval.
        one_decides: see `Interval`.
        wider: by how much the interval allows for neighbors that are alike; 1: they are not.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_effective: float
    p: float | None
    p_equivalent: float | None
    least: float | None
    why: str | None = None
    one_decides: bool = False
    wider: float = 1.0


def paired_ratio(
    candidate: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    n_all: int | None = None,
    wider: float = 1.0,
    zone: float = ZONE,
    level: float = 0.95,
) -> Difference:
    """Return the difference of two totals over the same documents, such as tokens of two tokenizers.

    The interval is that of log(sum a / sum b), as `ratio_interval` has it: what both tokenizers find hard
    in a document cancels. For a figure with the totals below, such as bytes per token, swap the two.

    Args:
        candidate, baseline: int or float [n], one a document.
        n_all: documents of the whole text, where the n are a sample of it.
        wider: what the error is multiplied by, where documents are not independent; see
            `toktk.stats.neighbors.neighbor_factors`.
        zone: relative differences up to this do not matter; its other end is 1 / (1 + zone).
        level: how often such intervals cover.

    Raises:
        StatisticsError: see `ratio_interval`.
    """
    a, b = counts_of("candidate", candidate), counts_of("baseline", baseline)
    check_equal_lengths(candidate=a, baseline=b)
    check_options(a.size, n_all, level, zone)
    value = float((a.sum() - b.sum()) / b.sum()) if b.sum() else None
    n_effective, why, spread = log_ratio_spread(a, b, n_all)
    spread = spread and replace(spread, error=spread.error * wider)
    return _difference(value, a.size, n_effective, why, spread, zone, level, wider)


def unpaired_ratio(
    candidate: tuple[npt.ArrayLike, npt.ArrayLike],
    baseline: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    n_all: tuple[int | None, int | None] = (None, None),
    wider: tuple[float, float] = (1.0, 1.0),
    zone: float = ZONE,
    level: float = 0.95,
) -> Difference:
    """Return the difference of two ratios of sums from different texts, each (numerators, denominators).

    The variances of the logs add up; degrees of freedom are Welch's and Satterthwaite's (1946). `n_all` and
    `wider` are those of `paired_ratio`, for each text.

    Raises:
        StatisticsError: see `ratio_interval`.
    """
    ratios, sides, sizes = [], [], []
    for name, pair, whole in zip(
        ("candidate", "baseline"), (candidate, baseline), n_all, strict=True
    ):
        x, y = (counts_of(f"{part} of the {name}", c) for part, c in zip(_PARTS, pair, strict=True))
        check_equal_lengths(numerators=x, denominators=y)
        check_options(x.size, whole, level, zone)
        ratios.append(float(x.sum()) / float(y.sum()) if y.sum() else None)
        sides.append(log_ratio_spread(x, y, whole))
        sizes.append(x.size)
    over, under = ratios
    value = None if over is None or not under else over / under - 1
    n_effective = min(side[0] for side in sides)
    why = next((side[1] for side in sides if side[1]), None)
    spread = None
    if why is None:
        spreads = [side[2] for side in sides if side[2]]
        pairs = zip(spreads, wider, strict=True)
        spread = _sum_of([replace(own, error=own.error * factor) for own, factor in pairs])
    return _difference(value, min(sizes), n_effective, why, spread, zone, level, max(wider))


def paired_statistic(
    statistic: Statistic,
    candidate: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    sizes: npt.ArrayLike,
    n_all: int | None = None,
    zone: float = ZONE,
    level: float = 0.95,
) -> Difference:
    """Return the difference of two figures that are no ratio of sums, over the same units.

    The jackknife of `jackknife_interval`, applied to the log of the figures' ratio.

    Args:
        statistic: see `toktk.stats.jackknife.Statistic`.
        candidate, baseline: float64[U, K], what each unit adds to the sums of each.
        sizes: [U], the size of each unit.
        n_all, zone, level: see `paired_ratio`.

    Raises:
        StatisticsError: see `ratio_interval`.
    """
    sums = [units_of("candidate", candidate), units_of("baseline", baseline)]
    weights = counts_of("sizes", sizes)
    check_equal_lengths(candidate=sums[0], baseline=sums[1], sizes=weights)
    check_options(weights.size, n_all, level, zone)
    over, under = (leave_one_out(statistic, side) for side in sums)
    value = float(over[0]) / float(under[0]) - 1 if np.isfinite(over[0]) and under[0] > 0 else None
    n_effective = effective_number(weights)
    if value is None or over[0] <= 0:
        return _difference(value, weights.size, n_effective, "zero", None, zone, level)
    logs = logs_of(over) - logs_of(under)
    n_effective, why, spread = jackknife_spread(logs, weights.size, n_all, n_effective)
    return _difference(value, weights.size, n_effective, why, spread, zone, level)


def paired_means(
    candidate: npt.ArrayLike, baseline: npt.ArrayLike, *, zone: float = ZONE, level: float = 0.95
) -> Difference:
    """Return the difference of two geometric means over pairs, such as times of two programs run in turn.

    Every pair weighs the same: Student's t for the mean of the logs of their ratios. Sizes of pairs play no
    part, so that two pairs are enough.

    Args:
        candidate, baseline: [n], above 0, one a pair.
        zone, level: see `paired_ratio`.

    Raises:
        StatisticsError: the arrays differ in length, hold fewer than two pairs or a value that is not above
            0; an option is out of range.
    """
    a, b = counts_of("candidate", candidate), counts_of("baseline", baseline)
    check_equal_lengths(candidate=a, baseline=b)
    check_options(a.size, None, level, zone)
    if a.size < 2 or not np.all(a * b):
        raise StatisticsError(
            "two pairs of values above 0 are needed, or more.",
            f"Found: {a.size}, of which {np.count_nonzero(a * b)} are above 0.",
        )
    logs = np.log(a) - np.log(b)
    deviations = logs - logs.mean()
    error = float(np.sqrt(deviations @ deviations / (a.size - 1) / a.size))
    spread = Spread(error, a.size - 1, one_decides(deviations**2))
    return _difference(relative(logs.mean()), a.size, a.size, None, spread, zone, level)


def text_needed(difference: Difference, wanted: float) -> float | None:
    """Return how many times as much text, of such documents, shows a relative difference of `wanted`.

    The least detectable difference falls with the root of the text. Below 1 where less text does.

    Raises:
        StatisticsError: `wanted` is not above 0.
    """
    if not 0 < wanted < math.inf:
        raise as_usage(
            StatisticsError(f"a difference of {wanted} is none.", "Give a share such as 0.01: 1 %.")
        )
    if difference.least is None:
        return None
    return float((math.log1p(difference.least) / math.log1p(wanted)) ** 2)


def verdicts(
    differences: Sequence[Difference],
    *,
    zone: float = ZONE,
    level: float = 0.95,
    lower_is_better: Sequence[bool | None],
) -> list[str]:
    """Return a verdict on each difference of a family: the questions that are asked together.

    "equivalent": Holm's p of a difference beyond the zone is below 1 - level, significant or not.
    "better", "worse": Holm's p of no difference is; "different" where neither direction is better.
    "none": there is no interval. "undecided": all else. So in a family of any size, either kind of error
    ("better" or "worse" of equals; "equivalent" of a difference beyond the zone) is made in at most
    1 - level of texts.

    Args:
        differences: of one family, made with the same zone.
        zone: that zone; 0 makes nothing equivalent but what is the same document for document.
        level: 1 less the rate of error.
        lower_is_better: for each, None where neither is.

    Raises:
        StatisticsError: the sequences differ in length, or an option is out of range.
    """
    check_options(0, None, level, zone)
    if len(differences) != len(lower_is_better):
        raise StatisticsError(
            f"{len(differences)} differences need as many directions.",
            f"Found: {len(lower_is_better)}.",
        )
    asked = [d for d in differences if d.p is not None and d.p_equivalent is not None]
    adjusted = iter(
        zip(holm([_p(d.p) for d in asked]), holm([_p(d.p_equivalent) for d in asked]), strict=True)
    )
    said = []
    for difference, lower in zip(differences, lower_is_better, strict=True):
        if difference.p is None or difference.p_equivalent is None:
            said.append("none")
            continue
        p, p_equivalent = next(adjusted)
        if p_equivalent < 1 - level:
            said.append("equivalent")
        elif p < 1 - level and difference.value:
            is_lower = difference.value < 0
            said.append(
                "different" if lower is None else "better" if is_lower == lower else "worse"
            )
        else:
            said.append("undecided")
    return said


_PARTS = ("numerators", "denominators")


def _p(p: float | None) -> float:
    return 1.0 if p is None else p


def _sum_of(spreads: list[Spread]) -> Spread:
    """Return the spread of the difference of two independent figures."""
    variances = [spread.error**2 for spread in spreads]
    total = sum(variances)
    if not total:
        return Spread(0.0, min(spread.degrees for spread in spreads), False)
    inverse = sum((v / total) ** 2 / s.degrees for v, s in zip(variances, spreads, strict=True))
    return Spread(math.sqrt(total), 1 / inverse, any(spread.one_decides for spread in spreads))


def _difference(
    value: float | None,
    n: int,
    n_effective: float,
    why: str | None,
    spread: Spread | None,
    zone: float,
    level: float,
    wider: float = 1.0,
) -> Difference:
    if value is None or value <= -1 or spread is None:
        # A total of nothing has no log.
        reason = "zero" if value is None or value <= -1 else why
        return Difference(value, None, None, n, n_effective, None, None, None, reason)
    log_ratio, edge, reach = math.log1p(value), math.log1p(zone), spread.reach(level)
    if spread.error:
        p = student.two_sided(log_ratio / spread.error, spread.degrees)
        p_equivalent = student.tail((edge - abs(log_ratio)) / spread.error, spread.degrees)
        least = relative(student.detectable(spread.degrees) * spread.error)
    else:  # what every document says alike is as sure as it is here
        p, least = float(value == 0), 0.0
        p_equivalent = float(abs(log_ratio) > edge)
    return Difference(
        value,
        relative(log_ratio - reach),
        relative(log_ratio + reach),
        n,
        n_effective,
        p,
        p_equivalent,
        least,
        None,
        spread.one_decides,
        wider,
    )
