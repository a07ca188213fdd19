"""Evaluation of a text that holds user-defined symbols: the same tokens at every size, beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from toktk.arrays import Int64
from toktk.evaluation.base import ChosenPieces, Evaluation, Flags, PieceCounts, Totals, sum_by_group
from toktk.pieces.table import PieceTable, are_pieces, chosen_pieces


@dataclass(frozen=True, eq=False)
class SymbolCounts:
    """The symbols of a text, and the text without them.

    Attributes:
        rest: the other pieces.
        is_word: uint8[rest]: which of those are word pieces.
        tokens, words: int64[G]: occurrences of symbols, and of those that are word pieces.
        counts: int64[symbols]: how often each occurs.
        chosen: the chosen pieces of `rest`.
        row_of: int64[symbols]: the number of each among the chosen pieces, or -1.
    """

    rest: PieceTable
    is_word: Flags
    tokens: Int64
    words: Int64
    counts: Int64
    chosen: ChosenPieces
    row_of: Int64

    @classmethod
    def of(
        cls, table: PieceTable, is_word: Flags, symbols: Sequence[str], chosen: ChosenPieces
    ) -> SymbolCounts:
        """Take the symbols out of a text."""
        found = np.zeros(len(table), dtype=np.bool_)
        counts = []
        row_of = []
        for symbol in symbols:
            is_symbol = are_pieces(table, [symbol])
            found |= is_symbol
            counts.append(int(table.counts[is_symbol].sum()))
            row_of.append(int(chosen.rows[is_symbol].max(initial=-1)))
        return cls(
            chosen_pieces(table, ~found),
            is_word[~found],
            sum_by_group(table, found.astype(np.int64)),
            sum_by_group(table, (found & (is_word != 0)).astype(np.int64)),
            np.array(counts, dtype=np.int64),
            replace(chosen, rows=chosen.rows[~found]),
            np.array(row_of, dtype=np.int64),
        )

    def beside(self, evaluation: Evaluation, first_id: int) -> Evaluation:
        """Return the evaluation of `rest` with the symbols, whose ids begin at `first_id`."""
        known = {name: getattr(evaluation, name) for name in Totals.__dataclass_fields__}
        return _SymbolsEvaluation(**known, others=evaluation, symbols=self, first_id=first_id)


@dataclass(frozen=True, eq=False)
class _SymbolsEvaluation(Evaluation):
    """The counts of `others`, and those of symbols, which no size changes."""

    others: Evaluation
    symbols: SymbolCounts
    first_id: int

    @property
    def sizes(self) -> Int64:
        return self.others.sizes

    def tokens(self, size: int) -> Int64:
        return self.others.tokens(size) + self.symbols.tokens

    def single_token_words(self, size: int) -> Int64:
        return self.others.single_token_words(size) + self.symbols.words

    def token_counts(self, size: int) -> Int64:
        counts = self.others.token_counts(size).copy()
        counts[self.first_id : self.first_id + self.symbols.counts.size] += self.symbols.counts
        return counts

    def of_pieces(self, size: int) -> PieceCounts:
        counts = self.others.of_pieces(size)
        symbols = np.flatnonzero(self.symbols.row_of >= 0)
        at = self.symbols.row_of[symbols]
        tokens, first_of = counts.tokens.copy(), counts.first_of.copy()
        tokens[at] = 1
        wanted = self.symbols.chosen.spelled[at] != 0
        first_of[at[wanted]] = counts.ids.size + np.arange(np.count_nonzero(wanted))
        own = (self.first_id + symbols[wanted]).astype(np.uint32)
        return replace(
            counts, tokens=tokens, ids=np.concatenate([counts.ids, own]), first_of=first_of
        )

    def n_ids(self, size: int) -> int:
        return self.others.n_ids(size)

    def unknown(self, size: int) -> Int64 | None:
        return self.others.unknown(size)

    def lost(self, size: int) -> Int64:
        return self.others.lost(size)
