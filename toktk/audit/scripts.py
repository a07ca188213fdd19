"""The script of a character, or what kind of character it is that has none."""

from __future__ import annotations

import functools
import sys
import unicodedata

from toktk.pieces.scripts import script_of

_KINDS = {
    "Mn": "marks", "Me": "marks", "Nd": "digits", "Nl": "digits", "No": "digits", "Zs": "white space",
    "Zl": "white space", "Zp": "white space", "Cc": "control characters", "Cf": "format characters",
    "Co": "private use",
}  # fmt: skip
_GENERAL = {"Combining", "Variation", ""}  # what begins the names of marks of no script


@functools.lru_cache(maxsize=1 << 18)
def script_or_kind(character: str) -> str:
    """Return the script, as Unicode's names begin, of a letter or of its mark; of others what they are."""
    category = unicodedata.category(character)
    if category[0] == "L":
        return script_of(character) or "letters without a name"
    if category[0] == "M":
        script = unicodedata.name(character, "").partition(" ")[0].title()
        return "marks" if script in _GENERAL else script
    return _KINDS.get(category, "unassigned" if category == "Cn" else "punctuation and symbols")


@functools.cache
def assigned() -> str:
    """Return all characters that Unicode has assigned, private use left out."""
    codes = map(chr, range(sys.maxunicode + 1))
    return "".join(c for c in codes if unicodedata.category(c) not in ("Cn", "Co", "Cs"))
