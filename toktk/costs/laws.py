"""What the laws say of a model and a measured curve, side by side: where they disagree, all of them stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

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

MEASURED = "fewest FLOPs per byte on the measured curve, attention left out"
"""What the row is called that is arithmetic and no law: see `toktk.costs.tao.cheapest_size`."""

Fit = Literal["inside", "extrapolated", "not asked"]


@dataclass(frozen=True)
class LawAnswer:
    """The vocabulary size that one law names for a model.

    Attributes:
        key: a short name of the law, such as ``tao-1``.
        law: what it is called.
        size: ids; None where the law was not fitted to the question.
        low, high: sizes as good as `size`, where the law tells them: within 1 % of its least cost or loss.
        compute: FLOPs of training that the law was asked with; None: it needs none.
        bytes_per_token: that the law holds for best, on the text at hand.
        outside: what of question and answer lies outside of where the law was fitted, as ``7B parameters``.
        remarks: what else to know of the answer.
        fitted: where the law was fitted.
        source: where it is published.
    """

    key: str
    law: str
    size: int | None
    low: int | None
    high: int | None
    compute: float | None
    bytes_per_token: float | None
    outside: tuple[str, ...]
    remarks: tuple[str, ...]
    fitted: str
    source: str

    @property
    def fit(self) -> Fit:
        """Whether the law was fitted to the question, and else what became of it."""
        if not self.outside:
            return "inside"
        return "not asked" if self.size is None else "extrapolated"

    @property
    def note(self) -> str:
        """Why there is no size, or what to know of it."""
        beyond = ", ".join(self.outside)
        why = {
            "inside": "",
            "extrapolated": f"extrapolated to {beyond}",
            "not asked": f"not asked: it was not fitted to {beyond}",
        }
        return "; ".join(filter(None, (why[self.fit], *self.remarks)))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, fit and note, JSON-able."""
        return {**asdict(self), "fit": self.fit, "note": self.note}


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
    cheapest = cheapest_size(parameters, width, curve, flat)
    remarks = _characters(curve, cheapest.size)
    predictions = {
        "tao-1": by_isoflops(parameters, width, compute, insist=True),
        "tao-2": by_derivative(parameters, width, insist=True),
        "tao-3": by_loss(parameters, width, compute, insist=True),
    }
    return [
        _measured(cheapest, curve),
        *(_of_tao(key, each, remarks, insist) for key, each in predictions.items()),
        _of_limisiewicz(parameters, curve, compute, parity, flat, insist),
    ]


def disagreement(answers: Sequence[LawAnswer]) -> str:
    """Return what to say where no size is as good to all that answer; empty where one is."""
    spans = [(a.low or a.size, a.high or a.size) for a in answers if a.size is not None]
    lowest = max((low for low, _ in spans if low is not None), default=0)
    highest = min((high for _, high in spans if high is not None), default=0)
    if lowest <= highest:
        return ""
    sizes = [answer.size for answer in answers if answer.size is not None]
    return (
        f"answers lie from {min(sizes):,} to {max(sizes):,} ids: the laws were fitted to different "
        "questions (docs/laws.md)"
    )


def _characters(curve: MeasuredCurve, size: int) -> tuple[str, ...]:
    """Return how far the text is from that of Tao et al., whose law is one of characters."""
    if curve.bytes_per_char is None:
        return ()
    own, theirs = float(curve.at(size)[0]) * curve.bytes_per_char, tokens_per_char(size)
    return (f"tokens per character at {size:,} ids: {theirs:.3f} of its text, {own:.3f} of this",)


def _measured(region: Region, curve: MeasuredCurve) -> LawAnswer:
    return LawAnswer(
        key="measured",
        law=MEASURED,
        size=region.size,
        low=region.low,
        high=region.high,
        compute=None,
        bytes_per_token=float(1 / curve.at(region.size)[0]),
        outside=(),
        remarks=_beyond(region),
        fitted=f"measured at {len(curve.sizes)} sizes, {curve.sizes[0]:,} to {curve.sizes[-1]:,} ids",
        source="2 (Nnv + V d) q",
    )


def _of_tao(key: str, predicted: Prediction, remarks: tuple[str, ...], insist: bool) -> LawAnswer:
    is_refused = bool(predicted.outside) and not insist
    return LawAnswer(
        key=key,
        law=predicted.domain.law,
        size=None if is_refused else predicted.size,
        low=None,
        high=None,
        compute=predicted.compute,
        bytes_per_token=None,
        outside=predicted.outside,
        remarks=() if is_refused else remarks,
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
    is_refused = bool(outside) and not insist
    return LawAnswer(
        key="limisiewicz",
        law=law.domain.law,
        size=None if is_refused else region.size,
        low=None if is_refused else region.low,
        high=None if is_refused else region.high,
        compute=flops,
        bytes_per_token=None if is_refused else best,
        outside=outside,
        remarks=() if is_refused else _beyond(region),
        fitted=str(law.domain),
        source=law.domain.source,
    )


def _beyond(region: Region) -> tuple[str, ...]:
    if not region.edge:
        return ()
    way = "smaller" if region.edge == "smallest" else "larger"
    return (f"the {region.edge} size measured: a {way} one may be better",)
