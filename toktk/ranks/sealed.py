"""JSON that tells whether it is as it was written: an object whose last entry is the hash of the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_SEAL = "sha256"


def digest_of(value: Any) -> str:
    """Return the sha256, in hex, of a JSON-able value; the order of keys does not enter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def sealed(value: Mapping[str, Any]) -> bytes:
    """Return a JSON-able object as the content of a file."""
    value = as_json(value)
    return (json.dumps({**value, _SEAL: digest_of(value)}, indent=1) + "\n").encode()


def unsealed(content: bytes) -> dict[str, Any]:
    """Return the object that `sealed` was given.

    Raises:
        ValueError: the content is another than `sealed` has returned.
    """
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__}, not an object")
    if value.pop(_SEAL, None) != digest_of(value):
        raise ValueError(f"its {_SEAL} is not that of the rest")
    return value


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value as it is when it was written and read."""
    read: dict[str, Any] = json.loads(json.dumps(value))
    return read
