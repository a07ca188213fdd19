"""A small stand-in for `toktk.evaluation.evaluation.Evaluation`, filled by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class FakeEvaluation:
    """Every array from plain lists; what is left out is ones, or zeros for `unspaced`."""

    def __init__(
        self,
        groups: Sequence[str],
        tokens: Sequence[int],
        *,
        parallel: Sequence[bool] | None = None,
        aligned_lines: int | None = None,
        token_counts: Sequence[int] = (1,),
        single: Sequence[int] | None = None,
        **counts: Sequence[int],
    ) -> None:
        self.groups = tuple(groups)
        self.aligned_lines = aligned_lines
        side = aligned_lines is not None
        self.parallel = np.array(parallel or [side] * len(groups), dtype=np.bool_)
        for name in ("documents", "bytes", "chars", "lines", "words", "pieces", "word_pieces"):
            setattr(self, name, np.array(counts.get(name, [1] * len(groups)), dtype=np.int64))
        self.nonspace = np.array(counts.get("nonspace", [100] * len(groups)), dtype=np.int64)
        self.unspaced = np.array(counts.get("unspaced", [0] * len(groups)), dtype=np.int64)
        self._tokens = np.array(tokens, dtype=np.int64)
        self._single = np.array(single or [0] * len(groups), dtype=np.int64)
        self._counts = np.array(token_counts, dtype=np.int64)

    def tokens(self, size: int) -> np.ndarray:
        return self._tokens

    def single_token_words(self, size: int) -> np.ndarray:
        return self._single

    def token_counts(self, size: int) -> np.ndarray:
        return self._counts

    def n_ids(self, size: int) -> int:
        return size

    def unknown(self, size: int) -> None:
        return None

    def lost(self, size: int) -> np.ndarray:
        return np.zeros_like(self._tokens)
