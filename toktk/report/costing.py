"""The price of each tokenizer of a run to each model, from stored counts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from toktk.costs.flop_equivalent import FlopEquivalent
from toktk.costs.models import Model
from toktk.costs.price import (
    body_flops,
    body_parameters,
    break_even_ratio,
    embedding_parameters,
    embedding_share,
    head_share,
    kv_bytes_per_token,
    logits_bytes,
    serve_flops,
    train_flops,
)
from toktk.errors import CostError, did_you_mean
from toktk.pieces.table import POOLED
from toktk.report.cost_laws import FamilyLaws, disagreements, equivalents_of, laws_of
from toktk.report.cost_question import Question
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import ALIKE, NO_INTERVAL, Record, signature
from toktk.report.records import ONE_DECIDES as ONE_DOCUMENT
from toktk.report.token_rates import REASONS, Rate, Rates, families_of
from toktk.sizes import parse_size
from toktk.stats.difference import Difference
from toktk.visible import listed

FLAT = 0.01
"""Costs that are apart by no more than this share are as good as equal."""

USUAL = 50_000
"""The size that others are compared with, where a run has it."""

CHEAPEST, AS_CHEAP = "cheapest", "as cheap"
"""How the note of a relative cost begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRecord:
    """One figure: what a tokenizer costs a model, or what a law says of the size of a family.

    Attributes:
        tokenizer, family, trainer, size, corpus: as in `toktk.report.records.Record`; a law is of a family,
            so that its figures have neither tokenizer nor size.
        group: "all", "weighted", or the group that a price is of.
        model: its name; None for what does not depend on a model.
        value, low, high: the figure, exact on this text, and where it lies for text like it; None: not known.
        n, n_effective: documents that the interval rests on, and how many of equal size tell as much.
    """

    tokenizer: str | None
    family: str
    trainer: str | None
    size: int | None
    corpus: str
    group: str
    model: str | None
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str
    n: int | None = None
    n_effective: float | None = None
    note: str | None = None
    signature: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Which size of a family costs a model least.

    Attributes:
        family: its label; None for tokenizers that were not trained in the run, which are judged together.
        sizes: labels of all of them, ascending by size.
        flat: labels that the interval or `FLAT` cannot tell from the cheapest, itself among them.
        first, second: labels of the base and the largest vocabulary, or the smallest where the base is that.
        needed: the tokens of `second` over those of `first` below which it pays.
        ratio, low, high: what they are on this text, and where they lie for text like it.
        verdict: of `second`: pays, does not pay or undecided; None without an interval.
    """

    family: str | None
    model: str
    sizes: tuple[str, ...]
    cheapest: str
    flat: tuple[str, ...]
    first: str
    second: str
    needed: float
    ratio: float
    low: float | None
    high: float | None
    verdict: str | None


@dataclass(frozen=True)
class CostFigures:
    """All figures of costs; see `toktk.report.cost.Costs`."""

    records: tuple[CostRecord, ...]
    choices: tuple[Choice, ...]
    asked: Question
    baseline: str
    corpus: str
    notes: tuple[str, ...] = ()
    laws: tuple[FamilyLaws, ...] = ()
    equivalents: tuple[FlopEquivalent, ...] = ()


def cost_figures(
    records: Sequence[Record], documents: DocumentCounts | None, asked: Question
) -> CostFigures:
    """Return what each tokenizer of some records costs each model.

    Raises:
        CostError: the records lack counts, or what is asked names what they do not have.
        LawError: a law is asked with what is no model.
    """
    asked.check()
    rates = Rates(records, documents, asked.weights)
    base = baseline_of(rates, asked.baseline)
    costing = _Costing(rates, base, asked)
    choices = tuple(costing.choices())
    laws, equivalents = laws_of(rates, asked), equivalents_of(rates, base, asked)
    figures = [*costing.of_text(), *costing.of_models(choices), *costing.of_prices()]
    figures += [*costing.of_losses(equivalents), *costing.of_laws(laws)]
    notes = costing.notes(laws)
    return CostFigures(
        tuple(figures), choices, asked, base.label, rates.corpus, notes, laws, equivalents
    )


def baseline_of(rates: Rates, wanted: str | None) -> Rate:
    """Return the tokenizer that costs are relative to.

    By default that of 50,000 ids of the first family that was trained, or else that of its middle size; of
    a run that trained none, of all tokenizers.

    Raises:
        CostError: there is no such tokenizer.
    """
    known = rates.tokenizers
    families = families_of(rates)
    first = next((own for name, own in families.items() if name is not None), None)
    chosen = first or next(iter(families.values()))
    if wanted is None:
        usual = next((rate for rate in chosen if rate.size == USUAL), None)
        return usual or chosen[(len(chosen) - 1) // 2]
    if wanted in known:
        return known[wanted]
    try:
        size = parse_size(wanted)
    except ValueError:
        size = 0
    of_size = [rate for own in (chosen, known.values()) for rate in own if rate.size == size]
    if not of_size:
        raise CostError(
            f"no tokenizer is called {wanted!r} or has that size{did_you_mean(wanted, known)}.",
            f"Found: {listed([*known])}.",
            "Name one of them, or a size such as 50k.",
        )
    return of_size[0]


class _Costing:
    """Costs of the tokenizers of a run relative to a base."""

    def __init__(self, rates: Rates, base: Rate, asked: Question) -> None:
        self.rates = rates
        self.base = base
        self.asked = asked

    def cost(self, model: Model, rate: Rate, q: float | None = None) -> float:
        """Return the FLOPs to serve a byte, at the tokenizer's tokens per byte or at others."""
        return serve_flops(model, rate.size, rate.q if q is None else q, self.asked.context)

    def relative(
        self, model: Model, rate: Rate, base: Rate
    ) -> tuple[float, float | None, float | None, Difference]:
        """Return the cost over that of a base with its interval, which is that of the ratio of tokens.

        The tokens per byte of the base are taken as they are: where attention depends on them, what is
        neglected is of the second order.
        """
        difference = self.rates.difference(rate.label, base.label)
        budget = self.cost(model, base)
        low, high = (
            None if bound is None else self.cost(model, rate, base.q * (1 + bound)) / budget
            for bound in (difference.low, difference.high)
        )
        return self.cost(model, rate) / budget, low, high, difference

    def choices(self) -> Iterator[Choice]:
        """Yield the choice of each family for each model."""
        for family, own in families_of(self.rates).items():
            if len(own) < 2:
                continue
            base = self._base_among(own)
            for model in self.asked.models:
                yield self._choice(family, own, base, model)

    def _base_among(self, own: Sequence[Rate]) -> Rate:
        """Return the base, or what stands for it in a family: that of its size, or in the middle."""
        alike = [rate for rate in own if rate == self.base] or [
            rate for rate in own if rate.size == self.base.size
        ]
        return alike[0] if alike else own[(len(own) - 1) // 2]

    def _choice(self, family: str | None, own: Sequence[Rate], base: Rate, model: Model) -> Choice:
        cheapest = min(own, key=lambda rate: self.cost(model, rate))
        flat = [rate.label for rate in own if self._is_flat(model, rate, cheapest)]
        second = own[-1] if own[-1] is not base else own[0]
        needed = break_even_ratio(model, self.asked.context, base.size, second.size, base.q)
        difference = self.rates.difference(second.label, base.label)
        ratio = second.q / base.q
        low, high = (None if b is None else 1 + b for b in (difference.low, difference.high))
        verdict = None
        if low is not None and high is not None:
            verdict = "pays" if high < needed else "does not pay" if low > needed else "undecided"
        return Choice(
            family,
            model.name,
            tuple(rate.label for rate in own),
            cheapest.label,
            tuple(flat),
            base.label,
            second.label,
            needed,
            ratio,
            low,
            high,
            verdict,
        )

    def _is_flat(self, model: Model, rate: Rate, cheapest: Rate) -> bool:
        if rate is cheapest:
            return True
        over, low, _, _ = self.relative(model, rate, cheapest)
        return over <= 1 + FLAT or (low is not None and low <= 1)

    # Records --------------------------------------------------------------------------------------

    def of_text(self) -> Iterator[CostRecord]:
        """Yield what depends on no model."""
        for rate in self.rates.tokenizers.values():
            bounds = rate.low, rate.high
            yield self._record(rate, None, "tokens_per_byte", rate.q, "tokens/byte", bounds)
            difference = self.rates.difference(rate.label, self.base.label)
            yield self._record(
                rate,
                None,
                f"token_ratio[{self.base.label}]",
                rate.q / self.base.q,
                "ratio",
                _plus_one(difference),
                difference,
            )

    def of_models(self, choices: Sequence[Choice]) -> Iterator[CostRecord]:
        """Yield what each tokenizer costs each model."""
        by_label = {(c.model, label): c for c in choices for label in c.sizes}
        for rate in self.rates.tokenizers.values():
            for model in self.asked.models:
                yield from self._parameters(rate, model)
                yield from self._flops(rate, model, by_label.get((model.name, rate.label)))
                yield from self._memory(rate, model)

    def _parameters(self, rate: Rate, model: Model) -> Iterator[CostRecord]:
        size, tied = rate.size, model.tied
        own = embedding_parameters(model.width, size, tied)
        share = embedding_share(body_parameters(model, stored=True), model.width, size, tied)
        yield self._record(rate, model, "embedding_parameters", own, "parameters")
        yield self._record(rate, model, "embedding_share", share, "share")

    def _flops(self, rate: Rate, model: Model, choice: Choice | None) -> Iterator[CostRecord]:
        context, unit = self.asked.context, "FLOPs/byte"
        body = body_flops(model, context.tokens(rate.q))
        share = head_share(body, model.width, rate.size)
        yield self._record(rate, model, "head_share", share, "share")
        serve, train = (
            [
                None if q is None else flops(model, rate.size, q, context)
                for q in (rate.q, rate.low, rate.high)
            ]
            for flops in (serve_flops, train_flops)
        )
        figures = {"train_flops_per_byte": train, "serve_flops_per_byte": serve}
        if self.asked.serving_ratio is not None:
            ratio = self.asked.serving_ratio
            figures[f"lifetime_flops_per_byte[{ratio:g}]"] = [
                None if a is None or b is None else a + ratio * b
                for a, b in zip(train, serve, strict=True)
            ]
        for metric, (value, low, high) in figures.items():
            yield self._record(rate, model, metric, value, unit, (low, high))
        over, low, high, difference = self.relative(model, rate, self.base)
        metric, note = f"relative_flops[{self.base.label}]", ""
        if choice is not None and rate.label in choice.flat:
            note = CHEAPEST if rate.label == choice.cheapest else f"{AS_CHEAP} as {choice.cheapest}"
        yield self._record(rate, model, metric, over, "ratio", (low, high), difference, note)
        needed = break_even_ratio(model, context, self.base.size, rate.size, self.base.q)
        metric = f"break_even_token_ratio[{self.base.label}]"
        yield self._record(rate, model, metric, needed, "ratio")

    def _memory(self, rate: Rate, model: Model) -> Iterator[CostRecord]:
        context = self.asked.context
        tokens = context.tokens(rate.q)
        cached = kv_bytes_per_token(model, tokens)
        yield self._record(rate, model, "kv_bytes_per_token", cached, "bytes/token")
        value, low, high = (
            None if q is None else kv_bytes_per_token(model, context.tokens(q)) * q
            for q in (rate.q, rate.low, rate.high)
        )
        yield self._record(rate, model, "kv_bytes_per_byte", value, "bytes/byte", (low, high))
        yield self._record(rate, model, "context_tokens", tokens, "tokens")
        yield self._record(rate, model, "context_bytes", context.bytes(rate.q), "bytes")
        logits = None if tokens is None else logits_bytes(rate.size, tokens)
        yield self._record(rate, model, "logits_bytes", logits, "bytes")

    def of_prices(self) -> Iterator[CostRecord]:
        """Yield the price of a million characters: of each group that has one, and of all if all have."""
        prices = self.asked.prices
        if prices is None:
            return
        prices.check([*self.rates.tokenizers], self.rates.groups)
        unit = f"{prices.currency or 'price'} / 1M characters"
        for rate in self.rates.tokenizers.values():
            values: dict[str, float | None] = {}
            of_group: dict[str, float] = {}
            for group in self.rates.groups or (POOLED,):
                price = prices.price(rate.label, group)
                if price is not None:
                    of_group[group] = price
                    q = self.rates.per_char(rate.label, group)
                    values[group] = None if q is None else price * q
            if {*(self.rates.weights or self.rates.groups)} <= {*of_group}:
                values[self.rates.group] = self.rates.price_per_char(rate.label, of_group)
            for group, value in values.items():
                note = "no characters were counted" if value is None else ""
                metric = "price_per_million_chars"
                yield self._record(rate, None, metric, value, unit, note=note, group=group)

    def of_losses(self, equivalents: Sequence[FlopEquivalent]) -> Iterator[CostRecord]:
        """Yield flop-equivalent bits per byte, and the FLOPs of training that they are at."""
        base = self.base.label
        depends = {"compute": self.asked.compute, "rho": self.asked.rho}
        for each in equivalents:
            rate, (model,) = self.rates.tokenizers[each.tokenizer], self.asked.models
            left = each.compute if each.compute > 0 else None
            figures = {
                f"febpb[{base}]": (each.bits_per_byte, "bits/byte", each.note),
                f"febpb_train_flops[{base}]": (left, "FLOPs", each.note if left is None else ""),
            }
            for metric, (value, unit, note) in figures.items():
                yield self._record(rate, model, metric, value, unit, note=note, depends=depends)

    def of_laws(self, laws: Sequence[FamilyLaws]) -> Iterator[CostRecord]:
        """Yield the size that each law names for a family, and the ends of those as good as it."""
        depends = {
            "compute": self.asked.compute,
            "parity": None if self.asked.parity == 1 else self.asked.parity,
        }
        # They are neither of one tokenizer nor of a context.
        depends |= {"tok": None, "context": None}
        for own in laws:
            for answer in own.answers:
                figures = {"law_size": answer.size, "law_low": answer.low, "law_high": answer.high}
                for name, size in figures.items():
                    if size is None and name != "law_size":
                        continue
                    note = answer.note if name == "law_size" else ""
                    metric, model = f"{name}[{answer.key}]", self.asked.models[0]
                    record = self._record(
                        own.rate, model, metric, size, "ids", note=note, depends=depends
                    )
                    yield replace(record, tokenizer=None, size=None)

    def _record(
        self,
        rate: Rate,
        model: Model | None,
        metric: str,
        value: float | None,
        unit: str,
        bounds: Sequence[float | None] = (None, None),
        difference: Difference | None = None,
        note: str = "",
        group: str | None = None,
        depends: Mapping[str, float | None] | None = None,
    ) -> CostRecord:
        notes = [note] if note else []
        if difference is not None and rate is not self.base:
            notes += _doubts(difference)
        weights = self.rates.weights
        weighed = None if weights is None else ",".join(f"{g}={w:g}" for g, w in weights.items())
        fields = {
            **rate.about,
            "unit": unit,
            "context": str(self.asked.context),
            "weights": weighed,
            **(depends or {}),
        }
        return CostRecord(
            tokenizer=rate.label,
            family=rate.family,
            trainer=rate.trainer,
            size=rate.size,
            corpus=self.rates.corpus,
            group=self.rates.group if group is None else group,
            model=None if model is None else model.name,
            metric=metric,
            value=value,
            low=bounds[0],
            high=bounds[1],
            unit=unit,
            n=difference.n or None if difference else None,
            n_effective=difference.n_effective or None if difference else None,
            note="; ".join(notes) or None,
            signature=signature(**fields),
        )

    def notes(self, laws: Sequence[FamilyLaws]) -> tuple[str, ...]:
        """Return what a reader must know, a line each."""
        lines = []
        losing = [rate for rate in self.rates.tokenizers.values() if rate.lost]
        for rate in losing:
            share = f"{100 * rate.lost:.2g} %"
            lines.append(f"{rate.label} loses {share} of the text, which makes it look cheaper")
        if self.rates.unsized:
            lines.append(f"left out, for their size is not known: {listed(self.rates.unsized)}")
        doubts: dict[str, None] = {}
        for rate in self.rates.tokenizers.values():
            if rate is not self.base:
                difference = self.rates.difference(rate.label, self.base.label)
                doubts |= dict.fromkeys(d for d in _doubts(difference) if not d.startswith(ALIKE))
        narrow = f"{ONE_DOCUMENT}, which may be too narrow"
        lines += [narrow if doubt == ONE_DOCUMENT else doubt for doubt in doubts]
        lines += disagreements(laws)
        if {*self.asked.of_laws} - {"losses"} and not laws and self.asked.losses is None:
            lines.append("no law answers: none of the trained tokenizers has several sizes")
        for model in self.asked.models:
            lines += [f"{model.name}: it is assumed that {what}" for what in model.assumed]
        return tuple(lines)


def _doubts(difference: Difference) -> list[str]:
    """Return why a difference has no interval, or what to know of it."""
    if difference.why:
        return [f"{NO_INTERVAL}{REASONS[difference.why]}"]
    doubts = [f"{ALIKE}{difference.wider:.1f}"] if difference.wider > 1 else []
    return [*doubts, ONE_DOCUMENT] if difference.one_decides else doubts


def _plus_one(difference: Difference) -> tuple[float | None, float | None]:
    low, high = (None if b is None else 1 + b for b in (difference.low, difference.high))
    return low, high
