import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from toktk.errors import StatisticsError
from toktk.stats.difference import (
    Difference,
    paired_means,
    paired_ratio,
    paired_statistic,
    text_needed,
    unpaired_ratio,
    verdicts,
)
from toktk.stats.ratio import log_ratio_spread, ratio_interval

counts = st.integers(0, 2**40) | st.floats(1e-100, 1e100)


def tokens_of(n=4000, ratio=0.94, seed=0):
    """Two tokenizers on documents whose sizes and difficulty they share, as on help pages."""
    chance = np.random.default_rng(seed)
    sizes = np.ceil(60 * chance.lognormal(0, 0.8, n))
    baseline = sizes / 4.5 * chance.lognormal(0, 0.25, n)
    candidate = ratio * baseline * chance.lognormal(0, 0.08, n)
    return np.ceil(candidate), np.ceil(baseline), sizes


def test_equals_the_interval_of_the_ratio():
    candidate, baseline, _ = tokens_of()
    difference = paired_ratio(candidate, baseline)
    interval = ratio_interval(candidate, baseline)
    assert difference.value == pytest.approx(interval.value - 1)
    assert difference.low == pytest.approx(interval.low - 1)
    assert difference.high == pytest.approx(interval.high - 1)


def spread(x, y):
    """The error and the degrees of freedom, read off log_ratio_spread."""
    return log_ratio_spread(np.asarray(x, float), np.asarray(y, float), None)[2]


def test_p_and_least_against_scipy():
    candidate, baseline, _ = tokens_of(60, ratio=1.02)
    difference = paired_ratio(candidate, baseline)
    log_ratio = math.log1p(difference.value)
    error, degrees = spread(candidate, baseline).error, spread(candidate, baseline).degrees
    assert math.log1p(difference.high) - log_ratio == pytest.approx(error * t.ppf(0.975, degrees))
    edge = math.log1p(0.005)
    assert difference.p == pytest.approx(2 * t.sf(abs(log_ratio) / error, degrees))
    lower, upper = (
        t.sf((log_ratio + edge) / error, degrees),
        t.cdf((log_ratio - edge) / error, degrees),
    )
    assert difference.p_equivalent == pytest.approx(max(lower, upper))
    least = (t.ppf(0.975, degrees) + t.ppf(0.8, degrees)) * error
    assert difference.least == pytest.approx(math.expm1(least))


def test_paired_is_much_tighter_than_unpaired():
    candidate, baseline, sizes = tokens_of()
    paired = paired_ratio(candidate, baseline)
    unpaired = unpaired_ratio((candidate, sizes), (baseline, sizes))
    assert unpaired.value == pytest.approx(paired.value)
    assert (unpaired.high - unpaired.low) > 2.5 * (paired.high - paired.low)


def test_unpaired_is_welch():
    candidate, baseline, sizes = tokens_of(300)
    left, right = (candidate[:100], sizes[:100]), (baseline[100:], sizes[100:])
    difference = unpaired_ratio(left, right)
    parts = [ratio_interval(*side) for side in (left, right)]
    spreads = [spread(*side) for side in (left, right)]
    total = sum(side.error**2 for side in spreads)
    degrees = total**2 / sum(side.error**4 / side.degrees for side in spreads)
    assert difference.value == pytest.approx(parts[0].value / parts[1].value - 1)
    reach = math.log1p(difference.high) - math.log1p(difference.value)
    assert reach == pytest.approx(math.sqrt(total) * t.ppf(0.975, degrees))
    assert difference.n == 100


def test_paired_statistic_of_a_ratio_is_paired_ratio():
    candidate, baseline, _ = tokens_of(64)
    difference = paired_statistic(
        lambda sums: sums[..., 0], candidate[:, None], baseline[:, None], sizes=baseline
    )
    expected = paired_ratio(candidate, baseline)
    assert difference.value == pytest.approx(expected.value)
    assert difference.high - difference.low == pytest.approx(expected.high - expected.low, rel=1e-3)


def test_a_tokenizer_against_itself():
    tokens, _, sizes = tokens_of(100)
    same = [
        paired_ratio(tokens, tokens),
        paired_statistic(lambda sums: sums[..., 0], tokens[:, None], tokens[:, None], sizes=sizes),
    ]
    for difference in same:
        assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)
        assert (difference.p, difference.p_equivalent, difference.least) == (1.0, 0.0, 0.0)
    assert verdicts(same, lower_is_better=[True, False]) == ["equivalent"] * 2


def test_the_same_factor_everywhere_is_sure():
    tokens = np.arange(1, 101)
    more = paired_ratio(2 * tokens, tokens)
    assert (more.low, more.value, more.high, more.p, more.p_equivalent) == (1, 1, 1, 0, 1)
    assert verdicts([more, more, more], lower_is_better=[True, False, None]) == [
        "worse", "better", "different"
    ]  # fmt: skip


