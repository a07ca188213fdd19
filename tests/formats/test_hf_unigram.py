"""Unigram in tokenizer.json: the same ids in Hugging Face tokenizers, whatever the text spells."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reading import UNREAD, read_by_pieces, read_file, write_json
from unigram_samples import (
    LETTERS,
    SPECIAL,
    TEXTS,
    WORD_LIST,
    WORDS,
    lines,
    made,
    of_bytes,
    of_characters,
    on_grid,
    trained,
)

from toktk.errors import FormatError
from toktk.formats.hf_unigram import decimal
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.patterns import PATTERNS

KINDS = [of_characters, of_bytes]


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("unigram") / "tokenizer.json"


def library(tokenizer, path):
    """Write, load; special tokens in text are text, as they are to toktk."""
    notes = write_json(tokenizer, path)
    theirs = tokenizers.Tokenizer.from_file(str(path))
    theirs.encode_special_tokens = True
    return theirs, notes


@given(WORDS, st.lists(TEXTS, max_size=8), st.sampled_from(["metaspace", "none", "o200k"]))
@example({"<unk": -199.0, "0x": -199.0, ">": -199.0}, ["<unk>", "<0x0A>", "<s>жж<unk>"], "none")
@example({"ab": -1.0, "ba": -1.0}, ["a", "aba", "abab", "bab", "ж" * 9], "metaspace")
@pytest.mark.parametrize("kind", KINDS)
def test_any_vocabulary_any_text(path, kind, words, texts, pretokenizer):
    tokenizer = made(kind(words), pretokenizer)
    theirs, notes = library(tokenizer, path)
    assert notes == ()
    assert theirs.get_vocab_size() == tokenizer.vocab_size
    for text in texts:
        ids = tokenizer.encode(text)
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids, skip_special_tokens=False) == text
        assert tokenizer.decode(ids) == text
    again = read_file(path)
    assert again.signature == tokenizer.signature
    assert again.model.tokens == tokenizer.model.tokens


@pytest.mark.parametrize("pretokenizer", PATTERNS)
@pytest.mark.parametrize("kind", KINDS)
def test_nasty_texts(path, nasty_texts, kind, pretokenizer):
    words = WORD_LIST | {"aa": -6.0, "aaa": -9.0, "  ": -8.0, "한국": -3.0, "\r\n": -2.0}
    tokenizer = made(kind(words), pretokenizer)
    theirs, _ = library(tokenizer, path)
    for text in nasty_texts:
        ids = tokenizer.encode(text)
        assert theirs.encode(text).ids == ids
        assert theirs.decode(ids, skip_special_tokens=False) == text
    assert read_file(path).pretokenizer == tokenizer.pretokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_there(path, kind):
    tokenizer = made(kind(WORD_LIST))
    theirs, _ = library(tokenizer, path)
    theirs.encode_special_tokens = False
    ab = tokenizer.encode("ab")
    assert theirs.encode("ab<s>ab").ids == [*ab, 1, *ab]
    assert theirs.decode([1, *ab], skip_special_tokens=False) == "<s>ab"
    assert theirs.decode([1, *ab]) == "ab"


@pytest.mark.parametrize("special_tokens", [(), ("<|a|>", "<unk>"), ("東ж<", "  <")])
@pytest.mark.parametrize("kind", KINDS)
def test_any_special_tokens(path, kind, special_tokens):
    tokenizer = made(kind(WORD_LIST, special_tokens), "none")
    theirs, _ = library(tokenizer, path)
    for text in ("<|a|>", "東ж<", "x  <", "ж", "<0x0A>\n"):
        assert theirs.encode(text).ids == tokenizer.encode(text)
    assert read_file(path).signature == tokenizer.signature


@pytest.mark.parametrize("rounded", [True, False])
def test_many_languages(path, rounded):
    path.with_name("sp.model").write_bytes(trained())
    model = read_by_pieces(path.with_name("sp.model")).model
    assert isinstance(model, UnigramModel)
    tokenizer = made(on_grid(model) if rounded else model)
    theirs, notes = library(tokenizer, path)
    assert bool(notes) is not rounded
    assert len({language for language, _ in lines()}) >= 20
    texts = [text for _, text in lines()]
    texts += ["\n".join(texts[:300])]
    ours = [tokenizer.encode(text) for text in texts]
    assert [found.ids for found in theirs.encode_batch(texts)] == ours
    read = read_file(path)
    assert (read.signature == tokenizer.signature) is rounded
    assert [read.encode(text) for text in texts] == ours


# What it cannot hold


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (of_characters({}, ("<unk>", "é")), "'é' is a single character"),
        (of_characters({"<0x41>": -1.0}), "'<0x41>'"),
        (of_characters({"<s>": -1.0}), "'<s>' is also an ordinary token"),
        (of_bytes({"<s>": -1.0}), "'<s>' is also an ordinary token"),
        (of_characters({"a": 0.5}), "at most 0"),
        (of_characters({"a": -236.0}), "above -236"),
        (of_characters({"a": -1.0}, byte_score=-3.0), "unknown characters"),
        (of_characters({"a": -1.0}, ("<unk>", "жж")), "no character of жж"),
        (of_characters({}, ("<\ud800",)), "surrogate"),
        (of_bytes({"a": -1e9}), "too low"),
    ],
)
def test_what_would_change_ids_is_refused(path, model, reason):
    with pytest.raises(FormatError, match=reason):
        write_json(made(model), path)


def test_a_vocabulary_without_the_characters_of_byte_names(path):
    model = of_characters({"a": -1.0})
    text = model.data.tobytes().replace(b"< ", b"b ")
    model = UnigramModel((), np.frombuffer(text, np.uint8), model.offsets, model.scores,
                         model.fallback - 2)  # fmt: skip
    with pytest.raises(FormatError, match="no character of <0x00> is a token"):
        write_json(made(model), path)


def test_scores_of_many_digits_are_noted(path):
    _, notes = library(made(of_characters({"a": -1 / 3})), path)
    assert "2**-10" in notes[0]
    _, notes = library(made(of_bytes({"a": -1 / 3})), path)
    assert "2**-10" in notes[0]


# Reading


def documents():
    import tempfile
    from pathlib import Path

    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / "tokenizer.json"
            write_json(made(kind(WORD_LIST)), path)
            found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


DOCUMENTS = documents()


@pytest.mark.parametrize(
    ("which", "keys", "value", "field"),
    [
        (0, ("byte_fallback",), False, "model.byte_fallback"),
        (1, ("byte_fallback",), True, "model.byte_fallback"),
        (0, ("vocab",), {}, "model.vocab"),
        (0, ("vocab", 0), ["<pad>", 1.0], "added token '<unk>'"),
        (0, ("vocab", 1), ["<s>", -1.0], r"model.vocab\[1\]"),
        (1, ("vocab", 1), ["<s>", -1.0], r"model.vocab\[1\]"),
        (0, ("vocab", 5), ["<0x03>", -1.0], r"model.vocab\[5\]"),
        (0, ("vocab", 5), ["x", -1.0], "model.vocab"),
        (0, ("vocab", 270), ["a", -1.0], "model.vocab"),
        (0, ("vocab", 260), ["xx", "y"], r"model.vocab\[260\]"),
        (0, ("vocab", 260), ["xx", True], r"model.vocab\[260\]"),
        (0, ("vocab", 260), ["xx", 10**400], r"model.vocab\[260\]"),
        (0, ("vocab", 260), ["xx", float("nan")], r"model.vocab\[260\]"),
        (0, ("vocab", 260), ["\ud800", 1.0], r"model.vocab\[260\]"),
        (0, ("vocab", 260), ["", 1.0], r"model.vocab\[260\]"),
        (0, ("vocab", 260), ["xx"], r"model.vocab\[260\]"),
        (0, ("vocab", 262), ["xx", 9999.0], "model.vocab"),
        (1, ("vocab", 12), ["東", -1.0], r"model.vocab\[12\]"),
        (1, ("vocab", 150), ["qq", -1.0], "model.vocab"),
    ],
)
def test_other_shapes_are_refused_by_field(path, which, keys, value, field):
    changed = copy.deepcopy(DOCUMENTS[which])
    holder = changed["model"]
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = value
    path.write_text(json.dumps(changed))
    with pytest.raises(UNREAD, match=field):
        read_file(path)


def test_bpe_needs_byte_level(path, tokenizer):
    write_json(tokenizer, path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["pre_tokenizer"]["pretokenizers"].pop()
    path.write_text(json.dumps(document))
    with pytest.raises(UNREAD, match="without a token for the byte"):
        read_file(path)


@given(st.integers(0, 1), st.integers(0, 268), st.text(LETTERS, max_size=4) | st.just("<0x41>"),
       st.floats() | st.sampled_from([252.0, 244.0, -1e9, 0.0]))  # fmt: skip
def test_what_is_read_is_what_the_library_reads(path, which, i, name, score):
    changed = copy.deepcopy(DOCUMENTS[which])
    vocab = changed["model"]["vocab"]
    vocab[i % len(vocab)] = [name, score]
    path.write_text(json.dumps(changed))
    try:
        found = read_file(path)
    except UNREAD:
        return
    theirs = tokenizers.Tokenizer.from_file(str(path))
    theirs.encode_special_tokens = True
    for text in ("ab <0x41> ж東é", "<s><unk>A\n", *SPECIAL):
        assert theirs.encode(text).ids == found.encode(text)


def test_save_writes_what_fits(tmp_path):
    (tmp_path / "made.tiktoken").write_text("left from before")
    saved = made(of_characters(WORD_LIST)).save(tmp_path)
    names = ["tokenizer.json", "made.model", "tokenizer_config.json"]
    assert [file.name for file in saved.files] == names
    assert any("U+2581" in note for note in saved.notes)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    saved = made(of_characters(WORD_LIST), "o200k").save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    assert "o200k" in saved.notes[0]
    saved = made(of_bytes(WORD_LIST)).save(tmp_path)
    assert [file.name for file in saved.files] == ["tokenizer.json", "tokenizer_config.json"]
    assert saved.notes == ()
    saved = made(of_characters({}, ("<unk>", "жж"))).save(tmp_path)
    assert [file.name for file in saved.files] == ["made.model"]
    assert [file.name for file in tmp_path.iterdir()] == ["made.model"]
    assert "no character of жж" in saved.notes[-1]
    with pytest.raises(FormatError, match="no character of жж"):
        made(of_characters({}, ("<unk>", "жж")), "o200k").save(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert json.loads(json.dumps(saved.describe()))["tiktoken"] is None


@settings(max_examples=20)
@given(st.lists(st.floats(-200, 0) | st.floats(-20, -1e-4), min_size=1, max_size=200))
def test_long_decimals_are_read_as_the_library_reads_them(scores):
    vocab = [["<unk>", 0.0], *([f"w{i}", score] for i, score in enumerate(scores))]
    model = {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": False}
    written = tokenizers.Tokenizer.from_str(json.dumps({"version": "1.0", "model": model})).to_str()
    read = [score for _, score in json.loads(written)["model"]["vocab"]]
    assert [decimal(repr(score)) for _, score in vocab] == read
    # What is written from them is kept, where the power of ten is one that a float64 holds.
    kept = [score for score in read if score < -1e-5]
    assert [decimal(repr(score)) for score in kept] == kept
