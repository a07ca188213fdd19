"""How well the vocabulary is used: share of ids seen, evenness of use, words kept whole.

None of these is a score of quality. Rényi efficiency correlated with BLEU in Zouhar et al. (2023),
and Cognetta et al. (2024) built tokenizers that raise it while translation gets worse.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.errors import MetricError
from toktk.metrics.base import Case, Figure, metric, ratio
from toktk.pieces.table import POOLED

RENYI_ALPHA = 2.5
"""The order of the Rényi entropy: that of Zouhar et al. (2023)."""

COVERED = tuple(1 << k for k in range(10, 17))
"""The numbers of ids whose coverage is told: 1,024 to 65,536."""
UNCOVERED = "no tokens, or no more ids than these"


@metric(
    "utilization",
    "share",
    "higher",
    formula="ids that occur at least once / ids that have a token, all groups together",
    trap="It grows with the text: compare on the same text only, and take no unused id for a useless one. "
    "Special tokens, which text never uses, count as ids; holes, ids without a token, do not.",
    source="common use",
)
def utilization(case: Case) -> list[Figure]:
    """How much of the vocabulary this text uses."""
    used = int(np.count_nonzero(case.evaluation.token_counts(case.size)))
    value = ratio(used, case.evaluation.n_ids(case.size))
    return [case.figure(POOLED, value, int(case.evaluation.documents.sum()), "empty vocabulary")]


@metric(
    "renyi_efficiency",
    "share",
    "higher",
    formula="log2(sum of p^a) / (1 - a) / log2(V), p being the share of each id among the tokens, a = 2.5, V "
    "the ids that have a token; the name gives a and the divisor",
    trap="It is no score of quality: Cognetta et al. 2024 raise it while translation gets worse. Others "
    "divide by the ids that occur, which gives other figures.",
    source="Zouhar et al. 2023",
)
def renyi_efficiency_of_tokens(case: Case) -> list[Figure]:
    """How evenly the tokens are used."""
    counts = case.evaluation.token_counts(case.size)
    used = counts[counts > 0]
    # V, as in utilization, is ids that have a token: a hole is none of the possible outcomes.
    possible = np.pad(used, (0, max(0, case.evaluation.n_ids(case.size) - used.size)))
    value = renyi_efficiency(possible, RENYI_ALPHA)
    case = replace(case, name=f"{case.name}[a={RENYI_ALPHA:g},V]")
    return [case.figure(POOLED, value, int(case.evaluation.documents.sum()), "no tokens")]


@metric(
    "single_token_words[piece]",
    "share",
    "higher",
    pieces=True,
    formula="pieces with a letter that are one token / pieces with a letter, each as often as it occurs",
    trap="Its words are the pretokenizer's pieces, with the space before them. Compare only within the same "
    "cut. One less it is the share of words that are continued.",
    source="single-token retention rate",
)
def single_token_words(case: Case) -> list[Figure]:
    """How many words are a single token."""
    return case.ratios("single_token_words", "word_pieces", "no pieces with a letter")


@metric(
    "pcw[piece]",
    "share",
    "lower",
    pieces=True,
    formula="pieces with a letter that are not one token / pieces with a letter, each as often as it occurs",
    trap="Its words are the pretokenizer's pieces, with the space before them, and those of Rust et al. are "
    "words of a treebank: compare only within the same cut. A word that is one unknown token is not "
    "continued.",
    source="proportion of continued words (Rust et al. 2021)",
    topic="words",
)
def continued_words(case: Case) -> list[Figure]:
    """PCW, the proportion of continued words: how many words need two tokens or more."""
    empty = "no pieces with a letter"
    return case.ratios("single_token_words", "word_pieces", empty, complement=True)


@metric(
    "unknown",
    "share",
    "lower",
    formula="unknown tokens / tokens",
    trap="One unknown token may stand for a whole word: how much text they hide is told by lost.",
    source="common use",
)
def unknown(case: Case) -> list[Figure]:
    """How many tokens are the unknown token."""
    return case.ratios("unknown", "tokens", "no tokens")


@metric(
    "coverage",
    "share",
    None,
    topic="coverage",
    formula="tokens that are one of the n ids that occur most / tokens, all groups together; the name gives "
    "n, a power of 2 below the ids that have a token",
    trap="It is of this text: choose the ids on text like that to be written. It is no quality of a "
    "tokenizer: longer tokens are rarer.",
    source="Zhao et al. 2025 (FR-Spec)",
)
def coverage(case: Case) -> list[Figure]:
    """How many of the tokens the most frequent ids are: what a draft model with so many ids can say."""
    counts = case.evaluation.token_counts(case.size)
    n_documents = int(case.evaluation.documents.sum())
    return [
        replace(case, name=f"{case.name}[{n}]").figure(POOLED, share, n_documents, UNCOVERED)
        for n, share in coverage_of(counts, case.evaluation.n_ids(case.size)).items()
    ]


def coverage_of(counts: Int64, n_ids: int) -> dict[int, float | None]:
    """Return {n: share} of the tokens that are one of the n most frequent ids, for `COVERED`.

    `counts` is int64[ids]. None without tokens, and where n is no less than `n_ids`, the ids that have one.
    """
    sums = np.cumsum(np.sort(counts)[::-1])
    total = int(sums[-1]) if sums.size else 0
    return {n: ratio(int(sums[n - 1]), total) if n < n_ids else None for n in COVERED}


def renyi_entropy(counts: npt.ArrayLike, alpha: float) -> float | None:
    """Return the Rényi entropy of order `alpha` in bits; None where nothing was counted.

    ``log2(sum p^alpha) / (1 - alpha)``, with its limits: Shannon's entropy at 1 and the
    min-entropy at infinity. Zero counts do not matter, except that order 0 counts the others.
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
        bits = -float((p * np.log2(p)).sum())
    else:
        # Scaling by the largest keeps p^alpha from vanishing at high orders.
        scaled = float(np.sum((p / largest) ** alpha))
        bits = (math.log2(scaled) + alpha * math.log2(largest)) / (1 - alpha)
    return max(0.0, bits)  # one type gives -0.0, rounding may give a hair less


def renyi_efficiency(counts: npt.ArrayLike, alpha: float) -> float | None:
    """Return the Rényi entropy over log2(V), the largest possible; None where nothing was counted.

    `counts` has the occurrences of every vocabulary entry, zeros included: its length is V.
    """
    bits = renyi_entropy(counts, alpha)
    if not bits:  # one type gives 0, with V = 1 too, where log2(V) is 0
        return bits
    return bits / math.log2(np.size(counts))
