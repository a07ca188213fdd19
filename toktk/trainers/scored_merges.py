"""The merge loop for scores other than the count: slower, and exact for any of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.kernels import bpe_train, bpe_train_scored
from toktk.trainers.merge_loop import Int64, MergeLoop
from toktk.trainers.pair_scores import PairScore, scores_of

_PROGRESS = 256  # merges between two reports


class ScoredMerges(MergeLoop):
    """Merge the pair of the highest score again and again; ties go to the smallest pair of ids.

    Args:
        score: see `toktk.trainers.pair_scores`; called once a merge, for all pairs that it changed.
        name: what errors call the score.
        data, offsets, counts, byte_ids, max_size, floor, longest: as for `MergeLoop`; the floor is
            one of counts, whatever the score.
    """

    def __init__(
        self,
        score: PairScore,
        name: str,
        data: npt.NDArray[np.uint8],
        offsets: Int64,
        counts: Int64,
        byte_ids: Int64,
        max_size: int,
        floor: int,
        longest: int,
    ) -> None:
        self.score, self.name = score, name
        super().__init__(data, offsets, counts, byte_ids, max_size, floor, longest)
        self.symbols = np.zeros(self.merges.shape[0], dtype=np.int64)
        bpe_train_scored.count_symbols(data, offsets, counts, byte_ids, self.symbols)
        self._score(int(self.state[bpe_train.N_PAIRS]))

    def _queue(self) -> None:
        capacity, n = self.pairs.shape[0], self.state[bpe_train.N_PAIRS]
        self.links = np.empty((capacity, 2), dtype=np.int32)
        self.heads = np.full((self.merges.shape[0], 2), -1, dtype=np.int32)
        self.seen = np.zeros(capacity, dtype=np.int32)
        self.changed = np.empty(capacity, dtype=np.int32)
        self.scores = np.full(capacity, -np.inf)
        self.features = np.empty((5, 1024), dtype=np.int64)
        bpe_train_scored.link_first(self.links, self.heads, self.pairs, self.changed, n)
        self._plant()

    def _plant(self) -> None:
        self.tree = np.empty(2 * self.pairs.shape[0], dtype=np.int32)
        bpe_train_scored.build_tree(self.tree, self.scores, self.pairs)

    def run(self, target: int, progress: Callable[[int], None] | None = None) -> bool:
        """Merge until `target` ids exist; return False when no pair reaches the floor before.

        Raises:
            TrainingError: the score is broken.
        """
        reported = self.n_tokens
        while self.n_tokens < target:
            why, n = bpe_train_scored.merge_best(
                self.cells, self.weights, self.pool, self.table, self.pairs, self.links,
                self.heads, self.seen, self.tree, self.scores, self.merges, self.left, self.right,
                self.touched, self.births, self.symbols, self.changed, self.state, self.floor,
                self.longest,
            )  # fmt: skip
            if why == bpe_train.DONE:
                self._score(n)
            elif why == bpe_train.GROW_POOL:
                self._grow_pool(3 * self.births.shape[0])
            elif why == bpe_train.GROW_PAIRS:
                self._grow_pairs()
            else:
                break
            if progress is not None and self.n_tokens >= reported + _PROGRESS:
                progress(self.n_tokens - reported)
                reported = self.n_tokens
        if progress is not None:
            progress(self.n_tokens - reported)
        return self.n_tokens >= target

    def _score(self, n: int) -> None:
        """Score the first `n` changed pairs."""
        if n == 0:
            return
        if n > self.features.shape[1]:
            self.features = np.empty((5, 2 * n), dtype=np.int64)
        bpe_train_scored.describe(
            self.pairs, self.symbols, self.left, self.changed, n, self.features
        )
        new = scores_of(self.score, self.name, self.features[:, :n])
        bpe_train_scored.enter_scores(self.tree, self.scores, self.pairs, self.changed, n, new)

    def _grow_pairs(self) -> None:
        rows = 2 * self.pairs.shape[0]
        for name in ("pairs", "links", "seen", "changed", "scores"):
            old = getattr(self, name)
            grown = np.zeros((rows, *old.shape[1:]), dtype=old.dtype)
            grown[: old.shape[0]] = old
            setattr(self, name, grown)
        self.scores[rows // 2 :] = -np.inf
        self._rehash()
        self._plant()
