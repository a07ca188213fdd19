"""SentencePiece's ids piece by piece, though its sums go from the start of a document to its end.

The slow twin is `UnigramModel.encode_pieces`, to which a document is a piece.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import regex

from toktk.models.model import Bytes, Ids, Int64, Model, read_only
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.patterns import PATTERNS, name_of

if TYPE_CHECKING:
    from toktk.pretokenizers.pretokenizer import Pretokenizer

# Each cuts wherever two characters of certain kinds meet, whatever is around them. SentencePiece trains
# no token of letters and others unless it is told to.
_CUTS = (r" *[\p{L}\p{M}]+| *[^ \p{L}\p{M}]+| +", PATTERNS["spaces"])


class Float32Pieces:
    """A `single` model as the table of an encoder sees it; see `toktk.kernels.unigram_float32`.

    Attributes:
        pretokenizer: cuts documents where no token reaches over a cut.
        longest: bytes; of longer pieces nothing is kept.
    """

    def __init__(self, pretokenizer: Pretokenizer, model: UnigramModel) -> None:
        from toktk.kernels.unigram_float32 import LONGEST

        self.pretokenizer = pretokenizer
        self.longest = LONGEST
        self._model = model

    @classmethod
    def of(cls, pretokenizer: Pretokenizer, model: Model) -> Float32Pieces | None:
        """Return the pieces of a `single` model, to which a document is a piece.

        None of any other model, and where a token would reach over every cut that is known.
        """
        if not isinstance(model, UnigramModel) or not model.single or model.fallback is None:
            return None
        if pretokenizer.pattern != PATTERNS["none"] or pretokenizer.before or pretokenizer.added:
            return None
        ordinary = model.tokens[len(model.special_tokens) :]
        tokens = [ordinary[i].decode() for i in np.flatnonzero(model.matched).tolist()]
        for pattern in _CUTS:
            if all(map(regex.compile(pattern).fullmatch, tokens)):
                return cls(replace(pretokenizer, name=name_of(pattern), pattern=pattern), model)
        return None

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """Return for each piece what `headed_spans` writes, and int64[n]: where it ends."""
        from toktk.kernels.unigram_float32 import headed_spans

        data, offsets = read_only(data, np.uint8), read_only(offsets, np.int64)
        headed = np.empty(data.size + offsets.size, dtype=np.uint32)
        ends = np.empty(offsets.size - 1, dtype=np.int64)
        best, lead = np.empty((2, self.longest + 1))
        back = np.empty(self.longest + 1, dtype=np.int64)
        n = headed_spans(
            data, offsets, self._in_float64, headed, ends, headed.view(np.float32), best, back, lead
        )
        return headed[:n].copy(), ends

    def follow(
        self, data: Bytes, start: int, ends: Int64, starts: Int64, headed: Ids, lasts: Int64,
        base: np.float32, out: Ids, n: int, out_ends: Int64,
    ) -> tuple[np.float32, int]:  # fmt: skip
        """Write ids to `out` from n on; see `toktk.kernels.unigram_float32.follow_pieces`."""
        from toktk.kernels.unigram_float32 import follow_pieces

        longest = int(np.diff(ends, prepend=start).max(initial=0))
        base, n = follow_pieces(
            data, start, ends, starts, headed, headed.view(np.float32), lasts, base,
            self._model.vocabulary, self._score_of, out, n, out_ends,
            *self._model.scratch(longest),
        )  # fmt: skip
        return np.float32(base), int(n)

    @functools.cached_property
    def _in_float64(self) -> tuple[Any, ...]:
        table, token_at, scores, fallback, unknown, first_id = self._model.vocabulary
        wide = (read_only(x, np.float64) for x in (scores, unknown))
        return table, token_at, next(wide), fallback, next(wide), first_id

    @functools.cached_property
    def _score_of(self) -> npt.NDArray[np.float32]:
        """float32[ids]: what each adds to a sum; see `follow_pieces`."""
        model = self._model
        scores = np.zeros(model.vocab_size, dtype=np.float32)
        scores[len(model.special_tokens) :] = model.scores
        begins = np.array([not 0x80 <= byte < 0xC0 for byte in range(256)])
        scores[model.fallback] = np.where(begins, model.unknown[1], 0.0)
        return read_only(scores, np.float32)
