import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.swaps import signed_sums


@given(st.lists(st.integers(-(2**30), 2**30), max_size=150), st.integers(0, 4), st.integers(0, 99))
def test_sums_equal_the_slow_ones(differences, trials, seed):
    words = -(-len(differences) // 64)
    bits = np.random.PCG64(seed).random_raw(trials * words).reshape(trials, words)
    expected = [
        sum(d * (-1 if int(row[i // 64]) >> (i % 64) & 1 else 1) for i, d in enumerate(differences))
        for row in bits
    ]
    assert signed_sums(np.array(differences, np.float64), bits).tolist() == expected


def test_bits_have_to_fit():
    for bits in (np.zeros((1, 1), np.uint64), np.zeros((1, 2), np.int64), np.zeros(2, np.uint64)):
        with pytest.raises(ValueError, match="uint64"):
            signed_sums(np.zeros(65), bits)
