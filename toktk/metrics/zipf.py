"""How the frequency of tokens falls with their rank: Zipf's law, and how far tokens are from it.

Lotz et al. (2025) found these figures to go with the quality of translation by multilingual models
(rank correlations of .44 to .79 in size), and with nothing for English.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.metrics.base import Case, Figure, metric
from toktk.pieces.table import POOLED

Float64 = npt.NDArray[np.float64]

_SOURCE = "Lotz et al. 2025"
_CURVE = "log10 of how often a token occurs, over log10 of its rank"
_LENGTH = "It depends on the length of the text: compare on the same text only."


class ZipfFit(NamedTuple):
    """A straight line through frequency over rank, both as logarithms to the base 10.

    Attributes:
        slope: -1 where the token of rank r occurs 1/r times as often as the first.
        error: the mean distance of the logarithms of frequencies from the line.
        area: under the curve itself.
    """

    slope: float
    error: float
    area: float


@metric(
    "token_types",
    "ids",
    None,
    formula="ids that occur at least once, all groups together",
    trap=f"{_LENGTH} Over the ids of the vocabulary it is utilization.",
    source=f"cardinality ({_SOURCE})",
    topic="vocabulary",
)
def token_types(case: Case) -> list[Figure]:
    """How many different tokens the text has."""
    used = int(np.count_nonzero(case.evaluation.token_counts(case.size)))
    return [case.figure(POOLED, float(used), int(case.evaluation.documents.sum()), "")]


@metric(
    "zipf_slope",
    "slope",
    None,
    formula=f"slope of the line of least squares through {_CURVE}; every token that occurs is a point",
    trap=f"Most points are rare tokens, which rule the line. {_LENGTH} Zipf's law is -1.",
    source=_SOURCE,
    topic="vocabulary",
)
def zipf_slope(case: Case) -> list[Figure]:
    """How fast the frequency of tokens falls with their rank."""
    return _figure(case, "slope")


@metric(
    "zipf_error",
    "decades",
    None,
    formula=f"mean of |log10 of the frequency - the line of zipf_slope|: the line through {_CURVE}",
    trap=f"It is 0 for tokens that all occur equally often, too. {_LENGTH}",
    source=f"deviation from a power law ({_SOURCE}), here of decimal logarithms",
    topic="vocabulary",
)
def zipf_error(case: Case) -> list[Figure]:
    """How far the frequencies of tokens are from a power law of their rank."""
    return _figure(case, "error")


@metric(
    "zipf_area",
    "square decades",
    None,
    formula=f"area under the curve of {_CURVE}, by Simpson's rule over the points as they lie",
    trap=f"It grows with the text as with the number of different tokens. {_LENGTH}",
    source=f"AUC ({_SOURCE}), here of decimal logarithms",
    topic="vocabulary",
)
def zipf_area(case: Case) -> list[Figure]:
    """How much lies under the curve of frequency over rank."""
    return _figure(case, "area")


def _figure(case: Case, name: str) -> list[Figure]:
    counts = case.evaluation.token_counts(case.size)
    fit = zipf_fit(counts)
    if name != "slope":
        case = replace(case, name=f"{case.name}[log10]")
    n = int(np.count_nonzero(counts))
    value = None if fit is None else getattr(fit, name)
    return [case.figure(POOLED, value, n, "fewer than two different tokens")]


def zipf_fit(counts: npt.ArrayLike) -> ZipfFit | None:
    """Return the fit of the frequencies `counts`; None where fewer than two are above 0."""
    occurring = np.asarray(counts, dtype=np.float64)
    ordered = -np.sort(-occurring[occurring > 0])
    if ordered.size < 2:
        return None
    x, y = np.log10(np.arange(1, ordered.size + 1)), np.log10(ordered)
    dx = x - x.mean()
    slope = float(dx @ (y - y.mean()) / (dx @ dx))
    errors = y - y.mean() - slope * dx
    return ZipfFit(slope, float(np.abs(errors).mean()), simpson(x, y))


def simpson(x: Float64, y: Float64) -> float:
    """Return the area under y over ascending x: parabolas through three points; a trapezoid may be left."""
    last: Any = 0.0
    if x.size % 2 == 0:
        last = (x[-1] - x[-2]) * (y[-1] + y[-2]) / 2
        x, y = x[:-1], y[:-1]
    a, b = np.diff(x)[::2], np.diff(x)[1::2]
    left, middle, right = y[:-2:2], y[1:-1:2], y[2::2]
    parts = left * (2 - b / a) + middle * (a + b) ** 2 / (a * b) + right * (2 - a / b)
    return float(last + ((a + b) / 6 * parts).sum())
