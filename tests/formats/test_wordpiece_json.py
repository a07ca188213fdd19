"""Greedy vocabularies as WordPiece in tokenizer.json."""

from __future__ import annotations

import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from toktk.formats.tokenizer_json import read_tokenizer_json, write_tokenizer_json
from unigram_samples import BYTES, TEXTS, WORDS, made

from toktk.errors import FormatError
from toktk.models.greedy import GreedyModel
from toktk.models.vocabulary import packed


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("wordpiece") / "tokenizer.json"


def greedy(words, special_tokens=("<|填|>", "a b")):
    tokens = dict.fromkeys([*(word.encode() for word in words), *BYTES])
    return GreedyModel(special_tokens, *packed(list(tokens)))


@given(WORDS, st.lists(TEXTS, max_size=8), st.sampled_from(["metaspace", "none", "o200k"]))
def test_any_vocabulary_any_text(path, words, texts, pretokenizer):
    tokenizer = made(greedy(words), pretokenizer)
    assert write_tokenizer_json(tokenizer, path) == ()
    theirs = tokenizers.Tokenizer.from_file(str(path))
    theirs.encode_special_tokens = True
    assert theirs.get_vocab_size() == tokenizer.vocab_size
    for text in [*texts, "<|填|>a b<unk>"]:
        ids = tokenizer.encode(text)
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids, skip_special_tokens=False) == text
    assert read_tokenizer_json(path).signature == tokenizer.signature


def test_what_would_change_ids_is_refused(path):
    with pytest.raises(FormatError, match="special token '<s>'"):
        write_tokenizer_json(made(greedy({}, ("<s>",))), path)
    model = greedy({}, ())
    ids = {token: i for i, token in enumerate(model.tokens)}
    fallback = GreedyModel((), model.data, model.offsets, [ids[byte] for byte in BYTES])
    with pytest.raises(FormatError, match="byte fallback"):
        write_tokenizer_json(made(fallback), path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("continuing_subword_prefix", "##"),
        ("max_input_chars_per_word", 100),
        ("vocab", []),
        ("vocab", {"a": "0"}),
        ("vocab", {"a": 1}),
        ("vocab", {"a": 0}),
        ("vocab", {"<|填|>": 0, "a b": 1, "東": 2}),
        ("vocab", {"<|填|>": 0, "a b": 1, "a": 2}),
    ],
)
def test_other_shapes_are_refused_by_field(path, key, value):
    write_tokenizer_json(made(greedy({})), path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["model"][key] = value
    path.write_text(json.dumps(document))
    with pytest.raises(FormatError, match=f"model.{key}"):
        read_tokenizer_json(path)
