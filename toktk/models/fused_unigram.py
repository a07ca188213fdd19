"""Unigram over a published vocabulary, as Hugging Face tokenizers runs it: unknown characters are joined."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError, clipped
from toktk.models.lookup import Tokens
from toktk.models.model import ArrayModel, Bytes, Ids, Int64, checked_pieces, read_only
from toktk.models.pairs import UNUSED_BYTES, within
from toktk.models.unigram import UNKNOWN_PENALTY, Float64
from toktk.models.vocabulary import build_trie, unpacked

MAX_SCORE = 2.0**20
"""Sums of larger ones may be rounded by more than what is between a token and unknown characters."""


@dataclass(frozen=True, eq=False)
class FusedUnigramModel(ArrayModel):
    """Tokens with scores, ids anywhere, and a token for what is unknown.

    A piece is encoded by the path of greatest score sum, as `UnigramModel` does; but every token can be
    found in text by its name, special ones too, and a run of unknown characters is one `unknown_id`.

    Attributes:
        special_tokens, special_ids: names and ids of what is added; text becomes them only where it is
            a token of the model as well.
        data, offsets: uint8[N], int64[ids + 1]: the names of tokens, with spaces; none where the model has no
            token.
        scores: float64[ids], from -2**20 to 2**20. An unknown character has 10 less than the lowest.
        matched: bool[ids], what is looked for in text: the others are in no text.
        byte_ids: int64[256], the tokens of bytes, -1 for none.
        spells: whether bytes take the place of an `unknown_id`; then all bytes of UTF-8 have a token.

    Raises:
        FormatError: arrays that do not fit each other; a longer token that holds the name of `unknown_id`.
    """

    special_ids: Int64
    data: Bytes
    offsets: Int64
    scores: Float64
    matched: npt.NDArray[np.bool_]
    byte_ids: Int64
    unknown_id: int
    spells: bool

    kind: ClassVar[str] = "fused-unigram"
    scalars: ClassVar[tuple[str, ...]] = ("unknown_id", "spells")

    def __post_init__(self) -> None:
        object.__setattr__(self, "special_tokens", tuple(self.special_tokens))
        self._freeze(**dict.fromkeys(("special_ids", "offsets", "byte_ids"), np.int64))
        self._freeze(data=np.uint8, scores=np.float64, matched=np.bool_)
        n, names = self.offsets.size - 1, self.special_tokens
        sound = {
            "offsets": n > 0
            and self.offsets[0] == 0
            and self.offsets[-1] == self.data.size
            and bool((np.diff(self.offsets) >= 0).all()),
            "special_tokens": len(set(names)) == len(names) == self.special_ids.size,
            "special_ids": within(self.special_ids, n),
            "scores": self.scores.shape == (n,) and bool((np.abs(self.scores) <= MAX_SCORE).all()),
            "matched": self.matched.shape == (n,)
            and not (self.matched & (np.diff(self.offsets) == 0)).any(),
            "byte_ids": self.byte_ids.shape == (256,) and within(self.byte_ids + 1, n + 1),
            "unknown_id": 0 <= self.unknown_id < n,
            "spells": not self.spells or np.delete(self.byte_ids, UNUSED_BYTES).min() >= 0,
        }
        wrong = [name for name, is_sound in sound.items() if not is_sound]
        if wrong:
            raise FormatError(
                f"these arrays are no vocabulary of scores: {wrong[0]}.",
                f"Found: what does not fit {n:,} ids, or scores beyond {MAX_SCORE:,.0f}.",
            )
        self._check_unknown()

    def _check_unknown(self) -> None:
        """Refuse a model where a run of unknown text could be the name of a token with a lower score."""
        unknown = self._by_id.spelled(self.unknown_id)
        is_held = False
        if self.matched[self.unknown_id] and self.data.tobytes().count(unknown) > 1:
            spelled = map(self._by_id.spelled, np.flatnonzero(self.matched).tolist())
            is_held = sum(unknown in token for token in spelled) > 1
        if is_held or self.lowest > UNKNOWN_PENALTY:
            raise FormatError(
                "unknown text could be a token.",
                f"Found: a lowest score of {self.lowest:g}, or a longer token that holds {clipped(unknown)}.",
            )

    @property
    def _by_id(self) -> Tokens:
        return Tokens(self.data, self.offsets)

    @property
    def lowest(self) -> float:
        """The lowest score of a token that the model has."""
        return float(self.scores[np.diff(self.offsets) > 0].min(initial=np.inf))

    @property
    def vocab_size(self) -> int:
        """The highest id plus one."""
        return int(self.offsets.size - 1)

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, none where it has no token; a special token's are its name in UTF-8."""
        tokens = unpacked(self.data, self.offsets)
        for b, i in enumerate(self.byte_ids.tolist()):
            if i >= 0:
                tokens[i] = bytes([b])
        for name, i in zip(self.special_tokens, self.special_ids.tolist(), strict=True):
            tokens[i] = name.encode()
        return tokens

    @functools.cached_property
    def vocabulary(self) -> tuple[Any, ...]:
        """What `toktk.kernels.unigram_encode.fused_spans` takes."""
        table, token_at = build_trie(self.data, self.offsets, self.matched)
        score_at = read_only(np.where(token_at < 0, 0.0, self.scores[token_at]), np.float64)
        # Text is UTF-8, so what stands in for the id of an unused byte is never given out.
        byte_ids = np.where(self.byte_ids < 0, self.byte_ids[0], self.byte_ids)
        fallback = read_only(byte_ids if self.spells else np.full(256, -1), np.int64)
        unknown = read_only(np.full(5, self.lowest - UNKNOWN_PENALTY), np.float64)
        return table, token_at, score_at, fallback, unknown, 0

    def check(self) -> None:
        """Refuse equal tokens, which the constructor leaves alone; readers of files call this."""
        _ = self.vocabulary

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        from toktk.kernels.unigram_encode import fused_spans

        data, offsets, longest = checked_pieces(data, offsets)
        ids = np.empty(data.size, dtype=np.uint32)
        ends = np.empty(offsets.size - 1, dtype=np.int64)
        best, back = np.empty(longest + 1), np.empty(longest + 1, dtype=np.int64)
        n = fused_spans(data, offsets, self.vocabulary, self.unknown_id, ids, ends, best, back)
        return ids[:n].copy(), ends
