"""Evaluation of a tokenizer that only counts: tokens of whole documents, and nothing about ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NoReturn

import numpy as np

from toktk.arrays import Int64
from toktk.errors import NoIdsError
from toktk.evaluation.base import (
    ChosenPieces,
    Evaluation,
    PieceCounts,
    Totals,
    sum_by_group,
)
from toktk.models.counts import CountsModel
from toktk.pieces.table import PieceTable


@dataclass(frozen=True, eq=False)
class _CountsAlone(Evaluation):
    """Tokens of each group, and of each chosen document, whatever the size."""

    size: int
    by_group: Int64
    of_chosen: PieceCounts

    has_ids: ClassVar[bool] = False

    @property
    def sizes(self) -> Int64:
        return np.array([self.size], dtype=np.int64)

    def tokens(self, size: int) -> Int64:
        return self.by_group

    def of_pieces(self, size: int) -> PieceCounts:
        return self.of_chosen

    def single_token_words(self, size: int) -> NoReturn:
        raise NoIdsError

    def token_counts(self, size: int) -> NoReturn:
        raise NoIdsError

    def n_ids(self, size: int) -> NoReturn:
        raise NoIdsError

    def unknown(self, size: int) -> NoReturn:
        raise NoIdsError

    def lost(self, size: int) -> NoReturn:
        raise NoIdsError


def count_documents(
    table: PieceTable, model: CountsModel, totals: Totals, chosen: ChosenPieces
) -> Evaluation:
    """Return the evaluation of a tokenizer that only counts, of a table whose pieces are whole documents.

    Raises:
        FormatError: documents that were not counted; see `CountsModel.count_pieces`.
    """
    tokens = model.count_pieces(table.data, table.offsets)
    no_ids = np.full(chosen.spelled.size, -1, dtype=np.int64)
    counts = PieceCounts(chosen.by_row(tokens), np.empty(0, dtype=np.uint32), no_ids)
    return _CountsAlone(
        **vars(totals),
        size=model.vocab_size,
        by_group=sum_by_group(table, tokens),
        of_chosen=counts,
    )
