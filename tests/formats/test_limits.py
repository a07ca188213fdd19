"""Memory and time follow what a file holds, and not a number in it; what is no file is not read."""

from __future__ import annotations

import base64
import json
import os
import socket
import tracemalloc
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from public_samples import added, byte_level, byte_model, document, normalizers, sequence, split
from rank_samples import content
from reading import read_file
from tokenizers import Tokenizer as LibraryTokenizer

from toktk.errors import FormatError, LimitError
from toktk.formats import fields, hf_added
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.fields import MAX_TOKEN, NotNative, parse_json, read_bytes, short
from toktk.formats.files import write_as
from toktk.formats.hf_read import read_tokenizer_json
from toktk.formats.sentencepiece import read_sentencepiece
from toktk.loading.load import open_tokenizer
from toktk.models.pairs import highest_id

RANKS = b"".join(b"%s %d\n" % (base64.b64encode(bytes([b])), b) for b in range(256))
BESIDE = {"pat_str": "(?s:.+)", "special_tokens": {}}
VOCAB = byte_model()["vocab"]


def hf(**model):
    return document(byte_model(**model), pre_tokenizer=byte_level())


def files(folder, name, written, **beside):
    """Write a file, and those beside it."""
    for file, value in {name: written, **beside}.items():
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        (folder / file).write_bytes(raw)
    return folder / name


def ranks(folder, extra=b"", **beside):
    return files(folder, "x.tiktoken", RANKS + extra, **{"x.tiktoken.json": BESIDE | beside})


def unsupported(doc):
    """Have the library run a document."""
    return {**doc, "normalizer": {"type": "Lowercase"}}


HUGE = {
    "tokenizer.json": lambda f, i: files(f, "tokenizer.json", hf(vocab={**VOCAB, "zz": i})),
    "of the library": lambda f, i: files(
        f, "tokenizer.json", unsupported(hf(vocab={**VOCAB, "zz": i}))
    ),
    "rank": lambda f, i: ranks(f, b"eno= %d\n" % min(i, 999_999_999)),
    "special": lambda f, i: ranks(f, special_tokens={"<s>": i}),
    "tekken": lambda f, i: files(f, "tekken.json", content(n_special=i)),
}


