"""Options of trainers: sizes, counts and names that nobody can mean are errors, and cost no memory."""

from __future__ import annotations

import numpy as np
import pytest

import toktk
from toktk import educational
from toktk.errors import TrainingError
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers import TRAINERS
from toktk.trainers.base import MAX_COUNT, TrainingData, check_range
from toktk.trainers.bpe import BpeTrainer
from toktk.trainers.merge_loop import MergeLoop, MergeTask
from toktk.trainers.options import option_value, options_of, written_options
from toktk.trainers.pair_scores import count
from toktk.trainers.reserved import MAX_NAME
from toktk.trainers.scored_merges import ScoredMerges
from toktk.trainers.unigram import UnigramTrainer

TEXTS = ["the cat sat on the mat", "a hat and a cat", "the end"] * 3


def kind(value):
    """Name a value, which may have more digits than Python writes."""
    return f"{type(value).__name__}{value.bit_length() if isinstance(value, int) else ''}"


@pytest.mark.parametrize("trainer", [BpeTrainer, UnigramTrainer])
@pytest.mark.parametrize("option", ["min_frequency", "max_token_length"])
@pytest.mark.parametrize(
    "value", [2**63, 10**30, 10**5000, -(10**5000), -1, 1.5, "3", [1]], ids=kind
)
def test_numbers_that_nobody_can_mean(trainer, option, value):
    with pytest.raises(TrainingError, match=f"{option} must be ") as caught:
        trainer(**{option: value})
    assert len(str(caught.value)) < 200
    trainer(**{option: MAX_COUNT})
    trainer(**{option: np.int64(3)})


def test_fractions_stay_fractions():
    check_range("share", 1, 0.5, 1.0)
    check_range("share", None, 0.5, 1.0)
    for value in (0.4, 2, float("nan"), "1"):
        with pytest.raises(TrainingError, match=r"share must be 0\.5 to 1"):
            check_range("share", value, 0.5, 1.0)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["\ud800"], "surrogate"),
        (["a\udcff"], "surrogate"),
        ([""], "not empty"),
        ([None], "not empty"),
        ([7], "not empty"),
        ([["a"]], "not empty"),
        (["x" * (MAX_NAME + 1)], "1,001 characters, of at most 1,000"),
        (["x" * 10**6], "1,000,000 characters"),
        (["a", "b", "a"], "different from each other"),
        ("abc", "a list of names"),
    ],
)
@pytest.mark.parametrize("trainer", [BpeTrainer, UnigramTrainer])
def test_special_tokens_that_nobody_can_mean(trainer, names, message):
    with pytest.raises(TrainingError, match=message) as caught:
        trainer(special_tokens=names)
    assert len(str(caught.value)) < 400


def test_special_tokens_of_any_text():
    names = ("a\0b", "<|\n|>", " ", "x" * MAX_NAME, "\U0001f600")
    trained = toktk.train("bpe", toktk.Corpus.of(TEXTS), sizes=[265], special_tokens=names)
    assert trained[265].model.special_tokens == names


@pytest.mark.parametrize("size", [2**31, 10**30, 10**5000, 300.5, "300", None], ids=kind)
@pytest.mark.parametrize("trainer", ["bpe", "unigram"])
def test_sizes_that_nobody_can_mean(trainer, size):
    with pytest.raises(TrainingError, match="a size is a whole number, of at most 2,147,483,647"):
        toktk.train(trainer, toktk.Corpus.of(TEXTS), sizes=[size])


@pytest.mark.parametrize("options", [{}, {"score": "count*length"}])
def test_the_largest_size_takes_no_more_than_the_text(options):
    with pytest.raises(TrainingError, match=r"tested gives 2\d\d"):
        toktk.train("bpe", toktk.Corpus.of(TEXTS, name="tested"), sizes=[2**31 - 1], **options)


def task(pieces, size):
    data = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    counts = np.array(list(pieces.values()), np.int64)
    return MergeTask.of(data, offsets, counts, np.array(educational.byte_ids(2)), size, 1, 2**31)


@pytest.mark.parametrize("make", [MergeLoop, lambda task: ScoredMerges(count, "count", task)])
@pytest.mark.parametrize(
    "pieces", [{b"abcdefgh": 1}, {b"aaaaaaa": 2, b"ab": 1}, {b"": 1, b"a": 1}, {}]
)
def test_arrays_follow_the_text_and_every_merge_fits(make, pieces):
    loop = make(task(pieces, 2**31 - 1))
    n_bytes = sum(map(len, pieces))
    for rows in (loop.merges, loop.sides.left, loop.sides.right, loop.sides.touched.T):
        assert len(rows) == 258 + n_bytes
    assert not loop.run(2**31 - 1)
    expected = educational.train_bpe(pieces, 2**31 - 1, 2, 1, 2**31)
    assert [tuple(row) for row in loop.learned.tolist()] == expected


