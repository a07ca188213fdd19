import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from toktk.errors import StatisticsError
from toktk.stats.interval import MIN_EFFECTIVE, effective_number, one_decides
from toktk.stats.ratio import ratio_interval, ratio_reaches

counts = st.integers(0, 2**40) | st.floats(1e-100, 1e100)
pairs = st.lists(st.tuples(counts, counts), max_size=60)


def documents(n=400, seed=0, sigma=0.8):
    chance = np.random.default_rng(seed)
    sizes = np.ceil(200 * chance.lognormal(0, sigma, n))
    return sizes, np.ceil(sizes / 4 * chance.lognormal(0, 0.15, n))


def slow_interval(x, y, quantile):
    """The textbook's delta method, of R itself, then the log scale."""
    n, ratio = len(x), sum(x) / sum(y)
    residuals = sum((a - ratio * b) ** 2 for a, b in zip(x, y, strict=True))
    error = math.sqrt(residuals / (n - 1) / n) / (sum(y) / n)
    return (
        ratio,
        ratio * math.exp(-quantile * error / ratio),
        ratio * math.exp(quantile * error / ratio),
    )


def test_nears_the_textbook_where_no_document_is_large():
    x, y = documents(4000, sigma=0.3)
    interval = ratio_interval(x, y)
    assert (interval.value, interval.low, interval.high) == pytest.approx(
        slow_interval(x.tolist(), y.tolist(), 1.96), rel=1e-5
    )
    assert interval.n == 4000
    assert interval.n_effective == pytest.approx(
        min(sum(side) ** 2 / sum(side**2) for side in (x, y))
    )


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.2])
def test_is_the_jackknife_of_the_log_ratio(sigma):
    x, y = documents(150, sigma=sigma)
    interval = ratio_interval(x, y)
    logs = [math.log(np.delete(x, i).sum() / np.delete(y, i).sum()) for i in range(150)]
    squares = (np.array(logs) - sum(logs) / 150) ** 2
    degrees = min(interval.n_effective - 1, 3 * effective_number(squares) - 2)
    reach = math.sqrt(149 / 150 * sum(squares)) * t.ppf(0.975, degrees)
    assert math.log(interval.high / interval.value) == pytest.approx(reach, rel=2e-3)
    assert interval.one_decides == (max(squares) > sum(squares) / 5)


def test_agrees_with_the_bootstrap():
    x, y = documents(2000)
    interval = ratio_interval(x, y)
    drawn = np.random.default_rng(1).integers(0, 2000, (2000, 2000))
    spread = np.log(x[drawn].sum(axis=1) / y[drawn].sum(axis=1)).std()
    assert math.log(interval.high / interval.low) / 2 == pytest.approx(1.96 * spread, rel=0.06)


@given(pairs, st.sampled_from([0.5, 0.95, 0.999999]))
def test_any_counts_give_an_interval_or_a_reason(rows, level):
    x, y = ([row[side] for row in rows] for side in (0, 1))
    interval = ratio_interval(np.array(x, float), np.array(y, float), level=level)
    assert interval.n == len(rows)
    if interval.low is None:
        assert interval.high is None
        assert interval.why in {"few", "zero"}
    else:
        assert interval.why is None
        assert interval.low <= interval.value <= interval.high
        assert interval.n_effective >= MIN_EFFECTIVE
    assert (interval.value is None) == (sum(y) == 0)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_what_all_documents_say_alike_is_sure(a, b):
    sizes = np.arange(1, 200)
    interval = ratio_interval(a * sizes, b * sizes)
    assert interval.low == interval.value == interval.high
    assert interval.why is None
    assert not interval.one_decides


@given(st.floats(1e-3, 1e3), st.integers(0, 99))
def test_units_and_order_do_not_matter(scale, seed):
    x, y = documents(100, seed)
    interval, other = ratio_interval(x, y), ratio_interval(x[::-1] * scale, y[::-1])
    assert other.low / scale == pytest.approx(interval.low)
    inverse = ratio_interval(y, x)
    assert 1 / inverse.high == pytest.approx(interval.low)


