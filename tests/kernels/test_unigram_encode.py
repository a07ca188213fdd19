import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toktk import educational as slow
from toktk.kernels.unigram_encode import (
    fill_trie,
    greedy_spans,
    log_likelihood_spans,
    viterbi_spans,
)

NONE = np.full(256, -1)
FIRST = 3  # special tokens before the first


def pack(parts):
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    return np.frombuffer(b"".join(parts), np.uint8), offsets


class Trie:
    def __init__(self, tokens, scores=None, unknown=None):
        self.tokens = list(tokens)
        data, offsets = pack(self.tokens)
        self.table = np.full(max(512, 1 << (2 * data.size).bit_length()), -1, np.int64)
        self.token_at = np.full(data.size + 1, -1, np.int64)
        self.n = fill_trie(data, offsets, np.arange(len(self.tokens)), self.table, self.token_at)
        scores = np.array(scores or [0.0] * len(self.tokens))
        self.score_at = np.where(self.token_at < 0, 0.0, scores[self.token_at])
        # Bytes that spell get ids of their own, as 1000 + byte.
        self.fallback = NONE if unknown is None else np.arange(1000, 1256)
        self.unknown = np.full(5, 0.0 if unknown is None else unknown)

    def _read(self, n, ids, ends):
        assert n == (ends[-1] if ends.size else 0)
        found = [int(i) for i in ids[:n]]
        names = [i - 1000 if i >= 1000 else self.tokens[i - FIRST] for i in found]
        return [names[a:b] for a, b in pairwise([0, *ends.tolist()])]

    def viterbi(self, parts):
        data, offsets = pack(parts)
        ids, ends = np.empty(data.size, np.uint32), np.empty(len(parts), np.int64)
        room = max(map(len, parts), default=0) + 1
        trie = self.table, self.token_at, self.score_at
        vocabulary = (*trie, self.fallback, self.unknown, FIRST)
        best, back = np.empty(room), np.empty(room, np.int64)
        n = viterbi_spans(data, offsets, vocabulary, ids, ends, best, back)
        return n if n < 0 else self._read(n, ids, ends)

    def greedy(self, parts):
        data, offsets = pack(parts)
        ids, ends = np.empty(data.size, np.uint32), np.empty(len(parts), np.int64)
        n = greedy_spans(data, offsets, self.table, self.token_at, self.fallback, FIRST, ids, ends)
        return n if n < 0 else self._read(n, ids, ends)

    def log_likelihood(self, parts):
        data, offsets = pack(parts)
        out = np.empty(len(parts))
        log_likelihood_spans(
            data, offsets, self.table, self.score_at, self.fallback, self.unknown, out,
            np.empty(max(map(len, parts), default=0) + 1),
        )  # fmt: skip
        return out.tolist()


LETTERS = [b"a", b"b", "é".encode(), "𠮷".encode(), b"\0"]
letters = st.sampled_from(LETTERS)
pieces = st.lists(st.lists(letters, max_size=9).map(b"".join), max_size=4)
few_scores = st.sampled_from([-1.0, -2.0, -3.0, -0.5, 0.25])
vocabularies = st.dictionaries(
    st.lists(letters, min_size=1, max_size=4).map(b"".join), few_scores, min_size=1, max_size=14
)


def with_bytes(scores, score=-4.0):
    return {**{bytes([b]): score for b in range(256)}, **scores}


@given(vocabularies)
def test_tokens_are_where_they_end(scores):
    trie = Trie(scores)
    prefixes = {token[:i] for token in scores for i in range(len(token) + 1)}
    assert trie.n == len(prefixes)
    held = trie.token_at[trie.token_at >= 0]
    assert sorted(held.tolist()) == list(range(len(scores)))


def test_the_second_of_two_equal_tokens_is_told():
    assert Trie([b"ab", b"a", b"abc", b"a"]).n == -1 - 3


@given(vocabularies, pieces)
@example({b"aa": -2.0, b"a": -1.0}, [b"aaaa", b"", b"a"])
def test_viterbi(scores, parts):
    scores = with_bytes(scores)
    found = Trie(scores, list(scores.values())).viterbi(parts)
    assert found == [slow.viterbi(part, scores)[1] for part in parts]


@given(vocabularies, pieces, st.sampled_from([-13.0, -2.0, -1.0]))
def test_viterbi_with_fallback(scores, parts, unknown):
    found = Trie(scores, list(scores.values()), unknown).viterbi(parts)
    assert found == [slow.viterbi(part, scores, unknown)[1] for part in parts]


@given(vocabularies, pieces)
def test_greedy(scores, parts):
    tokens = with_bytes(scores)
    assert Trie(tokens).greedy(parts) == [slow.greedy(part, set(tokens)) for part in parts]
    found = Trie(scores, unknown=-1.0).greedy(parts)
    assert found == [slow.greedy(part, set(scores)) for part in parts]


@given(vocabularies, pieces)
def test_log_likelihood(scores, parts):
    scores = with_bytes(scores)
    found = Trie(scores, list(scores.values())).log_likelihood(parts)
    assert found == pytest.approx([slow.forward(part, scores)[-1] for part in parts])


@given(vocabularies, pieces)
def test_log_likelihood_with_fallback(scores, parts):
    found = Trie(scores, list(scores.values()), -9.0).log_likelihood(parts)
    assert found == pytest.approx([slow.forward(part, scores, -9.0)[-1] for part in parts])


def test_log_likelihood_is_that_of_all_paths():
    scores = {b"a": -1.5, b"b": -0.25, b"ab": -2.0, b"ba": -3.0, b"aba": -0.5}
    piece = b"ababab"
    sums = [score for score, _ in slow.segmentations(piece, scores)]
    expected = math.log(math.fsum(map(math.exp, sums)))
    assert Trie(scores, list(scores.values())).log_likelihood([piece]) == pytest.approx([expected])


@pytest.mark.parametrize("raw", [b"\x80\xff", b"\xe3\x81", b"\xf0", b"a\xc3"])
def test_bytes_that_are_no_text_are_spelled(raw):
    trie = Trie([b"a"], [-1.0], -11.0)
    expected = [b"a" if b == ord("a") else b for b in raw]
    assert trie.viterbi([raw]) == trie.greedy([raw]) == [expected]


def test_what_cannot_be_spelled_is_told():
    trie = Trie([b"ab", b"c"], [-1.0, -1.0])
    assert trie.viterbi([b"abc", b"aba"]) == trie.greedy([b"abc", b"aba"]) == -1 - 1
    assert trie.log_likelihood([b"abc", b"aba"]) == [-2.0, -math.inf]


def test_extreme_scores():
    trie = Trie([b"a", b"aa"], [-1e308, -1e308])
    assert trie.viterbi([b"a" * 8]) == [[b"aa"] * 4] or trie.viterbi([b"a" * 8]) == [[b"a"] * 8]
    low = Trie([b"a"], [-1000.0]).log_likelihood([b"a" * 3000])
    assert low == [-3_000_000.0]
    high = Trie([b"a", b"aa"], [900.0, 900.0]).log_likelihood([b"a" * 1000])
    assert math.isfinite(high[0])
