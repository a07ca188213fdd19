"""Bits per byte of n-gram models as figures, from sums filled by hand."""

from __future__ import annotations

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation

from toktk.errors import MetricError
from toktk.evaluation.ngrams import NgramBits


def bits_of(**changed: object) -> NgramBits:
    full = np.array([[8000, 3000, 0], [4000, 1500, 0], [2000, 750, 0]])
    fields = {
        "groups": ("a", "b", "c"),
        "about": "n-grams are learned from 90 B",
        "learned": 90,
        "documents": np.array([2, 1, 0]),
        "bytes": np.array([4, 1, 0]),
        "bits": full,
        "half": 2 * full,
        "changed": np.array([0, 0, 0]),
        "scale": np.ones(3, dtype=np.int64),
        "of_rows": full,
    }
    return NgramBits(**{**fields, **changed})


EVALUATION = FakeEvaluation(["a", "b", "c"], [1, 1, 1])


def test_bits_over_bytes(measure) -> None:
    found = measure("ngram_bpb", EVALUATION, ngrams=bits_of())
    values = {key: figure.value for key, figure in found.items()}
    assert values["all", "ngram_bpb[1]"] == 11 / 5
    assert values["a", "ngram_bpb[1]"] == 2
    assert values["b", "ngram_bpb[2]"] == 1.5
    assert values["all", "ngram_bpb[3]"] == 2.75 / 5
    assert values["all", "ngram_bpb[3]|half"] == 5.5 / 5
    note = found["all", "ngram_bpb[3]|half"].note or ""
    assert note.startswith("n-grams are learned from 90 B; ")
    assert found["all", "ngram_bpb[3]"].n == 3
    assert found["c", "ngram_bpb[1]"].value is None
    assert found["c", "ngram_bpb[1]"].note == "no document is held out"


def test_what_does_not_come_back_makes_null_of_its_group_and_of_all(measure) -> None:
    found = measure("ngram_bpb", EVALUATION, ngrams=bits_of(changed=np.array([1, 0, 0])))
    assert found["a", "ngram_bpb[2]"].value is None
    assert found["all", "ngram_bpb[2]"].value is None
    assert found["all", "ngram_bpb[2]"].note.startswith("1 of 3 held-out documents")
    assert ("all", "ngram_bpb[2]|half") not in found
    assert found["b", "ngram_bpb[2]"].value == 1.5


def test_nothing_learned(measure) -> None:
    found = measure("ngram_bpb", EVALUATION, ngrams=bits_of(learned=0))
    assert {figure.value for figure in found.values()} == {None}
    assert {figure.note for figure in found.values()} == {"nothing to learn from"}


def test_without_half_a_text_there_is_no_figure_of_it(measure) -> None:
    none = np.zeros((3, 3), dtype=np.int64)
    found = measure("ngram_bpb", EVALUATION, ngrams=bits_of(half=none))
    assert not [name for _, name in found if name.endswith("|half")]


def test_counts_alone_do_not_suffice(measure) -> None:
    with pytest.raises(MetricError, match="needs the text itself"):
        measure("ngram_bpb", EVALUATION)
