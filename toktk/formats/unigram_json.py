"""The model in ``tokenizer.json`` where it is Unigram.

The library searches the best path as toktk does: float64 sums from left to right, the first of
equal paths stays. But it finds *every* entry of its vocabulary in text, by its score: the names of
special tokens, and with byte fallback also ``<0x41>``. No path may ever use those.

Byte-level, a score far below all others does it: the path over single bytes, which always exists,
is better. With byte fallback it would not do, since an unknown character costs 10 less than the
lowest score in the file, whatever entry has that score. There scores are lifted: each token's by
256 for each of its characters. All paths through a piece gain the same, so the best stays the best.
The lowest lifted score is to be the lowest real score plus 256, so that an unknown character, being
one character, has its cost. Entries of that score whose names have two characters or more are below
any path over single characters, since each of their other characters lacks 256.

Then the library joins neighboring unknown characters and looks *them* up by name before it spells
them by bytes. So of each such name at least one character must be a token.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from toktk.errors import FormatError
from toktk.formats.fallback import byte_names, is_matched, on_grid, token_names
from toktk.formats.fields import Fields, check_distinct, has_surrogate, short
from toktk.models.bpe import byte_characters
from toktk.models.unigram import UNKNOWN_PENALTY, UnigramModel
from toktk.models.vocabulary import packed

_LIFT = 256.0
_NEVER = -1e9
_FILE = "tokenizer.json"


def write_unigram(model: UnigramModel) -> dict[str, Any]:
    """Return the object under ``model``.

    Raises:
        FormatError: names or scores that would change ids there.
    """
    names, scores = _byte_level(model) if model.fallback is None else _with_fallback(model)
    check_distinct(names, model.special_tokens, _FILE)
    return {
        "type": "Unigram",
        "unk_id": _unknown_id(model),
        "vocab": [list(entry) for entry in zip(names, scores, strict=True)],
        "byte_fallback": model.fallback is not None,
    }


def unigram_notes(model: UnigramModel) -> tuple[str, ...]:
    """Return where ids can differ in Hugging Face tokenizers; nowhere if scores are on the grid."""
    if on_grid(model.scores[is_matched(model)]):
        return ()
    return (
        "tokenizer.json: the scores are no multiples of 2**-10. Hugging Face tokenizers reads long "
        "decimals to within their last digit, so where two paths have equal sums, ids can differ.",
    )


def _byte_level(model: UnigramModel) -> tuple[list[str], list[float]]:
    characters = byte_characters()
    n = len(model.special_tokens)
    names = [*model.special_tokens]
    names += ["".join([characters[b] for b in token]) for token in model.tokens[n:]]
    lowest = float(model.scores.min())
    if any(len(name) * lowest <= _NEVER for name in model.special_tokens):
        raise FormatError(
            f"cannot write {_FILE}: scores are too low.", f"Found: {lowest}, at least {_NEVER}."
        )
    return names, [_NEVER] * n + model.scores.tolist()


def _with_fallback(model: UnigramModel) -> tuple[list[str], list[float]]:
    names = token_names(model)
    matched = is_matched(model)
    _check_fallback(model, names)
    n = len(model.special_tokens)
    lengths = np.array([len(name) for name in names[n:]])
    lowest = float(model.scores[matched].min(initial=0.0))
    scores = np.where(matched, model.scores + _LIFT * lengths, lowest + _LIFT)
    return names, [lowest + _LIFT] * n + scores.tolist()


def _check_fallback(model: UnigramModel, names: list[str]) -> None:
    """Refuse what would make the library use a special token or a byte's token for text."""
    scores = model.scores[is_matched(model)]
    # Two unknown characters must cost more than any token of two, and 256 for each further
    # character more than unknown characters do.
    if scores.max(initial=0.0) > 0 or scores.min(initial=0.0) <= 2 * UNKNOWN_PENALTY - _LIFT:
        raise FormatError(
            f"cannot write {_FILE}: scores with byte fallback must be above "
            f"{2 * UNKNOWN_PENALTY - _LIFT:g} and at most 0.",
            f"Found: {scores.min():g} to {scores.max():g}.",
        )
    single = {name for name in names[len(model.special_tokens) :] if len(name) == 1}
    for name in (*model.special_tokens, *byte_names()):
        if len(name) == 1:
            raise FormatError(
                f"cannot write {_FILE}: the special token {name!r} is a single character.",
                "Found: Hugging Face's Unigram would take it for a token of text.",
            )
        if single.isdisjoint(name):
            raise FormatError(
                f"cannot write {_FILE}: no character of {name} is a token by itself.",
                "Found: Hugging Face's Unigram joins unknown characters, and would take these for "
                "the token of that name.",
                "Train with a character coverage that includes one of them.",
            )


