"""Expectations and best paths, against sums of logarithms and the slow training."""

import math
import random
from collections import Counter

import numpy as np
import pytest
import reference_training as slow
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels import lattice as k
from toktk.trainers.seeding import Characters
from toktk.trainers.unigram import UnigramTrainer

LETTERS = "aab \0é́東🙂𠀀"
texts = st.text(st.sampled_from(LETTERS), min_size=1, max_size=20)
pieces_of_text = st.dictionaries(texts, st.integers(1, 2000), min_size=1, max_size=6)
substrings = st.lists(st.tuples(st.integers(0), st.integers(0), st.integers(2, 32)), max_size=12)
SCALE = 2.0**30


class Lattices:
    """The arrays of the kernels, laid out the slow way; ids are tokens, then single characters."""

    def __init__(self, pieces, tokens):
        self.pieces, self.tokens = pieces, list(tokens)
        self.names = [*self.tokens, *sorted(set("".join(pieces)))]
        self.id_of = {name: i for i, name in enumerate(self.names)}
        self.heads, fan, edges, self.starts = [0], [], [], []
        for piece in pieces:
            self.starts.append(len(edges))
            for i in range(len(piece)):
                here = self.edges_at(piece, i)
                edges += [t << k.BITS | len(self.names[t]) - 1 for t in here]
                fan.append(len(here))
            fan.append(0)
            self.heads.append(len(fan))
        self.counts = np.array([*pieces.values()], dtype=np.int64)
        self.heads = np.array(self.heads, dtype=np.int64)
        self.fan = np.array(fan, dtype=np.uint8)
        self.edges = np.array(edges, dtype=np.uint32)
        self.room = max(map(len, pieces)) + 2 * k.LONGEST

    def edges_at(self, piece, i):
        """Return the ids that begin at `i`: the character, then tokens from the longest on."""
        ends = range(min(len(piece), i + k.LONGEST), i + 1, -1)
        found = [self.id_of[piece[i:j]] for j in ends if piece[i:j] in self.tokens]
        return [self.id_of[piece[i]], *found]

    def expected(self, logs):
        """Return the expected occurrences of each id, by logarithms."""
        sums = [0.0] * len(self.names)
        for piece, count in self.pieces.items():
            n = len(piece)
            edges = [
                [(t, i + len(self.names[t])) for t in self.edges_at(piece, i)] for i in range(n)
            ]
            alpha, beta = [-math.inf] * (n + 1), [-math.inf] * (n + 1)
            alpha[0] = beta[n] = 0.0
            for i in range(n):
                for t, j in edges[i]:
                    alpha[j] = slow.log_add(alpha[j], alpha[i] + logs[t])
            for i in reversed(range(n)):
                for t, j in edges[i]:
                    beta[i] = slow.log_add(beta[i], logs[t] + beta[j])
                    sums[t] += count * math.exp(alpha[i] + logs[t] + beta[j] - alpha[n])
        return sums

    def run(self, logs, scale=SCALE, force_long=False):
        """Return what the kernels expect, and the pieces that were long."""
        table = np.zeros((len(self.names), 2))
        table[:, 0] = np.exp(logs)
        alpha, beta = np.full(self.room, np.nan), np.full(self.room, np.nan)
        shifts, long = np.empty((self.room, 2), np.int64), np.empty(2 * len(self.pieces), np.int64)
        arrays = self.heads, self.counts, self.fan, self.edges
        pairs = list(enumerate(self.starts))
        if not force_long:
            n = k.expect(0, len(self.pieces), 0, *arrays, table, scale, alpha, beta, long)
            pairs = long[: 2 * n].reshape(-1, 2).tolist()
            assert all(self.starts[piece] == edge for piece, edge in pairs)
        for piece, edge in pairs:
            k.expect_long(piece, edge, *arrays, table, scale, alpha, beta, shifts)
        return (table[:, 1] / scale).tolist(), [piece for piece, _ in pairs]


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


def draw_logs(data, n, least=-40.0):
    return data.draw(st.lists(st.floats(least, -0.01), min_size=n, max_size=n))


@given(pieces_of_text, substrings, st.data())
def test_expect_equals_logarithms(pieces, places, data):
    made = Lattices(pieces, chosen_from(pieces, places))
    logs = draw_logs(data, len(made.names), least=-20.0)
    found, long = made.run(logs)
    expected = made.expected(logs)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert all(len(list(pieces)[piece]) * 20 > 500 for piece in long)
    again, _ = made.run(logs, force_long=True)
    assert again == pytest.approx(expected, rel=1e-9, abs=1e-6)
    whole = sum(n * len(name) for n, name in zip(found, made.names, strict=True))
    assert whole == pytest.approx(sum(len(p) * n for p, n in pieces.items()))


