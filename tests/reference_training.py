"""Unigram training straight from its description: dictionaries of strings, plain Python, no speed."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

FLOOR = 0.5


def digamma(x: float) -> float:
    """Return the derivative of the logarithm of the gamma function, by steps up to 1000."""
    below = 0.0
    while x < 1000:
        below -= 1 / x
        x += 1
    return below + math.log(x) - 1 / (2 * x) - 1 / (12 * x * x)


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


@dataclass
class State:
    """Tokens in order with their scores; a character that is no token is spelled by bytes, or unknown."""

    pieces: dict[str, int]
    score: dict[str, float]
    byte_score: list[float]
    by_bytes: bool
    required: set[str] = field(default_factory=set)

    def around(self, character: str) -> float:
        if self.by_bytes:
            return sum(self.byte_score[b] for b in character.encode())
        return min(self.score.values(), default=-20.0) - 10

    def edges(self, piece: str, i: int, without: str | None = None):
        if piece[i] not in self.score or piece[i] == without:
            yield i + 1, None, self.around(piece[i])
        for j in range(i + 1, min(len(piece), i + 32) + 1):
            if piece[i:j] in self.score and piece[i:j] != without:
                yield j, piece[i:j], self.score[piece[i:j]]

    def expected(self) -> tuple[Counter[str], list[float]]:
        """Return the expected occurrences of tokens and of bytes."""
        tokens: Counter[str] = Counter()
        by_byte = [0.0] * 256
        for piece, count in self.pieces.items():
            n = len(piece)
            alpha, beta = [-math.inf] * (n + 1), [-math.inf] * (n + 1)
            alpha[0] = beta[n] = 0.0
            for i in range(n):
                for j, _, s in self.edges(piece, i):
                    alpha[j] = log_add(alpha[j], alpha[i] + s)
            for i in reversed(range(n)):
                for j, token, s in self.edges(piece, i):
                    beta[i] = log_add(beta[i], s + beta[j])
                    share = count * math.exp(alpha[i] + s + beta[j] - alpha[n])
                    if token is not None:
                        tokens[token] += share
                    elif self.by_bytes:
                        for b in piece[i].encode():
                            by_byte[b] += share
        return tokens, by_byte

    def reestimate(self) -> None:
        tokens, by_byte = self.expected()
        kept = {
            t: max(tokens[t], FLOOR) for t in self.score if tokens[t] >= FLOOR or t in self.required
        }
        by_byte = [max(n, FLOOR) for n in by_byte]
        total = digamma(sum(kept.values()) + (sum(by_byte) if self.by_bytes else 0.0))
        self.score = {t: digamma(n) - total for t, n in kept.items()}
        self.byte_score = [digamma(n) - total for n in by_byte]

    def best(self, piece: str, without: str | None = None) -> tuple[float, list[str | None]]:
        """Return the best score and its tokens, None for a character that is none."""
        n = len(piece)
        best: list[tuple[float, list]] = [(-math.inf, [])] * (n + 1)
        best[0] = (0.0, [])
        for i in range(n):
            for j, token, s in self.edges(piece, i, without):
                if best[i][0] + s > best[j][0]:
                    best[j] = (best[i][0] + s, [*best[i][1], (token, piece[i:j])])
        return best[n]

    def losses(self) -> dict[str, float]:
        times: Counter[str] = Counter()
        byte_times = [0] * 256
        for piece, count in self.pieces.items():
            for token, text in self.best(piece)[1]:
                if token is not None:
                    times[token] += count
                else:
                    for b in text.encode() if self.by_bytes else b"":
                        byte_times[b] += count
        total = sum(times.values()) + sum(byte_times)
        found = {}
        for token in self.score:
            f = times[token]
            found[token] = -1.0
            if f == 0:
                continue
            score, path = self.best(token, without=token)
            if len(token) > 1 and score > self.score[token]:
                continue
            parts: list[int] = []
            for part, text in path:
                if part is not None:
                    parts.append(times[part])
                elif self.by_bytes:
                    parts += [byte_times[b] for b in text.encode()]
            rest = sum(math.log((n + f) / (total + f * (len(parts) - 1))) for n in parts)
            found[token] = f / total * (math.log(f / total) - rest)
        return found

    def prune(self, size: int, flat: bool, required: set[str]) -> None:
        value = dict(self.score) if flat else self.losses()
        order = [t for t in self.score if flat or value[t] >= 0 or t in required]
        order.sort(key=lambda t: -math.inf if t in required else -value[t])
        kept = {*order[: max(size, 0)], *required}
        self.score = {t: s for t, s in self.score.items() if t in kept}

    def drop_unreachable(self) -> None:
        gone = {t for t in self.score if len(t) > 1 and self.best(t, without=t)[0] > self.score[t]}
        self.score = {t: s for t, s in self.score.items() if t not in gone}


def log_add(a: float, b: float) -> float:
    if a == -math.inf or b == -math.inf:
        return max(a, b)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def train(
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
) -> dict[str, float] | int:
    """Return token -> score for a vocabulary of `size` ids, or how many ids there are if too few.

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
    by_byte = [FLOOR] * 256
    if by_bytes:
        for c in times:
            if c not in alone:
                by_byte[ord(c)] = max(times[c], FLOOR)
    total = math.log(sum(covered.values()) + sum(by_byte))
    state = State(
        pieces,
        {t: math.log(n) - total for t, n in covered.items()},
        [math.log(n) - total for n in by_byte],
        by_bytes,
        required or frequent(times),
    )
    alphabet = specials + 256
    at_size = state.required
    if by_bytes:
        most = (size - alphabet) // 8
        at_size = set(sorted(state.required, key=lambda c: (-times[c], c))[:most])
    goal = int(1.1 * size)
    room = size - alphabet
    while True:
        for _ in range(sub_iterations):
            state.reestimate()
        target = int(0.75 * (alphabet + len(state.score)))
        if goal >= target:
            before = dict(state.score)
            for headroom in (1.1, 1.3, 1.6, 2.0):
                state.score = dict(before)
                state.prune(int(headroom * size) - alphabet, flat, at_size)
                state.drop_unreachable()
                if len(state.score) >= room:
                    break
            break
        n = len(state.score)
        state.prune(target - alphabet, flat, state.required)
        if alphabet + len(state.score) <= goal or len(state.score) == n:
            state.drop_unreachable()
            break
    if len(state.score) < room:
        return alphabet + len(state.score)
    order = sorted(state.score, key=lambda t: (t not in at_size, -state.score[t]))
    scores = {t: state.score[t] for t in order[:room]}
    if by_bytes:
        for c in scores:
            if len(c) == 1:
                scores[c] = max(scores[c], state.around(c) + 1 / 1024)
        scores |= {bytes([b]): s for b, s in enumerate(state.byte_score)}
    return scores


def frequent(times: dict[str, int], coverage: float = 0.9995) -> set[str]:
    """Return the characters of two bytes and more among the most frequent, which cover so much."""
    found: set[str] = set()
    covered = 0
    for c in sorted(times, key=lambda c: (-times[c], c)):
        found.add(c)
        covered += times[c]
        if covered >= coverage * sum(times.values()):
            break
    return {c for c in found if ord(c) > 127}
