"""GGUF: the vocabulary in the file of a model."""

from __future__ import annotations

import struct

import pytest
import sentencepiece
from public_samples import byte_model
from unigram_samples import trained

from toktk.errors import FormatError
from toktk.formats import sentencepiece_proto as proto
from toktk.loading.load import open_tokenizer

TEXTS = ["The quick <x> brown fox's 12345\n\n  東京 é", "", "aabb ab<s>"]


def text(value):
    raw = value.encode(errors="surrogateescape")
    return struct.pack("<Q", len(raw)) + raw


def value(item):
    if isinstance(item, bool):
        return 7, struct.pack("<?", item)
    if isinstance(item, str):
        return 8, text(item)
    if isinstance(item, int):
        return 5, struct.pack("<i", item)
    if isinstance(item, float):
        return 12, struct.pack("<d", item)
    kinds = [value(entry) for entry in item]
    head = struct.pack("<IQ", kinds[0][0] if kinds else 5, len(item))
    return 9, head + b"".join(raw for _, raw in kinds)


def gguf(path, fields, version=3):
    parts = [b"GGUF", struct.pack("<IQQ", version, 0, len(fields))]
    for key, item in fields.items():
        kind, raw = value(item)
        parts += [text(key), struct.pack("<I", kind), raw]
    path.write_bytes(b"".join(parts) + b"\0" * 64)
    return path


def byte_fields(**more):
    model = byte_model()
    names = [*model["vocab"], "<s>", "<x>"]
    fields = {
        "model": "gpt2",
        "pre": "llama-bpe",
        "tokens": names,
        "token_type": [1] * (len(names) - 2) + [proto.CONTROL, proto.USER_DEFINED],
        "merges": [" ".join(pair) for pair in model["merges"]],
    }
    return {"general.architecture": "llama"} | {
        f"tokenizer.ggml.{key}": item for key, item in (fields | more).items()
    }


def test_bpe_over_bytes(tmp_path):
    loaded = open_tokenizer(str(gguf(tmp_path / "m.gguf", byte_fields())))
    n = len(byte_model()["vocab"])
    assert (loaded.label, loaded.native.vocab_size) == ("m", n + 2)
    assert loaded.native.pretokenizer.name == "llama3"
    for line in TEXTS:
        assert loaded.native.encode(line) == loaded.reference.encode(line)
    assert n + 1 in loaded.native.encode(TEXTS[0])
    assert n not in loaded.native.encode(TEXTS[2])
    assert open_tokenizer(str(tmp_path)).digest == loaded.digest


def test_bpe_of_sentencepiece(tmp_path):
    raw = trained(model_type="bpe", byte_fallback=True, add_dummy_prefix=True)
    theirs = sentencepiece.SentencePieceProcessor(model_proto=raw)
    size = theirs.GetPieceSize()
    kinds = [
        6 if theirs.IsByte(i) else 2 if theirs.IsUnknown(i) else 3 if theirs.IsControl(i) else 1
        for i in range(size)
    ]
    fields = {
        "model": "llama",
        "tokens": [theirs.IdToPiece(i) for i in range(size)],
        "scores": [theirs.GetScore(i) for i in range(size)],
        "token_type": kinds,
    }
    named = {f"tokenizer.ggml.{key}": item for key, item in fields.items()}
    loaded = open_tokenizer(str(gguf(tmp_path / "m.gguf", named)))
    for line in TEXTS:
        assert loaded.native.encode(line) == loaded.reference.encode(line) == theirs.Encode(line)


LLAMA = {"model": "llama", "tokens": ["a", "b"], "token_type": [1, 1], "scores": [0.0, 0.0]}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"model": "bert"}, "tokenizer.ggml.model"),
        ({"pre": "unheard-of"}, "tokenizer.ggml.pre"),
        ({"tokens": []}, "tokenizer.ggml.tokens"),
        ({"token_type": [1]}, "tokenizer.ggml.token_type"),
        ({"model": "llama"}, "tokenizer.ggml.scores"),
        ({"tokens": ["a", "\udcff"], "token_type": [1, 1]}, "tokenizer.ggml.tokens"),
        (LLAMA | {"tokens": ["a", "\udcff"]}, "tokenizer.ggml.tokens"),
        (LLAMA | {"scores": [0.0, 1e39]}, "tokenizer.ggml.scores"),
        ({"merges": "x"}, "tokenizer.ggml.merges"),
    ],
)
def test_a_field_that_is_wrong_is_named(tmp_path, more, reason):
    with pytest.raises(FormatError, match=reason):
        open_tokenizer(str(gguf(tmp_path / "m.gguf", byte_fields(**more))))


def test_a_file_that_ends_early_or_is_none(tmp_path):
    path = gguf(tmp_path / "m.gguf", byte_fields())
    raw = path.read_bytes()
    huge = raw[:24] + struct.pack("<Q", 2**60) + raw[32:]
    for damaged in (b"", raw[:3], b"x" * 99, raw[:20], raw[:1000], raw[:-300], huge):
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            open_tokenizer(str(path))
    with pytest.raises(FormatError, match="version 1"):
        open_tokenizer(str(gguf(path, {}, version=1)))
