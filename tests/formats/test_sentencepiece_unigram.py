"""SentencePiece models: the same ids in the library, and errors that name the field."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given
from hypothesis import strategies as st
from reading import UNREAD, read_by_pieces, read_file, write_model
from tokenizer_samples import TEXT
from unigram_samples import (
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
from toktk.formats.sentencepiece_proto import decode_message, encode_field
from toktk.loading.load import open_tokenizer
from toktk.models.unigram import UnigramModel


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("sentencepiece") / "made.model"


def library(tokenizer, path):
    notes = write_model(tokenizer, path)
    return sentencepiece.SentencePieceProcessor(model_file=str(path)), notes


@given(WORDS, st.lists(TEXTS, max_size=8), st.sampled_from(["metaspace", "none"]))
@example({"a": -1.0, " a": -1.0, "  ": -1.0}, ["  a   a ", "a  "], "none")
def test_any_vocabulary_any_text(path, words, texts, pretokenizer):
    if pretokenizer == "metaspace":
        words = {word: score for word, score in words.items() if " " not in word[1:]}
    tokenizer = made(of_characters(words), pretokenizer)
    theirs, notes = library(tokenizer, path)
    assert len(notes) == 2
    assert theirs.GetPieceSize() == tokenizer.vocab_size
    assert (theirs.unk_id(), theirs.bos_id(), theirs.eos_id()) == (0, 1, -1)
    for text in texts:
        ids = tokenizer.encode(text)
        assert theirs.Encode(text) == ids
        assert theirs.Decode(ids) == text
    again = read_by_pieces(path)
    assert again.signature == tokenizer.signature
    assert again.name == "made"


def test_nasty_texts(path, nasty_texts):
    tokenizer = made(of_characters(WORD_LIST | {"aa": -6.0, "aaa": -9.0, "\r\n": -2.0}))
    theirs, _ = library(tokenizer, path)
    for text in nasty_texts:
        assert theirs.Encode(text) == tokenizer.encode(text)


def test_the_one_character_that_differs(path):
    tokenizer = made(of_characters(WORD_LIST))
    theirs, notes = library(tokenizer, path)
    assert "U+2581" in notes[0]
    assert theirs.Encode("a\u2581a") == tokenizer.encode("a a")
    assert tokenizer.decode(tokenizer.encode("a\u2581a")) == "a\u2581a"


@pytest.mark.parametrize("rounded", [True, False])
def test_many_languages(path, rounded):
    path.write_bytes(trained())
    tokenizer = read_by_pieces(path)
    assert tokenizer.pretokenizer.name == "metaspace"
    if rounded:
        tokenizer = made(on_grid(tokenizer.model))
    theirs, notes = library(tokenizer, path)
    assert ("can differ only in a line of" in notes[1]) is rounded
    texts = [text for _, text in lines()]
    ours = [tokenizer.encode(text) for text in texts]
    assert theirs.Encode(texts) == ours
    assert read_by_pieces(path).signature == tokenizer.signature


def test_long_lines(path):
    """Equal paths everywhere: exact sums down to -16,384, and what is found beyond."""
    words = {"a": -3.0, "b": -3.0, "ab": -6.0, "ba": -6.0, "aa": -6.0 + 1 / 1024, "aab": -9.0}
    tokenizer = made(of_characters(words))
    theirs, _ = library(tokenizer, path)
    rng = np.random.default_rng(0)
    line = "".join(rng.choice(["a", "b", " a"], size=3500))
    assert theirs.Encode(line) == tokenizer.encode(line)
    line *= 30
    beyond = theirs.Encode(line)
    assert theirs.Decode(beyond) == line


# As the library runs any such model


TRAINED = {
    "prefix": {},
    "as it is": {"add_dummy_prefix": False},
    "across spaces": {"split_by_whitespace": False},
    "special": {
        "control_symbols": ["<a>", "<b>"],
        "pad_id": 3,
        "unk_id": 2,
        "bos_id": 0,
        "eos_id": 1,
    },
}


@pytest.fixture(scope="module", params=TRAINED)
def public(request, tmp_path_factory):
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines() * 3), model_writer=file, vocab_size=600,
        model_type="unigram", byte_fallback=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, hard_vocab_limit=False, minloglevel=2,
        **TRAINED[request.param],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("public") / "made.model"
    path.write_bytes(file.getvalue())
    theirs = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
    return request.param, theirs, read_file(path)


def encoded(tokenizer, texts):
    ids, offsets = tokenizer.encode_batch(texts)
    return [ids[a:b].tolist() for a, b in itertools.pairwise(offsets.tolist())]


def test_published_models(public, nasty_texts):
    kind, theirs, ours = public
    texts = [*nasty_texts, *TEXT.splitlines(), TEXT, " ", "  x", "\u2581", "a\u2581b \u2581 c"]
    texts += ["<s></s><unk><a><b>", "<0x41>", "a  b ", "\u2581\u2581"]
    assert encoded(ours, texts) == theirs.Encode(texts)
    assert ours.pretokenizer.normalizer.prefix == ("never" if kind == "as it is" else "always")
    assert ours.vocab_size == theirs.GetPieceSize()
    again = UnigramModel.from_arrays(ours.model.to_arrays())
    assert again.single
    assert again.signature == ours.model.signature


@given(st.lists(st.text(st.sampled_from("the fox lazy  <a>x語.ab*c0é\u2581\n"), max_size=40)))
def test_published_models_and_any_text(public, texts):
    _, theirs, ours = public
    assert encoded(ours, texts) == theirs.Encode(texts)


def test_published_models_load(public, tmp_path):
    path = tmp_path / "made.model"
    path.write_bytes(public[1].serialized_model_proto())
    loaded = open_tokenizer(str(path), cache=False)
    assert loaded.checked(TEXT.splitlines(), cache=False).engine == "native"
    path.write_bytes(path.read_bytes() + _piece("<u>", 0.0, 4))
    loaded = open_tokenizer(str(path), cache=False)
    assert loaded.native is None
    assert "USER_DEFINED" in loaded.why


def _piece(name, score, kind):
    parts = (encode_field(1, name), encode_field(2, score), encode_field(3, kind))
    return encode_field(1, b"".join(parts))


def test_sums_are_float32_as_there(path):
    words = {
        "a": -3.1,
        "b": -3.3,
        "ab": -6.4,
        "ba": -6.4001,
        "aa": -6.2001,
        "aab": -9.5,
        " a": -7.1,
    }
    words = {word: float(np.float32(score)) for word, score in words.items()}
    tokenizer = made(of_characters(words | {"<": -9.0, " ": -4.0}), "none")
    theirs, _ = library(tokenizer, path)
    rng = np.random.default_rng(0)
    line = "".join(rng.choice(["a", "b", " a"], size=2500))
    assert encoded(read_file(path), [line]) == [theirs.Encode(line)]
    assert tokenizer.encode(line) != theirs.Encode(line)


# What it cannot hold


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (made(of_characters({}), "o200k"), "split pattern o200k"),
        (made(of_bytes({})), "bytes that are tokens"),
        (made(of_characters({}, ("<pad>",))), "no special token <unk>"),
        (made(of_characters({}, byte_score=-1.0)), "bytes that are tokens"),
        (made(of_characters({"a\u2581": -1.0})), r"U\+2581"),
        (made(of_characters({"a\0": -1.0})), r"U\+0000"),
        (made(of_characters({"a b": -1.0})), "no piece of metaspace"),
        (made(of_characters({"a": -1 / 3})), "24 bits"),
        (made(of_characters({"a": -1e300})), "24 bits"),
        (made(of_characters({"<0x41>": -1.0})), "<0x41>"),
        (made(of_characters({"<s>": -1.0})), "<s>"),
        (made(of_characters({}, ("<unk>", "\u2581"))), "also an ordinary token"),
        (made(of_characters({}, ("<unk>", "\ud800"))), "surrogate"),
    ],
)
def test_what_would_change_ids_is_refused(path, tokenizer, reason):
    with pytest.raises(FormatError, match=reason):
        write_model(tokenizer, path)


def test_a_space_must_be_a_token(path):
    model = of_characters({"ab": -1.0})
    text = model.data.tobytes()[:-4] + b"<" + b"_" + b"ab"
    model = UnigramModel(model.special_tokens, np.frombuffer(text, np.uint8), model.offsets,
                         model.scores, model.fallback)  # fmt: skip
    with pytest.raises(FormatError, match="no token for a space"):
        write_model(made(model), path)


def test_bpe_is_refused(path, tokenizer):
    with pytest.raises(FormatError, match="a bpe model"):
        write_model(tokenizer, path)


# Reading


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"model_type": "word"}, "trainer_spec.model_type word"),
        ({"byte_fallback": False}, "trainer_spec.byte_fallback"),
        ({"normalization_rule_name": "nmt_nfkc"}, "precompiled_charsmap: nmt_nfkc"),
        ({"remove_extra_whitespaces": True}, "normalizer_spec.remove_extra_whitespaces"),
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix"),
        ({"user_defined_symbols": "xyz"}, "USER_DEFINED"),
    ],
)
def test_other_settings_are_refused_by_field(path, options, field):
    path.write_bytes(trained(**options))
    with pytest.raises(UNREAD, match=field):
        read_file(path, "sentencepiece")


def test_a_model_that_does_not_split_at_spaces(path):
    path.write_bytes(trained(split_by_whitespace=False))
    tokenizer = read_by_pieces(path)
    assert tokenizer.pretokenizer.name == "none"
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for _, text in lines()[::5]:
        assert theirs.Encode(text) == tokenizer.encode(text)


@pytest.fixture(scope="session")
def proto(path):
    write_model(made(of_characters(WORD_LIST)), path)
    return path.read_bytes()


def piece(name, score=-1.0, kind=None):
    parts = encode_field(1, name) + encode_field(2, score)
    return encode_field(1, parts if kind is None else parts + encode_field(3, kind))


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        (piece("zz", 0.0, 3), "CONTROL"),
        (piece("zz", 0.0, 5), "UNUSED"),
        (piece("zz", 0.0, 9), "9"),
        (piece("zz", 0.0, 6), "<0x00> to <0xFF>"),
        (piece("ab"), "once more"),
        (piece("", -1.0), r"pieces\[\d+\]"),
        (piece(b"\xff", -1.0), r"pieces\[\d+\]"),
        (piece("xx", float("nan")), "finite"),
        (piece("x\0"), r"U\+0000"),
        (encode_field(1, encode_field(1, "x") + encode_field(2, 3)), "score"),
        (encode_field(1, 5), r"pieces\[\d+\]"),
        (encode_field(2, encode_field(3, 4)), "model_type char"),
        (
            encode_field(3, encode_field(5, False) + encode_field(3, 0) + encode_field(4, 0)),
            "escape",
        ),
        (encode_field(5, encode_field(2, b"abc")), "denormalizer_spec.precompiled_charsmap"),
        (encode_field(3, 7), "normalizer_spec"),
        (b"\xff", "the file"),
        (b"\x0b", "wire type 3"),
        (b"\x0a\x7f", "beyond the end"),
    ],
)
def test_other_shapes_are_refused(path, proto, extra, field):
    path.write_bytes(proto + extra)
    with pytest.raises(UNREAD, match=field):
        read_file(path, "sentencepiece")


@given(st.data())
def test_no_damage_ends_in_a_traceback(path, proto, data):
    at = data.draw(st.integers(0, len(proto) - 1))
    raw = data.draw(st.binary(max_size=4))
    cut = data.draw(st.integers(0, 4))
    path.write_bytes(proto[:at] + raw + proto[at + cut :])
    try:
        found = read_file(path, "sentencepiece")
    except UNREAD:
        return
    assert found.decode(found.encode("ab ж")) == "ab ж"


def test_missing_files_are_format_errors(tmp_path):
    (tmp_path / "folder.model").mkdir()
    with pytest.raises(FormatError, match="no tokenizer in"):
        read_file(tmp_path / "folder.model")
    with pytest.raises(FormatError, match="cannot read"):
        read_file(tmp_path / "nowhere.model")
    (tmp_path / "empty.model").write_bytes(b"")
    with pytest.raises(UNREAD):
        read_file(tmp_path / "empty.model", "sentencepiece")


# The wire format


@given(st.integers(1, 2**29 - 1), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=300))
def test_wire_round_trip(number, integer, raw):
    message = encode_field(number, integer) + encode_field(number, raw) + encode_field(number, -2.5)
    assert decode_message(message) == {number: [integer % 2**64, raw, b"\x00\x00\x20\xc0"]}
