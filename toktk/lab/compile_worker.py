"""The process that compiles kernels which another one needs later: it trains and measures next to nothing.

The pieces are counted by hand here, since that other process compiles what cuts text at the same time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toktk.arrays import packed
from toktk.child import serve
from toktk.corpus import Corpus
from toktk.encoder import compile_settling
from toktk.evaluation.base import totals_of
from toktk.evaluation.documents import CutDocuments, DocumentPieces
from toktk.evaluation.evaluation import evaluate
from toktk.lab.id_intervals import SpelledUnits
from toktk.lab.units import Units
from toktk.pieces.counter import GroupTotals, SpanCounter
from toktk.pieces.sampled_documents import DOCUMENTS, SampledDocuments
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.stats.neighbors import TextOrder, neighbor_factors
from toktk.stats.ratio import ratio_reaches
from toktk.trainers.base import Trainer, TrainingData
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.merge_loop import MergeLoop, MergeTask
from toktk.trainers.unigram import UnigramTrainer

_PIECES = ("the", "cat", "that", "hat", "naïve", "東京", "é", "a" * 40)
_SIZES = (257, 258)
_TRAINERS: dict[str, Callable[[Pretokenizer], Trainer]] = {
    "bpe": BpeTrainer,
    "unigram": UnigramTrainer,
}


class Session:
    """What the parent asks for."""

    def compile(self, trainers: list[str]) -> None:
        """Compile what is needed from when the parent has cut its text, in this order.

        The parent compiles what cuts text at the same time.
        """
        table = _table()
        _count_again(table)
        spelled: SpelledUnits | None = None
        for name in trainers:
            trainer = _TRAINERS[name](Pretokenizer.of("none"))
            trained = trainer.train(TrainingData(Corpus.of([]), lambda _: table, jobs=2), _SIZES)
            if name == "bpe":
                _merge_large_ids(table)
            is_first = spelled is None
            if spelled is None:
                compile_settling()
                spelled = _documents(table)
            models = [tokenizer.model for tokenizer in trained.tokenizers]
            evaluation, *_ = evaluate(table, models, chosen=spelled.chosen, jobs=2)
            if is_first:
                asked = [(evaluation, models[0].vocab_size)]
                spelled.intervals(asked, spelled.pieces.quantities(asked)["tokens"])
                _compare_documents()


def _count_again(table: PieceTable) -> None:
    """Count pieces that are cut, in a table that grows."""
    totals = GroupTotals(by_group=True)
    groups = totals.add_table(table)
    entries = groups[table.entry_group], table.entry_count, table.rows
    counters = [SpanCounter(table.pretokenizer) for _ in range(2)]
    for counter in counters:
        counter.add_spans(table.data, table.offsets, *entries)
        counter.reserve(1 << 17)
    SpanCounter.summed(counters, totals, [groups, groups])


def _merge_large_ids(table: PieceTable) -> None:
    """Merge pieces whose ids take more than two bytes, which another machine code does."""
    ids = np.arange(256) + 2**16
    task = MergeTask.of(table.data, table.offsets, table.counts, ids, 2, 1, 100)
    MergeLoop(task).run(task.max_size)


def _compare_documents() -> None:
    """Take the intervals over documents."""
    above, spans = np.ones((1, 8)), np.array([[0, 0, 8]])
    ratio_reaches(above, above, spans, n_all=spans[:, 2])
    neighbor_factors(above[0], above[0], spans, TextOrder.of(np.arange(8) - 1))


def _documents(table: PieceTable) -> SpelledUnits:
    """Return documents of one piece each; the parent compiles what cuts documents."""
    n = len(table)
    rows, zeros = np.arange(n), np.zeros(1, dtype=np.int64)
    first = np.zeros(n, dtype=np.int32), rows.astype(np.uint64), np.ones(n, dtype=np.int64)
    text = table.data, table.offsets
    documents = SampledDocuments(("a",), *first, *text, zeros, (DOCUMENTS,), rows - 1)
    cut = CutDocuments(
        documents, rows.astype(np.int32), np.arange(n + 1), *text, table.pretokenizer
    )
    cut.table(table.totals[:1], table.aligned[:1])
    pieces = DocumentPieces.of(cut, rows, totals_of(table)[1])
    return SpelledUnits.of(pieces, Units.of(documents))


def _table() -> PieceTable:
    """Return the pieces, each often enough to be learned from, in two groups."""
    data, offsets = packed([piece.encode() for piece in _PIECES])
    n = len(_PIECES)
    return PieceTable(
        data.copy(),
        offsets,
        np.arange(n + 1) * 2,
        np.tile(np.arange(2, dtype=np.int32), n),
        np.full(2 * n, 50, dtype=np.int64),
        ("a", "b"),
        np.ones((2, 7), dtype=np.int64),
        np.zeros((2, 2), dtype=np.int64),
        Pretokenizer.of("none").signature,
    )


if __name__ == "__main__":
    serve(Session())
