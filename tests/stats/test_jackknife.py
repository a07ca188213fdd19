import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from toktk.errors import StatisticsError
from toktk.stats.interval import effective_number
from toktk.stats.jackknife import (
    MOST_BLOCKS,
    blocks_of,
    jackknife_interval,
    jackknife_intervals,
    leave_one_out,
)
from toktk.stats.ratio import ratio_interval


def ratio(sums):
    return sums[..., 0] / sums[..., 1]


def macro_mean(sums):
    """Mean over languages of tokens / lines, for sums of [tokens of each language, lines]."""
    return sums[..., :-1].mean(axis=-1) / sums[..., -1]


def worst(sums):
    return sums[..., :-1].max(axis=-1) / sums[..., -1]


def lines(n=500, languages=4, seed=0):
    chance = np.random.default_rng(seed)
    tokens = np.ceil(
        20 * chance.lognormal(0, 0.5, (n, 1)) * chance.lognormal(0, 0.2, (n, languages))
    )
    return np.column_stack([tokens * np.arange(1, languages + 1), np.ones(n)])


def slow_errors(statistic, sums):
    """Delete each block of units in a loop."""
    size = math.ceil(len(sums) / MOST_BLOCKS)
    n_blocks = math.ceil(len(sums) / size)
    edges = [i * len(sums) // n_blocks for i in range(n_blocks + 1)]
    blocks = [range(*edge) for edge in pairwise(edges)]
    without = [math.log(statistic(np.delete(sums, block, axis=0).sum(axis=0))) for block in blocks]
    mean = sum(without) / n_blocks
    squares = [(value - mean) ** 2 for value in without]
    variance = (n_blocks - 1) / n_blocks * sum(squares)
    return math.sqrt(variance), n_blocks, 3 * effective_number(squares) - 2


@pytest.mark.parametrize("n", [30, 199, 200, 201, 500, 1234])
@pytest.mark.parametrize("statistic", [ratio, macro_mean, worst])
def test_equals_the_loop(n, statistic):
    sums = lines(n)
    sizes = sums.sum(axis=1)
    interval = jackknife_interval(statistic, sums, sizes=sizes)
    error, n_blocks, by_squares = slow_errors(statistic, sums)
    degrees = min(n_blocks - 1, interval.n_effective - 1, by_squares)
    assert math.log(interval.high / interval.value) == pytest.approx(
        error * t.ppf(0.975, degrees), rel=1e-6
    )
    assert interval.value == pytest.approx(statistic(sums.sum(axis=0)))


def test_of_a_ratio_it_is_the_interval_of_ratios():
    sums = lines(MOST_BLOCKS)[:, :2]
    interval = jackknife_interval(ratio, sums, sizes=sums[:, 1])
    delta = ratio_interval(sums[:, 0], sums[:, 1])
    assert interval.value == pytest.approx(delta.value)
    assert math.log(interval.high / interval.low) == pytest.approx(
        math.log(delta.high / delta.low), rel=1e-3
    )


@given(st.integers(0, 700))
def test_blocks_are_of_equally_many_units(n):
    values = leave_one_out(lambda sums: sums[..., 0], np.ones((n, 1)))
    n_blocks = values.size - 1
    assert n_blocks <= MOST_BLOCKS
    assert len(values) == n_blocks + 1
    if n:
        assert n - values[1:].min() - (n - values[1:].max()) <= 1
        assert (n - values[1:]).sum() == n


def test_plain_scale_may_cross_zero():
    sums = np.column_stack([np.random.default_rng(0).normal(0, 1, 64), np.ones(64)])
    interval = jackknife_interval(ratio, sums, sizes=np.ones(64), log=False)
    assert interval.low < 0 < interval.high
    half = sums[:, 0].std(ddof=1) / 8 * t.ppf(0.975, 63)
    assert interval.high - interval.value == pytest.approx(half)
    assert jackknife_interval(ratio, -abs(sums), sizes=np.ones(64)).value == pytest.approx(
        abs(sums[:, 0]).mean()
    )
    negative = np.column_stack([-np.ones(100), np.ones(100)])
    assert jackknife_interval(ratio, negative, sizes=np.ones(100)).why == "zero"


def test_a_language_of_one_block_is_undefined_without_it():
    sums = np.ones((300, 2))
    sums[1:, 1] = 0
    interval = jackknife_interval(ratio, sums, sizes=np.ones(300))
    assert (interval.value, interval.low, interval.why) == (300.0, None, "undefined")


def test_reasons():
    none = jackknife_interval(ratio, np.zeros((0, 2)), sizes=[])
    assert (none.value, none.n, none.why) == (None, 0, "zero")
    assert jackknife_interval(ratio, np.zeros((40, 2)), sizes=np.ones(40)).why == "zero"
    assert jackknife_interval(ratio, np.ones((10, 2)), sizes=np.ones(10)).why == "few"
    sure = jackknife_interval(ratio, np.ones((40, 2)) * [3, 7], sizes=np.ones(40))
    assert sure.low == sure.value == sure.high == 3 / 7


def test_a_sample_of_a_larger_text():
    sums = lines(400)
    one = jackknife_interval(worst, sums, sizes=np.ones(400))
    four = jackknife_interval(worst, sums, sizes=np.ones(400), n_all=1600)
    assert math.log(one.high / one.low) == pytest.approx(
        2 * math.log(four.high / four.low), rel=0.01
    )


@pytest.mark.parametrize("sums", [[1.0], [[math.nan]], [[math.inf]], [["a"]], [[1e200]]])
def test_no_sums(sums):
    with pytest.raises(StatisticsError):
        jackknife_interval(ratio, sums, sizes=[1])


@pytest.mark.parametrize("n", [1, 30, 200, 201, 399, 400, 1234])
def test_several_at_once_equal_each_by_itself(n):
    rng = np.random.default_rng(n)
    sums, sizes = rng.uniform(1, 2, (3, n, 2)), rng.uniform(1, 2, n)
    joined = np.array([[np.bincount(blocks_of(n), c) for c in own.T] for own in sums])
    assert joined.shape[2] <= MOST_BLOCKS
    found = jackknife_intervals(ratio, joined.transpose(0, 2, 1), sizes=sizes, n_all=2 * n)
    for one, own in zip(found, sums, strict=True):
        alone = jackknife_interval(ratio, own, sizes=sizes, n_all=2 * n)
        assert (one.n, one.n_effective, one.why) == (n, alone.n_effective, alone.why)
        assert one.low == (alone.low and pytest.approx(alone.low))
        assert one.high == (alone.high and pytest.approx(alone.high))
