"""The names that ids are reserved for before anything is learned: special tokens and symbols."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from toktk.errors import TrainingError, clipped
from toktk.formats.hf_added import hidden_name
from toktk.models.bpe import byte_characters
from toktk.normalizers.normalizer import IDENTITY, arises
from toktk.pretokenizers.pretokenizer import Pretokenizer

MAX_NAME = 1000
"""How many characters a special token or a symbol may have."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_names(what: str, names: Sequence[str]) -> None:
    """Refuse special tokens or symbols of which one is listed twice, or is no name."""
    for name in [names] if isinstance(names, str) else names:
        _check_name(what, name)
    if isinstance(names, str) or len(set(names)) < len(names):
        raise TrainingError(
            f"{what}s must be different from each other, in a list of names.",
            f"Found: {', '.join(map(clipped, list(names)[:20]))}.",
            "Give each of them once.",
        )


def _check_name(what: str, name: object) -> None:
    """Refuse the name of a special token or symbol that no file can hold, or that nobody can mean."""
    fault = ""
    if not isinstance(name, str) or not name:
        fault = f"{name!r:.80}, and a name is text that is not empty"
    elif _SURROGATE.search(name):
        fault = "a byte that is no UTF-8, or a lone surrogate"
    elif len(name) > MAX_NAME:
        fault = f"{len(name):,} characters, of at most {MAX_NAME:,}"
    if fault:
        shown = clipped(name) if isinstance(name, str) else repr(type(name).__name__)
        raise TrainingError(
            f"{shown} cannot be a {what}.",
            f"Found: {fault}.",
            "Give it another name, such as '<|endoftext|>'.",
        )


def check_symbols(
    symbols: Sequence[str], special_tokens: Sequence[str], pretokenizer: Pretokenizer
) -> None:
    """Refuse symbols that some library would not find exactly where toktk does."""
    name = fault = ""
    if both := set(special_tokens).intersection(symbols):
        name, fault = min(both), "it is a special token as well, which is never found in text"
    elif special_tokens and symbols:
        name = hidden_name(special_tokens, symbols) or ""
        fault = name and "libraries look for special tokens too, and one of them begins before it"
    form = pretokenizer.normalizer.form
    if not fault and form is not None:
        plain = replace(pretokenizer, normalizer=IDENTITY)
        whole = (s for s in symbols if len(plain.cut(s)) == 1 and arises(form, s))
        name = next(whole, "")
        fault = name and f"{form} makes it of other text, where it would not be a symbol"
    if fault:
        raise TrainingError(
            f"{clipped(name)} cannot be a symbol.",
            f"Found: {fault}.",
            "Leave it out, or give it another name.",
        )


def check_not_bytes(symbols: Sequence[str], trainer: str) -> None:
    """Refuse symbols that the names of bytes take in a vocabulary over bytes, which `trainer` makes."""
    for name in symbols:
        if name in byte_characters():
            raise TrainingError(
                f"{clipped(name)} cannot be a symbol of {trainer}.",
                "Found: its vocabulary is over bytes, and in tokenizer.json that is a byte's name.",
                "Leave it out; a pattern that cuts it off keeps it a token by itself.",
            )
