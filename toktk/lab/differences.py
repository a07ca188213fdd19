"""The difference between two sides in one figure: which statistic it is, and over which units.

A figure that is a ratio of sums with a common denominator, such as tokens per line, differs as the tokens
do; what is no ratio of sums goes through the jackknife. The difference on this text comes from the
records, so from all text; only its interval is that of a sample where one was drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from toktk.arrays import Int64
from toktk.lab.side import Side
from toktk.metrics.base import UNTRAINED
from toktk.metrics.ngrams import ngram_bpb
from toktk.pieces.table import POOLED
from toktk.report.ngrams import are_of_one_size
from toktk.report.unit_sums import (
    Floats,
    UnitSums,
    figure_difference,
    scale_to,
    sums_over,
    tokens_difference,
)
from toktk.stats.difference import Difference, paired_ratio, unpaired_ratio
from toktk.stats.interval import WHY

NGRAMS = ngram_bpb.name
LOWER_IS_BETTER = {
    "bytes_per_token": False,
    "tokens_per_line": True,
    "fertility": True,
    "tokens": True,
    "parity": True,
    "gini": True,
    NGRAMS: True,
}
"""What can be compared, by name without brackets."""

REASONS = {
    **WHY,
    "counts": "no counts of documents are kept: measure again with this toktk",
    "figure": "no figure on one side",
    "unpaired": "needs the same documents on both sides",
    "sizes": "not known to be of one size (within 5 %): n-gram models do not rank sizes",
}
"""What the keys of `Difference.why` mean, those of this module too."""


def base_of(metric: str) -> str:
    """Return a metric's name without reference and aggregation: ``parity`` of ``parity[en]|macro``."""
    return metric.partition("|")[0].partition("[")[0]


def is_tokens_alone(metric: str) -> bool:
    """Tell whether a figure differs between tokenizers as their tokens do: a ratio of sums."""
    return "|" not in metric and base_of(metric) not in ("parity", "gini", NGRAMS)


def is_paired(candidate: Side, baseline: Side) -> bool:
    """Tell whether both sides have the same documents, or blocks of them."""
    a, b = _alike(candidate.units, baseline.units)
    return a is not None and b is not None and a.is_paired_with(b)


def difference_of(
    candidate: Side, baseline: Side, metric: str, group: str, zone: float, level: float = 0.95
) -> Difference:
    """Return the difference of a figure; `why` is a key of `REASONS` where it has no interval."""
    values = [side.value(metric, group) for side in (candidate, baseline)]
    over, under = values
    if over is None or not under:
        return _without(None, "figure" if None in values else "zero")
    if base_of(metric) == NGRAMS and not are_of_one_size(
        *(side.records[metric, group].size for side in (candidate, baseline))
    ):
        return _without(None, "sizes")
    exact = over / under - 1
    a, b = _alike(candidate.units, baseline.units)
    if a is None or b is None:
        return _without(exact, "counts")
    groups = pool_of(candidate, metric) if group == POOLED else [group]
    asked = _Asked(a, b, groups, metric, exact, zone, level)
    paired = a.is_paired_with(b)
    if base_of(metric) == NGRAMS:
        return _of_bits(asked) if paired else _without(exact, "unpaired")
    if is_tokens_alone(metric):
        return _of_tokens(asked) if paired else _unpaired(asked)
    return _of_statistic(asked) if paired else _without(exact, "unpaired")


class _Asked(NamedTuple):
    """A difference between two sides: over which groups, in which metric, and `exact` on this text."""

    a: UnitSums
    b: UnitSums
    groups: Sequence[str]
    metric: str
    exact: float
    zone: float
    level: float


def pool_of(side: Side, metric: str) -> list[str]:
    """Return the groups that a pooled figure is over."""
    units = side.units
    if units is None:
        return []
    base = base_of(metric)
    if base == "gini":
        base, metric = "tokens_per_line", "tokens_per_line"
    if base in ("bytes_per_token", "tokens", NGRAMS) or (base == "fertility" and "|" not in metric):
        return list(units.groups)
    own = metric.partition("|")[0]
    lines = [g for g, kind in zip(units.groups, units.kinds, strict=True) if kind == "lines"]
    reference = own.partition("[")[2].removesuffix("]") if base == "parity" else None
    pool = []
    for group in lines or units.groups:
        record = side.records.get((own, group))
        known = record is not None and record.value is not None and record.note != UNTRAINED
        if known and group != reference:
            pool.append(group)
    return pool


# Ratios of sums ------------------------------------------------------------------------------------