@pytest.mark.parametrize("seed", range(8))
def test_long_pieces_equal_logarithms(seed):
    chance = random.Random(seed)
    joined = "".join(chance.choices(LETTERS, k=chance.randint(1, 50)))
    pieces = {(joined * 500)[:500]: 3, "a" * 300 + joined: 1}
    places = [(0, chance.randrange(99), chance.choice([2, 3, 5, 16, 32])) for _ in range(12)]
    made = Lattices(pieces, chosen_from({joined * 4: 1}, places))
    # As low as four bytes of the rarest kind.
    logs = [chance.uniform(chance.choice([-8, -40, -145]), -4.0) for _ in made.names]
    found, _ = made.run(logs)
    assert found == pytest.approx(made.expected(logs), rel=1e-7, abs=1e-5)


@pytest.mark.parametrize("rare", [-5.0, -20.0, -70.0, -145.0])
def test_long_tokens_over_rare_characters(rare):
    """Between the ends of a likely token, sums can be smaller than any float64."""
    word = "ក្រុមប្រឹក្សាស្រុកទាំងអស់កម្ពុជា"[:32]
    assert len(word) > 25
    made = Lattices({(word + "a") * 100 + "a" * 40: 2, "a" * 9 + word * 160: 1}, [word, "aa"])
    logs = [-4.0, -6.0, *[rare] * (len(made.names) - 2)]
    logs[made.id_of["a"]] = -3.0
    found, long = made.run(logs)
    assert long == [0, 1] or rare == -5.0
    assert found == pytest.approx(made.expected(logs), rel=1e-7, abs=1e-5)


def test_thousands_of_improbable_characters():
    piece = "ab" * 2500 + "ccc"
    made = Lattices({piece: 5}, ["ab", "aba", "babab"])
    logs = [-50.0, -60.0, -140.0, *(math.log(p) for p in (1e-9, 1e-12, 1e-60))]
    found, long = made.run(logs)
    assert long == [0]
    assert found == pytest.approx(made.expected(logs), rel=1e-6, abs=1e-4)


@given(pieces_of_text, substrings, st.integers(0, 6))
def test_fill_edges_and_renumber(pieces, places, cut):
    made = Lattices(pieces, chosen_from(pieces, places))
    raw = [p.encode() for p in pieces]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    characters = Characters.of(np.frombuffer(b"".join(raw), np.uint8), offsets, made.counts)
    n = len(made.tokens)
    id_of = characters.by_code(n + np.arange(characters.distinct.size))
    longest = np.full(characters.codes.size, -1, dtype=np.int32)
    for p, piece in enumerate(pieces):
        for i in range(len(piece)):
            longest[made.heads[p] + i] = ([*made.edges_at(piece, i), -1])[1]
    prefixes = [
        [t[:m] for m in range(len(t) - 1, 1, -1) if t[:m] in made.tokens] for t in made.tokens
    ]
    shorter = np.array([made.id_of[x[0]] if x else -1 for x in prefixes], dtype=np.int32)
    length = np.array([len(t) for t in made.tokens], dtype=np.uint8)
    edges = np.zeros_like(made.edges)
    cut = min(cut, len(raw))
    spans = [(0, made.heads[cut], 0)]
    if cut < len(raw):
        spans.append((made.heads[cut], made.heads[-1], made.starts[cut]))
    for a, b, start in spans:
        k.fill_edges(a, b, start, characters.codes, id_of, longest, shorter, length, edges)
    assert edges.tolist() == made.edges.tolist()

    kept = [t for i, t in enumerate(made.names) if i % 3 or len(t) == 1]
    smaller = Lattices(pieces, [t for t in kept if len(t) > 1])
    new_id = np.array([smaller.id_of.get(t, -1) for t in made.names], dtype=np.int32)
    for a, b, start in spans:
        k.renumber(a, b, start, new_id, made.fan, edges)
    assert made.fan.tolist() == smaller.fan.tolist()
    starts = np.append(smaller.starts, smaller.edges.size)
    for (_, _, start), first, last in zip(
        spans, [0, cut], [cut, len(raw)] if len(spans) > 1 else [len(raw)], strict=False
    ):
        expected = smaller.edges[starts[first] : starts[last]].tolist()
        assert edges[start : start + len(expected)].tolist() == expected