@pytest.mark.parametrize("made", HUGE)
@pytest.mark.parametrize("i", [2**22, 2**30, 2**32 - 1, 10**40])
def test_memory_follows_the_tokens_and_not_their_ids(tmp_path, made, i):
    path = HUGE[made](tmp_path, i)
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"cannot read .*(x\.tiktoken|json): .*\n.*\n.*1,048,575"):
        open_tokenizer(str(path), cache=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_vocabularies_have_holes(tmp_path):
    assert read_file(HUGE["tokenizer.json"](tmp_path, 256_000)).vocab_size == 256_001
    assert read_file(ranks(tmp_path, special_tokens={"<s>": 256_000})).vocab_size == 256_001
    assert highest_id(10) == 2**20 - 1
    assert highest_id(10**6) == 8 * 10**6 - 1
    assert highest_id(2**40) < 2**31 - 1


def test_a_token_has_a_length(tmp_path):
    name = "z" * (MAX_TOKEN + 1)
    piece = proto.encode_field(1, proto.encode_message({1: name, 2: -1.0}))
    bytes_ = [
        proto.encode_field(1, proto.encode_message({1: f"<0x{b:02X}>", 2: 0.0, 3: 6}))
        for b in range(256)
    ]
    spec = proto.encode_field(proto.TRAINER, proto.encode_field(proto.BYTE_FALLBACK, True))
    flags = {proto.DUMMY_PREFIX: False, proto.REMOVE_WHITESPACES: False}
    model = b"".join([*bytes_, piece, spec, proto.encode_field(3, proto.encode_message(flags))])
    unigram = {"type": "Unigram", "vocab": [["a", -1.0], [name, -1.0]], "byte_fallback": True}
    paths = [
        files(tmp_path, "vocab.json", hf(vocab={**VOCAB, name: 9999})),
        files(tmp_path, "library.json", unsupported(document(unigram))),
        ranks(tmp_path, base64.b64encode(name.encode()) + b" 256\n"),
        files(tmp_path, "tekken.json", content(words=[name.encode(), b"ab", b"ac"])),
        files(tmp_path, "x.model", model),
    ]
    for path in paths:
        with pytest.raises(LimitError, match="a token of 65,537 characters") as caught:
            open_tokenizer(str(path), cache=False)
        assert len(str(caught.value)) < 500


# -- added tokens ---------------------------------------------------------------------------------


def slowly_hidden(hiding, hidden):
    """Tell whether one of `hidden` lies within one of `hiding`, or begins within it and goes on."""
    ends = [other[at:] for other in hiding for at in range(1, len(other))]
    return any(name.startswith(end) for name, end in product(hidden, ends)) or any(
        name in other for name, other in product(hidden, hiding)
    )


NAMES = st.lists(st.text("ab^]-", min_size=1, max_size=5), max_size=6, unique=True)


@given(NAMES, st.integers(0, 6))
def test_what_hides_a_token_is_found(names, at):
    hiding, hidden = names[:at], names[at:]
    if hiding and hidden:
        name = hf_added.hidden_name(hiding, hidden)
        assert (name is not None) == slowly_hidden(hiding, hidden)
        assert name is None or name in hidden


def test_added_tokens_take_a_search_each(monkeypatch):
    calls = []
    search = hf_added.bisect_left
    monkeypatch.setattr(hf_added, "bisect_left", lambda *args: calls.append(1) or search(*args))
    n = 4000
    vocab = {name: i for i, name in enumerate(VOCAB)}
    names = [f"<|{i}|>" for i in range(n)]
    listed = [added(len(vocab) + i, name, i % 2 == 0) for i, name in enumerate(names)]
    found = document(byte_model(vocab=vocab), pre_tokenizer=byte_level(), added_tokens=listed)
    pretokenizer, model = read_tokenizer_json(json.dumps(found).encode(), Path("x"))
    assert (len(pretokenizer.added), len(model.special_tokens)) == (n // 2, n // 2)
    assert len(calls) <= 2 * n


def test_added_tokens_have_a_length_in_all():
    most = hf_added._MOST
    for names in (["x" * (most + 1)], ["x" * (most // 2), "y" * (most // 2), "z" * 9]):
        listed = [added(i, name) for i, name in enumerate(names)]
        found = json.dumps(document(byte_model(), added_tokens=listed)).encode()
        with pytest.raises(LimitError, match="added_tokens") as caught:
            read_tokenizer_json(found, Path("x"))
        assert len(str(caught.value)) < 500
    vocab = {name: i for i, name in enumerate(VOCAB)}
    listed = [added(len(vocab), "x" * 1001), added(len(vocab) + 1, "€", True)]
    found = json.dumps(document(byte_model(vocab=vocab), None, byte_level(), listed)).encode()
    with pytest.raises(NotNative, match="1,001 characters"):
        read_tokenizer_json(found, Path("x"))


# -- nesting, numbers, keys -----------------------------------------------------------------------

DEEP = {
    "array": b"[" * 100_000 + b"]" * 100_000,
    "object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "open": b'{"a":[' * 100_000,
    "digits": b'{"a": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("kind", DEEP)
def test_json_is_bounded(tmp_path, kind):
    wanted = "digits" if kind == "digits" else "deep, at byte "
    with pytest.raises(FormatError, match=f"not valid JSON.\n.*{wanted}"):
        parse_json(DEEP[kind], tmp_path / "x.json")
    with_one = json.dumps(hf())[:-1].encode() + b', "x": ' + DEEP[kind] + b"}"
    ranks(tmp_path)
    (tmp_path / "x.tiktoken.json").write_bytes(DEEP[kind])
    for path in (files(tmp_path, "t.json", with_one), tmp_path / "x.tiktoken"):
        with pytest.raises(FormatError):
            open_tokenizer(str(path), cache=False)


def test_an_error_looks_at_the_beginning_of_a_value():
    value = ["a"]
    for _ in range(50_000):
        value = [value]
    assert short(value) == "[" * 77 + "..."
    assert short("x" * 10**7) == '"' + "x" * 76 + "..."
    assert short({"a": [1, None]}) == '{"a": [1, null]}'


@pytest.mark.parametrize("field", ["normalizer", "pre_tokenizer", "decoder"])
def test_steps_are_bounded_whoever_runs_them(field):
    nested, wide = {"type": "NFC"}, [split("a")] * 3000
    for _ in range(70):
        nested = sequence(nested)
    bomb = split("((a{1000}){1000}){1000}")
    for steps in (nested, sequence(*wide), normalizers(bomb), sequence(bomb, split("(?R)|."))):
        found = json.dumps({**unsupported(hf()), field: steps}).encode()
        with pytest.raises(LimitError, match=f"cannot read x: {field}"):
            read_tokenizer_json(found, Path("x"))


def test_of_equal_keys_the_last_counts_as_in_the_library(tmp_path):
    last = hf(vocab={**VOCAB, "zz": 5000})
    text = json.dumps(last)
    other = json.dumps({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"})
    changed = [
        text.replace('"model": ', f'"model": {other}, "model": '),
        text.replace('"vocab": {', '"vocab": {"a": 3}, "vocab": {'),
        text.replace('"zz": 5000', '"zz": 4000, "zz": 5000'),
    ]
    for raw in changed:
        assert raw.count('"zz": 5000') == 1
        assert len(raw) > len(text)
        own = read_file(files(tmp_path, "tokenizer.json", raw.encode()))
        theirs = LibraryTokenizer.from_str(raw)
        theirs.no_truncation()
        assert theirs.token_to_id("zz") == 5000
        assert own.model.tokens[5000] == b"zz"
        assert own.encode("the cat zz") == theirs.encode("the cat zz").ids


# -- files ----------------------------------------------------------------------------------------


@pytest.fixture
def odd_files(tmp_path):
    """What is no regular file."""
    os.mkfifo(tmp_path / "pipe.json")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.json"))
        yield [Path("/dev/zero"), tmp_path, tmp_path / "pipe.json", tmp_path / "socket.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_only_regular_files_are_read_and_replaced(tmp_path, odd_files, tokenizer):
    for path in odd_files:
        with pytest.raises(FormatError, match=f"cannot (use|read) {path}"):
            read_bytes(path)
    for path in odd_files[2:]:
        with pytest.raises(FormatError, match="no regular file"):
            write_as(tokenizer.pretokenizer, tokenizer.model, path)
    os.mkfifo(tmp_path / "x.tiktoken.json")
    (tmp_path / "x.tiktoken").write_bytes(RANKS)
    with pytest.raises(FormatError, match=r"x\.tiktoken\.json: it is no regular file"):
        open_tokenizer(str(tmp_path / "x.tiktoken"))


def test_a_file_has_a_size(tmp_path):
    path = tmp_path / "tokenizer.json"
    with path.open("wb") as file:
        file.truncate(fields.MAX_BYTES + 1)
    with pytest.raises(FormatError, match="too large"):
        read_bytes(path)


def test_a_file_that_changes_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(b"{}")
    look = os.fstat
    for more in (b"more", b""):

        def then_write(descriptor, more=more):
            status = look(descriptor)
            path.write_bytes(more)
            return status

        monkeypatch.setattr(fields.os, "fstat", then_write)
        with pytest.raises(FormatError, match="it changes"):
            read_bytes(path)


LONG = "long " * 10_000
OF_UNKNOWN_KINDS = {
    "model": document({**byte_model(), "type": LONG}),
    "normalizer": document(byte_model(), normalizer={"type": LONG}),
    "pretokenizer": document(byte_model(), pre_tokenizer={"type": LONG}),
    "behind ByteLevel": document(
        byte_model(), pre_tokenizer=sequence(byte_level(), {"type": LONG})
    ),
    "behavior": document(byte_model(), pre_tokenizer={**split("a"), "behavior": LONG}),
}


@pytest.mark.parametrize("kind", OF_UNKNOWN_KINDS)
def test_a_reason_is_short_however_long_the_name_in_it_is(kind):
    with pytest.raises(NotNative, match="long long") as caught:
        read_tokenizer_json(json.dumps(OF_UNKNOWN_KINDS[kind]).encode(), Path("x"))
    assert len(str(caught.value)) < 200


def test_so_is_one_about_a_rule_of_sentencepiece():
    rule = proto.encode_message({proto.NAME: LONG, proto.CHARSMAP: "x"})
    raw = proto.encode_field(proto.PIECE, b"") + proto.encode_message({proto.NORMALIZER: rule})
    with pytest.raises(NotNative, match="charsmap: long long") as caught:
        read_sentencepiece(raw, Path("x"))
    assert len(str(caught.value)) < 200
