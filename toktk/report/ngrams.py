"""What a reader of n-gram figures must know: which compare at all, and whether their order is settled."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from toktk.report.records import FamilyRecords, Record

NEAR = 1.05
"""Tokenizers are of one size where the larger has at most so many times the ids of the smaller."""

HALF = "|half"
"""How the names of figures end that are learned from half of the text."""

_NAME = "ngram_bpb"
_MOST_PAIRS = 3


class _Tokenizer(NamedTuple):
    label: str
    size: int
    value: float
    half: float


def are_of_one_size(a: int | None, b: int | None) -> bool:
    """Tell whether n-gram figures of these sizes may be compared; not where one is unknown."""
    return bool(a and b) and max(a or 0, b or 0) <= NEAR * min(a or 0, b or 0)


def unit_of(record: Record) -> str:
    """Return the unit of a figure as an axis has it, with what must not be read off there."""
    return (
        f"{record.unit}, only to compare at one size" if _is_ngram(record.metric) else record.unit
    )


def _is_ngram(metric: str) -> bool:
    return metric.startswith(f"{_NAME}[")


def ngram_lines(shown: Sequence[FamilyRecords]) -> list[str]:
    """Return what stands below a table with n-gram figures, a line each; nothing without any."""
    metrics = [
        metric
        for metric in dict.fromkeys(metric for family in shown for metric in family.metrics)
        if _is_ngram(metric) and not metric.endswith(HALF)
    ]
    if not metrics:
        return []
    lines = [f"{_NAME} never ranks sizes: compare tokenizers of one size (within 5 %) on one text."]
    halves = [family.get(family.sizes[-1], f"{metrics[0]}{HALF}") for family in shown]
    abouts = dict.fromkeys(half.note for half in halves if half is not None and half.note)
    lines += [f"{_NAME}: {about.partition('; ')[0]}." for about in abouts]
    by_metric = {metric: [*_cohorts(_tokenizers(shown, metric))] for metric in metrics}
    by_text: dict[str, list[str]] = {}
    for metric, cohorts in by_metric.items():
        if cohorts:
            by_text.setdefault(_stability(cohorts), []).append(metric)
    lines += [f"{', '.join(names)}: {text}." for text, names in by_text.items()]
    if not by_text and sum(len(family.sizes) for family in shown) > 1:
        lines.append(f"{_NAME}: no two of these tokenizers are of one size, so none compare.")
    return lines


def _tokenizers(shown: Sequence[FamilyRecords], metric: str) -> Iterator[_Tokenizer]:
    for family in shown:
        for size in family.sizes:
            record, half = family.get(size, metric), family.value(size, f"{metric}{HALF}")
            if record is not None and record.value is not None and half is not None:
                yield _Tokenizer(record.tokenizer, size, record.value, half)


def _cohorts(tokenizers: Iterator[_Tokenizer]) -> Iterator[list[_Tokenizer]]:
    """Yield those of one size, two or more; each is in one cohort at most, begun by the smallest."""
    cohort: list[_Tokenizer] = []
    for tokenizer in sorted(tokenizers, key=lambda t: t.size):
        if cohort and not are_of_one_size(cohort[0].size, tokenizer.size):
            if len(cohort) > 1:
                yield cohort
            cohort = []
        cohort.append(tokenizer)
    if len(cohort) > 1:
        yield cohort


def _stability(cohorts: Sequence[Sequence[_Tokenizer]]) -> str:
    """Return how the order of tokenizers of one size, learned from half the text, agrees with the other."""
    n_pairs = n_equal = 0
    changed: list[str] = []
    for cohort in cohorts:
        for a, b in itertools.combinations(cohort, 2):
            agreement = (a.half - b.half) * (a.value - b.value)
            n_pairs, n_equal = n_pairs + 1, n_equal + (agreement == 0)
            if agreement < 0:
                changed.append(f"{a.label} and {b.label}")
    pairs = "pair" if n_pairs == 1 else "pairs"
    if not changed:
        return f"half of the text gives the same order of {n_pairs} {pairs} of one size"
    tau = 1 - (2 * len(changed) + n_equal) / n_pairs
    rest = len(changed) - _MOST_PAIRS
    named = "; ".join((*changed[:_MOST_PAIRS], *([f"{rest} more"] if rest > 0 else [])))
    return (
        f"half of the text orders {len(changed)} of {n_pairs} {pairs} of one size the other way "
        f"(Kendall's tau {tau:.2f}), so these are not settled: {named}"
    )
