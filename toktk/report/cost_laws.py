"""What laws say of the size of a trained family, and what losses of a user's own say of tokenizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from toktk.costs.curve import MeasuredCurve
from toktk.costs.flop_equivalent import FlopEquivalent, flop_equivalents
from toktk.costs.laws import LawAnswer, disagreement, what_laws_say
from toktk.costs.price import body_parameters, serve_flops
from toktk.errors import CostError, did_you_mean
from toktk.report.cost_question import Question
from toktk.report.token_rates import Rate, Rates, families_of
from toktk.visible import listed


@dataclass(frozen=True)
class FamilyLaws:
    """What laws say of the size of a family, for one model.

    Attributes:
        rate: of its largest tokenizer.
        answers: first what the measured curve says, then a law each.
    """

    family: str
    rate: Rate
    answers: tuple[LawAnswer, ...]


def disagreements(laws: Sequence[FamilyLaws]) -> list[str]:
    """Return what to say where no size of a family is as good to all that answer, a line each."""
    families: dict[str, list[str]] = {}
    for own in laws:
        families.setdefault(disagreement(own.answers), []).append(own.family)
    return [f"{listed(own)}: {text}" for text, own in families.items() if text]


def laws_of(rates: Rates, asked: Question) -> tuple[FamilyLaws, ...]:
    """Return what laws say of each family of several sizes that was trained; nothing of several models.

    Raises:
        LawError: the model has more parameters than any law can be asked with.
    """
    if len(asked.models) != 1:
        return ()
    (model,) = asked.models
    laws = []
    for family, own in families_of(rates).items():
        curve = {rate.size: rate.q for rate in own}
        if family is None or len(curve) < 2:
            continue
        answers = what_laws_say(
            body_parameters(model),
            model.width,
            MeasuredCurve((*curve,), (*curve.values(),), rates.bytes_per_char(own[-1].label)),
            compute=asked.compute,
            parity=asked.parity,
            insist=asked.insist,
        )
        laws.append(FamilyLaws(family, own[-1], tuple(answers)))
    return tuple(laws)


def equivalents_of(rates: Rates, base: Rate, asked: Question) -> tuple[FlopEquivalent, ...]:
    """Return the flop-equivalent bits per byte of the tokenizers with losses, in the order of the rates.

    What lies beyond the losses of a tokenizer has no figure unless the asker insists, and says so.

    Raises:
        CostError: losses of a tokenizer that the run lacks, or none of the base.
    """
    if asked.losses is None:
        return ()
    (model,) = asked.models
    known = rates.tokenizers
    curves = {curve.tokenizer: curve for curve in asked.losses}
    for label in curves:
        if label not in known:
            raise CostError(
                f"losses are of {label!r}, which the run lacks{did_you_mean(label, known)}.",
                f"Found: {listed([*known])}.",
                "Call tokenizers in the losses as the run calls them.",
            )
    if base.label not in curves:
        raise CostError(
            f"no losses are of {base.label!r}, which others are compared with.",
            f"Found: losses of {listed([*curves]) or 'no tokenizer'}.",
            "Name one of them: --baseline.",
        )
    equivalents = flop_equivalents(
        [curves[label] for label in known if label in curves],
        {
            label: serve_flops(model, rate.size, rate.q, asked.context)
            for label, rate in known.items()
        },
        base.label,
        ratio=asked.rho,
        compute=asked.compute,
        insist=True,
    )
    return tuple(_answered(each, asked.insist) for each in equivalents)


def _answered(equivalent: FlopEquivalent, insist: bool) -> FlopEquivalent:
    """Return what was asked beyond the losses marked, or without its figure."""
    if not equivalent.outside:
        return equivalent
    beyond = ", ".join(equivalent.outside)
    if insist:
        note = "; ".join(filter(None, (f"extrapolated to {beyond}", equivalent.note)))
        return replace(equivalent, note=note)
    return replace(
        equivalent, bits_per_byte=None, note=f"not asked: its losses do not reach {beyond}"
    )
