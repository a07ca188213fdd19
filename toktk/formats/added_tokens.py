"""The added tokens of a ``tokenizer.json``: which ids they have, and whether text can hold them.

Special ones are text like any other here. The library still looks for them, to leave them alone, and so
a special token hides what begins within it. Where that could happen, the library does the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toktk.formats.fields import Fields, has_surrogate, short
from toktk.formats.public_steps import NotNative, Steps


@dataclass
class Added:
    """Names and ids.

    Attributes:
        special: never found in text.
        ordinary: found wherever text holds them, before anything else happens to it.
    """

    special: dict[str, int] = field(default_factory=dict)
    ordinary: dict[str, int] = field(default_factory=dict)

    def ids(self) -> list[int]:
        """Return all ids."""
        return [*self.special.values(), *self.ordinary.values()]


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
        name, special, normalized, flags = _token(fields, token, f"added_tokens[{at}]")
        if name in added.special or name in added.ordinary:
            raise NotNative(f"added token {name!r}, listed twice")
        i = vocab[name] if name in vocab else _next_id(new, len(vocab))
        if i != token["id"]:
            raise NotNative(f"added token {name!r}: the file says id {token['id']}, its rule {i}")
        new[name] = i
        (added.special if special else added.ordinary)[name] = i
        sought[normalized][0 if special else 1].append(name)
        if flags and not special:
            raise NotNative(f"added token {name!r} with {', '.join(flags)}")
    if set(vocab.values()) & {i for name, i in new.items() if name not in vocab}:
        raise NotNative("added tokens that take the ids of others")
    _check_search(sought, steps)
    return added


def _token(fields: Fields, value: Any, at: str) -> tuple[str, bool, bool, list[str]]:
    token = fields.as_object(value, at)
    name = token.get("content")
    if not isinstance(name, str) or not name or has_surrogate(name):
        raise fields.error(f"{at}.content", short(name), "text that is not empty")
    if type(token.get("id")) is not int or not 0 <= token["id"] < 2**32:
        raise fields.error(f"{at}.id", short(token.get("id")), "an id")
    flags = {}
    for flag in ("special", "normalized", "single_word", "lstrip", "rstrip"):
        flags[flag] = token.get(flag, False)
        if not isinstance(flags[flag], bool):
            raise fields.error(f"{at}.{flag}", short(flags[flag]), "true or false")
    others = [flag for flag in ("single_word", "lstrip", "rstrip") if flags[flag]]
    return name, flags["special"], flags["normalized"], others


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
