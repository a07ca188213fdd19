"""Byte-level BPE, from piece counts.

The slow twin is `toktk.educational.train_bpe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toktk.models.bpe import BpeModel
from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import give_back_memory
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

if TYPE_CHECKING:
    from toktk.trainers.merge_loop import MergeLoop

_RARE = (
    1 / 400
)  # real text of 128k ids merges a last pair of 1/170 of the mean, of fewer ids a larger one


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
        loop = self._laid_out(data, size, _RARE)
        data.advance(loop.n_tokens)  # special tokens and bytes
        is_whole = loop.run(size, data.progress)
        n_tokens = loop.n_tokens
        if not is_whole and loop.floor > self._floor:
            del loop
            loop = self._laid_out(data, size, 0)
            loop.run(size)
            data.advance(loop.n_tokens - n_tokens)
        data.advance(size - loop.n_tokens)
        return BpeModel(self.special_tokens, loop.learned[:, :3].copy())

    @property
    def _floor(self) -> int:
        return max(self.min_frequency, 1)

    def _laid_out(self, data: TrainingData, size: int, rare: float) -> MergeLoop:
        """Return the loop, begun.

        It leaves out pairs that are born with fewer than `rare` of the mean count of `size` pairs. The count
        of a pair falls from then on, so none of these is merged before all others are: where those suffice,
        the merges are the same. Most pairs are rare ones, and they take most of the memory.
        """
        from toktk.trainers.merge_loop import MergeLoop, MergeTask
        from toktk.trainers.scored_merges import ScoredMerges

        pieces = data.pieces(self.pretokenizer)
        empty = BpeModel(self.special_tokens, np.empty((0, 3), dtype=np.int64))
        arrays = pieces.data, pieces.offsets, pieces.counts
        del pieces
        data.release()
        give_back_memory()
        longest = self.max_token_length or 2**31
        task = MergeTask.of(*arrays, empty.byte_ids, size, self._floor, longest)
        del arrays
        give_back_memory()  # of the pieces, which are laid out
        if self.score == "count":
            rarest = int(rare * int(task.pairs.sum()) / size)
            return MergeLoop(task._replace(floor=max(self._floor, rarest)))
        name = self.score if isinstance(self.score, str) else repr(self.score)
        return ScoredMerges(self._score, name, task)
