"""What intervals of ratios of sums are made of, for many texts at once.

The slow twin is `toktk.stats.ratio.ratio_interval`.
"""

from __future__ import annotations

from toktk.kernels import kernel

N_MOMENTS = 7


@kernel
def ratio_moments(x, y, spans, rounding, moments):
    """Sum up the documents of several texts under several tokenizers.

    With a and b the shares of a document in the sums of x and y, and d = (a - b) / (1 - (a + b) / 2), where
    a - b of at most `rounding` (a + b) counts as 0. A side that sums to 0 has no shares, and leaves zeros.

    Args:
        x, y: float64[E or 1, n]: one row for each tokenizer, or one for all.
        spans: int64[G, 3]: where the documents of each text begin in `x` and in `y`, and how many there are.
        moments: float64[E, G, 7], out: sums of x, y, a^2, b^2, d^2, and d^4, and the largest d^2.
    """
    for e in range(moments.shape[0]):
        row_x, row_y = min(e, x.shape[0] - 1), min(e, y.shape[0] - 1)
        for g in range(spans.shape[0]):
            first_x, first_y, n = spans[g]
            above = below = 0.0
            for i in range(n):
                above += x[row_x, first_x + i]
                below += y[row_y, first_y + i]
            a2 = b2 = squares = fourth = largest = 0.0
            if above > 0 and below > 0:
                for i in range(n):
                    a, b = x[row_x, first_x + i] / above, y[row_y, first_y + i] / below
                    a2 += a * a
                    b2 += b * b
                    if abs(a - b) > rounding * (a + b):
                        d = (a - b) / (1 - (a + b) / 2)
                        squares += d * d
                        fourth += d * d * d * d
                        largest = max(largest, d * d)
            found = moments[e, g]
            found[0], found[1], found[2], found[3] = above, below, a2, b2
            found[4], found[5], found[6] = squares, fourth, largest