def _of_tokens(asked: _Asked) -> Difference:
    a, b, groups, metric, exact, zone, level = asked
    inverse = metric == "bytes_per_token"  # the tokens are below
    sums = sums_over(a, groups)
    return tokens_difference(sums, a, b, exact, inverse=inverse, zone=zone, level=level)


def _of_bits(asked: _Asked) -> Difference:
    """Return the difference in bits of n-gram models, whose figures rest on the priced documents alone."""
    a, b, groups, metric, exact, zone, level = asked
    if a.bits is None or b.bits is None:
        return _without(exact, "counts")
    order = int(metric.partition("[")[2].rstrip("]")) - 1
    drawn = np.bincount(a.group, minlength=len(a.groups))
    stands_for = (a.n_all / np.maximum(drawn, 1))[a.group]
    sums = sums_over(a, groups)

    def of_units(bits: Int64) -> Floats:
        weighted = (bits[order] * stands_for)[sums.rows]
        return np.bincount(sums.at, weighted, minlength=sums.n).astype(np.float64)

    over, under = of_units(a.bits), of_units(b.bits)
    over = over * scale_to(exact, over, under)
    wider, is_priced = sums.wider(over, under), under > 0
    difference = paired_ratio(
        over[is_priced], under[is_priced], wider=wider, zone=zone, level=level
    )
    return replace(difference, value=exact, n=int(is_priced.sum()))


def _unpaired(asked: _Asked) -> Difference:
    a, b, groups, metric, exact, zone, level = asked
    if metric == "tokens":
        return _without(exact, "unpaired")
    sides, wholes, sizes, wider = [], [], [], []
    for units in (a, b):
        sums = sums_over(units, groups)
        tokens = sums.of(units.tokens)
        if metric == "bytes_per_token":
            pair = sums.of(units.bytes), tokens
        elif metric == "tokens_per_line":
            pair = tokens, np.ones(tokens.size)
        else:
            pair = tokens, sums.of(units.words)
        sides.append(pair)
        wider.append(sums.wider(*pair))
        wholes.append(sums.n_all)
        sizes.append(sums.n)
    (x, y), (x_base, y_base) = sides
    if not (y.sum() and y_base.sum() and x.sum() and x_base.sum()):
        return _without(exact, "zero")
    x = x * scale_to(exact, x / y.sum(), x_base / y_base.sum())
    difference = unpaired_ratio(
        (x, y),
        (x_base, y_base),
        n_all=(wholes[0], wholes[1]),
        wider=(wider[0], wider[1]),
        zone=zone,
        level=level,
    )
    return replace(difference, value=exact, n=min(sizes))


# Figures that are no ratio of sums -----------------------------------------------------------------


def _of_statistic(asked: _Asked) -> Difference:
    a, b, groups, metric, exact, zone, level = asked
    base, aggregation = base_of(metric), metric.partition("|")[2]
    named = [*groups]
    if base == "parity":
        named.append(metric.partition("[")[2].partition("]")[0])
    columns = ("tokens", "words") if base == "fertility" else ("tokens",)
    statistic = _Statistic(base, aggregation)
    return figure_difference(a, b, named, statistic, columns, exact, zone=zone, level=level)


@dataclass(frozen=True)
class _Statistic:
    """Parity, Gini or a summary of fertility, from sums over units: float64[..., K] -> float64[...]."""

    base: str
    aggregation: str

    def __call__(self, sums: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._value(sums)

    def _value(self, sums: Floats) -> Floats:
        if self.base == "gini":
            return _gini(sums)
        if self.base == "parity":
            figures = sums[..., :-1] / sums[..., -1:]
        else:
            n = sums.shape[-1] // 2
            figures = sums[..., :n] / sums[..., n:]
        value: Floats = figures.max(-1) if self.aggregation == "max" else figures.mean(-1)
        return value


def _gini(sums: Floats) -> Floats:
    """Return `toktk.metrics.multilingual.gini` of the last axis."""
    n = sums.shape[-1]
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    value: Floats = np.sort(sums, axis=-1) @ weights / (n * sums.sum(-1))
    return value


def _alike(a: UnitSums | None, b: UnitSums | None) -> tuple[UnitSums | None, UnitSums | None]:
    """Return both in blocks of documents where one of them is."""
    if a is None or b is None or a.in_blocks == b.in_blocks:
        return a, b
    return a.blocked(), b.blocked()


def _without(value: float | None, why: str) -> Difference:
    nothing: dict[str, Any] = dict.fromkeys(("low", "high", "p", "p_equivalent", "least"))
    return Difference(value=value, n=0, n_effective=0.0, why=why, **nothing)
