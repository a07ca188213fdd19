"""Documents that stand next to one another in a text: their order, and how alike their deviations are."""

from __future__ import annotations

from toktk.kernels import kernel

N_SUMS = 3


@kernel
def neighbor_sums(x, y, spans, order, run, lags, deviations, sums):
    """Sum up products of the deviations of documents that are near one another in a text.

    Args:
        x, y: float64[n]: what each document adds to the numerator and to the denominator.
        spans: int64[G, 3]: where the documents of each text begin in `x` and in `y`, and how many there are.
        order: int64[n]: the documents of `x` so that, within each span, they are in the order of the text.
        run: int64[n]: how many documents before each of `order` follow one another in the text.
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
            step = 1.0 / (lags[g] + 1)
            for i in range(n):
                at = order[first_x + i] - first_x
                deviations[i] = x[first_x + at] / above - y[first_y + at] / below
            for i in range(n):
                squares += deviations[i] * deviations[i]
                for k in range(1, min(lags[g], run[first_x + i]) + 1):
                    product = deviations[i] * deviations[i - k] * (1.0 - k * step)
                    products += product
                    noise += product * product
        sums[g, 0], sums[g, 1], sums[g, 2] = squares, products, noise


@kernel
def place_in_text(previous, following, places):
    """Give numbers to documents such that those next to one another in the text follow one another.

    Chains come in the order of their first documents; what goes round in a ring begins anywhere.

    Args:
        previous: int64[n]: the document before each, or -1; one may be before several.
        following: int64[n], filled with -1; the document after each, out.
        places: int64[n], filled with -1; the number of each, out.
    """
    n = previous.size
    for i in range(n):
        if previous[i] >= 0 and following[previous[i]] < 0:
            following[previous[i]] = i
    place = 0
    for rings in range(2):
        for first in range(n):
            is_first = previous[first] < 0 or following[previous[first]] != first
            if rings == 1 or is_first:
                i = first
                while i >= 0 and places[i] < 0:
                    places[i] = place
                    place += 1
                    i = following[i]
