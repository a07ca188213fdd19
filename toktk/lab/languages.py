"""A figure of its own: the difference for languages at large, of which those measured are a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

from toktk.lab.differences import LOWER_IS_BETTER, base_of, difference_of
from toktk.lab.side import Side
from toktk.pieces.table import POOLED
from toktk.report.comparison import Comparison
from toktk.report.records import common_signature, short_signature
from toktk.stats.hierarchical import FEW, over_languages
from toktk.stats.interval import WHY, Interval
from toktk.stats.student import quantile

NAME = "languages"

_LEVEL = 0.95


def of_languages(candidate: Side, baseline: Side, metric: str, zone: float) -> Comparison:
    """Return the mean difference over languages like these, by `toktk.stats.hierarchical`.

    Every language counts alike, and the interval holds for others too; so it is wider than that of the very
    languages measured, and no part of the family of questions that Holm's verdicts are about.
    """
    logs: list[float] = []
    variances: list[float] = []
    texts: list[str] = []
    for side, group in _languages(candidate, baseline, metric):
        difference = difference_of(candidate, baseline, metric, group, zone)
        if difference.value is None or difference.low is None or difference.high is None:
            continue
        reach = (math.log1p(difference.high) - math.log1p(difference.low)) / 2
        logs.append(math.log1p(difference.value))
        variances.append((reach / quantile(0.5 + _LEVEL / 2, difference.n_effective - 1)) ** 2)
        texts.append(side.records[metric, group].signature)
    interval = over_languages(logs, variances)
    value, low, high = (
        None if bound is None else math.expm1(bound)
        for bound in (interval.value, interval.low, interval.high)
    )
    first = next(iter(candidate.records.values()))
    return Comparison(
        candidate=candidate.label,
        baseline=baseline.label,
        corpus=first.corpus,
        group=POOLED,
        metric=f"{NAME}[{metric}]",
        unit="relative difference",
        candidate_value=None,
        baseline_value=None,
        difference=value,
        low=low,
        high=high,
        n=interval.n or None,
        n_effective=interval.n_effective or None,
        verdict=_verdict(low, high, zone, LOWER_IS_BETTER[base_of(metric)]),
        note=_note(interval),
        signature=short_signature(common_signature(texts)) if texts else "",
    )


def _note(interval: Interval) -> str:
    if interval.why:
        return WHY[interval.why]
    few = f"; of fewer than {FEW}, it is rather too wide" if interval.n < FEW else ""
    return f"languages, of which these are a sample{few}"


def _languages(candidate: Side, baseline: Side, metric: str) -> Sequence[tuple[Side, str]]:
    groups = [group for name, group in candidate.records if name == metric and group != POOLED]
    return [(candidate, group) for group in groups if (metric, group) in baseline.records]


def _verdict(low: float | None, high: float | None, zone: float, lower_is_better: bool) -> str:
    if low is None or high is None:
        return "none"
    if -zone / (1 + zone) < low and high < zone:
        return "equivalent"
    if low > 0 or high < 0:
        return "better" if (high < 0) == lower_is_better else "worse"
    return "undecided"
