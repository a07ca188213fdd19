"""Flop-equivalent bits per byte: planted curves come back, and what cannot be is said."""

import math

import pytest

from toktk.costs.flop_equivalent import (
    fit_losses,
    flop_equivalents,
    serving_flops_per_byte,
)
from toktk.errors import LawError

BUDGETS = (1e18, 3e18, 1e19, 4e19, 1e20)


def planted(a, b, c, budgets=BUDGETS):
    return [a * flops**-b + c for flops in budgets]


def arm(label, a=30.0, b=0.1, c=0.6, budgets=BUDGETS):
    return fit_losses(label, budgets, planted(a, b, c, budgets))


@pytest.mark.parametrize("b", [0.001, 0.05, 0.137, 0.25, 0.499, 0.5])
@pytest.mark.parametrize("n", [3, 5])
def test_planted_curves_come_back(b, n):
    a, c = 0.4 * 1e19**b, 0.8
    curve = fit_losses("planted", BUDGETS[-n:], planted(a, b, c, BUDGETS[-n:]))
    assert curve.b == b
    assert curve.c == pytest.approx(c, abs=1e-6)
    assert curve.a * curve.scale**curve.b == pytest.approx(a, rel=1e-6)
    assert curve.error < 1e-9
    assert curve.at_end == (b in (0.001, 0.5))
    assert curve.bits_per_byte(2e19) == pytest.approx(a * 2e19**-b + c, abs=1e-9)


def test_the_fit_is_that_of_least_squares():
    losses = [1.21, 1.09, 1.02, 0.955, 0.94]
    curve = fit_losses("noisy", BUDGETS, losses)

    def squares(a, b, c):
        return sum(
            (a * (f / curve.scale) ** -b + c - y) ** 2 for f, y in zip(BUDGETS, losses, strict=True)
        )

    least = squares(curve.a, curve.b, curve.c)
    assert math.sqrt(least / 5) == pytest.approx(curve.error)
    for step in (0.999, 1.001):
        assert squares(curve.a * step, curve.b, curve.c) > least
        assert squares(curve.a, curve.b, curve.c * step) > least


def test_seeds_are_averaged_and_order_does_not_matter():
    one = fit_losses("a", [1e18, 1e19, 1e20], [1.2, 1.0, 0.9])
    two = fit_losses("a", [1e20, 1e18, 1e19, 1e18], [0.9, 1.3, 1.0, 1.1])
    assert (two.b, two.a, two.c) == pytest.approx((one.b, one.a, one.c))


@pytest.mark.parametrize("budgets", [[], [1e18], [1e18, 1e19], [1e18, 1e18, 1e19, 1e19]])
def test_fewer_than_three_budgets(budgets):
    losses = [1.5 - 0.1 * i for i in range(len(budgets))]
    with pytest.raises(LawError, match="3 or more budgets"):
        fit_losses("few", budgets, losses)


@pytest.mark.parametrize(
    "losses", [[1.2, 1.0, 1.0], [1.0, 1.1, 1.2], [1.2, 1.0, 1.1], [1.0, 1.0, 1.0]]
)
def test_losses_that_do_not_fall(losses):
    with pytest.raises(LawError, match="the losses of flat do not fall"):
        fit_losses("flat", [1e18, 1e19, 1e20], losses)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_loss_and_no_budget(wrong):
    with pytest.raises(LawError, match="bits per byte above 0"):
        fit_losses("odd", [1e18, 1e19, 1e20], [1.2, wrong, 0.9])
    with pytest.raises(LawError, match="FLOPs above 0"):
        fit_losses("odd", [1e18, wrong, 1e20], [1.2, 1.0, 0.9])
    with pytest.raises(LawError, match="a loss for each budget"):
        fit_losses("odd", [1e18, 1e19, 1e20], [1.2, 1.0])


def test_what_serving_saves_is_trained_on():
    curves = [arm("reference"), arm("cheap", a=29.0), arm("dear", c=0.59)]
    serving = {"reference": 10.0, "cheap": 8.0, "dear": 12.0}
    reference, cheap, dear = flop_equivalents(curves, serving, "reference", compute=5e19)
    assert (reference.serving, reference.compute) == (1.0, 5e19)
    assert reference.bits_per_byte == pytest.approx(30 * 5e19**-0.1 + 0.6)
    assert (cheap.serving, cheap.compute) == (0.8, pytest.approx(6e19))
    assert cheap.bits_per_byte == pytest.approx(29 * 6e19**-0.1 + 0.6)
    assert dear.compute == pytest.approx(4e19)
    assert dear.bits_per_byte == pytest.approx(30 * 4e19**-0.1 + 0.59)
    double = flop_equivalents(curves, serving, "reference", ratio=2, compute=3e19)
    assert [e.compute for e in double] == pytest.approx([3e19, 4.2e19, 1.8e19])
    none = flop_equivalents(curves, serving, "reference", ratio=0, compute=3e19)
    assert {e.compute for e in none} == {3e19}


