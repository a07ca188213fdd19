"""A tokenizer that only counts gives counts of what was counted, and refuses all else."""

import hashlib

import numpy as np
import pytest
from nasty import NASTY_TEXTS

from toktk.arrays import packed
from toktk.errors import FormatError
from toktk.models.counts import CountsModel
from toktk.models.model import is_storable, model_from_arrays, spells_all
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer


def model_of(texts):
    """Count 7 tokens for the first text, 8 for the second and so on."""
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    return CountsModel(dict(zip(digests, range(7, 7 + len(texts)), strict=True)))


def tokenizer_of(texts):
    return Tokenizer("closed", Pretokenizer.of("none"), model_of(texts), "counts", "why")


def test_counts_what_was_counted_byte_for_byte():
    texts = [text for text in NASTY_TEXTS if text]
    tokenizer = tokenizer_of(texts)
    assert tokenizer.count_batch(texts).tolist() == [*range(7, 7 + len(texts))]
    assert tokenizer.count_batch(NASTY_TEXTS).tolist() == [0, *range(7, 7 + len(texts))]
    assert [tokenizer.count(text) for text in texts] == [*range(7, 7 + len(texts))]
    assert tokenizer.count("") == 0
    assert tokenizer.count_batch([]).tolist() == []


def test_offsets_need_not_begin_at_zero():
    tokenizer = tokenizer_of(["a", "bc"])
    data, offsets = packed([b"xyz", b"bc", b"a"])
    assert tokenizer.count_batch((data, offsets[1:])).tolist() == [8, 7]


@pytest.mark.parametrize("other", ["a\r\nb", "a\nb\n", "a\nb\0", "A\nb", "a\nb\u0301"])
def test_a_text_that_differs_in_one_byte_is_another(other):
    tokenizer = tokenizer_of(["a\nb"])
    assert tokenizer.count("a\nb") == 7
    with pytest.raises(FormatError, match="1 of 1 different documents have no count"):
        tokenizer.count(other)


def test_missing_documents_are_counted_and_one_is_named_whatever_the_order():
    tokenizer = tokenizer_of(["known"])
    missing = ["one\x1b[31m", "two", "three"]
    first = min(missing, key=lambda text: hashlib.sha256(text.encode()).digest())
    messages = set()
    for texts in (["known", *missing], [*reversed(missing), "known"]):
        with pytest.raises(FormatError) as refusal:
            tokenizer.count_batch(texts)
        messages.add(str(refusal.value))
    (message,) = messages
    assert "3 of 4 different documents have no count of tokens" in message
    assert hashlib.sha256(first.encode()).hexdigest() in message
    assert "\x1b" not in message


def test_there_are_no_ids_to_be_had(tmp_path):
    tokenizer = tokenizer_of(["a"])
    for ask in (
        lambda: tokenizer.encode("a"),
        lambda: tokenizer.encode("a" * 5000),
        lambda: tokenizer.encode_batch(["a"]),
        lambda: tokenizer.encode_to_numpy("a"),
        lambda: tokenizer.show("a"),
    ):
        with pytest.raises(FormatError, match="gives no ids"):
            ask()
    with pytest.raises(FormatError, match="closed cannot be saved"):
        tokenizer.save(tmp_path)
    with pytest.raises(FormatError, match="not in the vocabulary"):
        tokenizer.decode([0])
    assert repr(tokenizer) == "Tokenizer('closed', of unknown size, none)"
    assert not spells_all(tokenizer.model)


def test_stored_and_read_back():
    for model in (model_of(["a", "b\0", "c"]), CountsModel({}, 8)):
        assert is_storable(model)
        again = model_from_arrays("counts", model.to_arrays())
        assert again.signature == model.signature
        assert again.is_prefix_of(model)
        assert again.vocab_size == model.vocab_size
        assert all(isinstance(array, np.ndarray) for array in model.to_arrays().values())
    assert not model_of(["a"]).is_prefix_of(model_of(["b"]))
