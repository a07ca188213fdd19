"""The measured curve: between its sizes, not beyond them."""

import math

import numpy as np
import pytest

from toktk.costs.curve import MeasuredCurve
from toktk.errors import LawError


def test_is_linear_in_the_logarithm_of_the_size():
    curve = MeasuredCurve((10_000, 40_000), (0.4, 0.3))
    assert curve.at(10_000) == pytest.approx([0.4])
    assert curve.at([20_000, 40_000]) == pytest.approx([0.35, 0.3])


@pytest.mark.parametrize("size", [9_999, 40_001, 0])
def test_says_nothing_beyond_its_ends(size):
    curve = MeasuredCurve((10_000, 40_000), (0.4, 0.3))
    with pytest.raises(LawError, match="not measured at") as refusal:
        curve.at([20_000, size])
    assert "10,000 to 40,000" in str(refusal.value)


@pytest.mark.parametrize(
    ("sizes", "tokens", "per_char", "fault"),
    [
        ((8_000,), (0.4,), 1.0, "1 of them"),
        ((), (), 1.0, "0 of them"),
        ((8_000, 16_000), (0.4,), 1.0, "2 sizes and 1 counts"),
        ((16_000, 8_000), (0.3, 0.4), 1.0, "do not ascend"),
        ((8_000, 8_000), (0.4, 0.4), 1.0, "do not ascend"),
        ((0, 8_000), (0.4, 0.3), 1.0, "not positive"),
        ((8_000, 16_000), (0.4, math.nan), 1.0, "not positive"),
        ((8_000, 16_000), (0.4, math.inf), 1.0, "not positive"),
        ((8_000, 16_000), (0.4, 0.3), 0.0, "not positive"),
    ],
)
def test_what_is_no_curve(sizes, tokens, per_char, fault):
    with pytest.raises(LawError, match=fault):
        MeasuredCurve(sizes, tokens, per_char)


def test_a_flat_region_ends_where_the_cost_first_exceeds_it():
    curve = MeasuredCurve((1_000, 2_000), (1.0, 1.0))

    def two_valleys(sizes, _):  # the second one is as low, and another region
        return np.where(np.abs(sizes - 1_200) <= 10, 1.0, np.where(sizes == 1_800, 1.0, 2.0))

    region = curve.least(two_valleys)
    assert (region.size, region.low, region.high, region.edge) == (1_190, 1_190, 1_210, "")


def test_very_many_sizes_are_not_looked_at_one_by_one():
    curve = MeasuredCurve((1, 50_000_000), (1.0, 0.5))
    region = curve.least(lambda sizes, _: np.abs(np.log(sizes / 1_000_000)) + 1)
    assert region.size == pytest.approx(1_000_000, rel=1e-3)
    assert curve.least(lambda sizes, _: 1 / sizes).size == 50_000_000
