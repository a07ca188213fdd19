"""The shape of what a file holds: JSON read strictly, and the field that does not fit its shape.

A shape is a type; None; a tuple of shapes, any of which will do; a list of one shape, that of every
item; or a dictionary of shapes by field, where a name that ends with ``?`` may be missing, further
fields are free, and ``...`` is the shape of every field. ``int`` has 64 bits, ``float`` is any finite
number.
"""

from __future__ import annotations

import json
from typing import Any

_WORDS: dict[Any, str] = {
    str: "a string",
    int: "an integer",
    float: "a finite number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    None: "null",
}


def parse(text: str | bytes) -> Any:
    """Return what JSON text holds.

    Raises:
        ValueError: it is no JSON, names a field twice, holds NaN or an infinity, or nests too deep.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refused)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def misfit(value: Any, shape: Any, field: str = "") -> str:
    """Return which field does not have its shape, and what it holds; empty where all have."""
    if isinstance(shape, tuple):
        misfits = [misfit(value, one, field) for one in shape]
        return "" if "" in misfits else misfits[0]
    kind = type(shape) if isinstance(shape, list | dict) else shape
    named = repr(field) if field else "it"
    if not _is(value, kind):
        return f"{named} is not {_WORDS[kind]} but {_short(value)}"
    parts: list[tuple[str, Any, Any]] = []
    if isinstance(shape, list):
        parts = [(str(i), item, shape[0]) for i, item in enumerate(value)]
    elif isinstance(shape, dict):
        for name, inner in shape.items():
            if name is ...:
                parts += [(key, item, inner) for key, item in value.items()]
            elif (key := name.removesuffix("?")) in value:
                parts.append((key, value[key], inner))
            elif not name.endswith("?"):
                return f"{named} has no field {name!r}"
    below = f"{field}." if field else ""
    return next((m for key, item, one in parts if (m := misfit(item, one, f"{below}{key}"))), "")


def _is(value: Any, kind: type | None) -> bool:
    if kind is float:  # a comparison, for an integer may be beyond what a float holds
        return type(value) in (int, float) and -1e300 < value < 1e300
    if kind is int:
        return type(value) is int and -(2**63) <= value < 2**63
    return value is None if kind is None else type(value) is kind


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return _WORDS[type(value)]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise ValueError(f"it has the field {name!r} twice")
        document[name] = value
    return document


def _refused(constant: str) -> Any:
    raise ValueError(f"it holds {constant}")
