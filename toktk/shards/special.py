"""The special tokens between documents: from names to ids."""

from __future__ import annotations

from toktk.errors import FormatError, clipped, did_you_mean
from toktk.models.model import special_ids_of
from toktk.models.symbols import symbols_of
from toktk.tokenizer import Tokenizer

_SHOWN = 10


def special_id(tokenizer: Tokenizer, name: str) -> int:
    """Return the id of a special token or a symbol.

    Raises:
        FormatError: the tokenizer has none of that name; the error names those that it has.
    """
    model = tokenizer.model
    ids = dict(zip(model.special_tokens, special_ids_of(model).tolist(), strict=True))
    if symbols := symbols_of(model):
        tokens = model.tokens
        ids |= {symbol: tokens.index(symbol.encode()) for symbol in symbols}
    if name in ids:
        return int(ids[name])
    shown = ", ".join(map(clipped, [*ids][:_SHOWN])) + (", …" if len(ids) > _SHOWN else "")
    raise FormatError(
        f"{tokenizer.name} has no special token {clipped(name)}{did_you_mean(name, ids)}.",
        f"Found: {shown or 'no special token at all'}.",
        "Name one of them, or leave --bos and --eos out." if ids else "Leave --bos and --eos out.",
    )
