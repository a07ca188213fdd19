"""Whatever stands in a file, a reader gives a tokenizer or says what is wrong."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from public_samples import (
    LLAMA2,
    SPECIAL,
    added,
    byte_level,
    byte_model,
    document,
    metaspace,
    split,
)
from rank_samples import content
from reading import UNREAD
from unigram_samples import made, of_bytes, of_characters, trained

from toktk.formats import sentencepiece_proto as proto
from toktk.formats.files import read
from toktk.formats.hf_write import write_tokenizer_json
from toktk.formats.tiktoken import rank_file

RANKS = b"".join(b"%s %d\n" % (base64.b64encode(bytes([b])), b) for b in range(256))
BYTES = byte_model()
TOOLS = [added(i + 2000, name, i % 2 == 0) for i, name in enumerate(("<a>", "<b>", "</a>"))]
DOCUMENTS = {
    "bpe": document(BYTES, {"type": "NFC"}, byte_level(), TOOLS),
    "characters": LLAMA2,
    "metaspace": document(LLAMA2["model"], None, metaspace("first"), SPECIAL),
    "split": document(BYTES, None, {"type": "Sequence", "pretokenizers": [split("a|.")]}),
    "tekken": content(special_tokens=[{"rank": 0, "token_str": "<s>", "is_control": True}]),
    "beside": {"name": "x", "pat_str": r"\S+|\s+", "special_tokens": {"<s>": 256}, "explicit_n_vocab": 257},
}  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 255, 2**22, 2**31, 2**32 - 1, 2**63, 10**400, -(10**400)]),
    st.sampled_from([0.5, -1.0, 1e308, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from(["", "a", "\ud800", "\0", "BPE", "Regex", "(" * 300, "a{9999}" * 99, "(?R)", "[", "é"]),
    st.text(max_size=3),
)  # fmt: skip
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value, path=()):
    """Yield the paths to all values; of long lists and objects to the first and the last."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in [*keys[:6], *keys[-2:]]:
            yield (*path, key)
            yield from places(value[key], (*path, key))


PLACES = {name: list(places(found)) for name, found in DOCUMENTS.items()}


def damaged(found, path, value, drop):
    *outer, last = path
    holder = found
    for key in outer:
        holder = holder[key]
    if drop:
        del holder[last]
    else:
        holder[last] = value


def parsed(name, found, folder):
    raw = json.dumps(found).encode()
    if name == "beside":
        path = folder / "x.tiktoken"
        path.with_name("x.tiktoken.json").write_bytes(raw)
        return rank_file(RANKS, path).parts()
    return read(raw, folder / "x.json", "tekken" if name == "tekken" else "tokenizer.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder, with documents that toktk wrote of its own models."""
    folder = tmp_path_factory.mktemp("odd")
    for name, model in (
        ("unigram", of_bytes({"ab": -1.0})),
        ("fallback", of_characters({"ab": -1.0})),
    ):
        tokenizer = made(model, "metaspace")
        write_tokenizer_json(tokenizer.pretokenizer, model, folder / "made.json")
        DOCUMENTS[name] = json.loads((folder / "made.json").read_bytes())
        PLACES[name] = list(places(DOCUMENTS[name]))
    return folder


@pytest.mark.parametrize("name", [*DOCUMENTS, "unigram", "fallback"])
@given(data=st.data())
def test_any_value_anywhere(folder, name, data):
    found = copy.deepcopy(DOCUMENTS[name])
    for path in data.draw(st.lists(st.sampled_from(PLACES[name]), min_size=1, max_size=2)):
        try:
            damaged(found, path, data.draw(ODD), data.draw(st.booleans()))
        except (KeyError, IndexError, TypeError):  # the first damage took the place away
            continue
    message = "none"
    try:
        parsed(name, found, folder)
    except UNREAD as refusal:
        message = str(refusal)
    assert 0 < len(message) < 2000


NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 35, 2**29 - 1])
FIELDS = st.dictionaries(
    NUMBERS,
    st.one_of(
        st.sampled_from([0, 1, 2, 5, 2**31, 2**63, 2**64 - 1]),
        st.floats(width=32),
        st.binary(max_size=5),
        st.sampled_from(["", "a", "<unk>", "<0x41>", "\u2581", " "]),
    ),
    max_size=4,
)


@given(
    st.sampled_from(["unigram", "bpe"]),
    st.lists(st.tuples(NUMBERS, FIELDS), max_size=4),
    st.integers(0, 10_000),
    st.binary(max_size=3),
)
@example("bpe", [(1, {1: "a" * 9, 3: 2**63})], 10_000, b"")
def test_any_message(kind, messages, at, spliced):
    raw = trained(1500, model_type=kind, character_coverage=0.98)
    raw += b"".join(proto.encode_field(n, proto.encode_message(found)) for n, found in messages)
    if spliced:
        at %= len(raw)
        raw = raw[:at] + spliced + raw[at + len(spliced) :]
    message = "none"
    try:
        read(raw, Path("x.model"), "sentencepiece")
    except UNREAD as refusal:
        message = str(refusal)
    assert 0 < len(message) < 2000
