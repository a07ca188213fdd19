"""What the tests put together import numpy as np

from toktk.educational, and what it leaves out because it is no algorithm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import regex
import tokenizers

from toktk.educational import (
    FLOOR,
    UNKNOWN,
    apply_merges,
    cut,
    losses,
    prune,
    reestimate,
    viterbi,
)

Document = tuple[str, str, int]  # text, group, weight


def count_pieces(pattern: str, documents: Iterable[Document]) -> dict[tuple[bytes, str], int]:
    counts: Counter[tuple[bytes, str]] = Counter()
    for text, group, weight in documents:
        for piece in cut(pattern, text):
            counts[piece.encode(), group] += weight
    return {key: count for key, count in counts.items() if count}


def pieces_of(documents: Iterable[Document], pattern: str) -> Counter[bytes]:
    """Count pieces without groups."""
    pieces: Counter[bytes] = Counter()
    for (piece, _), count in count_pieces(pattern, documents).items():
        pieces[piece] += count
    return pieces


# Totals of texts


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


# What happens before a pattern cuts


def split_added(text, added):
    """Return (part, whether it is an added string): leftmost, then longest."""
    parts, gap, at = [], 0, 0
    while at < len(text):
        string = max((s for s in added if text.startswith(s, at)), key=len, default="")
        if not string:
            at += 1
            continue
        if gap < at:
            parts.append((text[gap:at], False))
        parts.append((string, True))
        gap = at = at + len(string)
    if gap < len(text):
        parts.append((text[gap:], False))
    return parts


def normalize(normalizer, text):
    if normalizer.form is not None:
        text = getattr(tokenizers.normalizers, normalizer.form)().normalize_str(text)
    if normalizer.marks:
        text = text.replace("\u2581", " ")
    always = normalizer.prefix == "always"
    if text and (always or (normalizer.prefix == "unless_space" and text[0] != " ")):
        text = " " + text
    return text


def cut_with(pretokenizer, text):
    """Return the pieces; an added string may change in nothing but its U+2581."""
    pieces = []
    for part, is_added in split_added(text, pretokenizer.added):
        if is_added:
            pieces.append(part.replace("\u2581", " ") if pretokenizer.normalizer.marks else part)
            continue
        parts = [normalize(pretokenizer.normalizer, part)]
        for pattern in (*pretokenizer.before, pretokenizer.pattern):
            parts = [piece for part in parts for piece in cut(pattern, part)]
        pieces += parts
    return pieces


# Encoding


def count_times_length(pair, left, right, left_length, right_length):
    return pair * (left_length + right_length)


def merges_at_size(merges: Sequence[Sequence[int]], size: int, specials: int = 0):
    """Return the merges of a vocabulary of `size` ids: as few as reach it.

    A list that was read from a file may spell a token twice; such a merge adds no id.
    """
    chosen = []
    reached = 256 + specials
    for merge in merges:
        if reached == size:
            break
        chosen.append(tuple(merge[:3]))
        reached = max(reached, merge[2] + 1)
    return chosen


def encode_by_pairs(symbols: Sequence[int], ranks: dict[tuple[int, int], tuple[int, int]]):
    """`ranks` maps (left, right) to (rank, new id)."""
    return apply_merges(symbols, ranks)[0]


def encode_by_strings(piece: bytes, ids: dict[bytes, int]) -> list[int]:
    """Do as tiktoken does: a piece that is a token is that token; else merge the two neighbors that
    together spell the token of lowest id, the leftmost of equals, until none do."""
    if piece in ids:
        return [ids[piece]]
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while True:
        listed = [
            (ids[left + right], at)
            for at, (left, right) in enumerate(pairwise(parts))
            if left + right in ids
        ]
        if not listed:
            return [ids[part] for part in parts]
        _, at = min(listed)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


# The order of steps of a unigram training


def seeds(
    pieces: dict[str, int],
    allowed: set[str],
    seed_size: int,
    least: int,
    longest: int,
    max_bytes: int = 1000,
) -> Counter[str]:
    """Return the seeds of two characters and more, with their occurrences, in order of training."""
    least = max(least, 1)
    times: Counter[str] = Counter()
    for piece, count in pieces.items():
        for i in range(len(piece)):
            for j in range(i + 2, min(i + longest, len(piece)) + 1):
                text = piece[i:j]
                if allowed.issuperset(text) and len(text.encode()) <= max_bytes:
                    times[text] += count
    times = Counter({text: n for text, n in times.items() if n >= least})
    whole = {t for t in times if pieces.get(t, 0) >= least}
    single = {t[:-1] for t, n in times.items() if times.get(t[:-1]) == n}
    rest = [t for t in times if t not in whole and t not in single]
    rest.sort(key=lambda t: (-times[t] * len(t), t))
    kept = [*whole, *rest[: max(seed_size - len(whole), 0)]]
    kept.sort(key=lambda t: (-times[t].bit_length(), t))
    return Counter({t: times[t] for t in kept})


def drop_unreachable(scores):
    """Drop the tokens by which nothing is encoded: their own text is not."""

    def is_reachable(token):
        others = {other: score for other, score in scores.items() if other != token}
        return viterbi(token, others, UNKNOWN)[0] <= scores[token]

    return {
        token: score
        for token, score in scores.items()
        if isinstance(token, int) or len(token) == 1 or is_reachable(token)
    }


def n_tokens(scores) -> int:
    return sum(isinstance(token, str) for token in scores)


def train_unigram(
    pieces: dict[str, int],
    size: int,
    *,
    specials: int = 0,
    required: set[str] | None = None,
    seed_size: int = 1_000_000,
    least: int = 2,
    longest: int = 16,
    flat: bool = False,
    sub_iterations: int = 2,
) -> dict[str | int, float]:
    """Return the scores of a vocabulary of `size` ids, or of as many tokens as there are.

    `required` are the characters of a character alphabet; None is an alphabet of bytes.
    """
    by_bytes = required is None
    times = Counter({c: 0 for piece in pieces for c in piece})
    for piece, count in pieces.items():
        for c in piece:
            times[c] += count
    found = seeds(pieces, set(times) if by_bytes else required, seed_size, least, longest)
    alone = sorted(c for c in times if (ord(c) > 127 if by_bytes else c in required))
    covered = {t: n * len(t) for t, n in found.items()} | {c: times[c] for c in alone}
    by_byte = dict.fromkeys(range(256), FLOOR)
    if by_bytes:
        by_byte |= {ord(c): max(n, FLOOR) for c, n in times.items() if c not in alone}
    total = math.log(sum(covered.values()) + sum(by_byte.values()))
    if by_bytes:
        covered |= by_byte
    scores = {t: math.log(n) - total for t, n in covered.items()}
    required = required or frequent(times)
    alphabet = specials + 256
    at_size = required
    if by_bytes:
        most = (size - alphabet) // 8
        at_size = set(sorted(required, key=lambda c: (-times[c], c))[:most])
    goal = int(1.1 * size)
    room = size - alphabet
    while True:
        for _ in range(sub_iterations):
            scores = reestimate(pieces, scores, required)
        value = {t: s - min(scores.values()) for t, s in scores.items() if isinstance(t, str)}
        if not flat:
            value = losses(pieces, scores)
        target = int(0.75 * (alphabet + n_tokens(scores)))
        if goal >= target:
            for headroom in (1.1, 1.3, 1.6, 2.0):
                pruned = prune(scores, value, int(headroom * size) - alphabet, at_size)
                pruned = drop_unreachable(pruned)
                if n_tokens(pruned) >= room:
                    break
            scores = pruned
            break
        before = n_tokens(scores)
        scores = prune(scores, value, target - alphabet, required)
        if alphabet + n_tokens(scores) <= goal or n_tokens(scores) == before:
            scores = drop_unreachable(scores)
            break
    tokens = [t for t in scores if isinstance(t, str)]
    tokens.sort(key=lambda t: (t not in at_size, -scores[t]))
    final = {t: scores[t] for t in tokens[:room]}
    if by_bytes:
        for c in final:
            if len(c) == 1:
                final[c] = max(final[c], sum(scores[b] for b in c.encode()) + 1 / 1024)
        final |= {b: scores[b] for b in range(256)}
    return final


def frequent(times: dict[str, int], coverage: float = 0.9995) -> set[str]:
    """Return the characters of two bytes and more among the most frequent, which cover so much."""
    chosen: set[str] = set()
    covered = 0
    for c in sorted(times, key=lambda c: (-times[c], c)):
        chosen.add(c)
        covered += times[c]
        if covered >= coverage * sum(times.values()):
            break
    return {c for c in chosen if ord(c) > 127}


def viterbi_float32(text: str, scores: dict[str, float], unknown: float) -> list[str | bytes]:
    """Return the tokens that SentencePiece 0.2.3 finds; characters that are no token, as bytes.

    Sums are float32, and of equal ones the first stays. Where the sum at a position is beyond 100,000
    it is subtracted there and from all that has been reached.
    """
    best: dict[int, tuple[np.float32, int]] = {0: (np.float32(0), 0)}
    longest = max(map(len, scores), default=0)
    for start in range(len(text)):
        if start not in best:
            continue
        if abs(best[start][0]) > 100_000:
            offset = best[start][0]
            best |= {at: (sum_ - offset, step) for at, (sum_, step) in best.items() if at >= start}
        for end in range(start + 1, min(start + max(longest, 1), len(text)) + 1):
            score = scores.get(text[start:end], unknown if end == start + 1 else None)
            if score is not None:
                total = best[start][0] + np.float32(score)
                if end not in best or total > best[end][0]:
                    best[end] = total, start
    path: list[str | bytes] = []
    end = len(text)
    while end:
        token = text[best[end][1] : end]
        path.insert(0, token if token in scores else token.encode())
        end = best[end][1]
    return path
