"""How well the vocabulary is used: share of ids seen, evenness of use, words kept whole.

None of these is a score of quality. Rényi efficiency correlated with BLEU in Zouhar et al. (2023),
and Cognetta et al. (2024) built tokenizers that raise it while translation gets worse.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError
from toktk.metrics.base import Case, Figure, metric, ratio
from toktk.pieces.table import POOLED

RENYI_ALPHA = 2.5
"""The order of the Rényi entropy: that of Zouhar et al. (2023)."""


@metric("utilization", "share", "higher")
def utilization(case: Case) -> list[Figure]:
    """Ids used at least once / ids that have a token, over all groups.

    Special tokens, which text never uses, count as ids; holes, ids without a token, do not. Grows with the
    amount of text: compare on the same text only.
    """
    used = int(np.count_nonzero(case.evaluation.token_counts(case.size)))
    value = ratio(used, case.evaluation.n_ids(case.size))
    return [case.figure(POOLED, value, int(case.evaluation.documents.sum()), "empty vocabulary")]


@metric("renyi_efficiency", "share", "higher")
def renyi_efficiency_of_tokens(case: Case) -> list[Figure]:
    """Rényi entropy of the token distribution / log2(vocabulary size): H_a = log2(sum p^a) / (1-a), a = 2.5.

    See Zouhar et al. 2023. The name gives a and the divisor.
    """
    counts = case.evaluation.token_counts(case.size)
    used = counts[counts > 0]
    # V, as in utilization, is ids that have a token: a hole is none of the possible outcomes.
    possible = np.pad(used, (0, max(0, case.evaluation.n_ids(case.size) - used.size)))
    value = renyi_efficiency(possible, RENYI_ALPHA)
    case = replace(case, name=f"{case.name}[a={RENYI_ALPHA:g},V]")
    return [case.figure(POOLED, value, int(case.evaluation.documents.sum()), "no tokens")]


@metric("single_token_words[piece]", "share", "higher", pieces=True)
def single_token_words(case: Case) -> list[Figure]:
    """Share of letter-bearing piece occurrences that are one token.

    This is the single-token retention rate, with the pretokenizer's pieces, leading space included, as words.
    """
    return case.ratios("single_token_words", "word_pieces", "no pieces with a letter")


@metric("unknown", "share", "lower")
def unknown(case: Case) -> list[Figure]:
    """Share of tokens that are the unknown token. How much text they hide is told by `lost`."""
    return case.ratios("unknown", "tokens", "no tokens")


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
