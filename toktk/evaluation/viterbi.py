"""Evaluation of several unigram vocabularies in one pass over the pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from toktk.errors import MetricError
from toktk.evaluation.evaluation import Evaluation, slices
from toktk.evaluation.totals import totals_of
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import build_trie, packed
from toktk.pieces.table import Int64, PieceTable
from toktk.runtime import in_threads

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ViterbiEvaluation(Evaluation):
    """The counts for some unigram vocabularies of different sizes."""

    _by_size: dict[int, tuple[Int64, Int64, Int64]]
    """size -> int64[G] tokens, int64[G] word pieces that are one token, int64[size] ids."""

    def _at(self, size: int) -> tuple[Int64, Int64, Int64]:
        if size not in self._by_size:
            raise MetricError(
                f"{size:,} tokens were not evaluated.",
                f"Found: {', '.join(f'{known:,}' for known in self._by_size)}.",
            )
        return self._by_size[size]

    @property
    def sizes(self) -> Int64:
        """See `toktk.evaluation.evaluation.Evaluation`."""
        return np.array(sorted(self._by_size), dtype=np.int64)

    def tokens(self, size: int) -> Int64:
        """See `toktk.evaluation.evaluation.Evaluation`."""
        return self._at(size)[0]

    def single_token_words(self, size: int) -> Int64:
        """See `toktk.evaluation.evaluation.Evaluation`."""
        return self._at(size)[1]

    def token_counts(self, size: int) -> Int64:
        """See `toktk.evaluation.evaluation.Evaluation`."""
        return self._at(size)[2]


def evaluate_viterbi(
    table: PieceTable, models: Sequence[UnigramModel], *, jobs: int = 1
) -> ViterbiEvaluation:
    """Encode each distinct piece once under all of `models`, which must differ in size.

    Raises:
        CorpusError: groups with alignment ids do not have the same ids.
    """
    from toktk.kernels.unigram_encode_many import LANES

    totals, marked = totals_of(table)
    found: dict[int, tuple[Int64, Int64, Int64]] = {}
    for spells in (False, True):
        some = [model for model in models if (model.fallback is not None) == spells]
        for i in range(0, len(some), LANES):
            found |= _counted(table, marked, some[i : i + LANES], jobs)
    return ViterbiEvaluation(**vars(totals), _by_size=found)


@dataclass(frozen=True)
class _Union:
    """The tokens of several vocabularies: one row for each that differs."""

    trie: tuple[Int64, Int64]
    row_of: list[Int64]
    """By vocabulary, int64[n]: the rows of its ordinary tokens."""
    scores: Float64
    byte_row: Int64

    @classmethod
    def of(cls, models: Sequence[UnigramModel]) -> _Union:
        from toktk.kernels.unigram_encode_many import LANES

        spells = models[0].fallback is not None
        rows: dict[bytes, int] = {}
        row_of = []
        for model in models:
            first = len(model.special_tokens)
            tokens = model.tokens[first:]
            matched = [rows.setdefault(token, len(rows)) for token in tokens]
            row_of.append(np.array(matched, dtype=np.int64))
        byte_row = np.full(256, -1, dtype=np.int64)
        n = len(rows)
        if spells:  # tokens that spell characters are not matched: rows of their own
            byte_row = np.arange(n, n + 256)
            for model, own in zip(models, row_of, strict=True):
                fallback = np.asarray(model.fallback) - len(model.special_tokens)
                own[fallback] = byte_row
        scores = np.full((n + 256 * spells, LANES), -np.inf)
        for lane, (model, own) in enumerate(zip(models, row_of, strict=True)):
            scores[own, lane] = model.scores
        trie = build_trie(*packed(list(rows)))
        return cls(trie, row_of, scores, byte_row)


def _counted(
    table: PieceTable, marked: npt.NDArray[np.uint8], models: Sequence[UnigramModel], jobs: int
) -> dict[int, tuple[Int64, Int64, Int64]]:
    from toktk.kernels.unigram_encode_many import LANES, count_lanes

    union = _Union.of(models)
    unknown = np.zeros((5, LANES))
    unknown[:, : len(models)] = np.column_stack([model.unknown for model in models])
    longest = int(np.diff(table.offsets).max(initial=0))
    cuts = slices(table, jobs)

    def run(first: int, last: int) -> list[Int64]:
        shapes = [len(table.groups)] * 2 + [union.scores.shape[0]]
        sums = [np.zeros((n, LANES), dtype=np.int64) for n in shapes]
        count_lanes(
            table.data, table.offsets, first, last, table.rows, table.entry_group,
            table.entry_count, marked, *union.trie, union.scores, union.byte_row, unknown,
            len(models), *sums, np.empty((longest + 1, LANES)),
            np.empty((longest + 1, LANES), dtype=np.int64),
        )  # fmt: skip
        return sums

    parts = in_threads(run, list(pairwise(cuts)))
    tokens, single, by_row = (np.sum([part[i] for part in parts], axis=0) for i in range(3))
    found = {}
    for lane, (model, own) in enumerate(zip(models, union.row_of, strict=True)):
        counts = np.zeros(model.vocab_size, dtype=np.int64)
        counts[len(model.special_tokens) :] = by_row[own, lane]
        found[model.vocab_size] = tokens[:, lane].copy(), single[:, lane].copy(), counts
    return found
