"""The tokens of a ``tokenizer.json``: the vocabulary and its merges by bytes, and added tokens.

There are hundreds of thousands, so what can be is done to all of them at once. What is malformed is
then found one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any

import numpy as np

from toktk.formats.fields import Fields, NotNative, has_surrogate, is_id, is_text, short
from toktk.formats.hf_steps import Steps
from toktk.formats.tokens import MARK, byte_names
from toktk.models.bpe import byte_characters
from toktk.models.model import Int64
from toktk.models.pairs import MAX_ID

_FLAGS = ("special", "normalized", "single_word", "lstrip", "rstrip")


def read_vocabulary(fields: Fields, value: Any) -> dict[str, int]:
    """Return {name: id} of the object ``model.vocab``; names have UTF-8, and ids differ."""
    vocab: dict[str, int] = fields.as_object(value, "model.vocab")
    fields.check(len(vocab) > 0, "model.vocab", vocab, "tokens")
    ids = vocab.values()
    are_ids = set(map(type, ids)) == {int} and min(ids) >= 0 and max(ids) <= MAX_ID
    if not are_ids or has_surrogate("".join(vocab)):
        wanted = f"an id from 0 to {MAX_ID:,}"
        for name, i in vocab.items():
            fields.check(is_id(i), f"model.vocab[{short(name)}]", i, wanted)
            fields.check(not has_surrogate(name), "model.vocab", name, "text that has a UTF-8 form")
    if len(set(ids)) < len(vocab):
        raise NotNative("model.vocab with an id given twice")
    return vocab


class Tokens:
    """The tokens of a BPE model, {name: id}, by their bytes; each byte must have one.

    Attributes:
        spelled: the bytes of each id; none for an id that has no token.
        dead: ids of tokens that are found in no text.
        byte_ids: int64[256].
        characters: whether names are text, and no characters that stand for bytes.
    """

    def __init__(self, vocab: Mapping[str, int], steps: Steps) -> None:
        self.characters = not steps.byte_level
        names, ids = list(vocab), list(vocab.values())
        if self.characters:
            mark = MARK if steps.normalizer.marks else " "
            tokens = [name.replace(mark, " ").encode() for name in names]
            dead = [
                at for at, name in enumerate(names) if not name or (mark != " " and " " in name)
            ]
            byte_ids = [vocab.get(name, -1) for name in byte_names()]
            for b in range(128):
                # A character of one byte that is a token has no use for the byte's.
                if byte_ids[b] < 0:
                    byte_ids[b] = vocab.get(chr(b).replace(" ", mark), -1)
        else:
            tokens, dead = byte_level_tokens(names)
            byte_ids = [vocab.get(character, -1) for character in byte_characters()]
        if -1 in byte_ids:
            raise NotNative(f"model BPE without a token for the byte 0x{byte_ids.index(-1):02X}")
        self.byte_ids: Int64 = np.array(byte_ids, dtype=np.int64)
        self.spelled = [b""] * (max(ids) + 1)
        for i, token in zip(ids, tokens, strict=True):
            self.spelled[i] = token
        self.dead = {ids[at] for at in dead}.difference(byte_ids)
        for at in dead:
            is_named = len(names[at]) > 1 or not self.characters
            self.spelled[ids[at]] = names[at].encode() if is_named else b""
        for b, i in enumerate(byte_ids):
            self.spelled[i] = bytes([b])

    def reach_over_spaces(self, ids: Int64) -> bool:
        """Tell whether one of `ids` holds a space behind something else."""
        # 0xFF stands in no UTF-8.
        joined = b"\xff".join([self.spelled[i] for i in np.flatnonzero(np.bincount(ids)).tolist()])
        return re.search(rb"[^ \xff] ", joined) is not None


def byte_level_tokens(names: Sequence[str]) -> tuple[list[bytes], list[int]]:
    """Return the bytes of names whose characters stand for bytes, and the indices of all other names."""
    characters = byte_characters()
    byte_of = np.full(1 + ord(max(characters)) + 1, -1, dtype=np.int64)  # the last: any other
    byte_of[[ord(character) for character in characters]] = np.arange(256)
    codes = np.frombuffer("".join(names).encode("utf-32-le"), dtype=np.uint32)
    data = byte_of[np.minimum(codes, byte_of.size - 1)]
    ends = np.cumsum([0, *map(len, names)], dtype=np.int64)
    others = np.unique(np.searchsorted(ends, np.flatnonzero(data < 0), side="right") - 1)
    raw = data.astype(np.uint8).tobytes()
    return [raw[a:b] for a, b in pairwise(ends.tolist())], others.tolist()


def read_merges(fields: Fields, value: Any, vocab: Mapping[str, int], tokens: Tokens) -> Int64:
    """Return int64[n, 3], left, right and new id, of the list ``model.merges``.

    Merges that can never happen are left out: those of dead tokens.
    """
    listed = fields.as_list(value, "model.merges")
    pairs = [entry.split(" ") if isinstance(entry, str) else entry for entry in listed]
    try:
        rows = [(vocab[left], vocab[right], vocab[left + right]) for left, right in pairs]
    except (KeyError, TypeError, ValueError):
        rows = []
    if len(rows) < len(pairs) or not set(map(type, pairs)) <= {list}:
        for rank, pair in enumerate(pairs):
            name = f"model.merges[{rank}]"
            is_pair = isinstance(pair, list) and [type(text) for text in pair] == [str, str]
            fields.check(is_pair, name, listed[rank], "two tokens")
            for text in (*pair, "".join(pair)):
                fields.check(text in vocab, name, text, "tokens of model.vocab")
    merges = np.fromiter(chain.from_iterable(rows), dtype=np.int64).reshape(-1, 3)
    if tokens.dead:
        merges = merges[~np.isin(merges, list(tokens.dead)).any(axis=1)]
    return merges


@dataclass
class Added:
    """Names and ids of added tokens.

    Special ones are text like any other here. The library still looks for them, to leave them alone, and
    so a special token hides what begins within it. Where that could happen, the library does the work.

    Attributes:
        special: never found in text.
        ordinary: found wherever text holds them, before anything else happens to it.
    """

    special: dict[str, int] = field(default_factory=dict)
    ordinary: dict[str, int] = field(default_factory=dict)

    def special_if_first(self) -> tuple[str, ...]:
        """Return the special tokens, if they are the first ids in order and all that is added."""
        if self.ordinary or list(self.special.values()) != list(range(len(self.special))):
            raise NotNative("a model whose added tokens are not its first ids, all special")
        return tuple(self.special)


def read_added(fields: Fields, value: Any, vocab: Mapping[str, int], steps: Steps) -> Added:
    """Return what the field ``added_tokens`` says, beside the `vocab` of the model.

    Raises:
        NotNative: an ordinary token that toktk would not find exactly where the library does.
        FormatError: the field is malformed.
    """
    added = Added()
    sought: dict[tuple[bool, bool], list[str]] = {
        (normalized, special): [] for normalized in (False, True) for special in (False, True)
    }
    highest, ids_of_model = len(vocab) - 1, set(vocab.values())
    for at, entry in enumerate(fields.as_list([] if value is None else value, "added_tokens")):
        path = f"added_tokens[{at}]"
        token = fields.as_object(entry, path)
        name: Any = token.get("content")
        stated = token.get("id")
        fields.check(is_text(name), f"{path}.content", name, "text that is not empty")
        fields.check(is_id(stated, 2**32 - 1), f"{path}.id", stated, "an id")
        flags = [flag for flag in _FLAGS if fields.flag(token, f"{path}.{flag}")]
        if name in added.special or name in added.ordinary:
            raise NotNative(f"added token {name!r}, listed twice")
        # The library gives a new name the id behind all others, and so it is another's if ids have holes.
        i = vocab.get(name, highest + 1)
        if i != stated:
            raise NotNative(f"added token {name!r}: the file says id {stated}, its rule {i}")
        if name not in vocab and i in ids_of_model:
            raise NotNative("added tokens that take the ids of others")
        highest = max(highest, i)
        (added.special if "special" in flags else added.ordinary)[name] = i
        sought["normalized" in flags, "special" in flags].append(name)
        widened = [flag for flag in flags if flag not in ("special", "normalized")]
        if widened and "special" not in flags:
            raise NotNative(f"added token {name!r} with {', '.join(widened)}")
    _check_search(sought, steps)
    return added


def _check_search(sought: Mapping[tuple[bool, bool], list[str]], steps: Steps) -> None:
    """Refuse names, by whether they are sought in normalized text and are special, that are not found."""
    raw, normalized = sought[False, False], sought[True, False]
    if normalized and not steps.normalizer.is_identity:
        raise NotNative(f"added token {normalized[0]!r}, sought in normalized text")
    if steps.first_alone and (raw or normalized):
        raise NotNative(f"added token {(raw or normalized)[0]!r} behind Metaspace first")
    hides = [(sought[False, True], raw), (sought[True, True], normalized)]
    if raw and normalized:  # sought one after the other, which is all one if they cannot meet
        hides += [(raw, normalized), (normalized, raw), (sought[False, True], normalized)]
    # The leftmost is found, the longest of those: what lies within another or begins within it is hidden.
    for hiding, hidden in hides:
        beginnings = {name[:n]: name for name in hidden for n in range(1, len(name) + 1)}
        for other in hiding:
            ends = [other[at:] for at in range(1, len(other))]
            names = [beginnings[end] for end in ends if end in beginnings]
            names += [name for name in hidden if name in other]
            if names:
                raise NotNative(f"added token {names[0]!r}, which another can hide")
