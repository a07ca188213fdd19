"""Published ranks for tiktoken: ``.tiktoken`` files, a token in base64 and its rank on each line.

Pattern and special tokens are not in the file. tiktoken itself knows those of OpenAI's encodings, and
the file's name says which one it is; otherwise they are read from ``<name>.tiktoken.json`` beside it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk.errors import FormatError, PatternError
from toktk.formats.files import is_text, read_bytes, read_json
from toktk.models.pairs import PairModel
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import exported_pretokenizer, leaves_gaps
from toktk.pretokenizers.patterns import PATTERNS, resolve
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

_END, _PROMPT = "<|endoftext|>", "<|endofprompt|>"
_MIDDLE = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_HARMONY = {
    "<|startoftext|>": 199_998,
    _END: 199_999,
    "<|return|>": 200_002,
    "<|constrain|>": 200_003,
    "<|channel|>": 200_005,
    "<|start|>": 200_006,
    "<|end|>": 200_007,
    "<|message|>": 200_008,
    "<|call|>": 200_012,
    _PROMPT: 200_018,
}
_RESERVED = set(range(200_000, 201_088)).difference(_HARMONY.values())
_HARMONY |= {f"<|reserved_{i}|>": i for i in sorted(_RESERVED)}
# By the name of the file: the name of the pattern, and the special tokens; as tiktoken 0.14 has them.
ENCODINGS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "gpt2": ("gpt2", {_END: 50_256}),
    "r50k_base": ("gpt2", {_END: 50_256}),
    "p50k_base": ("gpt2", {_END: 50_256}),
    "p50k_edit": ("gpt2", {_END: 50_256, **dict(zip(_MIDDLE, range(50_281, 50_284), strict=True))}),
    "cl100k_base": (
        "cl100k",
        {
            _END: 100_257,
            **dict(zip(_MIDDLE, range(100_258, 100_261), strict=True)),
            _PROMPT: 100_276,
        },
    ),
    "o200k_base": ("o200k", {_END: 199_999, _PROMPT: 200_018}),
    "o200k_harmony": ("o200k", _HARMONY),
}


@dataclass(frozen=True)
class RankFile:
    """What a file says: all that ``tiktoken.Encoding`` takes.

    Attributes:
        path: the file, for messages.
        name: by default that of the tokenizer.
        pattern: the split pattern.
        ranks: {token: rank}; the rank is the id, less `shift`.
        special_tokens: {name: id}.
        shift: what is added to each rank.
    """

    path: Path
    name: str
    pattern: str
    ranks: Mapping[bytes, int]
    special_tokens: Mapping[str, int]
    shift: int = 0

    def tokenizer(self, name: str | None = None) -> Tokenizer:
        """Return the tokenizer that gives the ids that tiktoken gives.

        Raises:
            FormatError: no such vocabulary, or a pattern that leaves text between its matches, which
                tiktoken drops.
        """
        ids = {token: rank + self.shift for token, rank in self.ranks.items()}
        try:
            model = PairModel.from_ranks(ids, self.special_tokens)
            pretokenizer = _pretokenizer(self.pattern)
        except (FormatError, PatternError) as error:
            raise FormatError(f"cannot read {self.path}.", f"Found: {error}") from error
        return Tokenizer(name or self.name, pretokenizer, model)


def _pretokenizer(pattern: str) -> Pretokenizer:
    if leaves_gaps(compile_pattern(pattern)):
        raise FormatError(f"the pattern {pattern!r} does not match everywhere.")
    try:
        return exported_pretokenizer(pattern)
    except FormatError:
        return Pretokenizer(*resolve(pattern))


def read_ranks(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read a published ``.tiktoken`` file; every id is given as tiktoken gives it.

    Args:
        path: the file.
        name: by default that of the encoding.

    Raises:
        FormatError: see `rank_file` and `RankFile.tokenizer`.
    """
    return rank_file(Path(path)).tokenizer(name)


def rank_file(path: Path) -> RankFile:
    """Return what a ``.tiktoken`` file holds, with pattern and special tokens.

    Raises:
        FormatError: the file is missing or damaged, or nothing says what its pattern is.
    """
    beside = path.with_name(f"{path.name}.json")
    ranks = parse_ranks(path)
    if beside.exists():
        return _with_arguments(path, beside, ranks)
    if path.stem not in ENCODINGS:
        raise FormatError(
            f"cannot read {path}: a .tiktoken file without its pattern.",
            f"Found: neither {beside.name} nor the name of an encoding: {', '.join(ENCODINGS)}.",
            f'Write {{"pat_str": "…", "special_tokens": {{"<|endoftext|>": {len(ranks)}}}}} there.',
        )
    pattern, special_tokens = ENCODINGS[path.stem]
    return RankFile(path, path.stem, PATTERNS[pattern], ranks, special_tokens)


def _with_arguments(path: Path, beside: Path, ranks: dict[bytes, int]) -> RankFile:
    arguments = read_json(beside)
    name = arguments.get("name", path.stem)
    pattern: Any = arguments.get("pat_str")
    special_tokens = arguments.get("special_tokens", {})
    sound = {
        "name": is_text(name),
        "pat_str": is_text(pattern),
        "special_tokens": isinstance(special_tokens, dict)
        and all(is_text(key) and type(i) is int for key, i in special_tokens.items()),
    }
    for field, is_sound in sound.items():
        if not is_sound:
            found = json.dumps(arguments.get(field))[:80]
            raise FormatError(f"{beside} is damaged: {field}.", f"Found: {found}.")
    return RankFile(path, name, pattern, ranks, special_tokens)


def parse_ranks(path: Path) -> dict[bytes, int]:
    """Return {token: rank} of a ``.tiktoken`` file.

    Raises:
        FormatError: it is missing, or a line is no new token with its rank; the error names the line.
    """
    lines = read_bytes(path).splitlines()
    if not lines or {line.count(b" ") for line in lines} != {1}:
        return _each_rank(path, lines)
    flat = b" ".join(lines).split(b" ")
    numbers = flat[1::2]
    if not b"".join(numbers).isdigit() or not set(map(len, numbers)) <= set(range(1, 10)):
        return _each_rank(path, lines)
    try:
        tokens = [binascii.a2b_base64(token, strict_mode=True) for token in flat[::2]]
    except binascii.Error:
        return _each_rank(path, lines)
    ranks = dict(zip(tokens, map(int, numbers), strict=True))
    return ranks if len(ranks) == len(lines) and b"" not in ranks else _each_rank(path, lines)


def _each_rank(path: Path, lines: list[bytes]) -> dict[bytes, int]:
    """Read line by line, which takes longer, to name the one that is damaged."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, start=1):
        token, _, rank = line.partition(b" ")
        try:
            piece = base64.b64decode(token, validate=True)
        except binascii.Error:
            piece = b""
        if not piece or piece in ranks or not re.fullmatch(rb"\d{1,9}", rank):
            raise FormatError(
                f"{path} is damaged: line {number}.",
                f"Found: {line[:80]!r}.",
                "Each line is a new token in base64, a space and its rank.",
            )
        ranks[piece] = int(rank)
    return ranks
