"""The script that each group of a text is mostly written in, by which long tables over groups are folded."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter

import numpy as np

from toktk.pieces.table import PieceTable

_SAMPLE = 300  # pieces of a group, the most frequent ones
_BYTES = 200  # of each: a piece can be a whole document
_SCRIPT = re.compile(
    r"(.*?) (?:SMALL|CAPITAL|LETTER|SYLLAB|UNIFIED|COMPATIBILITY|MODIFIER|VOWEL|CONSONANT)"
)
_NAMES = {
    "Cjk": "Han",
    "Hiragana": "Kana",
    "Katakana": "Kana",
    "Halfwidth Katakana": "Kana",
    "Katakana-Hiragana": "Kana",
    "Fullwidth Latin": "Latin",
}


def scripts_of(table: PieceTable) -> dict[str, str]:
    """Return {group: script of most letters of its most frequent pieces}, as Unicode's names begin."""
    piece_of = np.repeat(np.arange(len(table)), np.diff(table.rows))
    order = np.lexsort((-table.entry_count, table.entry_group))
    bounds = np.searchsorted(table.entry_group[order], np.arange(len(table.groups) + 1))
    scripts = {}
    for g, group in enumerate(table.groups):
        letters: Counter[str] = Counter()
        for entry in order[bounds[g] : bounds[g + 1]][:_SAMPLE].tolist():
            p, n = int(piece_of[entry]), int(table.entry_count[entry])
            begin, end = int(table.offsets[p]), int(table.offsets[p + 1])
            piece = table.data[begin : min(end, begin + _BYTES)].tobytes()
            for char in piece.decode(errors="ignore"):
                if char.isalpha():
                    letters[script_of(char)] += n
        most = min(letters, key=lambda script: (-letters[script], script), default="no letters")
        scripts[group] = most
    return scripts


@functools.lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """Return the script of a letter, as Unicode's names begin."""
    name = unicodedata.name(letter, "")
    known = _SCRIPT.match(name)
    script = (known[1] if known else name.partition(" ")[0]).title()
    return _NAMES.get(script, script)
