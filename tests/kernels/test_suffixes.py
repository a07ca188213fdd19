"""Decoding, the sort of the suffixes, and the seeds, each against its plain rule."""

from collections import Counter

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels import suffixes as k
from toktk.kernels.unigram_train import SHORT
from toktk.trainers.seeding import Characters, _Suffixes, find_seeds, utf8_lengths

LETTERS = "aab \0\n0é́東🙂𠀀\uffff"
texts = st.text(st.sampled_from(LETTERS), max_size=25)
pieces_of_text = st.dictionaries(texts.filter(bool), st.integers(1, 5), max_size=8)
broken = st.sampled_from([
    b"\xff", b"\x80", b"\xc0\x80", b"\xc1", b"\xc3", b"\xe0\x80\x80", b"\xe2\x82", b"\xed\xa0\x80",
    b"\xf0\x80\x80\x80", b"\xf0\x9f\x99", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8",
])  # fmt: skip
raw = st.lists(st.one_of(texts.map(str.encode), st.binary(max_size=4), broken), max_size=6)
pieces_of_bytes = st.lists(raw.map(b"".join), max_size=6)


def packed(pieces):
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return np.frombuffer(b"".join(pieces), np.uint8), offsets


def in_order(pieces):
    """Return a dictionary of pieces in the order that `Characters.of` gives them: sorted, long ones last."""

    def key(piece):
        raw = piece.encode() if isinstance(piece, str) else piece
        return sum(b & 0xC0 != 0x80 for b in raw) > SHORT, raw

    return {piece: pieces[piece] for piece in sorted(pieces, key=key)}


def characters_of(pieces):
    """Decode a dictionary of pieces (str or bytes) with their counts."""
    raw = [p.encode() if isinstance(p, str) else p for p in pieces]
    return Characters.of(*packed(raw), np.array([*pieces.values()], dtype=np.int64))


def decoded(piece):
    """Return the code points, a byte that is not part of UTF-8 as INVALID plus the byte."""
    codes, i = [], 0
    while i < len(piece):
        for n in (1, 2, 3, 4):
            try:
                codes.append(ord(piece[i : i + n].decode()))
                break
            except (UnicodeDecodeError, TypeError):
                continue
        else:
            codes.append(k.INVALID + piece[i])
            n = 1
        i += n
    return codes


@given(pieces_of_bytes)
@example([bytes([a, b]) for a in (0xC1, 0xC2, 0xDF, 0xE0) for b in (0x7F, 0x80, 0xBF, 0xC0)])
@example([bytes([a, b, 0x80]) for a in (0xE0, 0xED, 0xEF) for b in (0x80, 0x9F, 0xA0, 0xBF)])
@example([bytes([a, b, 0x80, 0xBF]) for a in (0xF0, 0xF4, 0xF5) for b in (0x8F, 0x90, 0xBF)])
@example([b"", b"", b"\xe6\x9d", b"\xb1"])
def test_decode(pieces):
    data, offsets = packed(pieces)
    codes = np.empty(data.size + len(pieces), dtype=np.int32)
    heads = np.empty(offsets.size, dtype=np.int64)
    n = k.decode(data, offsets, codes, heads)
    expected = [[*decoded(piece), -1] for piece in pieces]
    assert codes[:n].tolist() == [code for piece in expected for code in piece]
    assert heads.tolist() == np.cumsum([0, *map(len, expected)]).tolist()


@given(pieces_of_bytes)
def test_characters(pieces):
    weights = [i + 1 for i in range(len(pieces))]
    made = Characters.of(*packed(pieces), np.array(weights, dtype=np.int64))
    times = Counter()
    for piece, weight in zip(pieces, weights, strict=True):
        for code in decoded(piece):
            times[code] += weight
    assert made.distinct.tolist() == sorted(times)
    assert made.times.tolist() == [times[code] for code in sorted(times)]
    table = made.by_code(np.arange(len(times)), missing=-7)
    assert table[made.distinct].tolist() == list(range(len(times)))
    assert table[-1] == -7
    widths = [0, 1, *(len(chr(c).encode()) for c in (0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000))]
    codes = [-1, k.INVALID + 9, 0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000]
    assert utf8_lengths(np.array(codes, dtype=np.int32)).tolist() == widths


letter_lists = st.lists(st.integers(0, 3), max_size=40).map(lambda x: np.array([*x, 0], np.int32))


