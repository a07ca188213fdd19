"""Texts that are counted in a folder, and their sides as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk.arrow import pa
from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.corpus.split import Sides
from toktk.corpus.units import filtered
from toktk.counts.documents import compacted
from toktk.counts.merge import Merge
from toktk.counts.merged import Counts
from toktk.counts.part import HELD_OUT, TRAINING
from toktk.counts.work import CountWork
from toktk.places import Place
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.ranks.text import Text
from toktk.ranks.work import run_rank

CUT = Pretokenizer.of("o200k")


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
            # A group without a document on a side is none of its groups.
            return compacted(filtered(batch, held if self.side == HELD_OUT else ~held))

        return select


@dataclass(frozen=True)
class CountedFile:
    """A text in a file, and the merged count of it."""

    corpus: Corpus
    counts: Counts

    def text(self, side: str) -> Corpus:
        """Return one side of the text, as counting splits it."""
        test = self.counts.held_out
        if not test:
            return self.corpus
        name = f"{self.corpus.name} ({'test' if side == HELD_OUT else 'train'})"
        return Corpus(name, [self.corpus], _ByHash(test, side))  # type: ignore[arg-type]

    @property
    def texts(self) -> tuple[Corpus, Corpus]:
        """The text to train on, and the text to measure on."""
        return self.text(TRAINING), self.text(HELD_OUT)


def count(corpus: Corpus, folder: Path, min_count: int = 1, **options: Any) -> CountedFile:
    """Write a text to a file named after it, and count that; `options` are those of a `CountWork`."""
    path = folder / f"{corpus.name}.jsonl"
    columns = ("text", "group", "align", "weight")
    rows = [
        dict(zip(columns, row.values(), strict=True))
        for b in corpus.batches()
        for row in b.to_pylist()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    align = "align" if rows[0]["align"] is not None else None
    reader = ReaderOptions(group_column="group", align_column=align, weight_column="weight")
    options = {"pretokenizer": CUT, "hold_out": 0.2, **options}
    place = Place.of(folder / f"{corpus.name}-counts")
    run_rank(CountWork(Text([str(path)], reader), **options), place, 0, 1)
    assert Merge(place, min_count).run()
    return CountedFile(load_corpus(str(path), reader), Counts.open(place.shown))
