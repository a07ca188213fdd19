r"""Named split patterns, quoted from where each is defined.

Every one cuts every text without a gap. `toktk.pretokenizers.syntax.portable` gives a text of each
that Oniguruma (Hugging Face tokenizers) reads like the `regex` library and tiktoken do.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from toktk.registry import Registry

PATTERNS: dict[str, str] = {
    # The GPT-2 release, src/encoder.py; the ByteLevel pretokenizer of Hugging Face tokenizers.
    # tiktoken's r50k_base and p50k_base write the same in a form that runs faster.
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    # tiktoken 0.14, tiktoken_ext/openai_public.py, cl100k_base. Earlier releases had what is now
    # llama3; they differ at the end of a text alone, where this keeps "\n " in one piece.
    "cl100k": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
        r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    ),
    # tiktoken 0.14, tiktoken_ext/openai_public.py, o200k_base (and o200k_harmony).
    "o200k": (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    # tokenizer.json of the Llama 3 models.
    "llama3": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    # tokenizer.json of the Qwen2, Qwen2.5 and Qwen3 models: llama3 with each digit alone.
    "qwen2": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    # Words with the space before them; the last space of a run goes to the word, as in gpt2.
    "whitespace": r" ?\S+|\s+(?!\S)|\s+",
    # SentencePiece's units: a space begins a piece, every space, and nothing else does.
    "metaspace": r" [^ ]*|[^ ]+",
    # Cuts where a space follows another character, and nowhere else.
    "spaces": r" +[^ ]*|[^ ]+",
    # The whole document is one piece.
    "none": r"(?s:.+)",
}


class Cut(NamedTuple):
    """What a pattern does, in words, and whose it is."""

    of: str
    words: str
    digits: str
    spaces: str
    case: str


_LAST = "the last of a run goes to the word"
_IGNORED = "makes no difference"
_WITH_SIGN = "letters, with one space or sign before"
CUTS: dict[str, Cut] = {
    "gpt2": Cut("GPT-2, GPT-3", "letters, with one space before", "any number, with one space before",
                _LAST, "contractions in lower case alone"),
    "cl100k": Cut("GPT-3.5, GPT-4", _WITH_SIGN, "up to three", _LAST, _IGNORED),
    "o200k": Cut("GPT-4o, GPT-5", "letters, marks and contractions, with one space or sign before",
                 "up to three", _LAST, "cut where a capital follows a small letter"),
    "llama3": Cut("Llama 3", _WITH_SIGN, "up to three", _LAST, _IGNORED),
    "qwen2": Cut("Qwen2, Qwen2.5, Qwen3", _WITH_SIGN, "each alone", _LAST, _IGNORED),
    "whitespace": Cut("", "what is no white space, with one space before", "part of words", _LAST, _IGNORED),
    "metaspace": Cut("SentencePiece", "what is no space, with one space before", "part of words",
                     "each begins a piece", _IGNORED),
    "spaces": Cut("", "what is no space, with all spaces before", "part of words",
                  "a run begins a piece", _IGNORED),
    "none": Cut("", "a document is one piece", "part of it", "part of it", _IGNORED),
}  # fmt: skip

OTHER_NAMES: dict[str, str] = {
    "gpt-3": "gpt2", "r50k_base": "gpt2", "p50k_base": "gpt2",
    "gpt-3.5-turbo": "cl100k", "gpt-4": "cl100k", "cl100k_base": "cl100k",
    "gpt-4o": "o200k", "gpt-4.1": "o200k", "gpt-5": "o200k", "o200k_base": "o200k",
    "gpt-oss": "o200k", "o200k_harmony": "o200k",
    "llama-3.1": "llama3", "llama-3.2": "llama3", "qwen2.5": "qwen2", "qwen3": "qwen2",
    "sentencepiece": "metaspace",
}  # fmt: skip
"""What is asked for where a pattern is meant: models, and encodings of tiktoken."""

DEFAULT_PRETOKENIZER = "o200k"

_THREES = r"|\p{N}{1,3}|"
"""What cuts numbers in o200k: threes from the left."""

_DIGITS = {
    "o200k-digits-1": r"|\p{N}|",
    # Threes from the right, so that each holds the same places of the number. Behind 510 digits, which
    # bounds what is looked at, threes from the left, down to the last 510.
    "o200k-digits-r3": r"|\p{N}{1,3}(?=(?:\p{N}{3}){0,169}(?!\p{N}))|\p{N}{1,3}|",
    "o200k-digits-all": r"|\p{N}+|",
}
PATTERNS |= {name: PATTERNS["o200k"].replace(_THREES, cut) for name, cut in _DIGITS.items()}
_SAID = {
    "o200k-digits-1": "each alone",
    "o200k-digits-r3": "threes from the right",
    "o200k-digits-all": "any number",
}
CUTS |= {name: CUTS["o200k"]._replace(of="", digits=said) for name, said in _SAID.items()}

PUBLISHED = (
    # tokenizer.json of DeepSeek-V3 and its successors: numbers, Chinese and Japanese, then all else.
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^"""
    "\r\n"
    r"\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+["
    "\r\n"
    r"]*|\s*["
    "\r\n"
    r"]+|\s+(?!\S)|\s+",
)
"""Patterns of published tokenizers that have no name here."""

PRETOKENIZERS = Registry(
    "toktk.pretokenizers",
    PATTERNS,
    accepts=lambda target: isinstance(target, str) or callable(target),
    expected="a pattern (str) or a callable that returns a Pretokenizer",
)


def name_of(pattern: str) -> str:
    """Return the name of a known pattern, or one after the hash of any other text: ``regex-1f0c93a2``."""
    known = {text: name for name, text in PATTERNS.items()}
    return known.get(pattern, f"regex-{text_hash(pattern)[:8]}")


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text, which may hold surrogates, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
