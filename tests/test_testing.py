"""The conformance suite: all trainers pass it, and each rule catches a trainer that breaks it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from toktk.errors import TrainingError
from toktk.models.bpe import BpeModel
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import packed
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.testing import ConformanceError, check_trainer
from toktk.tokenizer import Tokenizer
from toktk.trainers import TRAINERS
from toktk.trainers.base import Card, Trained, card_of
from toktk.trainers.bpe import BpeTrainer


@pytest.mark.parametrize("name", TRAINERS.names())
def test_every_trainer_conforms(name):
    check_trainer(TRAINERS.load(name))


def test_a_corpus_of_ones_own(corpus_of):
    texts = [(f"low lower {i} lowest {i * 7}", "g", 1) for i in range(90)]
    check_trainer(BpeTrainer, corpus_of(texts), sizes=(260, 256, 270))


class Good:
    """BPE, of which each class below breaks one rule."""

    card = Card(nested=True, shared=True)

    def train(self, data, sizes):
        trained = BpeTrainer("gpt2").train(data, sizes)
        return replace(trained, tokenizers=tuple(self.change(trained.tokenizers)))

    def change(self, made):
        return made


def test_the_trainer_that_the_others_break_conforms():
    check_trainer(Good)


class OtherSize(Good):
    def change(self, made):
        return [replace(one, model=one.model.cut(one.vocab_size - 1)) for one in made]


class Silent(Good):
    def change(self, made):
        return made[1:]


class NoTrained(Good):
    def train(self, data, sizes):
        return list(super().train(data, sizes).tokenizers)


class Gap(Good):
    def change(self, made):
        return [replace(one, model=Sparse(one.model)) for one in made]


class Wrapped:
    """A model to be broken."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)


class Sparse(Wrapped):
    """A model whose ids skip one."""

    def encode_pieces(self, data, offsets):
        ids, ends = self.model.encode_pieces(data, offsets)
        return np.where(ids == self.model.byte_ids[ord("a")], self.model.vocab_size, ids), ends


class Shout(Wrapped):
    """A model that loses what it reads."""

    def encode_pieces(self, data, offsets):
        return self.model.encode_pieces(np.where(data == ord("a"), ord("A"), data), offsets)


class Lossy(Good):
    def change(self, made):
        return [replace(one, model=Shout(one.model)) for one in made]


class Deaf(Wrapped):
    """A model without a token for one byte."""

    @property
    def tokens(self):
        return [b"??" if token == b"\xff" else token for token in self.model.tokens]


class NoByte(Good):
    def change(self, made):
        return [replace(one, model=Deaf(one.model)) for one in made]


class NoFile(Good):
    def change(self, made):
        cut = Pretokenizer.of("(?<=a)b|.")  # looks behind, which no table does
        return [replace(one, pretokenizer=cut) for one in made]


class Unrelated(Good):
    def change(self, made):
        for i, one in enumerate(made):
            n = np.arange(one.vocab_size - 256)
            merges = np.stack([n % 256, (n // 256 + 7 * i) % 256, 256 + n], axis=1)
            yield replace(one, model=BpeModel((), merges))


class Moody(Good):
    runs = 0

    def change(self, made):
        Moody.runs += 1
        cut = Pretokenizer.of(("gpt2", "cl100k")[Moody.runs % 2])
        return [replace(one, pretokenizer=cut) for one in made]


class FirstCome(Good):
    """The order of documents decides."""

    def train(self, data, sizes):
        letters = "".join(data.texts())
        pairs = list(dict.fromkeys(itertools.pairwise(letters)))
        words = [(a + b).encode() for a, b in pairs] + [
            bytes([b, c]) for b in range(0xC0, 0xC8) for c in range(256)
        ]
        tokens = list(dict.fromkeys([bytes([b]) for b in range(256)] + words))
        made = [
            Tokenizer(
                "x", Pretokenizer.of("gpt2"), UnigramModel((), *packed(tokens[:n]), -np.ones(n))
            )
            for n in sizes
            if n <= len(tokens)
        ]
        return Trained(tuple(made), len(tokens))


class Reader(Good):
    def train(self, data, sizes):
        list(data.texts())
        return super().train(data, sizes)


class Pretender(Good):
    card = Card("text", nested=True, shared=True)


class Generous(Good):
    def train(self, data, sizes):
        return super().train(data, [max(size, 256) for size in sizes])


class Forgetful(Good):
    def train(self, data, sizes):
        trained = super().train(data, sizes)
        if max(sizes) < 100_000:
            return trained
        return replace(trained, tokenizers=trained.tokenizers[:1])


class Mute(Good):
    def train(self, data, sizes):
        return replace(super().train(data, sizes), available=None)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (OtherSize, "exact size"),
        (Silent, "exact size"),
        (NoTrained, "exact size"),
        (Gap, "dense ids"),
        (NoByte, "alphabet"),
        (Lossy, "round trip"),
        (NoFile, "export"),
        (Unrelated, "nested"),
        (Moody, "determinism"),
        (FirstCome, "determinism"),
        (Reader, "reads"),
        (Pretender, "reads"),
        (Generous, "too small"),
        (Forgetful, "too large"),
        (Mute, "too large"),
    ],
)
def test_a_broken_rule_is_found(make, rule):
    with pytest.raises(ConformanceError) as caught:
        check_trainer(make)
    assert caught.value.rule == rule
    assert str(caught.value).startswith(f"{rule}: expected ")
    assert "; found " in str(caught.value)


def test_a_card_releases_from_what_it_does_not_claim():
    class Honest(Moody):
        card = Card(nested=True, deterministic=False)

    class LossyAndSaysSo(Lossy):
        card = Card(nested=True, lossless=False)

    check_trainer(Honest)
    with pytest.raises(ConformanceError, match=r"^export"):  # the file still gives other ids
        check_trainer(LossyAndSaysSo)


def test_errors_of_the_trainer_itself_come_through():
    class Failing(Good):
        def train(self, data, sizes):
            raise TrainingError("no text will do.")

    with pytest.raises(TrainingError, match="no text will do"):
        check_trainer(Failing)


def test_a_trainer_without_a_card_is_held_to_the_strictest_claims():
    card = card_of(object())
    assert (card.exact_size, card.deterministic, card.lossless, card.reserved) == (True,) * 3 + (
        "",
    )
    assert not card.nested
