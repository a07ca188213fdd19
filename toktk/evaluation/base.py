"""What an evaluation tells of a text: `Totals` before anything is encoded, then the tokens of each group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.arrays import Ids, Int64, offsets_of
from toktk.errors import CorpusError
from toktk.kernels.constants import DOCUMENTS
from toktk.pieces.table import PieceTable

Flags = npt.NDArray[np.uint8]
Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Totals:
    """Plain counts of a text, int64[G] in the order of `groups`; the first seven are those of a `PieceTable`.

    A word is a maximal run of characters without the White_Space property; an unspaced character
    belongs to a script written without spaces. A word piece is a piece with a letter.
    """

    groups: tuple[str, ...]
    documents: Int64
    bytes: Int64
    chars: Int64
    lines: Int64
    words: Int64
    unspaced: Int64
    nonspace: Int64
    pieces: Int64
    word_pieces: Int64
    parallel: npt.NDArray[np.bool_]
    """bool[G]: which groups are sides of one parallel text."""
    aligned_lines: int | None
    """The lines of each side; None without parallel text."""


class Evaluation(Totals, ABC):
    """Counts of tokens in each group of a text, at one or more vocabulary sizes.

    The methods raise MetricError for a size that was not kept.

    Attributes:
        has_ids: False where a tokenizer only counts: what is about ids then raises NoIdsError.
    """

    has_ids: ClassVar[bool] = True

    @property
    @abstractmethod
    def sizes(self) -> Int64:
        """int64[E]: the vocabulary sizes that `tokens` and `single_token_words` can be asked for."""

    @abstractmethod
    def tokens(self, size: int) -> Int64:
        """Return int64[G]: tokens of each group's text under a vocabulary of `size` ids."""

    @abstractmethod
    def single_token_words(self, size: int) -> Int64:
        """Return int64[G]: occurrences of word pieces that are one token."""

    @abstractmethod
    def of_pieces(self, size: int) -> PieceCounts:
        """Return what a vocabulary makes of each of the pieces that `chosen` of `evaluate` chose.

        Raises MetricError for a size that no model has.
        """

    @abstractmethod
    def token_counts(self, size: int) -> Int64:
        """Return int64[size]: how often each id occurs, over all groups."""

    def n_ids(self, size: int) -> int:
        """Return how many ids have a token, special tokens among them: `size` less the holes."""
        return size

    def unknown(self, size: int) -> Int64 | None:
        """Return int64[G]: tokens that stand for text the vocabulary lacks; None: it lacks none."""
        return None

    def lost(self, size: int) -> Int64:
        """Return int64[G]: bytes of each group's text that no token stands for.

        None are lost where a model spells every byte: see `toktk.models.model.spells_all`.
        """
        return np.zeros(len(self.groups), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ChosenPieces:
    """Pieces of a table that are to be counted by themselves.

    Attributes:
        rows: int32[n], for each piece of the table its number among those chosen, or -1.
        spelled: uint8[S], whether the ids of a chosen piece are wanted too.
    """

    rows: Int32
    spelled: Flags

    @classmethod
    def none(cls, n_pieces: int) -> ChosenPieces:
        """Choose none of the pieces of a table."""
        return cls(np.full(n_pieces, -1, dtype=np.int32), np.empty(0, dtype=np.uint8))

    @property
    def is_spelled(self) -> npt.NDArray[np.bool_]:
        """bool[n]: the pieces of the table whose ids are wanted."""
        found = self.rows >= 0
        found[found] = self.spelled[self.rows[found]] != 0
        return found

    def rooms(self, table: PieceTable) -> Int64:
        """Return int64[n + 1], where the ids of each piece may begin: there is room for one a byte."""
        return offsets_of(np.diff(table.offsets) * self.is_spelled)

    def by_row(self, values: npt.NDArray[Any]) -> Int32:
        """Return int32[S]: for each chosen piece its value, of [n] for those of the table; else 0."""
        chosen = np.zeros(self.spelled.size, dtype=np.int32)
        chosen[self.rows[self.rows >= 0]] = values[self.rows >= 0]
        return chosen


@dataclass(frozen=True, eq=False)
class PieceCounts:
    """What one vocabulary makes of chosen pieces, int32[S] each; the names are those of `Evaluation`.

    Attributes:
        ids: uint32; those of piece s are ``ids[first_of[s]:first_of[s] + tokens[s]]``, in any order.
        first_of: int64[S]; -1 where the ids were not wanted.
    """

    tokens: Int32
    ids: Ids
    first_of: Int64
    unknown: Int32 | None = None
    lost: Int32 | None = None


@dataclass(frozen=True, eq=False)
class Counts:
    """What one vocabulary makes of a text; the fields are named after the methods of `Evaluation`."""

    tokens: Int64
    single_token_words: Int64
    token_counts: Int64
    n_ids: int
    of_pieces: PieceCounts
    unknown: Int64 | None = None
    lost: Int64 | None = None


def totals_of(table: PieceTable) -> tuple[Totals, Flags]:
    """Return the totals, and uint8[n]: whether each piece holds a letter (Unicode category L).

    Raises:
        CorpusError: groups with alignment ids do not have the same ids.
    """
    from toktk.kernels.text_totals import mark_pieces
    from toktk.pretokenizers.construction import is_letter_table

    is_word = np.zeros(len(table), dtype=np.uint8)
    mark_pieces(table.data, table.offsets, is_letter_table(), is_word)
    word_pieces = sum_by_group(table, is_word.astype(np.int64))
    columns: list[Any] = [*table.totals.T, table.group_pieces, word_pieces, *_alignment(table)]
    return Totals(table.groups, *columns), is_word


def _alignment(table: PieceTable) -> tuple[npt.NDArray[np.bool_], int | None]:
    """Return which groups are sides of one parallel text, and its number of lines."""
    lines = table.aligned[:, 0]
    parallel = (lines > 0) & (lines == table.totals[:, DOCUMENTS])
    sides = table.aligned[parallel]
    if not len(sides):
        return parallel, None
    usual = sides[np.argmax([(sides == side).all(axis=1).sum() for side in sides])]
    for g in np.flatnonzero(parallel):
        if (table.aligned[g] != usual).any():
            raise CorpusError(
                f"the text is not parallel: group {table.groups[g]!r} has other alignment ids.",
                f"Found: {lines[g]:,} aligned lines in it, {usual[0]:,} in most groups.",
                "Keep only the lines that every group has, or leave out --align-column.",
            )
    return parallel, int(usual[0])


def sum_by_group(table: PieceTable, per_piece: Int64) -> Int64:
    """Return int64[G]: the sum over the occurrences of pieces in each group."""
    sums = np.zeros(len(table.groups), dtype=np.int64)
    per_entry = np.repeat(per_piece, np.diff(table.rows))
    np.add.at(sums, table.entry_group, table.entry_count * per_entry)
    return sums


def slices_of(table: PieceTable, n: int) -> list[tuple[int, int]]:
    """Return where n slices of equal bytes begin and end: the time goes with the bytes."""
    goals = np.linspace(0, table.offsets[-1], n + 1)[1:-1]
    return list(pairwise([0, *np.searchsorted(table.offsets, goals).tolist(), len(table)]))


def strides(table: PieceTable, first: int, last: int, n_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield where runs of the pieces first..last begin and end, of `n_bytes` or one longer piece each."""
    while first < last:
        end = int(np.searchsorted(table.offsets, table.offsets[first] + n_bytes, "right")) - 1
        begin, first = first, min(max(end, first + 1), last)
        yield begin, first
