"""Several unigram vocabularies in one pass, against each by itself."""

import numpy as np
import pytest

from toktk.errors import MetricError
from toktk.evaluation.evaluation import evaluate_plainly
from toktk.evaluation.viterbi import evaluate_viterbi
from toktk.models.inference import fewest
from toktk.pieces.counting import count_corpus
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers.base import TrainingData
from toktk.trainers.unigram import UnigramTrainer

SIZES = [700, 720, 750, 780, 800, 830, 860, 900, 950]


@pytest.fixture(scope="module")
def documents(nasty_texts, real_texts):
    found = [(text, "nasty", 3) for text in nasty_texts]
    return found + [(t, g, 1) for g, texts in real_texts.items() for t in texts[:12]]


@pytest.fixture(scope="module", params=["o200k", "metaspace"])
def trained(request, corpus_of, documents):
    corpus = corpus_of([(t[0], t[1], 1) for t in documents])
    trainer = UnigramTrainer(request.param, character_coverage=0.8)
    tokenizers = trainer.train(TrainingData(corpus), SIZES).tokenizers
    table = count_corpus(corpus_of(documents), Pretokenizer.of(request.param))
    return tokenizers, table


def assert_equal(together, alone, size):
    assert np.array_equal(together.tokens(size), alone.tokens(size))
    assert np.array_equal(together.single_token_words(size), alone.single_token_words(size))
    assert np.array_equal(together.token_counts(size), alone.token_counts(size))
    assert together.groups == alone.groups
    assert np.array_equal(together.bytes, alone.bytes)


@pytest.mark.parametrize("jobs", [1, 3])
def test_together_equals_alone(trained, jobs):
    tokenizers, table = trained
    together = evaluate_viterbi(table, [t.model for t in tokenizers], jobs=jobs)
    assert together.sizes.tolist() == SIZES
    for tokenizer in tokenizers:
        assert_equal(together, evaluate_plainly(table, tokenizer.model), tokenizer.vocab_size)


def test_equal_sums_fall_alike(trained):
    tokenizers, table = trained
    models = [fewest(tokenizer.model) for tokenizer in tokenizers]
    together = evaluate_viterbi(table, models)
    for model in models:
        assert_equal(together, evaluate_plainly(table, model), model.vocab_size)


def test_a_size_that_was_not_asked_for(trained):
    tokenizers, table = trained
    evaluation = evaluate_viterbi(table, [tokenizers[0].model])
    with pytest.raises(MetricError, match="701 tokens were not evaluated"):
        evaluation.tokens(701)
