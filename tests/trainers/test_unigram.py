"""Unigram training against the reference, against itself for single sizes, and on nasty text."""

import random

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk.errors import TrainingError
from toktk.trainers.base import TrainingData
from toktk.trainers.unigram import STEPS, UnigramTrainer


@pytest.fixture(scope="module")
def train(corpus_of):
    def run(documents, sizes, *args, jobs=1, progress=None, **options):
        data = TrainingData(corpus_of(documents), progress=progress, jobs=jobs)
        trained = UnigramTrainer(*args, **options).train(data, sizes)
        run.available = trained.available
        return trained.tokenizers

    return run


def documents(texts):
    return [(text, "text", 1) for text in texts]


def words(seed, n, alphabet="abcdefgàß東京🙂"):
    """Return `n` documents of words that repeat, from a small stock."""
    chance = random.Random(seed)
    stock = ["".join(chance.choices(alphabet, k=chance.randint(1, 7))) for _ in range(40)]
    return [" ".join(chance.choices(stock, k=12)) for _ in range(n)]


def as_dict(tokenizer):
    """Return token -> score: bytes of the alphabet as numbers, all others as str."""
    model = tokenizer.model
    first = len(model.special_tokens)
    found = {}
    for i, token in enumerate(model.tokens[first:]):
        if i >= 256:
            found[token.decode()] = model.scores[i]
        elif model.fallback is None:
            found[token[0]] = model.scores[i]
    return found


def pieces_of(pretokenizer, texts):
    counts = {}
    for text in texts:
        for piece in pretokenizer.cut(text):
            counts[piece] = counts.get(piece, 0) + 1
    return counts


def assert_equals_reference(tokenizer, expected, ties=False):
    """Compare tokens and scores; with `ties`, tokens of one and the same score may stand for each other."""
    found = as_dict(tokenizer)
    extra, missing = found.keys() - expected.keys(), expected.keys() - found.keys()
    assert len(extra) == len(missing)
    assert ties or not extra
    swapped = [found[token] for token in extra] + [expected[token] for token in missing]
    assert swapped == pytest.approx(swapped[:1] * len(swapped), abs=2.1 / STEPS)
    for token in found.keys() - extra:
        assert found[token] == pytest.approx(expected[token], abs=2.1 / STEPS), token


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prune", ["loss", "flat"])
def test_bytes_equal_the_reference(train, seed, prune):
    texts = words(seed, 60)
    trainer = UnigramTrainer("whitespace")
    pieces = pieces_of(trainer.pretokenizer, texts)
    for size in (262, 280, 310):
        (made,) = train(documents(texts), [size], "whitespace", prune=prune)
        assert made.vocab_size == size
        expected = reference.train_unigram(pieces, size, flat=prune == "flat")
        assert_equals_reference(made, expected)


@pytest.mark.parametrize("seed", range(4))
def test_characters_equal_the_reference(train, seed):
    texts = words(seed, 60)
    trainer = UnigramTrainer("metaspace")
    pieces = pieces_of(trainer.pretokenizer, texts)
    (made,) = train(documents(texts), [300], "metaspace", character_coverage=1.0)
    characters = {c for piece in pieces for c in piece}
    expected = reference.train_unigram(pieces, 300, specials=1, required=characters)
    assert_equals_reference(made, expected)


def test_few_seeds_equal_the_reference(train):
    texts = words(9, 60)
    pieces = pieces_of(UnigramTrainer("gpt2").pretokenizer, texts)
    (made,) = train(documents(texts), [290], "gpt2", seed_size=70, min_frequency=3)
    assert_equals_reference(made, reference.train_unigram(pieces, 290, seed_size=70, least=3))


@settings(max_examples=25)
@given(
    st.lists(st.text(st.sampled_from("ab \n0é東🙂"), max_size=30), min_size=1, max_size=12),
    st.integers(257, 275),
)
def test_any_text_equals_the_reference(train, texts, size):
    pieces = pieces_of(UnigramTrainer("gpt2").pretokenizer, texts)
    expected = reference.train_unigram(pieces, size)
    if len(expected) < size:
        with pytest.raises(TrainingError, match="cannot reach"):
            train(documents(texts), [size], "gpt2")
    else:
        (made,) = train(documents(texts), [size], "gpt2")
        # Where tokens are equally likely, what rounding leaves of their sums decides which one fits in.
        assert_equals_reference(made, expected, ties=True)


