"""What the same content costs in each language, and how unevenly the cost is spread.

Across languages the fair unit is the aligned line of parallel text. Words are not: an
agglutinative language has few of them, and one written without spaces has none to count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError, did_you_mean
from toktk.metrics.base import (
    POOLED,
    Counts,
    Figure,
    Metric,
    MetricOptions,
    macro_max,
    macro_mean,
    ratio,
    ratio_figures,
)

if TYPE_CHECKING:
    from toktk.evaluation.base import Evaluation

# Parity's reference where none is named: the first of these that the text holds.
ENGLISH = ("en", "en-us", "eng", "eng_Latn", "english")

# Above this share of characters from scripts without spaces, "white-space word" means nothing. Real
# text of spaced languages stays far below it; Chinese, Japanese and Thai far above.
UNSPACED_LIMIT = 0.10
UNSPACED_NOTE = "scripts written without spaces"
NOT_PARALLEL = "not parallel text"


def _aligned_lines(evaluation: Evaluation, metric: str) -> int:
    """Return the number of aligned lines, or refuse text that is not parallel."""
    if evaluation.aligned_lines is None:
        groups = ", ".join(evaluation.groups[:8]) + (", …" if len(evaluation.groups) > 8 else "")
        raise MetricError(
            f"{metric} needs parallel text: the same lines in every language.",
            f"Found: no alignment (groups: {groups}).",
            "Give a parallel corpus, naming the column of line ids with --align-column.",
        )
    return evaluation.aligned_lines


def _parallel_figures(
    evaluation: Evaluation, name: str, unit: str, tokens: Counts, denominator: int, empty: str
) -> list[Figure]:
    """Return tokens / denominator for each parallel group, null for the others."""
    lines = evaluation.aligned_lines
    note = None if denominator else empty
    return [
        Figure(group, name, ratio(int(count), denominator), unit, lines, note)
        if parallel
        else Figure(group, name, None, unit, None, NOT_PARALLEL)
        for group, count, parallel in zip(
            evaluation.groups, tokens, evaluation.parallel, strict=True
        )
    ]


def _tokens_per_line(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    name, unit = "tokens_per_line", "tokens/line"
    lines = _aligned_lines(evaluation, name)
    tokens = evaluation.tokens(size)
    figures = _parallel_figures(evaluation, name, unit, tokens, lines, "no lines")
    # Every language has the same lines, so the pooled figure is also the mean over languages.
    everywhere = lines * int(np.count_nonzero(evaluation.parallel))
    pooled = ratio(int(tokens[evaluation.parallel].sum()), everywhere)
    note = None if everywhere else "no lines"
    return [*figures, Figure(POOLED, name, pooled, unit, everywhere, note)]


def _reference(evaluation: Evaluation, asked: str | None) -> str | None:
    """Return the group to divide by; None where none was asked for and none is English."""
    known = [g for g, side in zip(evaluation.groups, evaluation.parallel, strict=True) if side]
    if asked is None:
        return next((name for name in ENGLISH if name in known), None)
    if asked not in known:
        raise MetricError(
            f"parity has no reference group {asked!r}{did_you_mean(asked, known)}.",
            f"Found: the parallel groups {', '.join(known) or '(none)'}.",
            "Name one of them.",
        )
    return asked


def _parity(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    _aligned_lines(evaluation, "parity")
    reference = _reference(evaluation, options.reference)
    if reference is None:
        missing = f"no reference group: none is called {', '.join(ENGLISH)}"
        return [
            Figure(group, "parity", None, "ratio", None, missing) for group in evaluation.groups
        ]
    name = f"parity[{reference}]"
    tokens = evaluation.tokens(size)
    base = int(tokens[evaluation.groups.index(reference)])
    empty = f"no tokens in {reference}"
    figures = _parallel_figures(evaluation, name, "ratio", tokens, base, empty)
    # The reference is 1 by definition; counting it would only dilute the summaries.
    return [*figures, macro_mean(figures, (reference,)), macro_max(figures, (reference,))]


def _unspaced(evaluation: Evaluation) -> npt.NDArray[np.bool_]:
    return np.asarray(evaluation.unspaced > UNSPACED_LIMIT * evaluation.nonspace, dtype=np.bool_)


def _fertility(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    name, unit = "fertility[ws]", "tokens/word"
    tokens = evaluation.tokens(size)
    figures = ratio_figures(evaluation, name, unit, tokens, evaluation.words, "no words")
    unspaced = _unspaced(evaluation)
    by_group = [
        Figure(figure.group, name, None, unit, figure.n, UNSPACED_NOTE) if without else figure
        for figure, without in zip(figures[:-1], unspaced, strict=True)
    ]
    pooled = figures[-1]
    if unspaced.any():
        # A Chinese line counts as one word: a few such lines would rule the pooled figure.
        left_out = ", ".join(f.group for f in by_group if f.note == UNSPACED_NOTE)
        note = f"{UNSPACED_NOTE}: {left_out}; see {name}|macro"
        pooled = Figure(POOLED, name, None, unit, pooled.n, note)
    return [*by_group, pooled, macro_mean(by_group), macro_max(by_group)]


def gini(values: npt.ArrayLike) -> float | None:
    """Return the Gini coefficient of non-negative values; None for fewer than two or a zero sum.

    0 is perfect equality; with n values the largest possible is 1 - 1/n.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n, total = len(ordered), float(ordered.sum())
    if n < 2 or total == 0:
        return None
    # sum_ij |c_i - c_j| = 2 sum_i (2i - n - 1) c_i over sorted values, i from 1: no n x n table.
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ ordered) / (n * total)


def _gini(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    name = "gini[tokens_per_line]"
    _aligned_lines(evaluation, name)
    # The number of lines is common to all groups and cancels.
    costs = evaluation.tokens(size)[evaluation.parallel]
    value = gini(costs)
    note = None
    if value is None:
        note = "fewer than two parallel groups" if len(costs) < 2 else "no tokens"
    return [Figure(POOLED, name, value, "share", len(costs), note)]


TOKENS_PER_LINE = Metric(
    "tokens_per_line",
    "tokens/line",
    "lower",
    "Tokens per aligned line of parallel text: the cost of the same content in each language.",
    _tokens_per_line,
    parallel=True,
)
PARITY = Metric(
    "parity",
    "ratio",
    "lower",
    "tokens(group) / tokens(reference) on parallel text, a ratio of sums (tokenization premium,"
    " Petrov et al. 2023). |macro and |max are over the groups other than the reference.",
    _parity,
    parallel=True,
)
FERTILITY = Metric(
    "fertility[ws]",
    "tokens/word",
    "lower",
    "sum of tokens / sum of white-space words. Null where more than a tenth of the characters"
    " belong to scripts written without spaces; |macro and |max are over the other groups.",
    _fertility,
)
GINI = Metric(
    "gini[tokens_per_line]",
    "share",
    "lower",
    "Inequality of tokens per parallel line over languages: sum_ij |c_i - c_j| / (2 n^2 mean c)"
    " (TokEval's tokenizer fairness Gini). 0 is equal cost; at most 1 - 1/n.",
    _gini,
    parallel=True,
)
