"""One door to all readers: the format by what a file is, and equal signatures of what toktk writes."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
import sentencepiece
from rank_samples import content, published, write
from reading import read_by_pieces, read_file, write_json, write_model
from tokenizer_samples import TEXT
from unigram_samples import made, of_bytes, of_characters, trained

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.fields import NotNative
from toktk.formats.files import beside, file_of, format_of, read
from toktk.models.greedy import GreedyModel
from toktk.pretokenizers.patterns import PATTERNS

WORDS = {"ab": -4.0, " a": -2.0}


@pytest.mark.parametrize(
    ("raw", "name", "format"),
    [
        (b"YQ== 0\nYg== 1\n", "x.json", "tiktoken"),
        (b"YQ== 0\r\n", "x", "tiktoken"),
        (b"", "x.tiktoken", "tiktoken"),
        (b'{"model": {}}', "x.model", "tokenizer.json"),
        (b'\xef\xbb\xbf \n{"model": {}}', "x", "tokenizer.json"),
        (b'{"config": {}, "vocab": [{"rank": 0, "token_bytes": "AA=="}]}', "x", "tekken"),
        (b"\n\x0e\n\x05<unk>", "x.json", "sentencepiece"),
    ],
)
def test_the_format_is_that_of_the_first_bytes(tmp_path, raw, name, format):
    assert format_of(raw, tmp_path / name) == format


@pytest.mark.parametrize("raw", [b"", b"[]", b"some notes", b"\xff\xfe"])
def test_what_has_no_format(tmp_path, raw):
    with pytest.raises(FormatError, match=r"cannot tell what .*x.model is"):
        format_of(raw, tmp_path / "x.model")
    with pytest.raises(FormatError, match="counts:"):
        format_of(b"PAR1 and so on", tmp_path / "closed.parquet")


def test_a_folder_means_its_first_known_file(tmp_path):
    with pytest.raises(FormatError, match="no tokenizer in"):
        file_of(tmp_path)
    for name in ("a.model", "b.tiktoken", "tokenizer.model", "tekken.json", "tokenizer.json"):
        (tmp_path / name).touch()
        assert file_of(tmp_path).name == name
    (tmp_path / "several").mkdir()
    for name in ("a.model", "b.model"):
        (tmp_path / "several" / name).touch()
    with pytest.raises(FormatError, match=r"Found: a.model, b.model"):
        file_of(tmp_path / "several")
    assert file_of(tmp_path / "x.tiktoken.json") == tmp_path / "x.tiktoken"


def test_what_lies_beside_ranks_counts(tmp_path):
    path = tmp_path / "cl100k_base.tiktoken"
    assert b"<|endofprompt|>" in beside(b"", path, "tiktoken")[0]
    (tmp_path / "cl100k_base.tiktoken.json").write_bytes(b"{}")
    assert beside(b"", path, "tiktoken") == [b"{}"]
    assert beside(b"", path, "tokenizer.json") == []


def greedy():
    model = of_bytes(WORDS)
    return GreedyModel(("<|填|>",), model.data, model.offsets)


@pytest.mark.parametrize("pretokenizer", ["o200k", "gpt2", "none", r" ?\w+|\W$|\W"])
def test_each_tokenizer_json_reads_back_equal(train, tmp_path, pretokenizer):
    bpe = train(size=300, pretokenizer=pretokenizer, special_tokens=["<s>"])
    models = [bpe.model, of_characters(WORDS), of_bytes(WORDS), greedy()]
    for i, tokenizer in enumerate([made(model, pretokenizer) for model in models]):
        write_json(tokenizer, tmp_path / f"{i}.json")
        again = read_file(tmp_path / f"{i}.json")
        assert again.signature == tokenizer.signature
        if pretokenizer in PATTERNS:
            assert again.pretokenizer == tokenizer.pretokenizer


def test_each_other_file_reads_back_equal(tokenizer, tmp_path):
    ranks = tokenizer.save(tmp_path).files[1]
    assert read_file(ranks).signature == tokenizer.signature
    assert read_file(ranks).model.kind == "bpe"
    for pretokenizer in ("metaspace", "none"):
        unigram = made(of_characters(WORDS), pretokenizer)
        write_model(unigram, tmp_path / "x.model")
        assert read_by_pieces(tmp_path / "x.model").signature == unigram.signature
        exact = read_file(tmp_path / "x.model")
        assert exact.model.single
        assert exact.encode("ab a\u2581ab") == unigram.encode("ab a ab")


def test_a_malformed_bpe_model_names_its_field(tmp_path):
    raw = trained(1500, model_type="bpe", character_coverage=0.98)
    piece = proto.encode_field(proto.TEXT, "zzz") + proto.encode_field(proto.TYPE, 9)
    with pytest.raises(FormatError, match=r"pieces\[\d+\].type"):
        read(raw + proto.encode_field(proto.PIECE, piece), tmp_path / "x", "sentencepiece")
    with pytest.raises(NotNative, match=r"trainer_spec\.model_type char"):
        read(
            raw + proto.encode_field(proto.TRAINER, proto.encode_field(proto.MODEL_TYPE, 4)),
            tmp_path / "x",
            "sentencepiece",
        )


@pytest.mark.parametrize("kind", ["tekken.json", "cl100k_base.tiktoken"])
def test_ranks_that_toktk_did_not_write(tokenizer, tmp_path, kind):
    path = tmp_path / kind
    if kind == "tekken.json":
        path.write_text(json.dumps(content()))
    else:
        write(path, published(tokenizer))
    assert read_file(path).model.kind == "pairs"


def test_a_prefix_in_front_is_kept(tmp_path):
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines() * 3), model_writer=file, vocab_size=600,
        byte_fallback=True, normalization_rule_name="identity", hard_vocab_limit=False,
        remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    (tmp_path / "x.model").write_bytes(file.getvalue())
    assert (
        read_by_pieces(tmp_path / "x.model").signature == read_file(tmp_path / "x.model").signature
    )


def test_reading_needs_no_library(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    code = (
        "import sys, pathlib; from toktk.formats.files import file_contents, read\n"
        "for path in map(pathlib.Path, sys.argv[1:]):\n"
        "    raw, format = file_contents(path); read(raw, path, format)\n"
        "print({'tokenizers', 'tiktoken', 'sentencepiece', 'toktk.tokenizer'} & set(sys.modules))"
    )
    paths = [str(tmp_path / "tokenizer.json"), str(tmp_path / "bpe-700.tiktoken")]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_a_run_names_its_tokenizers(tokenizer, tmp_path):
    for name in ("bpe-500", "bpe-700"):
        tokenizer.save(tmp_path / "tokenizers" / name)
    with pytest.raises(FormatError, match=r"is a run.*\n.*it holds 2: .*bpe-500, .*bpe-700\."):
        file_of(tmp_path)