SIZES = [600, 700, 800, 950]


def nasty_and_real(real_texts):
    return documents(NASTY_TEXTS * 2 + [t for texts in real_texts.values() for t in texts[:3]])


@pytest.mark.parametrize(
    ("pretokenizer", "options"),
    [("o200k", {}), ("o200k", {"prune": "flat"}), ("metaspace", {"character_coverage": 0.9})],
)
def test_a_branch_equals_a_training_for_that_size(train, real_texts, pretokenizer, options):
    texts = nasty_and_real(real_texts)
    together = train(texts, SIZES, pretokenizer, **options)
    assert [one.vocab_size for one in together] == SIZES
    for size, one in zip(SIZES, together, strict=True):
        (alone,) = train(texts, [size], pretokenizer, **options)
        assert alone.model.tokens == one.model.tokens
        assert np.array_equal(alone.model.scores, one.model.scores)


@pytest.mark.parametrize("pretokenizer", ["o200k", "metaspace", "none"])
def test_neither_threads_nor_order_change_anything(train, real_texts, pretokenizer):
    texts = nasty_and_real(real_texts)
    backwards = texts[::-1]
    options = {"character_coverage": 0.9} if pretokenizer == "metaspace" else {}
    first = train(texts, [400, 900], pretokenizer, **options)
    for jobs, corpus in ((1, backwards), (2, texts), (3, backwards)):
        again = train(corpus, [400, 900], pretokenizer, jobs=jobs, **options)
        assert [t.signature for t in again] == [t.signature for t in first]


@pytest.mark.parametrize("pretokenizer", ["gpt2", "metaspace", "none"])
def test_every_text_comes_back(train, real_texts, pretokenizer):
    options = {"character_coverage": 0.8} if pretokenizer == "metaspace" else {}
    # The larger one only where there is text enough.
    *_, made = train(nasty_and_real(real_texts), [400, 1000], pretokenizer, **options)
    for text in [*NASTY_TEXTS, "".join(map(chr, range(0x250))), "▁ \u2581\0", "unseen 𓀀"]:
        assert made.decode(made.encode(text)) == text


def test_tokens_never_cut_a_character(train, real_texts):
    (made,) = train(nasty_and_real(real_texts), [2000], "none")
    for token in made.model.tokens:
        if len(token) > 1:
            token.decode()


def test_a_long_piece_neither_overflows_nor_underflows(train):
    long = "".join(random.Random(1).choices("abcdefghij", k=20_000)) + "a" * 20_000
    (made,) = train(documents([long, "ab", "cd"]), [400], "none")
    assert np.isfinite(made.model.scores).all()
    probabilities = np.exp(made.model.scores)
    assert 0.9 < probabilities.sum() < 1.1
    assert made.decode(made.encode(long)) == long


def test_long_pieces_count_as_short_ones_do(train):
    """Joined by a character of its own, a long piece has the expectations of its parts."""
    stock = words(3, 1)[0].split() * 120
    joined = "|".join(stock)
    options = {"seed_size": 60, "max_token_chars": 3, "pretokenizer": r"[^|]+|\|"}
    (parts,) = train(documents([joined]), [265], **options)
    expected = reference.train_unigram(
        pieces_of(parts.pretokenizer, [joined]), 265, seed_size=60, longest=3
    )
    assert_equals_reference(parts, expected)
    # The reference works in logarithms, so it is the oracle for one long piece as well.
    options["pretokenizer"] = "none"
    (whole,) = train(documents([joined]), [265], **options)
    expected = reference.train_unigram({joined: 1}, 265, seed_size=60, longest=3)
    assert_equals_reference(whole, expected)


def test_only_characters_beyond_the_basic_plane(train):
    texts = ["".join(random.Random(i).choices("😀🎉𠀀𝒳🏳", k=40)) for i in range(30)]
    (made,) = train(documents(texts), [300], "gpt2")
    assert made.decode(made.encode(texts[0])) == texts[0]
    assert max(map(len, made.model.tokens)) >= 8
    (made,) = train(documents(texts), [275], "metaspace")
    assert made.decode(made.encode(texts[0])) == texts[0]


