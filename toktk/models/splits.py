"""The two tokens of the vocabulary that a token can be split into: what STOCHASTOK draws from."""

from __future__ import annotations

from typing import Any

import numpy as np

from toktk.errors import FormatError, clipped
from toktk.models.model import Int64, Model
from toktk.models.symbols import SymbolsModel


def splits_of(model: Model) -> Int64:
    """Return int64[n, 3]: id, left and right, of every two tokens that together spell the token of an id.

    Sorted by id, then by the length of the left one. Special tokens, symbols and the tokens of bytes that
    spell characters without a token are neither split nor parts.

    Raises:
        FormatError: two ids spell the same, as word-pieces at the beginning of a word and within do.
    """
    tokens = text_tokens(model)
    id_of = {token: i for i, token in tokens.items()}
    if len(id_of) < len(tokens):
        i, token = next((i, token) for i, token in tokens.items() if id_of[token] != i)
        raise FormatError(
            "the tokens of this vocabulary cannot be told apart by their bytes.",
            f"Found: ids {i} and {id_of[token]} are both {clipped(token)}.",
        )
    splits = [
        (i, id_of[token[:at]], id_of[token[at:]])
        for i, token in tokens.items()
        for at in range(1, len(token))
        if token[:at] in id_of and token[at:] in id_of
    ]
    return np.array(splits, dtype=np.int64).reshape(-1, 3)


def text_tokens(model: Model) -> dict[int, bytes]:
    """Return {id: bytes} of the tokens that text becomes for what they spell; see `splits_of`."""
    if isinstance(model, SymbolsModel):
        n = len(model.special_tokens) + model.n_symbols
        return {i: token for i, token in text_tokens(model.model).items() if i >= n}
    tokens, names = model.tokens, [name.encode() for name in model.special_tokens]
    special = _ids(model, "special_ids")
    if special is None:  # toktk's own models have them in front, a library's anywhere
        special = {*range(len(names))}
        if tokens[: len(names)] != names:
            unordered = {*names}
            special = {i for i, token in enumerate(tokens) if token in unordered}
    unmatched = _byte_fallback(model)
    return {
        i: token
        for i, token in enumerate(tokens)
        if token and i not in special and i not in unmatched
    }


def _byte_fallback(model: Any) -> set[int]:
    """Return the ids of bytes that only spell characters without a token."""
    if model.kind == "sentencepiece":  # as its trainer lays them out
        first = len(model.special_tokens)
        return {*range(first, first + 256)}
    fallback = _ids(model, "fallback")
    if fallback is None and (getattr(model, "characters", False) or hasattr(model, "spells")):
        fallback = _ids(model, "byte_ids")
    return fallback or set()


def _ids(model: Any, name: str) -> set[int] | None:
    ids = getattr(model, name, None)
    return None if ids is None else {int(i) for i in ids if i >= 0}
