"""The merge loop for scores other than the count: slower, and exact for any of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.kernels import bpe_train_scored as k
from toktk.kernels.bpe_train import DONE, GROW_PAIRS, GROW_POOL, N_PAIRS
from toktk.trainers.merge_loop import MergeLoop, MergeTask, grown
from toktk.trainers.pair_scores import PairScore, scores_of

_PROGRESS = 256  # merges between two reports


class ScoredMerges(MergeLoop):
    """Merge the pair of the highest score again and again; ties go to the smallest pair of ids.

    Args:
        score: see `toktk.trainers.pair_scores`; called once a merge, for all pairs that it changed.
        name: what errors call the score.
        task: its floor is one of counts, whatever the score.
    """

    _part = 1  # any pair may be next

    def __init__(self, score: PairScore, name: str, task: MergeTask) -> None:
        self.score, self.name = score, name
        super().__init__(task)
        self.ranking.symbols[self.base : self.base + 256] = task.symbols
        n = int(self.state[N_PAIRS])
        k.describe(self.ranking, self.pairs.rows, self.sides.left, n)
        self._new_scores = self._scored(n)

    def _queue_pairs(self) -> None:
        capacity = self.pairs.rows.shape[0]
        self.ranking = k.Ranking(
            tree=np.empty(2 * capacity, dtype=np.int32),
            scores=np.full(capacity, -np.inf),
            links=np.empty((capacity, 2), dtype=np.int32),
            heads=np.full((self.merges.shape[0], 2), -1, dtype=np.int32),
            seen=np.zeros(capacity, dtype=np.int32),
            changed=np.empty(capacity, dtype=np.int32),
            features=np.empty((5, capacity + 520), dtype=np.int64),
            symbols=np.zeros(self.merges.shape[0], dtype=np.int64),
        )
        k.link_first(self.ranking, self.pairs.rows, self.state[N_PAIRS])
        k.build_tree(self.ranking.tree, self.ranking.scores, self.pairs.rows)

    def run(self, target: int, progress: Callable[[int], None] | None = None) -> bool:
        """See `MergeLoop`; a broken score is a TrainingError."""
        reported = self.n_tokens
        while self.n_tokens < target:
            if self.n_tokens == self._widest:
                self._widen()
            arrays = tuple(map(tuple, (self.text, self.pairs, self.ranking, self.sides)))
            why, n_changed = k.merge_best(
                arrays, self.merges, self._new_scores, self.state, self.floor, self.longest
            )
            self._new_scores = np.empty(0)
            if why == DONE:
                self._new_scores = self._scored(n_changed)
            elif why == GROW_POOL:
                self._grow_pool()
            elif why == GROW_PAIRS:
                self._grow_pairs()
            else:
                break
            if progress is not None and self.n_tokens >= reported + _PROGRESS:
                progress(self.n_tokens - reported)
                reported = self.n_tokens
        if progress is not None:
            progress(self.n_tokens - reported)
        return self.n_tokens >= target

    def _scored(self, n: int) -> npt.NDArray[np.float64]:
        """Return the scores of the first `n` changed pairs."""
        if n == 0:
            return np.empty(0)
        return scores_of(self.score, self.name, self.ranking.features[:, :n])

    def _grow_queue(self, capacity: int) -> None:
        ranking = self.ranking
        scores = grown(ranking.scores, capacity)
        scores[ranking.scores.size :] = -np.inf
        self.ranking = ranking._replace(
            tree=np.empty(2 * capacity, dtype=np.int32),
            scores=scores,
            links=grown(ranking.links, capacity),
            seen=grown(ranking.seen, capacity),
            changed=grown(ranking.changed, capacity),
            features=np.empty((5, capacity + 520), dtype=np.int64),
        )
        k.build_tree(self.ranking.tree, self.ranking.scores, self.pairs.rows)
