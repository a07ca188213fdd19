from __future__ import annotations

import numpy as np
import pytest
from fake_evaluation import FakeEvaluation
from pair_samples import BYTES, ranked
from tokenizer_samples import model_of
from unigram_samples import WORD_LIST, of_characters

from toktk.errors import MetricError
from toktk.models.pairs import PairModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

# Merges: ab, abc, abca, with the ids 256, 257 and 258.
CHAIN = model_of([(0, 1), (3, 2), (4, 0)])


def tokenizer(model):
    return Tokenizer("made", Pretokenizer.of("none"), model)


def counted(model, **counts):
    """An evaluation in which tokens occur so often."""
    occurring = np.zeros(model.vocab_size, dtype=np.int64)
    for token, n in counts.items():
        occurring[model.tokens.index(token.encode())] = n
    return FakeEvaluation(["x"], [1], token_counts=occurring)


def residue(measure, model, **counts):
    found = measure("residue_tokens", counted(model, **counts), tokenizer=tokenizer(model))
    return found["all", "residue_tokens[0.1]"]


def test_residues_by_hand(measure) -> None:
    # ab: 3 left of 3 + 7 + 90; abc: 7 of 97; abca: 90 of 90.
    figure = residue(measure, CHAIN, ab=3, abc=7, abca=90)
    assert figure.value == pytest.approx(2 / 3)
    assert figure.n == 3
    assert residue(measure, CHAIN, ab=100, abc=7, abca=90).value == pytest.approx(1 / 3)


def test_a_tenth_is_no_residue(measure) -> None:
    assert residue(measure, CHAIN, ab=1, abc=9).value == 0
    assert residue(measure, CHAIN, ab=1, abc=10).value == 0.5


def test_what_is_made_less_than_ten_times_does_not_count(measure) -> None:
    figure = residue(measure, CHAIN, a=500, abca=9)
    assert (figure.value, figure.n) == (None, 0)
    assert figure.note == "merging makes no token 10 times"
    assert residue(measure, CHAIN, abc=10).n == 2


def test_a_published_vocabulary_has_residues_too(measure) -> None:
    model = PairModel.from_ranks(ranked([b"ab", b"abc", b"xyz"], 3), {"<s>": 1})
    # xyz is made of no pair: neither a residue nor among those that are counted.
    figure = residue(measure, model, abc=100, xyz=100)
    assert (figure.value, figure.n) == (0.5, 2)


def test_models_without_merges_have_no_residues(measure) -> None:
    figure = residue(measure, of_characters(WORD_LIST), ab=10)
    assert figure.value is None
    assert "no list of merges" in figure.note


def test_splits_by_hand(measure) -> None:
    # ab = a b; abc = ab c; abca = abc a; and bc = b c makes abc = a bc.
    model = model_of([(0, 1), (3, 2), (4, 0), (1, 2)])
    options = {"tokenizer": tokenizer(model)}
    found = measure("splits_per_token", counted(model), **options)["all", "splits_per_token"]
    assert (found.value, found.n) == (5 / 4, 4)
    model = PairModel.from_ranks(ranked([b"ab", b"xyz"]), {"xy": 999})
    options = {"tokenizer": tokenizer(model)}
    found = measure("splittable_tokens", counted(model), **options)["all", "splittable_tokens"]
    assert (found.value, found.n) == (1 / 2, 2)


def test_no_splits_without_tokens_of_two_bytes(measure) -> None:
    model = PairModel.from_ranks(BYTES, {})
    for name in ("splittable_tokens", "splits_per_token"):
        (figure,) = measure(name, counted(model), tokenizer=tokenizer(model)).values()
        assert (figure.value, figure.note) == (None, "no token of two bytes")


def test_no_splits_where_ids_spell_the_same(measure) -> None:
    tokens = [*BYTES, b"ab", b"ab"]
    model = PairModel.from_merges(tokens, np.array([[97, 98, 256]]), {}, np.arange(256))
    (figure,) = measure("splittable_tokens", counted(model), tokenizer=tokenizer(model)).values()
    assert figure.value is None
    assert "several ids spell the same" in figure.note


def test_counts_alone_are_not_enough(measure) -> None:
    for name in ("splittable_tokens", "residue_tokens", "variant_tokens"):
        with pytest.raises(MetricError, match="needs the tokenizer itself"):
            measure(name, FakeEvaluation(["x"], [1]))