@pytest.mark.parametrize(
    ("trainer", "option", "text", "value"),
    [
        ("unigram", "character_coverage", "0.9", 0.9),
        ("unigram", "seed_size", "5000", 5000),
        ("unigram", "prune", "flat", "flat"),
        ("unigram", "alphabet", "characters", "characters"),
        ("bpe", "max_token_length", "7", 7),
        ("sp-unigram", "character_coverage", "1", 1.0),
    ],
)
def test_text_is_read_by_the_type_of_the_option(trainer, option, text, value):
    read = option_value(trainer, TRAINERS.load(trainer), option, text)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("seed_sise", "5", r"no such option \(did you mean 'seed_size'\?\)"),
        ("seed_size", "1.5", "must be a whole number"),
        ("character_coverage", "much", "must be a number"),
        ("alphabet", "letters", "must be bytes or characters"),
        ("pretokenizer", "gpt2", "is given by -p"),
        ("special_tokens", "<s>", "is given by --special"),
    ],
)
def test_text_that_is_no_value(option, text, message):
    with pytest.raises(TrainingError, match=message):
        option_value("unigram", UnigramTrainer, option, text)


def test_options_of_a_trainer_without_annotations():
    def make(size=3, name="a", **others):
        return None

    assert options_of(make) == (("size", "name"), True)
    values = [option_value("plug-in", make, "size", text) for text in ("3", "0.5", "x")]
    assert values == [3, 0.5, "x"]
    assert written_options(make) == ["size=3", "name=a"]


def test_every_option_that_is_listed_can_be_given():
    for name in TRAINERS.names():
        trainer = TRAINERS.load(name)
        for line in written_options(trainer):
            option, _, shown = line.partition("=")
            texts = {"INT": ["8"]}.get(shown, shown.split("|"))
            for text in texts:
                trainer(**{option: option_value(name, trainer, option, text)})


WORDS = [
    a + b + c for a in ("t", "st", "gr", "l") for b in ("a", "ee", "o") for c in ("m", "nd", "ll")
]


SIZES = {"bpe": 290, "unigram": 275, "hf-bpe": 290, "hf-unigram": 265, "sp-bpe": 290}


class TestSpecialTokensInText:
    TEXTS = [f"The end.<sep>The {word} starts<sep>\n" for word in WORDS] * 3

    def tokens(self, trainer, size=290, **options):
        (made,) = toktk.train(
            trainer, toktk.Corpus.of(self.TEXTS), sizes=[size], special_tokens=["<sep>"], **options
        ).values()
        special = [name.encode() for name in made.model.special_tokens]
        return [token for token in made.model.tokens if token not in special]

    @pytest.mark.parametrize("trainer", ["bpe", "unigram", "hf-bpe", "hf-unigram", "sp-bpe"])
    def test_nothing_is_learned_from_them(self, trainer):
        long = [token for token in self.tokens(trainer, SIZES[trainer]) if len(token) > 1]
        assert long
        assert not [token for token in long if b"<" in token or b">" in token or b"sep" in token]

    @pytest.mark.parametrize("trainer", ["bpe", "hf-bpe"])
    def test_they_can_be_text(self, trainer):
        assert b"sep" in self.tokens(trainer, split_special=False)

    def test_it_is_as_if_documents_ended_there(self):
        parts = [part for text in self.TEXTS for part in text.split("<sep>")]
        cut = toktk.train("bpe", toktk.Corpus.of(parts), sizes=[290], special_tokens=["<sep>"])
        assert cut[290].model.tokens[1:] == self.tokens("bpe")

    def test_texts_and_weights_are_cut_alike(self, corpus_of):
        corpus = corpus_of([("a<s>b<s><s>", "g", 2), ("<s>", "g", 3), ("", "g", 1), ("cd", "g", 4)])
        data = TrainingData(corpus, split_at=["<s>"])
        parts = [
            (text[a:b].tobytes(), weight)
            for text, offsets, weights in data.weighted()
            for a, b, weight in zip(offsets[:-1], offsets[1:], weights, strict=True)
        ]
        assert [part for part in parts if part[0]] == [(b"a", 2), (b"b", 2), (b"cd", 4)]
        table = data.pieces(Pretokenizer.of("none"))
        assert table.to_dict() == {(b"a", "text"): 2, (b"b", "text"): 2, (b"cd", "text"): 4}


class TestNormalForm:
    TEXTS = [f"caf\u00e9 cafe\u0301 na\u00efve nai\u0308ve \ufb01n {word}" for word in WORDS] * 3

    @pytest.mark.parametrize("trainer", ["bpe", "unigram", "hf-bpe", "hf-unigram"])
    def test_it_is_learned_encoded_and_written(self, trainer, tmp_path):
        (made,) = toktk.train(
            trainer, toktk.Corpus.of(self.TEXTS), sizes=[SIZES[trainer]], normal_form="NFC"
        ).values()
        assert made.encode("cafe\u0301") == made.encode("caf\u00e9")
        assert not [token for token in made.model.tokens if "\u0301".encode() in token]
        saved = made.save(tmp_path)
        assert [path.name for path in saved.files] == ["tokenizer.json", "tokenizer_config.json"]
        if "bpe" in trainer:
            assert saved.notes == (
                "no .tiktoken: it has no place for a normalizer, and this one is NFC.",
            )
        loaded = toktk.load(str(tmp_path))
        for text in (*self.TEXTS[:1], "E\u0301", "\u1100\u1161"):
            assert loaded.encode(text) == made.encode(text)

    def test_no_file_of_sentencepiece_holds_it(self):
        with pytest.raises(TrainingError, match=r"takes no normal form\.\n  Its files hold rules"):
            toktk.train("sp-bpe", toktk.Corpus.of(self.TEXTS), sizes=[300], normal_form="NFC")
