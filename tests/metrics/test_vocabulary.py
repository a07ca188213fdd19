from __future__ import annotations

import math

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation
from hypothesis import given
from hypothesis import strategies as st

from toktk.errors import MetricError
from toktk.metrics.vocabulary import COVERED, coverage_of, renyi_efficiency, renyi_entropy

# "pick @@ed pick @@l @@ed pick @@les", then "pick @@e @@d pick @@l @@e @@d pick @@l @@e @@s": the
# published unit values of tokenization-scorer.
PICKED = [3, 2, 1, 1]
PICKED_SMALLER = [3, 3, 2, 2, 1]

COUNTS = st.lists(st.integers(0, 10**6), min_size=2, max_size=50).filter(any)


def test_renyi_reproduces_the_published_unit_values() -> None:
    assert renyi_entropy(PICKED, 2.5) == pytest.approx(1.653013, abs=5e-7)
    assert renyi_efficiency(PICKED, 2.5) == pytest.approx(0.826506, abs=5e-7)
    assert renyi_efficiency(PICKED, 1) == pytest.approx(0.921185, abs=5e-7)
    assert renyi_entropy(PICKED_SMALLER, 2.5) == pytest.approx(2.137298, abs=5e-7)
    assert renyi_efficiency(PICKED_SMALLER, 2.5) == pytest.approx(0.920484, abs=5e-7)
    assert renyi_efficiency(PICKED_SMALLER, 1) == pytest.approx(0.960956, abs=5e-7)


def test_renyi_divides_by_the_whole_vocabulary() -> None:
    assert renyi_efficiency([*PICKED, 0, 0, 0, 0], 2.5) == pytest.approx(1.653013 / 3, abs=5e-7)


def test_renyi_of_one_type_is_zero() -> None:
    for counts in ([7], [0, 7, 0]):
        assert math.copysign(1, renyi_entropy(counts, 2.5)) == 1
        assert renyi_efficiency(counts, 2.5) == 0.0


def test_renyi_of_nothing_is_null() -> None:
    assert renyi_entropy([], 2.5) is None
    assert renyi_entropy([0, 0], 1) is None
    assert renyi_efficiency([0, 0], 2.5) is None


@given(COUNTS)
def test_renyi_at_its_limits(counts: list[int]) -> None:
    p = [c / sum(counts) for c in counts if c]
    shannon = -sum(q * math.log2(q) for q in p)
    assert renyi_entropy(counts, 0) == pytest.approx(math.log2(len(p)), abs=1e-9)
    assert renyi_entropy(counts, 1) == pytest.approx(shannon, abs=1e-9)
    assert renyi_entropy(counts, 1 + 1e-5) == pytest.approx(shannon, abs=1e-3)
    assert renyi_entropy(counts, math.inf) == pytest.approx(-math.log2(max(p)), abs=1e-9)
    # At an order where p^a alone is 0 in floating point.
    assert renyi_entropy(counts, 5000) == pytest.approx(-math.log2(max(p)), abs=0.02)


@given(COUNTS, st.floats(0, 20), st.floats(0, 20))
def test_renyi_falls_with_its_order_and_is_bounded(counts: list[int], a: float, b: float) -> None:
    low, high = sorted((a, b))
    # Next to order 1 the two sides meet within rounding.
    assert renyi_entropy(counts, high) <= renyi_entropy(counts, low) + 1e-4
    assert 0 <= renyi_efficiency(counts, high) <= 1 + 1e-4


@pytest.mark.parametrize("alpha", [-0.5, math.nan])
def test_renyi_refuses_impossible_orders(alpha) -> None:
    with pytest.raises(MetricError, match="no Rényi entropy of order"):
        renyi_entropy([1, 2], alpha)


def test_renyi_metric_names_order_and_divisor(measure) -> None:
    evaluation = FakeEvaluation(["en"], [7], token_counts=[*PICKED, 0, 0, 0, 0], documents=[4])
    found = measure("renyi_efficiency", evaluation, 8)
    figure = found["all", "renyi_efficiency[a=2.5,V]"]
    assert figure.value == pytest.approx(0.551004, abs=5e-7)
    assert figure.n == 4


def test_utilization_counts_the_ids_used(measure) -> None:
    evaluation = FakeEvaluation(["en", "de"], [3, 4], token_counts=[3, 0, 4, 0, 0])
    assert measure("utilization", evaluation, 5)["all", "utilization"].value == 0.4


def test_single_token_words_per_group_and_pooled(measure) -> None:
    evaluation = FakeEvaluation(
        ["en", "fi", "42"], [9, 9, 9], word_pieces=[10, 30, 0], single=[8, 6, 0]
    )
    found = measure("single_token_words[piece]", evaluation)
    values = [found[g, "single_token_words[piece]"].value for g in ("en", "fi", "42", "all")]
    assert values == [0.8, 0.2, None, 0.35]
    assert found["42", "single_token_words[piece]"].note == "no pieces with a letter"


def test_continued_words_are_those_of_more_than_one_token(measure) -> None:
    evaluation = FakeEvaluation(
        ["en", "fi", "42"], [9, 9, 9], word_pieces=[10, 30, 0], single=[8, 6, 0]
    )
    found = measure("pcw[piece]", evaluation)
    values = [found[g, "pcw[piece]"].value for g in ("en", "fi", "42", "all")]
    assert values == [0.2, 0.8, None, 0.65]
    assert found["all", "pcw[piece]"].made_of.complement


def test_coverage_is_of_the_most_frequent_ids() -> None:
    counts = np.zeros(3000, dtype=np.int64)
    counts[::2] = np.arange(1500)  # in no order of frequency
    assert COVERED[0] == 1024
    assert COVERED[-1] == 65536
    none = dict.fromkeys(COVERED)
    covered = {1024: sum(range(1500 - 1024, 1500)) / sum(range(1500)), 2048: 1.0}
    assert coverage_of(counts, 3000) == none | covered
    assert coverage_of(counts, 1024) == none  # all of them: nothing to tell
    assert coverage_of(counts, 1025) == none | {1024: covered[1024]}
    assert coverage_of(np.zeros(2000, dtype=np.int64), 2000) == none
    assert coverage_of(np.zeros(0, dtype=np.int64), 0) == none
