"""GGUF, the format of llama.cpp: the vocabulary in a model's file, as a file of its tokenizer's library.

The fields ``tokenizer.ggml.*`` hold tokens by id, and merges (BPE over bytes) or scores (SentencePiece's
BPE). Fields stand before the weights, so only the beginning of a file is read. How text is cut is a
name, ``tokenizer.ggml.pre``; known are those of which toktk has the pattern. What is read is a
``tokenizer.json`` or a SentencePiece model, whose library gives the ids; llama.cpp itself is not asked.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO, Literal

from toktk.errors import FormatError, LimitError, clipped
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.fields import MAX_BYTES, Fields, check_regular, has_surrogate, short
from toktk.formats.sentencepiece import encoded_model
from toktk.pretokenizers import syntax
from toktk.pretokenizers.patterns import PATTERNS

MAGIC = b"GGUF"

_NUMBERS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST = 2**21  # entries of a list, and fields
_LARGEST = (2 - 2**-23) * 2.0**127  # of float32
_WANTED = "tokenizer.ggml."
# The pattern of each name, and whether a piece that is a token becomes it at once.
_CUTS = {
    "gpt-2": ("gpt2", False), "gpt2": ("gpt2", False), "qwen2": ("qwen2", False),
    "llama-bpe": ("llama3", True), "llama3": ("llama3", True), "llama-v3": ("llama3", True),
    "gpt-4o": ("o200k", False), "llama4": ("o200k", False),
}  # fmt: skip


class _Reader:
    """Reads values one after the other, `MAX_BYTES` of a file at most."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path, self.left = file, path, MAX_BYTES

    def take(self, n: int) -> bytes:
        self.left -= n
        if self.left < 0:
            raise LimitError(
                f"cannot read {self.path}: its fields are too large.",
                f"Found: more than {MAX_BYTES:,} bytes of them.",
            )
        raw = self.file.read(n)
        if len(raw) < n:
            raise FormatError(f"{self.path} is damaged.", "Found: it ends within a field.")
        return raw

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode(errors="surrogateescape")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY or depth > 3:
            raise FormatError(f"{self.path} is damaged.", f"Found: a field of the kind {kind}.")
        inner, n = self.number("I"), self.number("Q")
        if n > _MOST:
            raise LimitError(
                f"cannot read {self.path}: a list is too long.", f"Found: {n:,} entries."
            )
        if inner in _NUMBERS:
            code = f"<{n}{_NUMBERS[inner]}"
            return list(struct.unpack(code, self.take(struct.calcsize(code))))
        return [self.value(inner, depth + 1) for _ in range(n)]


def read_gguf(path: Path) -> tuple[bytes, Literal["tokenizer.json", "sentencepiece"]]:
    """Return the file of the tokenizer in a GGUF file, and its format.

    Raises:
        FormatError: a damaged file, or one whose tokenizer has no such form; the error names the field.
    """
    try:
        check_regular(path, path.stat().st_mode, "Save the model to a file first.")
        with path.open("rb") as file:
            found = _fields(_Reader(file, path))
    except OSError as error:
        raise FormatError(f"cannot read {path}.", f"Found: {error.strerror or error}.") from error
    fields = Fields(path)
    tokens = fields.typed(list, found.get("tokens"), f"{_WANTED}tokens")
    kinds = fields.typed(list, found.get("token_type", [proto.NORMAL] * len(tokens)), "token_type")
    for name, listed, kind in (("tokens", tokens, str), ("token_type", kinds, int)):
        is_sound = len(listed) == len(tokens) > 0 and set(map(type, listed)) == {kind}
        fields.check(is_sound, f"{_WANTED}{name}", len(listed), "one entry for each id")
    fields.check_lengths(f"{_WANTED}tokens", tokens)
    for name in filter(has_surrogate, tokens):
        raise fields.error(f"{_WANTED}tokens", short(name), "text in UTF-8")
    model: Any = found.get("model")
    if model == "gpt2":
        return _byte_level(fields, found, tokens, kinds), "tokenizer.json"
    if model == "llama":
        scores = fields.typed(list, found.get("scores"), f"{_WANTED}scores")
        is_sound = len(scores) == len(tokens) and set(map(type, scores)) == {float}
        fields.check(is_sound, f"{_WANTED}scores", len(scores), "a number for each id")
        largest = max(map(abs, scores))
        fields.check(largest <= _LARGEST, f"{_WANTED}scores", largest, "numbers of 32 bits")
        types = [{} if i == proto.NORMAL else {proto.TYPE: i} for i in kinds]
        prefix = found.get("add_space_prefix", True) is True
        n = len(tokens)
        return encoded_model(tokens, scores, types, n, proto.BPE, prefix, True), "sentencepiece"
    wanted = '"gpt2" (BPE over bytes) or "llama" (SentencePiece\'s BPE)'
    raise fields.error(f"{_WANTED}model", clipped(str(model)), wanted)


def _fields(reader: _Reader) -> dict[str, Any]:
    """Return the fields of the tokenizer, by the last part of their names."""
    is_gguf, version = reader.take(4) == MAGIC, reader.number("I")
    if not is_gguf or version not in (2, 3):
        raise FormatError(
            f"cannot read {reader.path}.",
            f"Found: GGUF of version {version}, or none.",
            "Readable are the versions 2 and 3.",
        )
    _, n = reader.number("Q"), reader.number("Q")
    found: dict[str, Any] = {}
    for _ in range(min(n, _MOST)):
        key = reader.text()
        value = reader.value(reader.number("I"))
        if key.startswith(_WANTED):
            found[key.removeprefix(_WANTED)] = value
    return found


def _byte_level(
    fields: Fields, found: dict[str, Any], tokens: list[str], kinds: list[int]
) -> bytes:
    cut: Any = found.get("pre")
    known = f"one of {', '.join(_CUTS)}"
    fields.check(isinstance(cut, str) and cut in _CUTS, f"{_WANTED}pre", cut, known)
    pattern, takes_whole = _CUTS[cut]
    merges = fields.typed(list, found.get("merges"), f"{_WANTED}merges")
    added = [i for i, kind in enumerate(kinds) if kind in (proto.CONTROL, proto.USER_DEFINED)]
    # The library gives added tokens behind all others the ids that they have.
    behind = added == list(range(len(tokens) - len(added), len(tokens)))
    vocab = {
        name: i for i, name in enumerate(tokens[: len(tokens) - len(added) if behind else None])
    }
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    split = {"Regex": syntax.portable(PATTERNS[pattern])}
    steps = [
        {"type": "Split", "pattern": split, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    ]
    document = {
        "version": "1.0",
        "added_tokens": [
            {"id": i, "content": tokens[i], **flags, "special": kinds[i] == proto.CONTROL}
            for i in added
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "model": {"type": "BPE", "ignore_merges": takes_whole, "vocab": vocab, "merges": merges},
    }
    return json.dumps(document).encode()
