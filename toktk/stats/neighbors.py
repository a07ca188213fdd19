"""Documents that stand next to one another in a text: where they are alike, intervals are wider."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MOST_LAGS = 20
"""How many documents apart are looked at, but a tenth of the text at most."""

LEAST = 1.5
"""The factor of the variance from which on neighbors count as alike; less makes intervals 20 % too narrow."""

_FEW = 3_000  # documents that are put in order before compiled code would be loaded
_SURE = 4.0  # standard errors above what chance makes of documents in any order


class TextOrder(NamedTuple):
    """Documents in the order of their text, as far as it is known.

    Attributes:
        order: int64[n]: the documents; those of one group stay together.
        run: int64[n]: how many documents before each of these follow one another in the text.
    """

    order: Int64
    run: Int64

    @classmethod
    def of(cls, previous: Int64, group: npt.NDArray[np.integer] | None = None) -> TextOrder:
        """Return the order of documents.

        Args:
            previous: int64[n]: the document before each, -1 where it is not known.
            group: int[n], ascending: the group of each; None: all are of one.
        """
        places = places_in_text(previous)
        order = np.empty(places.size, dtype=np.int64)
        order[places] = np.arange(places.size)
        if group is not None:
            order = order[np.argsort(group[order], kind="stable")]
        follows = np.zeros(order.size, dtype=np.bool_)
        follows[1:] = previous[order[1:]] == order[:-1]
        at = np.arange(order.size)
        run = at - np.maximum.accumulate(np.where(follows, 0, at))
        return cls(order, run)


def neighbor_factors(
    numerators: Float64, denominators: Float64, spans: Int64, text: TextOrder
) -> Float64:
    """Return how many times as wide the intervals of ratios would be if they allowed for neighbors.

    An interval takes documents as independent. Where they are not, the variance of a sum is larger by
    f = 1 + 2 sum_k (1 - k / (K + 1)) r_k, with r_k the autocorrelation k documents apart, up to K (Newey and
    West 1987, Econometrica 55). The width goes with its root.

    Args:
        numerators, denominators: float64[n], one a document.
        spans: int64[G, 3]; see `toktk.stats.ratio.ratio_reaches`.
        text: the order of the documents of the numerators.

    Returns:
        float64[G]: the root of f; 1 where f is less than `LEAST`, or no more than chance makes it.
    """
    from toktk.kernels.neighbors import N_SUMS, neighbor_sums

    sums = np.empty((len(spans), N_SUMS))
    room = np.empty(int(spans[:, 2].max(initial=0)))
    arrays = map(np.ascontiguousarray, (numerators, denominators, spans, *text))
    neighbor_sums(*arrays, np.minimum(spans[:, 2] // 10, MOST_LAGS), room, sums)
    return _factors(sums)


def neighbor_factor(numerators: Float64, denominators: Float64, text: TextOrder) -> float:
    """Return the factor of one text, as `neighbor_factors` does of many, without compiled code."""
    n, above, below = numerators.size, numerators.sum(), denominators.sum()
    if not (above > 0 and below > 0):
        return 1.0
    deviations = (numerators / above - denominators / below)[text.order]
    products = noise = 0.0
    lags = min(n // 10, MOST_LAGS)
    for lag in range(1, lags + 1):
        later = np.flatnonzero(text.run >= lag)
        weighted = deviations[later] * deviations[later - lag] * (1 - lag / (lags + 1))
        products += float(weighted.sum())
        noise += float((weighted**2).sum())
    return float(_factors(np.array([[(deviations**2).sum(), products, noise]]))[0])


def _factors(sums: Float64) -> Float64:
    """Return the factors; `sums` as in `toktk.kernels.neighbors.neighbor_sums`."""
    squares, products, noise = sums.T
    factors = 1 + 2 * np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)
    alike = (factors >= LEAST) & (products > _SURE * np.sqrt(noise))
    return np.sqrt(np.where(alike, factors, 1.0))


def places_in_text(previous: Int64) -> Int64:
    """Return int64[n]: numbers 0, 1, … of documents; those of neighbors in the text are neighbors.

    With blocks of such numbers the jackknife allows for what neighbors have in common.

    Args:
        previous: int64[n]: the document before each in the text, -1 where it is not known.
    """
    if previous.size <= _FEW:
        return _places_of_few(previous.tolist())
    from toktk.kernels.neighbors import place_in_text

    places = np.full(previous.size, -1, dtype=np.int64)
    place_in_text(np.ascontiguousarray(previous), np.full_like(places, -1), places)
    return places


def _places_of_few(previous: list[int]) -> Int64:
    """Return what `toktk.kernels.neighbors.place_in_text` does, sooner than compiled code is loaded."""
    following: dict[int, int] = {}
    for document, before in enumerate(previous):
        if before >= 0:
            following.setdefault(before, document)
    begin = [d for d, before in enumerate(previous) if following.get(before) != d]
    places: dict[int, int] = {}
    for document in itertools.chain(begin, range(len(previous))):  # what is left are rings
        at: int | None = document
        while at is not None and at not in places:
            places[at] = len(places)
            at = following.get(at)
    return np.array([places[d] for d in range(len(previous))], dtype=np.int64)
