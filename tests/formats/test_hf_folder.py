"""Folders as transformers keeps them: settings beside a tokenizer.json, and vocabularies without one."""

from __future__ import annotations

import json

import pytest
import tokenizers
from public_samples import added, byte_level, byte_model, document, normalizers, split, write
from reading import read_file

from toktk.errors import FormatError
from toktk.formats import hf_folder
from toktk.formats.files import beside, file_contents, file_of, prepared
from toktk.loading.load import open_tokenizer
from toktk.pretokenizers.patterns import PATTERNS

TEXTS = ["Hello world, it's the end.\n\n  The <tool> of CAFÉ naïve 東京", "", " <tool>", "the  the"]
MODEL = byte_model()
MODEL["vocab"] = {name: i for i, name in enumerate(MODEL["vocab"])}  # without holes
FLAGS = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}


def folder(path, files):
    for name, content in files.items():
        path.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (path / name).write_text(text, encoding="utf-8", newline="")
    return path


def test_steps_that_transformers_drops(tmp_path):
    digits = {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, byte_level()]}
    for steps, cls, n in (
        (digits, "GPT2Tokenizer", 1),
        (digits, "GPT2TokenizerFast", 1),
        (digits, "PreTrainedTokenizerFast", 0),
        (byte_level(), "GPT2Tokenizer", 0),
    ):
        files = {
            "tokenizer.json": document(MODEL, pre_tokenizer=steps),
            "tokenizer_config.json": {"tokenizer_class": cls},
        }
        loaded = open_tokenizer(str(folder(tmp_path / f"{cls}{n}", files)))
        assert len(loaded.notes) == n
        assert all("other steps than that class ('Digits')" in note for note in loaded.notes)
        assert loaded.native is not None


def library_ids(found, texts=TEXTS):
    found.encode_special_tokens = True
    return [found.encode(text, add_special_tokens=False).ids for text in texts]


def byte_level_library(add_prefix_space=False, use_regex=True, normalizer=None, before=None):
    merges = [tuple(pair) for pair in MODEL["merges"]]
    found = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=MODEL["vocab"], merges=merges))
    level = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=add_prefix_space, use_regex=use_regex
    )
    steps = [before, level] if before else [level]
    found.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(steps)
    if normalizer:
        found.normalizer = normalizer
    return found


def test_the_prefix_that_the_settings_ask_for(tmp_path):
    for stated, wanted in ((False, True), (True, False), (True, True)):
        path = folder(
            tmp_path / f"{stated}{wanted}",
            {
                "tokenizer.json": document(MODEL, pre_tokenizer=byte_level(stated)),
                "tokenizer_config.json": {"add_prefix_space": wanted, "model_max_length": 10**30},
            },
        )
        loaded = open_tokenizer(str(path))
        ids = library_ids(byte_level_library(wanted))
        assert [loaded.native.encode(text) for text in TEXTS] == ids
        assert [loaded.reference.encode(text) for text in TEXTS] == ids
        assert loaded.notes == ()


def test_what_is_not_followed_is_said(tmp_path):
    steps = {"type": "Sequence", "pretokenizers": [split(PATTERNS["gpt2"]), byte_level()]}
    files = {
        "tokenizer.json": document(MODEL, pre_tokenizer=steps),
        "tokenizer_config.json": {"add_prefix_space": True, "do_lower_case": True},
    }
    path = folder(tmp_path / "x", files)
    for _ in range(2):  # read, then kept
        notes = open_tokenizer(str(path)).notes
        assert [note.split(", tokenizer.json")[0] for note in notes] == [
            "tokenizer_config.json says add_prefix_space true",
            "tokenizer_config.json says do_lower_case true",
        ]
    (path / "tokenizer_config.json").write_text('{"add_prefix_space": false}')
    assert open_tokenizer(str(path)).notes == ()


def test_added_tokens_of_each_file(tmp_path):
    n = len(MODEL["vocab"])
    base = document(MODEL, pre_tokenizer=byte_level())
    entry = {"content": "<tool>", "special": False, **FLAGS}
    cases = [
        ({"added_tokens.json": {"<x>": n + 1, "<tool>": n}}, n + 2, True),
        ({"tokenizer_config.json": {"added_tokens_decoder": {str(n): entry}}}, n + 1, True),
        (
            {
                "added_tokens.json": {"<tool>": n},
                "special_tokens_map.json": {"additional_special_tokens": ["<tool>"]},
            },
            n + 1,
            False,
        ),
    ]
    for i, (files, size, is_found) in enumerate(cases):
        path = folder(tmp_path / str(i), {"tokenizer.json": base, **files})
        loaded = open_tokenizer(str(path))
        assert loaded.why == ""
        assert loaded.native.vocab_size == loaded.reference.vocab_size == size
        theirs = byte_level_library()
        if is_found:
            theirs.add_tokens(["<tool>"])
        ids = library_ids(theirs)
        assert [loaded.native.encode(text) for text in TEXTS] == ids
        assert [loaded.reference.encode(text) for text in TEXTS] == ids
        assert (n in ids[0]) == is_found
        assert beside(b"", path / "tokenizer.json", "tokenizer.json")


