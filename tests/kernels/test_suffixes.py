"""Decoding, the sort of the suffixes, and the seeds, each against its plain rule."""

import itertools
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels import suffixes as k
from toktk.kernels.unigram_train import SHORT
from toktk.trainers import seeding
from toktk.trainers.seeding import Characters, _Suffixes, find_seeds, prefix_code, utf8_lengths

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
        codes = decoded(piece.encode() if isinstance(piece, str) else piece)
        return len(codes) > SHORT, codes

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
    codes = np.full(data.size + len(pieces), 9, dtype=np.int32)
    heads = np.empty(len(pieces), dtype=np.int64)
    expected = [[*decoded(piece), -1] for piece in pieces]
    half = len(pieces) // 2
    for a, b in ((0, half), (half, len(pieces))):
        n = k.decode(a, b, data, offsets, codes, heads)
        assert codes[:n].tolist() == [code for piece in expected[a:b] for code in piece]
        assert [*heads[a:b].tolist(), n] == np.cumsum([0, *map(len, expected[a:b])]).tolist()


@pytest.mark.parametrize("first", [0, 0xE0, 0xE1, 0xEC, 0xED, 0xEF, 0xF0])
@pytest.mark.parametrize(
    "more", list(itertools.product([0x7F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0], repeat=2))
)
def test_decode_characters_of_three_bytes(first, more):
    for piece in (
        bytes([first, *more]),
        bytes([first, *more, 0x80])[:2],
        bytes([first, *more, 65]),
    ):
        data, offsets = packed([piece])
        codes, heads = np.empty(5, dtype=np.int32), np.empty(1, dtype=np.int64)
        n = k.decode(0, 1, data, offsets, codes, heads)
        assert codes[:n].tolist() == [*decoded(piece), -1]


@given(pieces_of_bytes, st.integers(1, 3))
@example([("東京" * 9 + chr(0x4E00 + i)).encode() for i in range(60, 0, -1)], 2)
def test_characters(pieces, jobs):
    weights = [i + 1 for i in range(len(pieces))]
    made = Characters.of(*packed(pieces), np.array(weights, dtype=np.int64), jobs)
    times = Counter()
    for piece, weight in zip(pieces, weights, strict=True):
        for code in decoded(piece):
            times[code] += weight
    assert made.distinct.tolist() == sorted(times)
    assert made.times.tolist() == [times[code] for code in sorted(times)]
    order = sorted(
        range(len(pieces)), key=lambda p: (len(decoded(pieces[p])) > SHORT, decoded(pieces[p]))
    )
    expected = [[*decoded(pieces[p]), -1] for p in order]
    assert made.codes.tolist() == [code for piece in expected for code in piece]
    assert made.heads.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    assert made.counts.tolist() == [weights[p] for p in order]
    table = made.by_code(np.arange(len(times)), missing=-7)
    assert table[made.distinct].tolist() == list(range(len(times)))
    assert table[-1] == -7


def test_utf8_lengths():
    widths = [0, 1, *(len(chr(c).encode()) for c in (0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000))]
    codes = [-1, k.INVALID + 9, 0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000]
    assert utf8_lengths(np.array(codes, dtype=np.int32)).tolist() == widths


letter_lists = st.lists(st.integers(0, 3), max_size=40).map(lambda x: np.array([*x, 0], np.int32))


def code_of(letters, codes):
    """Return the code of a text as a string of bits."""
    return "".join(format(int(codes[c]) >> 6, f"0{int(codes[c]) & 63}b") for c in letters)


def text_at(letters, node, longest):
    """Return the letters of the suffix at a node, and the 0 that ends it, or as many as may be."""
    text = letters[node : node + longest].tolist()
    return text[: text.index(0) + 1] if 0 in text else text


@given(st.lists(st.integers(0, 300), max_size=200), st.integers(0, 8))
@example([], 0)
@example([0], 0)
@example([1] * 100_000 + [2], 0)
def test_prefix_codes_are_in_order(letters, more):
    letters = np.array([*letters, *([1, 0] * 4**more)], dtype=np.int32)
    codes = prefix_code(letters)
    assert codes.size >= max(2, int(letters.max()) + 1)
    # As a fraction, a code is where the texts that begin with its letter begin.
    begins = [(int(code) >> 6) << 57 - (int(code) & 63) for code in codes]
    ends = [begin + (1 << 57 - (int(code) & 63)) for begin, code in zip(begins, codes, strict=True)]
    assert begins[0] == 0
    assert ends == [*begins[1:], 1 << 57]
    n, times = (codes & np.uint64(63)).astype(int), np.bincount(letters, minlength=codes.size)
    share = np.maximum(times, 1) / np.maximum(times, 1).sum()
    assert (n <= 2 - np.log2(share)).all()


