"""The algorithms of toktk in plain Python, to be read in one sitting; each function shows an example.

A text is cut into pieces, and the pieces are counted: a trainer sees nothing else of a corpus. BPE
begins with bytes and merges the most frequent pair again and again; its merges, applied by rank,
encode any text. Unigram begins with many tokens and drops those that the text can spare; a text is
then encoded by its most probable segmentation.

Nothing here is fast. The fast modules compute the same on arrays; the tests hold them to this module.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import regex

Pair = tuple[int, int]
Merge = Sequence[int]  # left id, right id, new id, and in training the count of the pair
Merged = tuple[list[int], list[int]]  # ids, and the ranks of the merges in the order applied
# Of the count of a pair, the counts of its left and its right token, and the lengths of these in bytes.
PairScore = Callable[[int, int, int, int, int], float | Fraction]

Text = str | bytes  # training sees characters, encoding sees bytes
Token = str | bytes | int  # a text; or a byte that helps to spell a character which is no token
Scores = Mapping[Token, float]  # the logarithms of probabilities
Segmentation = tuple[float, list[Token]]  # the sum of the scores, and the tokens
Edge = tuple[int, int, list[Token], float]  # start, end, tokens, score
FLOOR = 0.5  # a token that is expected less often is dropped
# The score of a character with neither token nor bytes: any number, for all segmentations hold it alike.
UNKNOWN = -100.0


def cut(pattern: str, text: str) -> list[str]:
    """Cut a text into the matches of a pattern and the gaps between them; an empty match is none.

    >>> cut(r"[a-z]+| [a-z]+", "to be, or not")
    ['to', ' be', ',', ' or', ' not']
    """
    matcher = regex.compile(pattern, regex.V0)
    pieces, gap, at = [], 0, 0
    while at < len(text):
        match = matcher.match(text, at)
        if match is None or match.end() == at:
            at += 1
        else:
            pieces += [text[gap:at], match.group()]
            gap = at = match.end()
    pieces.append(text[gap:])
    return [piece for piece in pieces if piece]


def count_pieces(pattern: str, texts: Iterable[str]) -> Counter[bytes]:
    """Count the pieces of texts, as UTF-8.

    >>> count_pieces(r"[a-z]+", ["to be or", "not to be"])
    Counter({b' ': 4, b'to': 2, b'be': 2, b'or': 1, b'not': 1})
    """
    return Counter(piece.encode() for text in texts for piece in cut(pattern, text))


def byte_ids(specials: int = 0) -> list[int]:
    """Return the id of each byte: special tokens come first, then the bytes that are visible characters.

    GPT-2 writes the other bytes as characters from U+0100 on, so they follow. Merges get the ids after.

    >>> ids = byte_ids()
    >>> ids[ord("!")], ids[ord("a")], ids[0], ids[ord(" ")], byte_ids(specials=2)[ord("!")]
    (0, 64, 188, 220, 2)
    """
    visible = [b for b in range(256) if unicodedata.category(chr(b)) not in ("Cc", "Cf", "Zs")]
    order = visible + [b for b in range(256) if b not in visible]
    return [specials + order.index(b) for b in range(256)]


def count_pairs(words: Iterable[tuple[Sequence[int], int]]) -> Counter[Pair]:
    """Count neighbors in words that occur so often, overlaps included: [1, 1, 1] holds (1, 1) twice.

    >>> count_pairs([([1, 1, 1], 10), ([2, 1, 1], 3)])
    Counter({(1, 1): 23, (2, 1): 3})
    """
    counts: Counter[Pair] = Counter()
    for ids, times in words:
        for pair in pairwise(ids):
            counts[pair] += times
    return counts


def merge_pair(ids: Sequence[int], pair: Pair, new: int) -> list[int]:
    """Replace a pair by a new id, from left to right.

    >>> merge_pair([1, 2, 3, 1, 2], (1, 2), 4)
    [4, 3, 4]
    >>> merge_pair([1, 1, 1], (1, 1), 4)
    [4, 1]
    """
    merged: list[int] = []
    i = 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def ratio(pair: int, left: int, right: int, left_bytes: int, right_bytes: int) -> Fraction:
    """Score a pair by how much more often it occurs than its two tokens would meet by chance.

    >>> ratio(6, 10, 12, 1, 2)
    Fraction(1, 20)
    """
    return Fraction(pair, left * right)


def train_bpe(
    pieces: Mapping[bytes, int],
    size: int,
    specials: int = 0,
    min_frequency: int = 0,
    max_token_length: int | None = None,
    score: PairScore = lambda pair, *_: pair,
) -> list[tuple[int, int, int, int]]:
    """Merge the pair of the highest score until there are `size` ids; of equals the smallest pair of ids.

    A pair must occur `min_frequency` times, and its token have `max_token_length` bytes at most.

    >>> train_bpe({b"low": 5, b"lower": 2, b"newest": 6}, 260)
    [(86, 68, 256, 8), (75, 78, 257, 7), (68, 256, 258, 6), (77, 258, 259, 6)]
    >>> train_bpe({b"low": 5, b"lower": 2, b"newest": 6}, 257, score=ratio)
    [(82, 83, 256, 6)]
    """
    ids = byte_ids(specials)
    length = dict.fromkeys(ids, 1)
    words = [([ids[b] for b in piece], times) for piece, times in pieces.items()]
    merges = []
    for new in range(256 + specials, size):
        pairs = count_pairs(words)
        tokens: Counter[int] = Counter()
        for word, times in words:
            for token in word:
                tokens[token] += times
        allowed = [
            (-score(n, tokens[a], tokens[b], length[a], length[b]), (a, b))
            for (a, b), n in pairs.items()
            if n >= max(min_frequency, 1)
            and length[a] + length[b] <= (max_token_length or math.inf)
        ]
        if not allowed:
            break
        _, pair = min(allowed)
        merges.append((*pair, new, pairs[pair]))
        length[new] = length[pair[0]] + length[pair[1]]
        words = [(merge_pair(word, pair, new), times) for word, times in words]
    return merges


def apply_merges(ids: Sequence[int], ranks: Mapping[Pair, tuple[int, int]]) -> Merged:
    """Merge the pair of lowest rank, the leftmost of equals, until no pair has a rank.

    `ranks` maps a pair to its rank and its new id. Return the ids, and the ranks in the order applied.

    >>> apply_merges([1, 2, 3, 1, 2], {(1, 2): (0, 4), (4, 3): (1, 5)})
    ([5, 4], [0, 0, 1])
    """
    merged, applied = list(ids), list[int]()
    while True:
        ranked = [(ranks[pair][0], i) for i, pair in enumerate(pairwise(merged)) if pair in ranks]
        if not ranked:
            return merged, applied
        rank, i = min(ranked)
        merged[i : i + 2] = [ranks[merged[i], merged[i + 1]][1]]
        applied.append(rank)


def _encode(piece: bytes, merges: Sequence[Merge], specials: int) -> Merged:
    ids = byte_ids(specials)
    ranks = {(left, right): (rank, new) for rank, (left, right, new, *_) in enumerate(merges)}
    return apply_merges([ids[b] for b in piece], ranks)


def encode(piece: bytes, merges: Sequence[Merge], specials: int = 0) -> list[int]:
    """Encode a piece; the rank of a merge is its place in the list.

    >>> encode(b"lowest", train_bpe({b"low": 5, b"lower": 2, b"newest": 6}, 260))
    [257, 256, 82, 83]
    """
    return _encode(piece, merges, specials)[0]


def tokens_at_every_size(piece: bytes, merges: Sequence[Merge], specials: int = 0) -> list[int]:
    """Return how many tokens the first 0, 1, 2 ... merges make of a piece, from one encoding by all.

    Say the merges applied have the ranks r1, r2 ... in this order. The first k merges of the list
    take the i-th step if and only if max(r1 ... ri) < k, and each step makes one token out of two.

    >>> merges = train_bpe({b"low": 5, b"lower": 2, b"newest": 6}, 261)
    >>> tokens_at_every_size(b"lowest", merges)
    [6, 5, 4, 4, 4, 3]
    >>> [len(encode(b"lowest", merges[:k])) for k in range(6)]
    [6, 5, 4, 4, 4, 3]
    """
    _, ranks = _encode(piece, merges, specials)
    highest = [max(ranks[: i + 1]) for i in range(len(ranks))]
    return [len(piece) - sum(rank < k for rank in highest) for k in range(len(merges) + 1)]


def edges(piece: Text, scores: Scores, unknown: float | None = None) -> Iterator[Edge]:
    """Yield each token in a piece as (start, end, tokens, score), in the order of starts.

    A character that is no token is spelled by its bytes, at the sum of their scores. Where they
    have none the character costs `unknown`; None means that it cannot be spelled.

    >>> list(edges("aéa", {"a": -1.0, "aé": -2.5, 195: -3.0, 169: -4.0}))
    [(0, 1, ['a'], -1.0), (0, 2, ['aé'], -2.5), (1, 2, [195, 169], -7.0), (2, 3, ['a'], -1.0)]
    """
    longest = max((len(token) for token in scores if not isinstance(token, int)), default=0)
    for start in range(len(piece)):
        character_end = _character_end(piece, start)
        for end in range(start + 1, min(max(start + longest, character_end), len(piece)) + 1):
            text = piece[start:end]
            if text in scores:
                yield start, end, [text], scores[text]
            elif end == character_end:
                spelling = _spell(text)
                if all(byte in scores for byte in spelling):
                    yield start, end, spelling, sum(scores[byte] for byte in spelling)
                elif unknown is not None:
                    yield start, end, spelling, unknown


def _character_end(piece: Text, start: int) -> int:
    if isinstance(piece, str):
        return start + 1
    first = piece[start]  # tells in UTF-8 how many bytes the character has
    length = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return min(start + length, len(piece))


def _spell(character: Text) -> list[Token]:
    return list(character.encode() if isinstance(character, str) else character)


def segmentations(piece: Text, scores: Scores, unknown: float | None = None) -> list[Segmentation]:
    """Return the score and the tokens of every segmentation of a piece.

    >>> segmentations("aba", {"a": -1.0, "b": -2.0, "ab": -2.5, "ba": -4.0})
    [(-4.0, ['a', 'b', 'a']), (-5.0, ['a', 'ba']), (-3.5, ['ab', 'a'])]
    """
    if not piece:
        return [(0.0, [])]
    return [
        (score + rest, tokens + others)
        for start, end, tokens, score in edges(piece, scores, unknown)
        if start == 0
        for rest, others in segmentations(piece[end:], scores, unknown)
    ]


def viterbi(piece: Text, scores: Scores, unknown: float | None = None) -> Segmentation:
    """Return the score and the tokens of the best segmentation, without listing them all.

    Scores are added from left to right. Of equal sums up to a place the one whose last token begins
    first stays. A piece that has no segmentation scores minus infinity.

    >>> viterbi("aba", {"a": -1.0, "b": -2.0, "ab": -2.5, "ba": -4.0})
    (-3.5, ['ab', 'a'])
    >>> viterbi("aa", {"a": -1.0, "aa": -2.0})
    (-2.0, ['aa'])
    """
    best: dict[int, tuple[float, list[Token]]] = {0: (0.0, [])}
    for start, end, tokens, score in edges(piece, scores, unknown):
        if start in best:
            total = best[start][0] + score
            if end not in best or total > best[end][0]:
                best[end] = total, best[start][1] + tokens
    return best.get(len(piece), (-math.inf, []))


def fewest(piece: Text, tokens: Iterable[Token]) -> list[Token]:
    """Take as few tokens as can be: the best segmentation where each of them scores -1.

    >>> fewest("ababb", {"a", "b", "ab", "aba", "abb"})
    ['ab', 'abb']
    """
    return viterbi(piece, dict.fromkeys(tokens, -1.0))[1]


def greedy(piece: Text, tokens: Collection[Token]) -> list[Token]:
    """Take the longest token from the left; a character with which none begins is spelled by its bytes.

    >>> greedy("ababbé", {"a", "b", "ab", "aba", "abb"})
    ['aba', 'b', 'b', 195, 169]
    """
    path: list[Token] = []
    start = 0
    while start < len(piece):
        ends = [end for end in range(start + 1, len(piece) + 1) if piece[start:end] in tokens]
        end = max(ends, default=_character_end(piece, start))
        path += [piece[start:end]] if ends else _spell(piece[start:end])
        start = end
    return path


def forward(piece: Text, scores: Scores, unknown: float | None = None) -> list[float]:
    """Return the log-likelihood of each beginning of a piece, over all its segmentations.

    >>> [round(sum, 2) for sum in forward("aba", {"a": -1.0, "b": -2.0, "ab": -3.0})]
    [0.0, -1.0, -2.31, -3.31]
    """
    sums = [0.0] + [-math.inf] * len(piece)
    for start, end, _, score in edges(piece, scores, unknown):
        sums[end] = _log_add(sums[end], sums[start] + score)
    return sums


def _log_add(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b)), where exp may be too small for a float."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def expected(pieces: Mapping[str, int], scores: Scores) -> dict[Token, float]:
    """Return how often each token is expected, over all segmentations by their probability.

    >>> times = expected({"ab": 8}, {"a": math.log(0.5), "b": math.log(0.2), "ab": math.log(0.3)})
    >>> {token: round(n, 9) for token, n in times.items()}
    {'a': 2.0, 'b': 2.0, 'ab': 6.0}
    """
    times = dict.fromkeys(scores, 0.0)
    for piece, count in pieces.items():
        before = forward(piece, scores, UNKNOWN)
        after = [-math.inf] * len(piece) + [0.0]
        for start, end, tokens, score in reversed(list(edges(piece, scores, UNKNOWN))):
            after[start] = _log_add(after[start], score + after[end])
            for token in tokens:
                if token in times:
                    share = math.exp(before[start] + score + after[end] - before[-1])
                    times[token] += count * share
    return times


def digamma(x: float) -> float:
    """Return the derivative of log(gamma(x)), which is the further below log(x) the smaller x is.

    >>> [round(digamma(x) - math.log(x), 4) for x in (0.5, 5.0, 500.0)]
    [-1.2704, -0.1033, -0.001]
    """
    if x < 100:
        return digamma(x + 1) - 1 / x
    return math.log(x) - 1 / (2 * x) - 1 / (12 * x * x)


def reestimate(pieces: Mapping[str, int], scores: Scores, required: Collection[str] = ()) -> Scores:
    """Take one step of expectation and maximization; drop tokens that are hardly expected.

    A token gets the score digamma(expected) - digamma(sum), as in SentencePiece, which makes the
    rare rarer than their share. Bytes and `required` tokens stay.

    >>> new = reestimate({"ab": 8, "b": 3}, {"a": -2, "b": -2, "ab": -1, "ba": -1}, required={"a"})
    >>> {token: round(score, 2) for token, score in new.items()}
    {'a': -4.36, 'b': -1.34, 'ab': -0.43}
    """
    times = expected(pieces, scores)
    remaining = {
        token: max(n, FLOOR)
        for token, n in times.items()
        if n >= FLOOR or token in required or isinstance(token, int)
    }
    total = digamma(sum(remaining.values()))
    return {token: digamma(n) - total for token, n in remaining.items()}


def losses(pieces: Mapping[str, int], scores: Scores) -> dict[str, float]:
    """Return what the log-likelihood of a token of the text loses, on average, if a token goes.

    Its occurrences in best segmentations then go to the best segmentation of its text without it.
    The loss is -1 for a token that occurs in none, or is not the best segmentation of its own text.

    >>> scores = {"ab": -1.5, "é": -2, "éb": -9, **dict.fromkeys([97, 98, 195, 169], -1)}
    >>> {token: round(loss, 2) for token, loss in losses({"ab": 4, "aéb": 3}, scores).items()}
    {'ab': 0.18, 'é': 0.43, 'éb': -1.0}
    """
    times: Counter[Token] = Counter()
    for piece, count in pieces.items():
        for token in viterbi(piece, scores, UNKNOWN)[1]:
            times[token] += count * (token in scores)
    total = sum(times.values())
    result: dict[str, float] = {}
    for token in scores:
        if isinstance(token, str):
            others = {other: score for other, score in scores.items() if other != token}
            score, parts = viterbi(token, others, UNKNOWN)
            n, result[token] = times[token], -1.0
            if n > 0 and (len(token) == 1 or score <= scores[token]):
                counts = [times[part] + n for part in parts if part in scores]
                after = total + n * (len(counts) - 1)
                change = math.log(n / total) - sum(math.log(m / after) for m in counts)
                result[token] = n / total * change
    return result


def prune(
    scores: Scores, value: Mapping[str, float], size: int, required: Collection[str] = ()
) -> Scores:
    """Keep `size` tokens, those of greatest value and `required` ones, none below 0 else; and all bytes.

    >>> prune({"a": -1.0, "b": -2.0, "c": -3.0}, {"a": 0.1, "b": 0.3, "c": -1.0}, 1)
    {'b': -2.0}
    """
    candidates = [token for token in value if value[token] >= 0 or token in required]
    candidates.sort(key=lambda token: (token not in required, -value[token]))
    chosen = {*candidates[: max(size, 0)], *required}
    return {t: score for t, score in scores.items() if t in chosen or isinstance(t, int)}


def merge_uses(piece: bytes, merges: Sequence[Merge], specials: int = 0) -> Counter[int]:
    """Count the tokens that merging makes of a piece, or finds in it as bytes, and merges further.

    >>> merge_uses(b"newest", train_bpe({b"low": 5, b"lower": 2, b"newest": 6}, 260))
    Counter({68: 2, 86: 1, 256: 1, 77: 1, 258: 1})
    """
    ids = byte_ids(specials)
    ranks = {(left, right): (rank, new) for rank, (left, right, new, *_) in enumerate(merges)}
    _, applied = apply_merges([ids[b] for b in piece], ranks)
    return Counter(part for rank in applied for part in merges[rank][:2])


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Count the tokens that must be put in, left out or replaced to make one encoding of another.

    >>> edit_distance([1, 2, 3, 4], [1, 9, 4, 5])
    3
    """
    row = list(range(len(b) + 1))
    for i, token in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            before, row[j] = row[j], min(before + (token != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def kneser_ney(
    documents: Iterable[Sequence[int]],
    order: int,
    n_ids: int,
    discounts: Sequence[Sequence[float]] | None = None,
) -> Callable[[int, Sequence[int]], float]:
    """Return p(token, context) of interpolated modified Kneser-Ney (Chen and Goodman 1999), learned from ids.

    A document begins with -1, which is context only, and ends with `n_ids`, which is priced as a token is. An
    n-gram of the highest order counts as often as it occurs, and so does a shorter one at the beginning of
    a document; any other counts as many times as there are tokens before it. What discounts take away goes to
    the order below, and from the first order to all ids and the end alike.

    Args:
        discounts: of each order, those of counts of 1, 2, and more; by default estimated from the counts.

    >>> p = kneser_ney([[0, 1, 0], [0, 1, 1]], order=2, n_ids=3)
    >>> round(p(1, [-1, 0]), 3), round(sum(p(token, [0]) for token in range(4)), 3)
    (0.568, 1.0)
    """
    grams: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order + 1)]
    for document in documents:
        tokens = [-1, *document, n_ids]
        for end in range(1, len(tokens)):
            for n in range(1, min(order, end + 1) + 1):
                grams[n][tuple(tokens[end + 1 - n : end + 1])] += 1
    counts = list(grams)
    for n in range(1, order):
        followed = Counter(gram[1:] for gram in grams[n + 1])
        counts[n] = Counter(
            {gram: grams[n][gram] if gram[0] == -1 else followed[gram] for gram in grams[n]}
        )
    taken = discounts or [kneser_ney_discounts(counts[n].values()) for n in range(1, order + 1)]
    behind: dict[tuple[int, ...], list[int]] = {}
    for n in range(1, order + 1):
        for gram, count in counts[n].items():
            behind.setdefault(gram[:-1], []).append(count)

    def p(token: int, context: Sequence[int]) -> float:
        context = tuple(context)[max(0, len(context) - order + 1) :]
        below = p(token, context[1:]) if context else 1 / (n_ids + 1)
        after = behind.get(context)
        if after is None:
            return below
        off = taken[len(context)]
        count = counts[len(context) + 1][(*context, token)]
        own = max(count - off[min(count, 3) - 1], 0) if count else 0
        return (own + sum(off[min(c, 3) - 1] for c in after) * below) / sum(after)

    return p


def kneser_ney_discounts(counts: Iterable[int]) -> tuple[float, float, float]:
    """Return what is taken from counts of 1, 2, and more: D_i = i - (i + 1) y n_{i+1} / n_i.

    n_i is how many of the counts are i, and y = n_1 / (n_1 + 2 n_2). Where one of n_1 to n_4 is 0, 0.75 is
    taken of each; else at least 0.1, and at most i - 0.01.

    >>> kneser_ney_discounts([1, 1, 1, 1, 2, 2, 3, 4])
    (0.5, 1.25, 1.0)
    """
    number = Counter(counts)
    n1, n2, n3, n4 = (number[i] for i in (1, 2, 3, 4))
    if not n1 * n2 * n3 * n4:
        return (0.75, 0.75, 0.75)
    y = n1 / (n1 + 2 * n2)
    raw = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return tuple(min(max(d, 0.1), i - 0.01) for i, d in enumerate(raw, 1))  # type: ignore[return-value]
