"""The slow, obvious oracle: what cutting, counting, training and encoding mean, in plain Python."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import regex

Merge = tuple[int, int, int]
Document = tuple[str, str, int]  # text, group, weight


# Cutting and counting


def cut(pattern: str, text: str) -> list[str]:
    """Return the pieces: matches, and what lies between two of them; an empty match is none."""
    matcher = regex.compile(pattern, regex.V0)
    pieces, gap, at = [], 0, 0
    while at < len(text):
        found = matcher.match(text, at)
        if found is None or found.end() == at:
            at += 1
            continue
        if gap < at:
            pieces.append(text[gap:at])
        pieces.append(found.group())
        gap = at = found.end()
    if gap < len(text):
        pieces.append(text[gap:])
    return pieces


def count_pieces(pattern: str, documents: Iterable[Document]) -> dict[tuple[bytes, str], int]:
    counts: Counter[tuple[bytes, str]] = Counter()
    for text, group, weight in documents:
        for piece in cut(pattern, text):
            counts[piece.encode(), group] += weight
    return {key: count for key, count in counts.items() if count}


def totals(text: str) -> list[int]:
    """Return documents, bytes, characters, lines, words, unspaced and non-space characters."""
    lines = text.split("\n")
    return [
        1,
        len(text.encode()),
        len(text),
        len(lines) - (lines[-1] == ""),
        len(regex.findall(r"\P{White_Space}+", text)),
        sum(map(is_unspaced, text)),
        len(regex.findall(r"\P{White_Space}", text)),
    ]


UNSPACED = [
    range(0x0E00, 0x1000),  # Thai, Lao, Tibetan
    range(0x1000, 0x10A0),  # Myanmar
    range(0x1780, 0x1800),  # Khmer
    range(0x3040, 0x3100),  # Hiragana, Katakana
    range(0x3400, 0xA000),  # Han: extension A, hexagrams between the two, the main block
    range(0xF900, 0xFB00),  # compatibility ideographs
    range(0x20000, 0x34000),  # the two planes of Han extensions
]


def is_unspaced(character: str) -> bool:
    """Say whether a character is in a block of a script that is written without spaces."""
    return any(ord(character) in block for block in UNSPACED)


def holds_letter(piece: bytes) -> bool:
    return regex.search(r"\p{L}", piece.decode()) is not None


# Training


def byte_ids(specials: int = 0) -> list[int]:
    """Return the id of each byte: in the order of the characters of byte-level vocabularies."""
    hidden = ("Cc", "Cf", "Zs")
    printable = [b for b in range(256) if unicodedata.category(chr(b)) not in hidden]
    rest = [b for b in range(256) if b not in printable]
    ids = [0] * 256
    for position, byte in enumerate(printable + rest):
        ids[byte] = specials + position
    return ids


def merge_pair(symbols: Sequence[int], pair: tuple[int, int], new: int) -> list[int]:
    """Replace the pair from left to right."""
    merged: list[int] = []
    i = 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def count_pairs(words: Iterable[tuple[Sequence[int], int]]) -> Counter[tuple[int, int]]:
    """Count adjacent pairs with their overlaps: "aaa" holds (a, a) twice."""
    counts: Counter[tuple[int, int]] = Counter()
    for symbols, count in words:
        for pair in pairwise(symbols):
            counts[pair] += count
    return counts


def train_bpe(
    pieces: dict[bytes, int],
    size: int,
    specials: int = 0,
    min_frequency: int = 0,
    max_token_length: int | None = None,
) -> list[tuple[int, int, int, int]]:
    """Return left id, right id, new id and count of each merge until `size` ids exist.

    No merge spells a token that exists, for the inside of a string is always cut alike; that is
    asserted here, and why it must be so is said in tests/trainers/test_bpe.py.
    """
    ids = byte_ids(specials)
    spelling = {ids[b]: bytes([b]) for b in range(256)}
    known = set(spelling.values())
    words = [([ids[b] for b in piece], count) for piece, count in pieces.items()]
    merges = []
    for new in range(256 + specials, size):
        allowed = [
            (-count, pair)
            for pair, count in count_pairs(words).items()
            if count >= max(min_frequency, 1)
            and len(spelling[pair[0]] + spelling[pair[1]]) <= (max_token_length or 2**31)
        ]
        if not allowed:
            break
        negative, pair = min(allowed)
        spelling[new] = spelling[pair[0]] + spelling[pair[1]]
        assert spelling[new] not in known
        known.add(spelling[new])
        merges.append((*pair, new, -negative))
        words = [(merge_pair(symbols, pair, new), count) for symbols, count in words]
    return merges


def merges_at_size(merges: Sequence[Sequence[int]], size: int, specials: int = 0) -> list[Merge]:
    """Return the merges of a vocabulary of `size` ids: as few as reach it.

    A list that was read from a file may spell a token twice; such a merge adds no id.
    """
    chosen: list[Merge] = []
    reached = 256 + specials
    for left, right, new, *_ in merges:
        if reached == size:
            break
        chosen.append((left, right, new))
        reached = max(reached, new + 1)
    return chosen


# Encoding


def encode(piece: bytes, merges: Sequence[Sequence[int]], specials: int = 0) -> list[int]:
    """Encode by ranked merges: the lowest rank, leftmost, one at a time."""
    ids = byte_ids(specials)
    ranks = {(left, right): (rank, new) for rank, (left, right, new, *_) in enumerate(merges)}
    symbols = [ids[b] for b in piece]
    while True:
        found = [(ranks[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks]
        if not found:
            return symbols
        (_, new), i = min(found)
        symbols[i : i + 2] = [new]