words_of = letter_lists.map(lambda x: (x, prefix_code(x)))


@given(words_of, st.integers(1, 32))
def test_words(both, longest):
    letters, codes = both
    nodes = np.arange(letters.size, dtype=np.int32)
    words = np.full(nodes.size, 9, dtype=np.uint64)
    half = nodes.size // 2
    for a, b in ((0, half), (half, nodes.size)):
        k.write_words(a, b, nodes, letters, longest, codes, words)
    for node, word in enumerate(words.tolist()):
        code = code_of(text_at(letters, node, longest), codes)
        assert format(word, "064b") == code.ljust(64, "0")[:64]


@given(st.lists(words_of, min_size=1, max_size=4))
def test_suffixes_fall_into_buckets(parts):
    letters = np.concatenate([letters for letters, _ in parts])
    codes = prefix_code(letters)
    cuts = np.cumsum([0, *(part.size for part, _ in parts)]).tolist()
    counts = np.zeros((len(parts), 1 << k.DIGIT), dtype=np.int64)
    for j, (a, b) in enumerate(pairwise(cuts)):
        k.count_suffixes(a, b, letters, codes, counts[j])
    expected = []
    for node in np.flatnonzero(letters).tolist():
        word = int(code_of(text_at(letters, node, 99), codes).ljust(64, "0")[:64], 2)
        expected.append((word >> 64 - k.DIGIT, node, word))
    in_buckets = Counter(bucket for bucket, _, _ in expected)
    assert {b: n for b, n in enumerate(counts.sum(axis=0).tolist()) if n} == in_buckets
    ends = np.cumsum(counts.T.ravel()).reshape(counts.T.shape).T.copy()
    begins = ends - counts
    words, nodes = np.empty(len(expected), np.uint64), np.empty(len(expected), np.int32)
    for j, (a, b) in enumerate(pairwise(cuts)):
        k.scatter_suffixes(a, b, letters, codes, ends[j], words, nodes)
    assert ends.tolist() == begins.tolist()
    in_order = sorted(expected)
    assert nodes.tolist() == [node for _, node, _ in in_order]
    assert words.tolist() == [word for _, _, word in in_order]


@given(
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 3)), max_size=60),
    st.sampled_from([(64, 8), (64, 11), (53, 9), (2, 1)]),
)
def test_the_sort_of_words_is_stable(values, how):
    bits, digit = how
    words, nodes = np.array(values, dtype=np.uint64), np.arange(len(values), dtype=np.int32)
    scratch = np.empty(len(values) + 3, np.uint64), np.empty(len(values) + 3, np.int32)
    k.sort_words(words, nodes, bits, digit, *scratch, np.empty(1 << digit, dtype=np.int64))
    assert nodes.tolist() == sorted(range(len(values)), key=lambda i: values[i] % 2**bits)
    assert words.tolist() == [values[i] for i in nodes]


def suffixes_of(pieces, allowed, longest, jobs):
    characters = characters_of(pieces)
    chosen = np.array([chr(c) in allowed for c in characters.distinct.tolist()], dtype=np.bool_)
    letters = characters.letters(np.where(chosen, np.arange(chosen.size) + 1, 0), jobs)
    return letters, _Suffixes(characters, letters, longest, 1, jobs)


MANY = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))


@given(pieces_of_text, st.integers(1, 32), st.integers(1, 3))
@example({"ab" * 60: 1, "a" * 40: 2}, 32, 2)
@example({MANY[:70] * 2: 1}, 32, 2)
@example({MANY: 1} | {MANY[:20] + "b" * (i % 3) + MANY[i]: 1 for i in range(99)}, 32, 3)
@example({MANY: 1} | {MANY[:7] + "b" * i: 1 for i in range(60)}, 16, 1)
@example({}, 16, 2)
def test_suffixes_are_sorted(pieces, longest, jobs):
    assert_sorted(pieces, longest, jobs)


@given(pieces_of_text, st.integers(1, 3))
def test_letters_of_four_bytes(pieces, jobs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeding, "LAST_SHORT", -1)
        assert_sorted(pieces, 16, jobs)


def assert_sorted(pieces, longest, jobs):
    pieces = in_order(pieces)
    letters, made = suffixes_of(pieces, set("".join(pieces)) - {"0"}, longest, jobs)
    texts = {
        node: [c for c in text_at(letters, node, longest) if c]
        for node in np.flatnonzero(letters).tolist()
    }
    order = made.nodes.tolist()
    assert sorted(order) == sorted(texts)
    assert [texts[node] for node in order] == sorted(texts.values())


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
