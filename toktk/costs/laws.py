"""What the laws say of a model and a measured curve, side by side: where they disagree, all of them stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from toktk.costs.curve import FLAT, MeasuredCurve, Region
from toktk.costs.limisiewicz import SUBWORD
from toktk.costs.tao import (
    Prediction,
    by_derivative,
    by_isoflops,
    by_loss,
    cheapest_size,
    tokens_per_char,
)

MEASURED = "fewest FLOPs per byte on the measured curve"
"""What the row is called that is arithmetic and no law: see `toktk.costs.tao.cheapest_size`."""


@dataclass(frozen=True)
class LawAnswer:
    """The vocabulary size that one law names for a model.

    Attributes:
        law: what it is called.
        size: ids; None where the law was not fitted to the question.
        low, high: sizes as good as `size`, where the law tells them: within 1 % of its least cost or loss.
        compute: FLOPs of training that the law was asked with; None: it needs none.
        bytes_per_token: that the law holds for best, on the text at hand.
        inside: whether question and answer lie where the law was fitted.
        note: why there is no size, or what to know of it.
        fitted: where the law was fitted.
        source: where it is published.
    """

    law: str
    size: int | None
    low: int | None
    high: int | None
    compute: float | None
    bytes_per_token: float | None
    inside: bool
    note: str
    fitted: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def what_laws_say(
    parameters: float,
    width: int,
    curve: MeasuredCurve,
    *,
    compute: float | None = None,
    parity: float = 1.0,
    flat: float = FLAT,
    insist: bool = False,
) -> list[LawAnswer]:
    """Return the answer of each law, and first what the measured curve itself says.

    Args:
        parameters: of the model, without embedding and head; of experts, the active ones.
        width: of the model.
        curve: of one family; best of English text, to which the laws were fitted.
        compute: FLOPs of training; by default those that each law holds optimal for the model.
        parity: bytes that the text takes for the content of a byte of English.
        flat: the share of a cost or a loss within which sizes are as good.
        insist: extrapolate, and say so.

    Raises:
        LawError: something is no positive number.
    """
    return [
        _measured(cheapest_size(parameters, width, curve, flat), curve),
        _of_tao(by_isoflops(parameters, width, compute, insist=True), curve, insist),
        _of_tao(by_derivative(parameters, width, insist=True), curve, insist),
        _of_tao(by_loss(parameters, width, compute, insist=True), curve, insist),
        _of_limisiewicz(parameters, curve, compute, parity, flat, insist),
    ]


def disagreement(answers: Sequence[LawAnswer]) -> str:
    """Return what to say where no size is as good to all laws that answer; empty where one is."""
    spans = [(a.low or a.size, a.high or a.size) for a in answers if a.size is not None]
    lowest = max((low for low, _ in spans if low is not None), default=0)
    highest = min((high for _, high in spans if high is not None), default=0)
    if lowest <= highest:
        return ""
    sizes = [answer.size for answer in answers if answer.size is not None]
    return (
        f"The laws disagree, from {min(sizes):,} to {max(sizes):,} ids: they were fitted to other questions "
        "(docs/laws.md)."
    )


def _measured(region: Region, curve: MeasuredCurve) -> LawAnswer:
    return LawAnswer(
        law=MEASURED,
        size=region.size,
        low=region.low,
        high=region.high,
        compute=None,
        bytes_per_token=float(1 / curve.at(region.size)[0]),
        inside=True,
        note="; ".join(filter(None, ("cost alone, not quality", _beyond(region)))),
        fitted=f"measured at {len(curve.sizes)} sizes, {curve.sizes[0]:,} to {curve.sizes[-1]:,} ids",
        source="2 (Nnv + V d) q",
    )


def _of_tao(predicted: Prediction, curve: MeasuredCurve, insist: bool) -> LawAnswer:
    note, is_refused = _verdict(predicted.outside, insist)
    if not is_refused and curve.bytes_per_char is not None:
        near = min(max(predicted.size, curve.sizes[0]), curve.sizes[-1])
        here = float(curve.at(near)[0]) * curve.bytes_per_char
        theirs = f"tokens per character at {near:,} ids: {tokens_per_char(near):.3f} there"
        note = "; ".join(filter(None, (note, f"{theirs}, {here:.3f} here")))
    return LawAnswer(
        law=predicted.domain.law,
        size=None if is_refused else predicted.size,
        low=None,
        high=None,
        compute=predicted.compute,
        bytes_per_token=None,
        inside=not predicted.outside,
        note=note,
        fitted=str(predicted.domain),
        source=predicted.domain.source,
    )


def _of_limisiewicz(
    parameters: float,
    curve: MeasuredCurve,
    compute: float | None,
    parity: float,
    flat: float,
    insist: bool,
) -> LawAnswer:
    law = SUBWORD
    flops = law.compute_of(parameters, insist=True) if compute is None else compute
    best = law.bytes_per_token(flops, parity, insist=True)
    region = law.best_size(curve, flops, parity, flat, insist=True)
    reached = float(1 / curve.at(region.size)[0])
    outside = law.domain.outside(
        parameters=parameters, compute=flops, bytes_per_token=best / parity
    )
    outside = outside or law.domain.outside(bytes_per_token=reached / parity)
    note, is_refused = _verdict(outside, insist)
    return LawAnswer(
        law=law.domain.law,
        size=None if is_refused else region.size,
        low=None if is_refused else region.low,
        high=None if is_refused else region.high,
        compute=flops,
        bytes_per_token=None if is_refused else best,
        inside=not outside,
        note=note if is_refused else "; ".join(filter(None, (note, _beyond(region)))),
        fitted=str(law.domain),
        source=law.domain.source,
    )


def _verdict(outside: Sequence[str], insist: bool) -> tuple[str, bool]:
    """Return what to say of what lies outside of a domain, and whether the law is not asked."""
    if not outside:
        return "", False
    if insist:
        return f"extrapolated to {', '.join(outside)}", False
    return f"not asked: it was not fitted to {', '.join(outside)}", True


def _beyond(region: Region) -> str:
    if not region.edge:
        return ""
    way = "smaller" if region.edge == "smallest" else "larger"
    return f"the {region.edge} size measured: a {way} one may be better"
