"""Texts that are seen before they are cut: whether the sample has all of them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.corpus.batch import TEXT, spans
from toktk.corpus.lines import Lines
from toktk.pieces import sample as sampling
from toktk.pieces.counting import count_corpus
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import BLOCKS
from toktk.pieces.seen import AT_ONCE, SeenText
from toktk.pretokenizers.pretokenizer import Pretokenizer

GROUPS = ["x", "東京", "y"]


def corpus_of(texts, **columns):
    return Corpus.of(texts, groups=[GROUPS[i % 3] for i in range(len(texts))], **columns)


def seen(batches, sample, most=AT_ONCE, jobs=1, beside=()):
    text = SeenText()
    text.see(batches, [sample, *beside], sample, most, jobs)
    return text


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_of_a_text_is_in_its_sample(jobs):
    texts = [text for text in NASTY_TEXTS for _ in range(1 + len(text) % 3)]
    corpus = corpus_of(texts, weights=[i % 4 for i in range(len(texts))])
    sample, lines = Sample(), Lines()
    text = seen(corpus.batches(), sample, jobs=jobs, beside=[lines])
    assert text.is_in(sample.finish())
    names, _, totals, aligned = text.totals.in_order()
    table = count_corpus(corpus, Pretokenizer.of("gpt2"))
    assert names == table.groups
    assert np.array_equal(totals, table.totals)
    assert np.array_equal(aligned, table.aligned)
    assert lines.n_bytes == sum(len(text.encode()) for text in texts)


@given(st.lists(st.text("ab\n", max_size=2), min_size=1, max_size=30), st.integers(1, 8))
def test_documents_that_are_left_out_are_missed(texts, most):
    corpus = corpus_of(texts)
    sample = Sample(most)
    text = seen(corpus.batches(), sample)
    # Where but the empty document is left out, no piece is missing.
    lacking = any(
        {*texts[g::3]} - {""} - texts_of(sample, GROUPS[g]) for g in range(min(3, len(texts)))
    )
    assert text.is_in(sample.finish()) != lacking


def texts_of(sample, group):
    documents = sample.finish()
    of_group = documents.group == documents.groups.index(group)
    bounds = zip(documents.offsets[:-1][of_group], documents.offsets[1:][of_group], strict=True)
    return {documents.data[a:b].tobytes().decode() for a, b in bounds}


def test_a_document_in_blocks_is_all_of_a_group():
    corpus = Corpus.of(["ab é\n" * 5000, "c"], groups=["x", "y"])
    sample = Sample()
    text = seen(corpus.batches(), sample)
    documents = sample.finish()
    assert BLOCKS in documents.kinds
    assert text.is_in(documents)


def test_an_excerpt_is_not_all(monkeypatch):
    monkeypatch.setattr(sampling, "_LARGEST_SHARE", 4000)
    sample = Sample()
    text = seen(Corpus.of(["ab é\n" * 5000, "c"]).batches(), sample)
    assert not text.is_in(sample.finish())


@pytest.mark.parametrize("jobs", [1, 2])
def test_nothing_is_lost_of_a_text_that_is_too_long(jobs):
    parts = [["a b", "c"], ["d é", "東京"], ["e"], ["f\0"]]
    batches = (batch for part in parts for batch in Corpus.of(part).batches())
    text = seen(batches, Sample(), most=5, jobs=jobs)
    assert not text.may_be_whole
    assert len(text.batches) == 2  # the rest is not read
    every = pa.Table.from_batches([*itertools.chain(text.batches, batches)])
    assert every.column(TEXT).to_pylist() == [*itertools.chain(*parts)]


def test_reading_ends_when_the_sample_lacks_text():
    batches = [*Corpus.of([str(i) for i in range(100)]).batches()] * 4
    sample = Sample(most=10)
    sample.see(batches[0])
    sample.finish()
    assert sample.lacks_text
    text = seen(iter(batches), sample)
    assert not text.may_be_whole
    assert [spans(batch.column(TEXT))[1].size for batch in text.batches] == [101]
