"""Which characters are faults, which compose, and which names HTML has for some: tables for kernels."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
import numpy.typing as npt

FAULTS = (
    "replaced", "nul", "control", "bom", "private", "invisible", "entity", "tag", "crlf", "lf", "cr",
    "mixed ends", "decomposed", "composed", "mojibake",
)  # fmt: skip
"""Names of the faults of `toktk.kernels.faults`, by number. LF and composed characters are fine."""

_ENTITIES = """
amp lt gt quot apos nbsp copy reg trade hellip mdash ndash lsquo rsquo ldquo rdquo laquo raquo bull middot
euro deg times shy zwj zwnj para sect agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc
euml igrave iacute icirc iuml ntilde ograve oacute ocirc otilde ouml oslash ugrave uacute ucirc uuml yacute
szlig Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml
Ntilde Ograve Oacute Ocirc Otilde Ouml Oslash Ugrave Uacute Ucirc Uuml Yacute
"""

# Where letters with marks are, that one character stands for as well; Hangul composes by rule.
_FIRST, _LAST = 0xC0, 0x30FF
_MARKS = (
    *range(0x300, 0x315), *range(0x323, 0x329), 0x31B, 0x32D, 0x32E, 0x330, 0x331, 0x338, 0x342, 0x345,
    0x653, 0x654, 0x655, 0x3099, 0x309A,
)  # fmt: skip


@functools.cache
def composing_pairs() -> npt.NDArray[np.uint64]:
    """Return uint64, sorted: the first character << 32 | the second, of two that NFC makes one of."""
    pairs = [
        (ord(letter), mark)
        for char in map(chr, range(_FIRST, _LAST + 1))
        if (parts := unicodedata.decomposition(char)) and "<" not in parts
        for letter, mark in [_pair(parts)]
        if mark in _MARKS and unicodedata.normalize("NFC", letter + chr(mark)) == char
    ]
    hangul = [
        (first, second) for first in range(0x1100, 0x1113) for second in range(0x1161, 0x1176)
    ]
    return np.array(sorted(a << 32 | b for a, b in pairs + hangul), np.uint64)


def _pair(parts: str) -> tuple[str, int]:
    first, _, second = parts.partition(" ")
    return chr(int(first, 16)), int(second, 16) if second else 0


@functools.cache
def fault_classes() -> npt.NDArray[np.uint8]:
    """Return uint8 by code point: see `toktk.kernels.faults.count_faults`."""
    from toktk.kernels import faults as k

    classes = np.zeros(0x110000, np.uint8)

    def set_class(fault: int, *codes: int) -> None:
        classes[list(codes)] = 1 + fault

    set_class(k.REPLACED, 0xFFFD)
    set_class(k.NUL, 0)
    # Tabs, line and form feeds are text, and so is U+0085, which is a line end.
    plain = (0, 9, 10, 12, 13, 0x85)
    set_class(k.CONTROL, *(code for code in (*range(32), *range(0x7F, 0xA0)) if code not in plain))
    set_class(k.BOM, 0xFEFF)
    set_class(k.PRIVATE, *range(0xE000, 0xF900), *range(0xFDD0, 0xFDF0))
    classes[0xF0000:] = 1 + k.PRIVATE
    set_class(
        k.PRIVATE,
        *(plane + code for plane in range(0, 0x110000, 0x10000) for code in (0xFFFE, 0xFFFF)),
    )
    set_class(k.INVISIBLE, 0x200B, 0x2060, 0xAD)
    set_class(k.ENTITY, ord("&"))
    set_class(k.TAG, ord("<"))
    set_class(k.LF, 10)
    set_class(k.CR, 13)
    for pair in composing_pairs().tolist():
        first, second = chr(pair >> 32), chr(pair & 0xFFFFFFFF)
        classes[ord(second)] = k.JOINS
        set_class(k.COMPOSED, ord(unicodedata.normalize("NFC", first + second)))
    set_class(k.COMPOSED, *range(0xAC00, 0xD7A4))
    return classes


@functools.cache
def entity_names() -> npt.NDArray[np.uint64]:
    """Return uint64, sorted: names of characters in HTML, little-endian."""
    return np.array(
        sorted(int.from_bytes(name.encode(), "little") for name in _ENTITIES.split()), np.uint64
    )
