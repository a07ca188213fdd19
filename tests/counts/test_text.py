"""A counted text gives what counting the text itself gives, or says that its counts do not tell."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from counted_texts import CountsAtHand, side_of
from nasty import NASTY_TEXTS
from small_corpora import SYLLABLES, lines

from toktk.corpus import Corpus, concat
from toktk.corpus.corpus import mixed
from toktk.counts.text import HELD_OUT, SIDES, TRAINING, CountedText, NotCounted
from toktk.normalizers.normalizer import Normalizer
from toktk.pieces.counting import count_corpus
from toktk.pieces.sample import BLOCKS, Sample, SampledDocuments
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer

CUT = Pretokenizer.of("o200k")


def nasty() -> Corpus:
    groups = [f"nasty {i % 3}" for i in range(len(NASTY_TEXTS))]
    return Corpus.of(NASTY_TEXTS, groups=groups, name="nasty")


def parallel(n: int = 60) -> Corpus:
    texts = [text for language in SYLLABLES for text in lines(language, n)]
    groups = [language for language in SYLLABLES for _ in range(n)]
    ids = [str(i) for _ in SYLLABLES for i in range(n)]
    return Corpus.of(texts, groups=groups, align=ids, name="parallel")


def one_long() -> Corpus:
    text = "one long document.\n" * 400
    return Corpus.of([text, "zwei", "drei"], groups=["long", "nasty 0", "de"], name="long")


def same(one: PieceTable, other: PieceTable) -> bool:
    return (
        one.to_dict() == other.to_dict()
        and one.groups == other.groups
        and np.array_equal(one.totals, other.totals)
        and np.array_equal(one.aligned, other.aligned)
        and one.pretokenizer == other.pretokenizer
    )


def sample_of(corpus: Corpus) -> SampledDocuments:
    sample = Sample()
    for batch in corpus.batches():
        sample.see(batch)
    return sample.finish()


def same_sample(one: SampledDocuments, other: SampledDocuments) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in dataclasses.fields(SampledDocuments)
    )


@pytest.mark.parametrize("make", [nasty, parallel, one_long])
def test_one_count_is_the_text(make) -> None:
    counts = CountsAtHand(make(), CUT, 0.3)
    for side in SIDES:
        text, counted = side_of(counts.corpus, 0.3, side), CountedText([counts], side)
        assert same(counted.table(CUT, True), count_corpus(text, CUT))
        of_one = count_corpus(text, CUT, by_group=False)
        assert counted.table(CUT, False).to_dict() == of_one.to_dict()
        assert counted.name == text.name
        assert counted.groups == count_corpus(text, CUT).groups
    held_out = side_of(counts.corpus, 0.3, HELD_OUT)
    assert same_sample(CountedText([counts], HELD_OUT).sample(), sample_of(held_out))


@pytest.mark.parametrize("temperature", [None, 3.3, float("inf")])
def test_several_with_weights_are_the_mixture(temperature: float | None) -> None:
    made, weights = [nasty(), parallel(), one_long()], (0.2, 0.7, 0.1)
    counts = [CountsAtHand(corpus, CUT, 0.3) for corpus in made]
    for side in SIDES:
        texts = mixed([side_of(corpus, 0.3, side) for corpus in made], weights)
        text = concat(texts, "all")
        counted = CountedText(counts, side, weights)
        if temperature is not None:
            text, counted = text.balanced(temperature), counted.balanced(temperature)
        assert same(counted.table(CUT, True), count_corpus(text, CUT))
        of_one = count_corpus(text, CUT, by_group=False)
        assert counted.table(CUT, False).to_dict() == of_one.to_dict()
        if side == HELD_OUT:
            assert same_sample(counted.sample(), sample_of(text))


def test_several_as_they_are_are_the_texts_together() -> None:
    made = [one_long(), nasty(), parallel(), parallel(20)]  # some documents stand in two of them
    counted = CountedText([CountsAtHand(corpus, CUT, 0.0) for corpus in made], TRAINING)
    text = concat(made, "all")
    assert same(counted.table(CUT, True), count_corpus(text, CUT))
    assert same_sample(counted.sample(), sample_of(text))
    assert BLOCKS in counted.sample().kinds


def test_the_fingerprint_tells_texts_and_what_counts_how_often() -> None:
    one, other = CountsAtHand(nasty(), CUT), CountsAtHand(parallel(), CUT)
    texts = [
        CountedText([one], TRAINING),
        CountedText([one], HELD_OUT),
        CountedText([other], TRAINING),
        CountedText([one, other], TRAINING),
        CountedText([one, other], TRAINING, (0.5, 0.5)),
        CountedText([other], TRAINING, (), 5.0),
        CountedText([dataclasses.replace(one, min_count=3)], TRAINING),
    ]
    assert len({text.fingerprint for text in texts}) == len(texts)
    again = CountedText([other, one], TRAINING, (0.5, 0.5))
    assert again.fingerprint == texts[4].fingerprint  # a sum has no order


def test_another_cut_is_refused_and_another_name_is_not() -> None:
    counted = CountedText([CountsAtHand(nasty(), CUT)], TRAINING)
    named = dataclasses.replace(CUT, name="mine")
    assert same(counted.table(named, True), count_corpus(side_of(nasty(), 0.2, TRAINING), named))
    for cut in (
        Pretokenizer.of("gpt2"),
        dataclasses.replace(CUT, normalizer=Normalizer("NFC")),
        Pretokenizer.of("none"),
    ):
        with pytest.raises(NotCounted, match="was cut by o200k"):
            counted.table(cut, True)


def test_strings_that_stand_nowhere_change_nothing() -> None:
    counted = CountedText([CountsAtHand(nasty(), CUT)], TRAINING)
    added = dataclasses.replace(CUT, added=("<|endoftext|>", "<unk>"))
    wanted = count_corpus(side_of(nasty(), 0.2, TRAINING), added)
    assert same(counted.table(added, True), wanted)


@pytest.mark.parametrize("string", ["hat", "cat the", "\n", "aaaa"])
def test_strings_that_may_stand_in_the_text_are_refused(string: str) -> None:
    counted = CountedText([CountsAtHand(nasty(), CUT, 0.0)], TRAINING)
    with pytest.raises(NotCounted, match="was not cut at"):
        counted.table(dataclasses.replace(CUT, added=(string,)), True)


def test_what_the_text_was_cut_at() -> None:
    cut = dataclasses.replace(CUT, added=("the", "<s>"))
    text = side_of(nasty(), 0.2, TRAINING)
    counted = CountedText([CountsAtHand(nasty(), cut)], TRAINING)
    assert counted.pretokenizer == CUT
    assert same(counted.table(cut, True), count_corpus(text, cut))
    alone = dataclasses.replace(CUT, added=("the",))  # <s> stands nowhere
    assert same(counted.table(alone, True), count_corpus(text, alone))
    with pytest.raises(NotCounted, match="was cut at the "):
        counted.table(CUT, True)


def test_pruned_counts_tell_no_absence_and_are_not_measured() -> None:
    pruned = CountsAtHand(nasty(), CUT, 0.0, min_count=2)
    counted = CountedText([pruned], TRAINING)
    with pytest.raises(NotCounted, match="was not cut at"):
        counted.table(dataclasses.replace(CUT, added=("<|endoftext|>",)), False)
    with pytest.raises(NotCounted, match="cannot measure"):
        counted.sample()


def test_no_documents_of_a_training_side() -> None:
    with pytest.raises(NotCounted, match="cannot measure"):
        CountedText([CountsAtHand(nasty(), CUT)], TRAINING).sample()


def test_all_that_needs_text_says_so() -> None:
    counted = CountedText([CountsAtHand(nasty(), CUT)], TRAINING)
    for read in (
        counted.batches,
        counted.split,
        lambda: counted.limit(3),
        lambda: counted.in_folds(3),
        lambda: counted.resampled([1, 0]),
        lambda: next(iter(concat([counted], "more").batches())),
    ):
        with pytest.raises(NotCounted, match="is not at hand"):
            read()


def test_first_documents_are_some_of_each_group() -> None:
    counted = CountedText([CountsAtHand(parallel(), CUT)], HELD_OUT)
    table = count_corpus(counted.first_documents(2), CUT)
    assert table.groups == counted.groups
    assert table.totals[:, 0].tolist() == [2] * 4
