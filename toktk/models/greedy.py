"""The greedy model: from the left, always the longest token that fits.

The slow twin is `toktk.educational.greedy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from toktk.models.model import (
    Arrays,
    Bytes,
    Ids,
    Int64,
    checked_pieces,
    unpack_names,
)
from toktk.models.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class GreedyModel(Vocabulary):
    """Tokens without ranks or scores; a piece is cut from the left into the longest ones.

    Attributes:
        special_tokens: ids 0, 1, …; never matched in text.
        data, offsets: uint8[N], int64[n + 1]: the bytes of the ordinary tokens, whose ids follow.
        fallback: None where every single byte is a token. Else int64[256]: the ids of the tokens of the
            bytes, which spell a character where no token begins.

    Raises:
        FormatError: tokens that are empty or no complete alphabet. Equal tokens are found when `trie` is
            first used.
    """

    special_tokens: tuple[str, ...]
    data: Bytes
    offsets: Int64
    fallback: Int64 | None = None

    kind: ClassVar[str] = "greedy"

    def __post_init__(self) -> None:
        self._freeze()

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        from toktk.kernels.unigram_encode import greedy_spans

        data, offsets, _ = checked_pieces(data, offsets)
        table, token_at = self.trie
        ids = np.empty(data.size, dtype=np.uint32)
        ends = np.empty(offsets.size - 1, dtype=np.int64)
        n = greedy_spans(
            data, offsets, table, token_at, self._spelling, len(self.special_tokens), ids, ends
        )
        return ids[:n].copy(), ends

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> GreedyModel:
        """See `toktk.models.model.Model`."""
        return cls(
            unpack_names(arrays["special_tokens"]),
            arrays["data"],
            arrays["offsets"],
            arrays.get("fallback"),
        )
