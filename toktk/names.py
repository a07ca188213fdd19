"""Names that become files: one rule for labels, wherever they come from."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 200
"""Bytes of UTF-8 in a name; file systems allow 255, and endings are appended."""

# Separators and what Windows refuses, control characters, line and paragraph separators, characters
# that change the direction of text, and halves of characters, which have no UTF-8.
_NOT_ALLOWED = re.compile(
    r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]'
)
# Devices on Windows, whatever follows the first dot.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)


def trouble_with(name: object) -> str:
    """Return why `name` cannot name a file or a folder on every system; empty where it can."""
    if not isinstance(name, str):
        return f"it is a {type(name).__name__}, not a string"
    if not name:
        return "it is empty"
    if found := _NOT_ALLOWED.search(name):
        return f"it holds {found[0]!r}"
    if len(name.encode()) > LONGEST:
        return f"it has {len(name.encode()):,} bytes, more than {LONGEST}"
    if name.startswith("."):
        return "it begins with a dot"
    if name.endswith((".", " ")) or name.startswith(" "):
        return "it begins or ends with a space, or ends with a dot"
    if _RESERVED.fullmatch(name):
        return "Windows keeps that name for a device"
    return ""


def file_name(text: str) -> str:
    """Return `text` as the name of a file: what might not be allowed becomes ``_``."""
    return re.sub(r"[^\w.+-]", "_", text).strip(".") or "_"


def tidied(name: str) -> str:
    """Return `name` as one that `trouble_with` accepts, with as few changes as that takes."""
    name = _NOT_ALLOWED.sub("_", name)
    name = name.encode()[:LONGEST].decode(errors="ignore").strip(" .")
    name = name or "_"
    return f"_{name}" if trouble_with(name) else name


def alike(name: str) -> str:
    """Return what two names have in common that one file system or another takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
