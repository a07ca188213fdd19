"""Tokens per byte of the tokenizers of a run, exact on its text, and how they differ on text like it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toktk.errors import CostError, as_usage, did_you_mean
from toktk.pieces.table import POOLED
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import Record, parse_signature
from toktk.report.unit_sums import Sums, UnitSums, figure_difference, sums_over, tokens_difference
from toktk.stats.difference import Difference
from toktk.stats.interval import WHY
from toktk.visible import listed

WEIGHTED = "weighted"
"""What the group is called that is all groups with the weights of a user."""

REASONS = {**WHY, "counts": "no counts of documents are kept: measure again with this toktk"}
"""What the keys of `Difference.why` mean, those of this module too."""

_NEEDED = ("tokens", "bytes", "chars", "bytes_per_token", "lost")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """What a tokenizer makes of a text.

    Attributes:
        family, trainer, size: as in a `Record`.
        q: tokens per byte.
        low, high: its 95 % interval; None where there is none.
        lost: the share of the text that no token stands for.
        about: what the figure depends on, by name, as its signature has it.
    """

    label: str
    family: str
    trainer: str | None
    size: int
    q: float
    low: float | None
    high: float | None
    lost: float
    about: Mapping[str, str]


class Rates:
    """The rates of all tokenizers of a run on its text, or on its groups with weights.

    Attributes:
        corpus: the name of the text.
        groups: its groups.
        group: what the rates are of: `POOLED` or `WEIGHTED`.
        tokenizers: {label: rate}, in the order of the records.
        unsized: labels of tokenizers whose vocabulary has no known size, which are left out.

    Raises:
        CostError: the records lack what is needed, or a weight names no group.
    """

    def __init__(
        self,
        records: Sequence[Record],
        documents: DocumentCounts | None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._documents = documents
        self._differences: dict[tuple[str, str], Difference] = {}
        self._sums: Sums | None = None  # of all groups
        self._by_key = {(r.tokenizer, r.metric, r.group): r for r in records if r.metric in _NEEDED}
        first = {r.tokenizer: r for r in reversed(records)}
        labels = list(dict.fromkeys(r.tokenizer for r in records))
        self.groups = list(dict.fromkeys(r.group for r in records if r.group != POOLED))
        self.corpus = records[0].corpus if records else ""
        self.weights = None if weights is None else _checked(weights, self.groups)
        self.group = POOLED if weights is None else WEIGHTED
        self.unsized = [label for label in labels if first[label].size is None]
        self.tokenizers = {
            label: self._rate(first[label]) for label in labels if label not in self.unsized
        }
        if not self.tokenizers:
            raise CostError(
                "there is nothing to price.",
                f"Found: {len(labels)} tokenizers, none with figures and a size.",
                "Give a run that measured tokenizers.",
            )

    def _rate(self, record: Record) -> Rate:
        label = record.tokenizer
        pooled = self._by_key.get((label, "bytes_per_token", POOLED))
        low = high = None
        if self.weights is None:
            q = self.per_byte(label, POOLED)
            if pooled is not None and pooled.low and pooled.high:
                low, high = 1 / pooled.high, 1 / pooled.low
        else:
            q = math.fsum(w * self.per_byte(label, g) for g, w in self.weights.items())
        lost = self._by_key.get((label, "lost", POOLED))
        about = parse_signature((pooled or record).signature)
        names = ("toktk", "unit", "agg")
        return Rate(
            label,
            record.family,
            record.trainer,
            record.size or 0,
            q,
            low,
            high,
            (lost and lost.value) or 0.0,
            {name: value for name, value in about.items() if name not in names},
        )

    def per_byte(self, label: str, group: str) -> float:
        """Return the tokens per byte of a tokenizer in a group.

        Raises:
            CostError: they were not measured, or there is no text.
        """
        tokens, n_bytes = (self._value(label, metric, group) for metric in ("tokens", "bytes"))
        if tokens and n_bytes:
            return tokens / n_bytes
        per_token = self._value(label, "bytes_per_token", group)
        if per_token:
            return 1 / per_token
        raise CostError(
            f"the tokens per byte of {label} in {group} are not known.",
            "Found: no figures of tokens and bytes, or none of bytes_per_token, other than 0.",
            "Measure them: toktk bench … -m tokens -m bytes -m chars",
        )

    def per_char(self, label: str, group: str) -> float | None:
        """Return the tokens per character of a tokenizer in a group; None where they were not measured."""
        tokens, chars = (self._value(label, metric, group) for metric in ("tokens", "chars"))
        return tokens / chars if tokens is not None and chars else None

    def price_per_char(self, label: str, prices: Mapping[str, float]) -> float | None:
        """Return what a character of the text costs, of which the rates are; None: not measured.

        Args:
            prices: of a token, in every group of the text; where groups were measured alone, they may differ.
        """
        if self.weights is None and len({*prices.values()}) == 1:
            q = self.per_char(label, POOLED)
            return None if q is None else q * next(iter(prices.values()))
        paid, chars = [], []
        for group in self.groups if self.weights is None else self.weights:
            tokens, n_chars, n_bytes = (
                self._value(label, metric, group) for metric in ("tokens", "chars", "bytes")
            )
            if tokens is None or not (n_chars and n_bytes):
                return None
            share = 1.0 if self.weights is None else self.weights[group] / n_bytes
            paid.append(share * prices[group] * tokens)
            chars.append(share * n_chars)
        return math.fsum(paid) / math.fsum(chars)

    def bytes_per_char(self, label: str) -> float | None:
        """Return the bytes of a character of the text that the rates are of; None: not measured."""
        weights = {POOLED: 1.0} if self.weights is None else self.weights
        chars_per_byte = 0.0
        for group, weight in weights.items():
            n_chars, n_bytes = (self._value(label, metric, group) for metric in ("chars", "bytes"))
            if not (n_chars and n_bytes):
                return None
            chars_per_byte += weight * n_chars / n_bytes
        return 1 / chars_per_byte

    def _value(self, label: str, metric: str, group: str) -> float | None:
        record = self._by_key.get((label, metric, group))
        return None if record is None else record.value

    def difference(self, label: str, base: str) -> Difference:
        """Return the difference of two tokenizers in tokens per byte, paired by document.

        `why` is a key of `REASONS` where it has no interval.
        """
        if (label, base) not in self._differences:
            self._differences[label, base] = self._difference(label, base)
        return self._differences[label, base]

    def _difference(self, label: str, base: str) -> Difference:
        exact = self.tokenizers[label].q / self.tokenizers[base].q - 1
        counts = self._documents
        if counts is None or not {label, base} <= counts.tokens.keys():
            return Difference(exact, None, None, 0, 0.0, None, None, None, "counts")
        a, b = UnitSums.of(counts, (label, base))
        if self.weights is not None:
            statistic = _Weighted(np.array([*self.weights.values()]))
            columns = ("tokens", "bytes")
            return figure_difference(a, b, [*self.weights], statistic, columns, exact)
        if self._sums is None:
            self._sums = sums_over(a, a.groups)
        return tokens_difference(self._sums, a, b, exact)


def families_of(rates: Rates) -> dict[str | None, list[Rate]]:
    """Return the tokenizers that are judged together, ascending by size; None: those not trained here."""
    families: dict[str | None, list[Rate]] = {}
    for rate in rates.tokenizers.values():
        families.setdefault(rate.family if rate.trainer else None, []).append(rate)
    return {name: sorted(own, key=lambda rate: rate.size) for name, own in families.items()}


@dataclass(frozen=True)
class _Weighted:
    """Tokens per byte of groups with weights: float64[..., 2 G], tokens and then bytes -> float64[...]."""

    weights: Floats

    def __call__(self, sums: Floats) -> Floats:
        n = self.weights.size
        with np.errstate(divide="ignore", invalid="ignore"):
            value: Floats = (sums[..., :n] / sums[..., n:]) @ self.weights
        return value


def _checked(weights: Mapping[str, float], groups: Sequence[str]) -> dict[str, float]:
    """Return the weights, which sum to 1.

    Raises:
        CostError: one names no group, or they are not positive.
    """
    for group, weight in weights.items():
        if group not in groups:
            raise CostError(
                f"no group is called {group!r}{did_you_mean(group, groups)}.",
                f"Found: {listed(groups)}.",
                "Weigh groups of the run's text, such as --weights en=2,de=1.",
            )
        if not 0 <= weight < math.inf:
            raise as_usage(
                CostError(f"the weight of {group!r} is {weight}.", "Give a number of 0 or more.")
            )
    total = math.fsum(weights.values())
    if not 0 < total < math.inf:
        raise as_usage(
            CostError("the weights sum to nothing.", "Give one above 0, such as en=2,de=1.")
        )
    return {group: weight / total for group, weight in weights.items() if weight}
