"""The script that each group of a text is mostly written in, and the script of each character."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64, offsets_of
from toktk.pieces.table import PieceTable, gather

_NONE = "no letters"
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
    "Feminine": "Latin",  # the ordinals ª and º
    "Masculine": "Latin",
    "Ideographic": "Han",
}

_OF_BLOCKS = """
Latin 41-5A 61-7A AA BA C0-D6 D8-F6 F8-2AF 1D00-1D25 1E00-1EFF 2C60-2C7F A720-A7FF AB30-AB64 FB00-FB06
Latin FF21-FF3A FF41-FF5A
Greek 370-373 376-377 37A-37D 37F 386-3E1 3F0-3FF 1F00-1FFF
Cyrillic 400-52F 1C80-1C8F 2DE0-2DFF A640-A69F
Armenian 531-556 559-58A FB13-FB17
Hebrew 591-5F4 FB1D-FB4F
Arabic 600-6FF 750-77F 870-8FF FB50-FDCF FDF0-FDFF FE70-FEFC
Syriac 700-74F 860-86F
Thaana 780-7BF
Nko 7C0-7FF
Devanagari 900-963 966-97F A8E0-A8FF
Bengali 980-9FF
Gurmukhi A00-A7F
Gujarati A80-AFF
Oriya B00-B7F
Tamil B80-BFF
Telugu C00-C7F
Kannada C80-CFF
Malayalam D00-D7F
Sinhala D80-DFF
Thai E01-E3A E40-E5B
Lao E80-EFF
Tibetan F00-FFF
Myanmar 1000-109F A9E0-A9FF AA60-AA7F
Georgian 10A0-10FF 1C90-1CBF 2D00-2D2F
Hangul 1100-11FF 3131-318E A960-A97F AC00-D7FF FFA0-FFDC
Ethiopic 1200-139F 2D80-2DDF AB01-AB2F
Cherokee 13A0-13FF AB70-ABBF
Canadian 1400-167F 18B0-18FF
Khmer 1780-17FF 19E0-19FF
Mongolian 1800-18AF
Tifinagh 2D30-2D7F
Han 2E80-2FDF 3005 3007 3021-3029 3038-303B 3400-4DBF 4E00-9FFF F900-FAFF 20000-323AF
Kana 3041-309F 30A1-30FA 30FC-30FF 31F0-31FF FF66-FF9F 1B000-1B16F
Bopomofo 3105-312F 31A0-31BF
Yi A000-A4CF
Ol 1C50-1C7F
Balinese 1B00-1B7F
Sundanese 1B80-1BBF
Javanese A980-A9DF
Meetei ABC0-ABFF AAE0-AAFF
Adlam 1E900-1E95F
"""
_END = 0x32400  # beyond, there is no character of these


def script_table() -> tuple[tuple[str, ...], npt.NDArray[np.uint8]]:
    """Return the names of scripts, and uint8 by code point: which one's a character is; the first is "".

    By blocks of Unicode, so it is the same on every machine, whatever its tables; the scripts of most text
    alone. The names are those of `script_of`. Punctuation and digits that all scripts share are none's.
    """
    names = [""]
    table = np.zeros(_END, np.uint8)
    for line in _OF_BLOCKS.split("\n")[1:-1]:
        name, *blocks = line.split()
        if name not in names:
            names.append(name)
        for block in blocks:
            first, _, last = block.partition("-")
            table[int(first, 16) : int(last or first, 16) + 1] = names.index(name)
    return tuple(names), table


def scripts_of(table: PieceTable) -> dict[str, str]:
    """Return {group: script of most letters of its most frequent pieces}, as Unicode's names begin."""
    entries = _entries_of(table)
    piece_of = np.searchsorted(table.rows, entries, side="right") - 1
    pieces, number_of = np.unique(piece_of, return_inverse=True)
    letters = [_scripts_in(_beginning(table, p)) for p in pieces.tolist()]
    names = sorted({script for of_piece in letters for script in of_piece})
    if not names:
        return dict.fromkeys(table.groups, _NONE)
    # What a piece has of each script, one after the other; then of each entry.
    ends = offsets_of([*map(len, letters)])
    script = np.array([names.index(s) for of_piece in letters for s in of_piece], dtype=np.int64)
    count = np.array([n for of_piece in letters for n in of_piece.values()], dtype=np.int64)
    n_scripts = np.diff(ends)[number_of]
    starts = offsets_of(n_scripts)
    at = np.arange(starts[-1]) + np.repeat(ends[number_of] - starts[:-1], n_scripts)
    entry = np.repeat(entries, n_scripts)
    sums = np.zeros((len(table.groups), len(names)), dtype=np.int64)
    np.add.at(sums, (table.entry_group[entry], script[at]), table.entry_count[entry] * count[at])
    most = sums.argmax(axis=1)  # of equal ones the first by name
    has_letters = sums.max(axis=1) > 0
    return {
        group: names[most[g]] if has_letters[g] else _NONE for g, group in enumerate(table.groups)
    }


