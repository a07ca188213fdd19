"""Flop-equivalent bits per byte: what a tokenizer's serving saves is given to its training.

Marin's rule: at a budget B = C (1 + rho), where rho are the FLOPs of a model's life in service over those of
its training, an arm that costs s times the reference to serve has C (1 + rho (1 - s)) left to train on. Its
flop-equivalent bits per byte are those of its own curve there, a C^-b + c fitted to its losses.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toktk.costs.domain import Domain, positive
from toktk.errors import LawError
from toktk.visible import listed

LEAST_POINTS = 3
"""Budgets that a curve is fitted to, at least."""

_EXPONENTS = np.arange(1, 501) / 1000  # of C; beyond 0.5 no loss of language models falls


@dataclass(frozen=True)
class LossCurve:
    """Bits per byte of one tokenizer as a function of the FLOPs of training, ``a C^-b + c``.

    Attributes:
        tokenizer: its label.
        a, b, c: as fitted, with C in units of `scale` FLOPs.
        scale: FLOPs, the geometric mean of the budgets.
        low, high: FLOPs, the least and the largest budget that it was fitted to.
        error: the root of the mean square of what the fit leaves, in bits per byte.
        at_end: whether b is the first or the last of the exponents tried: the points do not tell it.
    """

    tokenizer: str
    a: float
    b: float
    c: float
    scale: float
    low: float
    high: float
    error: float
    at_end: bool

    @property
    def domain(self) -> Domain:
        """What the curve was fitted to."""
        budgets = self.low, self.high
        return Domain(f"the curve of {self.tokenizer}", "its losses", "its text", compute=budgets)

    def bits_per_byte(self, compute: float, insist: bool = False) -> float:
        """Return the bits per byte after training with so many FLOPs.

        Raises:
            LawError: not a positive number; or FLOPs outside of the points, and nobody insists.
        """
        positive(self.domain.law, compute=compute)
        self.domain.check(insist, compute=compute)
        return float(self.a * (compute / self.scale) ** -self.b + self.c)


@dataclass(frozen=True)
class FlopEquivalent:
    """One tokenizer at the budget of all.

    Attributes:
        serving: FLOPs of inference for a byte, relative to the reference's.
        compute: FLOPs that are left to train on.
        bits_per_byte: at them; None where there are none left.
        outside: what of the question lies outside of the points of the curve, for who insisted.
        note: why there is no figure, or what to doubt of it.
    """

    tokenizer: str
    serving: float
    compute: float
    bits_per_byte: float | None
    outside: tuple[str, ...] = ()
    note: str = ""


def fit_losses(
    tokenizer: str, compute: Sequence[float], bits_per_byte: Sequence[float]
) -> LossCurve:
    """Fit ``a C^-b + c`` to losses: b of a grid up to 0.5, a and c by least squares.

    Losses at one budget, as of several seeds, are averaged first.

    Raises:
        LawError: fewer than three different budgets, a number that is not positive, or losses that do
            not fall from each budget to the next.
    """
    what = f"a curve of {tokenizer}"
    if len(compute) != len(bits_per_byte):
        raise LawError(
            f"{what} needs a loss for each budget.",
            f"Found: {len(compute)} budgets and {len(bits_per_byte)} losses.",
        )
    for flops, loss in zip(compute, bits_per_byte, strict=True):
        positive(what, FLOPs=flops, bits_per_byte=loss)
    budgets = sorted(set(map(float, compute)))
    if len(budgets) < LEAST_POINTS:
        raise LawError(
            f"{what} needs losses at {LEAST_POINTS} or more budgets: it has three unknowns.",
            f"Found: {listed([f'{flops:.3g}' for flops in budgets]) or 'none'} FLOPs.",
            "Train it at further budgets, or leave it out.",
        )
    losses = [
        math.fsum(own) / len(own)
        for flops in budgets
        if (own := [v for f, v in zip(compute, bits_per_byte, strict=True) if f == flops])
    ]
    for i, (before, after) in enumerate(itertools.pairwise(losses)):
        if after >= before:
            raise LawError(
                f"the losses of {tokenizer} do not fall as compute grows.",
                f"Found: {before:g} bits per byte at {budgets[i]:.3g} FLOPs, {after:g} at "
                f"{budgets[i + 1]:.3g}.",
                "Average several seeds, or leave out runs that were not trained to their end.",
            )
    scale = math.exp(math.fsum(map(math.log, budgets)) / len(budgets))
    # float64[500, n]: one row an exponent, each a simple regression.
    powers = (np.array(budgets) / scale) ** -_EXPONENTS[:, None]
    y = np.array(losses)
    centered = powers - powers.mean(axis=1, keepdims=True)
    slopes = (centered @ (y - y.mean())) / (centered**2).sum(axis=1)
    constants = y.mean() - slopes * powers.mean(axis=1)
    squares = ((slopes[:, None] * powers + constants[:, None] - y) ** 2).mean(axis=1)
    best = int(np.argmin(squares))
    return LossCurve(
        tokenizer,
        float(slopes[best]),
        float(_EXPONENTS[best]),
        float(constants[best]),
        scale,
        budgets[0],
        budgets[-1],
        math.sqrt(squares[best]),
        best in (0, _EXPONENTS.size - 1),
    )


def serving_flops_per_byte(
    parameters: float, width: float, size: int, tokens_per_byte: float
) -> float:
    """Return the FLOPs of inference for a byte of text, attention left out: 2 (Nnv + V d) q.

    The parameters are those of the deployed model that are active for a token, without embedding and head.

    Raises:
        LawError: not positive numbers.
    """
    positive(
        "the cost of serving",
        parameters=parameters,
        width=width,
        size=size,
        tokens_per_byte=tokens_per_byte,
    )
    return 2 * (parameters + size * width) * tokens_per_byte


def flop_equivalents(
    curves: Sequence[LossCurve],
    serving: Mapping[str, float],
    reference: str,
    *,
    ratio: float = 1.0,
    compute: float | None = None,
    insist: bool = False,
) -> list[FlopEquivalent]:
    """Return the flop-equivalent bits per byte of each tokenizer, in the order of the curves.

    Args:
        serving: {tokenizer: FLOPs of inference for a byte, at the deployed model}; only what they are to one
            another matters.
        reference: the tokenizer whose serving sets the budget.
        ratio: rho, FLOPs of service over FLOPs of training.
        compute: C, the FLOPs of training of the reference; by default the most for which no curve is
            asked beyond its points.
        insist: ask curves outside of their points too.

    Raises:
        LawError: no such tokenizer, a cost that is not positive, or a negative ratio; no budget lies inside
            of all curves, or the one asked for does not, and nobody insists.
    """
    labels = [curve.tokenizer for curve in curves]
    if reference not in labels:
        raise LawError(
            f"no losses are of the reference {reference!r}.", f"Found: {listed(labels) or 'none'}."
        )
    if missing := [label for label in labels if label not in serving]:
        raise LawError(
            f"it is not known what it costs to serve {listed(missing)}.",
            f"Found: {listed([*serving]) or 'none'}.",
            "Call tokenizers in the losses as the run calls them, and measure all of them.",
        )
    if not 0 <= ratio < float("inf"):
        raise LawError(
            f"a serving ratio of {ratio!r} is none.",
            "Give FLOPs of service over FLOPs of training: 0 or more.",
        )
    for label in labels:
        positive(f"the cost of serving {label}", FLOPs_per_byte=serving[label])
    relative = {label: serving[label] / serving[reference] for label in labels}
    shares = {label: 1 + ratio * (1 - s) for label, s in relative.items()}
    if compute is None:
        compute = _widest(curves, shares, insist)
    positive("the budget", compute=compute)
    equivalents = []
    for curve in curves:
        label = curve.tokenizer
        left = compute * shares[label]
        if left <= 0:
            note = (
                f"infeasible: it costs {relative[label]:.3g} times the reference to serve, which leaves "
                f"nothing to train on"
            )
            equivalents.append(FlopEquivalent(label, relative[label], left, None, (), note))
            continue
        value = curve.bits_per_byte(left, insist)
        outside = curve.domain.outside(compute=left)
        note = "its losses do not tell the exponent" if curve.at_end else ""
        equivalents.append(FlopEquivalent(label, relative[label], left, value, outside, note))
    return equivalents


def _widest(curves: Sequence[LossCurve], shares: Mapping[str, float], insist: bool) -> float:
    """Return the most FLOPs at which every feasible curve is asked inside of its points."""
    feasible = [(c, shares[c.tokenizer]) for c in curves if shares[c.tokenizer] > 0]
    most = min(curve.high / share for curve, share in feasible)
    for curve, share in feasible:
        if not insist and curve.domain.outside(compute=most * share):
            raise LawError(
                "no budget lies inside of the points of all curves.",
                f"Found: at {most:.3g} FLOPs of the reference, {curve.tokenizer} has "
                f"{most * share:.3g}, and losses from {curve.low:.3g} to {curve.high:.3g}.",
                "Train at budgets that overlap, lower the serving ratio, or insist (--insist, insist=True).",
            )
    return most
