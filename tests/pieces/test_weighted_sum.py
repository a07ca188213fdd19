"""A sum of folds is what counting their documents again gives."""

from __future__ import annotations

import numpy as np
import pytest

from toktk.corpus import Corpus
from toktk.pieces.counting import count_corpus
from toktk.pieces.table import weighted_sum
from toktk.pretokenizers.pretokenizer import Pretokenizer


@pytest.mark.parametrize("times", [(1, 1, 1), (0, 2, 5), (0, 0, 1), (0, 0, 0)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sum_of_folds_is_the_count_of_their_documents(
    nasty_texts: list[str], times: tuple[int, ...], jobs: int
) -> None:
    corpus, cut = Corpus.of(nasty_texts * 2), Pretokenizer.of("o200k")
    folded = count_corpus(corpus.in_folds(3), cut, jobs=jobs)
    assert len(folded.groups) == 3
    found = weighted_sum(folded, times, "text")
    if not any(times):
        assert len(found) == 0
        return
    # The totals of raw text are known too, which counting without groups leaves out.
    counted = count_corpus(corpus.resampled(times), cut, by_group=False)
    assert found.to_dict() == counted.to_dict()
    of_one = count_corpus(Corpus("x", [corpus.resampled(times)]), cut)
    assert np.array_equal(found.totals, of_one.totals.sum(axis=0, keepdims=True))
    assert found.pretokenizer == counted.pretokenizer
