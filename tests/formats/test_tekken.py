"""tekken.json: the ids of mistral-common, which are tiktoken's behind the special tokens."""

from __future__ import annotations

import json

import pytest
import tiktoken
from pair_samples import encode_documents
from rank_samples import WORDS, content
from reading import UNREAD, read_file

from toktk.errors import FormatError
from toktk.formats.tiktoken import rank_file
from toktk.pretokenizers.patterns import PATTERNS


def write(path, found):
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_same_ids_as_tiktoken_and_the_shift(tmp_path, nasty_texts):
    read = read_file(write(tmp_path / "tekken.json", content()))
    ranks = {bytes([b]): b for b in range(256)} | {w: 256 + i for i, w in enumerate(WORDS[:-2])}
    theirs = tiktoken.Encoding(
        "x", pat_str=PATTERNS["o200k"], mergeable_ranks=ranks, special_tokens={}
    )
    texts = [*nasty_texts, "the abc 東 unreached <s> [INST]"]
    expected = [[i + 30 for i in theirs.encode_ordinary(text)] for text in texts]
    assert encode_documents(read, texts) == expected
    assert (read.name, read.vocab_size, read.pretokenizer.name) == ("tekken", 293, "o200k")
    assert read.model.tokens[:4] == [b"<unk>", b"<s>", b"</s>", b"[INST]"]
    assert read.model.tokens[19:21] == [b"[TOOL_CONTENT]", b"<SPECIAL_20>"]
    assert read.model.tokens[30] == b"\0"


def test_special_tokens_that_are_listed(tmp_path):
    listed = [{"rank": 1, "token_str": "<b>", "is_control": True}, {"rank": 0, "token_str": "<a>"}]
    path = write(tmp_path / "x.json", content(n_special=3, special_tokens=listed))
    found = rank_file(path.read_bytes(), path, is_tekken=True)
    assert found.special_tokens == {"<a>": 0, "<b>": 1, "<SPECIAL_2>": 2}
    assert found.ranks[b"ab"] == 3 + 256


def changed(*path_and_value):
    def change(found):
        *path, last, value = path_and_value
        for key in path:
            found = found[key]
        found[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("config", None), "config"),
        (changed("vocab", {}), "vocab"),
        (changed("config", "pattern", 7), "config.pattern"),
        (changed("config", "pattern", "a"), "does not match everywhere"),
        (changed("config", "default_vocab_size", 10**9), "default_vocab_size"),
        (changed("config", "default_vocab_size", 100), "default_vocab_size"),
        (changed("config", "default_vocab_size", 400), "default_vocab_size"),
        (changed("config", "default_vocab_size", "293"), "default_vocab_size"),
        (changed("config", "default_num_special_tokens", -1), "default_num_special_tokens"),
        (changed("config", "default_num_special_tokens", 5), r"default_vocab_size|special_tokens"),
        (changed("vocab", 3, "x"), r"vocab\[3\]"),
        (changed("vocab", 3, "rank", 4), r"vocab\[3\].rank"),
        (changed("vocab", 1, "rank", True), r"vocab\[1\].rank"),
        (changed("vocab", 3, "token_bytes", "A"), r"vocab\[3\].token_bytes"),
        (changed("vocab", 3, "token_bytes", "é"), r"vocab\[3\].token_bytes"),
        (changed("vocab", 3, "token_bytes", ""), r"vocab\[3\].token_bytes"),
        (changed("vocab", 3, "token_bytes", None), r"vocab\[3\].token_bytes"),
        (changed("vocab", 3, "token_bytes", "BA=="), r"vocab\[4\].token_bytes"),
        (changed("vocab", 3, "token_bytes", "AAAA"), "no rank for the byte 0x03"),
        (changed("special_tokens", {}), "special_tokens"),
        (changed("special_tokens", [{"rank": 99, "token_str": "x"}]), r"special_tokens\[0\]"),
        (changed("special_tokens", [{"rank": 0, "token_str": ""}]), r"special_tokens\[0\]"),
        (changed("special_tokens", [{"rank": 0, "token_str": "<SPECIAL_1>"}]), "given twice"),
    ],
)
def test_damaged(tmp_path, change, message):
    found = content()
    change(found)
    with pytest.raises(UNREAD, match=message):
        read_file(write(tmp_path / "tekken.json", found), "tekken")


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"x'])
def test_no_json(tmp_path, raw):
    (tmp_path / "tekken.json").write_bytes(raw)
    with pytest.raises(FormatError, match=r"tekken\.json"):
        read_file(tmp_path / "tekken.json", "tekken")
