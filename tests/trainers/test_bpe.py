"""BPE training on real text against Hugging Face, and on small text against the reference."""

import json

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from toktk import educational
from toktk.errors import TrainingError
from toktk.models.bpe import byte_characters
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.syntax import portable
from toktk.trainers import bpe
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

SPECIALS = ("<|endoftext|>", "<pad>", "東")


@pytest.fixture(scope="module")
def train(corpus_of):
    def run(documents, sizes, *args, jobs=1, progress=None, **options):
        data = TrainingData(corpus_of(documents), progress=progress, jobs=jobs)
        return BpeTrainer(*args, **options).train(data, sizes).tokenizers

    return run


def train_huggingface(texts, pattern, size, specials=(), **options):
    """Return the vocabulary and the merges as strings."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(portable(pattern)), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **options,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    return model["vocab"], merges


def as_strings(model):
    """Return our vocabulary and merges as Hugging Face writes them."""
    characters = byte_characters()
    strings = ["".join(characters[b] for b in token) for token in model.tokens]
    strings[: len(model.special_tokens)] = model.special_tokens
    merges = [(strings[a], strings[b]) for a, b, _ in model.merges.tolist()]
    return {string: i for i, string in enumerate(strings)}, merges


@pytest.fixture(scope="module")
def texts(real_texts):
    code = real_texts["code"]
    lines = [line for group, rows in real_texts.items() if group != "code" for line in rows]
    return {"code": code, "languages": lines}


@pytest.mark.parametrize(
    ("name", "kind", "size", "options"),
    [
        ("gpt2", "code", 20_000, {}),
        ("gpt2", "languages", 12_000, {"min_frequency": 2}),
        ("cl100k", "code", 8_000, {"specials": SPECIALS}),
        ("cl100k", "languages", 20_000, {"min_frequency": 5}),
        ("o200k", "code", 12_000, {"longest": 8, "specials": SPECIALS, "min_frequency": 2}),
        ("o200k", "languages", 16_000, {}),
        ("metaspace", "languages", 9_000, {"longest": 3}),
        ("gpt2", "code", 9_000, {"longest": 16, "min_frequency": 5}),
    ],
)
def test_real_text_equals_huggingface(train, texts, name, kind, size, options):
    specials = options.get("specials", ())
    floor, longest = options.get("min_frequency", 0), options.get("longest")
    documents = [(text, "g", 1) for text in texts[kind]]
    theirs = {"min_frequency": floor} | ({"max_token_length": longest + 1} if longest else {})
    vocabulary, merges = train_huggingface(texts[kind], PATTERNS[name], size, specials, **theirs)
    (ours,) = train(
        documents,
        [len(vocabulary)],
        name,
        specials,
        min_frequency=floor,
        max_token_length=longest,
        jobs=2,
    )
    found_vocabulary, found_merges = as_strings(ours.model)
    assert found_merges == merges
    assert found_vocabulary == vocabulary
    assert len(vocabulary) == size or longest or floor


small_documents = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "ab", "aaa", " ", "\n", "é"]), max_size=12).map(
            "".join
        ),
        st.sampled_from(["x", "y"]),
        st.integers(0, 2**33),
    ),
    min_size=1,
    max_size=5,
)
options = st.fixed_dictionaries(
    {
        "special_tokens": st.sampled_from([(), SPECIALS]),
        "min_frequency": st.sampled_from([0, 1, 2, 5]),
        "max_token_length": st.sampled_from([None, 1, 2, 3, 5]),
    }
)


def expected_merges(documents, size, options):
    return educational.train_bpe(
        reference.pieces_of(documents, PATTERNS["gpt2"]),
        size,
        len(options["special_tokens"]),
        options["min_frequency"],
        options["max_token_length"],
    )


@given(small_documents, options)
def test_weighted_documents_equal_the_reference(train, documents, options):
    base = 256 + len(options["special_tokens"])
    expected = expected_merges(documents, base + 12, options)
    (tokenizer,) = train(documents, [base + len(expected)], "gpt2", **options)
    assert tokenizer.model.merges.tolist() == [list(merge[:3]) for merge in expected]
    assert tokenizer.vocab_size == base + len(expected)


@given(small_documents, options, st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_every_size_of_one_training_equals_training_to_it(train, documents, options, more):
    base = 256 + len(options["special_tokens"])
    reachable = base + len(expected_merges(documents, base + 12, options))
    sizes = [min(base + n, reachable) for n in more]
    together = train(documents, sizes, "gpt2", **options)
    largest = max(together, key=lambda tokenizer: tokenizer.vocab_size)
    for size, tokenizer in zip(sizes, together, strict=True):
        (alone,) = train(documents, [size], "gpt2", **options)
        assert tokenizer.vocab_size == alone.vocab_size == size
        assert tokenizer.signature == alone.signature
        assert tokenizer.model.is_prefix_of(largest.model)
        assert largest.model.cut(size).signature == alone.model.signature


def test_a_weight_counts_as_so_many_documents(train):
    weighted = [("low lower lowest", "g", 5), ("new newer", "g", 3), ("wide", "g", 0)]
    repeated = [(text, "g", 1) for text, _, n in weighted for _ in range(n)]
    (one,), (other,) = (train(documents, [266], "gpt2") for documents in (weighted, repeated))
    assert one.signature == other.signature


def test_counts_of_billions(train):
    # Where 32 bits wrap, (c, d) would look rarer than (a, b).
    documents = [("ab", "g", 3), ("cd", "g", 2**32 + 1), ("ef", "g", 2**31), ("gh", "g", 2**40)]
    (tokenizer,) = train(documents, [260], "gpt2")
    assert tokenizer.model.tokens[256:] == [b"gh", b"cd", b"ef", b"ab"]


@pytest.mark.parametrize("name", ["gpt2", "o200k", "none"])
def test_nasty_texts_equal_the_reference(train, nasty_texts, name):
    documents = [(text, "g", i + 1) for i, text in enumerate(nasty_texts) if len(text) < 600]
    expected = educational.train_bpe(reference.pieces_of(documents, PATTERNS[name]), 380)
    (tokenizer,) = train(documents, [380], name)
    assert tokenizer.model.merges.tolist() == [list(merge[:3]) for merge in expected]


def test_long_runs_of_one_letter_equal_huggingface(train):
    texts = ["a" * 5000, " " * 3001, "ab" * 2000 + "a", "=" * 777 + "\n" * 99]
    vocabulary, merges = train_huggingface(texts, PATTERNS["o200k"], 300)
    (tokenizer,) = train([(text, "g", 1) for text in texts], [len(vocabulary)], "o200k")
    assert as_strings(tokenizer.model) == (vocabulary, merges)


@pytest.mark.parametrize("length", [2, 3, 4, 9])
def test_longest_token_is_inclusive(train, length):
    texts = ["abcdefghijkl " * 9, "abcdefgh " * 4]
    vocabulary, merges = train_huggingface(
        texts, PATTERNS["gpt2"], 300, max_token_length=length + 1
    )
    documents = [(text, "g", 1) for text in texts]
    (tokenizer,) = train(documents, [len(vocabulary)], "gpt2", max_token_length=length)
    assert max(map(len, tokenizer.model.tokens)) == length
    assert as_strings(tokenizer.model) == (vocabulary, merges)


def test_bytes_and_specials_come_first(train):
    (tokenizer,) = train([("ab", "g", 1)], [260], "gpt2", SPECIALS)
    tokens = tokenizer.model.tokens
    assert tokens[:3] == [name.encode() for name in SPECIALS]
    assert sorted(tokens[3:259]) == [bytes([b]) for b in range(256)]
    assert tokens[259] == b"ab"
    assert tokenizer.model.byte_ids.tolist() == educational.byte_ids(3)


def test_a_special_token_that_a_merge_spells(train):
    # Hugging Face gives the merge the id of the special token, which text then makes. Ours does not.
    texts = ["the then that thin"]
    vocabulary, merges = train_huggingface(texts, PATTERNS["gpt2"], 260, ["th"])
    (tokenizer,) = train([(texts[0], "g", 1)], [260], "gpt2", ["th"])
    assert merges[0] == ("t", "h")
    assert vocabulary["th"] == 0
    assert tokenizer.model.tokens[0] == b"th"
    assert tokenizer.model.merges[0].tolist()[2] == 257
    assert 0 not in tokenizer.encode("the then")


class TestSizes:
    DOCUMENTS = (("aaaa bb", "g", 2),)  # aa, bb, " bb", aaaa

    def test_names(self, train):
        text = "".join(chr(0x4E00 + i) for i in range(2000))
        found = train([(text, "g", 1)], [256, 1000, 1500, 1501], "none")
        assert [t.name for t in found] == ["bpe-256", "bpe-1k", "bpe-1.5k", "bpe-1501"]
        assert found[0].vocab_size == 256

    def test_order_is_kept_and_what_cannot_be_reached_left_out(self, train):
        found = train(self.DOCUMENTS, [258, 10_000, 256, 258], "gpt2")
        assert [tokenizer.vocab_size for tokenizer in found] == [258, 256, 258]

    def test_exactly_what_can_be_reached(self, train):
        (tokenizer,) = train(self.DOCUMENTS, [260], "gpt2")
        assert tokenizer.model.tokens[256:] == [b"aa", b"bb", b" bb", b"aaaa"]

    @pytest.mark.parametrize(
        ("sizes", "specials"), [([255], ()), ([], ()), ([256, 258], ("a", "b", "c"))]
    )
    def test_below_the_alphabet(self, train, sizes, specials):
        with pytest.raises(TrainingError, match="are taken by"):
            train(self.DOCUMENTS, sizes, "gpt2", specials)

    def test_none_can_be_reached(self, train):
        with pytest.raises(TrainingError, match="cannot reach 300 tokens"):
            train(self.DOCUMENTS, [300, 400], "gpt2")
        with pytest.raises(TrainingError, match="before no pair that occurs 5 times is left"):
            train(self.DOCUMENTS, [259], "gpt2", min_frequency=5)

    def test_text_without_a_pair(self, train):
        (tokenizer,) = train([("a", "g", 1), ("", "g", 1)], [256], "gpt2")
        assert len(tokenizer.encode("ab")) == 2
        with pytest.raises(TrainingError, match="gives 256"):
            train([("a", "g", 1)], [257], "gpt2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"special_tokens": ("a", "a")}, "different from each other"),
        ({"special_tokens": ("",)}, "not empty"),
        ({"min_frequency": -1}, "min_frequency must be 0 or more"),
        ({"max_token_length": 0}, "max_token_length must be 1 or more"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(TrainingError, match=message):
        BpeTrainer("gpt2", **options)


@settings(max_examples=30)
@given(small_documents)
def test_threads_do_not_matter(train, documents):
    base = [train(documents, [256], "gpt2", jobs=jobs)[0] for jobs in (1, 3)]
    assert base[0].signature == base[1].signature
    n = len(educational.train_bpe(reference.pieces_of(documents, PATTERNS["gpt2"]), 268))
    (one,), (other,) = (train(documents, [256 + n], "gpt2", jobs=jobs) for jobs in (1, 3))
    assert np.array_equal(one.model.merges, other.model.merges)


@pytest.mark.parametrize("size", [263, 900])  # the text gives 267
def test_progress_adds_up_to_the_largest_size(train, size):
    steps = []
    train([("low lower lowest", "g", 5)], [263, size], "gpt2", progress=steps.append)
    assert min(steps) >= 0
    assert sum(steps) == size


@pytest.mark.parametrize("size", [300, 1200, 6000])
def test_pairs_that_are_left_out_change_nothing(train, texts, monkeypatch, size):
    documents = [(text, "g", 1 + i % 3) for i, text in enumerate(texts["languages"][:3000])]
    told: list[object] = []
    for rare in (0, 1 / 400, 0.1, 1, 1000):  # from none to so many that the rest does not suffice
        monkeypatch.setattr(bpe, "_RARE", rare)
        (tokenizer,) = train(documents, [size])
        model = tokenizer.model
        told.append((model.merges.tolist(), model.vocab_size))
    assert all(other == told[0] for other in told)
