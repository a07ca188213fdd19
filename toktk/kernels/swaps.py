"""Sums of differences whose signs are drawn: the inner loop of approximate randomization."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def _add_signed(differences, bits, sums):
    for trial in range(sums.size):
        total = 0.0
        for i in range(differences.size):
            word = bits[trial, i >> 6]
            if (word >> np.uint64(i & 63)) & np.uint64(1):
                total -= differences[i]
            else:
                total += differences[i]
        sums[trial] = total


def signed_sums(differences: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Return float64[T]: the sum of float64[n] differences, each negated where its bit of the trial is 1.

    `bits` is uint64[T, ceil(n / 64)], the lowest bit first.

    Raises:
        ValueError: dtypes or shapes do not fit.
    """
    words = -(-differences.size // 64)
    if differences.dtype != np.float64 or bits.dtype != np.uint64 or bits.shape[1:] != (words,):
        raise ValueError(f"float64[n] and uint64[T, {words}], not {bits.dtype}{bits.shape}")
    sums = np.empty(len(bits), dtype=np.float64)
    _add_signed(np.ascontiguousarray(differences), np.ascontiguousarray(bits), sums)
    return sums
