"""Several vocabularies at once, each against the plain search under it alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.educational import viterbi
from toktk.kernels.unigram_encode_many import LANES, count_lanes
from toktk.models.vocabulary import build_trie, packed

LETTERS = "aab \0é́東🙂𠀀"
texts = st.text(st.sampled_from(LETTERS), max_size=12).map(str.encode)
broken = st.sampled_from([b"\xff", b"\x80", b"\xe6\x9d", b"\xf0\x9f"])
pieces_of_bytes = st.lists(st.one_of(texts, broken, st.tuples(texts, broken).map(b"".join)))
GROUPS = 3


class Union:
    """Vocabularies side by side: a row for each token; where bytes spell, 256 more for them."""

    def __init__(self, vocabularies, unknown):
        self.vocabularies, self.unknown = vocabularies, unknown
        self.row_of = {
            t: i for i, t in enumerate(dict.fromkeys(t for v in vocabularies for t in v))
        }
        n = len(self.row_of)
        self.byte_row = np.full(256, -1) if unknown is None else np.arange(n, n + 256)
        self.n_rows = n + 256 * (unknown is not None)
        self.scores = np.full((self.n_rows, LANES), -np.inf)
        for lane, vocabulary in enumerate(vocabularies):
            for token, score in vocabulary.items():
                self.scores[self.row_of[token], lane] = score
        self.ids = np.arange(self.scores.size, dtype=np.uint32).reshape(self.scores.shape)
        self.trie = build_trie(*packed(list(self.row_of)))

    def expected(self, pieces, entries, is_word):
        """Return tokens, words that are one token, and counts by row, from each piece's paths."""
        sums = self.zeros()
        for piece, some, word in zip(pieces, entries, is_word, strict=True):
            for lane, vocabulary in enumerate(self.vocabularies):
                unknown = None if self.unknown is None else self.unknown[lane]
                _, path = viterbi(piece, vocabulary, unknown)
                for group, count in some:
                    sums[0][group, lane] += len(path) * count
                    sums[1][group, lane] += (len(path) == 1 and word) * count
                    for part in path:
                        spelled = isinstance(part, int)
                        row = self.byte_row[part] if spelled else self.row_of[part]
                        sums[2][row, lane] += count
        return sums

    def run(self, pieces, entries, is_word, cut):
        data, offsets = packed(pieces)
        flat = [entry for some in entries for entry in some]
        rows = np.cumsum([0, *map(len, entries)], dtype=np.int64)
        groups = np.array([group for group, _ in flat], dtype=np.int32)
        counts = np.array([count for _, count in flat], dtype=np.int64)
        unknown = np.zeros((5, LANES))
        unknown[:, : len(self.vocabularies)] = self.unknown or 0.0
        room = max(map(len, pieces), default=0) + 1, LANES
        sums = self.zeros()
        self.asked = np.full((len(pieces), LANES), -9, dtype=np.int32)
        # The first piece is not chosen, and every third one not spelled.
        n, n_lanes = len(pieces[1:]), len(self.vocabularies)
        spelled = (np.arange(n) % 3 != 2).astype(np.uint8)
        self.first_of = np.full((n_lanes, n), -1, dtype=np.int64)
        self.spelled = np.full(2 * n_lanes * sum(map(len, pieces)), 7, dtype=np.uint32)
        starts = 0, self.spelled.size // 2
        for (first, last), to in zip(((0, cut), (cut, len(pieces))), starts, strict=True):
            count_lanes(
                data, offsets, first, last, rows, groups, counts, np.array(is_word, np.uint8),
                *self.trie, self.scores, self.byte_row, unknown, len(self.vocabularies), *sums,
                np.arange(-1, len(pieces) - 1, dtype=np.int32), self.asked, spelled, self.ids,
                self.first_of, self.spelled, to,
                np.full(room, np.nan), np.full(room, -7, dtype=np.int64),
            )  # fmt: skip
        return sums

    def zeros(self):
        return [np.zeros((n, LANES), dtype=np.int64) for n in (GROUPS, GROUPS, self.n_rows)]


@given(pieces_of_bytes, st.booleans(), st.integers(1, LANES), st.data())
def test_equals_each_vocabulary_alone(pieces, spells, n_lanes, data):
    scores = st.integers(-9, -1).map(float)  # sums are often equal
    tokens = st.dictionaries(texts.filter(bool).map(lambda t: t.decode()[:4].encode()), scores)
    if spells:  # whole characters only; any of them may be missing
        alphabet = st.dictionaries(st.sampled_from([c.encode() for c in LETTERS]), scores)
    else:
        alphabet = st.fixed_dictionaries(
            {bytes([b]): scores for b in {*b"".join(pieces), *LETTERS.encode()}}
        )
    some = st.lists(
        st.tuples(tokens, alphabet).map(lambda two: two[0] | two[1]), min_size=n_lanes,
        max_size=n_lanes,
    )  # fmt: skip
    unknown = st.lists(scores, min_size=n_lanes, max_size=n_lanes)
    union = Union(data.draw(some), data.draw(unknown) if spells else None)
    n = len(pieces)
    entry = st.tuples(st.integers(0, GROUPS - 1), st.integers(1, 99))
    entries = data.draw(st.lists(st.lists(entry, max_size=3), min_size=n, max_size=n))
    is_word = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    found = union.run(pieces, entries, is_word, data.draw(st.integers(0, n)))
    for mine, wanted in zip(found, union.expected(pieces, entries, is_word), strict=True):
        assert mine.tolist() == wanted.tolist()
    for i, (piece, lengths) in enumerate(zip(pieces[1:], union.asked.tolist(), strict=False)):
        alone, _, rows = union.expected([piece], [[(0, 1)]], [False])
        assert lengths[:n_lanes] == alone[0].tolist()[:n_lanes]
        for lane in range(n_lanes if i % 3 != 2 else 0):
            first = union.first_of[lane, i]
            ids = union.spelled[first : first + lengths[lane]]
            in_rows = np.repeat(union.ids[:, lane], rows[:, lane])
            assert sorted(ids.tolist()) == in_rows.tolist()


def test_a_long_piece():
    vocabularies = [{b"a": -1.0} | {b"a" * n: -1.0} for n in range(2, 2 + LANES)]
    union = Union(vocabularies, None)
    tokens, single, rows = union.run([b"a" * 5000, b"aa"], [[(0, 2)], [(2, 5)]], [True, True], 1)
    assert tokens[0].tolist() == [2 * (5000 // n + 5000 % n) for n in range(2, 2 + LANES)]
    assert single[2].tolist() == [5] + [0] * (LANES - 1)
    assert int(rows.sum()) == int(tokens.sum())
