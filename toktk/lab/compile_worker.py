"""The process that compiles kernels which another one needs later: it trains and measures next to nothing.

The text is counted by hand here, since that other process compiles what counts text at the same time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toktk.arrays import packed
from toktk.child import serve
from toktk.corpus import Corpus
from toktk.encoder import number_pieces
from toktk.evaluation.base import ChosenPieces
from toktk.evaluation.evaluation import evaluate
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers.base import Trainer, TrainingData
from toktk.trainers.bpe import BpeTrainer
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
        """Compile what trains, what tells the pieces of documents, and what measures, in this order."""
        cut = Pretokenizer.of("none")
        table = _table(cut)
        data, offsets = packed([piece.encode() for piece in _PIECES])
        for name in trainers:
            trainer = _TRAINERS[name](cut)
            trained = trainer.train(TrainingData(Corpus.of([]), lambda _: table, jobs=2), _SIZES)
            if name == trainers[0]:
                number_pieces(cut, data, offsets)
            models = [tokenizer.model for tokenizer in trained.tokenizers]
            rows = np.arange(len(table), dtype=np.int32)
            chosen = ChosenPieces(rows, np.ones(rows.size, dtype=np.uint8))
            evaluate(table, models, chosen=chosen, jobs=2)


def _table(cut: Pretokenizer) -> PieceTable:
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
        cut.signature,
    )


if __name__ == "__main__":
    serve(Session())
