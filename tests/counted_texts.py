"""Counts at hand, as a merged folder would be: a text counted in two sides by the hash of its documents."""
from __future__ import annotations
from dataclasses import dataclass, field
from typing import Any
import numpy as np
from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.corpus.split import Sides
from toktk.corpus.units import filtered
from toktk.kernels.text_totals import DOCUMENTS
from toktk.pieces.counting import count_corpus
from toktk.pieces.sample import Sample
from toktk.pretokenizers.pretokenizer import Pretokenizer


@dataclass
class CountsAtHand:
    corpus: Corpus
    pretokenizer: Pretokenizer
    held_out: float = 0.2
    min_count: int = 1
    where: str = "counts"
    replaced = 0
    null_rows = 0

    @property
    def name(self): return self.corpus.name

    def side(self, side):
        if not self.held_out: return self.corpus
        return HashSide(self.corpus, self.held_out, side)

    @property
    def groups(self): return self.table("training").groups

    def fingerprint(self, side): return f"{self.name}{side}{self.held_out}"

    def table(self, side, by_group=True):
        return count_corpus(self.side(side), self.pretokenizer, by_group=by_group)

    def totals(self, side):
        t = self.table(side)
        return t.groups, t.totals

    def sample(self):
        sample = Sample()
        for batch in self.side("held-out").batches(): sample.see(batch)
        return sample.finish()

    def describe(self): return {"partitions": 64}


class ByHash:
    def __init__(self, test, side):
        self.sides, self.test = Sides(None, test), side == "held-out"
    is_decided = True
    def __str__(self): return f"by hash {self.test}"
    def start(self, read):
        def select(batch):
            held = self.sides.held_out(batch)
            return filtered(batch, held if self.test else ~held)
        return select


def HashSide(corpus, test, side):
    return Corpus(f"{corpus.name} ({'test' if side == 'held-out' else 'train'})", [corpus], ByHash(test, side))