@given(st.lists(st.tuples(counts, counts), max_size=50), st.sampled_from([0.0, 0.005, 1e6]))
def test_any_counts_give_a_difference_or_a_reason(rows, zone):
    a, b = (np.array([row[side] for row in rows], float) for side in (0, 1))
    units = np.ones(len(rows))
    differences = [
        paired_ratio(a, b, zone=zone),
        unpaired_ratio((a, units), (b, units), zone=zone),
        paired_statistic(lambda s: s[..., 0], a[:, None] % 1e99, b[:, None] % 1e99, sizes=units),
    ]
    for difference in differences:
        bounds = (difference.low, difference.high, difference.p, difference.p_equivalent)
        if difference.why:
            assert bounds == (None,) * 4
            assert difference.least is None
        else:
            assert difference.low <= difference.value + 1e-9 * (1 + difference.value)
            assert difference.high >= difference.value - 1e-9 * (1 + difference.value)
            assert 0 <= difference.p <= 1
            assert 0 <= difference.p_equivalent <= 1
            assert text_needed(difference, 0.01) >= 0
    said = verdicts(differences, zone=zone, lower_is_better=[True] * 3)
    assert [verdict == "none" for verdict in said] == [bool(d.why) for d in differences]


@given(st.integers(0, 50), st.floats(0.9, 1.1))
def test_swapping_the_sides_swaps_the_verdict(seed, ratio):
    candidate, baseline, _ = tokens_of(100, ratio, seed)
    there, back = paired_ratio(candidate, baseline), paired_ratio(baseline, candidate)
    assert there.p == pytest.approx(back.p)
    assert there.p_equivalent == pytest.approx(back.p_equivalent)
    assert 1 + there.low == pytest.approx(1 / (1 + back.high))
    opposite = {"better": "worse", "worse": "better"}
    forth, other = (verdicts([d], lower_is_better=[True])[0] for d in (there, back))
    assert other == opposite.get(forth, forth)


def difference_of(value, p, p_equivalent):
    return Difference(value, value, value, 100, 100.0, p, p_equivalent, 0.01)


def test_verdicts_take_the_family_into_account():
    family = [difference_of(-0.1, 0.03, 1.0), difference_of(-0.1, 0.03, 1.0)]
    assert verdicts(family[:1], lower_is_better=[True]) == ["better"]
    assert verdicts(family, lower_is_better=[True, True]) == ["undecided"] * 2
    none = Difference(None, None, None, 3, 3.0, None, None, None, "few")
    # What has no test is no question.
    assert verdicts([none, family[0]], lower_is_better=[True, True]) == ["none", "better"]
    small = difference_of(0.001, 0.0001, 0.0001)
    assert verdicts([small], lower_is_better=[True]) == ["equivalent"]
    assert verdicts([], lower_is_better=[]) == []
    with pytest.raises(StatisticsError):
        verdicts([none], lower_is_better=[])


def test_text_needed():
    candidate, baseline, _ = tokens_of(500)
    difference = paired_ratio(candidate, baseline)
    assert text_needed(difference, difference.least) == pytest.approx(1)
    times = text_needed(difference, difference.least / 3)
    nine = paired_ratio(np.tile(candidate, 9), np.tile(baseline, 9))
    assert times == pytest.approx(9, rel=0.05)
    assert nine.least == pytest.approx(difference.least / 3, rel=0.05)
    none = Difference(None, None, None, 3, 3.0, None, None, None, "few")
    assert text_needed(none, 0.01) is None
    for wanted in (0, -1, math.nan, math.inf):
        with pytest.raises(StatisticsError):
            text_needed(difference, wanted)


def test_nothing_to_compare():
    ones, none = np.ones(30), np.zeros(30)
    assert paired_ratio(ones, none).value is None
    gone = paired_ratio(none, ones)
    assert (gone.value, gone.low, gone.why) == (-1.0, None, "zero")
    assert paired_ratio(ones[:3], 2 * ones[:3]).why == "few"
    assert paired_ratio(ones[:3], 2 * ones[:3]).value == -0.5
    with pytest.raises(StatisticsError):
        paired_ratio(ones, ones[:3])
    with pytest.raises(StatisticsError):
        paired_ratio(ones, ones, zone=-0.1)


def test_paired_means_is_the_t_test_of_the_logs():
    a, b = np.array([1.2, 1.1, 1.3, 1.25]), np.array([1.0, 1.05, 1.1, 0.9])
    logs = np.log(a / b)
    error = logs.std(ddof=1) / 2
    difference = paired_means(a, b, zone=0.03)
    assert difference.value == pytest.approx(math.expm1(logs.mean()))
    reach = t.ppf(0.975, 3) * error
    assert difference.low == pytest.approx(math.expm1(logs.mean() - reach))
    assert difference.high == pytest.approx(math.expm1(logs.mean() + reach))
    assert difference.p == pytest.approx(2 * t.sf(logs.mean() / error, 3))
    assert difference.p_equivalent == pytest.approx(
        t.sf((math.log1p(0.03) - logs.mean()) / error, 3)
    )
    back = paired_means(b, a, zone=0.03)
    assert (1 + back.value) * (1 + difference.value) == pytest.approx(1)
    assert (back.p, back.p_equivalent) == pytest.approx((difference.p, difference.p_equivalent))


def test_paired_means_of_pairs_that_say_alike():
    equal = paired_means([2.0, 3.0], [2.0, 3.0], zone=0.03)
    assert (equal.value, equal.low, equal.high, equal.p, equal.p_equivalent) == (0, 0, 0, 1, 0)
    twice = paired_means([4.0, 8.0], [2.0, 4.0], zone=0.03)
    assert (twice.value, twice.p_equivalent) == pytest.approx((1, 1))
    assert twice.p < 1e-9


@pytest.mark.parametrize("pair", [([1.0], [1.0]), ([], []), ([1, 0], [1, 1]), ([1, 2], [1])])
def test_paired_means_needs_pairs_above_zero(pair):
    with pytest.raises(StatisticsError):
        paired_means(*pair)
