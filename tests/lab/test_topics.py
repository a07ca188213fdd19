"""Metrics that are asked for by topic, on tokenizers of every kind; what nobody asks for costs nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from nasty import NASTY_TEXTS
from small_corpora import SYLLABLES, lines

import toktk
from toktk import educational
from toktk.corpus import Corpus
from toktk.pieces.text_sample import TextSample
from toktk.trainers.base import TrainingData
from toktk.trainers.huggingface import HfWordPieceTrainer
from toktk.trainers.sentencepiece import SpBpeTrainer

TOPICS = ("spelling", "robustness", "words", "vocabulary")


@pytest.fixture(scope="module")
def text():
    groups = {**{language: lines(language) for language in SYLLABLES}, "nasty": NASTY_TEXTS}
    rows = [(row, group) for group, rows in groups.items() for row in rows]
    return Corpus.of([row for row, _ in rows], groups=[group for _, group in rows])


@pytest.fixture(scope="module")
def results(text):
    tokenizers = {
        kind: toktk.train(kind, text, sizes=[600], **options)[600]
        for kind, options in (("bpe", {}), ("unigram", {}))
    }
    for name, trainer in {
        "word-piece": HfWordPieceTrainer("gpt2"),
        "sp-bpe": SpBpeTrainer(),
    }.items():
        (tokenizers[name],) = trainer.train(TrainingData(text), [600]).tokenizers
    return toktk.evaluate(tokenizers, text, metrics=TOPICS)


KINDS = ("bpe", "unigram", "word-piece", "sp-bpe")


def values(results, kind):
    return {
        (r.group, r.metric): r.value for r in results if r.tokenizer == kind and r.metric != "lost"
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_is_a_number_or_says_why_not(results, kind):
    of = [record for record in results if record.tokenizer == kind]
    assert {record.metric.partition("[")[0] for record in of} >= {
        "variant_tokens", "disjoint_variants", "single_token_variants", "token_edits", "pcw",
        "splittable_tokens", "splits_per_token", "residue_tokens", "token_types", "zipf_slope",
        "zipf_error", "zipf_area",
    }  # fmt: skip
    for record in of:
        assert (record.value is None) == (record.value is None and bool(record.note))
        if record.unit == "share" and record.value is not None:
            assert 0 <= record.value <= 1


def test_figures_are_what_the_kind_of_vocabulary_makes_them(results):
    bpe, unigram, pieces = (values(results, kind) for kind in ("bpe", "unigram", "word-piece"))
    assert bpe["all", "splittable_tokens"] == 1
    assert 0 < unigram["all", "splittable_tokens"] < 1
    assert 0 < values(results, "sp-bpe")["all", "splittable_tokens"] <= 1
    assert pieces["all", "splittable_tokens"] is None
    assert bpe["all", "residue_tokens[0.1]"] > 0
    assert unigram["all", "residue_tokens[0.1]"] is None
    assert pieces["all", "residue_tokens[0.1]"] is None
    for found in (bpe, unigram, pieces):
        assert found["ja", "disjoint_variants[capital]"] is None
        assert found["en", "token_edits[swap]"] > 0
        assert found["all", "zipf_slope"] < 0
        assert 0 < found["en", "pcw[piece]"] < 1


def test_the_words_of_the_table_name_a_continued_word(text):
    tokenizer = toktk.train("bpe", text, sizes=[600])[600]
    both = toktk.evaluate([tokenizer], text, metrics=["pcw", "single_token_words"])
    for group in ("en", "all"):
        continued, single = (
            next(r for r in both if (r.group, r.metric) == (group, metric))
            for metric in ("pcw[piece]", "single_token_words[piece]")
        )
        assert continued.value == pytest.approx(1 - single.value)
        assert continued.low == pytest.approx(1 - single.high)


def test_residues_of_every_size_equal_replayed_merges():
    text = Corpus.of([row for language in SYLLABLES for row in lines(language, 25)])
    sizes = [300, 420, 560]
    trained = toktk.train("bpe", text, sizes=sizes)
    found = toktk.evaluate({str(n): trained[n] for n in sizes}, text, metrics=["residue_tokens"])
    documents = [d for batch in text.batches() for d in batch.column("text").to_pylist()]
    pieces = educational.count_pieces(trained[300].pretokenizer.pattern, documents)
    for record in found.where(group="all"):
        if record.metric == "lost":
            continue
        merges = trained[record.size].model.merges.tolist()
        final, steps = Counter(), Counter()
        for piece, n in pieces.items():
            for token in educational.encode(piece, merges):
                final[token] += n
            for token, times in educational.merge_uses(piece, merges).items():
                steps[token] += n * times
        made = [t for t in {m[2] for m in merges} if final[t] + steps[t] >= 10]
        residues = [t for t in made if final[t] / (final[t] + steps[t]) < 0.1]
        assert record.n == len(made)
        assert record.value == pytest.approx(len(residues) / len(made))


def test_without_a_topic_no_text_is_sampled(text, monkeypatch):
    def refuse(sample):
        raise AssertionError("text is sampled")

    monkeypatch.setattr(TextSample, "texts", property(refuse))
    tokenizer = toktk.train("bpe", text, sizes=[601])[601]
    found = {record.metric for record in toktk.evaluate([tokenizer], text)}
    assert "bytes_per_token" in found
    assert not {"pcw[piece]", "token_types", "variant_tokens"} & found
