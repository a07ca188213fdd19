"""Tokenizers packed for the page's own encoder, `encoder.js`, which gives the ids that toktk gives.

A pack is JSON: small facts as they are, arrays as planes of bytes (all lowest bytes, then the next), deflated
and in base64. Tokens that merges spell are not written out, so 128,000 merges take 550 kB.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.models.bpe import BpeModel, byte_order
from toktk.models.counts import CountsModel
from toktk.models.fused_unigram import FusedUnigramModel
from toktk.models.model import Model
from toktk.models.pairs import PairModel
from toktk.models.symbols import SymbolsModel
from toktk.models.unigram import UnigramModel
from toktk.models.vocabulary import Vocabulary
from toktk.normalizers.normalizer import STABLE, stability
from toktk.page.kept import kept
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import NATIVE, Tokenizer
from toktk.visible import json_text

Pack = dict[str, Any]

_BASE85 = np.frombuffer(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~",
    dtype=np.uint8,
)


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

    def packed(self, level: int = 9) -> Pack:
        """Return the heads (name, type, count) and the stream, deflated at a level, in base64."""
        stream = zlib.compress(b"".join(self._planes), level)
        return {"arrays": self._heads, "blob": base64.b64encode(stream).decode("ascii")}


def deflated(text: str) -> str:
    """Return text in UTF-8, deflated, in base 85 with a comma for "<": nothing of HTML can begin in it."""
    packed = zlib.compress(text.encode(), 9)
    padding = -len(packed) % 4
    words = np.frombuffer(packed + bytes(padding), dtype=">u4").astype(np.int64)
    digits: bytes = _BASE85[words[:, None] // 85 ** np.arange(4, -1, -1) % 85].tobytes()
    return digits[: len(digits) - padding].decode("ascii")


def most_in_page(value: object) -> int:
    """Return how many bytes JSON takes in the document, or a few more: it is deflated in haste."""
    return len(zlib.compress(json_of(value).encode(), 1)) * 5 // 4 + 5


def json_of(value: object) -> str:
    """Return JSON in one line without spaces."""
    return json_text(value, separators=(",", ":"), allow_nan=False)


def pack_family(tokenizers: Mapping[str, Tokenizer]) -> Pack:
    """Return tokenizers as `encoder.js` reads them, in one pack.

    Args:
        tokenizers: by label, ascending by size. Of several, all cut alike, and are the first merges of the
            last one, or vocabularies whose tokens are looked up; else see `goes_together`.

    Raises:
        Unpackable: the page cannot run them.
    """
    for tokenizer in tokenizers.values():
        if tokenizer.engine != NATIVE:
            is_counts = isinstance(tokenizer.model, CountsModel)
            raise Unpackable(
                tokenizer.why if is_counts else f"{tokenizer.engine} runs it, not toktk"
            )
    return kept(["pack", *_key_of(tokenizers)], lambda: _packed(tokenizers))


def size_of_pack(pack: Pack, family: str, tokenizers: Mapping[str, Tokenizer]) -> int:
    """Return `most_in_page` of a pack, that of a family and of these tokenizers."""
    key = ["size", family, *_key_of(tokenizers)]
    return int(kept(key, lambda: {"bytes": most_in_page(pack)})["bytes"])


def _key_of(tokenizers: Mapping[str, Tokenizer]) -> list[Any]:
    key = []
    for label, tokenizer in tokenizers.items():
        cut = tokenizer.pretokenizer
        # The normalizer's signature tells of its Unicode tables.
        key.append([label, cut.key, cut.normalizer.signature, tokenizer.model.signature])
    return key


def _packed(tokenizers: Mapping[str, Tokenizer]) -> Pack:
    largest = [*tokenizers.values()][-1]
    models = {label: tokenizer.model for label, tokenizer in tokenizers.items()}
    return {"cut": _cut_of(largest.pretokenizer), "labels": [*models], **_models(models)}


def goes_together(tokenizers: Sequence[Tokenizer]) -> bool:
    """Tell whether tokenizers, ascending by size, can share a pack."""
    if len({tokenizer.pretokenizer.key for tokenizer in tokenizers}) > 1:
        return False
    models = [tokenizer.model for tokenizer in tokenizers]
    return is_one_training(models) or all(isinstance(model, Vocabulary) for model in models)


def is_one_training(models: Sequence[Model]) -> bool:
    """Tell whether all models are the first merges of the last one."""
    return isinstance(models[-1], BpeModel) and all(m.is_prefix_of(models[-1]) for m in models)


def pack_counts(counts: Int64) -> Pack:
    """Return how often each id occurs, int64[ids], as ids that do and their counts."""
    ids = np.flatnonzero(counts)
    arrays = _Arrays()
    arrays.add("step", np.diff(ids, prepend=0), 3)
    arrays.add("count", counts[ids], 5)
    # Counts are those of one page: for 1 % less, level 9 takes four times as long.
    return arrays.packed(level=6)


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
        # Texts are shorter than lists, and do wherever nothing looks far ahead.
        "accept": [
            "".join(map(str, row)) if max(row) < 10 else row for row in automaton.accept.tolist()
        ],
    }


def _models(models: Mapping[str, Model]) -> Pack:
    *_, last = models.values()
    symbols: dict[str, int] = {}
    if isinstance(last, SymbolsModel):
        first = len(last.special_tokens)
        symbols = {name: first + i for i, name in enumerate(last.symbols)}
        models = {label: getattr(model, "model", model) for label, model in models.items()}
        *_, last = models.values()
    if isinstance(last, BpeModel):
        pack = _bpe(last)
        pack["limits"] = {
            label: last.merges_at(model.vocab_size) for label, model in models.items()
        }
    elif isinstance(last, PairModel):
        pack = _pairs(last)
    elif isinstance(last, FusedUnigramModel):
        pack = _fused(last)
    elif all(isinstance(model, Vocabulary) for model in models.values()):
        pack = _vocabularies(models)
    else:
        raise Unpackable(f"the page runs no model of the kind {last.kind}")
    return {**pack, "symbols": symbols}


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
    """Add the bytes of tokens, sorted, and their ids."""
    order = sorted(range(len(tokens)), key=tokens.__getitem__)
    _add_sorted(arrays, [tokens[i] for i in order])
    arrays.add("id", ids[order], 3)


def _add_sorted(arrays: _Arrays, tokens: Sequence[bytes]) -> None:
    """Add the bytes of sorted tokens, each without what it shares with the one before."""
    shared = [_common_prefix(a, b) for a, b in pairwise([b"", *tokens])]
    rest = [token[n:] for token, n in zip(tokens, shared, strict=True)]
    arrays.add("shared", np.array(shared, dtype=np.int64), 3)
    arrays.add("length", np.array([*map(len, rest)], dtype=np.int64), 3)
    arrays.add("rest", np.frombuffer(b"".join(rest), dtype=np.uint8), 1)


def _common_prefix(a: bytes, b: bytes) -> int:
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])


def _vocabularies(models: Mapping[str, Any]) -> Pack:
    """Pack lists of tokens together: the tokens of all of them once, and for each which it has, by id.

    The tokens of a byte fallback are left out: their ids say what they are.
    """
    arrays = _Arrays()
    ids = {label: np.flatnonzero(model.matched) for label, model in models.items()}
    tokens = {
        label: [model.tokens[i] for i in (ids[label] + len(model.special_tokens)).tolist()]
        for label, model in models.items()
    }
    union = sorted(set().union(*tokens.values()))
    place = {token: i for i, token in enumerate(union)}
    _add_sorted(arrays, union)
    about = {}
    for n, (label, model) in enumerate(models.items()):
        places = np.fromiter(map(place.__getitem__, tokens[label]), np.int64)
        has = np.zeros(len(union), dtype=np.uint8)
        has[places] = 1
        arrays.add(f"has{n}", np.packbits(has), 1)
        arrays.add(f"id{n}", ids[label][np.argsort(places)], 3)
        about[label] = _about(model)
        if isinstance(model, UnigramModel):
            arrays.add(f"score{n}", model.scores, 0)
    return {"kind": "vocabularies", "models": about, **arrays.packed()}


def _about(model: Any) -> Pack:
    scored = isinstance(model, UnigramModel)
    return {
        "kind": model.kind,
        "specials": [[name, i] for i, name in enumerate(model.special_tokens)],
        "bytes": None if model.fallback is None else model.fallback.tolist(),
        "first": len(model.special_tokens),
        **({"unknown": model.unknown.tolist(), "single": model.single} if scored else {}),
    }


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
