"""The greedy model: from the left, always the longest token that fits.

The slow twin is `toktk.educational.greedy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from toktk.models.model import Bytes, Ids, Int64, checked_pieces
from toktk.models.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class GreedyModel(Vocabulary):
    """Tokens without ranks or scores; a piece is cut from the left into the longest ones.

    The tokens of the `fallback` spell a character where no other token begins.

    Raises:
        FormatError: tokens that are empty or no complete alphabet. Equal tokens are found when
            `trie` is first used.
    """

    data: Bytes
    offsets: Int64
    fallback: Int64 | None = None

    kind: ClassVar[str] = "greedy"

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
