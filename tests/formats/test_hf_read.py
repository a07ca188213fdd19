"""Any tokenizer.json: ids equal the library's, or the reader says what it does not do."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from public_samples import (
    GPT2,
    LLAMA2,
    LLAMA3,
    MARK,
    PREPEND,
    REPLACE,
    SPECIAL,
    added,
    byte_level,
    byte_model,
    character_model,
    document,
    metaspace,
    normalizers,
    sequence,
    split,
)
from tokenizers import Tokenizer as LibraryTokenizer

from toktk.errors import FormatError
from toktk.formats.fields import NotNative
from toktk.formats.hf_read import read_tokenizer_json
from toktk.libraries.huggingface import HfDocumentsModel
from toktk.loading.torture import TORTURE
from toktk.models.bpe import byte_characters
from toktk.models.pairs import UNUSED_BYTES
from toktk.models.vocabulary import packed
from toktk.tokenizer import Tokenizer

PATH = Path("some/tokenizer.json")

SPACES_INSIDE = ["e" + MARK, *[MARK + "the" + MARK + "c"] * 9]
BYTES, CHARACTERS = byte_model(), character_model()
N_BYTES, N_CHARACTERS = len(BYTES["vocab"]), len(CHARACTERS["vocab"])
RAW = {"normalized": False}
TOOLS = [
    added(N_BYTES, "<|im_start|>", True),
    added(N_BYTES + 1, "<tool>", **RAW),
    added(N_BYTES + 2, "</tool>", **RAW),
    added(N_BYTES + 3, "<too", **RAW),
]
ATOMS = [
    *SPECIAL,
    added(CHARACTERS["vocab"]["\n"], "\n"),
    added(CHARACTERS["vocab"][MARK * 2], MARK * 2),
    added(N_CHARACTERS, "<b>"),
]
# Trained on text alone, a vocabulary has no token for bytes that UTF-8 never holds.
USED = {
    **BYTES,
    "vocab": {
        name: i
        for name, i in BYTES["vocab"].items()
        if name not in [byte_characters()[b] for b in UNUSED_BYTES]
    },
}
ORDERED = {**BYTES, "vocab": {name: i for i, name in enumerate(BYTES["vocab"])}}


def altered_model(base, **fields):
    return {**base, "model": {**base["model"], **fields}}


EQUAL = {
    "gpt2": GPT2,
    "prefix": document(BYTES, pre_tokenizer=byte_level(add_prefix_space=True)),
    "whole text": document(BYTES, pre_tokenizer=byte_level(use_regex=False)),
    "llama3": document(
        {**BYTES, "ignore_merges": True},
        pre_tokenizer=sequence(split(LLAMA3), byte_level(use_regex=False)),
    ),
    # Every text cuts the name of the special token, so none becomes it at once.
    "llama3 with a special name": document(
        {**ORDERED, "ignore_merges": True, "vocab": {**ORDERED["vocab"], "<|x|>": N_BYTES}},
        pre_tokenizer=sequence(split(LLAMA3), byte_level(use_regex=False)),
        added_tokens=[added(N_BYTES, "<|x|>", True)],
    ),
    "words": document(
        BYTES, pre_tokenizer=sequence(split(r"\w+|\W+"), byte_level(use_regex=False))
    ),
    "removed": document(
        BYTES, pre_tokenizer=sequence(split(LLAMA3, "Removed", True), byte_level(use_regex=False))
    ),
    "several splits": document(
        BYTES,
        normalizers(),
        sequence(
            split(r"\p{N}{1,3}"), split("[一-龥]+"), split(LLAMA3), byte_level(use_regex=False)
        ),
    ),
    "possessive": document(
        BYTES, pre_tokenizer=sequence(split(r" ?\p{L}++|[^\p{L}]"), byte_level(use_regex=False))
    ),
    "intersections": document(
        BYTES,
        pre_tokenizer=sequence(
            split(r"[\p{L}\p{M}&&[^\p{Han}c]]+|[\p{Han}]+|[\s\S&&[\p{N}A-Z]]{1,3}|[^\p{L}]|c"),
            byte_level(use_regex=False),
        ),
    ),
    "digits": document(
        BYTES,
        {"type": "NFC"},
        sequence({"type": "Digits", "individual_digits": True}, byte_level()),
    ),
    "digits in runs": document(
        BYTES, pre_tokenizer=sequence({"type": "Digits", "individual_digits": False}, byte_level())
    ),
    "NFD": document(BYTES, {"type": "NFD"}, byte_level()),
    "added": document(ORDERED, {"type": "NFC"}, byte_level(), TOOLS),
    "added normalized": document(
        ORDERED, None, byte_level(), [{**token, "normalized": True} for token in TOOLS]
    ),
    # The first is sought in raw text, so it takes what begins the second.
    "added raw and normalized": document(
        ORDERED,
        None,
        byte_level(),
        [
            added(N_BYTES, "</table>|", **RAW),
            added(N_BYTES + 1, "|DSML|", normalized=True),
            added(N_BYTES + 2, "</table", normalized=True),
            added(N_BYTES + 3, "<|", normalized=True),
        ],
    ),
    "llama2": LLAMA2,
    "gemma": document(CHARACTERS, REPLACE, None, SPECIAL),
    "gemma2": document(
        CHARACTERS,
        REPLACE,
        {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        ATOMS,
    ),
    "llama2 added": document(CHARACTERS, normalizers(PREPEND, REPLACE), None, ATOMS),
    "spaces inside": document(character_model(SPACES_INSIDE), REPLACE, None, SPECIAL),
    "characters, digits": document(
        CHARACTERS, REPLACE, {"type": "Digits", "individual_digits": True}, SPECIAL
    ),
    **{
        f"metaspace {scheme} {cut}": document(CHARACTERS, None, metaspace(scheme, cut), SPECIAL)
        for scheme in ("always", "first", "never")
        for cut in (True, False)
    },
    "metaspace added": document(CHARACTERS, None, metaspace("always"), ATOMS),
    "no spaces": document(CHARACTERS, None, None, SPECIAL),
    "used bytes": document(USED, {"type": "NFC"}, byte_level()),
    "used bytes, characters": altered_model(
        LLAMA2,
        vocab={
            name: i
            for name, i in CHARACTERS["vocab"].items()
            if name not in [f"<0x{b:02X}>" for b in UNUSED_BYTES]
        },
    ),
    "merges as lines": altered_model(
        GPT2, merges=["#version: 0.2", *map(" ".join, BYTES["merges"])]
    ),
}

TABLES = [
    "</table>|DSML|",
    "</table>|DSML|>|DSML| </table|DSML|",
    "<|DSML|",
    "<|DSML|></table>||DSML|",
]
TEXTS = [
    *NASTY_TEXTS,
    *TORTURE,
    *TABLES,
    "<tool>a<|im_start|></tool> <too <tool",
    "x<b>\n\n<b> <b>y",
    "<|x|>",
    "a<|x|>b <|x|>\n<|x|>  <|x|",
]
STRINGS = st.text(st.sampled_from("the cat  \n\r\t1²３é\u0301éж京▁'s<tool>b🙂\0A.,"), max_size=40)


def read(value):
    return Tokenizer("public", *read_tokenizer_json(json.dumps(value).encode(), PATH))


def both_encode(native, reference, texts):
    data, offsets = packed([text.encode() for text in texts])
    pieces = native.pretokenizer.cut_batch(data, offsets)
    found, ends = native.model.encode_pieces(pieces.data, pieces.offsets)
    ours = np.append(0, ends)[pieces.documents]
    wanted, ends = reference.encode_pieces(data, offsets)
    theirs = np.append(0, ends)
    for d, text in enumerate(texts):
        mine = found[ours[d] : ours[d + 1]].tolist()
        assert mine == wanted[theirs[d] : theirs[d + 1]].tolist(), text


@pytest.fixture(scope="module")
def engines():
    kept = {}

    def of(name):
        if name not in kept:
            kept[name] = read(EQUAL[name]), HfDocumentsModel(json.dumps(EQUAL[name]))
        return kept[name]

    return of


@pytest.mark.parametrize("name", EQUAL)
def test_ids_equal_the_librarys_on_nasty_texts(engines, name):
    native, reference = engines(name)
    both_encode(native, reference, TEXTS)
    assert native.vocab_size == reference.vocab_size
    assert native.model.tokens == reference.tokens
    assert native.model.special_tokens == reference.special_tokens


@pytest.mark.parametrize(
    "name", ["prefix", "several splits", "added", "llama2", "llama2 added", "metaspace always True"]
)
@given(texts=st.lists(STRINGS, max_size=6))
def test_ids_equal_the_librarys_on_any_text(engines, name, texts):
    both_encode(*engines(name), texts)


@pytest.mark.parametrize(
    ("name", "pattern"), [("llama2", "spaces"), ("spaces inside", "none"), ("gpt2", "gpt2")]
)
def test_character_models_are_cut_where_nothing_merges(engines, name, pattern):
    assert engines(name)[0].pretokenizer.name == pattern


def altered(base, **fields):
    return {**EQUAL[base], **fields}


def with_model(base, **fields):
    return altered_model(EQUAL[base], **fields)


OTHERS = {
    "normalizer Lowercase": altered("gpt2", normalizer={"type": "Lowercase"}),
    "normalizer Prepend without Replace": altered("llama2", normalizer=PREPEND),
    "normalizer NFC": altered("llama2", normalizer=normalizers(REPLACE, {"type": "NFC"})),
    "pretokenizer WhitespaceSplit": altered("gpt2", pre_tokenizer={"type": "WhitespaceSplit"}),
    "pretokenizer Split Removed": altered("gpt2", pre_tokenizer=split("a", "Removed")),
    "pretokenizer Split that drops text": altered(
        "gpt2", pre_tokenizer=split("a+", "Removed", True)
    ),
    "pretokenizer ByteLevel with add_prefix_space after others": altered(
        "gpt2", pre_tokenizer=sequence(split(LLAMA3), byte_level(True, False))
    ),
    "pretokenizer Digits after ByteLevel": altered(
        "gpt2", pre_tokenizer=sequence(byte_level(), {"type": "Digits", "individual_digits": True})
    ),
    "pretokenizer Split: cannot export": altered(
        "gpt2", pre_tokenizer=split(r"(?i:[k&&[^K]])|[\s\S]")
    ),
    "pretokenizer Split: ": altered("gpt2", pre_tokenizer=split(r"(?<=a)b|[^b]")),
    "normalizer.type null": altered("gpt2", normalizer={"type": None}),
    "model.vocab with an id given twice": with_model("gpt2", vocab={**BYTES["vocab"], "zz": 5}),
    "model WordPiece": with_model("gpt2", type="WordPiece"),
    "model.dropout 0.1": with_model("gpt2", dropout=0.1),
    'model.end_of_word_suffix "</w>"': with_model("gpt2", end_of_word_suffix="</w>"),
    "model.ignore_merges: text can be the special token 'the'": altered(
        "llama3 with a special name",
        model={**ORDERED, "ignore_merges": True, "vocab": {**ORDERED["vocab"], "the": N_BYTES}},
        added_tokens=[added(N_BYTES, "the", True)],
    ),
    "model.ignore_merges: text can be the special token 'aqx'": altered(
        "llama3",  # alone it is cut behind the a, but not where a y follows
        model={**ORDERED, "ignore_merges": True, "vocab": {**ORDERED["vocab"], "aqx": N_BYTES}},
        added_tokens=[added(N_BYTES, "aqx", True)],
        pre_tokenizer=sequence(split(r"aqx(?=y)|[\s\S]"), byte_level(use_regex=False)),
    ),
    "model.ignore_merges: text can be the special token 'qz'": altered(
        "llama3",  # alone it is cut before the z, but before an x it is what the pattern leaves over
        model={**ORDERED, "ignore_merges": True, "vocab": {**ORDERED["vocab"], "qz": N_BYTES}},
        added_tokens=[added(N_BYTES, "qz", True)],
        pre_tokenizer=sequence(split(r"z(?!\S)|x|y"), byte_level(use_regex=False)),
    ),
    "model.ignore_merges over characters": with_model("llama2", ignore_merges=True),
    "model BPE over characters": with_model("llama2", byte_fallback=False),
    "model BPE without a token for the byte 0xF4": with_model(
        "llama2", vocab={k: v for k, v in CHARACTERS["vocab"].items() if k != "<0xF4>"}
    ),
    "added token '<tool>' with lstrip": altered(
        "added", added_tokens=[added(N_BYTES, "<tool>", lstrip=True)]
    ),
    "added token '<tool>', sought in normalized text": altered(
        "added", added_tokens=[added(N_BYTES, "<tool>", normalized=True)]
    ),
    "added token 'ool', which another can hide": altered(
        "added", added_tokens=[added(N_BYTES, "<tool>", True), added(N_BYTES + 1, "ool")]
    ),
    "added token '|DSML|', which another can hide": altered(
        "added raw and normalized",
        added_tokens=[
            added(N_BYTES, "</table>|", normalized=True),
            added(N_BYTES + 1, "|DSML|", **RAW),
        ],
    ),
    "added token '<tool>': the file says id 9999": altered(
        "added", added_tokens=[added(9999, "<tool>")]
    ),
    "added token '<b>' behind Metaspace first": altered(
        "metaspace first True", added_tokens=[added(N_CHARACTERS, "<b>")]
    ),
}


@pytest.mark.parametrize("reason", OTHERS)
def test_what_is_not_done_is_named(reason):
    with pytest.raises(NotNative) as why:
        read(OTHERS[reason])
    assert str(why.value).startswith(reason)
    assert "\n" not in str(why.value)


BROKEN = {
    "normalizer": altered("gpt2", normalizer="NFC"),
    "normalizer.type": altered("gpt2", normalizer={}),
    "normalizer.normalizers": altered("gpt2", normalizer={"type": "Sequence"}),
    "pre_tokenizer.pretokenizers[0]": altered("gpt2", pre_tokenizer=sequence(3)),
    "ByteLevel.use_regex": altered("gpt2", pre_tokenizer=byte_level(use_regex=1)),
    "Split.pattern": altered("gpt2", pre_tokenizer={"type": "Split", "pattern": "a"}),
    "Metaspace.prepend_scheme": altered("llama2", pre_tokenizer=metaspace("often")),
    "model.type": with_model("gpt2", type=3),
    "model.vocab": with_model("gpt2", vocab=[]),
    'model.vocab["a"]': with_model("gpt2", vocab={"a": -1}),
    'model.vocab["b"]': with_model("gpt2", vocab={"b": 2**40}),
    'model.vocab["c"]': with_model("gpt2", vocab={"c": True}),
    "model.merges": with_model("gpt2", merges=None),
    "model.merges[0]": with_model("gpt2", merges=["a"]),
    "model.merges[1]": with_model("gpt2", merges=[BYTES["merges"][0], ["q", "zz"]]),
    "model.byte_fallback": with_model("gpt2", byte_fallback="yes"),
    "added_tokens": altered("gpt2", added_tokens={}),
    "added_tokens[0].content": altered("gpt2", added_tokens=[{"id": 1}]),
    "added_tokens[0].id": altered("gpt2", added_tokens=[{"id": "1", "content": "a"}]),
    "added_tokens[0].special": altered(
        "gpt2", added_tokens=[{"id": 1, "content": "a", "special": 1}]
    ),
}


@pytest.mark.parametrize("field", BROKEN)
def test_a_malformed_field_is_named(field):
    with pytest.raises(FormatError, match=str(PATH)) as error:
        read(BROKEN[field])
    assert field in str(error.value)


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"{}", b'{"model": 3}', b'{"a": 1' + b"0" * 5000],
)
def test_what_is_no_tokenizer_is_an_error(raw):
    with pytest.raises(FormatError, match="some/tokenizer"):
        read_tokenizer_json(raw, PATH)


def nested(depth):
    steps = (
        '{"type": "Sequence", "pretokenizers": [' * depth + json.dumps(byte_level()) + "]}" * depth
    )
    return json.dumps(altered("gpt2", pre_tokenizer="nested")).replace('"nested"', steps)


def test_nesting_is_read_as_deep_as_the_library_reads_it():
    assert read_tokenizer_json(nested(60).encode(), PATH)[0].name == "gpt2"
    assert LibraryTokenizer.from_str(nested(60)).get_vocab_size() > 256
    for depth in (70, 400, 50_000):
        with pytest.raises(FormatError, match="deep"):
            read_tokenizer_json(nested(depth).encode(), PATH)
        with pytest.raises(Exception, match="recursion limit"):
            LibraryTokenizer.from_str(nested(depth))
