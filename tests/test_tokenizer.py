"""Text to ids and back."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import encode_by_pairs

from toktk.errors import FormatError
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.regex_worker import spans
from toktk.tokenizer import Tokenizer

ALPHABETS = "aAzé ß'sſ\0\n\r\t1٣²!/\u0301\u200d😀👍🏽東か한ति์كЖ\u2028\xa0\ufeff\U0010ffff"


def reference(tokenizer, text):
    model = tokenizer.model
    ranks = {(a, b): (rank, new) for rank, (a, b, new) in enumerate(model.merges.tolist())}
    return [
        i
        for piece in spans(tokenizer.pretokenizer.pattern, text)
        for i in encode_by_pairs([int(model.byte_ids[b]) for b in piece.encode()], ranks)
    ]


@given(st.text() | st.text(ALPHABETS) | st.text("aehnrst .\n"))
def test_encodes_as_the_definition_says_and_back(tokenizer, text):
    ids = tokenizer.encode(text)
    assert {type(i) for i in ids} <= {int}
    assert ids == reference(tokenizer, text)
    assert tokenizer.decode(ids) == text
    array = tokenizer.encode_to_numpy(text)
    assert array.dtype == np.uint32
    assert array.tolist() == ids
    assert tokenizer.decode(array) == text
    assert tokenizer.count(text) == len(ids)


def test_nasty_texts(tokenizer, nasty_texts):
    for text in nasty_texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert ids == reference(tokenizer, text)


@pytest.mark.parametrize("pretokenizer", [*PATTERNS, r"\p{L}+", r"(?<=\s)\S+|\s"])
def test_every_pretokenizer(train, nasty_texts, pretokenizer):
    tokenizer = train(size=400, pretokenizer=pretokenizer)
    for text in nasty_texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        if len(text) < 500:
            assert ids == reference(tokenizer, text)


@pytest.mark.parametrize("unit", ["a", "ab", " ", "\n", "é", "京"])
def test_a_megabyte_of_one_letter_is_quick(train, unit):
    tokenizer = train(unit * 5000, size=262)
    text = unit * (2**20 // len(unit.encode()))
    tokenizer.encode(text[:1000])
    start = time.process_time()
    ids = tokenizer.encode(text)
    assert time.process_time() - start < 5  # of CPU: others may keep the cores busy
    assert tokenizer.decode(ids) == text
    assert len(ids) < 2**20 / 16


def test_special_tokens_in_text_are_text(tokenizer, train):
    ids = tokenizer.encode("a<|endoftext|>b")
    assert not {0, 1} & set(ids)
    assert tokenizer.decode([0, 1]) == "<|endoftext|><|填|>"
    without = train()
    text = "the special tokens only shift ids"
    assert [i + 2 for i in without.encode(text)[:5]] == tokenizer.encode(text)[:5]


def test_a_lone_surrogate_is_an_error(tokenizer):
    with pytest.raises(FormatError, match=r"U\+D800 at character 2"):
        tokenizer.encode("ab\ud800")


def test_ids_outside_the_vocabulary_are_errors(tokenizer):
    for wrong in (-1, tokenizer.vocab_size):
        with pytest.raises(FormatError, match=f"id {wrong} is not"):
            tokenizer.decode([5, wrong])


def test_parts_of_characters_decode_to_replacement(tokenizer):
    ids = tokenizer.model.byte_ids[list("é".encode())]
    assert tokenizer.decode(ids.tolist()) == "é"
    assert tokenizer.decode(ids[:1].tolist()) == "\ufffd"
    assert tokenizer.decode_bytes(ids[:1].tolist()) == b"\xc3"


def test_signature_names_pattern_and_model_not_name(tokenizer, train):
    renamed = Tokenizer("other", tokenizer.pretokenizer, tokenizer.model)
    again = train(special_tokens=["<|endoftext|>", "<|填|>"])
    assert tokenizer.signature == renamed.signature == again.signature
    others = [train(), train(size=699), train(pretokenizer="gpt2")]
    assert len({tokenizer.signature, *(other.signature for other in others)}) == 4


def test_repr(tokenizer):
    assert repr(tokenizer) == "Tokenizer('bpe-700', 700 tokens, o200k)"
