"""What a trainer is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from toktk import arrow
from toktk.errors import TrainingError

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.pieces.table import PieceTable
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.tokenizer.tokenizer import Tokenizer

Progress = Callable[[int], None]
CountPieces = Callable[["Pretokenizer"], "PieceTable"]


class TrainingData:
    """A corpus, as text or as counted pieces; a trainer takes what it can.

    Args:
        corpus: the text.
        count: turns a pretokenizer into the piece table of the corpus; counts are kept, so trainers that
            share a pretokenizer share the work.
        progress: called with the number of ids learned since the last call.
    """

    def __init__(
        self, corpus: Corpus, count: CountPieces, progress: Progress | None = None
    ) -> None:
        self.corpus = corpus
        self.progress = progress
        self._count = count
        self._tables: dict[Pretokenizer, PieceTable] = {}

    def pieces(self, pretokenizer: Pretokenizer) -> PieceTable:
        """Return the piece table, all groups added up."""
        if pretokenizer not in self._tables:
            self._tables[pretokenizer] = self._count(pretokenizer)
        return self._tables[pretokenizer]

    def texts(self) -> Iterator[str]:
        """Yield the documents.

        Raises:
            TrainingError: the corpus is word counts, not running text.
        """
        for batch in self.corpus.batches():
            weights = arrow.to_numpy(batch.column(3))
            if (weights != 1).any():
                raise TrainingError(
                    f"{self.corpus.name} holds word frequencies, not running text.",
                    "This trainer reads text; choose one that trains from piece counts.",
                )
            yield from batch.column(0).to_pylist()


class Trainer(Protocol):
    """Builds vocabularies. Parameters go to ``__init__`` and nowhere else.

    A trainer that can give every size from one training says so by what it returns: where each
    tokenizer's merges begin the next one's, they are evaluated in one pass.
    """

    def train(self, data: TrainingData, sizes: Sequence[int]) -> list[Tokenizer]:
        """Return one tokenizer for each size that can be reached, in the order of `sizes`.

        A size counts all ids, special tokens and alphabet included. A size that the text cannot fill is
        left out; that no size can be filled is an error.

        Raises:
            TrainingError: a size below the alphabet, or no size can be reached.
        """


def size_label(size: int) -> str:
    """Return ``50k`` for 50000, ``1.5k`` for 1500, ``50257`` as it is."""
    return f"{size / 1000:g}k" if size % 100 == 0 and size >= 1000 else str(size)