def _entries_of(table: PieceTable) -> Int64:
    """Return the entries of the `_SAMPLE` most frequent pieces of each group."""
    from toktk.kernels.hash import hash_spans

    frequent = _frequent(table)
    piece_of = np.searchsorted(table.rows, frequent, side="right") - 1
    # Of equally frequent pieces any will do, but the same ones in whatever order the table lists them.
    pieces, number_of = np.unique(piece_of, return_inverse=True)
    hashes = hash_spans(*gather(table.data, table.offsets, pieces))[number_of]
    group = table.entry_group[frequent]
    order = np.lexsort((hashes, -table.entry_count[frequent], group))
    firsts = np.searchsorted(group[order], np.arange(len(table.groups)))
    rank = np.arange(order.size) - firsts[group[order]]
    return np.asarray(frequent[order[rank < _SAMPLE]])


def _frequent(table: PieceTable) -> Int64:
    """Return the entries among which the `_SAMPLE` most frequent of each group are."""
    from toktk.kernels.count import counting_sort

    counts = table.entry_count
    bounds = offsets_of(np.bincount(table.entry_group, minlength=len(table.groups)))
    by_group = np.empty(counts.size, np.int64)
    counting_sort(table.entry_group, bounds.copy(), by_group)
    counts, chosen = counts[by_group], []
    for first, last in itertools.pairwise(bounds.tolist()):
        of_group, own = by_group[first:last], counts[first:last]
        if own.size > _SAMPLE:
            of_group = of_group[own >= np.partition(own, -_SAMPLE)[-_SAMPLE]]
        chosen.append(of_group)
    return np.concatenate(chosen) if chosen else by_group


def _beginning(table: PieceTable, p: int) -> bytes:
    begin, end = int(table.offsets[p]), int(table.offsets[p + 1])
    return table.data[begin : min(end, begin + _BYTES)].tobytes()


@functools.lru_cache(maxsize=1 << 14)  # the next pretokenizer cuts most of the same pieces
def _scripts_in(piece: bytes) -> Counter[str]:
    return Counter(script_of(char) for char in piece.decode(errors="ignore") if char.isalpha())


@functools.lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """Return the script of a letter, as Unicode's names begin."""
    name = unicodedata.name(letter, "")
    known = _SCRIPT.match(name)
    script = (known[1] if known else name.partition(" ")[0]).title()
    return _NAMES.get(script, script)


NO_LETTERS, PARTIAL = -1, -2
"""In the place of a script: there is no letter; the bytes are no whole characters."""

_UNKNOWN, _ESCAPED = -2, 0x7FFF  # in `_Known`: nobody has asked; a byte that is of no character


class _Known:
    """Scripts by number, as they come; int16 by code point: which one's a letter is."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._of_code = np.full(0x110000, _UNKNOWN, dtype=np.int16)
        self._of_code[0xDC80:0xDD00] = _ESCAPED

    def of(self, codes: npt.NDArray[np.uint32]) -> npt.NDArray[np.int16]:
        """Return the number of the script of each code point, `NO_LETTERS`, or `_ESCAPED`."""
        is_new = np.zeros(self._of_code.size, dtype=np.bool_)
        is_new[codes] = True
        for code in np.flatnonzero(is_new & (self._of_code == _UNKNOWN)).tolist():
            letter, number = chr(code), NO_LETTERS
            if letter.isalpha():
                name = script_of(letter)
                if name not in self.names:
                    self.names.append(name)
                number = self.names.index(name)
            self._of_code[code] = number
        return self._of_code[codes]


@functools.cache
def _known() -> _Known:
    return _Known()


def scripts_of_tokens(tokens: Sequence[bytes]) -> tuple[Sequence[str], Int64]:
    """Return names of scripts, and int64[n]: the one of most letters of each token, by number.

    Of scripts with as many letters it is the last by name. `NO_LETTERS` and `PARTIAL` are in its place. No
    token may be empty.
    """
    # Bytes of no character become characters of their own; none reaches over the end of a token.
    text = b"\n".join(tokens).decode("utf-8", "surrogateescape")
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    known = _known()
    scripts = known.of(codes)
    n_bytes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    n_bytes[scripts == _ESCAPED] = 1
    begins = np.zeros(int(n_bytes.sum()) + 1, dtype=np.bool_)
    begins[offsets_of(n_bytes)] = True
    starts = offsets_of([len(token) + 1 for token in tokens])[:-1]
    firsts = offsets_of(begins)[starts]  # of the characters
    highest = np.maximum.reduceat(scripts, firsts)
    lowest = np.minimum.reduceat(np.where(scripts < 0, _ESCAPED, scripts), firsts)
    found = highest.astype(np.int64)
    found[highest == _ESCAPED] = PARTIAL
    for i in np.flatnonzero((lowest < highest) & (highest < _ESCAPED)).tolist():
        letters = Counter(script_of(char) for char in tokens[i].decode() if char.isalpha())
        found[i] = known.names.index(max(letters, key=lambda name: (letters[name], name)))
    return known.names, found
