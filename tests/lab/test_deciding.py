"""The pieces that decide on a difference, whatever order they were counted in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from small_corpora import lines

import toktk
from toktk.corpus import Corpus
from toktk.lab import deciding
from toktk.lab.deciding import Deciding
from toktk.pieces.counting import count_corpus
from toktk.pieces.table import PieceTable, gather


@dataclass
class Counted:
    """What `Deciding` asks of `CountedCorpora`."""

    table: PieceTable
    jobs: int = 1

    def get(self, *args: Any, **options: Any) -> Counted:
        return self


def reordered(table: PieceTable, order: np.ndarray) -> PieceTable:
    """Return a table of one group with its pieces in another order."""
    data, offsets = gather(table.data, table.offsets, order)
    return replace(table, data=data, offsets=offsets, entry_count=table.entry_count[order])


@pytest.mark.parametrize("most", [50_000, 200])
def test_pieces_that_cost_equally_are_told_in_one_order(
    most: int, monkeypatch: pytest.MonkeyPatch, home: object
) -> None:
    monkeypatch.setattr(deciding, "MOST", most)
    trained = toktk.train("bpe", Corpus.of(lines("en") + lines("de")), sizes=[300, 400])
    words = sorted({word for line in lines("en") for word in line[:-1].split(" ")})
    text = Corpus.of([f"{i} {word}" for i in range(3) for word in words], ["en"] * 3 * len(words))
    table = count_corpus(text, trained[300].pretokenizer)
    assert len(table) > 300
    chance = np.random.default_rng(1)
    told = {
        Deciding(text, {"small": trained[300], "large": trained[400]}, Counted(changed))(  # type: ignore[arg-type]
            "small", "large", ["en"]
        )
        for changed in (
            table,
            *(reordered(table, chance.permutation(len(table))) for _ in range(3)),
        )
    }
    assert len(told) == 1
    assert "×3 +" in (told.pop() or "")
