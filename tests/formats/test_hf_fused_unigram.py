"""Unigram over U+2581 in tokenizer.json: ids equal the library's, near ties and unknown runs among them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from public_samples import MARK, PREPEND, REPLACE, added, document, metaspace, normalizers
from tokenizers import Tokenizer as LibraryTokenizer

from toktk.errors import FormatError
from toktk.formats.fields import NotNative
from toktk.formats.hf_read import read_tokenizer_json
from toktk.formats.hf_unigram import decimal
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.loading.torture import TORTURE
from toktk.models.fused_unigram import FusedUnigramModel
from toktk.models.model import model_from_arrays
from toktk.tokenizer import Tokenizer

PATH = Path("some/tokenizer.json")
LETTERS = "abc" + MARK + "東é<>"
SHAPES = {
    "always": (None, metaspace("always")),
    "never": (None, metaspace("never")),
    "whole": (None, metaspace("always", False)),
    "replace": (normalizers(PREPEND, REPLACE), None),
}
# Scores whose sums are nearly equal, as float32 written in decimals, and some that are exactly so.
SCORES = st.sampled_from(
    ["-1.100000023841858", "-2.200000047683716", "-3.3000001", "-1.1", "-2.2", "-3.3000000000000003",
     "-3.3", "-0.1", "-0.2", "-0.30000000000000004", "-0.3", "0", "-4", "2.5", "-19.9999999999999999"]
)  # fmt: skip
WORDS = st.dictionaries(st.text(LETTERS, min_size=1, max_size=4), SCORES, max_size=30)
TEXTS = st.lists(
    st.sampled_from(
        [*"abc 東é<>ж🙂\n", MARK, "  ", "<unk>", "<s>", "<0x41>", "<0x", "aba", "abcabc"]
    ),
    max_size=30,
).map("".join)


def unigram(words, shape="always", fallback=False, tokens=(), **fields):
    """Return the text of a file; scores are text, for decimals are read digit by digit."""
    normalizer, pretokenizer = SHAPES[shape]
    names = [*tokens, "<unk>", "<s>"]
    names += [f"<0x{b:02X}>" for b in range(256)] if fallback else []
    names += [MARK] if fallback and MARK not in words else []
    entries = [(name, "0.0") for name in names] + [*words.items()]
    vocab = ", ".join(f"[{json.dumps(name)}, {score}]" for name, score in entries)
    model = {"type": "Unigram", "unk_id": len(tokens), "vocab": "VOCAB", "byte_fallback": fallback}
    special = [added(len(tokens), "<unk>", True), added(len(tokens) + 1, "<s>", True)]
    whole = document({**model, **fields}, normalizer, pretokenizer, special)
    return json.dumps(whole).replace('"VOCAB"', f"[{vocab}]")


def native(text):
    return Tokenizer("public", *read_tokenizer_json(text.encode(), PATH))


def library(text):
    theirs = LibraryTokenizer.from_str(text)
    theirs.encode_special_tokens = True
    theirs.no_truncation()
    return theirs


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@given(WORDS, st.lists(TEXTS, max_size=6))
def test_any_vocabulary_any_text(shape, fallback, words, texts):
    text = unigram(words, shape, fallback)
    ours, theirs = native(text), library(text)
    for sample in texts:
        assert ours.encode(sample) == theirs.encode(sample, add_special_tokens=False).ids


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_nasty_texts(shape, fallback):
    words = {
        name: f"{-1 - i / 7}" for i, name in enumerate([MARK, *"abcdefgh", "ab", "the", MARK + "t"])
    }
    text = unigram(words, shape, fallback)
    ours, reference = native(text), HfDocumentsModel(text)
    theirs = library(text)
    for sample in [*NASTY_TEXTS, *TORTURE, "<unk>", "ж<unk>ж a<unk>", "<unk><unk>"]:
        assert ours.encode(sample) == theirs.encode(sample, add_special_tokens=False).ids
    assert ours.model.tokens == reference.tokens
    assert ours.model.special_tokens == reference.special_tokens
    assert ours.model.unknown_id == reference.unknown_id
    again = model_from_arrays(ours.model.kind, ours.model.to_arrays())
    assert again.signature == ours.model.signature


def test_scores_are_those_of_the_library():
    rng = random.Random(5)
    texts = [
        "0",
        "-0.0",
        "1e2",
        "-12345678901234567890123.5",
        "0.00000000000000000001234567890123456789",
    ]
    texts += ["18446744073709551615.5", "18446744073709551616.5", "1e-320", "-7E+3", "1.5e-330"]
    for _ in range(500):
        score = -15 * rng.random()
        texts += [repr(score), f"{score:.22f}", f"{score:.18e}", repr(score * 1e-9)]
    text = unigram({f"t{i}": score for i, score in enumerate(texts)})
    found = json.loads(LibraryTokenizer.from_str(text).to_str())["model"]["vocab"][2:]
    assert [decimal(score) for score in texts] == [score for _, score in found]


REFUSED = {
    "model Unigram with model.unk_id null": unigram({}, unk_id=None),
    "model Unigram with model.unk_id 9": unigram({}, unk_id=9),
    "model Unigram: model.vocab with a token listed twice": unigram({}, tokens=["a", "a"]),
    "model Unigram: unknown text could be a token.": unigram({"a<unk>": "-1"}),
    "model Unigram: these arrays are no vocabulary of scores: scores.": unigram({"a": "-1e9"}),
    "model Unigram with the added token 'x'": unigram({}).replace(
        '"added_tokens": [', '"added_tokens": [' + json.dumps(added(2, "x")) + ", "
    ),
    "normalizer Precompiled": unigram({}).replace(
        '"normalizer": null', '"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}'
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_done_is_named(reason):
    with pytest.raises(NotNative) as why:
        native(REFUSED[reason])
    assert str(why.value).startswith(reason)


def test_arrays_that_do_not_fit_are_refused():
    arrays = native(unigram({"a": "-1"}, fallback=True)).model.to_arrays()
    for name, value in {
        "scores": arrays["scores"][:-1],
        "matched": ~arrays["matched"][:-1],
        "byte_ids": arrays["byte_ids"] + 10_000,
        "offsets": arrays["offsets"][::-1],
        "unknown_id": arrays["unknown_id"] + 10_000,
    }.items():
        with pytest.raises(FormatError, match=name):
            FusedUnigramModel.from_arrays({**arrays, name: value})
