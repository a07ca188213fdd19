"""A counted text gives what counting the text itself gives, or says that its counts do not tell."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from counted_texts import CUT, count
from nasty import NASTY_TEXTS
from small_corpora import SYLLABLES, lines

from toktk.corpus import Corpus, concat
from toktk.corpus.corpus import mixed
from toktk.counts.part import HELD_OUT, SIDES, TRAINING
from toktk.counts.text import CountedText, NotCounted, counts_to_measure, open_counts
from toktk.errors import CorpusError
from toktk.normalizers.normalizer import Normalizer
from toktk.pieces.counting import count_corpus
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import BLOCKS, SampledDocuments
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.pretokenizer import Pretokenizer


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
def test_one_count_is_the_text(make, tmp_path: Path) -> None:
    counted_file = count(make(), tmp_path, hold_out=0.3)
    for side, text in zip(SIDES, counted_file.texts, strict=True):
        counted = CountedText([counted_file.counts], side)
        assert same(counted.table(CUT, True), count_corpus(text, CUT))
        of_one = count_corpus(text, CUT, by_group=False)
        assert counted.table(CUT, False).to_dict() == of_one.to_dict()
        assert counted.name == text.name
        assert counted.groups == count_corpus(text, CUT).groups
    assert same_sample(counted.sample(), sample_of(text))


@pytest.mark.parametrize("temperature", [None, 3.3, float("inf")])
def test_several_with_weights_are_the_mixture(temperature: float | None, tmp_path: Path) -> None:
    weights = (0.2, 0.7, 0.1)
    files = [count(text, tmp_path, hold_out=0.3) for text in (nasty(), parallel(), one_long())]
    for side in SIDES:
        text = concat(mixed([each.text(side) for each in files], weights), "all")
        counted = CountedText([each.counts for each in files], side, weights)
        if temperature is not None:
            text, counted = text.balanced(temperature), counted.balanced(temperature)
        assert same(counted.table(CUT, True), count_corpus(text, CUT))
        of_one = count_corpus(text, CUT, by_group=False)
        assert counted.table(CUT, False).to_dict() == of_one.to_dict()
        if side == HELD_OUT:
            assert same_sample(counted.sample(), sample_of(text))


def test_several_as_they_are_are_the_texts_together(tmp_path: Path) -> None:
    twice = Corpus("again", [parallel(20)])  # whose documents stand in another one too
    files = [count(t, tmp_path, hold_out=0) for t in (one_long(), nasty(), parallel(), twice)]
    counted = CountedText([each.counts for each in files], TRAINING)
    text = concat([each.corpus for each in files], "all")
    assert same(counted.table(CUT, True), count_corpus(text, CUT))
    assert same_sample(counted.sample(), sample_of(text))
    assert BLOCKS in counted.sample().kinds


def test_the_fingerprint_tells_texts_and_what_counts_how_often(tmp_path: Path) -> None:
    one, other = (count(text, tmp_path).counts for text in (nasty(), parallel()))
    (tmp_path / "pruned").mkdir()
    pruned = count(nasty(), tmp_path / "pruned", min_count=3).counts
    texts = [
        CountedText([one], TRAINING),
        CountedText([one], HELD_OUT),
        CountedText([other], TRAINING),
        CountedText([one, other], TRAINING),
        CountedText([one, other], TRAINING, (0.5, 0.5)),
        CountedText([other], TRAINING, (), 5.0),
        CountedText([pruned], TRAINING),
    ]
    assert len({text.fingerprint for text in texts}) == len(texts)
    again = CountedText([other, one], TRAINING, (0.5, 0.5))
    assert again.fingerprint == texts[4].fingerprint  # a sum has no order
    assert CountedText([pruned], HELD_OUT).fingerprint == texts[1].fingerprint  # that is whole


def test_another_cut_is_refused_and_another_name_is_not(tmp_path: Path) -> None:
    counted_file = count(nasty(), tmp_path)
    counted = CountedText([counted_file.counts], TRAINING)
    named = dataclasses.replace(CUT, name="mine")
    assert same(counted.table(named, True), count_corpus(counted_file.text(TRAINING), named))
    for cut in (
        Pretokenizer.of("gpt2"),
        dataclasses.replace(CUT, normalizer=Normalizer("NFC")),
        Pretokenizer.of("none"),
    ):
        with pytest.raises(NotCounted, match="was cut by o200k"):
            counted.table(cut, True)


def test_strings_that_stand_nowhere_change_nothing(tmp_path: Path) -> None:
    counted_file = count(nasty(), tmp_path)
    added = dataclasses.replace(CUT, added=("<|endoftext|>", "<unk>"))
    wanted = count_corpus(counted_file.text(TRAINING), added)
    assert same(CountedText([counted_file.counts], TRAINING).table(added, True), wanted)


def test_strings_that_may_stand_in_the_text_are_refused(tmp_path: Path) -> None:
    counted = CountedText([count(nasty(), tmp_path, hold_out=0).counts], TRAINING)
    for string in ("hat", "cat the", "\n", "aaaa"):
        with pytest.raises(NotCounted, match="was not cut at"):
            counted.table(dataclasses.replace(CUT, added=(string,)), True)


def test_what_the_text_was_cut_at(tmp_path: Path) -> None:
    counted_file = count(nasty(), tmp_path, special=["the"], symbols=["<s>"])
    training, held_out = counted_file.texts
    counted = CountedText([counted_file.counts], TRAINING)
    assert counted.pretokenizer == CUT
    for added in (("the", "<s>"), ("the",)):  # <s> stands nowhere
        cut = dataclasses.replace(CUT, added=added)
        assert same(counted.table(cut, True), count_corpus(training, cut))
    with pytest.raises(NotCounted, match="was cut at the "):
        counted.table(CUT, True)
    measured = CountedText([counted_file.counts], HELD_OUT)  # where special tokens are text
    assert same(measured.table(CUT, True), count_corpus(held_out, CUT))


def test_pruned_counts_tell_no_absence_and_are_not_measured(tmp_path: Path) -> None:
    pruned = count(nasty(), tmp_path, hold_out=0, min_count=2).counts
    counted = CountedText([pruned], TRAINING)
    assert any("Left out: " in remark for remark in counted.remarks)
    with pytest.raises(NotCounted, match="was not cut at"):
        counted.table(dataclasses.replace(CUT, added=("<|endoftext|>",)), False)
    with pytest.raises(NotCounted, match="cannot measure"):
        counted.sample()


def test_what_is_measured_of_a_pruned_count_is_whole(tmp_path: Path) -> None:
    counted_file = count(parallel(), tmp_path, min_count=2)
    counted = CountedText([counted_file.counts], HELD_OUT)
    assert same(counted.table(CUT, True), count_corpus(counted_file.text(HELD_OUT), CUT))
    assert len(counted.sample())
    with pytest.raises(NotCounted, match="cannot measure"):
        CountedText([counted_file.counts], TRAINING).sample()


def test_a_count_without_groups(tmp_path: Path) -> None:
    counted_file = count(parallel(), tmp_path, groups=False)
    counted = CountedText([counted_file.counts], TRAINING)
    wanted = count_corpus(counted_file.text(TRAINING), CUT, by_group=False)
    assert counted.table(CUT, False).to_dict() == wanted.to_dict()
    with pytest.raises(NotCounted, match="cannot balance"):
        counted.balanced(3.3)


def test_all_that_needs_text_says_so(tmp_path: Path) -> None:
    counted = CountedText([count(nasty(), tmp_path).counts], TRAINING)
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


def test_first_documents_are_some_of_each_group(tmp_path: Path) -> None:
    counted = CountedText([count(parallel(), tmp_path).counts], HELD_OUT)
    table = count_corpus(counted.first_documents(2), CUT)
    assert table.groups == counted.groups
    assert table.totals[:, 0].tolist() == [2] * 4


def test_opening(tmp_path: Path) -> None:
    split, whole = count(nasty(), tmp_path), count(parallel(), tmp_path, hold_out=0)
    gpt2 = count(one_long(), tmp_path, pretokenizer=Pretokenizer.of("gpt2"))
    folders = [each.counts.place.shown for each in (split, whole, gpt2)]
    training, held_out = open_counts(Path(folders[0]))
    assert held_out is not None
    assert (training.side, held_out.side) == SIDES
    assert open_counts(folders[1])[1] is None
    assert open_counts(folders[:2])[1] is None
    assert counts_to_measure(folders[0]).side == HELD_OUT
    assert counts_to_measure(folders[1]).side == TRAINING
    with pytest.raises(CorpusError, match="cannot measure on these counts together"):
        counts_to_measure(folders[:2])
    with pytest.raises(CorpusError, match="were cut differently"):
        open_counts(folders[1:])
    for weights in ([1.0], [1.0, 0.0], [1.0, float("nan")], [1.0, float("inf")]):
        with pytest.raises(CorpusError, match="weight"):
            open_counts(folders[:2], weights)
    with pytest.raises(CorpusError, match="weight"):
        open_counts([])


def test_a_side_without_a_document(tmp_path: Path) -> None:
    text = Corpus.of(["one document"], name="short")
    counts = count(text, tmp_path, hold_out=1e-9).counts
    training, held_out = open_counts(counts.place.shown)
    assert held_out is None
    assert len(training.balanced(2).table(CUT, True)) == 2
    with pytest.raises(
        CorpusError, match="cannot measure on short"
    ):  # documents were sampled of the other
        counts_to_measure(counts.place.shown).sample()
    (tmp_path / "all").mkdir()
    counts = count(text, tmp_path / "all", hold_out=1 - 1e-9).counts
    with pytest.raises(CorpusError, match="no documents in short"):
        open_counts(counts.place.shown)
