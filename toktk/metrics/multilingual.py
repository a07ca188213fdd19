"""What the same content costs in each language, and how unevenly the cost is spread.

Across languages the fair unit is the aligned line of parallel text. Words are not: an
agglutinative language has few of them, and one written without spaces has none to count.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError, did_you_mean
from toktk.metrics.base import (
    Case,
    Column,
    Figure,
    Quotient,
    Summary,
    metric,
    over_groups,
    ratio,
)
from toktk.pieces.table import POOLED, UNSPACED_LIMIT

# Parity's reference where none is named: the first of these that the text holds.
ENGLISH = ("en", "en-us", "eng", "eng_Latn", "english")

UNSPACED_NOTE = "scripts written without spaces"


def _parallel_figures(
    case: Case, denominator: int, empty: str, reference: str | None = None
) -> list[Figure]:
    """Return tokens / denominator for each parallel group, null for the others.

    The denominator is tokens of a `reference` group, or lines where there is none.
    """
    evaluation = case.evaluation
    figures = []
    for group, count, parallel in zip(
        evaluation.groups, case.tokens.tolist(), evaluation.parallel, strict=True
    ):
        if not parallel:
            figures.append(case.figure(group, None, None, "not parallel text", "not parallel"))
            continue
        below = Column("tokens", (reference,)) if reference else Column("lines", (group,))
        made_of = Quotient(Column("tokens", (group,)), below)
        n = evaluation.aligned_lines
        figures.append(case.figure(group, ratio(count, denominator), n, empty, made_of=made_of))
    return figures


def _why_none(case: Case, otherwise: str) -> str:
    """Return why there is nothing to take a mean over languages of."""
    untrained = case.evaluation.parallel.any() and not case.parallel.any()
    return "no parallel group is in the training text" if untrained else otherwise


@metric(
    "tokens_per_line",
    "tokens/line",
    "lower",
    parallel=True,
    formula="tokens of a language / aligned lines; all: the mean of the languages that the training text has",
    trap="Translations differ in length, so part of a difference between languages is that of the "
    "translations. Compare tokenizers within a language, or languages on many lines.",
    source="common use on parallel text, such as FLORES+",
)
def tokens_per_line(case: Case) -> list[Figure]:
    """Cost of the same content in each language."""
    lines = case.evaluation.aligned_lines or 0
    # Every language has the same lines, so the pooled figure is also the mean over languages.
    everywhere = lines * int(np.count_nonzero(case.parallel))
    pooled = ratio(int(case.tokens[case.parallel].sum()), everywhere)
    figures = _parallel_figures(case, lines, "no lines")
    of = tuple(case.evaluation.groups[g] for g in np.flatnonzero(case.parallel))
    made_of = Quotient(Column("tokens", of), Column("lines", of))
    why = _why_none(case, "no lines")
    return [*figures, case.figure(POOLED, pooled, everywhere, why, made_of=made_of)]


@metric(
    "parity",
    "ratio",
    "lower",
    parallel=True,
    formula="tokens of a language / tokens of the reference language, on the same lines; |macro and |max: "
    "mean and largest of the other languages that the training text has",
    trap="It also falls where the reference language gets worse. Read it beside tokens_per_line.",
    source="tokenization premium (Petrov et al. 2023)",
)
def parity(case: Case) -> list[Figure]:
    """How many times as many tokens a language needs as the reference language, for the same content."""
    groups = case.evaluation.groups
    reference = _reference(case)
    if reference is None:
        missing = f"no reference group: none is called {', '.join(ENGLISH)}"
        return [case.figure(group, None, None, missing, "no reference") for group in groups]
    case = replace(case, name=f"{case.name}[{reference}]")
    base = int(case.tokens[groups.index(reference)])
    figures = _parallel_figures(case, base, f"no tokens in {reference}", reference)
    # The reference is 1 by definition; counting it would only dilute the summaries.
    return [*figures, *over_groups(figures, leave_out={reference, *case.untrained})]


def _reference(case: Case) -> str | None:
    """Return the group to divide by; None where none was asked for and none is English."""
    sides = [case.evaluation.groups[g] for g in np.flatnonzero(case.evaluation.parallel)]
    wanted = case.options.reference
    if wanted is None:
        return next((name for name in ENGLISH if name in sides), None)
    if wanted not in sides:
        raise MetricError(
            f"parity has no reference group {wanted!r}{did_you_mean(wanted, sides)}.",
            f"Found: the parallel groups {', '.join(sides) or '(none)'}.",
            "Name one of them.",
        )
    return wanted


@metric(
    "fertility[ws]",
    "tokens/word",
    "lower",
    formula="sum of tokens / sum of words, a word being a run of characters without white space; |macro and "
    "|max: over the groups that the training text has, languages alone where text is parallel",
    trap="Words are no unit across languages: Finnish has few long ones, English many short ones. It is null "
    "where more than a tenth of the characters belong to scripts without spaces. Published figures often "
    "count other words, without saying which.",
    source="Ács 2019; Rust et al. 2021",
)
def fertility(case: Case) -> list[Figure]:
    """How many tokens a word is cut into."""
    evaluation = case.evaluation
    *by_group, pooled = case.ratios("tokens", "words", "no words")
    unspaced = np.flatnonzero(evaluation.unspaced > UNSPACED_LIMIT * evaluation.nonspace)
    for g in unspaced:
        group, n = by_group[g].group, by_group[g].n
        by_group[g] = case.figure(group, None, n, UNSPACED_NOTE, "unspaced")
    if unspaced.size:
        # A Chinese line counts as one word: a few such lines would rule the pooled figure.
        left_out = ", ".join(by_group[g].group for g in unspaced)
        note = f"{UNSPACED_NOTE}: {left_out}; see {case.name}|macro"
        pooled = case.figure(POOLED, None, pooled.n, note, "unspaced")
    sides = [evaluation.groups[g] for g in np.flatnonzero(evaluation.parallel)]
    domains = set(evaluation.groups).difference(sides) if sides else set()
    return [*by_group, pooled, *over_groups(by_group, leave_out=case.untrained | domains)]


@metric(
    "gini[tokens_per_line]",
    "share",
    "lower",
    parallel=True,
    formula="sum over i, j of |c_i - c_j| / (2 n^2 mean c), c being the tokens per line of the n languages "
    "that the training text has; 0 is equal cost, 1 - 1/n the most",
    trap="It depends on which languages are in the text, and equal cost may be equally high cost. Read it "
    "beside tokens_per_line.",
    source="tokenizer fairness Gini (TokEval)",
)
def gini_of_tokens_per_line(case: Case) -> list[Figure]:
    """How unequal the cost of the same content is between languages."""
    # The number of lines is common to all groups and cancels.
    costs = case.tokens[case.parallel]
    few = _why_none(case, "fewer than two parallel groups")
    empty = few if len(costs) < 2 else "no tokens"
    of = [case.evaluation.groups[g] for g in np.flatnonzero(case.parallel)]
    made_of = Summary(tuple(Column("tokens", (group,)) for group in of), _ginis)
    return [case.figure(POOLED, gini(costs), len(costs), empty, made_of=made_of)]


def _ginis(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `gini` of each row."""
    n, totals = costs.shape[-1], costs.sum(axis=-1)
    if n < 2:
        return np.full(costs.shape[:-1], np.nan)
    above = np.sort(costs, axis=-1) @ (2.0 * np.arange(1, n + 1) - n - 1)
    none = np.full_like(totals, np.nan)
    return np.asarray(np.divide(above, n * totals, out=none, where=totals != 0))


def gini(values: npt.ArrayLike) -> float | None:
    """Return the Gini coefficient of non-negative values; None for fewer than two or a zero sum."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n, total = len(ordered), float(ordered.sum())
    if n < 2 or total == 0:
        return None
    # sum_ij |c_i - c_j| = 2 sum_i (2i - n - 1) c_i over sorted values, i from 1: no n x n table.
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ ordered) / (n * total)