@given(letter_lists, st.integers(1, 32))
def test_measure_suffixes(letters, longest):
    size = np.empty(letters.size, dtype=np.uint8)
    k.measure_suffixes(letters, longest, size)
    for node in range(letters.size):
        stop = node + letters[node:].tolist().index(0)
        assert size[node] == min(stop - node, longest)


@given(st.integers(1, 32), st.data())
def test_first_keys(bits, data):
    width = min(64 // bits, 16)
    values = st.lists(st.integers(0, (1 << bits) - 1).map(lambda v: v & 0x7FFFFFFF), max_size=30)
    letters = np.array([*data.draw(values), 0], dtype=np.int32)
    size = np.empty(letters.size, dtype=np.uint8)
    k.measure_suffixes(letters, 16, size)
    nodes = np.flatnonzero(size)[::-1].astype(np.int32)
    keys = np.full(nodes.size, 9, dtype=np.uint64)
    half = nodes.size // 2
    for a, b in ((0, half), (half, nodes.size)):
        k.first_keys(a, b, nodes, letters, size, bits, width, keys)
    for node, key in zip(nodes.tolist(), keys.tolist(), strict=True):
        seen = letters[node : node + min(int(size[node]), width)].tolist()
        assert key == sum(c << bits * (width - 1 - i) for i, c in enumerate(seen))


@given(st.integers(1, 31), st.integers(1, 8), st.data())
def test_next_keys(bits, width, data):
    ranks = data.draw(st.lists(st.integers(1, (1 << bits) - 1), min_size=1, max_size=30))
    n = len(ranks)
    rank = np.array(ranks, dtype=np.int32)
    size = np.array([data.draw(st.integers(1, n - i)) for i in range(n)], dtype=np.uint8)
    nodes = np.arange(n, dtype=np.int32)
    keys = np.empty(n, dtype=np.uint64)
    k.next_keys(0, n, nodes, rank, size, bits, width, keys)
    after = [ranks[i + width] if size[i] > width else 0 for i in range(n)]
    assert keys.tolist() == [a << bits | b for a, b in zip(ranks, after, strict=True)]


@given(
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3)), max_size=60),
    st.sampled_from([0, 11, 22, 33, 44, 55]),
)
def test_a_pass_of_the_sort_is_stable(values, shift):
    keys = np.array(values, dtype=np.uint64)
    n = keys.size
    nodes = np.arange(n, dtype=np.int32)
    counts = np.zeros(1 << k.DIGIT, dtype=np.int64)
    for a, b in ((0, n // 3), (n // 3, n)):
        k.count_digits(a, b, keys, shift, counts)
    digits = [(v >> shift) & ((1 << k.DIGIT) - 1) for v in values]
    assert {d: c for d, c in enumerate(counts.tolist()) if c} == Counter(digits)
    to_keys, to_nodes = np.empty_like(keys), np.empty_like(nodes)
    places = np.cumsum(counts) - counts
    for a, b in ((0, n // 3), (n // 3, n)):
        k.scatter(a, b, keys, nodes, shift, places, to_keys, to_nodes)
    assert to_nodes.tolist() == sorted(range(n), key=lambda i: digits[i])
    assert to_keys.tolist() == [values[i] for i in to_nodes]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20).map(lambda x: sorted(x + x[:9])))
def test_set_ranks(values):
    nodes = np.arange(len(values), dtype=np.int32)[::-1].copy()
    rank = np.zeros(len(values), dtype=np.int32)
    different = sorted(set(values))
    assert k.set_ranks(np.array(values, dtype=np.uint64), nodes, rank) == len(different)
    assert rank[nodes].tolist() == [1 + different.index(v) for v in values]


def suffixes_of(pieces, allowed, longest, jobs):
    characters = characters_of(pieces)
    chosen = np.array([chr(c) in allowed for c in characters.distinct.tolist()], dtype=np.bool_)
    letters = characters.by_code(np.where(chosen, np.arange(chosen.size) + 1, 0), 0)
    return _Suffixes(characters, letters[characters.codes], longest, jobs)


@given(pieces_of_text, st.integers(1, 32), st.integers(1, 3))
@example({"ab" * 60: 1, "a" * 40: 2}, 32, 2)
@example({"".join(map(chr, range(0x4E00, 0x4E00 + 70))) * 2: 1}, 32, 2)
def test_suffixes_are_sorted_and_compared(pieces, longest, jobs):
    pieces = in_order(pieces)
    made = suffixes_of(pieces, set("".join(pieces)) - {"0"}, longest, jobs)
    texts = {}
    for node in np.flatnonzero(made.size).tolist():
        texts[node] = made.letters[node : node + int(made.size[node])].tolist()
    order = made.nodes.tolist()
    assert sorted(order) == sorted(texts)
    assert [texts[node] for node in order] == sorted(texts.values())

    n = len(order)
    common, weight = np.zeros(n + 1, dtype=np.uint8), np.empty(n, dtype=np.int64)
    heads = made.characters.heads
    piece_of = np.repeat(np.arange(len(pieces), dtype=np.int32), np.diff(heads))
    for a, b in ((0, n // 2), (n // 2, n)):
        k.compare(a, b, made.nodes, made.letters, made.size, piece_of, made.characters.counts,
                  common, weight)  # fmt: skip
    counts = list(pieces.values())
    assert weight.tolist() == [counts[piece_of[node]] for node in order]
    for r in range(1, n):
        one, other = texts[order[r - 1]], texts[order[r]]
        same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
        same = min(len(one), len(other)) if same is None else same
        assert common[r] == (same if same > 1 else 0)


def assert_seeds(pieces, characters, made, expected):
    """Check texts, their order and occurrences, and what begins where."""
    codes, heads = characters.codes.tolist(), characters.heads.tolist()

    def text(node, n):
        return "".join(map(chr, codes[node : node + n]))

    found = [text(h, n) for h, n in zip(made.home.tolist(), made.length.tolist(), strict=True)]
    assert found == list(expected)
    assert made.times.tolist() == list(expected.values())
    number = {t: i for i, t in enumerate(found)}
    for i, t in enumerate(found):
        shorter = [t[:n] for n in range(len(t) - 1, 0, -1) if t[:n] in number]
        assert made.shorter[i] == (number[shorter[0]] if shorter else -1)
    for p, piece in enumerate(pieces):
        for i in range(len(piece) + 1):
            begin = [t for t in found if piece.startswith(t, i)]
            node = heads[p] + i
            assert made.longest[node] == (number[max(begin, key=len)] if begin else -1)


@given(
    pieces_of_text,
    st.sets(st.sampled_from("0a\n")),
    st.sampled_from([1, 3, 10, 1000]),
    st.integers(0, 4),
    st.integers(1, 32),
    st.sampled_from([None, 2, 4, 5, 7, 12]),
    st.integers(1, 3),
)
@example({"abcabc": 1, "abcab": 2, "abc": 2}, set(), 2, 2, 16, None, 2)
@example({"a" * 60: 1, "a" * 16: 2}, set(), 1000, 1, 16, None, 2)
@example({"🙂東é" * 8: 2, "🙂東": 2}, set(), 1000, 2, 16, 8, 1)
@example({}, set(), 10, 2, 16, None, 2)
def test_seeds_equal_the_reference(pieces, refused, size, least, longest, max_bytes, jobs):
    pieces = in_order(pieces)
    characters = characters_of(pieces)
    allowed = set("".join(pieces)) - refused
    chosen = np.array([chr(c) in allowed for c in characters.distinct.tolist()], dtype=np.bool_)
    made = find_seeds(characters, chosen, size, least, longest, max_bytes, jobs)
    limit = {} if max_bytes is None else {"max_bytes": max_bytes}
    expected = reference.seeds(pieces, allowed, size, least, longest, **limit)
    assert_seeds(pieces, characters, made, expected)


@given(pieces_of_bytes)
def test_no_seed_holds_what_is_not_text(pieces):
    counted = in_order(Counter(p for p in pieces if p))
    characters = characters_of(counted)
    made = find_seeds(characters, characters.distinct < k.INVALID, 1000, 2, 16)
    as_text = {p.decode(errors="surrogateescape"): n for p, n in counted.items()}
    allowed = {c for p in as_text for c in p if not 0xDC80 <= ord(c) <= 0xDCFF}
    expected = reference.seeds(as_text, allowed, 1000, 2, 16)
    assert_seeds(as_text, characters, made, expected)


@pytest.mark.parametrize("most", [0, 1, 3, 4, 6, 7, 100])
def test_shorten(most):
    text = "a東é🙂b"
    characters = characters_of({text: 1})
    widths = characters.by_code(utf8_lengths(characters.distinct), 0)
    home = np.array([0, 0, 1, 3], dtype=np.int32)
    length = np.array([5, 2, 3, 1], dtype=np.uint8)
    expected = []
    for h, n in zip(home.tolist(), length.tolist(), strict=True):
        fits = [m for m in range(n + 1) if len(text[h : h + m].encode()) <= most]
        expected.append(max(fits))
    k.shorten(home, characters.codes, widths, most, length)
    assert length.tolist() == expected
