from __future__ import annotations

import math

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation
from hypothesis import given
from hypothesis import strategies as st

from toktk.metrics.zipf import simpson, zipf_fit


@pytest.mark.parametrize("slope", [-0.5, -1.0, -1.6])
def test_an_exact_law_has_its_slope_and_no_error(slope) -> None:
    fit = zipf_fit(1e9 * np.arange(1, 2001) ** slope)
    assert fit.slope == pytest.approx(slope, abs=1e-9)
    assert fit.error == pytest.approx(0, abs=1e-9)
    decades = math.log10(2000)
    assert fit.area == pytest.approx(decades * 9 + slope * decades**2 / 2, abs=1e-9)


def test_a_fit_by_hand() -> None:
    # Points (0, 2), (log10 2, 1), (log10 3, 1): the line of least squares through them.
    x, y = [0, math.log10(2), math.log10(3)], [2, 1, 1]
    mx, my = sum(x) / 3, sum(y) / 3
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum(
        (a - mx) ** 2 for a in x
    )
    errors = [abs(b - my - slope * (a - mx)) for a, b in zip(x, y, strict=True)]
    fit = zipf_fit([10, 0, 100, 10])
    assert fit.slope == pytest.approx(slope)
    assert fit.error == pytest.approx(sum(errors) / 3)


def test_equal_frequencies_are_a_flat_line() -> None:
    fit = zipf_fit([10] * 7)
    assert fit.slope == pytest.approx(0, abs=1e-12)
    assert fit.error == pytest.approx(0, abs=1e-12)
    assert fit.area == pytest.approx(math.log10(7))


@given(st.permutations([5, 3, 0, 9, 9, 1, 0]))
def test_the_order_of_ids_does_not_matter(counts) -> None:
    assert zipf_fit(counts) == zipf_fit([9, 9, 5, 3, 1])


def test_less_than_two_tokens_have_no_fit() -> None:
    for counts in ([], [0, 0], [0, 7]):
        assert zipf_fit(counts) is None


@pytest.mark.parametrize("n", [2, 3, 4, 7, 10])
def test_simpson_is_exact_for_parabolas_over_any_points(n) -> None:
    x = np.cumsum(1 + np.arange(n) % 3.0) - 1
    area = simpson(x, x**2 - 3 * x)
    if n % 2 == 0:  # the last interval is a trapezoid
        a, b = x[-2], x[-1]
        trapezoid = (b - a) * (a**2 - 3 * a + b**2 - 3 * b) / 2
        rest = a**3 / 3 - 3 * a**2 / 2
        assert area == pytest.approx(rest + trapezoid)
    else:
        assert area == pytest.approx(x[-1] ** 3 / 3 - 3 * x[-1] ** 2 / 2)


def test_the_metrics_name_the_logarithm(measure) -> None:
    evaluation = FakeEvaluation(
        ["en", "de"], [9, 9], token_counts=[100, 0, 10, 10], documents=[2, 3]
    )
    names = ("zipf_slope", "zipf_error", "zipf_area", "token_types")
    found = {key: f for name in names for key, f in measure(name, evaluation, 4).items()}
    fit = zipf_fit([100, 10, 10])
    assert {metric: figure.value for (_, metric), figure in found.items()} == {
        "zipf_slope": fit.slope,
        "zipf_error[log10]": fit.error,
        "zipf_area[log10]": fit.area,
        "token_types": 3,
    }
    assert {group for group, _ in found} == {"all"}


def test_text_of_one_token_has_no_fit(measure) -> None:
    evaluation = FakeEvaluation(["en"], [9], token_counts=[9, 0])
    for name in ("zipf_slope", "zipf_error", "zipf_area"):
        (figure,) = measure(name, evaluation, 2).values()
        assert figure.value is None
        assert figure.note == "fewer than two different tokens"
    assert measure("token_types", evaluation, 2)["all", "token_types"].value == 1
