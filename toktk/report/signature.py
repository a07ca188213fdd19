"""The readable signature that says what a figure depends on."""

from __future__ import annotations

import re

from toktk import __version__

_SHA256 = re.compile(r"[0-9a-f]{64}")
# The fields every figure has come first and in this order; others follow by name.
_ORDER = ("tok", "corpus", "unit", "agg")


def signature(**fields: str | int | float | None) -> str:
    """Return ``toktk:0.1.0|tok:1a2b3c4d|corpus:…|unit:…|agg:…``, whatever the order of arguments.

    A SHA-256 value is shown by its first eight digits and None is left out. ``%`` and ``|`` in
    values are percent-encoded, so the fields can be told apart again.
    """
    names = sorted(fields, key=lambda name: (name not in _ORDER, _rank(name), name))
    parts = [f"{name}:{_shown(fields[name])}" for name in names if fields[name] is not None]
    return "|".join([f"toktk:{__version__}", *parts])


def _rank(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else 0


def _shown(value: str | int | float | None) -> str:
    text = str(value)
    if _SHA256.fullmatch(text):
        return text[:8]
    return text.replace("%", "%25").replace("|", "%7C")
