"""Expectations and best paths, against sums of logarithms and the slow training."""

import math
import random
from collections import Counter
from itertools import takewhile

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st

from toktk import educational as slow
from toktk.kernels import unigram_train as k
from toktk.trainers import unigram_state
from toktk.trainers.seeding import Characters, Seeds
from toktk.trainers.unigram import UnigramTrainer

LETTERS = "aab \0é́東🙂𠀀"
texts = st.text(st.sampled_from(LETTERS), min_size=1, max_size=20)
substrings = st.lists(st.tuples(st.integers(0), st.integers(0), st.integers(2, 32)), max_size=12)
SCALE = 2.0**30


@st.composite
def piece_counts(draw, most=2000):
    """Return pieces with their counts, many of which begin alike; some are longer than SHORT."""
    stem = draw(texts)
    tails = st.tuples(st.integers(0, 20), texts, st.integers(1, most))
    return {stem[:i] + tail: n for i, tail, n in draw(st.lists(tails, min_size=1, max_size=8))}


def in_common(a, b):
    return sum(1 for _ in takewhile(lambda two: two[0] == two[1], zip(a, b, strict=False)))


class Lattices:
    """The lattices of `pieces` under `tokens`; ids are tokens, then single characters.

    `every` pieces share prefixes at most; `jobs` cuts them into slices.
    """

    def __init__(self, pieces, tokens, every=4096, jobs=1):
        self.pieces, self.tokens = pieces, list(tokens)
        self.names = [*self.tokens, *sorted(set("".join(pieces)))]
        self.id_of = {name: i for i, name in enumerate(self.names)}
        characters = characters_of(pieces)
        ids = len(self.tokens) + np.arange(characters.distinct.size)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unigram_state, "TOGETHER", every)
            self.fast, self.end = unigram_state.Lattices.build(
                characters, self.seeds(characters), characters.by_code(ids), jobs
            )

    def seeds(self, characters):
        """Return the tokens as `find_seeds` describes them."""
        text = "".join(chr(code) if code >= 0 else "\uffff" for code in characters.codes.tolist())
        longest = np.full(len(text), -1, dtype=np.int32)
        for i in range(len(text)):
            begin = [t for t in self.tokens if text.startswith(t, i)]
            longest[i] = self.id_of[max(begin, key=len)] if begin else -1
        prefixes = [[t for t in self.tokens if u.startswith(t) and t != u] for u in self.tokens]
        shorter = [self.id_of[max(some, key=len)] if some else -1 for some in prefixes]
        length = np.array([len(t) for t in self.tokens], dtype=np.uint8)
        home = np.array([text.find(t) for t in self.tokens], dtype=np.int32)
        return Seeds(
            home, length, np.ones(home.size, np.int64), np.array(shorter, np.int32), longest
        )

    def edges_at(self, piece, end):
        """Return the ids that end at `end`: tokens from the longest on, then the character."""
        begins = range(max(0, end - k.LONGEST), end - 1)
        found = [self.id_of[piece[i:end]] for i in begins if piece[i:end] in self.id_of]
        return [*found, self.id_of[piece[end - 1]]]

    def expected(self, logs):
        """Return the expected occurrences of each id, by logarithms."""
        sums = [0.0] * len(self.names)
        for piece, count in self.pieces.items():
            n = len(piece)
            edges = [
                [(t, j - len(self.names[t])) for t in self.edges_at(piece, j)]
                for j in range(1, n + 1)
            ]
            alpha, beta = [-math.inf] * (n + 1), [-math.inf] * (n + 1)
            alpha[0] = beta[n] = 0.0
            for j in range(1, n + 1):
                for t, i in edges[j - 1]:
                    alpha[j] = np.logaddexp(alpha[j], alpha[i] + logs[t])
            for j in range(n, 0, -1):
                for t, i in edges[j - 1]:
                    beta[i] = np.logaddexp(beta[i], logs[t] + beta[j])
                    sums[t] += count * math.exp(alpha[i] + logs[t] + beta[j] - alpha[n])
        return sums

    def run(self, logs):
        """Return what the kernels expect, however improbable the tokens are."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unigram_state, "LEAST", 0.0)
            return (self.fast.expect(np.exp(logs), SCALE) / SCALE).tolist()

    def run_long(self, logs):
        """Return what `expect_long` expects: of pieces that share nothing, all taken to be long."""
        apart = Lattices(self.pieces, self.tokens, every=1)
        apart.fast.n_short = 0
        return apart.run(logs)

    def text_of(self, node):
        """Return the text that leads to a node, by the characters of the one-character edges."""
        last = self.fast.trie.first + self.fast.trie.fan - 1
        text = ""
        while node >= 0:
            text = self.names[int(self.fast.trie.edges[last[node]]) >> k.BITS] + text
            node = int(self.fast.trie.parent[node])
        return text


def chosen_from(pieces, places):
    """Return substrings of the pieces: one of each (piece, begin, length), where it has two characters."""
    stock = list(pieces)
    found = {}
    for p, begin, n in places:
        piece = stock[p % len(stock)]
        begin %= len(piece)
        if len(text := piece[begin : begin + n]) > 1:
            found[text] = None
    return list(found)


def some_of(data, n):
    return np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=np.bool_)


@given(piece_counts(), substrings, st.integers(1, 4), st.data())
def test_expect_equals_logarithms(pieces, places, every, data):
    made = Lattices(pieces, chosen_from(pieces, places), every)
    n = len(made.names)
    logs = np.array(data.draw(st.lists(st.floats(-26.0, -0.01), min_size=n, max_size=n)))
    logs[: len(made.tokens)][some_of(data, len(made.tokens))] = -np.inf  # dropped
    found = made.run(logs)
    expected = made.expected(logs.tolist())
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert made.run_long(logs) == pytest.approx(expected, rel=1e-9, abs=1e-6)
    sliced = Lattices(pieces, made.tokens, every, data.draw(st.integers(2, 4)))
    assert sliced.run(logs) == found  # exactly
    whole = sum(n * len(name) for n, name in zip(found, made.names, strict=True))
    assert whole == pytest.approx(sum(len(p) * n for p, n in pieces.items()))


def test_the_least_probabilities_of_short_pieces():
    """The range of a float64 is enough for SHORT characters, each as improbable as can be."""
    pieces = {"a" * k.SHORT: 2**22, "a" * (k.SHORT - 1) + "b": 1, "a" * 9 + "b" * 15: 3}
    made = Lattices(pieces, ["aa", "aaa", "a" * 23, "ab", "bb"])
    for least in (-28.0, math.log(unigram_state.LEAST)):
        logs = [least] * len(made.names)
        assert made.run(logs) == pytest.approx(made.expected(logs), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_long_pieces_equal_logarithms(seed):
    chance = random.Random(seed)
    joined = "".join(chance.choices(LETTERS, k=chance.randint(1, 50)))
    pieces = {(joined * 500)[:500]: 3, "a" * 300 + joined: 1}
    places = [(0, chance.randrange(99), chance.choice([2, 3, 5, 16, 32])) for _ in range(12)]
    made = Lattices(pieces, chosen_from({joined * 4: 1}, places))
    # As low as four bytes of the rarest kind.
    logs = [chance.uniform(chance.choice([-8, -40, -145]), -4.0) for _ in made.names]
    assert made.run(logs) == pytest.approx(made.expected(logs), rel=1e-7, abs=1e-5)


@pytest.mark.parametrize("rare", [-5.0, -20.0, -70.0, -145.0])
def test_long_tokens_over_rare_characters(rare):
    """Between the ends of a likely token, sums can be smaller than any float64."""
    word = "ក្រុមប្រឹក្សាស្រុកទាំងអស់កម្ពុជា"[:32]
    assert len(word) > 25
    made = Lattices({(word + "a") * 100 + "a" * 40: 2, "a" * 9 + word * 160: 1}, [word, "aa"])
    logs = [-4.0, -6.0, *[rare] * (len(made.names) - 2)]
    logs[made.id_of["a"]] = -3.0
    assert made.run(logs) == pytest.approx(made.expected(logs), rel=1e-7, abs=1e-5)


@given(piece_counts(), substrings, st.data())
def test_what_float64_holds_needs_no_shifts(pieces, places, data):
    """The sums with and without powers of two beside them are equal, bit by bit."""
    made = Lattices(pieces, chosen_from(pieces, places), every=1)
    n = len(made.names)
    p = np.exp(data.draw(st.lists(st.floats(-20.0, -0.01), min_size=n, max_size=n)))
    made.fast.n_short = 0
    expected, trie, at = np.stack([p, np.zeros(n)], axis=1).ravel(), made.fast.trie, k.AROUND
    room = made.fast._room
    scratch = np.empty(room), np.empty(room), np.empty((room, 2), dtype=np.int64)
    for q, count in enumerate(trie.counts.tolist()):
        size, base = int(trie.heads[q + 1] - trie.heads[q] - 1), int(trie.bases[q])
        k._expect_improbable(
            size, base, at, trie.fan, trie.edges, expected, count * SCALE, *scratch
        )
        at += int(trie.fan[base : base + size].sum())
    assert made.fast.expect(p, SCALE).tolist() == expected[1::2].tolist()


def test_thousands_of_improbable_characters():
    made = Lattices({"ab" * 2500 + "ccc": 5}, ["ab", "aba", "babab"])
    logs = [-50.0, -60.0, -140.0, *(math.log(p) for p in (1e-9, 1e-12, 1e-60))]
    assert made.run(logs) == pytest.approx(made.expected(logs), rel=1e-6, abs=1e-4)
    alone = Lattices({"東" * 5000: 2}, [])
    assert alone.run([-500.0]) == [10_000]


def characters_of(pieces):
    raw = [p.encode() for p in pieces]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    counts = np.array([*pieces.values()], dtype=np.int64)
    return Characters.of(np.frombuffer(b"".join(raw), np.uint8), offsets, counts)


@given(piece_counts(), substrings, st.integers(1, 4), st.integers(1, 3), st.data())
@example({"b" * 400: 1, "b" * 300 + "a": 2}, [(0, 0, 32), (1, 290, 11)], 4, 1, None)
def test_dropping_tokens_gives_what_the_others_alone_give(pieces, places, every, jobs, data):
    made = Lattices(pieces, chosen_from(pieces, places), every, jobs)
    for token, end in zip(made.tokens, made.end.tolist(), strict=True):
        assert made.text_of(end).endswith(token)
    kept = [t for i, t in enumerate(made.tokens) if i % 3]
    fewer = Lattices(pieces, kept, every, jobs)
    new_id = np.array([fewer.id_of.get(t, -1) for t in made.names], dtype=np.int32)
    made.fast.keep(new_id)
    n = len(fewer.names)
    floats = st.lists(st.floats(-26.0, -0.01), min_size=n, max_size=n)
    logs = np.array([-3.0] * n if data is None else data.draw(floats))
    expected = fewer.run(logs)
    assert made.run(logs) == expected  # exactly
    scores = np.round(logs)
    best = fewer.fast.count_best(scores)
    assert made.fast.count_best(scores).tolist() == best.tolist()
    assert sum(int(c) * len(name) for c, name in zip(best, fewer.names, strict=True)) == sum(
        len(piece) * count for piece, count in pieces.items()
    )


class States:
    """The same tokens with the same scores, for the trainer's kernels and for the slow training."""

    def __init__(self, pieces, by_bytes, jobs, data):
        characters = characters_of(pieces)
        alphabet = "bytes" if by_bytes else "characters"
        trainer = UnigramTrainer("none", alphabet=alphabet, min_frequency=1, max_token_chars=32)
        required = np.full(characters.distinct.size, not by_bytes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unigram_state, "TOGETHER", data.draw(st.integers(1, 3)))
            self.fast = trainer._seeded(characters, required, jobs)
        # Few values, sums of which are exact and often equal.
        scores = st.integers(-20, -1).map(float)
        n = self.fast.home.size
        self.fast.score[:] = data.draw(st.lists(scores, min_size=n, max_size=n))
        self.fast.byte_score[:] = data.draw(st.lists(scores, min_size=8, max_size=8)) * 32
        self.by_bytes = by_bytes
        self.scores = dict(zip(self.names, self.fast.score.tolist(), strict=True))
        if by_bytes:
            self.scores |= dict(enumerate(self.fast.byte_score.tolist()))

    @property
    def names(self):
        raw, lengths = self.fast.texts(np.arange(self.fast.home.size))
        ends = np.cumsum(lengths)
        return [raw[e - n : e].tobytes().decode() for e, n in zip(ends, lengths, strict=True)]

    def tokens(self, values):
        """Leave out the bytes."""
        return {token: value for token, value in values.items() if isinstance(token, str)}

    def bytes(self, values):
        return [values[b] if self.by_bytes else 0 for b in range(256)]

    def by_name(self, values):
        """Return token -> value, of those not dropped."""
        found = zip(self.names, values.tolist(), self.fast.alive, strict=True)
        return {name: value for name, value, alive in found if alive}

    def drop(self, data):
        """Drop some tokens of both, with new ids for the others or without."""
        kept = some_of(data, self.fast.home.size) | self.fast.required
        if data.draw(st.booleans()):
            self.fast.prune(kept)
        else:
            self.fast.alive &= kept
        left = self.by_name(self.fast.score)
        self.scores = {t: s for t, s in self.scores.items() if t in left or isinstance(t, int)}
        assert list(self.tokens(self.scores).items()) == list(left.items())


