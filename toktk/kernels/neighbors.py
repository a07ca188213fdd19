"""How alike the deviations of neighboring documents are."""

from __future__ import annotations

from toktk.kernels import kernel

N_SUMS = 3


@kernel
def neighbor_sums(x, y, spans, previous, lags, deviations, sums):
    """Sum up products of the deviations of documents that are near one another in a text.

    Args:
        x, y: float64[n]: what each document adds to the numerator and to the denominator.
        spans: int64[G, 3]: where the documents of each text begin in `x` and in `y`, and how many there are.
        previous: int64[n]: the place in `x` of the document before this one; -1: it is not known.
        lags: int64[G]: up to how many documents apart.
        deviations: float64, room for those of the longest text.
        sums: float64[G, 3], out: those of d^2, w d d' and (w d d')^2, with d = x / sum x - y / sum y of a
            document, d' of the k-th before it and w = 1 - k / (lag + 1). 0 where a side sums to 0.
    """
    for g in range(spans.shape[0]):
        first_x, first_y, n = spans[g]
        above = below = 0.0
        for i in range(n):
            above += x[first_x + i]
            below += y[first_y + i]
        squares = products = noise = 0.0
        if above > 0 and below > 0:
            for i in range(n):
                deviations[i] = x[first_x + i] / above - y[first_y + i] / below
            for i in range(n):
                squares += deviations[i] * deviations[i]
                at = first_x + i
                for k in range(1, lags[g] + 1):
                    at = previous[at]
                    if at < 0:
                        break
                    product = deviations[i] * deviations[at - first_x] * (1 - k / (lags[g] + 1))
                    products += product
                    noise += product * product
        sums[g, 0], sums[g, 1], sums[g, 2] = squares, products, noise
