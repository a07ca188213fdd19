"""Holm's adjustment, approximate randomization, languages as a sample."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from toktk.errors import StatisticsError
from toktk.stats.difference import paired_ratio
from toktk.stats.hierarchical import over_languages
from toktk.stats.multiplicity import holm
from toktk.stats.randomization import paired_randomization


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_rejects_step_by_step(p):
    adjusted = holm(p)
    assert ((adjusted >= p) & (adjusted <= 1)).all()
    for level in (0.01, 0.05, 0.5):
        rejected, left = set(), len(p)
        for i in sorted(range(len(p)), key=lambda i: p[i]):
            if p[i] * left > level:
                break
            rejected.add(i)
            left -= 1
        assert {i for i in range(len(p)) if adjusted[i] <= level} == rejected


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_randomization_nears_all_swaps(rows):
    differences = [a - b for a, b in rows]
    sums = [
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(rows))
    ]
    exact = sum(value >= abs(sum(differences)) for value in sums) / len(sums)
    p = paired_randomization(*np.array(rows).T, n=2000)
    assert p == pytest.approx(exact, abs=5 * math.sqrt(0.25 / 2000) + 1e-3)


def test_randomization_is_seeded_and_agrees_with_t():
    chance = np.random.default_rng(0)
    baseline = chance.poisson(100, 300)
    candidate = baseline + chance.poisson(10, 300) - 10 + (chance.random(300) < 0.35)
    p = paired_randomization(candidate, baseline)
    assert p == paired_randomization(candidate, baseline)
    assert p != paired_randomization(candidate, baseline, seed=1)
    assert p == pytest.approx(paired_ratio(candidate, baseline).p, abs=0.02)
    assert paired_randomization(baseline, baseline) == 1
    assert paired_randomization(2 * baseline, baseline, n=999) == 1 / 1000
    assert paired_randomization([], [], n=9) == 1
    with pytest.raises(StatisticsError):
        paired_randomization([1], [1], n=0)


def test_languages_known_equally_well_are_a_plain_sample():
    values = np.random.default_rng(0).normal(0.02, 0.05, 12)
    interval = over_languages(values, np.full(12, 1e-6))
    bounds = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((bounds.low, bounds.high), rel=1e-6)
    assert (interval.n, interval.n_effective) == (12, pytest.approx(12))


def test_random_effects_by_hand():
    """Formulas of DerSimonian and Laird, and of Hartung and Knapp, one step after the other."""
    y, v = [0.1, 0.3, 0.35, 0.65, 0.45, 0.15], [0.03, 0.03, 0.05, 0.01, 0.05, 0.02]
    w = [1 / s for s in v]
    mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
    q = sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True))
    between = max(0, (q - 5) / (sum(w) - sum(a * a for a in w) / sum(w)))
    w = [1 / (s + between) for s in v]
    mean = sum(a * b for a, b in zip(w, y, strict=True)) / sum(w)
    variance = sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True)) / 5 / sum(w)
    interval = over_languages(y, v)
    assert between > 0
    assert interval.value == pytest.approx(mean)
    assert interval.high - mean == pytest.approx(
        math.sqrt(max(variance, 1 / sum(w))) * t.ppf(0.975, 5)
    )


@given(st.lists(st.tuples(st.floats(-1e99, 1e99), st.floats(0, 1e99) | st.just(0.0)), max_size=12))
def test_any_languages(rows):
    rows = [(y, 0.0 if v < 1e-100 else v) for y, v in rows]
    interval = over_languages([y for y, _ in rows], [v for _, v in rows])
    if len(rows) < 5:
        assert interval.why == "languages"
        assert interval.low is None
    else:
        assert interval.low <= interval.value <= interval.high


def test_equal_languages():
    same = over_languages([0.5] * 6, [0.0] * 6)
    assert (same.low, same.value, same.high) == pytest.approx((0.5, 0.5, 0.5))
    with pytest.raises(StatisticsError):
        over_languages([math.nan] * 6, [0.0] * 6)
    with pytest.raises(StatisticsError):
        over_languages([1.0] * 6, [-1.0] * 6)
