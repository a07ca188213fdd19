"""Tao et al. 2024: their own seven predictions, by all three approaches."""

import math

import pytest
from scipy.optimize import brentq

from toktk.costs.curve import MeasuredCurve
from toktk.costs.tao import (
    WIDTHS,
    by_derivative,
    by_isoflops,
    by_loss,
    cheapest_size,
    compute_of,
    tokens_per_char,
    width_of,
)
from toktk.errors import LawError

PUBLISHED = {  # parameters besides the embedding: sizes by approach 1, 2, 3
    2.87e9: (37_942, 40_993, 35_271),
    7e9: (62_280, 67_450, 59_547),
    13e9: (83_429, 90_503, 81_347),
    30e9: (141_711, 154_071, 141_898),
    70e9: (211_860, 230_861, 217_961),
    130e9: (236_500, 258_138, 248_187),
    300e9: (355_894, 389_324, 383_659),
}
SIZES = (8_000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000)
README = MeasuredCurve(
    SIZES, tuple(1 / b for b in (2.363, 2.602, 2.840, 3.030, 3.140, 3.316, 3.414))
)


@pytest.mark.parametrize("parameters", PUBLISHED)
def test_gives_what_is_published(parameters):
    approaches = (by_isoflops, by_derivative, by_loss)
    sizes = tuple(approach(parameters, insist=True).size for approach in approaches)
    assert sizes == PUBLISHED[parameters]


def test_flops_and_tokens_per_char():
    assert compute_of(7e9) == pytest.approx(7.0524e21, rel=1e-4)
    assert tokens_per_char(50_000) == pytest.approx(0.2423, abs=5e-5)
    assert tokens_per_char(128_000) == pytest.approx(0.2293, abs=5e-5)
    assert tokens_per_char(1_000_000) == tokens_per_char(200_000)
    with pytest.raises(LawError, match="no vocabulary"):
        tokens_per_char(0.5)


def test_the_loss_is_least_where_its_derivative_is_zero():
    parameters, width, compute = 1e9, 1536, 3e20

    def slope(size):
        vocabulary, a2, b = size * width / 1e6, 0.6707374679896795, 0.44660634152009615
        tokens = compute / 1e15 / (6 * (parameters / 1e6 + vocabulary))
        return -a2 * 0.19584238398665638 * vocabulary ** (
            -a2 - 1
        ) + b * 2.1241123120064955 * tokens ** (-b) / (parameters / 1e6 + vocabulary)

    predicted = by_loss(parameters, width, compute)
    assert predicted.size == int(brentq(slope, 100, 10_000_000, xtol=1e-9))
    assert predicted.compute == compute


def test_outside_is_refused_or_marked():
    with pytest.raises(LawError) as refusal:
        by_isoflops(7e9)
    assert "was not fitted to 7B parameters" in str(refusal.value)
    assert "33M to 1.13B parameters" in str(refusal.value)
    assert by_isoflops(7e9, insist=True).outside == ("7B parameters",)
    assert by_isoflops(1e9).outside == ()
    assert by_derivative(2.87e9).size == 40_993  # its exponent was fitted up to there
    with pytest.raises(LawError, match=r"2\.88B parameters"):
        by_derivative(2.88e9)
    with pytest.raises(LawError, match=r"5e\+20 FLOPs"):
        by_loss(1e9, compute=5e20)
    # The question is inside, and the answer is not: a narrow model has many ids.
    with pytest.raises(LawError, match="ids"):
        by_isoflops(1.1e9, width=128)
    marked = by_isoflops(1.1e9, width=128, insist=True)
    assert marked.outside == (f"{marked.size:,} ids",)


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, 1e200, 1e-200])
def test_what_is_no_number_of_parameters(wrong):
    for approach in (by_isoflops, by_derivative, by_loss):
        with pytest.raises(LawError, match="needs parameters above 0"):
            approach(wrong, width=1024, insist=True)
    with pytest.raises(LawError, match="needs width above 0"):
        by_isoflops(1e9, width=wrong)
    with pytest.raises(LawError, match="needs parameters above 0"):
        cheapest_size(wrong, 768, README)


def test_widths_of_their_table():
    assert [width_of(most) for most, _ in WIDTHS] == [width for _, width in WIDTHS]
    assert width_of(50_000_001) == 768
    with pytest.raises(LawError, match="no width is known of a model with 501B"):
        width_of(501e9)


@pytest.mark.parametrize(
    ("parameters", "width", "cheapest"),
    [
        (85e6, 768, 16_000),
        (302e6, 1024, 50_000),
        (1.13e9, 2048, 64_000),
        (2.87e9, 3200, 128_000),
        (7e9, 4096, 128_000),
        (70e9, 8192, 128_000),
    ],
)
def test_the_cheapest_measured_size_is_in_the_flat_region(parameters, width, cheapest):
    """The table of needs-and-models 3.1 names the cheapest of the measured sizes."""
    costs = [
        (parameters + v * width) * q
        for v, q in zip(README.sizes, README.tokens_per_byte, strict=True)
    ]
    assert SIZES[costs.index(min(costs))] == cheapest
    region = cheapest_size(parameters, width, README)
    assert region.low <= cheapest <= region.high
    assert region.low <= region.size <= region.high
    at_region = (parameters + region.size * width) * README.at(region.size)[0]
    assert at_region <= min(costs)
    assert (parameters + region.low * width) * README.at(region.low)[0] <= at_region * 1.01
    if region.low > SIZES[0]:
        below = region.low - 1
        assert (parameters + below * width) * README.at(below)[0] > at_region * 1.01


def test_at_the_end_of_the_measured_sizes():
    assert cheapest_size(70e9, 8192, README).edge == "largest"
    assert cheapest_size(1e6, 4096, README).edge == "smallest"
    assert cheapest_size(302e6, 1024, README).edge == ""
