"""Documents that stand next to one another in a text: where they are alike, intervals are wider."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MOST_LAGS = 20
"""How many documents apart are looked at, but a tenth of the text at most."""

LEAST = 1.5
"""The factor of the variance from which on neighbors count as alike; less makes intervals 20 % too narrow."""

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
        order = np.argsort(places) if group is None else np.lexsort((places, group))
        follows = np.zeros(order.size, dtype=np.bool_)
        follows[1:] = previous[order[1:]] == order[:-1]
        at = np.arange(order.size)
        run = at - np.maximum.accumulate(np.where(follows, 0, at))
        return cls(order.astype(np.int64), run)


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
    squares, products, noise = sums.T
    factors = 1 + 2 * np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)
    alike = (factors >= LEAST) & (products > _SURE * np.sqrt(noise))
    return np.sqrt(np.where(alike, factors, 1.0))


def places_in_text(previous: Int64) -> Int64:
    """Return int64[n]: a number for each document, such that neighbors in the text have neighboring numbers.

    With blocks of such numbers the jackknife allows for what neighbors have in common.

    Args:
        previous: int64[n]: the document before each in the text, -1 where it is not known.
    """
    from toktk.kernels.neighbors import place_in_text

    places = np.full(previous.size, -1, dtype=np.int64)
    place_in_text(np.ascontiguousarray(previous), np.full_like(places, -1), places)
    return places
