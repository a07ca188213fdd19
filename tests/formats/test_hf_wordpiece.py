"""Greedy vocabularies as WordPiece in tokenizer.json."""

from __future__ import annotations

import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from reading import UNREAD, read_file, write_json
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
    assert write_json(tokenizer, path) == ()
    theirs = tokenizers.Tokenizer.from_file(str(path))
    theirs.encode_special_tokens = True
    assert theirs.get_vocab_size() == tokenizer.vocab_size
    for text in [*texts, "<|填|>a b<unk>"]:
        ids = tokenizer.encode(text)
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids, skip_special_tokens=False) == text
    assert read_file(path).signature == tokenizer.signature


def test_what_would_change_ids_is_refused(path):
    with pytest.raises(FormatError, match="special token '<s>'"):
        write_json(made(greedy({}, ("<s>",))), path)
    model = greedy({}, ())
    ids = {token: i for i, token in enumerate(model.tokens)}
    fallback = GreedyModel((), model.data, model.offsets, [ids[byte] for byte in BYTES])
    with pytest.raises(FormatError, match="byte fallback"):
        write_json(made(fallback), path)


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("continuing_subword_prefix", "##", "model.continuing_subword_prefix"),
        ("max_input_chars_per_word", 100, "model.max_input_chars_per_word"),
        ("vocab", [], "model.vocab"),
        ("vocab", {"a": "0"}, "model.vocab"),
        ("vocab", {"a": 1}, "added token"),
        ("vocab", {"a": 0}, "added token"),
        ("vocab", {"<|填|>": 0, "a b": 1, "a": 3}, "model.vocab"),
        ("vocab", {"<|填|>": 0, "a b": 1, "東": 2}, "model.vocab"),
        ("vocab", {"<|填|>": 0, "a b": 1, "a": 2}, "model.vocab"),
    ],
)
def test_other_shapes_are_refused_by_field(path, key, value, field):
    write_json(made(greedy({})), path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["model"][key] = value
    path.write_text(json.dumps(document))
    with pytest.raises(UNREAD, match=field):
        read_file(path)
