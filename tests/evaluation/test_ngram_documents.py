"""Documents of n-gram models: the ids are those of the tokenizer, whatever the text."""

from __future__ import annotations

import numpy as np
import pytest
from nasty import NASTY_TEXTS

import toktk
from toktk.arrays import packed
from toktk.evaluation.ngrams import CutDocuments, NgramCounts
from toktk.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizers() -> list[Tokenizer]:
    corpus = toktk.Corpus.of([*NASTY_TEXTS, *["the cat that sat on the hat"] * 9])
    sizes = {"bpe": 400, "unigram": 400, "sp-unigram": 520, "hf-wordpiece": 700}
    trained = [toktk.train(name, corpus, [size]) for name, size in sizes.items()]
    return [tokenizer for own in trained for tokenizer in own.values()]


def test_documents_are_their_ids_between_beginning_and_end(tokenizers: list[Tokenizer]) -> None:
    data, offsets = packed([text.encode() for text in NASTY_TEXTS])
    for tokenizer in tokenizers:
        n = tokenizer.vocab_size
        tokens = CutDocuments(tokenizer.pretokenizer, data, offsets).tokens(tokenizer)
        expected = [[n + 1, *tokenizer.encode(text), n] for text in NASTY_TEXTS]
        assert tokens.tolist() == [token for own in expected for token in own]


def test_several_tokenizers_share_what_is_cut(tokenizers: list[Tokenizer]) -> None:
    data, offsets = packed([text.encode() for text in NASTY_TEXTS])
    alike = [t for t in tokenizers if t.pretokenizer.key == tokenizers[0].pretokenizer.key]
    cut = CutDocuments(tokenizers[0].pretokenizer, data, offsets)
    assert len(alike) > 1
    for tokenizer in alike:
        own = CutDocuments(tokenizer.pretokenizer, data, offsets).tokens(tokenizer)
        assert np.array_equal(cut.tokens(tokenizer), own)


def test_no_documents(tokenizers: list[Tokenizer]) -> None:
    data, offsets = packed([])
    tokens = CutDocuments(tokenizers[0].pretokenizer, data, offsets).tokens(tokenizers[0])
    counts = NgramCounts(tokenizers[0].vocab_size)
    counts.add(tokens)
    assert tokens.size == 0
    assert counts.estimate().bits(tokens).shape == (3, 0)
