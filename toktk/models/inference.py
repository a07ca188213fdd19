"""Inference methods: one vocabulary, run in another way.

A package adds an `Inference` under the entry-point group ``toktk.inference``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk.errors import FormatError
from toktk.models.bpe import BpeModel
from toktk.models.greedy import GreedyModel
from toktk.models.model import Bytes, Int64, Model
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import Vocabulary, packed
from toktk.registry import Registry

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable

_SLICE = 1 << 24  # bytes of pieces encoded at a time


@dataclass(frozen=True)
class Inference:
    """A way to run a vocabulary.

    Attributes:
        run: takes a model and the piece table of its training text, or None where `reads_pieces` is false;
            returns a model with the same ids. It raises FormatError for a model that it cannot run.
    """

    run: Callable[[Model, PieceTable | None], Model]
    reads_pieces: bool = True

    @property
    def description(self) -> str:
        """What the method does, in a line: the first of `run`'s docstring."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


def own(model: Model, pieces: PieceTable | None = None) -> Model:
    """Run it as its trainer made it."""
    return model


def merges(model: Model, pieces: PieceTable | None = None) -> Model:
    """Apply ranked merges, as BPE does.

    Raises:
        FormatError: the vocabulary has none.
    """
    if not isinstance(model, BpeModel):
        raise FormatError(
            "this vocabulary cannot be run by its merges.",
            f"Found: a model of the kind {model.kind}, which has none.",
            "Choose another inference method, or train bpe.",
        )
    return model


def greedy(model: Model, pieces: PieceTable | None = None) -> Model:
    """Take the longest token that fits, from the left.

    Raises:
        FormatError: the vocabulary cannot be looked up by bytes.
    """
    return GreedyModel(*_vocabulary(model))


def fewest(model: Model, pieces: PieceTable | None = None) -> Model:
    """Take the segmentation of fewest tokens; of equal ones that whose last token is longest.

    Raises:
        FormatError: the vocabulary cannot be looked up by bytes.
    """
    special_tokens, data, offsets, fallback = _vocabulary(model)
    scores = np.full(offsets.size - 1, -1.0)
    # Every token counts one, also each byte of a character that is spelled by bytes.
    return UnigramModel(special_tokens, data, offsets, scores, fallback, byte_score=-1.0)


def viterbi(model: Model, pieces: PieceTable | None = None) -> Model:
    """Take the most probable segmentation; tokens without scores get those of their counts.

    A count is how often a token occurs in `pieces` under the model's own encoding; the score is
    log((count + 1) / (all counts + number of ordinary tokens)), to the nearest multiple of 2**-10,
    so that other libraries, which add in float32 or read decimals, find the same sums.

    Raises:
        FormatError: the vocabulary cannot be looked up by bytes, or there are no pieces to count in.
    """
    if isinstance(model, UnigramModel):
        return model
    special_tokens, data, offsets, fallback = _vocabulary(model)
    if pieces is None:
        raise FormatError(
            "the tokens of this vocabulary have no scores.",
            "Give the pieces of its training text, where its tokens can be counted.",
        )
    counts = _token_counts(model, pieces)[len(special_tokens) :]
    scores = np.rint(1024 * np.log((counts + 1) / (counts.sum() + counts.size))) / 1024
    return UnigramModel(special_tokens, data, offsets, scores, fallback)


INFERENCE = Registry(
    "toktk.inference",
    {
        "own": Inference(own, reads_pieces=False),
        "merges": Inference(merges, reads_pieces=False),
        "greedy": Inference(greedy, reads_pieces=False),
        "fewest": Inference(fewest, reads_pieces=False),
        "viterbi": Inference(viterbi),
    },
    accepts=lambda target: isinstance(target, Inference),
    expected="a toktk.models.inference.Inference",
)


def cannot_run(run: Callable[..., Any], kind: str) -> str:
    """Return why one of toktk's own methods cannot run models of a kind; nothing where it can."""
    if run is merges and kind != BpeModel.kind:
        return f"Found: models of the kind {kind}, which have no merges."
    if run in (greedy, fewest, viterbi) and kind == "hf":
        return "Found: models with tokens that their bytes do not tell apart."
    return ""


def _vocabulary(model: Model) -> tuple[tuple[str, ...], Bytes, Int64, Int64 | None]:
    """Return special tokens, ordinary tokens and byte fallback of any model."""
    if isinstance(model, Vocabulary):
        return model.special_tokens, model.data, model.offsets, model.fallback
    n = len(model.special_tokens)
    fallback = np.arange(n, n + 256) if model.kind == "sentencepiece" else None
    ordinary = model.tokens[n:]
    if fallback is None and len(set(ordinary)) < len(ordinary):
        raise FormatError(
            "the tokens of this vocabulary cannot be told apart by their bytes.",
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
