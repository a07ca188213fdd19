"""The model in ``tokenizer.json`` where it is byte-level BPE.

The library encodes by the same rule as toktk (lowest rank first, listed pairs only), so the ids
are equal by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toktk.formats.fields import Fields, check_distinct, short
from toktk.models.bpe import BpeModel, byte_characters, byte_order

# Each of these, where it is neither absent, null nor what stands here, would change ids.
_NEUTRAL: dict[str, object] = {
    "dropout": 0.0,
    "unk_token": None,
    "continuing_subword_prefix": "",
    "end_of_word_suffix": "",
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": False,
}


def write_bpe(model: BpeModel) -> dict[str, Any]:
    """Return the object under ``model``.

    Raises:
        FormatError: a special token is spelled like an ordinary one.
    """
    characters = byte_characters()
    n = len(model.special_tokens)
    names = [*model.special_tokens]
    names += ["".join([characters[b] for b in token]) for token in model.tokens[n:]]
    check_distinct(names, model.special_tokens, "tokenizer.json")
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": dict(zip(names, range(len(names)), strict=True)),
        "merges": [[names[left], names[right]] for left, right, _ in model.merges.tolist()],
    }


def read_bpe(fields: Fields, holder: dict[str, Any], special_tokens: tuple[str, ...]) -> BpeModel:
    """Return the model that the object under ``model`` describes.

    Raises:
        FormatError: another shape; the error names the field.
    """
    fields.check_neutral(holder, _NEUTRAL, "model.")
    vocab = _vocabulary(fields, holder.get("vocab"), special_tokens)
    size = len(special_tokens) + 256
    listed = fields.as_list(holder.get("merges"), "model.merges")
    merges = _merges(fields, listed, vocab, size)
    model = BpeModel(special_tokens, np.array(merges, dtype=np.int64).reshape(-1, 3))
    if model.vocab_size < len(vocab):
        rest = next(name for name, i in vocab.items() if i == model.vocab_size)
        found = f"no merge makes {short(rest)}"
        raise fields.error("model.vocab", found, "one merge for each token")
    return model


def _vocabulary(fields: Fields, value: Any, special_tokens: tuple[str, ...]) -> dict[str, int]:
    vocab: dict[str, int] = fields.as_object(value, "model.vocab")
    for name, i in vocab.items():
        if type(i) is not int or not 0 <= i < len(vocab):
            raise fields.error(
                f"model.vocab[{short(name)}]",
                short(i),
                f"the ids 0 to {len(vocab) - 1:,}, each once",
            )
    if len(set(vocab.values())) < len(vocab):
        raise fields.error("model.vocab", "an id given twice", f"{len(vocab):,} different ids")
    characters = byte_characters()
    first = [*special_tokens, *(characters[b] for b in byte_order())]
    for i, name in enumerate(first):
        if vocab.get(name) != i:
            raise fields.error(
                f"model.vocab[{short(name)}]",
                short(vocab.get(name)),
                f"{i}: special tokens, then the 256 bytes in the order of their characters",
            )
    return vocab


def _merges(
    fields: Fields, value: Sequence[Any], vocab: dict[str, int], size: int
) -> list[tuple[int, int, int]]:
    """Return (left, right, new) by rank; `size` is what special tokens and bytes take."""
    ordinary = range(size - 256, size)
    merges: dict[tuple[int, int], int] = {}
    for rank, entry in enumerate(value):
        field = f"model.merges[{rank}]"
        pair = entry.split(" ") if isinstance(entry, str) else entry
        if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
            raise fields.error(field, short(entry), "two tokens")
        left, right = (vocab.get(text, -1) for text in pair)
        if left not in ordinary or right not in ordinary:
            text = pair[left in ordinary]
            raise fields.error(field, f"{short(text)}, made by no earlier merge", "made tokens")
        new = vocab.get(pair[0] + pair[1], -1)
        if new not in ordinary and new != ordinary.stop:
            found = f"{short(pair[0] + pair[1])} has {f'id {new}' if new >= 0 else 'no id'}"
            raise fields.error(field, found, f"ids in the order of merges, now {ordinary.stop}")
        if (left, right) in merges:
            raise fields.error(field, f"{short(pair)}, listed before", "each pair once")
        merges[left, right] = new
        ordinary = range(ordinary.start, max(ordinary.stop, new + 1))
    return [(left, right, new) for (left, right), new in merges.items()]
