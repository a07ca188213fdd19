"""How tokens are made of each other: splits into two, and steps that merging leaves behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from toktk.arrays import Int64
from toktk.errors import FormatError
from toktk.metrics.base import Case, Figure, metric, ratio
from toktk.models.parts import intermediate_counts, parts_of
from toktk.models.splits import splits_of, text_tokens
from toktk.pieces.table import POOLED

TENTH = 10
"""A residue is a token of which merging leaves less than one in ten in the text.

So only tokens that it makes ten times or more are looked at: of fewer, less than one is none, and any
token inside a rare one would be a residue.
"""

NOT_APART = "several ids spell the same: which of them a split has is not told"
NO_MERGES = "no list of merges: another kind of model, or one that a library runs"


@metric(
    "splittable_tokens",
    "share",
    "higher",
    formula="tokens of two bytes or more that two other tokens spell, one after the other / tokens of two "
    "bytes or more; special tokens, and bytes that only spell characters without a token, do not count",
    trap="It is about the vocabulary and not about the text. BPE over bytes has nearly 1 by its making; less "
    "where merges were taken out. It is null for word-pieces, where two ids spell the same.",
    source="the table of STOCHASTOK (Sims et al. 2026)",
    topic="vocabulary",
)
def splittable_tokens(case: Case) -> list[Figure]:
    """How many tokens can be split into two others, as training with random splits needs it."""
    splits, n = _splits(case)
    value = None if splits is None else ratio(np.unique(splits[:, 0]).size, n)
    return [case.figure(POOLED, value, n, _why(splits))]


@metric(
    "splits_per_token",
    "splits/token",
    None,
    formula="ways to spell a token by two others, one after the other / tokens of two bytes or more",
    trap="As splittable_tokens. Long tokens have more places to be split at.",
    source="the table of STOCHASTOK (Sims et al. 2026)",
    topic="vocabulary",
)
def splits_per_token(case: Case) -> list[Figure]:
    """In how many ways a token can be split into two others."""
    splits, n = _splits(case)
    value = None if splits is None else ratio(len(splits), n)
    return [case.figure(POOLED, value, n, _why(splits))]


def _splits(case: Case) -> tuple[Int64 | None, int]:
    """Return the splits, and how many tokens have two bytes or more."""
    model = case.tokenizer.model
    n = sum(len(token) > 1 for token in text_tokens(model).values())
    try:
        return splits_of(model), n
    except FormatError:
        return None, n


def _why(splits: Int64 | None) -> str:
    return NOT_APART if splits is None else "no token of two bytes"


@metric(
    "residue_tokens",
    "share",
    "lower",
    formula="tokens with F1 / (F1 + F2) < 0.1 / tokens with F1 + F2 >= 10, of those that merging makes; F1: "
    "how often a token is left in the text in the end, F2: how often it was merged further",
    trap="It depends on the text: what is a residue here may be a word of another language, and short tokens "
    "that are still frequent are among them. The threshold is toktk's. LiteToken divides by the whole "
    "vocabulary, on English text, and spares tokens with many different neighbors: its 5 to 10 % are no "
    "figures of this metric.",
    source="FI ratio of LiteToken (Sun et al. 2026)",
    topic="vocabulary",
)
def residue_tokens(case: Case) -> list[Figure]:
    """How much of the used vocabulary is little more than a step of merging on the way to longer tokens."""
    case = replace(case, name=f"{case.name}[{1 / TENTH:g}]")
    parts = parts_of(case.tokenizer.model)
    if parts is None:
        return [case.figure(POOLED, None, None, NO_MERGES)]
    final = case.evaluation.token_counts(case.size)
    tokens = case.tokenizer.model.tokens
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    steps = intermediate_counts(parts, lengths, final)
    made = (parts[:, 0] >= 0) & (final + steps >= TENTH)
    residues = made & (final * TENTH < final + steps)
    n = int(np.count_nonzero(made))
    value = ratio(int(np.count_nonzero(residues)), n)
    return [case.figure(POOLED, value, n, f"merging makes no token {TENTH} times")]