states = given(piece_counts(50), st.booleans(), st.integers(1, 3), st.data())


@states
def test_best_segmentations(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    for _ in range(3):
        fast = both.fast
        sums = fast.lattices.count_best(fast._scores(fast.alive))
        times, byte_times = fast._split(sums)
        expected = Counter(dict.fromkeys(both.scores, 0))
        for piece, count in pieces.items():
            for token in slow.viterbi(piece, both.scores, slow.UNKNOWN)[1]:
                expected[token] += count
        assert both.by_name(times) == {t: expected[t] for t in both.tokens(both.scores)}
        assert times[~fast.alive].tolist() == [0] * int((~fast.alive).sum())
        assert byte_times.tolist() == both.bytes(expected)
        both.drop(data)


@states
def test_losses(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    for _ in range(3):
        found = both.by_name(both.fast.losses())
        for token, loss in slow.losses(pieces, both.scores).items():
            assert found[token] == pytest.approx(loss, rel=1e-9, abs=1e-12), token
        both.drop(data)


@states
def test_reachable(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    both.drop(data)
    fast, names = both.fast, both.names
    kept = some_of(data, len(names)) & fast.alive | fast.required
    found = fast.reachable(kept)
    scores = {t: s for t, s, one in zip(names, fast.score.tolist(), kept, strict=True) if one}
    scores |= {b: score for b, score in both.scores.items() if isinstance(b, int)}
    reachable = both.tokens(reference.drop_unreachable(scores))
    assert [t for t, one in zip(names, found, strict=True) if one] == list(reachable)


@given(piece_counts(50), st.booleans(), st.integers(1, 3), st.data())
def test_expectations_of_a_state(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    both.fast.byte_score[:] = -6.0
    if by_bytes:
        both.scores |= dict.fromkeys(range(256), -6.0)
    for _ in range(2):
        fast = both.fast
        sums = fast.lattices.expect(np.exp(fast._scores(fast.alive)), fast.scale)
        tokens, by_byte = fast._split(sums / fast.scale)
        expected = slow.expected(pieces, both.scores)
        assert both.by_name(tokens) == pytest.approx(both.tokens(expected), rel=1e-9, abs=1e-6)
        assert by_byte.tolist() == pytest.approx(both.bytes(expected), rel=1e-9, abs=1e-6)
        both.drop(data)
