"""The digamma function, against the slow one and where it is known."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toktk import educational as slow
from toktk.kernels import digamma as k


@given(st.lists(st.floats(0.5, 1e15), max_size=50))
@example([0.5, 1.0, 1.5, 2.0, 7.999999999, 8.0, 8.000000001, 1e6, 2.0**53])
def test_digamma(values):
    x = np.array(values)
    found = np.empty_like(x)
    k.digamma(x, found)
    assert found.tolist() == pytest.approx([slow.digamma(v) for v in values], rel=1e-10, abs=1e-9)


def test_digamma_at_known_points():
    x, found = np.array([1.0, 0.5]), np.empty(2)
    k.digamma(x, found)
    gamma = 0.57721566490153286
    assert found.tolist() == pytest.approx([-gamma, -gamma - 2 * math.log(2)], abs=1e-12)
