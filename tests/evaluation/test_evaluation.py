"""One evaluation, every size: against truncated tokenizers, slow and by Hugging Face."""

import dataclasses

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import models

from toktk import educational
from toktk.errors import CorpusError, MetricError, TrainingError
from toktk.evaluation import evaluation, merges
from toktk.evaluation.base import ChosenPieces, Totals, totals_of
from toktk.models.bpe import BpeModel, byte_characters
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pieces.counting import count_corpus
from toktk.pretokenizers.pretokenizer import Pretokenizer

GPT2 = Pretokenizer.of("gpt2")
texts = st.lists(st.sampled_from(["a", "b", "ab", "aaa", " ", "\n", "é", "1"]), max_size=20).map(
    "".join
)
documents = st.lists(
    st.tuples(texts, st.sampled_from(["x", "y", "z"]), st.integers(0, 2**40)),
    min_size=1,
    max_size=4,
)
SPECIALS = ("<s>", "ab")


def evaluate(table, model, sizes=(), jobs=1):
    (found,) = evaluation.evaluate(table, [model], sizes=sizes, jobs=jobs, chosen=chosen_of(table))
    return found


def chosen_of(table):
    """All pieces but the last, from behind; the ids of every third are not wanted."""
    rows = np.arange(len(table))[::-1].astype(np.int32) - 1
    return ChosenPieces(rows, (np.arange(max(len(table) - 1, 0)) % 3 != 1).astype(np.uint8))


def ids_of(counts):
    """The ids of each chosen piece, in order of size; None where they were not wanted."""
    spans = zip(counts.first_of.tolist(), counts.tokens.tolist(), strict=True)
    return [None if at < 0 else sorted(counts.ids[at : at + n].tolist()) for at, n in spans]


