"""Spread, ratios and exponents, against what is obvious."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toktk.timing.figures import Interval, exponent, is_level, ratio, spread, student


@pytest.mark.parametrize(
    ("free", "quantile"),  # as every table of the distribution has them
    [
        (1, 12.706),
        (4, 2.776),
        (5, 2.571),
        (6, 2.447),
        (9, 2.262),
        (30, 2.042),
        (120, 1.980),
        (35, 2.030),
        (1000, 1.962),
    ],
)
def test_student(free, quantile):
    assert student(free) == pytest.approx(quantile, abs=6e-4)


def test_the_interval_of_a_ratio_is_the_textbook_one():
    ours, theirs = [4.0, 5.0, 6.5, 4.4, 5.2], [2.0, 2.6, 3.0, 2.1, 2.5]
    logs = np.log(np.array(ours) / np.array(theirs))
    middle, error = logs.mean(), logs.std(ddof=1) / math.sqrt(5)
    expected = [math.exp(middle + k * 2.776445 * error) for k in (0, -1, 1)]
    assert ratio(ours, theirs) == pytest.approx(expected)
    back = ratio(theirs, ours)
    assert back is not None
    assert back[0] * expected[0] == pytest.approx(1)
    assert ratio([1.0], [1.0]) is None


def test_its_coverage():
    chance = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        a, b = np.exp(chance.normal(0.3, 0.1, 6)), np.exp(chance.normal(0, 0.1, 6))
        _, low, high = ratio(a.tolist(), b.tolist())
        hits += low <= math.exp(0.3) <= high
    assert 930 <= hits <= 970


def test_level():
    assert is_level(Interval(1.2, 0.9, 1.6))  # holds 1
    assert is_level(Interval(1.04, 1.03, 1.05))  # too near to it
    assert not is_level(Interval(1.2, 1.1, 1.3))
    assert not is_level(Interval(0.5, 0.4, 0.6))


def test_spread():
    assert spread([3.0]) == (3.0, 3.0, 3.0)
    assert spread([5.0, 1.0, 2.0, 3.0, 4.0]) == (3.0, 2.0, 4.0)


@pytest.mark.parametrize("power", [1.0, 1.2, 2.0])
def test_exponent(power):
    sizes = [2**k for k in range(12, 21)]
    found = exponent(sizes, [3e-9 * n**power for n in sizes])
    assert found == pytest.approx((power, power, power))
    assert exponent(sizes[:2], [1.0, 2.0]) is None


def test_the_interval_of_an_exponent_grows_with_the_noise():
    value, low, high = exponent([1, 2, 4, 8], [1.0, 2.2, 3.6, 8.8])
    assert low < value < high
    assert (low + high) / 2 == pytest.approx(value)
