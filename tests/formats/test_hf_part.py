"""A part of a file, with what some texts need, gives them the ids that the whole gives them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from public_samples import GPT2, byte_level, byte_model, document
from test_hf_read import EQUAL, STRINGS, TEXTS, read

from toktk.formats.hf_model import lists_of
from toktk.formats.hf_part import may_hold, part_for
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.models.lookup import Tokens
from toktk.models.vocabulary import packed


def part_of(value, texts):
    """Return the part, as `toktk.loading.load` makes it, and the texts."""
    raw = json.dumps(value).encode()
    data, offsets = packed([text.encode() for text in texts])
    normalized, *_ = read(value).pretokenizer.prepare(data, offsets)
    part = part_for(raw, lists_of(raw), np.append(data, normalized))
    return json.loads(part), data, offsets


@pytest.mark.parametrize("name", [name for name in EQUAL if name != "merges as lines"])
def test_a_part_gives_the_ids_of_the_whole(name):
    whole = HfDocumentsModel(json.dumps(EQUAL[name]))
    for texts in (TEXTS, *np.array_split(np.array(TEXTS, dtype=object), 7)):
        part, data, offsets = part_of(EQUAL[name], list(texts))
        ids, ends = HfDocumentsModel(json.dumps(part)).encode_pieces(data, offsets)
        expected, expected_ends = whole.encode_pieces(data, offsets)
        assert ids.tolist() == expected.tolist()
        assert ends.tolist() == expected_ends.tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["llama3", "llama3 with a special name", "added", "llama2 added", "NFD"]),
    st.lists(STRINGS, min_size=1, max_size=3),
)
def test_a_part_gives_the_ids_of_the_whole_on_any_text(name, texts):
    part, data, offsets = part_of(EQUAL[name], texts)
    ids, _ = HfDocumentsModel(json.dumps(part)).encode_pieces(data, offsets)
    expected, _ = HfDocumentsModel(json.dumps(EQUAL[name])).encode_pieces(data, offsets)
    assert ids.tolist() == expected.tolist()


def test_a_part_lacks_what_no_text_holds():
    """Names and ids stay; merges of what is left out go."""
    part, *_ = part_of(GPT2, ["he"])
    model, whole = part["model"], GPT2["model"]
    assert model["vocab"].items() < whole["vocab"].items()
    assert {"he", "t", "Ġ"} <= model["vocab"].keys()
    assert model["merges"]
    assert {"".join(pair) for pair in model["merges"]} <= model["vocab"].keys()


def test_the_rest_of_a_file_stays_in_whatever_order():
    value = document(byte_model(), pre_tokenizer=byte_level())
    value = {**dict(reversed(value.items())), "model": dict(reversed(value["model"].items()))}
    part, *_ = part_of(value, ["the cat"])
    for key in value.keys() - {"model"}:
        assert part[key] == value[key]
    for key in value["model"].keys() - {"vocab", "merges"}:
        assert part["model"][key] == value["model"][key]


@settings(max_examples=100, deadline=None)
@given(
    st.text(st.sampled_from("ab\0é"), max_size=40).map(str.encode),
    st.lists(st.text(st.sampled_from("ab\0é"), max_size=14).map(str.encode), min_size=1),
)
def test_what_lies_in_a_text_is_found(text, tokens):
    held = may_hold(np.frombuffer(text, np.uint8), Tokens(*packed(tokens)))
    assert all(is_held or token not in text for token, is_held in zip(tokens, held, strict=True))


def test_most_of_what_does_not_is_not():
    chance = np.random.default_rng(0)
    tokens = [chance.bytes(int(n)) for n in chance.integers(4, 20, 2000)]
    held = may_hold(np.frombuffer(chance.bytes(100_000), np.uint8), Tokens(*packed(tokens)))
    assert held.mean() < 0.05