def test_a_sample_of_a_larger_text_is_as_sure_as_the_text():
    x, y = documents(20_000)
    interval, of_four = ratio_interval(x, y), ratio_interval(x, y, n_all=80_000)
    width, of_four_width = (math.log(i.high / i.low) for i in (interval, of_four))
    assert of_four_width == pytest.approx(width / 2, rel=1e-3)
    assert of_four.n_effective == pytest.approx(4 * interval.n_effective)
    assert ratio_interval(x[:10], y[:10], n_all=100).why is None


def test_nothing_to_divide_by():
    assert ratio_interval([], []).value is None
    assert ratio_interval([1] * 30, [0] * 30) == ratio_interval([1] * 30, [0] * 30)
    assert ratio_interval([1] * 30, [0] * 30).why == "zero"
    nothing = ratio_interval([0] * 30, [1] * 30)
    assert (nothing.value, nothing.low, nothing.why) == (0.0, None, "zero")


def test_few_documents_have_none():
    x, y = documents(19, sigma=0.01)
    assert ratio_interval(x, y).why == "few"
    giant = np.r_[np.full(1000, 10.0), 10_000.0]
    assert ratio_interval(giant, giant).n_effective < 5
    assert ratio_interval(giant, giant).why == "few"


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, -1], [1, 1]),
        ([1, math.nan], [1, 1]),
        ([1, math.inf], [1, 1]),
        ([1], [1, 1]),
        ([[1]], [[1]]),
        (["a"], ["b"]),
        ([1, None], [1, 1]),
    ],
)
def test_no_counts(x, y):
    with pytest.raises(StatisticsError):
        ratio_interval(x, y)


@pytest.mark.parametrize("options", [{"level": 0}, {"level": 1}, {"level": math.nan}, {"n_all": 1}])
def test_options_out_of_range(options):
    with pytest.raises(StatisticsError):
        ratio_interval([1, 2], [1, 2], **options)


@given(st.lists(st.integers(0, 2**50), max_size=30))
def test_effective_number(sizes):
    squares = sum(size**2 for size in sizes)
    expected = sum(sizes) ** 2 / squares if squares else 0
    assert effective_number(np.array(sizes, np.int64)) == pytest.approx(expected)


def test_one_decides():
    assert one_decides([1.0, 1.0])
    assert not one_decides(np.ones(5))
    assert one_decides([1.0, 1, 1, 1, 1.01])
    assert not one_decides(np.ones(10))
    assert not one_decides(np.zeros(5))
    assert not one_decides([])
    x, y = documents(2000)
    assert not ratio_interval(x, y).one_decides
    x[0] *= 30
    assert ratio_interval(x, y).one_decides


@given(
    st.lists(
        st.lists(st.tuples(*[st.integers(0, 50)] * 3), min_size=1, max_size=60),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 3),
    st.booleans(),
)
def test_many_at_once_equal_each_by_itself(texts, level, swap):
    """Two tokenizers; numerators, or denominators, that both have alike."""
    columns = np.array([row for text in texts for row in text], dtype=np.float64).T
    sides = columns[:2], columns[2:]
    bounds = np.cumsum([0, *map(len, texts)])
    n_all = np.diff(bounds) << level
    x, y = reversed(sides) if swap else sides
    spans = np.stack([bounds[:-1], bounds[:-1], np.diff(bounds)], axis=1)
    found = ratio_reaches(x, y, spans, n_all=n_all)
    for e, g in itertools.product(range(2), range(len(texts))):
        own = slice(bounds[g], bounds[g + 1])
        above, below = (side[min(e, len(side) - 1), own] for side in (x, y))
        alone = ratio_interval(above, below, n_all=n_all[g].item())
        assert found.is_zero[e, g] == (alone.why == "zero")
        assert found.n_effective[e, g] == pytest.approx(alone.n_effective, rel=1e-9)
        if alone.low is None:
            assert np.isnan(found.reach[e, g])
        else:
            reach = np.log(alone.high / alone.low) / 2
            assert found.reach[e, g] == pytest.approx(reach, rel=1e-9, abs=1e-12)
            assert found.one_decides[e, g] == alone.one_decides


def test_no_texts_at_once():
    none = np.empty((1, 0))
    found = ratio_reaches(
        none, none, np.empty((0, 3), dtype=np.int64), n_all=np.empty(0, dtype=np.int64)
    )
    assert found.reach.shape == (1, 0)
