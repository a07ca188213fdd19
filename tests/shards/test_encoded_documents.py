"""Batches of a corpus as ids: those of the tokenizer, in order, whatever the threads."""

import numpy as np
import pytest
from every_kind import EXACT
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk.corpus import Corpus
from toktk.errors import CorpusError, FormatError
from toktk.shards.documents import DocumentEncoder, dtype_of, encode_batches


def encoded(tokenizer, corpus, before=(), after=(), jobs=1):
    """Return the documents as (ids, bytes, group)."""
    encoder = DocumentEncoder(tokenizer, before, after)
    rows = []
    for part in encode_batches(corpus.batches(), encoder, jobs):
        assert part.tokens.dtype == encoder.dtype
        assert part.offsets[0] == 0
        for d in range(len(part)):
            ids = part.tokens[part.offsets[d] : part.offsets[d + 1]].tolist()
            rows.append((ids, int(part.lengths[d]), part.group_names[part.groups[d]]))
    return rows


@pytest.mark.parametrize("kind", EXACT)
def test_ids_are_those_of_every_engine(kind):
    tokenizer = EXACT[kind]()
    rows = encoded(tokenizer, Corpus.of(NASTY_TEXTS), [0], [1, 1])
    assert rows == [
        ([0, *tokenizer.encode(text), 1, 1], len(text.encode()), "texts") for text in NASTY_TEXTS
    ]


@given(st.lists(st.text(max_size=30), min_size=1), st.integers(0, 2), st.integers(1, 3))
def test_any_text(tokenizer, texts, n_around, jobs):
    groups = [str(len(text) % 3) for text in texts]
    around = [3] * n_around
    rows = encoded(tokenizer, Corpus.of(texts, groups), around, around[:1], jobs)
    assert rows == [
        ([*around, *tokenizer.encode(text), *around[:1]], len(text.encode()), group)
        for text, group in zip(texts, groups, strict=True)
    ]


def test_order_is_kept_over_many_batches(tokenizer, corpus_of):
    texts = [f"{i} " * (i % 7) for i in range(60)]
    corpus = corpus_of([(text, "g", 1) for text in texts], batch_rows=3)
    rows = encoded(tokenizer, corpus, jobs=4)
    assert [ids for ids, _, _ in rows] == [tokenizer.encode(text) for text in texts]


def test_ids_are_as_narrow_as_the_vocabulary_allows():
    assert dtype_of(2**16) == np.uint16
    assert dtype_of(2**16 + 1) == np.uint32


class Liar:
    """A model whose ids are beyond its vocabulary."""

    vocab_size, special_tokens, signature, kind = 300, (), "", "liar"

    def encode_pieces(self, data, offsets):
        return np.full(offsets.size - 1, 2**16 + 5, np.uint32), np.arange(1, offsets.size)


def test_an_id_that_does_not_fit_is_an_error(crafted):
    from toktk.tokenizer import Tokenizer

    liar = Tokenizer("liar", crafted([]).pretokenizer, Liar())
    with pytest.raises(FormatError, match="liar gives the id 65541"):
        encoded(liar, Corpus.of(["text"]))


@pytest.mark.parametrize("weights", [[1, 2], [0, 1]])
def test_weights_are_refused(tokenizer, weights):
    with pytest.raises(CorpusError, match="count more than once") as told:
        encoded(tokenizer, Corpus.of(["a", "b"], weights=weights))
    assert "--weight-column" in str(told.value)


def test_an_error_of_a_batch_ends_all(tokenizer, corpus_of):
    rows = [(f"text {i}", "g", 1 + (i == 20)) for i in range(40)]
    with pytest.raises(CorpusError, match="count more than once"):
        encoded(tokenizer, corpus_of(rows, batch_rows=2), jobs=3)
