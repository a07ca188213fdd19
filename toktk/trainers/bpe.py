"""Byte-level BPE, from piece counts.

The slow twin is `toktk.educational.train_bpe`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toktk.models.bpe import BpeModel
from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers.base import (
    LOWER_FLOOR,
    BaseTrainer,
    Card,
    Reached,
    Trained,
    TrainingData,
    check_range,
    sizes_from,
)
from toktk.trainers.pair_scores import PAIR_SCORES, PairScore
from toktk.trainers.reserved import check_not_bytes


class BpeTrainer(BaseTrainer):
    """Byte-level BPE (Sennrich et al. 2016), every size from one training.

    Merges and ids equal those of Hugging Face's ``BpeTrainer`` with the same pretokenizer and the
    whole byte alphabet; counts are 64 bits wide where theirs are 32. Each step merges the most
    frequent pair, and of equally frequent ones that with the smallest (left id, right id). Pairs
    are counted with overlaps: "aaa" holds (a, a) twice. The result does not depend on threads or
    the order of documents.

    With another `score` each step merges the pair of the highest score; ties are decided alike, and
    the merges encode by rank, as any BPE does. `min_frequency` still limits counts. Without it,
    scores such as the ratio begin with the rarest accidents of the text.

    Args:
        pretokenizer: a name or a pattern.
        special_tokens: get the first ids; text is never merged into them.
        symbols: see `toktk.trainers.base.BaseTrainer`.
        min_frequency: stop when the best pair occurs less often; 0 and 1 mean the same.
        max_token_length: most bytes of a token. (Hugging Face's option of this name allows one less.)
        score: a name known to `toktk.trainers.pair_scores.PAIR_SCORES`, or a function as that
            module says. "count" is several times faster than any other.
    """

    name = "bpe"
    card = Card(pretokenizer="any", nested=True, shared=True, model="bpe")

    def __init__(
        self,
        pretokenizer: str | Pretokenizer = DEFAULT_PRETOKENIZER,
        special_tokens: Sequence[str] = (),
        min_frequency: int = 0,
        max_token_length: int | None = None,
        score: str | PairScore = "count",
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__(pretokenizer, special_tokens, symbols)
        check_not_bytes(self.symbols, self.name)
        check_range("min_frequency", min_frequency, 0)
        check_range("max_token_length", max_token_length, 1)
        self.min_frequency = min_frequency
        self.max_token_length = max_token_length
        self.score = score
        self._score = PAIR_SCORES.load(score) if isinstance(score, str) else score

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        data = data.cut_at(self.symbols)
        least = len(self.special_tokens) + 256
        sizes_from(sizes, least, f"{self._reserved} and 256 bytes")
        model = self._learn(data, max(sizes))
        models = {size: model.cut(size) for size in sizes if least <= size <= model.vocab_size}
        floor = f" that occurs {self.min_frequency} times" if self.min_frequency > 1 else ""
        why = f" before no pair{floor} is left to merge"
        advice = LOWER_FLOOR if self.min_frequency > 1 else ""
        return self._finish(Reached(models, model.vocab_size, least), data, sizes, why, advice)

    def _learn(self, data: TrainingData, size: int) -> BpeModel:
        from toktk.trainers.merge_loop import MergeLoop, MergeTask
        from toktk.trainers.scored_merges import ScoredMerges

        pieces = data.pieces(self.pretokenizer)
        empty = BpeModel(self.special_tokens, np.empty((0, 3), dtype=np.int64))
        task = MergeTask(
            pieces.data,
            pieces.offsets,
            pieces.counts,
            empty.byte_ids,
            size,
            max(self.min_frequency, 1),
            self.max_token_length or 2**31,
        )
        if self.score == "count":
            loop = MergeLoop(task)
        else:
            name = self.score if isinstance(self.score, str) else repr(self.score)
            loop = ScoredMerges(self._score, name, task)
        data.advance(loop.n_tokens)  # special tokens and bytes
        loop.run(size, data.progress)
        data.advance(size - loop.n_tokens)
        return BpeModel(self.special_tokens, loop.learned[:, :3].copy())
