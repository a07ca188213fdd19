"""One vocabulary, run by merges, greedily, with the fewest tokens, or by probability."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk import educational as slow
from toktk.errors import FormatError
from toktk.models.bpe import BpeModel
from toktk.models.greedy import GreedyModel
from toktk.models.inference import INFERENCE
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pieces.counting import count_corpus
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

BYTES = [bytes([b]) for b in range(256)]
WHOLE = Pretokenizer.of("none")
letters = st.sampled_from(["a", "b", "é", "𠮷"])
words = st.lists(letters, min_size=2, max_size=4).map("".join).map(str.encode)
texts = st.lists(letters, max_size=9).map("".join)


def lossless(tokens, specials=()):
    listed = [*tokens, *BYTES]
    scores = np.arange(len(listed)) / -7 - 1
    return Tokenizer("u", WHOLE, UnigramModel(specials, *packed(listed), scores))


def with_fallback(tokens):
    listed = [*BYTES, *tokens]
    fallback = np.arange(256) + 1
    scores = np.full(len(listed), -1.5)
    return Tokenizer("s", WHOLE, UnigramModel(("<unk>",), *packed(listed), scores, fallback))


def run(method, tokenizer, pieces=None):
    """Return the tokenizer with its model run by another method."""
    return replace(tokenizer, model=INFERENCE.load(method).run(tokenizer.model, pieces))


def spelled(tokenizer, text):
    return [tokenizer.model.tokens[i] for i in tokenizer.encode(text)]


def fewest(text, tokens):
    """Return how many tokens the shortest of all segmentations has."""
    paths = slow.segmentations(text.encode(), dict.fromkeys(tokens, -1.0))
    return min(len(path) for _, path in paths)


@given(st.lists(words, unique=True, max_size=8), texts)
def test_fewest_is_the_fewest(tokens, text):
    tokenizer = run("fewest", lossless(tokens))
    known = {*BYTES, *tokens}
    assert tokenizer.count(text) == fewest(text, known)
    assert spelled(tokenizer, text) == slow.fewest(text.encode(), known)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(words, unique=True, max_size=8), texts)
def test_fewest_counts_the_bytes_of_unknown_characters(tokens, text):
    known = {b"a", *tokens}
    tokenizer = run("fewest", with_fallback(sorted(known)))
    assert tokenizer.count(text) == fewest(text, {*known, *range(256)})
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(words, unique=True, max_size=8), texts)
def test_greedy_equals_the_reference(tokens, text):
    found = spelled(run("greedy", lossless(tokens, ("<s>",))), text)
    assert found == slow.greedy(text.encode(), {*BYTES, *tokens})
    found = spelled(run("greedy", with_fallback(tokens)), text)
    expected = slow.greedy(text.encode(), set(tokens))
    assert found == [bytes([t]) if isinstance(t, int) else t for t in expected]


def test_methods_keep_ids(tokenizer, corpus_of):
    text = "the cat that hat, Größe 東京 123 the\n"
    pieces = count_corpus(corpus_of([(text, "x", 3)]), tokenizer.pretokenizer)
    lengths = {}
    for name in INFERENCE.names():
        made = run(name, tokenizer, pieces)
        assert made.model.tokens == tokenizer.model.tokens
        assert made.model.special_tokens == tokenizer.model.special_tokens
        assert made.decode(made.encode(text)) == text
        lengths[name] = made.count(text)
    assert min(lengths.values()) == lengths["fewest"]


def test_merges_are_for_merges(tokenizer):
    assert run("merges", tokenizer).model is tokenizer.model
    for other in (lossless([b"ab"]), with_fallback([b"ab"])):
        with pytest.raises(FormatError, match=r"cannot be run by its merges.*\n?.*unigram"):
            run("merges", other)


def test_viterbi_scores_are_counts(tokenizer, corpus_of):
    documents = [("the cat the hat", "x", 5), ("\n東京 x", "y", 1)]
    pieces = count_corpus(corpus_of(documents), tokenizer.pretokenizer)
    made = run("viterbi", tokenizer, pieces)
    counts = np.zeros(tokenizer.vocab_size)
    for text, _, weight in documents:
        np.add.at(counts, tokenizer.encode(text), weight)
    n = len(tokenizer.model.special_tokens)
    expected = np.log((counts[n:] + 1) / (counts.sum() + tokenizer.vocab_size - n))
    assert np.allclose(made.model.scores, expected, rtol=0, atol=2**-11)
    assert (made.model.scores * 1024 % 1 == 0).all()
    known = dict(zip(made.model.tokens[n:], made.model.scores.tolist(), strict=True))
    # A piece at a time, as the pretokenizer cuts.
    for piece in tokenizer.pretokenizer.cut_bytes("that xhat 東京".encode()):
        ids, _ = made.model.encode_pieces(np.frombuffer(piece, np.uint8), np.array([0, len(piece)]))
        assert [made.model.tokens[i] for i in ids] == slow.viterbi(piece, known)[1]


def test_viterbi_in_slices(tokenizer, corpus_of, monkeypatch):
    from toktk.models import inference

    pieces = count_corpus(corpus_of([("a bb ccccc\n dd the e", "x", 2)]), tokenizer.pretokenizer)
    whole = inference.viterbi(tokenizer.model, pieces).signature
    for size in (1, 3, 7):
        monkeypatch.setattr(inference, "_SLICE", size)
        assert inference.viterbi(tokenizer.model, pieces).signature == whole
    empty = count_corpus(corpus_of([("", "x", 1)]), tokenizer.pretokenizer)
    scores = inference.viterbi(tokenizer.model, empty).scores
    assert np.allclose(scores, -np.log(scores.size), rtol=0, atol=2**-11)


def test_viterbi_of_scores_is_the_model_itself():
    tokenizer = lossless([b"ab"])
    assert run("viterbi", tokenizer).model is tokenizer.model
    with pytest.raises(FormatError, match="no scores"):
        run("viterbi", Tokenizer("g", WHOLE, GreedyModel((), *packed(BYTES))))


def test_tokens_with_the_same_bytes_are_refused():
    class Inner(BpeModel):
        """Keeps a token for the beginning of words and one for the inside, as WordPiece does."""

        kind = "doubled"
        tokens = [*BYTES, b"ab", b"ab"]  # noqa: RUF012

    tokenizer = Tokenizer("w", WHOLE, Inner((), np.zeros((0, 3), np.int64)))
    for name in ("greedy", "fewest", "viterbi"):
        with pytest.raises(FormatError, match=r"cannot be told apart.*\n?.*258 tokens"):
            run(name, tokenizer)
