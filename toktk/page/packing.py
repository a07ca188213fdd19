"""Tokenizers packed for the page's own encoder, `encoder.js`, which gives the ids that toktk gives.

A pack is JSON: small facts as they are, arrays as planes of bytes (all lowest bytes, then the next), deflated
and in base64. Tokens that merges spell are not written out, so 128,000 merges take 550 kB.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.models.bpe import BpeModel, byte_order
from toktk.models.fused_unigram import FusedUnigramModel
from toktk.models.greedy import GreedyModel
from toktk.models.model import Model
from toktk.models.pairs import PairModel
from toktk.models.symbols import SymbolsModel
from toktk.models.unigram import UnigramModel
from toktk.normalizers.normalizer import STABLE, stability
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import NATIVE, Tokenizer
from toktk.visible import json_text

Pack = dict[str, Any]


class Unpackable(Exception):
    """A tokenizer that the page cannot run; the message says why."""


class _Arrays:
    """Arrays of numbers that share one deflated stream."""

    def __init__(self) -> None:
        self._heads: list[tuple[str, str, int]] = []
        self._planes: list[bytes] = []

    def add(self, name: str, values: npt.NDArray[Any], width: int) -> None:
        """Add whole numbers from 0 up to 256 ** `width`, or, where `width` is 0, float64."""
        if width == 0:
            self._heads.append((name, "f8", values.size))
            self._planes.append(np.ascontiguousarray(values, dtype="<f8").tobytes())
            return
        numbers = np.ascontiguousarray(values, dtype="<u8")
        if numbers.size and int(numbers.max()) >> (8 * width):
            raise Unpackable("a number in it is too large for the page")
        self._heads.append((name, f"u{width}", numbers.size))
        planes = numbers.view(np.uint8).reshape(-1, 8)[:, :width]
        self._planes.append(np.ascontiguousarray(planes.T).tobytes())

    def packed(self) -> Pack:
        """Return the heads (name, type, count) and the stream, in base64."""
        stream = zlib.compress(b"".join(self._planes), 9)
        return {"arrays": self._heads, "blob": base64.b64encode(stream).decode("ascii")}


def deflated(value: object) -> str:
    """Return JSON, deflated and in base64."""
    data = json_text(value, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def pack_tokenizer(tokenizer: Tokenizer, sizes: Mapping[str, int] | None = None) -> Pack:
    """Return a tokenizer as `encoder.js` reads it.

    Args:
        sizes: {label: number of ids} of tokenizers whose merges are the first ones of this BPE model; they
            come with it. By default it comes alone.

    Raises:
        Unpackable: the page cannot run it.
    """
    if tokenizer.engine != NATIVE:
        raise Unpackable(f"{tokenizer.engine} runs it, not toktk")
    pack = {"cut": _cut_of(tokenizer.pretokenizer), **_model(tokenizer.model)}
    if sizes is not None and isinstance(tokenizer.model, BpeModel):
        pack["sizes"] = {n: [size, tokenizer.model.merges_at(size)] for n, size in sizes.items()}
    return pack


def pack_counts(counts: Int64) -> Pack:
    """Return how often each id occurs, int64[ids], as ids that do and their counts."""
    ids = np.flatnonzero(counts)
    arrays = _Arrays()
    arrays.add("step", np.diff(ids, prepend=0), 3)
    arrays.add("count", counts[ids], 5)
    return arrays.packed()


def _cut_of(pretokenizer: Pretokenizer) -> Pack:
    normalizer = pretokenizer.normalizer
    pack: Pack = {
        "patterns": [
            _automaton(pattern, pretokenizer)
            for pattern in (*pretokenizer.before, pretokenizer.pattern)
        ],
        "added": sorted(set(pretokenizer.added), key=lambda s: s.encode()),
    }
    if normalizer.form is not None:
        # What the form leaves alone for certain stays; the browser normalizes what is between.
        changing = stability(normalizer.form) != STABLE
        pack["form"] = [normalizer.form, np.flatnonzero(np.diff(changing, prepend=False)).tolist()]
    if normalizer.marks:
        pack["marks"] = True
    if normalizer.prefix != "never":
        pack["prefix"] = normalizer.prefix
    return pack


def _automaton(pattern: str, pretokenizer: Pretokenizer) -> Pack:
    if Pretokenizer(pretokenizer.name, pattern, library=pretokenizer.library).compile() is None:
        raise Unpackable("the regex library cuts for it")
    automaton = compile_pattern(pattern, pretokenizer.library)
    starts = np.flatnonzero(np.diff(automaton.class_of.astype(np.int16), prepend=-1))
    return {
        "starts": np.diff(starts, prepend=0).tolist(),
        "classes": automaton.class_of[starts].tolist(),
        "next": automaton.next_state.tolist(),
        "accept": ["".join(map(str, row)) for row in automaton.accept.astype(int).tolist()],
    }


def _model(model: Model) -> Pack:
    symbols: dict[str, int] = {}
    if isinstance(model, SymbolsModel):
        first = len(model.special_tokens)
        symbols = {name: first + i for i, name in enumerate(model.symbols)}
        model = model.model
    if isinstance(model, BpeModel):
        pack = _bpe(model)
    elif isinstance(model, PairModel):
        pack = _pairs(model)
    elif isinstance(model, UnigramModel | GreedyModel):
        pack = _vocabulary(model)
    elif isinstance(model, FusedUnigramModel):
        pack = _fused(model)
    else:
        raise Unpackable(f"the page runs no model of the kind {model.kind}")
    return {**pack, "symbols": symbols, "ids": model.vocab_size}


def _bpe(model: BpeModel) -> Pack:
    arrays = _Arrays()
    _add_merges(arrays, model.merges)
    specials = [[name, i] for i, name in enumerate(model.special_tokens)]
    bytes_ = [len(specials) + byte_order().index(b) for b in range(256)]
    return {"kind": "pairs", "specials": specials, "bytes": bytes_, **arrays.packed()}


def _pairs(model: PairModel) -> Pack:
    arrays = _Arrays()
    order = np.argsort(model.pairs[:, 3], kind="stable")
    # Of equal pairs the first of the list counts.
    keys = (model.pairs[:, 0] << 32) | model.pairs[:, 1]
    is_first = np.zeros(len(keys), dtype=np.bool_)
    is_first[np.unique(keys, return_index=True)[1]] = True
    pairs = model.pairs[order[is_first[order]]]
    _add_merges(arrays, pairs)
    arrays.add("rank", np.cumsum(np.diff(pairs[:, 3], prepend=pairs[:1, 3]) > 0), 3)
    made = np.zeros(model.vocab_size, dtype=np.bool_)
    made[pairs[:, 2]] = True
    made[model.byte_ids[model.byte_ids >= 0]] = True
    others = np.flatnonzero(~made & (np.diff(model.offsets) > 0))
    raw = model.data.tobytes()
    spelled = [raw[model.offsets[i] : model.offsets[i + 1]] for i in others.tolist()]
    _add_tokens(arrays, spelled, others)
    arrays.add("whole", np.flatnonzero(model.whole), 3)
    characters = np.empty((0, 2), dtype=np.int64)
    if model.characters:
        codes = np.flatnonzero(model._character_ids >= 0)
        characters = np.column_stack([codes, model._character_ids[codes]])
    arrays.add("codes", characters[:, 0], 3)
    arrays.add("characters", characters[:, 1], 3)
    return {
        "kind": "pairs",
        "specials": [[*each] for each in zip(model.special_tokens, model.special_ids.tolist(), strict=True)],
        "bytes": model.byte_ids.tolist(),
        "by_character": model.characters,
        **arrays.packed(),
    }  # fmt: skip


def _add_merges(arrays: _Arrays, merges: Int64) -> None:
    for name, column in zip(("left", "right", "new"), merges.T, strict=False):
        arrays.add(name, column, 3)


def _add_tokens(arrays: _Arrays, tokens: Sequence[bytes], ids: Int64) -> None:
    """Add the bytes of tokens, sorted, each without what it shares with the one before, and their ids."""
    order = sorted(range(len(tokens)), key=tokens.__getitem__)
    shared, lengths, rest = [], [], []
    before = b""
    for i in order:
        token = tokens[i]
        common = _common_prefix(before, token)
        shared.append(common)
        lengths.append(len(token) - common)
        rest.append(token[common:])
        before = token
    arrays.add("shared", np.array(shared, dtype=np.int64), 3)
    arrays.add("length", np.array(lengths, dtype=np.int64), 3)
    arrays.add("rest", np.frombuffer(b"".join(rest), dtype=np.uint8), 1)
    arrays.add("id", ids[order], 3)


def _common_prefix(a: bytes, b: bytes) -> int:
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])


def _vocabulary(model: UnigramModel | GreedyModel) -> Pack:
    arrays = _Arrays()
    first = len(model.special_tokens)
    _add_tokens(arrays, model.tokens[first:], np.arange(first, model.vocab_size))
    pack: Pack = {
        "kind": model.kind,
        "specials": [[name, i] for i, name in enumerate(model.special_tokens)],
        "bytes": None if model.fallback is None else model.fallback.tolist(),
    }
    if isinstance(model, UnigramModel):
        arrays.add("score", model.scores, 0)
        pack |= {"first": first, "unknown": model.unknown.tolist(), "single": model.single}
    return {**pack, **arrays.packed()}


def _fused(model: FusedUnigramModel) -> Pack:
    arrays = _Arrays()
    ids = np.flatnonzero(np.diff(model.offsets) > 0)
    raw = model.data.tobytes()
    tokens = [raw[model.offsets[i] : model.offsets[i + 1]] for i in ids.tolist()]
    _add_tokens(arrays, tokens, ids)
    arrays.add("score", model.scores, 0)
    arrays.add("matched", np.flatnonzero(model.matched), 3)
    return {
        "kind": model.kind,
        "specials": [[*each] for each in zip(model.special_tokens, model.special_ids.tolist(), strict=True)],
        "bytes": model.byte_ids.tolist() if model.spells else None,
        "first": 0,
        "unknown": model.vocabulary[4].tolist(),
        "unknown_id": model.unknown_id,
        **arrays.packed(),
    }  # fmt: skip