def test_an_id_that_does_not_follow_is_given_anew_and_said(tmp_path):
    n = len(MODEL["vocab"])
    files = {
        "tokenizer.json": document(MODEL, pre_tokenizer=byte_level()),
        "added_tokens.json": {"<tool>": n + 7},
    }
    loaded = open_tokenizer(str(folder(tmp_path / "x", files)))
    assert f"has the id {n} here" in loaded.notes[0]
    assert n in loaded.native.encode("a <tool>")


def test_settings_count_whatever_ids_the_file_states(tmp_path):
    n = len(MODEL["vocab"])
    far = added(2**31, "<far>", special=True)  # the library gives it n
    files = {
        "tokenizer.json": document(MODEL, pre_tokenizer=byte_level(), added_tokens=[far]),
        "added_tokens.json": {"<tool>": n + 1},
    }
    loaded = open_tokenizer(str(folder(tmp_path / "x", files)))
    assert loaded.notes == ()
    theirs = byte_level_library()
    theirs.add_special_tokens(["<far>"])
    theirs.add_tokens(["<tool>"])
    theirs.encode_special_tokens = True
    text = "a <tool> <far>"
    assert loaded.checked().encode(text) == theirs.encode(text).ids
    assert n + 1 in loaded.checked().encode(text)


def test_settings_that_cannot_count_are_named(tmp_path):
    nameless = added(len(MODEL["vocab"]), "", special=True)  # the library leaves it out
    files = {
        "tokenizer.json": document(MODEL, pre_tokenizer=byte_level(), added_tokens=[nameless]),
        "added_tokens.json": {"<tool>": len(MODEL["vocab"])},
    }
    loaded = open_tokenizer(str(folder(tmp_path / "x", files)))
    assert (
        "added tokens of tokenizer_config.json, added_tokens.json are left out" in loaded.notes[0]
    )


def test_flags_of_the_settings_replace_those_of_the_file(tmp_path):
    n = len(MODEL["vocab"])
    old = added(n, "<tool>", special=True)
    entry = {"content": "<tool>", "special": False, **FLAGS}
    files = {
        "tokenizer.json": document(MODEL, pre_tokenizer=byte_level(), added_tokens=[old]),
        "tokenizer_config.json": {"added_tokens_decoder": {str(n): entry}},
    }
    loaded = open_tokenizer(str(folder(tmp_path / "x", files)))
    assert n in loaded.native.encode("a <tool>")
    (tmp_path / "x" / "tokenizer_config.json").unlink()
    assert n not in open_tokenizer(str(tmp_path / "x")).native.encode("a <tool>")


WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "the",
    "hello",
    "##o",
    "world",
    ",",
    "tool",
    "<",
    ">",
    "cafe",
    "café",
]
WORDS += ["##e", "Hell", "T", "##he"]


def bert(lowercase, strip_accents=None):
    vocab = {word: i for i, word in enumerate(WORDS)}
    found = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocab, unk_token="[UNK]"))
    found.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents
    )
    found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return found


@pytest.mark.parametrize(
    ("config", "lowercase", "accents"),
    [
        (None, False, None),
        ({"do_lower_case": True}, True, None),
        ({"do_lower_case": True, "strip_accents": False}, True, False),
        ({"tokenizer_class": "BertTokenizer", "do_lower_case": False}, False, None),
    ],
)
def test_word_pieces_of_bert(tmp_path, config, lowercase, accents):
    files = {"vocab.txt": "\r\n".join(WORDS) + "\r\n"}
    if config is not None:
        files["tokenizer_config.json"] = config
    path = folder(tmp_path / "x", files)
    texts = ["Hello world, the tool", "The CAFÉ", "café Hello"]
    wanted = library_ids(bert(lowercase, accents), texts)
    for spec in (path, path / "vocab.txt"):
        reference = open_tokenizer(str(spec)).reference
        assert [reference.encode(text) for text in texts] == wanted
    # The same settings beside the tokenizer.json that says otherwise.
    if config is not None:
        text = bert(not lowercase).to_str()
        path = folder(tmp_path / "y", {"tokenizer.json": text, "tokenizer_config.json": config})
        reference = open_tokenizer(str(path)).reference
        assert [reference.encode(text) for text in texts] == wanted


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_word_pieces_are_those_of_a_text_file(tmp_path, end):
    words = [*WORDS[:14], "a\t", "a"]
    path = folder(tmp_path, {"vocab.txt": end.join(words) + end})
    with (path / "vocab.txt").open(encoding="utf-8") as file:  # as transformers reads it
        wanted = {line.rstrip("\n"): i for i, line in enumerate(file)}
    raw, _ = file_contents(file_of(path))
    assert json.loads(raw)["model"]["vocab"] == wanted
    assert len(wanted) == 16


