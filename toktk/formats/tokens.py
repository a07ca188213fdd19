"""Tokens as files hold them: their names, and the order of their ids."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError, clipped
from toktk.formats.fields import has_surrogate
from toktk.models.bpe import BpeModel, byte_order
from toktk.models.model import Int64, Model
from toktk.models.pairs import PairModel
from toktk.models.symbols import SymbolsModel
from toktk.models.unigram import UnigramModel

MARK = "\u2581"  # SentencePiece's space; where toktk's models have a space
SPACE_IN_FRONT = "a space is put in front of a text"
SPACE_BY_BYTES = "a space that stands alone has no token, and is spelled by those of 3 bytes"
READ_AS_SPACE = "U+2581 in a text is read as a space: 3 bytes become 1"


@functools.cache
def byte_names() -> tuple[str, ...]:
    """Return the names by which libraries look up the tokens of bytes that byte fallback uses."""
    return tuple(f"<0x{b:02X}>" for b in range(256))


def fallback_names(model: UnigramModel) -> list[str]:
    """Return the name of every id: special tokens and bytes by theirs, the others as text."""
    if model.fallback is None or model.byte_score is not None:
        raise FormatError(
            "the libraries spell unknown characters by bytes, at 10 below the lowest score.",
            "Found: a model that does otherwise.",
        )
    name_of = dict(zip(model.fallback.tolist(), byte_names(), strict=True))
    name_of |= dict(enumerate(model.special_tokens))
    return [name_of[i] if i in name_of else token.decode() for i, token in enumerate(model.tokens)]


def on_grid(scores: npt.NDArray[np.float64]) -> bool:
    """Tell whether scores are multiples of 2**-10, whose sums are exact and whose decimals are short."""
    steps = scores * 1024.0
    return bool((steps == np.round(steps)).all() and (np.abs(scores) < 2.0**20).all())


def why_unheld(model: Model) -> str:
    """Return what to say of a model for which a format has no rule."""
    if isinstance(model, PairModel):
        return "Found: a published vocabulary, whose ids lie in no order that toktk writes."
    if isinstance(model, SymbolsModel):
        return f"Found: {model.n_symbols:,} symbols, which it would not find in text."
    return f"Found: a model of the kind {model.kind!r}, which encodes by another rule."


def check_special_tokens(names: Sequence[str]) -> None:
    """Refuse special tokens that no file in UTF-8 can hold: those with a lone surrogate."""
    for name in filter(has_surrogate, names):
        raise FormatError(
            f"cannot write the special token {clipped(name)}.",
            "Found: a lone surrogate, which has no UTF-8.",
        )


def check_distinct(names: Sequence[str], special_tokens: Sequence[str], file: str) -> None:
    """Refuse a vocabulary in which two ids have one name; special tokens come first in `names`."""
    if len(set(names)) == len(names):
        return
    n, ordinary = len(special_tokens), set(names[len(special_tokens) :])
    for name in special_tokens:
        if name in ordinary:
            raise FormatError(
                f"cannot write {file}: the special token {clipped(name)} is also an ordinary token.",
                "Found: the format keeps both in one dictionary.",
                "Give the special token a name that text does not hold.",
            )
    double = next(name for i, name in enumerate(names[n:]) if name in names[n : n + i])
    raise FormatError(
        f"cannot write {file}: two tokens would have the name {clipped(double)}.",
        "Found: the name of a byte's token, which is a token of text as well.",
    )


def in_own_order(
    special_tokens: Mapping[str, int], byte_ids: Int64, merges: Int64, n_ids: int
) -> BpeModel | None:
    """Return the model of `merges` if ids lie as toktk.models.bpe lays them out, else None.

    That is: special tokens, bytes in the order of their characters, then a token for each merge. A
    merge may spell a token again, and no pair is listed twice. `merges` is int64[n, 3]: left, right
    and new id, by rank; `n_ids` is the highest id and one.
    """
    names = sorted(special_tokens, key=special_tokens.__getitem__)
    n = len(names)
    if sorted(special_tokens.values()) != list(range(n)):
        return None
    if not np.array_equal(byte_ids[byte_order()], np.arange(n, n + 256)):
        return None
    # What is the highest id before the first merge, and after each?
    highest = np.maximum.accumulate(np.append(n + 255, merges[:, 2]))
    before = highest[:-1]
    in_order = (
        highest[-1] == n_ids - 1
        and bool((merges >= n).all())
        and bool((merges[:, :2] <= before[:, None]).all())
        and bool((merges[:, 2] <= before + 1).all())
        and np.unique(merges[:, 0] << 32 | merges[:, 1]).size == len(merges)
    )
    return BpeModel(tuple(names), np.ascontiguousarray(merges)) if in_order else None
