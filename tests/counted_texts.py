"""Counts at hand, with the face of a merged folder: a text in two sides, by the hash of its documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.corpus.split import Sides
from toktk.corpus.units import filtered
from toktk.counts.text import HELD_OUT, TRAINING
from toktk.pieces.counting import count_corpus
from toktk.pieces.sample import Sample, SampledDocuments
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer


@dataclass(frozen=True)
class _ByHash:
    """One side of a text of which `test` is held out, whatever its groups have of it."""

    test: float
    side: str
    is_decided = True

    def __str__(self) -> str:
        return f"{self.side} side by hash, {self.test:g}"

    def start(self, read: object) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        sides = Sides(None, self.test)

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            held = sides.held_out(batch)
            return filtered(batch, held if self.side == HELD_OUT else ~held)

        return select


def side_of(corpus: Corpus, test: float, side: str) -> Corpus:
    """Return one side of a text, as counting splits it."""
    if not test:
        return corpus
    name = f"{corpus.name} ({'test' if side == HELD_OUT else 'train'})"
    return Corpus(name, [corpus], _ByHash(test, side))  # type: ignore[arg-type]


@dataclass(frozen=True)
class CountsAtHand:
    """See `toktk.counts.merged.Counts`."""

    corpus: Corpus
    pretokenizer: Pretokenizer
    held_out: float = 0.2
    min_count: int = 1
    where: str = "counts"
    replaced: int = 0
    null_rows: int = 0

    @property
    def name(self) -> str:
        return self.corpus.name

    def _side(self, side: str) -> Corpus:
        return side_of(self.corpus, self.held_out, side)

    def fingerprint(self, side: str) -> str:
        return self._side(side).fingerprint

    def table(self, side: str, by_group: bool = True) -> PieceTable:
        return count_corpus(self._side(side), self.pretokenizer, by_group=by_group)

    def totals(self, side: str) -> tuple[tuple[str, ...], Any]:
        table = self.table(side)
        return table.groups, table.totals

    def sample(self) -> SampledDocuments:
        sample = Sample()
        for batch in self._side(HELD_OUT if self.held_out else TRAINING).batches():
            sample.see(batch)
        return sample.finish()

    def describe(self) -> dict[str, Any]:
        return {"held_out": self.held_out, "min_count": self.min_count}
