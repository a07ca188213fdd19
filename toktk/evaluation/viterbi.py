"""Evaluation of several unigram vocabularies in one pass over the pieces.

The slow twin is `toktk.educational.viterbi`, under each vocabulary by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toktk.arrays import Ids, Int64, packed
from toktk.evaluation.base import ChosenPieces, Counts, Flags, PieceCounts, slices_of, strides
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import build_trie
from toktk.pieces.table import PieceTable
from toktk.runtime import in_threads

Progress = Callable[[int], None]
Float64 = npt.NDArray[np.float64]

_STRIDE = 1 << 18  # bytes of pieces that a kernel encodes between two reports


def count_viterbi(
    table: PieceTable,
    models: Sequence[UnigramModel],
    is_word: Flags,
    jobs: int,
    chosen: ChosenPieces,
    progress: Progress,
) -> dict[int, Counts]:
    """Encode each piece under `models`, which differ in size; return what they make of it, by size.

    `progress` is called with pieces encoded since the last call, of each model, by any thread.
    """
    from toktk.kernels.unigram_encode_many import LANES

    by_size: dict[int, Counts] = {}
    for spells in (False, True):
        alike = [model for model in models if (model.fallback is not None) == spells]
        for i in range(0, len(alike), LANES):
            by_size |= _count_lanes(table, alike[i : i + LANES], is_word, jobs, chosen, progress)
    return by_size


@dataclass(frozen=True)
class _Union:
    """The tokens of several vocabularies, one row for each token that any of them has."""

    trie: tuple[Int64, Int64]
    row_of: list[Int64]
    """By vocabulary, int64[n]: the rows of its ordinary tokens."""
    scores: Float64
    """float64[rows, LANES]; -inf where a vocabulary lacks the token."""
    ids: Ids
    """uint32[rows, LANES]: the id of the token in each vocabulary."""
    byte_row: Int64
    """int64[256]: the rows of the tokens that spell characters; -1 where there are none."""

    @classmethod
    def of(cls, models: Sequence[UnigramModel]) -> _Union:
        from toktk.kernels.unigram_encode_many import LANES

        spells = models[0].fallback is not None
        rows: dict[bytes, int] = {}
        row_of = []
        for model in models:
            tokens = model.tokens[len(model.special_tokens) :]
            matched = [rows.setdefault(token, len(rows)) for token in tokens]
            row_of.append(np.array(matched, dtype=np.int64))
        byte_row = np.full(256, -1, dtype=np.int64)
        n = len(rows)
        if spells:  # tokens that spell characters are not matched: rows of their own
            byte_row = np.arange(n, n + 256)
            for model, own in zip(models, row_of, strict=True):
                own[np.asarray(model.fallback) - len(model.special_tokens)] = byte_row
        scores = np.full((n + 256 * spells, LANES), -np.inf)
        ids = np.zeros(scores.shape, dtype=np.uint32)
        for lane, (model, own) in enumerate(zip(models, row_of, strict=True)):
            scores[own, lane] = model.scores
            ids[own, lane] = np.arange(len(model.special_tokens), model.vocab_size)
        return cls(build_trie(*packed(list(rows))), row_of, scores, ids, byte_row)


def _count_lanes(
    table: PieceTable,
    models: Sequence[UnigramModel],
    is_word: Flags,
    jobs: int,
    chosen: ChosenPieces,
    progress: Progress,
) -> dict[int, Counts]:
    """Return the counts of at most `LANES` models, by size."""
    from toktk.kernels.unigram_encode_many import LANES, count_lanes

    union = _Union.of(models)
    unknown = np.zeros((5, LANES))
    unknown[:, : len(models)] = np.column_stack([model.unknown for model in models])
    longest = int(np.diff(table.offsets).max(initial=0))
    chosen_tokens = np.zeros((chosen.spelled.size, LANES), dtype=np.int32)
    rooms = len(models) * chosen.rooms(table)
    ids = np.empty(int(rooms[-1]), dtype=np.uint32)
    first_of = np.full((len(models), chosen.spelled.size), -1, dtype=np.int64)

    def run(first: int, last: int) -> list[Int64]:
        shapes = len(table.groups), len(table.groups), union.scores.shape[0]
        sums = [np.zeros((n, LANES), dtype=np.int64) for n in shapes]
        best = np.empty((longest + 1, LANES)), np.empty((longest + 1, LANES), dtype=np.int64)
        for begin, end in strides(table, first, last, _STRIDE):
            count_lanes(
                table.data, table.offsets, begin, end, table.rows, table.entry_group,
                table.entry_count, is_word, *union.trie, union.scores, union.byte_row, unknown,
                len(models), *sums, chosen.rows, chosen_tokens, chosen.spelled, union.ids, first_of,
                ids, rooms[begin], *best,
            )  # fmt: skip
            progress((end - begin) * len(models))
        return sums

    parts = in_threads(run, slices_of(table, jobs))
    tokens, single, by_row = (np.sum([part[i] for part in parts], axis=0) for i in range(3))
    by_size = {}
    for lane, (model, own) in enumerate(zip(models, union.row_of, strict=True)):
        size = model.vocab_size
        token_counts = np.zeros(size, dtype=np.int64)
        token_counts[len(model.special_tokens) :] = by_row[own, lane]
        by_size[size] = Counts(
            tokens[:, lane].copy(),
            single[:, lane].copy(),
            token_counts,
            size,
            of_pieces=PieceCounts(chosen_tokens[:, lane].copy(), ids, first_of[lane]),
        )
    return by_size
