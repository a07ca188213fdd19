"""On real text a paired interval is much tighter than that of two different texts."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest

import toktk
from toktk.stats.difference import paired_ratio, unpaired_ratio

HELP = Path(__file__).parents[3] / "shared" / "data" / "help-20lang.parquet"


@pytest.mark.skipif(not HELP.exists(), reason="the help corpus is not beside the checkout")
def test_paired_intervals_are_tighter_by_a_factor_of_two_and_a_half() -> None:
    corpus = toktk.load_corpus(HELP, text_column="text", group_column="lang", align_column="id")
    measured, trained = corpus.split(0.25)
    tokenizers = toktk.train("bpe", trained, sizes=[4000, 8000])
    counts = toktk.evaluate({str(size): t for size, t in tokenizers.items()}, measured).documents
    assert counts is not None
    tighter = []
    for g in range(len(counts.groups)):
        rows = counts.group == g
        small, large = (counts.tokens[label][rows] for label in ("4000", "8000"))
        ones = np.ones(small.size)
        paired = paired_ratio(large, small)
        unpaired = unpaired_ratio((large, ones), (small, ones))
        widths = [np.log((1 + d.high) / (1 + d.low)) for d in (unpaired, paired)]
        tighter.append(widths[0] / widths[1])
    assert len(tighter) == 20
    assert statistics.median(tighter) >= 2.5
