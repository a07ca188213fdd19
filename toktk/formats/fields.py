"""Checks of what a file holds, field by field, so that every complaint names its field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toktk.errors import FormatError


class Fields:
    """Checks values of one file.

    Attributes:
        path: the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def error(self, field: str, found: str, wanted: str) -> FormatError:
        """Return what to raise about `field`."""
        return FormatError(
            f"cannot read {self.path}: {field}.", f"Found: {found}.", f"Readable is: {wanted}."
        )

    def as_object(self, value: Any, field: str) -> dict[str, Any]:
        """Return `value` if it is an object."""
        if not isinstance(value, dict):
            raise self.error(field, short(value), "an object")
        return value

    def as_list(self, value: Any, field: str) -> Sequence[Any]:
        """Return `value` if it is a list."""
        if not isinstance(value, list):
            raise self.error(field, short(value), "a list")
        return value

    def check_neutral(
        self, holder: dict[str, Any], neutral: dict[str, object], prefix: str
    ) -> None:
        """Refuse a field of `neutral` that is neither absent, null nor what stands there."""
        for key, nothing in neutral.items():
            value = holder.get(key)
            if value is not None and (type(value) is not type(nothing) or value != nothing):
                raise self.error(prefix + key, short(value), json.dumps(nothing))


def short(value: Any) -> str:
    """Return `value` as JSON, cut to a line."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_special_tokens(names: Sequence[str]) -> None:
    """Refuse special tokens that no file in UTF-8 can hold.

    Raises:
        FormatError: a name holds a lone surrogate.
    """
    for name in names:
        if has_surrogate(name):
            raise FormatError(
                f"cannot write the special token {name!r}.",
                "Found: a lone surrogate, which has no UTF-8.",
            )


def check_distinct(names: Sequence[str], special_tokens: Sequence[str], file: str) -> None:
    """Refuse a vocabulary in which two ids have one name; special tokens come first in `names`.

    Raises:
        FormatError: naming the first that is double.
    """
    if len(set(names)) == len(names):
        return
    n, ordinary = len(special_tokens), set(names[len(special_tokens) :])
    for name in special_tokens:
        if name in ordinary:
            raise FormatError(
                f"cannot write {file}: the special token {name!r} is also an ordinary token.",
                "Found: the format keeps both in one dictionary.",
                "Give the special token a name that text does not hold.",
            )
    double = next(name for i, name in enumerate(names[n:]) if name in names[n : n + i])
    raise FormatError(
        f"cannot write {file}: two tokens would have the name {double!r}.",
        "Found: the name of a byte's token, which is a token of text as well.",
    )


def has_surrogate(text: str) -> bool:
    """Tell whether `text` holds a surrogate, for which UTF-8 has no bytes."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
