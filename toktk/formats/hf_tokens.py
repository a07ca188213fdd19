"""The tokens of a ``tokenizer.json``: the vocabulary and its merges by bytes, and added tokens.

There are hundreds of thousands, so what can be is done to all characters of all names at once. What is
malformed is then found one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.formats.fields import Fields, NotNative, has_surrogate, is_text, short
from toktk.formats.hf_steps import MARK, Steps
from toktk.formats.tokens import byte_names
from toktk.models.bpe import byte_characters
from toktk.models.model import Int64
from toktk.models.pairs import MAX_ID


def read_vocabulary(fields: Fields, value: Any) -> dict[str, int]:
    """Return {name: id} of the object ``model.vocab``; names have UTF-8, and ids differ.

    Raises:
        NotNative: an id is given twice.
        FormatError: a malformed field.
    """
    vocab: dict[str, int] = fields.as_object(value, "model.vocab")
    ids = vocab.values()
    whole_numbers = set(map(type, ids)) <= {int}
    if not whole_numbers or (vocab and (min(ids) < 0 or max(ids) > MAX_ID)):
        _check_each(fields, vocab)
    if has_surrogate("".join(vocab)):
        _check_each(fields, vocab)
    if len(set(ids)) < len(vocab):
        raise NotNative("model.vocab with an id given twice")
    if not vocab:
        raise fields.error("model.vocab", "nothing", "tokens")
    return vocab


def _check_each(fields: Fields, vocab: Mapping[str, Any]) -> None:
    """Raise about the first token that is no text or has no id."""
    for name, i in vocab.items():
        if type(i) is not int or not 0 <= i <= MAX_ID:
            wanted = f"an id from 0 to {MAX_ID:,}"
            raise fields.error(f"model.vocab[{short(name)}]", short(i), wanted)
        if has_surrogate(name):
            raise fields.error("model.vocab", short(name), "text that has a UTF-8 form")


class Tokens:
    """The tokens of a BPE model by their bytes.

    `vocab` is {name: id}, as `read_vocabulary` gives it.

    Attributes:
        spelled: the bytes of each id; none for an id that has no token.
        dead: ids of tokens that are found in no text.
        byte_ids: int64[256].
        characters: whether names are text, and no characters that stand for bytes.

    Raises:
        NotNative: a byte has no token.
    """

    spelled: list[bytes]
    dead: set[int]
    byte_ids: Int64
    characters: bool

    def __init__(self, vocab: Mapping[str, int], steps: Steps) -> None:
        self.spelled = [b""] * (max(vocab.values()) + 1)
        self.dead = set()
        self.characters = not steps.byte_level
        if self.characters:
            self._as_characters(vocab, steps.normalizer.marks)
        else:
            self._as_bytes(vocab)

    def _as_bytes(self, vocab: Mapping[str, int]) -> None:
        characters = byte_characters()
        ids = [vocab.get(character, -1) for character in characters]
        if -1 in ids:
            raise NotNative(f"model BPE without a token for the byte 0x{ids.index(-1):02X}")
        self.byte_ids = np.array(ids, dtype=np.int64)
        as_byte = np.full(1 + ord(max(characters)) + 1, -1, dtype=np.int64)  # the last: any other
        as_byte[[ord(character) for character in characters]] = np.arange(256)
        codes, ends = _code_points(vocab)
        data = as_byte[np.minimum(codes, as_byte.size - 1)]
        raw = data.astype(np.uint8).tobytes()
        for i, (a, b) in zip(vocab.values(), pairwise(ends.tolist()), strict=True):
            self.spelled[i] = raw[a:b]
        for name, i in _holding(vocab, data < 0, ends):
            self.dead.add(i)
            self.spelled[i] = name.encode()

    def _as_characters(self, vocab: Mapping[str, int], marks: bool) -> None:
        ids = []
        for b, name in enumerate(byte_names()):
            # A character of one byte that is a token has no use for the byte's.
            i = vocab.get(name, vocab.get(_marked(chr(b), marks), -1) if b < 128 else -1)
            if i < 0:
                raise NotNative(f"model BPE without a token for the byte 0x{b:02X}")
            ids.append(i)
        self.byte_ids = np.array(ids, dtype=np.int64)
        text = "".join(vocab)
        codes, ends = _code_points(vocab)
        spaces = codes == ord(" ")
        if marks:
            text = text.replace(MARK, " ")
            codes[codes == ord(MARK)] = ord(" ")
        widths = 1 + sum((codes >= limit).astype(np.int64) for limit in (0x80, 0x800, 0x10000))
        raw, at = text.encode(), np.append(0, np.cumsum(widths))[ends].tolist()
        for i, (a, b) in zip(vocab.values(), pairwise(at), strict=True):
            self.spelled[i] = raw[a:b]
        byte_tokens = set(ids)
        dead = [("", vocab[""])] if "" in vocab else []
        for name, i in dead + (_holding(vocab, spaces, ends) if marks else []):
            if i not in byte_tokens:
                self.dead.add(i)
                self.spelled[i] = name.encode() if len(name) > 1 else b""
        for b, i in enumerate(ids):
            self.spelled[i] = bytes([b])

    def reach_over_spaces(self, made: Int64) -> bool:
        """Tell whether one of the ids `made` holds a space behind something else."""
        wanted = np.zeros(len(self.spelled), dtype=np.bool_)
        wanted[made] = True
        # 0xFF stands in no UTF-8.
        joined = b"\xff".join([self.spelled[i] for i in np.flatnonzero(wanted).tolist()])
        return re.search(rb"[^ \xff] ", joined) is not None


def _marked(text: str, marks: bool) -> str:
    return text.replace(" ", MARK) if marks else text


def _code_points(names: Iterable[str]) -> tuple[Int64, Int64]:
    """Return the code points of all names, and int64[n + 1]: where those of each begin."""
    text = "".join(names)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    return codes, np.cumsum([0, *map(len, names)], dtype=np.int64)


def _holding(
    vocab: Mapping[str, int], wanted: npt.NDArray[np.bool_], ends: Int64
) -> list[tuple[str, int]]:
    """Return the tokens that hold one of the `wanted` characters, with their ids."""
    tokens = np.unique(np.searchsorted(ends, np.flatnonzero(wanted), side="right") - 1)
    if not tokens.size:
        return []
    listed = list(vocab.items())
    return [listed[token] for token in tokens.tolist()]


def read_merges(fields: Fields, value: Any, vocab: Mapping[str, int], tokens: Tokens) -> Int64:
    """Return int64[n, 3], left, right and new id, of the list ``model.merges``.

    Merges that can never happen are left out: those of dead tokens.

    Raises:
        FormatError: an entry that is not two tokens, which make a third.
    """
    listed = fields.as_list(value, "model.merges")
    try:
        left, right = _halves(listed) or _checked_halves(fields, listed, vocab)
        merges: Int64 = np.empty((len(listed), 3), dtype=np.int64)
        merges[:, 0] = list(map(vocab.__getitem__, left))
        merges[:, 1] = list(map(vocab.__getitem__, right))
        merges[:, 2] = [vocab[a + b] for a, b in zip(left, right, strict=True)]
    except (KeyError, TypeError):
        _checked_halves(fields, listed, vocab)
        raise
    if tokens.dead:
        dead = np.zeros(len(tokens.spelled), dtype=np.bool_)
        dead[list(tokens.dead)] = True
        merges = merges[~dead[merges].any(axis=1)]
    return merges


def _halves(listed: Sequence[Any]) -> tuple[list[Any], list[Any]] | None:
    """Return what stands left and right in merges, if all are strings or all are lists, of two parts."""
    kinds = set(map(type, listed))
    if kinds == {str} and {entry.count(" ") for entry in listed} == {1}:
        flat = " ".join(listed).split(" ")
        return flat[::2], flat[1::2]
    if kinds == {list} and set(map(len, listed)) == {2}:
        return [left for left, _ in listed], [right for _, right in listed]
    return None


def _checked_halves(
    fields: Fields, listed: Sequence[Any], vocab: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """Return the left and the right tokens; or raise about the first merge that is not of two tokens."""
    halves: list[list[str]] = []
    for rank, entry in enumerate(listed):
        pair = entry.split(" ") if isinstance(entry, str) else entry
        if not isinstance(pair, list) or [type(text) for text in pair] != [str, str]:
            raise fields.error(f"model.merges[{rank}]", short(entry), "two tokens")
        missing = next((text for text in (*pair, "".join(pair)) if text not in vocab), None)
        if missing is not None:
            found = f"{short(missing)} is no token"
            raise fields.error(f"model.merges[{rank}]", found, "tokens of model.vocab")
        halves.append(pair)
    return [left for left, _ in halves], [right for _, right in halves]


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

    def ids(self) -> list[int]:
        """Return all ids."""
        return [*self.special.values(), *self.ordinary.values()]

    def special_if_first(self) -> tuple[str, ...]:
        """Return the special tokens, if they are the first ids in order and all that is added.

        Raises:
            NotNative: they are not.
        """
        if self.ordinary or list(self.special.values()) != list(range(len(self.special))):
            raise NotNative("a model whose added tokens are not its first ids, all special")
        return tuple(self.special)


def read_added(fields: Fields, value: Any, vocab: Mapping[str, int], steps: Steps) -> Added:
    """Return what the field ``added_tokens`` says.

    Args:
        fields: reads the file.
        value: the field.
        vocab: ids of the model's tokens.
        steps: what happens to text.

    Raises:
        NotNative: an ordinary token that toktk would not find exactly where the library does.
        FormatError: the field is malformed.
    """
    added = Added()
    # By whether they are sought in normalized text: names of special ones, names of others.
    sought: dict[bool, tuple[list[str], list[str]]] = {False: ([], []), True: ([], [])}
    new: dict[str, int] = {}
    for at, token in enumerate(fields.as_list([] if value is None else value, "added_tokens")):
        name, flags = _added_token(fields, token, f"added_tokens[{at}]")
        if name in added.special or name in added.ordinary:
            raise NotNative(f"added token {name!r}, listed twice")
        i = vocab[name] if name in vocab else _next_id(new, len(vocab))
        if i != token["id"]:
            raise NotNative(f"added token {name!r}: the file says id {token['id']}, its rule {i}")
        new[name] = i
        special = "special" in flags
        (added.special if special else added.ordinary)[name] = i
        sought["normalized" in flags][0 if special else 1].append(name)
        widened = [flag for flag in flags if flag not in ("special", "normalized")]
        if widened and not special:
            raise NotNative(f"added token {name!r} with {', '.join(widened)}")
    if set(vocab.values()) & {i for name, i in new.items() if name not in vocab}:
        raise NotNative("added tokens that take the ids of others")
    _check_search(sought, steps)
    return added


def _added_token(fields: Fields, value: Any, at: str) -> tuple[str, list[str]]:
    """Return the name of an added token, and its flags that are set."""
    token = fields.as_object(value, at)
    name = token.get("content")
    if not is_text(name):
        raise fields.error(f"{at}.content", short(name), "text that is not empty")
    if type(token.get("id")) is not int or not 0 <= token["id"] < 2**32:
        raise fields.error(f"{at}.id", short(token.get("id")), "an id")
    flags = ("special", "normalized", "single_word", "lstrip", "rstrip")
    for flag in flags:
        if not isinstance(token.get(flag, False), bool):
            raise fields.error(f"{at}.{flag}", short(token[flag]), "true or false")
    return name, [flag for flag in flags if token.get(flag, False)]


def _next_id(new: Mapping[str, int], size: int) -> int:
    """Return the id that the library gives to a name that the model does not have."""
    return max([size - 1, *new.values()]) + 1


def _check_search(sought: dict[bool, tuple[list[str], list[str]]], steps: Steps) -> None:
    raw, normalized = sought[False][1], sought[True][1]
    if not (raw or normalized):
        return
    if normalized and not steps.normalizer.is_identity:
        raise NotNative(f"added token {normalized[0]!r}, sought in normalized text")
    if steps.first_alone:
        raise NotNative(f"added token {(raw or normalized)[0]!r} behind Metaspace first")
    hides = [(sought[False][0], raw), (sought[True][0], normalized)]
    if raw and normalized:  # sought one after the other, which is all one if they cannot meet
        hides += [(raw, normalized), (normalized, raw), (sought[False][0], normalized)]
    for hiding, hidden in hides:
        name = _hidden(hiding, hidden)
        if name:
            raise NotNative(f"added token {name!r}, which another can hide")


def _hidden(hiding: Iterable[str], hidden: Iterable[str]) -> str:
    """Return a name that a name of `hiding`, found first, can keep from being found; "" for none.

    The leftmost is found, the longest of those: what lies within another or begins within it is hidden.
    """
    names = list(hidden)
    beginnings = {name[:n]: name for name in names for n in range(1, len(name) + 1)}
    for other in hiding:
        for at in range(1, len(other)):
            if other[at:] in beginnings:
                return beginnings[other[at:]]
        for name in names:
            if name in other:
                return name
    return ""