def test_an_infeasible_budget_is_said_to_be_so():
    curves = [arm("bpe"), arm("bytes"), arm("twice")]
    serving = {"bpe": 1.0, "bytes": 3.0, "twice": 2.0}
    _, as_bytes, twice = flop_equivalents(curves, serving, "bpe", compute=1e19)
    for infeasible in (as_bytes, twice):
        assert infeasible.bits_per_byte is None
        assert infeasible.note.startswith("infeasible: it costs ")
    assert as_bytes.compute == pytest.approx(-1e19)
    gentle = flop_equivalents(curves, serving, "bpe", ratio=0.1, compute=1e19)
    assert all(e.bits_per_byte is not None for e in gentle)


def test_the_usual_budget_asks_no_curve_beyond_its_points():
    curves = [arm("reference"), arm("cheap"), arm("infeasible")]
    serving = {"reference": 1.0, "cheap": 0.75, "infeasible": 5.0}
    reference, cheap, _ = flop_equivalents(curves, serving, "reference")
    assert cheap.compute == pytest.approx(1e20)  # 1.25 times the reference's
    assert reference.compute == pytest.approx(0.8e20)
    assert reference.outside == cheap.outside == ()


def test_beyond_the_points_is_refused_or_marked():
    curves, serving = [arm("reference"), arm("cheap")], {"reference": 1.0, "cheap": 0.5}
    with pytest.raises(LawError, match=r"the curve of cheap was not fitted to 1\.5e\+20 FLOPs"):
        flop_equivalents(curves, serving, "reference", compute=1e20)
    reference, cheap = flop_equivalents(curves, serving, "reference", compute=1e20, insist=True)
    assert (reference.outside, cheap.outside) == ((), ("1.5e+20 FLOPs",))
    assert cheap.bits_per_byte == pytest.approx(30 * 1.5e20**-0.1 + 0.6)


def test_an_exponent_at_the_end_of_those_tried_is_doubted():
    straight = fit_losses("straight", [1e18, 1e19, 1e20], [1.2, 1.1, 1.0])  # along log C
    sure, doubted = flop_equivalents([arm("sure"), straight], {"sure": 1, "straight": 1}, "sure")
    assert (sure.note, doubted.note) == ("", "its losses do not tell the exponent")


def test_points_that_do_not_overlap():
    curves = [arm("small", budgets=(1e17, 2e17, 4e17)), arm("large")]
    serving = {"small": 1.0, "large": 1.0}
    with pytest.raises(LawError, match="no budget lies inside"):
        flop_equivalents(curves, serving, "small")
    small, large = flop_equivalents(curves, serving, "small", insist=True)
    assert (small.outside, large.outside) == ((), ("4e+17 FLOPs",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": "nobody"}, "no losses are of the reference 'nobody'"),
        ({"serving": {"a": 1.0}}, "what it costs to serve b"),
        ({"serving": {"a": 1.0, "b": 0.0}}, "cost of serving b"),
        ({"ratio": -0.1}, "serving ratio"),
        ({"ratio": math.nan}, "serving ratio"),
        ({"compute": -1e19}, "the budget needs compute above 0"),
    ],
)
def test_wrong_questions(change, message):
    asked = {"serving": {"a": 1.0, "b": 1.0}, "reference": "a"} | change
    with pytest.raises(LawError, match=message):
        flop_equivalents([arm("a"), arm("b")], **asked)


def test_serving_counts_the_head_at_the_width_of_deployment():
    small = serving_flops_per_byte(302e6, 1024, 50_000, 0.33)
    large = serving_flops_per_byte(302e6, 1024, 128_000, 0.33 * 0.8156)
    assert large / small == pytest.approx(1.0, abs=1e-3)  # the break-even ratio of 3.1
    with pytest.raises(LawError, match="tokens per byte above 0"):
        serving_flops_per_byte(302e6, 1024, 50_000, 0)
