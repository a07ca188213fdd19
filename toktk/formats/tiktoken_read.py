"""Published ranks for tiktoken: ``.tiktoken`` files, a token in base64 and its rank on each line.

Pattern and special tokens are not in the file. tiktoken itself knows those of OpenAI's encodings, and
the file's name says which one it is; otherwise they are read from ``<name>.tiktoken.json`` beside it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk.errors import FormatError, PatternError
from toktk.formats.fields import NotNative, Parts, is_text, parse_json, read_bytes, short
from toktk.formats.tokens import in_own_order
from toktk.models.pairs import PairModel
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import leaves_gaps, named_pretokenizer
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

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
        pattern: the split pattern.
        ranks: {token: rank}; the rank is the id, less `shift`.
        special_tokens: {name: id}.
        shift: what is added to each rank.
        name: of the encoding, where the file says one.
    """

    path: Path
    pattern: str
    ranks: Mapping[bytes, int]
    special_tokens: Mapping[str, int]
    shift: int = 0
    name: str = ""

    @property
    def ids(self) -> Mapping[bytes, int]:
        """{token: id}."""
        if not self.shift:
            return self.ranks
        return {token: rank + self.shift for token, rank in self.ranks.items()}

    def parts(self) -> Parts:
        """Return the pretokenizer and the model that give the ids that tiktoken gives.

        The model is a BpeModel where ids lie as toktk lays them out, and merging makes every token.

        Raises:
            NotNative: a pattern that toktk cannot run, or one that leaves text between its matches, which
                tiktoken drops.
            FormatError: ids that are no vocabulary.
        """
        try:
            model = PairModel.from_ranks(self.ids, self.special_tokens)
        except FormatError as error:
            raise FormatError(f"cannot read {self.path}.", f"Found: {error}") from error
        pretokenizer = _pretokenizer(self.pattern)
        own = None
        if not model.whole.any():
            merges = model.pairs[:, :3]
            own = in_own_order(self.special_tokens, model.byte_ids, merges, model.vocab_size)
        return pretokenizer, own or model


def _pretokenizer(pattern: str) -> Pretokenizer:
    try:
        gaps = leaves_gaps(compile_pattern(pattern))
    except PatternError as error:
        raise NotNative(f"split pattern: {str(error).splitlines()[0]}") from error
    if gaps:
        raise NotNative(f"the split pattern {pattern!r} does not match everywhere")
    return named_pretokenizer(pattern)


def arguments_path(path: Path) -> Path:
    """Return the file beside a ``.tiktoken`` that holds the other arguments of ``tiktoken.Encoding``."""
    return path.with_name(f"{path.name}.json")


def rank_file(path: Path, raw: bytes | None = None) -> RankFile:
    """Return what a ``.tiktoken`` file holds, with pattern and special tokens.

    Args:
        path: the file.
        raw: its bytes, where they were read before.

    Raises:
        FormatError: the file is missing or damaged, or nothing says what its pattern is.
    """
    ranks = parse_ranks(read_bytes(path) if raw is None else raw, path)
    beside = arguments_path(path)
    if beside.exists():
        return _with_arguments(path, beside, ranks)
    if path.stem not in ENCODINGS:
        raise FormatError(
            f"cannot read {path}: a .tiktoken file without its pattern.",
            f"Found: neither {beside.name} nor the name of an encoding: {', '.join(ENCODINGS)}.",
            f'Write {{"pat_str": "…", "special_tokens": {{"<|endoftext|>": {len(ranks)}}}}} there.',
        )
    pattern, special_tokens = ENCODINGS[path.stem]
    return RankFile(path, PATTERNS[pattern], ranks, special_tokens, name=path.stem)


def _with_arguments(path: Path, beside: Path, ranks: Mapping[bytes, int]) -> RankFile:
    """Return `ranks` with the other arguments of ``tiktoken.Encoding``; only `pat_str` must be there."""
    arguments = parse_json(read_bytes(beside), beside)
    name = arguments.get("name", path.stem)
    pattern: Any = arguments.get("pat_str")
    special_tokens = arguments.get("special_tokens", {})
    sound = {
        "name": isinstance(name, str),
        "pat_str": is_text(pattern),
        "special_tokens": isinstance(special_tokens, dict)
        and all(is_text(key) and type(i) is int for key, i in special_tokens.items()),
        "explicit_n_vocab": type(arguments.get("explicit_n_vocab") or 0) is int,
    }
    for field, is_sound in sound.items():
        if not is_sound:
            found = short(arguments.get(field))
            raise FormatError(f"{beside} is damaged: {field}.", f"Found: {found}.")
    size = arguments.get("explicit_n_vocab")
    ids = {*ranks.values(), *special_tokens.values()}
    n = len(ranks) + len(special_tokens)
    if size and (size != n or len(ids) != n or not 0 <= min(ids) <= max(ids) < n):
        raise FormatError(
            f"{path} and {beside.name} do not belong together.",
            f"Found: {len(ranks):,} ranks and {len(special_tokens):,} special tokens.",
            f"Together they must be the ids 0 to {size - 1:,}, each once.",
        )
    return RankFile(path, pattern, ranks, special_tokens, name=name)


def parse_ranks(raw: bytes, path: Path) -> dict[bytes, int]:
    """Return {token: rank} of a ``.tiktoken`` file.

    Raises:
        FormatError: a line is no new token with its rank, which the error names; or a byte has none.
    """
    lines = raw.splitlines()
    ranks = _all_ranks(lines) or _each_rank(path, lines)
    missing = next((b for b in range(256) if bytes([b]) not in ranks), None)
    if missing is not None:
        raise FormatError(f"{path} is damaged.", f"Found: no rank for the byte {missing:#04x}.")
    return ranks


def _all_ranks(lines: list[bytes]) -> dict[bytes, int] | None:
    """Read all lines at once; None if one is damaged."""
    flat = b" ".join(lines).split(b" ")
    numbers = flat[1::2]
    if {line.count(b" ") for line in lines} != {1} or not b"".join(numbers).isdigit():
        return None
    if not set(map(len, numbers)) <= set(range(1, 10)):
        return None
    try:
        tokens = [binascii.a2b_base64(token, strict_mode=True) for token in flat[::2]]
    except binascii.Error:
        return None
    ranks = dict(zip(tokens, map(int, numbers), strict=True))
    return ranks if len(ranks) == len(lines) and b"" not in ranks else None


def _each_rank(path: Path, lines: list[bytes]) -> dict[bytes, int]:
    """Read line by line, which takes longer, to name the one that is damaged."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(lines, start=1):
        token, _, rank = line.partition(b" ")
        piece = base64_token(token)
        if not piece or piece in ranks or not re.fullmatch(rb"\d{1,9}", rank):
            raise FormatError(
                f"{path} is damaged: line {number}.",
                f"Found: {line[:80]!r}.",
                "Each line is a new token in base64, a space and its rank.",
            )
        ranks[piece] = int(rank)
    return ranks


def base64_token(text: bytes) -> bytes:
    """Return the token that base64 stands for; empty where it is malformed."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
