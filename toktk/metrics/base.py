"""What a metric is, and the two shapes that most have: a ratio of sums, and a summary over groups.

A metric reads an `Evaluation` at one vocabulary size and returns figures. A figure's metric name
carries everything that changes its meaning: the unit (``fertility[ws]``), the reference
(``parity[en]``) and, where groups were averaged, the aggregation (``fertility[ws]|macro``).
Without ``|`` a figure is a ratio of sums. An undefined value is None with a note, never 0 or NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError
from toktk.pieces.table import POOLED as POOLED

if TYPE_CHECKING:
    from toktk.evaluation.base import Evaluation

Normalizer = Literal["V", "observed"]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number about one group of texts.

    `n` counts the units the value rests on: documents, aligned lines for parallel text, groups for
    a summary over groups. `note` says why `value` is None, or which group a maximum belongs to.
    """

    group: str
    metric: str
    value: float | None
    unit: str
    n: int | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """Choices that change a definition; each shows in the name of the figures it changes.

    `reference` is the group that parity divides by (None: the English group, if there is one).
    `renyi_alpha` is the order of the Rényi entropy (1 is Shannon's), `renyi_normalizer` what its
    logarithm divides by: the vocabulary size ("V") or the number of token types seen ("observed").
    """

    reference: str | None = None
    renyi_alpha: float = 2.5
    renyi_normalizer: Normalizer = "V"


Compute = Callable[["Evaluation", int, MetricOptions], list[Figure]]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named definition; `compute(evaluation, size, options)` returns its figures.

    `better` is the direction of improvement, None where neither is. `description` states the
    formula and its source. `parallel` marks a metric that only parallel text can carry: asked of
    other text, `compute` raises MetricError; `applies` tells beforehand. `pieces` marks one about the
    pretokenizer's pieces: a bench has null for a tokenizer that takes whole documents.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"] | None
    description: str
    compute: Compute
    parallel: bool = False
    pieces: bool = False

    def applies(self, evaluation: Evaluation) -> bool:
        """Return whether this text can carry the metric at all."""
        return not self.parallel or evaluation.aligned_lines is not None


def ratio(numerator: int, denominator: int) -> float | None:
    """Return the quotient, or None where the denominator is zero."""
    return numerator / denominator if denominator else None


def ratio_figures(
    evaluation: Evaluation,
    name: str,
    unit: str,
    numerator: Counts,
    denominator: Counts,
    empty: str,
) -> list[Figure]:
    """Return numerator / denominator for each group, and for "all" the ratio of the sums.

    Args:
        evaluation: supplies group names, and document counts for `n`.
        name: the figures' metric name.
        unit: the figures' unit.
        numerator: int64[G].
        denominator: int64[G].
        empty: the note where the denominator is zero, such as "no tokens".
    """
    rows = zip(
        (*evaluation.groups, POOLED),
        _with_total(numerator),
        _with_total(denominator),
        _with_total(evaluation.documents),
        strict=True,
    )
    return [
        Figure(group, name, ratio(above, below), unit, n, None if below else empty)
        for group, above, below, n in rows
    ]


def total_figures(evaluation: Evaluation, name: str, values: Counts) -> list[Figure]:
    """Return a plain count for each group and its sum for "all"; a count's unit is its name."""
    rows = zip(
        (*evaluation.groups, POOLED),
        _with_total(values),
        _with_total(evaluation.documents),
        strict=True,
    )
    return [Figure(group, name, float(value), name, n) for group, value, n in rows]


def _with_total(values: Counts) -> list[int]:
    return [*(int(value) for value in values), int(values.sum())]


def macro_mean(figures: Sequence[Figure], leave_out: Sequence[str] = ()) -> Figure:
    """Return the unweighted mean over groups of one metric's figures, as ``<metric>|macro``.

    The pooled figure, nulls and the groups in `leave_out` do not count; `n` is how many do.

    Raises:
        MetricError: `figures` is empty or mixes metrics.
    """
    name, unit, counted = _by_group(figures, leave_out)
    values = [value for _, value in counted]
    if not values:
        return Figure(POOLED, f"{name}|macro", None, unit, 0, "defined for no group")
    return Figure(POOLED, f"{name}|macro", sum(values) / len(values), unit, len(values))


def macro_max(figures: Sequence[Figure], leave_out: Sequence[str] = ()) -> Figure:
    """Return the largest group's figure of one metric, as ``<metric>|max``; the note names it.

    Groups count as in `macro_mean`; of equal groups the first is named.

    Raises:
        MetricError: `figures` is empty or mixes metrics.
    """
    name, unit, counted = _by_group(figures, leave_out)
    if not counted:
        return Figure(POOLED, f"{name}|max", None, unit, 0, "defined for no group")
    group, value = max(counted, key=lambda pair: pair[1])
    return Figure(POOLED, f"{name}|max", value, unit, len(counted), group)


def _by_group(
    figures: Sequence[Figure], leave_out: Sequence[str]
) -> tuple[str, str, list[tuple[str, float]]]:
    kinds = {(figure.metric, figure.unit) for figure in figures}
    if len(kinds) != 1:
        raise MetricError(
            "a summary over groups needs the figures of exactly one metric.",
            f"Found: {', '.join(sorted(name for name, _ in kinds)) or 'none'}.",
            "Summarize each metric on its own.",
        )
    ((name, unit),) = kinds
    counted = [
        (figure.group, figure.value)
        for figure in figures
        if figure.value is not None and figure.group not in (POOLED, *leave_out)
    ]
    return name, unit, counted
