"""The tokens of each sampled document: documents as lists of piece numbers, a gather, a sum."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, offsets_of, read_only
from toktk.encoder import number_pieces
from toktk.errors import MetricError
from toktk.evaluation.base import Evaluation, Flags, Int32
from toktk.pieces.counter import numbered
from toktk.pieces.sampled_documents import BLOCKS, SampledDocuments
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.runtime import in_threads, parts

_SHARE = 1 << 18  # pieces of documents that are worth another thread


@dataclass(frozen=True, eq=False)
class CutDocuments:
    """The sampled documents of a text as the pieces that one pretokenizer cuts them into.

    Attributes:
        numbers: int32, the pieces of all documents, numbered by first appearance.
        ends: int64[D + 1]; those of document d are ``numbers[ends[d]:ends[d + 1]]``.
        data, offsets: uint8 and int64[S + 1], the pieces.
        pretokenizer: its signature.
    """

    documents: SampledDocuments
    numbers: Int32
    ends: Int64
    data: Bytes
    offsets: Int64
    pretokenizer: str

    @classmethod
    def of(cls, documents: SampledDocuments, pretokenizer: Pretokenizer) -> CutDocuments:
        """Cut the documents; blocks are cut as the document that they are of."""
        starts = np.ones(len(documents), dtype=np.bool_)
        blocks = np.array([kind == BLOCKS for kind in documents.kinds], dtype=np.bool_)
        starts[1:] = (np.diff(documents.group) != 0) | ~blocks[documents.group[1:]]
        whole = np.append(documents.offsets[:-1][starts], documents.offsets[-1])
        numbers, ends, data, offsets = number_pieces(pretokenizer, documents.data, whole)
        ends = _at_blocks(documents, starts, numbers, ends, np.diff(offsets))
        return cls(documents, numbers, ends, data, offsets, pretokenizer.signature)

    def table(self, totals: Int64, aligned: Int64) -> PieceTable:
        """Return the table of a text that these are all documents of, with pieces by their numbers.

        Args:
            totals, aligned: those of the `PieceTable`.
        """
        from toktk.kernels.document_sums import count_pieces, sort_entries

        documents, n_pieces = self.documents, self.offsets.size - 1
        sizes = np.zeros(len(documents.groups), dtype=np.int64)
        # Of the room that is not needed nothing is ever touched.
        piece = np.empty(self.numbers.size, dtype=np.int32)
        count = np.empty(self.numbers.size, dtype=np.int64)
        count_pieces(
            read_only(self.numbers, np.int32),
            read_only(self.ends, np.int64),
            read_only(documents.group, np.int32),
            read_only(documents.copies, np.int64),
            *(np.full(n_pieces, -1, dtype=np.int64), sizes, piece, count),
        )
        bounds = offsets_of(sizes)
        rows = offsets_of(np.bincount(piece[: bounds[-1]], minlength=n_pieces))
        entry_group = np.empty(rows[-1], dtype=np.int32)
        entry_count = np.empty(rows[-1], dtype=np.int64)
        sort_entries(piece, count, bounds, rows[:-1].copy(), entry_group, entry_count)
        return PieceTable(
            *(self.data, self.offsets, rows, entry_group, entry_count),
            *(documents.groups, totals, aligned, self.pretokenizer),
        )

    def places(self, table: PieceTable) -> Int64:
        """Return int64[S], the number of each piece in the table of the text.

        Raises:
            MetricError: a piece is not in the table: the documents are of another text.
        """
        data = np.concatenate([table.data, self.data])
        offsets = np.concatenate([table.offsets, table.offsets[-1] + self.offsets[1:]])
        places = numbered(data, offsets)[0][len(table) :].astype(np.int64)
        if (places >= len(table)).any():  # those of the table differ from each other
            raise MetricError("a sampled document has a piece that its text lacks.")
        return places


@dataclass(frozen=True, eq=False)
class DocumentPieces:
    """The sampled documents of a text as pieces, and what these are in the table of the text.

    Attributes:
        numbers, ends: as of `CutDocuments`.
        rows: int32[n], for each piece of the text's table its number here, or -1; see `ChosenPieces`.
        is_word: uint8[S], whether each piece holds a letter.
        data, offsets: as of `CutDocuments`.
        plain: int64[D] by name: bytes, chars, words, pieces, word_pieces.
        jobs: threads that add up what is of many documents.
    """

    documents: SampledDocuments
    numbers: Int32
    ends: Int64
    rows: Int32
    is_word: Flags
    data: Bytes
    offsets: Int64
    plain: dict[str, Int64] = field(default_factory=dict)
    jobs: int = 1

    @classmethod
    def of(cls, cut: CutDocuments, places: Int64, is_word: Flags, jobs: int = 1) -> DocumentPieces:
        """Return the pieces of documents.

        Args:
            places: int64[S], the number of each in the table of the whole text.
            is_word: uint8[n], which pieces of the table hold a letter.
            jobs: threads.
        """
        documents = cut.documents
        rows = np.full(is_word.size, -1, dtype=np.int32)
        rows[places] = np.arange(places.size)
        words = np.ascontiguousarray(is_word[places])
        cut_up = cut.numbers, cut.ends, rows, words, cut.data, cut.offsets
        pieces = cls(documents, *cut_up, jobs=jobs)
        pieces.plain.update(documents.plain)
        pieces.plain["pieces"] = np.diff(cut.ends)
        pieces.plain["word_pieces"] = pieces.sums([words.astype(np.int32)])[0]
        return pieces

    def sums(
        self, per_piece: Sequence[npt.NDArray[Any]], rows: Int64 | None = None
    ) -> npt.NDArray[Any]:
        """Return the sums of values of pieces over each document.

        Args:
            per_piece: K values of each piece, all int32[S] or all float64[S].
            rows: int64[n], the documents that are asked for, ascending; None: all D.

        Returns:
            int64[K, n], or float64[K, n].
        """
        from toktk.kernels.document_sums import sum_by_document

        rows = np.arange(len(self.documents)) if rows is None else rows
        n_pieces = offsets_of(np.diff(self.ends)[rows])
        jobs = min(self.jobs, 1 + int(n_pieces[-1]) // _SHARE)
        values = np.empty((per_piece[0].size, len(per_piece)), dtype=per_piece[0].dtype)
        dtype = np.int64 if values.dtype.kind == "i" else np.float64
        sums = np.empty((len(per_piece), rows.size), dtype=dtype)
        numbers = np.ascontiguousarray(self.numbers)

        def lay_out(first: int, last: int) -> None:
            for own, column in zip(per_piece, values.T, strict=True):
                column[first:last] = own[first:last]

        def add_up(first: int, last: int) -> None:
            own = np.empty(len(per_piece), dtype=dtype)
            sum_by_document(numbers, self.ends, rows, first, last, values, own, sums)

        in_threads(lay_out, parts(len(values), jobs))
        firsts = np.searchsorted(n_pieces, [begin for begin, _ in parts(int(n_pieces[-1]), jobs)])
        firsts[0] = 0  # of documents without pieces too
        in_threads(add_up, [*itertools.pairwise([*firsts.tolist(), rows.size])])
        return sums

    def quantities(self, evaluations: Sequence[tuple[Evaluation, int]]) -> dict[str, Int64]:
        """Return what each vocabulary makes of one copy of each document.

        Args:
            evaluations: E evaluations, each with the size that it is asked at.

        Returns:
            int64[E, D] by name; [1, D] of what all have alike: `plain`, and zeros.
        """
        counts = [evaluation.of_pieces(size) for evaluation, size in evaluations]
        single = [((c.tokens == 1) & (self.is_word != 0)).astype(np.int32) for c in counts]
        values = {
            "tokens": [c.tokens for c in counts],
            "single_token_words": single,
            "unknown": [c.unknown for c in counts],
            "lost": [c.lost for c in counts],
        }
        quantities = {name: own[None, :] for name, own in self.plain.items()}
        nothing = np.zeros(self.is_word.size, dtype=np.int32)
        there = {
            name: [nothing if own is None else own for own in per_piece]
            for name, per_piece in values.items()
            if any(own is not None for own in per_piece)
        }
        sums = self.sums([own for per_piece in there.values() for own in per_piece])
        of_name = dict(zip(there, sums.reshape(len(there), len(evaluations), -1), strict=True))
        zeros = np.zeros((1, len(self.documents)), dtype=np.int64)
        quantities |= {name: of_name.get(name, zeros) for name in values}
        return quantities


def _at_blocks(
    documents: SampledDocuments,
    starts: npt.NDArray[np.bool_],
    numbers: Int32,
    ends: Int64,
    lengths: Int64,
) -> Int64:
    """Return int64[D + 1], where pieces of each row end, from where those of whole documents do.

    The pieces of a document in blocks are dealt to them by where they begin; `lengths`, int64[S], of pieces.
    """
    if starts.all():
        return ends
    first = np.flatnonzero(starts)
    dealt = np.empty(len(documents) + 1, dtype=np.int64)
    dealt[first], dealt[-1] = ends[:-1], ends[-1]
    for w in np.flatnonzero(np.diff(np.append(first, len(documents))) > 1):
        rows = slice(int(first[w]), int(first[w + 1]) if w + 1 < first.size else len(documents))
        cut = np.cumsum(lengths[numbers[ends[w] : ends[w + 1]]])
        bounds = documents.offsets[rows] - documents.offsets[rows.start]
        n_bytes = documents.offsets[rows.stop] - documents.offsets[rows.start]
        # A normalizer may have made more or fewer bytes than the text has.
        scale = float(cut[-1]) / float(n_bytes) if cut.size else 1.0
        dealt[rows] = ends[w] + np.searchsorted(cut, bounds * scale, side="right")
    return dealt
