"""toktk convert -o token_bytes.npy, and --prove: files, tables, exit codes."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from public_samples import GPT2, LLAMA2, byte_level, byte_model, document, write

from toktk.cli import main
from toktk.loading.load import load

BYTE_LEVEL = document(byte_model(), pre_tokenizer=byte_level())
NFC = document(byte_model(), {"type": "NFC"}, byte_level())
HOSTILE = "\x1b[31mred"


def convert(*arguments, code=0):
    result = CliRunner().invoke(main, ["convert", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "text.jsonl"
    rows = [("e\u0301tude", "fr"), ("the cat", "en"), ("", "en"), ("東京\0\r\n", HOSTILE)]
    lines = [json.dumps({"text": text, "lang": group}) for text, group in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_array_and_list_are_the_same(tmp_path):
    source = write(tmp_path / "tokenizer.json", GPT2)
    result = convert(source, "-o", tmp_path / "any name.npy")
    assert result.stdout == ""
    assert "Wrote any name.npy" in result.stderr
    convert(source, "-o", tmp_path / "token_bytes.json")
    lengths = np.load(tmp_path / "any name.npy")
    tokenizer = load(str(source))
    assert lengths.dtype == np.int32
    assert lengths.shape == (tokenizer.vocab_size,)
    assert lengths.tolist() == [len(token) for token in tokenizer.model.tokens]
    assert json.loads((tmp_path / "token_bytes.json").read_text("utf-8")) == lengths.tolist()
    assert (lengths[:5] == 0).all()  # ids without a token


def test_what_is_there_is_kept(tmp_path):
    source, target = write(tmp_path / "tokenizer.json", GPT2), tmp_path / "token_bytes.npy"
    target.write_bytes(b"mine")
    assert "Overwrite with --force" in convert(source, "-o", target, code=1).stderr
    assert target.read_bytes() == b"mine"
    convert(source, "-o", target, "--force", "-q")
    assert np.load(target).size > 256


def test_notes_say_what_cannot_be_right(tmp_path):
    source = write(tmp_path / "tokenizer.json", NFC)
    result = convert(source, "-o", tmp_path / "token_bytes.npy")
    assert "Note: the normalizer NFC changes text" in result.stderr


def test_a_proof(tmp_path, corpus):
    source = write(tmp_path / "tokenizer.json", BYTE_LEVEL)
    target = tmp_path / "token_bytes.npy"
    result = convert(source, "-o", target, "--prove", corpus, "--group-column", "lang", "-f", "csv")
    assert result.stdout.splitlines() == [
        "group,documents,bytes,token_bytes,difference,differing",
        "all,4,23,23,0,0",
        f"{HOSTILE},1,9,9,0,0",
        "en,2,7,7,0,0",
        "fr,1,7,7,0,0",
    ]
    assert "Proven: the bytes of the tokens add up to those of every document." in result.stderr
    assert np.load(target).size > 256
    assert "\x1b" not in convert(source, "--prove", corpus, "--group-column", "lang").output
    alone = convert(source, "--prove", corpus, "-q", "-f", "json")
    assert json.loads(alone.stdout)["holds"] is True
    assert alone.stderr == ""


def test_a_proof_that_fails(tmp_path, corpus):
    source = write(tmp_path / "tokenizer.json", NFC)
    result = convert(source, "--prove", corpus, "--group-column", "lang", "-q", code=3)
    assert "Not proven: in 1 of 4 documents the bytes" in result.stderr
    assert "the normalizer NFC changes the text: 1 document, -1 bytes." in result.stderr
    assert "First: document 1 (group fr), byte 0: the token" in result.stderr
    shown = convert(source, "--prove", corpus, "--group-column", "lang", "-f", "json", code=3)
    about = json.loads(shown.stdout)
    assert about["holds"] is False
    assert about["causes"] == [
        {"what": "the normalizer NFC changes the text", "documents": 1, "excess": -1}
    ]
    assert (about["first"]["group"], about["first"]["byte"]) == ("fr", 0)
    assert [row["differing"] for row in about["groups"]] == [0, 0, 1]


def test_a_space_in_front_alone_has_a_remedy(tmp_path, corpus):
    source = write(tmp_path / "tokenizer.json", LLAMA2)
    result = convert(source, "--prove", corpus, code=3)
    assert "a space is put in front of the text: 3 documents, +3 bytes." in result.stderr
    assert "take one byte off for each of these documents" in result.stderr


def test_wrong_usage(tmp_path, corpus):
    source = write(tmp_path / "tokenizer.json", GPT2)
    assert "Missing option" in convert(source, code=2).stderr
    wrong = convert(source, "-o", tmp_path / "x.tiktoken", "--prove", corpus, code=2)
    assert "--prove is about token bytes" in wrong.stderr
    assert not (tmp_path / "x.tiktoken").exists()
    assert "unknown corpus" in convert(source, "--prove", tmp_path / "none", code=1).stderr


def test_the_total_of_the_progress_is_the_text(tmp_path, corpus):
    source = write(tmp_path / "tokenizer.json", GPT2)
    result = convert(source, "--prove", corpus, "--progress", "json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    (end,) = [e for e in events if (e["event"], e.get("step")) == ("end", "prove")]
    assert end["done"] == end["total"] == corpus.stat().st_size


def test_what_is_no_regular_file_stays(tmp_path, corpus):
    source, pipe = write(tmp_path / "tokenizer.json", GPT2), tmp_path / "token_bytes.npy"
    os.mkfifo(pipe)
    for more in ((), ("--prove", corpus)):
        assert "Choose another path" in convert(source, "-o", pipe, "--force", *more, code=1).stderr
        assert pipe.is_fifo()
