"""A second opinion that assumes no distribution: approximate randomization."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toktk.errors import StatisticsError, as_usage
from toktk.kernels.swaps import signed_sums
from toktk.stats.interval import check_equal_lengths, counts_of

TRIALS = 10_000
_AT_ONCE = 256  # trials whose bits are drawn together


def paired_randomization(
    candidate: npt.ArrayLike, baseline: npt.ArrayLike, n: int = TRIALS, seed: int = 0
) -> float:
    """Return p of no difference between two totals: swap both counts of each document, or not, n times.

    p = (c + 1) / (n + 1), where c trials have totals at least as far apart as those of this text (Noreen
    1989; as in sacreBLEU, but equal distances count, so that a tokenizer against itself has p = 1). The
    totals' sum stays the same, so their distance orders trials as the log of their ratio does. The
    bits are PCG64's raw output: the same everywhere.

    Raises:
        StatisticsError: see `ratio_interval`; or there is no trial.
    """
    a, b = counts_of("candidate", candidate), counts_of("baseline", baseline)
    check_equal_lengths(candidate=a, baseline=b)
    if n < 1:
        raise as_usage(
            StatisticsError(f"{n} trials are none.", f"Give 1 or more, such as {TRIALS:,}.")
        )
    differences = a - b
    words = -(-differences.size // 64)
    # Sums of counts are exact; those of other numbers are equal but for rounding.
    distance = abs(float(differences.sum())) - 1e-12 * float(np.abs(differences).sum())
    bits = np.random.PCG64(seed)
    as_far = 0
    for first in range(0, n, _AT_ONCE):
        trials = min(_AT_ONCE, n - first)
        drawn = np.asarray(bits.random_raw(trials * words), dtype=np.uint64)
        sums = signed_sums(differences, drawn.reshape(trials, words))
        as_far += int(np.count_nonzero(np.abs(sums) >= distance))
    return (as_far + 1) / (n + 1)
