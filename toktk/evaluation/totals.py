"""Totals: what is known of a text before anything is encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toktk.errors import CorpusError
from toktk.kernels.text_totals import BYTES, CHARS, DOCUMENTS, LINES, NONSPACE, UNSPACED, WORDS
from toktk.pieces.table import Int64, PieceTable


@dataclass(frozen=True, eq=False)
class Totals:
    """Plain counts of a text, int64[G] in the order of `groups`.

    A word is a maximal run of characters without the White_Space property; an unspaced character belongs
    to a script written without spaces.
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
    aligned_lines: int | None


def totals_of(table: PieceTable) -> tuple[Totals, npt.NDArray[np.uint8]]:
    """Return the totals, and uint8[n]: whether each piece holds a letter (Unicode category L).

    Raises:
        CorpusError: groups with alignment ids do not have the same ids.
    """
    marked = _holds_letter(table)
    word_pieces = np.zeros(len(table.groups), dtype=np.int64)
    in_word = np.repeat(marked, np.diff(table.rows)).astype(np.bool_)
    np.add.at(word_pieces, table.entry_group[in_word], table.entry_count[in_word])
    parallel, aligned_lines = _alignment(table)
    totals = Totals(
        groups=table.groups,
        documents=table.totals[:, DOCUMENTS],
        bytes=table.totals[:, BYTES],
        chars=table.totals[:, CHARS],
        lines=table.totals[:, LINES],
        words=table.totals[:, WORDS],
        unspaced=table.totals[:, UNSPACED],
        nonspace=table.totals[:, NONSPACE],
        pieces=table.group_pieces,
        word_pieces=word_pieces,
        parallel=parallel,
        aligned_lines=aligned_lines,
    )
    return totals, marked


def _holds_letter(table: PieceTable) -> npt.NDArray[np.uint8]:
    from toktk.kernels.text_totals import mark_pieces
    from toktk.pretokenizers.unicode import is_letter_table

    marked = np.zeros(len(table), dtype=np.uint8)
    mark_pieces(table.data, table.offsets, is_letter_table(), marked)
    return marked


def _alignment(table: PieceTable) -> tuple[npt.NDArray[np.bool_], int | None]:
    """Return which groups are sides of one parallel text, and its number of lines.

    Raises:
        CorpusError: groups with alignment ids do not have the same ids.
    """
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
