"""Inference methods: one vocabulary, run in another way.

A method takes a tokenizer and, where its attribute ``reads_pieces`` is not False, the piece table of the
training text; it returns a tokenizer with the same ids. A package adds one under the entry-point group
``toktk.inference``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from toktk.errors import FormatError
from toktk.tokenizer.bpe import BpeModel
from toktk.tokenizer.greedy import GreedyModel
from toktk.tokenizer.model import Bytes, Int64, Model
from toktk.tokenizer.unigram import UnigramModel
from toktk.tokenizer.vocabulary import Vocabulary, packed

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable
    from toktk.tokenizer.tokenizer import Tokenizer

F = TypeVar("F", bound=Callable[..., object])

_SLICE = 1 << 24  # bytes of pieces encoded at a time


def _without_pieces(method: F) -> F:
    method.reads_pieces = False  # type: ignore[attr-defined]
    return method


@_without_pieces
def own(tokenizer: Tokenizer, pieces: PieceTable | None = None) -> Tokenizer:
    """Run it as its trainer made it."""
    return tokenizer


@_without_pieces
def merges(tokenizer: Tokenizer, pieces: PieceTable | None = None) -> Tokenizer:
    """Apply ranked merges, as BPE does.

    Raises:
        FormatError: the vocabulary has none.
    """
    if not isinstance(tokenizer.model, BpeModel):
        raise FormatError(
            f"{tokenizer.name} cannot be run by its merges.",
            f"Found: a model of the kind {tokenizer.model.kind}, which has none.",
            "Choose another inference method, or train bpe.",
        )
    return tokenizer


@_without_pieces
def greedy(tokenizer: Tokenizer, pieces: PieceTable | None = None) -> Tokenizer:
    """Take the longest token that fits, from the left.

    Raises:
        FormatError: the vocabulary cannot be looked up by bytes.
    """
    return replace(tokenizer, model=GreedyModel(*_vocabulary(tokenizer)))


@_without_pieces
def fewest(tokenizer: Tokenizer, pieces: PieceTable | None = None) -> Tokenizer:
    """Take the segmentation of fewest tokens; of equal ones that whose last token is longest.

    Raises:
        FormatError: the vocabulary cannot be looked up by bytes.
    """
    special_tokens, data, offsets, fallback = _vocabulary(tokenizer)
    scores = np.full(offsets.size - 1, -1.0)
    # Every token counts one, also each byte of a character that is spelled by bytes.
    model = UnigramModel(special_tokens, data, offsets, scores, fallback, byte_score=-1.0)
    return replace(tokenizer, model=model)


def viterbi(tokenizer: Tokenizer, pieces: PieceTable | None = None) -> Tokenizer:
    """Take the most probable segmentation; tokens without scores get those of their counts.

    A count is how often a token occurs in `pieces` under the tokenizer's own encoding; the score is
    log((count + 1) / (all counts + number of ordinary tokens)), to the nearest multiple of 2**-10, so that
    other libraries, which add in float32 or read decimals, find the same sums.

    Raises:
        FormatError: the vocabulary cannot be looked up by bytes, or there are no pieces to count in.
    """
    if isinstance(tokenizer.model, UnigramModel):
        return tokenizer
    special_tokens, data, offsets, fallback = _vocabulary(tokenizer)
    if pieces is None:
        raise FormatError(
            f"the tokens of {tokenizer.name} have no scores.",
            "Give the pieces of its training text, where its tokens can be counted.",
        )
    counts = _token_counts(tokenizer.model, pieces)[len(special_tokens) :]
    scores = np.rint(1024 * np.log((counts + 1) / (counts.sum() + counts.size))) / 1024
    model = UnigramModel(special_tokens, data, offsets, scores, fallback)
    return replace(tokenizer, model=model)


def cannot_run(method: object, kind: str) -> str:
    """Return why one of toktk's own methods cannot run models of a kind; nothing where it can."""
    if method is merges and kind != BpeModel.kind:
        return f"Found: models of the kind {kind}, which have no merges."
    if method in (greedy, fewest, viterbi) and kind == "hf":
        return "Found: models with tokens that their bytes do not tell apart."
    return ""


def _vocabulary(tokenizer: Tokenizer) -> tuple[tuple[str, ...], Bytes, Int64, Int64 | None]:
    """Return special tokens, ordinary tokens and byte fallback of any model."""
    model = tokenizer.model
    if isinstance(model, Vocabulary):
        return model.special_tokens, model.data, model.offsets, model.fallback
    n = len(model.special_tokens)
    fallback = np.arange(n, n + 256) if model.kind == "sentencepiece" else None
    ordinary = model.tokens[n:]
    if fallback is None and len(set(ordinary)) < len(ordinary):
        raise FormatError(
            f"the tokens of {tokenizer.name} cannot be told apart by their bytes.",
            f"Found: {len(ordinary):,} tokens of the kind {model.kind}, {len(set(ordinary)):,} "
            "of them different.",
            "Run it as it was trained: leave --inference out.",
        )
    return model.special_tokens, *packed(ordinary), fallback


def _token_counts(model: Model, pieces: PieceTable) -> Int64:
    """Return int64[ids]: how often each occurs in the text of `pieces`."""
    counts = np.zeros(model.vocab_size, dtype=np.int64)
    first = 0
    while first < len(pieces):
        begin = pieces.offsets[first]
        last = max(first + 1, int(np.searchsorted(pieces.offsets, begin + _SLICE)) - 1)
        ids, ends = model.encode_pieces(
            pieces.data[begin : pieces.offsets[last]], pieces.offsets[first : last + 1] - begin
        )
        np.add.at(counts, ids, np.repeat(pieces.counts[first:last], np.diff(ends, prepend=0)))
        first = last
    return counts
