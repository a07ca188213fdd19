"""toktk convert: files of other libraries, with the same ids or not at all."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
import sentencepiece
import tokenizers
from click.testing import CliRunner
from pair_samples import ranked
from public_samples import byte_level, byte_model, document, write
from rank_samples import content, published
from rank_samples import write as write_ranks
from reading import read_file
from unigram_samples import LETTERS, made, of_bytes, of_characters

from toktk.cli import main
from toktk.formats.tiktoken import load_tiktoken
from toktk.loading.load import open_tokenizer
from toktk.models.bpe import BpeModel
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

TEXTS = ["", "abab <0x0A> ab\r\n", "東é😀 ж  ab", "<s>ab<unk>", "a" * 50]
WORDS = dict.fromkeys(LETTERS, -3.0) | {"ab": -4.0, " a": -2.0}


BYTE_LEVEL = document(byte_model(), pre_tokenizer=byte_level())


def convert(source, target, *options):
    result = CliRunner().invoke(main, ["convert", str(source), "-o", str(target), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result


@pytest.fixture
def bpe(tmp_path):
    rows = [(b"a", b"b"), (b"ab", b"ab"), (b" ", b"ab")]
    model = BpeModel(("<s>",), np.empty((0, 3), dtype=np.int64))
    ids = {token: i for i, token in enumerate(model.tokens)}
    merges = []
    for left, right in rows:
        ids[left + right] = len(ids)
        merges.append((ids[left], ids[right], ids[left + right]))
    model = BpeModel(("<s>",), np.array(merges, dtype=np.int64))
    tokenizer = Tokenizer("bpe", Pretokenizer.of("gpt2"), model)
    tokenizer.save(tmp_path / "bpe")
    return tokenizer


@pytest.fixture
def unigram(tmp_path):
    tokenizer = made(of_characters(WORDS))
    tokenizer.save(tmp_path / "unigram")
    return tokenizer


def hugging_face(path):
    found = tokenizers.Tokenizer.from_file(str(path))
    found.encode_special_tokens = True
    return found


def test_bpe_there_and_back(bpe, tmp_path):
    result = convert(tmp_path / "bpe", tmp_path / "x.tiktoken")
    assert result.exit_code == 0
    assert "Wrote x.tiktoken and x.tiktoken.json: bpe, 260 tokens" in result.stderr
    assert read_file(tmp_path / "x.tiktoken").signature == bpe.signature
    for source in ("x.tiktoken", "x.tiktoken.json", "bpe/bpe.tiktoken"):
        assert convert(tmp_path / source, tmp_path / "y.json", "--force").exit_code == 0
    assert read_file(tmp_path / "y.json").signature == bpe.signature
    for text in TEXTS:
        ids = bpe.encode(text)
        assert load_tiktoken(tmp_path / "x.tiktoken").encode_ordinary(text) == ids
        assert hugging_face(tmp_path / "y.json").encode(text).ids == ids


def test_unigram_there_and_back(unigram, tmp_path):
    result = convert(tmp_path / "unigram", tmp_path / "x.model")
    assert result.exit_code == 0
    assert result.stderr.count("Note: .model") == 2
    result = convert(tmp_path / "x.model", tmp_path / "there" / "tokenizer.json")
    assert result.exit_code == 0
    assert "Note: .model: U+2581" in result.stderr
    assert read_file(tmp_path / "there").signature == unigram.signature
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "x.model"))
    for text in TEXTS:
        ids = unigram.encode(text)
        assert theirs.Encode(text) == ids
        assert hugging_face(tmp_path / "there" / "tokenizer.json").encode(text).ids == ids


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("bpe", "x.model", "a bpe model"),
        ("unigram", "x.tiktoken", "ranked merges alone"),
        ("o200k", "x.model", "the split pattern o200k"),
        ("bytes", "x.model", "bytes that are tokens like others"),
        ("bpe", "x.txt", "cannot tell the format"),
        ("bpe", "x", "cannot tell the format"),
        ("nowhere.model", "x.json", "nowhere.model"),
        ("nowhere.tiktoken", "x.json", "nowhere.tiktoken"),
        ("nowhere.json", "x.json", "nowhere.json"),
        ("nowhere", "x.json", "Tried: file or folder (none there)"),
        ("empty", "x.json", "no tokenizer in"),
        ("unproven", "x.tiktoken", "other ids"),
    ],
)
def test_what_would_change_ids_is_refused(bpe, unigram, tmp_path, source, target, reason):
    made(of_characters(WORDS), "o200k").save(tmp_path / "o200k")
    made(of_bytes(WORDS)).save(tmp_path / "bytes")
    (tmp_path / "empty").mkdir()
    unproven().save(tmp_path / "unproven")
    result = convert(tmp_path / source, tmp_path / target)
    assert result.exit_code == (2 if "format" in reason else 1)
    assert reason in result.stderr
    assert not (tmp_path / target).exists()


def unproven():
    """Build a tokenizer that never makes "abc": it comes of (ab, c), but (b, c) is merged first."""
    a, b, c = (int(BpeModel((), np.empty((0, 3), dtype=np.int64)).byte_ids[x]) for x in b"abc")
    merges = np.array([[b, c, 256], [a, b, 257], [257, c, 258]])
    return Tokenizer("unproven", Pretokenizer.of("none"), BpeModel((), merges))


def test_tiktoken_files_are_read_by_tiktokens_rule(tmp_path):
    unproven().save(tmp_path)
    path = tmp_path / "unproven.tiktoken"
    read = read_file(path)
    assert unproven().encode("abc") != [258]
    assert read.encode("abc") == load_tiktoken(path).encode("abc") == [258]
    # A token that no two others make.
    path.write_bytes(path.read_bytes() + base64.b64encode(b"xyz") + b" 259\n")
    beside = tmp_path / "unproven.tiktoken.json"
    beside.write_text(beside.read_text().replace("259", "260"))
    read = read_file(path)
    assert read.model.kind == "pairs"
    assert read.encode("xyz") == load_tiktoken(path).encode("xyz") == [259]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"normalization_rule_name": "nmt_nfkc"}, "nmt_nfkc"),
        ({"add_dummy_prefix": True}, "prefix:always"),
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix"),
        ({"byte_fallback": False}, "byte_fallback"),
    ],
)
def test_models_of_other_settings_are_refused(tmp_path, options, reason):
    from unigram_samples import trained

    (tmp_path / "x.model").write_bytes(trained(**options))
    result = convert(tmp_path / "x.model", tmp_path / "tokenizer.json")
    assert result.exit_code == 1
    assert reason in result.stderr
    assert not (tmp_path / "tokenizer.json").exists()


def test_what_is_there_stays_without_force(bpe, tmp_path):
    (tmp_path / "x.tiktoken.json").write_text("mine")
    result = convert(tmp_path / "bpe", tmp_path / "x.tiktoken")
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert (tmp_path / "x.tiktoken.json").read_text() == "mine"
    assert convert(tmp_path / "bpe", tmp_path / "x.tiktoken", "--force").exit_code == 0
    assert read_file(tmp_path / "x.tiktoken").signature == bpe.signature


def test_a_folder_with_one_file_of_another_format(unigram, tmp_path):
    (tmp_path / "unigram" / "tokenizer.json").unlink()
    assert convert(tmp_path / "unigram", tmp_path / "y.json").exit_code == 0
    assert read_file(tmp_path / "y.json").signature == unigram.signature


def test_usage(tmp_path):
    assert CliRunner().invoke(main, ["convert", str(tmp_path)]).exit_code == 2


TRAPS = [
    *TEXTS,
    "The quick <tool> brown fox's 12345 tokens\n\n  東京",
    "hat that  the\n",
    "<unk> [INST]",
]


def agree(source, target, texts=TRAPS):
    """Assert that the library of each file gives the same ids."""
    mine, theirs = open_tokenizer(str(source)), open_tokenizer(str(target))
    for text in texts:
        assert theirs.reference.encode(text) == mine.reference.encode(text)
        assert theirs.native is None or theirs.native.encode(text) == mine.reference.encode(text)
    return theirs


def test_published_files_in_other_formats(tmp_path, tokenizer):
    hf = byte_model()
    hf["vocab"] = {name: i for i, name in enumerate(hf["vocab"])}
    base = document(hf, pre_tokenizer=byte_level())
    folder = write(tmp_path / "hf" / "tokenizer.json", base).parent
    write(tmp_path / "tekken" / "tekken.json", content())
    write_ranks(tmp_path / "cl100k_base.tiktoken", published(tokenizer))
    write_ranks(tmp_path / "gpt2.tiktoken", ranked([b"ab", b"abc", b" ab"]))
    rank = {name: i for i, name in enumerate(hf["vocab"])}
    in_order = sorted(hf["merges"], key=lambda pair: rank["".join(pair)])
    assert in_order == hf["merges"]
    config = folder / "tokenizer_config.json"
    for source, target in [
        ("hf", "a/tokenizer.json"),
        ("hf", "a/vocab.json"),
        ("hf", "a.tiktoken"),
        ("a.tiktoken", "b.tiktoken"),
        ("a.tiktoken", "b/tokenizer.json"),
        ("tekken", "c.tiktoken"),
        ("tekken", "c.json"),
        ("cl100k_base.tiktoken", "d.json"),
        ("cl100k_base.tiktoken", "d.tiktoken"),
        ("gpt2.tiktoken", "f/vocab.json"),
        ("bytes.json", "g.json"),
    ]:
        if source == "bytes.json":  # with the settings beside it
            config.write_text('{"add_prefix_space": true}')
            source = "hf"
        result = convert(tmp_path / source, tmp_path / target)
        assert result.exit_code == 0, result.stderr
        assert agree(tmp_path / source, tmp_path / target).native is not None
    assert (
        json.loads((tmp_path / "g.json").read_text())["pre_tokenizer"]["add_prefix_space"] is True
    )


def test_bpe_over_characters_in_both_formats(tmp_path):
    from unigram_samples import trained

    (tmp_path / "x.model").write_bytes(
        trained(model_type="bpe", byte_fallback=True, add_dummy_prefix=True)
    )
    assert convert(tmp_path / "x.model", tmp_path / "y.json").exit_code == 0
    theirs = agree(tmp_path / "x.model", tmp_path / "y.json")
    assert theirs.native.model.kind == "pairs"
    assert convert(tmp_path / "y.json", tmp_path / "z.model").exit_code == 0
    agree(tmp_path / "y.json", tmp_path / "z.model")


def test_the_first_id_that_would_differ_is_named(tmp_path):
    hf = byte_model()
    hf["vocab"] = {name: i for i, name in enumerate(hf["vocab"])}
    merges = hf["merges"]
    first, last = merges[0], merges[-1]
    swapped = {"".join(first): "".join(last), "".join(last): "".join(first)}
    names = [swapped.get(name, name) for name in hf["vocab"]]
    hf["vocab"] = {name: i for i, name in enumerate(names)}
    write(tmp_path / "hf" / "tokenizer.json", document(hf, pre_tokenizer=byte_level()))
    prefixed = document(hf, pre_tokenizer=byte_level(True))
    lower = {**BYTE_LEVEL, "normalizer": {"type": "Lowercase"}}
    write(tmp_path / "prefix" / "tokenizer.json", prefixed)
    write(tmp_path / "lower" / "tokenizer.json", lower)
    for source, target, reason in [
        ("hf", "x.tiktoken", "the first one that would differ is "),
        ("hf", "x.model", "a pairs model"),
        ("prefix", "x.tiktoken", "prefix:unless_space"),
        ("prefix", "vocab.json", "pretokenizer gpt2"),
        ("lower", "x.tiktoken", "normalizer Lowercase"),
    ]:
        result = convert(tmp_path / source, tmp_path / target)
        assert result.exit_code == 1
        assert reason in result.stderr
        assert not (tmp_path / target).exists()
    assert convert(tmp_path / "lower", tmp_path / "z.json").exit_code == 0
    agree(tmp_path / "lower", tmp_path / "z.json")


def test_ranks_without_their_own_layout_file(bpe, tmp_path):
    """Published ranks whose ids lie as toktk's do go to any format that holds BPE."""
    (tmp_path / "mine.tiktoken").write_bytes((tmp_path / "bpe" / "bpe.tiktoken").read_bytes())
    arguments = {"pat_str": PATTERNS["gpt2"], "special_tokens": {"<s>": 0}}
    (tmp_path / "mine.tiktoken.json").write_text(json.dumps(arguments))
    assert convert(tmp_path / "mine.tiktoken", tmp_path / "y.json").exit_code == 0
    assert read_file(tmp_path / "y.json").signature == bpe.signature


def test_the_model_of_another_trainer(tmp_path):
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    theirs.pre_tokenizer = byte_level(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=byte_level.alphabet(), show_progress=False
    )
    theirs.train_from_iterator(TEXTS * 9, trainer)
    theirs.save(str(tmp_path / "tokenizer.json"))
    assert convert(tmp_path / "tokenizer.json", tmp_path / "x.tiktoken").exit_code == 0
    for text in TEXTS:
        assert (
            load_tiktoken(tmp_path / "x.tiktoken").encode_ordinary(text) == theirs.encode(text).ids
        )


def test_a_missing_file(tmp_path):
    result = convert(tmp_path / "nope", tmp_path / "x.json")
    assert result.exit_code == 1
    assert "nope" in result.stderr
    assert "Tried: file or folder (none there)" in result.stderr
