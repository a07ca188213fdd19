"""Which characters a normalization form may change, from Python's Unicode tables and the library's.

A character is *stable* in a form if the form never changes it, never combines it with a character before
it and never moves it: canonical combining class 0 and Quick_Check=Yes, in the terms of Unicode's annex 15.
Text may be cut in front of a stable character and normalized in parts.

Hugging Face's `tokenizers` has older tables than Python. To the library, a character that is younger than
its tables is *plain*: it has no decomposition, class 0 and combines with nothing. So it is stable here too.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Literal

import numpy as np
import numpy.typing as npt

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

STABLE, DOUBTFUL = 0, 255
END = 0x30000  # all characters above are stable in every form

# Vowels and final consonants of Hangul combine by rule, so no decomposition lists them.
_JAMO = [*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)]


@functools.lru_cache(maxsize=4)
def stability(form: Form) -> npt.NDArray[np.uint8]:
    """Return a value for each code point below `END`.

    `STABLE`, as all `plain_characters` are; the combining class, where a character may only be moved; or
    `DOUBTFUL`, where only normalizing tells.
    """
    values = np.zeros(END, dtype=np.uint8)
    for code in range(0x80, END):
        character = chr(code)
        if 0xD800 <= code < 0xE000:
            continue
        if unicodedata.normalize(form, character) != character:
            values[code] = DOUBTFUL
        elif not values[code]:
            values[code] = unicodedata.combining(character)
        if form in ("NFC", "NFKC"):
            for second in _canonical_pair(character)[1:]:
                values[ord(second)] = DOUBTFUL  # combines with what is before it
    if form in ("NFC", "NFKC"):
        values[_JAMO] = DOUBTFUL
    values[[ord(character) for character in plain_characters()]] = STABLE
    values.flags.writeable = False
    return values


@functools.cache
def plain_characters() -> frozenset[str]:
    """Return the characters that only Python's tables know; `unicodedata.normalize` must get none."""
    from tokenizers import normalizers

    listed = [
        character
        for character in map(chr, range(0x80, END))
        if unicodedata.combining(character) or unicodedata.decomposition(character)
    ]
    # A plain character keeps a mark of class 240 and one of class 1 apart; around any other they move.
    probes = [f"\u0345{character}\u0334" for character in listed]
    results = normalizers.NFKD().normalize_str("\n".join(probes)).split("\n")
    plain = {c for c, probe, r in zip(listed, probes, results, strict=True) if probe == r}
    # Those too that combine with another only to such a character: a composition is as young as one of
    # its parts, or Unicode would not have it.
    pairs = {c: _canonical_pair(c) for c in listed}
    parts_of_others = {part for c, pair in pairs.items() if c not in plain for part in pair}
    parts = (next((p for p in pairs[c] if p not in parts_of_others), c) for c in plain)
    return frozenset([*plain, *parts])


def _canonical_pair(character: str) -> list[str]:
    parts = unicodedata.decomposition(character).split()
    return [chr(int(part, 16)) for part in parts] if len(parts) == 2 and parts[0][0] != "<" else []