class Plainly:
    """A model that is evaluated by what it makes of each piece, whatever is known of its kind."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)


def assert_equal(one, other, size):
    for field in dataclasses.fields(Totals):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name
    assert one.tokens(size).tolist() == other.tokens(size).tolist()
    assert one.single_token_words(size).tolist() == other.single_token_words(size).tolist()
    assert one.token_counts(size).tolist() == other.token_counts(size).tolist()
    assert one.n_ids(size) == other.n_ids(size)
    assert one.unknown(size) is other.unknown(size) is None
    if size in (set(one.sizes.tolist()) & set(other.sizes.tolist())):
        counts = [evaluation.of_pieces(size) for evaluation in (one, other)]
        assert counts[0].tokens.tolist() == counts[1].tokens.tolist()
        assert ids_of(counts[0]) == ids_of(counts[1])


@st.composite
def any_merges(draw, specials=0):
    """A list as a file may hold it: strings spelled twice, ranks that wait for later ones."""
    ids = educational.byte_ids(specials)
    tokens = {bytes([b]): ids[b] for b in b"ab "}
    size = 256 + specials
    merges = []
    for _ in range(draw(st.integers(0, 12))):
        left, right = (draw(st.sampled_from(sorted(tokens))) for _ in "lr")
        pair = tokens[left], tokens[right]
        if pair not in [merge[:2] for merge in merges]:
            new = tokens.setdefault(left + right, size)
            size = max(size, new + 1)
            merges.append((*pair, new))
    return merges


def model_of(merges, specials=()):
    return BpeModel(specials, np.array([m[:3] for m in merges], np.int64).reshape(-1, 3))


def check_every_size(table, merges, specials, jobs):
    model = model_of(merges, specials)
    found = evaluate(table, model, jobs=jobs)
    n = len(specials)
    for size in range(model.base_size, model.vocab_size + 1):
        cut = reference.merges_at_size(merges, size, n)
        tokens, single = np.zeros(len(table.groups), int), np.zeros(len(table.groups), int)
        counts = np.zeros(size, int)
        for (piece, group), count in table.to_dict().items():
            encoded = educational.encode(piece, cut, n)
            g = table.groups.index(group)
            tokens[g] += len(encoded) * count
            single[g] += (len(encoded) == 1 and reference.holds_letter(piece)) * count
            np.add.at(counts, encoded, count)
        assert found.tokens(size).tolist() == tokens.tolist()
        assert found.single_token_words(size).tolist() == single.tolist()
        assert found.token_counts(size).tolist() == counts.tolist()
    return found


@given(documents, st.sampled_from([(), SPECIALS]), st.integers(1, 3))
@settings(max_examples=30)
def test_every_size_of_a_training(corpus_of, documents, specials, jobs):
    table = count_corpus(corpus_of(documents), GPT2)
    pieces = {table.piece(p): int(count) for p, count in enumerate(table.counts)}
    merges = educational.train_bpe(pieces, 280 + len(specials), len(specials))
    check_every_size(table, merges, specials, jobs)


@given(documents, any_merges(), st.integers(1, 3))
@settings(max_examples=60)
# "aab" is a + ab, which waits for the second spelling of ab … and aa + b.
@example(
    [("aab aab aaab", "x", 3)], [(64, 65, 256), (64, 256, 257), (64, 64, 258), (258, 65, 257)], 1
)
def test_every_size_of_any_merge_list(corpus_of, documents, merges, jobs):
    check_every_size(count_corpus(corpus_of(documents), GPT2), merges, (), jobs)


@given(documents, any_merges(2))
@settings(max_examples=20)
def test_every_size_of_any_merge_list_with_specials(corpus_of, documents, merges):
    check_every_size(count_corpus(corpus_of(documents), GPT2), merges, SPECIALS, 1)


def test_merges_that_wait_are_met(corpus_of):
    # "abac" is merged by rank 3, but its "aba" is spelled a + ba here, which is rank 4.
    a, b, c = (educational.byte_ids()[letter] for letter in b"abc")
    merges = [(b, a, 256), (a, b, 257), (257, a, 258), (258, c, 259), (a, 256, 258), (c, c, 260)]
    table = count_corpus(corpus_of([("abac", "x", 5)]), GPT2)
    found = check_every_size(table, merges, (), 1)
    assert found.late.tolist() == [[4, 3, 5]]
    # A size counts ids: 260 has the first four merges, 261 all six.
    assert found.tokens(260).tolist() == [15]
    assert found.tokens(261).tolist() == [5]


def huggingface(model, size):
    """Return piece -> ids by Hugging Face tokenizers, given the merges of `size` ids."""
    characters = byte_characters()
    strings = ["".join(characters[b] for b in token) for token in model.tokens[:size]]
    n = len(model.special_tokens)
    strings[:n] = [f"<special {i}>" for i in range(n)]
    vocabulary = {string: i for i, string in enumerate(strings)}
    pairs = [(strings[a], strings[b]) for a, b, _ in model.cut(size).merges.tolist()]
    bpe = models.BPE(vocabulary, pairs)

    def encode(piece):
        return [token.id for token in bpe.tokenize("".join(characters[b] for b in piece))]

    return encode


def check_against_huggingface(table, model, sizes):
    found = evaluate(table, model, sizes, jobs=2)
    entries = table.to_dict()
    for size in sizes:
        encode = huggingface(model, size)
        tokens = np.zeros(len(table.groups), int)
        single = np.zeros(len(table.groups), int)
        counts = np.zeros(size, int)
        cache = {}
        for (piece, group), count in entries.items():
            if piece not in cache:
                cache[piece] = encode(piece), reference.holds_letter(piece)
            encoded, is_word = cache[piece]
            g = table.groups.index(group)
            tokens[g] += len(encoded) * count
            single[g] += (len(encoded) == 1 and is_word) * count
            np.add.at(counts, encoded, count)
        assert found.tokens(size).tolist() == tokens.tolist()
        assert found.single_token_words(size).tolist() == single.tolist()
        assert found.token_counts(size).tolist() == counts.tolist()


@given(documents, any_merges())
@settings(max_examples=40)
def test_any_merge_list_equals_huggingface(corpus_of, documents, merges):
    model = model_of(merges)
    table = count_corpus(corpus_of(documents), GPT2)
    sizes = sorted({model.base_size, (model.base_size + model.vocab_size) // 2, model.vocab_size})
    check_against_huggingface(table, model, sizes)


@pytest.mark.parametrize("name", ["gpt2", "o200k"])
def test_real_vocabulary_equals_huggingface(corpus_of, real_texts, name):
    from toktk.trainers.base import TrainingData
    from toktk.trainers.bpe import BpeTrainer

    documents = [(text, group, 1) for group, texts in real_texts.items() for text in texts[::12]]
    other = [(text, group, 1) for group, texts in real_texts.items() for text in texts[1::12]]
    trainer = BpeTrainer(name, SPECIALS)
    (tokenizer,) = trainer.train(TrainingData(corpus_of(documents)), [6000]).tokenizers
    table = count_corpus(corpus_of(other), trainer.pretokenizer)
    check_against_huggingface(table, tokenizer.model, [258, 259, 1000, 3333, 5999, 6000])


def test_plain_figures(corpus_of):
    table = count_corpus(corpus_of([("a b\n12", "x", 2), ("東京", "y", 1)]), GPT2)
    found = evaluate(table, model_of([]))
    assert found.groups == ("x", "y")
    assert found.pieces.tolist() == [8, 1]
    assert found.word_pieces.tolist() == [4, 1]
    assert found.single_token_words(256).tolist() == [2, 0]
    for i, name in enumerate(
        ["documents", "bytes", "chars", "lines", "words", "unspaced", "nonspace"]
    ):
        expected = [2 * reference.totals("a b\n12")[i], reference.totals("東京")[i]]
        assert getattr(found, name).tolist() == expected
    assert found.sizes.tolist() == [256]


def test_sizes_out_of_reach(corpus_of):
    table = count_corpus(corpus_of([("aaaa", "x", 1)]), GPT2)
    found = evaluate(table, model_of(educational.train_bpe({b"aaaa": 1}, 300)))
    assert found.sizes.tolist() == [256, 257, 258]
    for size in (0, 255, 259, 10**6):
        with pytest.raises(TrainingError, match="no vocabulary"):
            found.tokens(size)


def test_with_many_groups_only_some_sizes_are_kept(corpus_of, monkeypatch):
    words = ["".join(chr(97 + i * j % 26) for j in range(9)) for i in range(26)]
    documents = [(" ".join(words[i : i + 7]), f"g{i:02}", i) for i in range(20)]
    table = count_corpus(corpus_of(documents), GPT2)
    pieces = {table.piece(p): int(count) for p, count in enumerate(table.counts)}
    trained = educational.train_bpe(pieces, 340)
    dense = evaluate(table, model_of(trained))
    monkeypatch.setattr(merges, "_DENSE", 0)
    monkeypatch.setattr(merges.np, "geomspace", lambda low, high, n: np.array([low, 5, high]))
    sparse = evaluate(table, model_of(trained), [300, 333], jobs=2)
    last = 256 + len(trained)
    assert sparse.sizes.tolist() == [256, 257, 261, *(s for s in (300, 333, last) if s <= last)]
    for size in sparse.sizes.tolist():
        assert sparse.tokens(size).tolist() == dense.tokens(size).tolist()
        assert sparse.single_token_words(size).tolist() == dense.single_token_words(size).tolist()
    with pytest.raises(MetricError, match="were not evaluated"):
        sparse.tokens(299)
    assert sparse.token_counts(299).tolist() == dense.token_counts(299).tolist()


def test_nothing_to_evaluate(corpus_of):
    found = evaluate(
        count_corpus(corpus_of([("", "x", 1)]), GPT2), model_of([(64, 64, 256)]), jobs=3
    )
    assert found.tokens(257).tolist() == [0]
    assert found.token_counts(257).sum() == 0


def test_parallel_groups(corpus_of):
    rows = [(f"{group} {i}", group, 1, str(i)) for group in ("de", "fr") for i in range(5)]
    found = evaluate(count_corpus(corpus_of([*rows, ("free", "en", 1)]), GPT2), model_of([]))
    assert (found.parallel.tolist(), found.aligned_lines) == ([True, False, True], 5)
    alone = evaluate(count_corpus(corpus_of([("free", "en", 1)]), GPT2), model_of([]))
    assert (alone.parallel.tolist(), alone.aligned_lines) == ([False], None)
    with pytest.raises(CorpusError, match=r"not parallel.*'it'"):
        evaluate(count_corpus(corpus_of([*rows, ("it 0", "it", 1, "0")]), GPT2), model_of([]))


@given(documents, any_merges(2), st.integers(1, 3))
@example([("aaa", "x", 1)], [(66, 66, 258), (66, 258, 259), (222, 222, 260), (258, 66, 259)], 1)
@settings(max_examples=30)
def test_any_model_is_measured_as_merges_are(corpus_of, documents, merges, jobs):
    table = count_corpus(corpus_of(documents), GPT2)
    model = model_of(merges, SPECIALS)
    plain = evaluate(table, Plainly(model), jobs=jobs)
    assert plain.sizes.tolist() == [model.vocab_size]
    assert_equal(evaluate(table, model), plain, model.vocab_size)


def test_one_model_has_one_size(corpus_of, monkeypatch):
    monkeypatch.setattr(evaluation, "SLICE", 2)  # a slice for every piece, and empty ones
    table = count_corpus(corpus_of([("ab abab aab", "x", 2), ("", "y", 1)]), GPT2)
    tokens = [*(bytes([b]) for b in range(256)), b"ab", b" ab"]
    model = UnigramModel((), *packed(tokens), np.array([-2.0] * 256 + [-3.0, -1.0]))
    found = evaluate(table, model, [300], jobs=2)
    assert found.tokens(258).tolist() == [2 * (1 + 2 + 3), 0]
    assert found.single_token_words(258).tolist() == [2, 0]
    counts = found.token_counts(258)
    assert [counts[i] for i in (257, 256, ord("a"), ord(" "))] == [2, 6, 2, 2]
    for read in (found.tokens, found.single_token_words, found.token_counts):
        with pytest.raises(MetricError, match=r"257 tokens were not evaluated"):
            read(257)


def unigram(size, lowest=-9.0, **options):
    tokens = [bytes([b]) for b in range(256)]
    tokens += [b"%c%c" % (97 + i // 9, 97 + i % 9) for i in range(size - 256)]
    return UnigramModel((), *packed(tokens), np.linspace(lowest, -1.0, size), **options)


def test_mixed_models_equal_each_by_itself(corpus_of):
    table = count_corpus(corpus_of([("abc abac aab", "x", 2), ("ad dada", "y", 1)]), GPT2)
    trained = educational.train_bpe({b"abac": 3, b"dada": 2, b" aab": 1}, 264)
    other = educational.train_bpe({b"bcbc": 3}, 258)
    models = [
        model_of(trained[:3]),
        unigram(300),
        model_of(other),
        model_of(trained),
        Plainly(unigram(280)),
        unigram(290),
        unigram(300, -5.0),
        unigram(285, single=True),
        model_of(trained[:5]),
        model_of(trained),
    ]
    heard = []
    found = evaluation.evaluate(
        table, models, jobs=2, chosen=chosen_of(table), progress=heard.append
    )
    assert sum(heard) == len(table) * len(models)
    for each, model in zip(found, models, strict=True):
        assert_equal(each, evaluate(table, Plainly(model)), model.vocab_size)
    shared = [[i for i, other in enumerate(found) if other is each] for each in found]
    assert [shared[i] for i in (0, 1, 2, 4, 6, 7)] == [[0, 3, 8, 9], [1, 5], [2], [4], [6], [7]]
    alone = evaluation.evaluate(table, models[:4], every_size=False, chosen=chosen_of(table))
    assert alone[0] is alone[3]
    assert alone[2].sizes.tolist() == [models[2].vocab_size]
    for each, model in zip(alone, models[:4], strict=True):
        assert_equal(each, evaluate(table, Plainly(model)), model.vocab_size)
    known = totals_of(table)
    again = evaluation.evaluate(table, models[:2], totals=known)
    assert again[1].documents is known[0].documents
    assert evaluation.evaluate(table, []) == []


def test_sizes_that_a_merge_list_lacks_are_left_out(corpus_of, monkeypatch):
    monkeypatch.setattr(merges, "_DENSE", 0)
    table = count_corpus(corpus_of([("abab", "x", 1)]), GPT2)
    trained = educational.train_bpe({b"abab": 1}, 258)
    found = evaluate(table, model_of(trained), [100, 257, 10**6])
    assert found.sizes.tolist() == [256, 257, 258]
