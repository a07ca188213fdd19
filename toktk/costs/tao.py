"""Tao et al. 2024: the vocabulary size that a model wants, by three approaches, and on a measured curve.

Nv = V d are the parameters of one embedding matrix (tied), Nnv all others, F = 6 (Nnv + V d) D the
FLOPs of training on D tokens. The constants are those of the authors' own code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from toktk.costs.curve import FLAT, MeasuredCurve, Region
from toktk.costs.domain import Domain, positive, written
from toktk.errors import LawError

ISOFLOPS = Domain(
    law="Tao et al. 2024, approach 1 (equal FLOPs)",
    source="Scaling Laws with Vocabulary, NeurIPS 2024, arXiv 2407.13623",
    year=2024,
    corpus="SlimPajama, mostly English",
    parameters=(33e6, 1.13e9),
    compute=(1.27e16, 4.37e20),
    sizes=(4_096, 96_256),
)
DERIVATIVE = replace(
    ISOFLOPS,
    law="Tao et al. 2024, approach 2 (derivative)",
    parameters=(33e6, 2.87e9),
    compute=None,
)
PARAMETRIC = replace(ISOFLOPS, law="Tao et al. 2024, approach 3 (parametric loss)")

WIDTHS = (
    (50e6, 512),
    (200e6, 768),
    (500e6, 1024),
    (1e9, 1536),
    (2e9, 2048),
    (5e9, 3200),
    (10e9, 4096),
    (20e9, 5120),
    (50e9, 6048),
    (100e9, 8192),
    (200e9, 12288),
    (500e9, 16384),
)
"""(parameters without embedding, width): up to so many parameters, a model is assumed to be so wide."""

_CAP = 200_000  # ids; tokens per character were not fitted beyond
_A, _B, _C = 0.00639222, -0.15811069, 1.20470122
_LOG_NNV, _LOG_NV, _NV_EXPONENT = -2.4846510161625193, -1.589031299255507, 0.4163622634135234
_NV_FIRST, _NNV_FIRST, _GAMMA = 3_145_728, 33e6, 0.8353974035228025
_A2, _B_DATA, _ALPHA2, _BETA = (
    0.19584238398665638,
    2.1241123120064955,
    0.6707374679896795,
    0.44660634152009615,
)


@dataclass(frozen=True)
class Prediction:
    """The vocabulary size that an approach predicts.

    Attributes:
        domain: of the approach.
        size: ids.
        width: of the model, as given or by `WIDTHS`.
        compute: FLOPs of training, as given or those that approach 1 holds for optimal; None: not used.
        outside: what of question and answer lies outside of the domain, for who insisted.
    """

    domain: Domain
    size: int
    width: int
    compute: float | None
    outside: tuple[str, ...]


def tokens_per_char(size: float) -> float:
    """Return f(V), tokens per character as the authors fitted them; flat from 200,000 ids.

    Raises:
        LawError: a size below 1.
    """
    if not size >= 1:
        raise LawError(f"there is no vocabulary of {size:g} ids.", "Give 1 or more.")
    log = math.log(min(size, _CAP))
    return _A * log**2 + _B * log + _C


def width_of(parameters: float) -> int:
    """Return the width that the authors assume of a model with so many parameters besides the embedding.

    Raises:
        LawError: not a positive number, or more parameters than their table has.
    """
    positive("the table of widths", parameters=parameters)
    for most, width in WIDTHS:
        if parameters <= most:
            return width
    raise LawError(
        f"no width is known of a model with {written('parameters', parameters)} parameters.",
        f"Found: a table up to {written('parameters', WIDTHS[-1][0])}.",
        "Give the width.",
    )


def compute_of(parameters: float) -> float:
    """Return the FLOPs of training at which approach 1 holds a model of so many parameters for optimal."""
    return float((parameters / math.exp(_LOG_NNV)) ** 2)


def by_isoflops(
    parameters: float,
    width: int | None = None,
    compute: float | None = None,
    insist: bool = False,
) -> Prediction:
    """Return the size by approach 1: Nv is a power of the FLOPs, fitted to the best of equal FLOPs.

    Args:
        parameters: of the model, without embedding and head.
        width: by default that of the authors' table.
        compute: FLOPs of training, by default the optimal ones.
        insist: answer outside of the domain too.

    Raises:
        LawError: not positive numbers; or question or answer are outside, and nobody insists.
    """

    def vocabulary(flops: float) -> float:
        return float(math.exp(_LOG_NV) * flops**_NV_EXPONENT)

    return _predicted(ISOFLOPS, vocabulary, parameters, width, compute, insist)


def by_derivative(parameters: float, width: int | None = None, insist: bool = False) -> Prediction:
    """Return the size by approach 2: from the best size of a small model, by a power of the parameters.

    The exponent is that of the sizes where the derivative of the FLOPs by V is 0. See `by_isoflops`.
    """

    def vocabulary(_: float) -> float:
        return float(_NV_FIRST * (parameters / _NNV_FIRST) ** _GAMMA)

    predicted = _predicted(DERIVATIVE, vocabulary, parameters, width, None, insist)
    return replace(predicted, compute=None)


def by_loss(
    parameters: float,
    width: int | None = None,
    compute: float | None = None,
    insist: bool = False,
) -> Prediction:
    """Return the size by approach 3: where a fitted formula of the loss is least.

    L = -E + A1 / Nnv^a1 + A2 / Nv^a2 + B / D^b, D = F / (6 (Nnv + Nv)) tokens, in millions of parameters
    and thousands of millions of tokens. dL/dNv is 0 where Nv^(a2 + 1) (Nnv + Nv)^(b - 1) =
    a2 A2 / (b B) (F / 6)^b; the left side ascends, so that bisection finds the only root. See `by_isoflops`.
    """

    def vocabulary(flops: float) -> float:
        others = parameters / 1e6
        goal = math.log(_ALPHA2 * _A2 / (_BETA * _B_DATA)) + _BETA * math.log(flops / 1e15 / 6)

        def slope(log: float) -> float:
            return (_ALPHA2 + 1) * log + (_BETA - 1) * math.log(others + math.exp(log)) - goal

        return 1e6 * math.exp(_root(slope, -30.0, 60.0))

    return _predicted(PARAMETRIC, vocabulary, parameters, width, compute, insist)


def cheapest_size(
    parameters: float, width: int, curve: MeasuredCurve, flat: float = FLAT
) -> Region:
    """Return where (Nnv + V d) q(V) is least, q being the measured tokens per byte.

    That is the derivative of approach 2 with a curve of the user's own text instead of f(V): the size with
    the fewest FLOPs for a byte of text. It is arithmetic on what was measured, so no domain limits it but
    the measured sizes; and it says nothing of the loss.

    Raises:
        LawError: not positive numbers.
    """
    positive("the cheapest size", parameters=parameters, width=width)
    return curve.least(lambda sizes, tokens: (parameters + sizes * width) * tokens, flat)


def _predicted(
    domain: Domain,
    vocabulary: Callable[[float], float],
    parameters: float,
    width: int | None,
    compute: float | None,
    insist: bool,
) -> Prediction:
    """Return what an approach predicts; `vocabulary` gives Nv from the FLOPs of training."""
    positive(domain.law, parameters=parameters, width=width, compute=compute)
    domain.check(insist, parameters=parameters, compute=compute)
    wide = width_of(parameters) if width is None else width
    flops = compute_of(parameters) if compute is None else compute
    size = int(vocabulary(flops) / wide)
    outside = domain.check(insist, parameters=parameters, compute=compute, sizes=size)
    return Prediction(domain, size, wide, flops, outside)


def _root(ascending: Callable[[float], float], low: float, high: float) -> float:
    """Return where an ascending function is 0, between `low` and `high`, as exactly as floats can."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if ascending(middle) < 0 else (low, middle)
    return low
