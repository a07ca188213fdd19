"""Folds are disjoint, complete and independent of order; a resample counts documents as often as drawn."""

from __future__ import annotations

from collections import Counter

import pytest
from small_corpora import lines

from toktk.corpus import Corpus
from toktk.corpus.folds import drawn, fold_names

GOLDEN = (0, 0, 0, 2, 1, 1, 0, 3, 1, 1, 1, 1, 1, 0, 1, 0, 2, 0, 4, 1)
TEXTS = [*lines("de"), *lines("en"), "", "the same", "the same"]


def rows(corpus: Corpus) -> list[tuple[str, str]]:
    """Return (text, group) of each document."""
    return [
        (text, group)
        for batch in corpus.batches()
        for text, group in zip(
            batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True
        )
    ]


def test_each_document_is_in_one_fold_whatever_the_order() -> None:
    folded = rows(Corpus.of(TEXTS).in_folds(7))
    assert [text for text, _ in folded] == TEXTS
    assert {group for _, group in folded} == set(fold_names(7))
    assert dict(rows(Corpus.of(TEXTS[::-1]).in_folds(7))) == dict(folded)
    assert len(dict(folded)) == len(set(folded))  # equal documents are in one fold
    sizes = Counter(group for _, group in rows(Corpus.of(map(str, range(7000))).in_folds(7)))
    assert all(850 < n < 1150 for n in sizes.values())


def test_the_languages_of_a_line_are_in_one_fold() -> None:
    ids = [str(i) for i in range(50)]
    texts = [f"{language} {i}" for language in ("de", "en") for i in ids]
    folded = dict(rows(Corpus.of(texts, align=ids * 2).in_folds(5)))
    assert all(folded[f"de {i}"] == folded[f"en {i}"] for i in ids)
    assert len(set(folded.values())) == 5


def test_a_resample_holds_each_document_as_often_as_its_fold_is_drawn() -> None:
    corpus = Corpus.of(TEXTS, groups=["x"] * len(TEXTS))
    times = (0, 1, 3)
    fold_of = dict(rows(corpus.in_folds(3)))
    expected = [text for text in TEXTS for _ in range(times[int(fold_of[text][-1])])]
    assert rows(corpus.resampled(times)) == [(text, "x") for text in expected]
    assert corpus.resampled((1, 1, 1)).fingerprint != corpus.resampled(times).fingerprint
    assert corpus.in_folds(3).fingerprint != corpus.in_folds(4).fingerprint


def test_draws_are_the_same_everywhere_and_differ_by_replicate_and_seed() -> None:
    draws = [drawn(20, replicate, seed) for seed in (0, 1) for replicate in range(50)]
    assert len(set(draws)) == 100
    assert all(len(draw) == 20 and sum(draw) == 20 for draw in draws)
    # Of 20 draws, (1 - 1/20)^20 = 36 % of the folds are left out on average.
    left_out = sum(draw.count(0) for draw in draws) / 2000
    assert left_out == pytest.approx(0.95**20, abs=0.02)
    assert drawn(20, 0) == GOLDEN
