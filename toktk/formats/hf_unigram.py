"""Unigram in a ``tokenizer.json``: scores as the library reads them, and models over U+2581."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from toktk.errors import clipped
from toktk.formats.fields import Fields, NotNative, left_to_library, short
from toktk.formats.hf_added import Added
from toktk.formats.tokens import MARK, byte_names
from toktk.models.fused_unigram import FusedUnigramModel
from toktk.models.pairs import UNUSED_BYTES
from toktk.models.vocabulary import packed

_POWERS = [float(f"1e{exponent}") for exponent in range(309)]
_MOST = 2**64 - 1


def scores_of(raw: bytes) -> list[float]:
    """Return the scores of ``model.vocab`` as the library has them: see `decimal`."""
    vocab = json.loads(raw, parse_float=decimal)["model"]["vocab"]
    return [float(score) for _, score in vocab]


def decimal(text: str) -> float:
    """Return the float64 that the library reads; that of a long decimal is one beside the nearest.

    Its reader of JSON takes the digits as an integer of 64 bits, without those that do not fit, and then
    divides by a power of ten: two roundings, where Python has one. Where sums are nearly equal, that
    decides ids.
    """
    number, _, exponent = text.lstrip("-").lower().partition("e")
    whole, _, fraction = number.partition(".")
    digits = (whole + fraction).lstrip("0")
    kept = digits[:20] if int(digits[:20] or "0") <= _MOST else digits[:19]
    value = float(int(kept or "0"))
    power = int(exponent[:1000] or "0") + len(digits) - len(fraction) - len(kept)
    while abs(power) >= len(_POWERS) and value not in (0.0, float("inf")):
        value, power = (value * 1e308, power - 308) if power > 0 else (value / 1e308, power + 308)
    if abs(power) < len(_POWERS):
        value = value * _POWERS[power] if power >= 0 else value / _POWERS[-power]
    return -value if text.startswith("-") else value


def fused_model(
    fields: Fields, holder: dict[str, Any], names: Sequence[str], scores: list[float], added: Added
) -> FusedUnigramModel:
    """Return the model over `names`, whose spaces are U+2581."""
    if added.ordinary:
        raise NotNative(f"model Unigram with the added token {clipped(next(iter(added.ordinary)))}")
    unknown_id = holder.get("unk_id")
    if type(unknown_id) is not int or not 0 <= unknown_id < len(names):
        raise NotNative(f"model Unigram with model.unk_id {short(unknown_id)}")
    spells = fields.flag(holder, "model.byte_fallback")
    at = {name: i for i, name in enumerate(names)}
    byte_ids = np.array([at.get(name, -1) for name in byte_names()], dtype=np.int64)
    if spells:
        missing = np.delete(byte_ids, UNUSED_BYTES).min() < 0
        if missing or MARK not in at:  # a space is spelled by the bytes of U+2581
            raise NotNative(
                "model Unigram: model.vocab without a token for each byte and for U+2581"
            )
    special = dict(sorted(added.special.items(), key=lambda entry: entry[1]))
    n_ids = max(len(names), 1 + max(special.values(), default=-1))
    empty = n_ids - len(names)
    tokens = [name.replace(MARK, " ").encode() for name in names] + [b""] * empty
    matched = [" " not in name for name in names] + [False] * empty
    with left_to_library("model Unigram"):
        model = FusedUnigramModel(
            tuple(special),
            np.array([*special.values()], dtype=np.int64),
            *packed(tokens),
            np.array(scores + [0.0] * empty),
            np.array(matched),
            byte_ids,
            unknown_id,
            spells,
        )
        model.check()
    return model
