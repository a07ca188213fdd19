"""Published .tiktoken files: the ids of tiktoken, and errors that say what is missing."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from pair_samples import encode_documents, ranked
from rank_samples import published, write
from reading import UNREAD, read_file

from toktk.errors import FormatError
from toktk.formats import encodings
from toktk.formats.encodings import ENCODINGS, KIMI
from toktk.formats.files import beside, file_of, format_of
from toktk.formats.tiktoken import rank_file
from toktk.pretokenizers.patterns import PATTERNS


@pytest.mark.parametrize("stem", ["gpt2", "p50k_edit", "cl100k_base", "o200k_base"])
def test_same_ids_as_tiktoken(tokenizer, nasty_texts, tmp_path, stem):
    ranks = published(tokenizer)
    read = read_file(write(tmp_path / f"{stem}.tiktoken", ranks))
    pattern, special_tokens = ENCODINGS[stem]
    assert (read.name, read.pretokenizer.name) == (stem, pattern)
    theirs = tiktoken.Encoding(
        stem,
        pat_str=PATTERNS[pattern],
        mergeable_ranks=ranks,
        special_tokens=dict(special_tokens),
    )
    texts = [*nasty_texts, "<|endoftext|>", "that hat that qzx 東京 aaaaaaaa"]
    assert encode_documents(read, texts) == [theirs.encode_ordinary(text) for text in texts]
    assert read.vocab_size == theirs.n_vocab
    assert read.model.whole.any()
    for i in (*ranks.values(), *special_tokens.values()):
        assert read.model.tokens[i] == theirs.decode_single_token_bytes(i)


@given(st.lists(st.text(max_size=60), max_size=10))
def test_any_text(tokenizer, tmp_path_factory, texts):
    if not CACHE:
        ranks = published(tokenizer)
        path = tmp_path_factory.mktemp("ranks") / "cl100k_base.tiktoken"
        CACHE["toktk"] = read_file(write(path, ranks))
        CACHE["theirs"] = tiktoken.Encoding(
            "x", pat_str=PATTERNS["cl100k"], mergeable_ranks=ranks, special_tokens={}
        )
    expected = [CACHE["theirs"].encode_ordinary(text) for text in texts]
    assert encode_documents(CACHE["toktk"], texts) == expected


CACHE = {}


def test_pattern_and_special_tokens_beside(tokenizer, tmp_path):
    path = write(tmp_path / "mine.tiktoken", ranked([b"ab", b"abc"]))
    beside = tmp_path / "mine.tiktoken.json"
    beside.write_text(json.dumps({"pat_str": PATTERNS["llama3"], "special_tokens": {"<s>": 999}}))
    read = read_file(path)
    assert (read.pretokenizer.name, read.vocab_size) == ("llama3", 1000)
    tokenizer.save(tmp_path / "saved")
    saved = next((tmp_path / "saved").glob("*.tiktoken"))
    again = read_file(saved)
    assert again.signature == tokenizer.signature
    texts = ["The quick brown fox", "Größe 東京"]
    assert encode_documents(again, texts) == [tokenizer.encode(text) for text in texts]


def test_classes_with_intersections(nasty_texts, tmp_path):
    pattern = r"[\p{L}\p{M}&&[^\p{Han}]]+|[\p{Han}]+|[\s\S&&[\p{N}A-Z]]{1,3}|\s+|[^\p{L}\s]"
    ranks = {bytes([b]): b for b in range(256)} | {b"th": 256, "東京".encode()[:4]: 257}
    file = tmp_path / "kimi.tiktoken"
    lines = (base64.b64encode(token) + b" %d\n" % i for token, i in ranks.items())
    file.write_bytes(b"".join(lines))
    beside = {"pat_str": pattern, "special_tokens": {}}
    file.with_name("kimi.tiktoken.json").write_text(json.dumps(beside))
    found = read_file(file)
    theirs = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    for text in [*nasty_texts, "It's 東京the 3 Äthiopien ²½ 漢字かな"]:
        assert found.encode(text) == theirs.encode_ordinary(text)


def test_harmony_has_every_id_once():
    special_tokens = ENCODINGS["o200k_harmony"][1]
    assert sorted(special_tokens.values()) == list(range(199_998, 201_088))


def test_without_its_pattern(tmp_path):
    with pytest.raises(FormatError, match="without its pattern") as caught:
        read_file(write(tmp_path / "mine.tiktoken", ranked([])))
    assert "mine.tiktoken.json" in str(caught.value)
    assert "cl100k_base" in str(caught.value)


GOOD = b"".join(b"%s %d\n" % (base64.b64encode(bytes([b])), b) for b in range(256))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "no rank for the byte 0x00"),
        (GOOD[:-36], "no rank for the byte"),
        (GOOD + b"YWI 256\n", "line 257"),
        (GOOD + b"Y\0I= 256\n", "line 257"),
        (GOOD + b"YWI=\n", "line 257"),
        (GOOD + b"YWI= 2.5\n", "line 257"),
        (GOOD + b"YWI= -3\n", "line 257"),
        (GOOD + b"YWI= " + b"9" * 40, "line 257"),
        (GOOD + b"YWI= 256\nYWI= 257\n", "line 258"),
        (GOOD + b"YWI= 7\n", "7 is given twice"),
        (GOOD + b"YWI= 100257\n", "100257 is given twice"),
        (GOOD + b"YWI= 999999999\n", "the id 999,999,999"),
        (b"\x00\x01\x02 not text", "line 1"),
        (GOOD + b"\n\nYWI=\n", "line 259"),
        (GOOD + b"YWI= 256 7\n", "line 257"),
    ],
)
def test_damaged(tmp_path, raw, message):
    path = tmp_path / "cl100k_base.tiktoken"
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=message) as caught:
        read_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "the file"),
        ("{}", "pat_str"),
        ('{"pat_str": 3}', "pat_str"),
        ('{"pat_str": "\\ud800"}', "pat_str"),
        ('{"pat_str": "("}', "cannot compile"),
        ('{"pat_str": "a+"}', "does not match everywhere"),
        ('{"pat_str": "(?<=a)b|.", "special_tokens": {}}', "compile"),
        ('{"pat_str": ".|\\\\s", "special_tokens": {"<s>": "1"}}', "special_tokens"),
        ('{"pat_str": ".|\\\\s", "special_tokens": {"<s>": true}}', "special_tokens"),
        ('{"pat_str": ".|\\\\s", "special_tokens": {"<s>": 3}}', "3 is given twice"),
        ('{"pat_str": ".|\\\\s", "special_tokens": {"<s>": 1e400}}', "special_tokens"),
        ('{"pat_str": ".|\\\\s", "name": ["x"]}', "name"),
        ('{"pat_str": ".|\\\\s", "explicit_n_vocab": 300}', "do not belong together"),
        ('{"pat_str": ".|\\\\s", "explicit_n_vocab": "256"}', "explicit_n_vocab"),
    ],
)
def test_damaged_arguments(tmp_path, text, message):
    path = tmp_path / "mine.tiktoken"
    path.write_bytes(GOOD)
    path.with_name("mine.tiktoken.json").write_text(text)
    with pytest.raises(UNREAD, match=message):
        read_file(path)


def test_missing(tmp_path):
    with pytest.raises(FormatError, match="No such file"):
        read_file(tmp_path / "cl100k_base.tiktoken")


def test_bytes_that_are_no_text_are_pieces_too(tmp_path):
    read = read_file(write(tmp_path / "gpt2.tiktoken", ranked([b"\xff\xfe"])))
    ids, _ = read.model.encode_pieces(np.array([255, 254], dtype=np.uint8), np.array([0, 2]))
    assert ids.tolist() == [256]


def test_lines_as_tiktoken_reads_them(tmp_path):
    from tiktoken.load import load_tiktoken_bpe

    rows = GOOD.splitlines()
    variants = [
        b"\r\n".join(rows),
        b"\n\n" + b"\n\n\n".join(rows) + b"\n\n",
        GOOD.replace(b" ", b"\t"),
        GOOD.replace(b" ", b"  "),
        GOOD.replace(b"\n", b" \t\n", 3),
        GOOD + b" \n",
        b"\xef\xbb\xbf" + GOOD,
    ]
    path = tmp_path / "gpt2.tiktoken"
    for i, raw in enumerate(variants):
        path.write_bytes(raw)
        theirs = tmp_path / f"{i}.tiktoken"  # the library keeps what it read by path
        theirs.write_bytes(raw.removeprefix(b"\xef\xbb\xbf").removesuffix(b" \n"))
        found = rank_file(raw, path)
        assert found.ranks == load_tiktoken_bpe(str(theirs))
        assert found.name == "gpt2"
        assert format_of(raw, tmp_path / "x") == "tiktoken"


def test_a_pattern_by_its_name(tmp_path):
    path = tmp_path / "mine.tiktoken"
    path.write_bytes(GOOD)
    beside = path.with_name("mine.tiktoken.json")
    for name, pattern in {**PATTERNS, "kimi": KIMI}.items():
        beside.write_text(json.dumps({"pat_str": name}))
        assert rank_file(GOOD, path).pattern == pattern
    beside.write_text('{"pat_str": "lama3"}')
    with pytest.raises(FormatError, match=r"did you mean 'llama3'") as caught:
        read_file(path)
    assert str(beside) in str(caught.value)


def test_published_ranks_are_known_by_what_is_in_them(tmp_path, monkeypatch):
    digest = hashlib.sha256(GOOD).hexdigest()
    monkeypatch.setitem(encodings._PUBLISHED, digest, ("x", PATTERNS["qwen2"], {"<s>": 256}))
    path = tmp_path / "tokenizer.model"
    for raw in (GOOD, GOOD.replace(b"\n", b"\r\n")):
        path.write_bytes(raw)
        read = read_file(tmp_path)
        assert (read.pretokenizer.name, read.model.special_tokens) == ("qwen2", ("<s>",))


def test_the_special_tokens_of_public_files():
    """As the packages llama-models 0.3.0 and dashscope 2.0.2 list them."""
    known = {name: special_tokens for name, _, special_tokens in encodings._PUBLISHED.values()}
    sizes = {"llama3": (128_000, 256), "llama4": (200_000, 2048), "qwen": (151_643, 208)}
    for name, (first, n) in (sizes | {"kimi": (163_584, 256)}).items():
        assert sorted(known[name].values()) == list(range(first, first + n))
    assert known["llama3"]["<|eot_id|>"] == 128_009
    assert known["llama3"]["<|reserved_special_token_245|>"] == 128_255
    assert known["llama4"]["<|patch|>"] == 200_092
    assert known["llama4"]["<|reasoning_thinking_end|>"] == 201_143
    assert known["qwen"]["<|extra_204|>"] == 151_850
    assert known["kimi"]["[PAD]"] == 163_839


def test_a_folder_of_kimis_kind(tmp_path):
    config = tmp_path / "tokenizer_config.json"
    (tmp_path / "tiktoken.model").write_bytes(GOOD + b"5p2x 256\n")
    listed = {"257": {"content": "[BOS]", "special": True}, "260": {"content": "[X]"}}
    config.write_text(
        json.dumps({"tokenizer_class": "TikTokenTokenizer", "added_tokens_decoder": listed})
    )
    path = file_of(tmp_path)
    found = rank_file(path.read_bytes(), path)
    assert found.pattern == KIMI
    assert len(found.special_tokens) == 256
    named = {"[BOS]": 257, "<|reserved_token_258|>": 258, "[X]": 260}
    assert named.items() <= found.special_tokens.items()
    assert beside(b"", path, "tiktoken")[1] == config.read_bytes()
    theirs = tiktoken.Encoding(
        "kimi", pat_str=KIMI, mergeable_ranks=dict(found.ranks), special_tokens={}
    )
    assert theirs.encode_ordinary("東")[-1] == 256
    for wrong in ({"3": {"content": "a"}}, {"x": {"content": "a"}}, {"257": "a"}, ["a"]):
        config.write_text(
            json.dumps({"tokenizer_class": "TikTokenTokenizer", "added_tokens_decoder": wrong})
        )
        with pytest.raises(FormatError, match="added_tokens_decoder"):
            rank_file(path.read_bytes(), path)