def test_one_document_and_none(train):
    (made,) = train(documents(["to be or not to be, that is to be"]), [260], "gpt2")
    assert made.vocab_size == 260
    for nothing, prune in (([""], "loss"), (["", ""], "flat")):
        with pytest.raises(TrainingError, match="cannot reach 300"):
            train(documents(nothing), [300], "gpt2", prune=prune)
        (made,) = train(documents(nothing), [256], "gpt2", prune=prune)
        assert made.decode(made.encode("anything")) == "anything"


def test_sizes_out_of_reach_are_left_out(train):
    texts = documents(words(5, 30))
    made = train(texts, [270, 50_000], "gpt2")
    assert [one.vocab_size for one in made] == [270]
    assert 270 < train.available < 50_000
    (most,) = train(texts, [train.available], "gpt2")
    with pytest.raises(TrainingError, match=f"gives {most.vocab_size:,}"):
        train(texts, [50_000], "gpt2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"character_coverage": 1.5}, "character_coverage must be 0.5 to 1"),
        ({"shrinking_factor": 0.2}, "shrinking_factor must be"),
        ({"sub_iterations": 0}, "sub_iterations must be"),
        ({"max_token_chars": 33}, "max_token_chars must be 1 to 32"),
        ({"seed_size": 0}, "seed_size must be 1 or more"),
        ({"prune": "score"}, "prune must be 'loss' or 'flat'"),
        ({"alphabet": "letters"}, "alphabet must be"),
        ({"special_tokens": ["a", "a"]}, "special tokens must be different"),
        ({"character_coverage": float("nan")}, "character_coverage must be"),
    ],
)
def test_impossible_parameters(options, message):
    with pytest.raises(TrainingError, match=message):
        UnigramTrainer("gpt2", **options)


def test_a_size_below_the_alphabet(train):
    with pytest.raises(TrainingError, match=r"Ask for 257 or more"):
        train(documents(["abc"]), [256], "gpt2", special_tokens=["<s>"])
    with pytest.raises(TrainingError, match=r"256 bytes and 3 characters.*\n.*Ask for 260 or more"):
        train(documents(["abc"]), [257], "metaspace")


def test_more_text_than_can_be_numbered(train, monkeypatch):
    monkeypatch.setattr("toktk.trainers.seeding.MOST", 20)
    with pytest.raises(TrainingError, match="19 bytes in 4 pieces, of at most 20"):
        train(documents(["four pieces of text"]), [300], "whitespace")


def test_special_tokens_come_first_and_text_never_makes_them(train):
    texts = documents(["<s> and <s> and </s>"] * 9)
    (made,) = train(texts, [270], "metaspace", special_tokens=["<s>", "</s>"])
    assert made.model.tokens[:3] == [b"<unk>", b"<s>", b"</s>"]
    assert min(made.encode("<s> and <unk>")) >= 3


def test_max_token_length_is_in_bytes(train):
    (made,) = train(documents(words(2, 40)), [300], "whitespace", max_token_length=4)
    assert max(map(len, made.model.tokens)) == 4


def test_progress_comes_to_the_largest_size(train, real_texts):
    seen = []
    train(nasty_and_real(real_texts), [300, 1000], "gpt2", progress=seen.append)
    assert sum(seen) == 1000
    assert len(seen) > 2
    assert min(seen) >= 0


@pytest.mark.parametrize("pretokenizer", ["o200k", "metaspace"])
def test_the_libraries_give_the_same_ids(train, real_texts, pretokenizer, tmp_path):
    import sentencepiece
    from tokenizers import Tokenizer as Library

    training = documents([t for texts in real_texts.values() for t in texts[:60]])
    (made,) = train(training, [4000], pretokenizer)
    made.save(tmp_path)
    library = Library.from_file(str(tmp_path / "tokenizer.json"))
    others = [lambda text: library.encode(text).ids]
    if pretokenizer == "metaspace":
        path = tmp_path / f"{made.name}.model"
        others.append(sentencepiece.SentencePieceProcessor(model_file=str(path)).encode)
    for texts in real_texts.values():
        # SentencePiece adds in float32, which is exact for some thousand tokens from the start of a text.
        for text in (text[:2000] for text in texts[60:100] or texts):
            ids = made.encode(text)
            assert made.decode(ids) == text
            for encode in others:
                assert encode(text) == ids