class States:
    """The same tokens with the same scores, for the trainer's kernels and for the slow training."""

    def __init__(self, pieces, by_bytes, jobs, data):
        raw = [p.encode() for p in pieces]
        offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
        counts = np.array([*pieces.values()], dtype=np.int64)
        characters = Characters.of(np.frombuffer(b"".join(raw), np.uint8), offsets, counts)
        alphabet = "bytes" if by_bytes else "characters"
        trainer = UnigramTrainer("none", alphabet=alphabet, min_frequency=1, max_token_chars=32)
        required = np.full(characters.distinct.size, not by_bytes)
        self.fast = trainer._seeded(characters, required, jobs)
        # Few values, sums of which are exact and often equal.
        scores = st.integers(-20, -1).map(float)
        n = self.fast.home.size
        self.fast.score[:] = data.draw(st.lists(scores, min_size=n, max_size=n))
        self.fast.byte_score[:] = data.draw(st.lists(scores, min_size=8, max_size=8)) * 32
        names = self.names
        self.slow = slow.State(
            pieces,
            dict(zip(names, self.fast.score.tolist(), strict=True)),
            self.fast.byte_score.tolist(),
            by_bytes,
            set() if by_bytes else set("".join(pieces)),
        )

    @property
    def names(self):
        raw, lengths = self.fast.texts(np.arange(self.fast.home.size))
        ends = np.cumsum(lengths)
        return [raw[e - n : e].tobytes().decode() for e, n in zip(ends, lengths, strict=True)]

    def drop(self, data):
        """Drop some tokens of both."""
        names = self.names
        kept = np.array(
            data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)))
        )
        kept = kept.astype(np.bool_) | self.fast.required
        self.fast.prune(kept)
        self.slow.score = {t: s for t, s in self.slow.score.items() if t in self.names}
        assert list(self.slow.score) == self.names


states = given(
    st.dictionaries(texts, st.integers(1, 50), min_size=1, max_size=5),
    st.booleans(),
    st.integers(1, 3),
    st.data(),
)


@states
def test_best_segmentations(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    for _ in range(2):
        fast = both.fast
        sums = fast.lattices.count_best(fast._scores(fast.alive))
        times, byte_times = fast._split(sums)
        expected, by_byte = Counter(), [0] * 256
        for piece, count in pieces.items():
            for token, text in both.slow.best(piece)[1]:
                if token is not None:
                    expected[token] += count
                elif by_bytes:
                    for b in text.encode():
                        by_byte[b] += count
        names = both.names
        assert dict(zip(names, times.tolist(), strict=True)) == {t: expected[t] for t in names}
        assert byte_times.tolist() == by_byte
        both.drop(data)


@states
def test_losses(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    for _ in range(2):
        found = dict(zip(both.names, both.fast.losses().tolist(), strict=True))
        for token, loss in both.slow.losses().items():
            wanted = math.inf if token in both.slow.required else loss
            assert found[token] == pytest.approx(wanted, rel=1e-9, abs=1e-12), token
        both.drop(data)


@states
def test_reachable(pieces, by_bytes, jobs, data):
    both = States(pieces, by_bytes, jobs, data)
    fast, names = both.fast, both.names
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names))))
    kept = kept.astype(np.bool_) | fast.required
    found = fast.reachable(kept)
    both.slow.score = {
        t: s for t, s, one in zip(names, fast.score.tolist(), kept, strict=True) if one
    }
    both.slow.drop_unreachable()
    assert [t for t, one in zip(names, found, strict=True) if one] == list(both.slow.score)


@given(st.lists(st.floats(0.5, 1e15), max_size=50))
@example([0.5, 1.0, 1.5, 2.0, 7.999999999, 8.0, 8.000000001, 1e6, 2.0**53])
def test_digamma(values):
    x = np.array(values)
    found = np.empty_like(x)
    k.digamma(x, found)
    assert found.tolist() == pytest.approx([slow.digamma(v) for v in values], rel=1e-10, abs=1e-9)


def test_digamma_at_known_points():
    x, found = np.array([1.0, 0.5]), np.empty(2)
    k.digamma(x, found)
    gamma = 0.57721566490153286
    assert found.tolist() == pytest.approx([-gamma, -gamma - 2 * math.log(2)], abs=1e-12)
