"""The unigram model: tokens with scores, and the best path through a piece (Kudo 2018).

The slow twin is `toktk.educational.viterbi`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.models.model import Bytes, Ids, Int64, checked_pieces, read_only
from toktk.models.vocabulary import Vocabulary

Float64 = npt.NDArray[np.float64]

UNKNOWN_PENALTY = 10.0  # SentencePiece's; a part of the model, for it decides ids


@dataclass(frozen=True, eq=False)
class UnigramModel(Vocabulary):
    """Scores of tokens; a piece is encoded by the path of greatest score sum.

    Sums are float64, added from left to right; of two equal sums at a position the one whose last
    token begins first stays. SentencePiece and Hugging Face's Unigram decide alike, so ids are
    equal as long as SentencePiece's float32 sums are exact, or with `single`.

    Attributes:
        scores: float64[n], logarithms of probabilities of the ordinary tokens.
        fallback: as in `Vocabulary`. A character that is no token by itself may be spelled by these
            tokens, for 10 less than the lowest score of the other tokens.
        byte_score: what each byte of such a character costs instead; None: as said.
        single: sums are kept in float32, as SentencePiece does; so a piece must be a whole document.

    Raises:
        FormatError: scores that are no finite numbers, or as in `Vocabulary`.
    """

    data: Bytes
    offsets: Int64
    scores: Float64
    fallback: Int64 | None = None
    byte_score: float | None = None
    single: bool = False

    kind: ClassVar[str] = "unigram"
    scalars: ClassVar[tuple[str, ...]] = ("byte_score", "single")

    def __post_init__(self) -> None:
        self._freeze(scores=np.float64)
        super().__post_init__()
        if self.scores.shape != (self.offsets.size - 1,):
            raise FormatError(
                "every token needs one score.",
                f"Found: {self.scores.size:,} scores, {self.offsets.size - 1:,} tokens.",
            )
        wrong = np.flatnonzero(~np.isfinite(self.scores))
        if wrong.size:
            raise FormatError(
                "scores must be finite numbers.",
                f"Found: {self.scores[wrong[0]]} for token {self._named(int(wrong[0]))}.",
            )

    @functools.cached_property
    def _score_at(self) -> Float64:
        """float64[nodes]: the score of the token that ends at each node of the trie."""
        token_at = self.trie[1]
        return read_only(np.where(token_at < 0, 0.0, self.scores[token_at]), np.float64)

    @functools.cached_property
    def unknown(self) -> Float64:
        """float64[5]: the score of a character spelled by its bytes, by their number."""
        if self.byte_score is not None:
            return read_only(np.arange(5) * self.byte_score, np.float64)
        scores = self.scores[self.matched]
        lowest = float(scores.min()) if scores.size else 0.0
        return read_only(np.full(5, lowest - UNKNOWN_PENALTY), np.float64)

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        from toktk.kernels.unigram_encode import viterbi_spans

        data, offsets, longest = checked_pieces(data, offsets)
        ids = np.empty(data.size, dtype=np.uint32)
        ends = np.empty(offsets.size - 1, dtype=np.int64)
        best, back = self.scratch(longest)
        n = viterbi_spans(data, offsets, self.vocabulary, ids, ends, best, back)
        return ids[:n].copy(), ends

    @functools.cached_property
    def vocabulary(self) -> tuple[Any, ...]:
        """What `toktk.kernels.unigram_encode.viterbi_spans` takes."""
        scores, unknown = (x.astype(self._precision) for x in (self._score_at, self.unknown))
        return (*self.trie, scores, self._spelling, unknown, len(self.special_tokens))

    def scratch(self, longest: int) -> tuple[npt.NDArray[Any], Int64]:
        """Return `best` and `back` of `viterbi_spans`, for spans of up to `longest` bytes."""
        return np.empty(longest + 1, self._precision), np.empty(longest + 1, np.int64)

    @property
    def _precision(self) -> type[np.float32 | np.float64]:
        return np.float32 if self.single else np.float64

    def log_likelihood(self, data: Bytes, offsets: Int64) -> Float64:
        """Return float64[n]: the log of the probability of each piece, summed over its segmentations.

        Raises:
            ValueError: offsets that do not ascend from 0 to ``data.size``.
        """
        from toktk.kernels.unigram_encode import log_likelihood_spans

        data, offsets, longest = checked_pieces(data, offsets)
        logs, forward = np.empty(offsets.size - 1), np.empty(longest + 1)
        vocabulary = self.trie[0], self._score_at, self._spelling, self.unknown
        log_likelihood_spans(data, offsets, *vocabulary, logs, forward)
        return logs
