"""How well the vocabulary is used: share of ids seen, evenness of use, words kept whole.

None of these is a score of quality. Rényi efficiency correlated with BLEU in Zouhar et al. (2023),
and Cognetta et al. (2024) built tokenizers that raise it while translation gets worse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError
from toktk.metrics.base import (
    POOLED,
    Figure,
    Metric,
    MetricOptions,
    Normalizer,
    ratio,
    ratio_figures,
)

if TYPE_CHECKING:
    from toktk.evaluation.base import Evaluation


def renyi_entropy(counts: npt.ArrayLike, alpha: float) -> float | None:
    """Return the Rényi entropy of order `alpha` in bits; None where nothing was counted.

    ``log2(sum p^alpha) / (1 - alpha)``, with its limits: Shannon's entropy at 1 and the
    min-entropy at infinity. Zero counts do not matter, except that order 0 counts the others.

    Raises:
        MetricError: `alpha` is negative or not a number.
    """
    if not alpha >= 0:
        raise MetricError(
            f"no Rényi entropy of order {alpha:g}.", "Choose an order of 0 or more, such as 2.5."
        )
    seen = np.asarray(counts, dtype=np.float64)
    seen = seen[seen > 0]
    if seen.size == 0:
        return None
    p = seen / seen.sum()
    largest = float(p.max())
    if math.isinf(alpha):
        bits = -math.log2(largest)
    elif abs(alpha - 1) < 1e-6:  # nearer than this, the general form is all rounding error
        bits = -float(p @ np.log2(p))
    else:
        # Scaling by the largest keeps p^alpha from vanishing at high orders.
        scaled = float(np.sum((p / largest) ** alpha))
        bits = (math.log2(scaled) + alpha * math.log2(largest)) / (1 - alpha)
    return max(0.0, bits)  # one type gives -0.0, rounding may give a hair less


def renyi_efficiency(
    counts: npt.ArrayLike, alpha: float, normalizer: Normalizer = "V"
) -> float | None:
    """Return the Rényi entropy divided by the largest possible; None where nothing was counted.

    Args:
        counts: occurrences of every vocabulary entry, zeros included: its length is V.
        alpha: order of the entropy; 2.5 in the paper, 1 for Shannon efficiency.
        normalizer: "V" divides by log2(V), "observed" by log2 of the number of types seen. The two
            rank tokenizers differently. A single type seen gives 0.0 under both.

    Raises:
        MetricError: an impossible `alpha` or an unknown `normalizer`.
    """
    if normalizer not in ("V", "observed"):
        raise MetricError(f"unknown Rényi normalizer {normalizer!r}.", "Choose 'V' or 'observed'.")
    bits = renyi_entropy(counts, alpha)
    if bits is None:
        return None
    observed = int(np.count_nonzero(counts))
    if observed == 1:
        return 0.0  # with one type log2 of "observed" is 0 too: define the quotient
    return bits / math.log2(np.size(counts) if normalizer == "V" else observed)


def _utilization(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    used = int(np.count_nonzero(evaluation.token_counts(size)))
    n, there = int(evaluation.documents.sum()), evaluation.n_ids(size)
    note = None if there else "empty vocabulary"
    return [Figure(POOLED, "utilization", ratio(used, there), "share", n, note)]


def _renyi_efficiency(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    alpha, normalizer = options.renyi_alpha, options.renyi_normalizer
    counts = evaluation.token_counts(size)
    used = counts[counts > 0]
    # V, as in utilization, is ids that have a token: a hole is none of the possible outcomes.
    possible = np.pad(used, (0, max(0, evaluation.n_ids(size) - used.size)))
    value = renyi_efficiency(possible, alpha, normalizer)
    name = f"renyi_efficiency[a={alpha:g},{normalizer}]"
    n = int(evaluation.documents.sum())
    return [Figure(POOLED, name, value, "share", n, "no tokens" if value is None else None)]


def _single_token_words(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    return ratio_figures(
        evaluation,
        "single_token_words[piece]",
        "share",
        evaluation.single_token_words(size),
        evaluation.word_pieces,
        "no pieces with a letter",
    )


def _unknown(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
    unknown = evaluation.unknown(size)
    if unknown is None:
        unknown = np.zeros(len(evaluation.groups), dtype=np.int64)
    tokens = evaluation.tokens(size)
    return ratio_figures(evaluation, "unknown", "share", unknown, tokens, "no tokens")


UTILIZATION = Metric(
    "utilization",
    "share",
    "higher",
    "Ids used at least once / ids that have a token, over all groups. Special tokens, which text"
    " never uses, count as ids; holes, ids without a token, do not. Grows with the amount of text:"
    " compare on the same text only.",
    _utilization,
)
RENYI_EFFICIENCY = Metric(
    "renyi_efficiency",
    "share",
    "higher",
    "Rényi entropy of the token distribution / log2(vocabulary size): H_a = log2(sum p^a) / (1-a),"
    " a = 2.5 (Zouhar et al. 2023). The name gives a and the divisor.",
    _renyi_efficiency,
)
SINGLE_TOKEN_WORDS = Metric(
    "single_token_words[piece]",
    "share",
    "higher",
    "Share of letter-bearing piece occurrences that are one token (single-token retention rate,"
    " with the pretokenizer's pieces, leading space included, as words).",
    _single_token_words,
    pieces=True,
)
UNKNOWN = Metric(
    "unknown",
    "share",
    "lower",
    "Share of tokens that are the unknown token: text that the vocabulary cannot spell and loses. 0"
    " where bytes spell everything. One such token may stand for several characters.",
    _unknown,
)
