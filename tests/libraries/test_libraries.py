"""Models that a library runs: through arrays and back, and what they refuse."""

import io
import json

import numpy as np
import pytest

from toktk.errors import FormatError
from toktk.libraries.huggingface import HfModel
from toktk.libraries.sentencepiece import SentencePieceModel
from toktk.models.model import is_storable, model_from_arrays
from toktk.models.vocabulary import packed
from toktk.trainers.base import TrainingData
from toktk.trainers.huggingface import HfWordPieceTrainer
from toktk.trainers.sentencepiece import SpBpeTrainer

TEXTS = ["the cat and the hat, the cat that sat", "größe naïve 東京東京", "a\0b 🙂🙂"] * 5
PIECES = ["", " the", "cats", "東京", "🙂\0", "\r\n", "𠀀", "a" * 300]


@pytest.fixture(scope="module")
def models(corpus_of):
    corpus = corpus_of([(text, "text", 1) for text in TEXTS])

    def train(trainer, size):
        (made,) = trainer.train(TrainingData(corpus), [size]).tokenizers
        return made.model

    return {
        HfModel: train(HfWordPieceTrainer("gpt2", special_tokens=["<s>"]), 530),
        SentencePieceModel: train(SpBpeTrainer(special_tokens=["<s>"]), 320),
    }


KINDS = pytest.mark.parametrize("kind", [HfModel, SentencePieceModel])


@KINDS
def test_arrays_bring_a_model_back(models, kind):
    model = models[kind]
    assert type(model) is kind
    assert is_storable(model)
    file = io.BytesIO()
    np.savez(file, **model.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = model_from_arrays(model.kind, arrays)
    assert type(again) is kind
    for name in ("signature", "special_tokens", "tokens", "vocab_size"):
        assert getattr(again, name) == getattr(model, name)
    assert again.is_prefix_of(model)
    data, offsets = packed([piece.encode() for piece in PIECES])
    for mine, theirs in zip(
        again.encode_pieces(data, offsets), model.encode_pieces(data, offsets), strict=True
    ):
        assert mine.dtype == theirs.dtype
        assert mine.tolist() == theirs.tolist()


@KINDS
def test_neither_is_a_prefix_of_the_other(models, kind):
    for other in models:
        assert models[kind].is_prefix_of(models[other]) == (kind is other)
    assert not models[kind].is_prefix_of(object())


@KINDS
@pytest.mark.parametrize("piece", [b"\xff", b"a\xe6\x9d", b"\xed\xa0\x80", b"\xc0\x80"])
def test_pieces_that_are_no_text(models, kind, piece):
    with pytest.raises(FormatError, match=r"encodes text, not bytes.*\n.*no UTF-8"):
        models[kind].encode_pieces(*packed([b"fine", piece]))


def broken(document):
    """Yield documents of Hugging Face's with one thing wrong."""
    yield "", "JSONDecodeError"
    yield "{", "JSONDecodeError"
    yield "[]", "TypeError"
    yield "{}", "KeyError: 'added_tokens'"
    whole = json.loads(document)
    yield json.dumps({**whole, "pre_tokenizer": None}), "TypeError"
    yield json.dumps({**whole, "pre_tokenizer": {"pretokenizers": [{"type": "Digits"}]}}), "Digits"
    token = {**whole["added_tokens"][0], "id": 7}
    yield json.dumps({**whole, "added_tokens": [token]}), r"added tokens \[\(7, True\)\]"
    token = {**whole["added_tokens"][0], "special": False}
    yield json.dumps({**whole, "added_tokens": [token]}), r"added tokens \[\(0, False\)\]"


def test_documents_that_are_refused(models):
    for document, message in broken(models[HfModel].document):
        with pytest.raises(FormatError, match=message) as caught:
            HfModel(document)
        assert "cannot run this tokenizer.json" in str(caught.value)


@pytest.mark.parametrize("proto", [b"", b"\xff\xff", b"no model at all"])
def test_models_that_are_refused(proto):
    with pytest.raises(FormatError, match="SentencePiece model"):
        SentencePieceModel(proto)
