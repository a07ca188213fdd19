"""Files as bytes and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeGuard

from toktk.errors import FormatError
from toktk.formats.fields import has_surrogate


def is_text(value: Any) -> TypeGuard[str]:
    """Tell whether a value of a JSON file is a string that has UTF-8 and is not empty."""
    return isinstance(value, str) and value != "" and not has_surrogate(value)


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        FormatError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(f"cannot read {path}.", f"Found: {error.strerror or error}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty if it holds something else.

    Raises:
        FormatError: it cannot be read, or is no JSON.
    """
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON.", f"Found: {error}.") from error
    return found if isinstance(found, dict) else {}