def test_an_uncased_vocabulary_says_so_itself(tmp_path):
    path = folder(tmp_path, {"vocab.txt": "\n".join(WORDS[:14])})
    raw, format = file_contents(file_of(path))
    assert format == "tokenizer.json"
    assert json.loads(raw)["normalizer"]["lowercase"] is True


@pytest.mark.parametrize("names", [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_vocabulary_with_its_merges(tmp_path, names, end):
    lines = ["#version: 0.2", *(" ".join(pair) for pair in MODEL["merges"]), ""]
    path = folder(tmp_path / "x", dict(zip(names, (MODEL["vocab"], end.join(lines)), strict=True)))
    ids = library_ids(byte_level_library())
    for spec in (path, *(path / name for name in names)):
        loaded = open_tokenizer(str(spec))
        assert loaded.label == "x"
        assert [loaded.native.encode(text) for text in TEXTS] == ids
        assert [loaded.reference.encode(text) for text in TEXTS] == ids
    folder(
        path,
        {
            "tokenizer_config.json": {
                "tokenizer_class": "RobertaTokenizer",
                "add_prefix_space": True,
            }
        },
    )
    ids = library_ids(byte_level_library(add_prefix_space=True))
    assert [open_tokenizer(str(path)).native.encode(text) for text in TEXTS] == ids


def test_the_pattern_of_qwen2(tmp_path):
    merges = "\n".join(" ".join(pair) for pair in MODEL["merges"])
    config = {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False}
    files = {"vocab.json": MODEL["vocab"], "merges.txt": merges, "tokenizer_config.json": config}
    loaded = open_tokenizer(str(folder(tmp_path / "x", files)))
    assert (loaded.native.pretokenizer.name, loaded.notes) == ("qwen2", ())
    assert loaded.native.pretokenizer.normalizer.form == "NFC"


GOOD = {"vocab.json": MODEL["vocab"], "merges.txt": "a b\n"}


@pytest.mark.parametrize(
    ("files", "file", "reason"),
    [
        ({"vocab.json": MODEL["vocab"]}, "vocab.json", "no merges.txt beside it"),
        ({**GOOD, "merges.txt": "a b c\n"}, "vocab.json", "merges.txt is damaged: line 1"),
        ({**GOOD, "merges.txt": "a b\nab\n"}, "merges.txt", "merges.txt is damaged: line 2"),
        ({**GOOD, "vocab.json": {"a</w>": 0, "Ā": 1}}, "vocab.json", "ends of words"),
        ({**GOOD, "vocab.json": {"a": 0, "b": 1}}, "vocab.json", "over characters"),
        ({**GOOD, "tokenizer_config.json": {"tokenizer_class": "XLMTokenizer"}}, "vocab.json", "XLMTok"),
        ({**GOOD, "tokenizer_config.json": {"tokenizer_class": 3}}, "vocab.json", "tokenizer_class"),
        ({**GOOD, "tokenizer_config.json": "{"}, "vocab.json", "tokenizer_config.json is not valid JSON"),
        ({**GOOD, "added_tokens.json": {"x": -1}}, "vocab.json", "added_tokens.json"),
        ({**GOOD, "tokenizer_config.json": {"add_prefix_space": "yes"}}, "vocab.json", "add_prefix_space"),
        ({**GOOD, "tokenizer_config.json": {"added_tokens_decoder": {"a": {}}}}, "vocab.json", "decoder"),
        ({"vocab.txt": "a\nb\n"}, "vocab.txt", "no vocabulary of WordPiece"),
    ],
)  # fmt: skip
def test_what_is_missing_or_damaged_is_named(tmp_path, files, file, reason):
    path = folder(tmp_path / "x", files)
    with pytest.raises(FormatError, match=reason):
        open_tokenizer(str(path / file))


def test_files_of_other_names_have_no_settings(tmp_path):
    text = document(MODEL, normalizers({"type": "NFC"}), byte_level())
    path = write(tmp_path / "mine.json", text)
    folder(tmp_path, {"tokenizer_config.json": {"add_prefix_space": True}})
    raw = path.read_bytes()
    assert prepared(raw, path, "tokenizer.json") == (raw, ())
    assert beside(raw, path, "tokenizer.json") == []
    assert read_file(path).pretokenizer.normalizer.prefix == "never"
    assert not hf_folder.is_vocabulary(raw)