def _unknown_id(model: UnigramModel) -> int | None:
    """Return the id that marks unknown characters; never given out, for bytes take their place."""
    if model.fallback is None:
        return None
    if "<unk>" in model.special_tokens:
        return model.special_tokens.index("<unk>")
    return int(model.fallback[0])


def read_unigram(
    fields: Fields, holder: dict[str, Any], special_tokens: tuple[str, ...], byte_level: bool
) -> UnigramModel:
    """Return the model that the object under ``model`` describes.

    Raises:
        FormatError: another shape; the error names the field.
    """
    if holder.get("byte_fallback", False) is not (not byte_level):
        found, wanted = short(holder.get("byte_fallback")), "true, or ByteLevel: one of the two"
        raise fields.error("model.byte_fallback", found, wanted)
    names, scores = _vocabulary(fields, holder.get("vocab"), special_tokens)
    try:
        read = _read_byte_level if byte_level else _read_with_fallback
        model = read(fields, names, scores, special_tokens)
        model.check()
        return model
    except FormatError as error:
        if str(fields.path) in str(error):
            raise
        wanted = "a vocabulary as toktk writes it"
        raise fields.error("model.vocab", str(error), wanted) from error


def _vocabulary(
    fields: Fields, value: Any, special_tokens: tuple[str, ...]
) -> tuple[list[str], list[float]]:
    names: list[str] = []
    scores: list[float] = []
    for i, entry in enumerate(fields.as_list(value, "model.vocab")):
        pair: list[Any] = entry if isinstance(entry, list) and len(entry) == 2 else [None, None]
        name, score = pair
        # Integers beyond float64 would not convert; no score is near them.
        sound = type(score) in (int, float) and abs(score) < 1e300 and math.isfinite(score)
        if not isinstance(name, str) or not name or has_surrogate(name) or not sound:
            raise fields.error(f"model.vocab[{i}]", short(entry), "a token and its score")
        names.append(name)
        scores.append(float(score))
    for i, name in enumerate(special_tokens):
        if names[i : i + 1] != [name]:
            found = short(names[i] if i < len(names) else None)
            raise fields.error(f"model.vocab[{i}]", found, f"the special token {short(name)}")
    if len(set(names)) < len(names):
        raise fields.error("model.vocab", "a token listed twice", "different tokens")
    return names, scores


def _read_byte_level(
    fields: Fields, names: list[str], scores: list[float], special_tokens: tuple[str, ...]
) -> UnigramModel:
    n = len(special_tokens)
    byte_of = {character: b for b, character in enumerate(byte_characters())}
    tokens = []
    for i, name in enumerate(names[n:], start=n):
        if not byte_of.keys() >= set(name):
            wanted = "characters that stand for bytes"
            raise fields.error(f"model.vocab[{i}]", short(name), wanted)
        tokens.append(bytes([byte_of[character] for character in name]))
    model = UnigramModel(special_tokens, *packed(tokens), np.array(scores[n:]))
    lowest = float(model.scores.min())
    for i, name in enumerate(special_tokens):
        if scores[i] >= len(name) * lowest and byte_of.keys() >= set(name):
            wanted = "a score with which the special token is never used for text"
            raise fields.error(f"model.vocab[{i}]", f"{short(name)} with {scores[i]}", wanted)
    return model


def _read_with_fallback(
    fields: Fields, names: list[str], scores: list[float], special_tokens: tuple[str, ...]
) -> UnigramModel:
    n = len(special_tokens)
    ids = {name: i for i, name in enumerate(names)}
    for name in byte_names():
        if ids.get(name, -1) < n:
            raise fields.error("model.vocab", f"no {name}", "a token for each byte")
    fallback = np.array([ids[name] for name in byte_names()])
    byte_at = {i: b for b, i in enumerate(fallback.tolist())}
    lengths = np.array([len(name) for name in names])
    real = np.array(scores) - _LIFT * lengths
    matched = np.ones(len(names), dtype=np.bool_)
    matched[:n] = matched[fallback] = False
    lowest = float(real[matched].min(initial=0.0))
    real[fallback] = 0.0
    wrong = np.flatnonzero(~matched & (np.array(scores) != lowest + _LIFT))
    if wrong.size:
        raise fields.error(
            f"model.vocab[{wrong[0]}]",
            f"{short(names[wrong[0]])} with {scores[wrong[0]]}",
            f"{lowest + _LIFT}, with which it is never used for text",
        )
    tokens = [
        bytes([byte_at[i]]) if i in byte_at else name.encode()
        for i, name in enumerate(names[n:], start=n)
    ]
    model = UnigramModel(special_tokens, *packed(tokens), real[n:], fallback)
    _check_fallback(model, names)
    return model
