import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import encode_by_pairs

from toktk.kernels.bpe_encode import (
    NO_RANK,
    SHORT,
    UNKNOWN,
    empty_pair_table,
    fill_pair_table,
    find_merge,
)
from toktk.kernels.pairs import (
    encode_ranked_spans,
    fill_token_table,
    find_certain,
    find_first,
    find_token,
    find_tokens,
    list_last_pairs,
)

SLOW = bool(numba.config.DISABLE_JIT)

# Ids with holes, in no order; "é" and "東" are characters, and so are their bytes.
TOKENS = {500: b"a", 7: b"b", 9: b"ab", 4: b"aba", 1: b"ba", 30: b"\xc3\xa9", 31: b"\xe6\x9d\xb1"}
TOKENS |= {3: b"\xc3\xa9a", 2: b"\xc3", 8: b"\xa9"}
BYTE_IDS = np.arange(256, dtype=np.int64) + 1000
BYTE_IDS[list(b"ab\xc3\xa9")] = [500, 7, 2, 8]


def spelled():
    tokens = [TOKENS.get(i, b"") for i in range(1256)]
    offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    return np.frombuffer(b"".join(tokens), np.uint8), offsets


def characters():
    table = np.full(ord("東") + 1, -1, np.int32)
    table[[ord("a"), ord("b"), ord("é"), ord("東")]] = [500, 7, 30, 31]
    return table


def pair_table(pairs):
    table = empty_pair_table(len(pairs))
    fill_pair_table(rows(pairs), table)
    return table


def rows(pairs):
    return np.array(pairs, np.int64).reshape(-1, 4)


def spelling(pairs, chars):
    """What pieces begin with: `chars`, or without any the characters that merging always makes."""
    byte_ids, table, first = BYTE_IDS.copy(), pair_table(pairs), np.empty(128 * 128, np.int64)
    certain = chars
    if chars.size:
        byte_ids[list(b"ab")] = chars[list(b"ab")]
    else:
        certain = np.full(0xF0 if SLOW else ord("東") + 1, -1, np.int32)
        least = np.full((2, 1256), NO_RANK)
        ends, symbols = np.zeros(1256, bool), np.empty(4, np.int64)
        find_certain(rows(pairs), table, byte_ids, ends, *least, certain, symbols)
    if SLOW:
        first[:] = UNKNOWN
    else:
        find_first(table, byte_ids, first)
    return byte_ids, certain, chars.size > 0, first


def token_table(ids):
    table = np.full(2 << max(len(ids), 1).bit_length(), -1)
    return table, fill_token_table(np.array(ids, np.int64), *spelled(), table)


def encode(pieces, pairs, chars, whole=()):
    data = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    ids, ends = np.empty(data.size, np.uint32), np.empty(len(pieces), np.int64)
    scratch = np.empty(8 * max(SHORT, *map(len, pieces), 1), np.int64)
    longest = max((len(TOKENS[i]) for i in whole), default=-1)
    n = encode_ranked_spans(
        data, offsets, spelling(pairs, chars), pair_table(pairs), token_table(list(whole))[0],
        longest, *spelled(), ids, ends, scratch,
    )  # fmt: skip
    return [part.tolist() for part in np.split(ids[:n], ends)][:-1]


def reference(piece, pairs, chars, whole=()):
    if piece in [TOKENS[i] for i in whole]:
        return [next(i for i in whole if TOKENS[i] == piece)]
    symbols = []
    for unit in [character.encode() for character in piece.decode()] if chars.size else [piece]:
        known = [500, 7, 30, 31] if chars.size else []
        found = [i for i in known if TOKENS[i] == unit]
        symbols += found or [int(BYTE_IDS[b]) for b in unit]
    return encode_by_pairs(symbols, {(a, b): (rank, new) for a, b, new, rank in pairs})


IDS = st.sampled_from([500, 7, 9, 4, 1, 30, 31, 3, 2, 8])
PAIRS = st.lists(
    st.tuples(IDS, IDS, IDS, st.integers(0, 4) | st.just(NO_RANK - 1)),
    max_size=8,
    unique_by=lambda pair: pair[:2],
)
TEXT = st.text("abé東c", max_size=12).map(str.encode)


@given(PAIRS)
def test_ranks_are_those_given(pairs):
    table = pair_table(pairs)
    for a, b, new, rank in pairs:
        assert int(find_merge(table, a, b)) == (rank << 32) | new
    assert int(find_merge(table, 1, 777)) == NO_RANK << 32


@given(st.lists(TEXT, max_size=4), PAIRS, st.booleans(), st.lists(IDS, max_size=3, unique=True))
@example([b"", b"\xc3\xa9", b"\xc3\xa9a"], [(2, 8, 30, 0), (30, 500, 3, 1)], False, [3])
def test_any_spelling_equals_the_reference(pieces, pairs, as_characters, whole):
    chars = characters() if as_characters else np.empty(0, np.int32)
    expected = [reference(piece, pairs, chars, whole) for piece in pieces]
    assert encode(pieces, pairs, chars, whole) == expected


@pytest.mark.parametrize("length", [SHORT, SHORT + 1])
def test_equal_ranks_merge_from_the_left_in_long_pieces_too(length):
    pairs = [(500, 7, 9, 3), (7, 500, 1, 3), (9, 500, 4, 3)]
    piece = (b"ab" * length)[:length]
    none = np.empty(0, np.int32)
    assert encode([piece], pairs, none) == [reference(piece, pairs, none)]


@st.composite
def byte_merges(draw):
    """Merges of bytes of three characters and a space, in any order of rank, equal ones too."""
    symbols = {bytes([b]): int(BYTE_IDS[b]) for b in b" \xc3\xa9\xa4\xa1\xe0"}
    pairs = []
    for new in range(draw(st.integers(1, 12))):
        left, right = (draw(st.sampled_from(sorted(symbols))) for _ in "lr")
        made = symbols.setdefault(left + right, 600 + new)
        pairs.append((symbols[left], symbols[right], made, draw(st.integers(0, 6))))
    return list({pair[:2]: pair for pair in pairs}.values())


@given(
    byte_merges(),
    st.lists(
        st.sampled_from([b" ", b"\xc3\xa9", b"\xc3\xa4", b"\xc3\xa1", b"\xe0\xa1\xa4"])
        | st.sampled_from([b"\xc3", b"\xa9", b"\xe0\xa1", b"\xc0\xa1"]),
        max_size=12,
    ).map(b"".join),
)
@example([(2, 8, 600, 0)], b"\xc3\xa9 \xc3\xa9")
def test_characters_made_at_once_change_nothing(pairs, piece):
    symbols = [int(BYTE_IDS[b]) for b in piece]
    expected = encode_by_pairs(symbols, {(a, b): (rank, new) for a, b, new, rank in pairs})
    assert encode([piece], pairs, np.empty(0, np.int32)) == [expected]


@pytest.mark.parametrize(
    ("pairs", "is_certain"),
    [
        ([(2, 8, 30, 1)], True),
        ([(2, 8, 30, 1), (30, 30, 3, 0)], False),  # would merge too early
        ([(2, 8, 30, 1), (8, 500, 3, 0)], False),  # what follows takes the last byte
        ([(2, 8, 30, 1), (8, 500, 3, 1)], False),
        ([(2, 8, 30, 1), (8, 500, 3, 2)], True),
        ([(2, 8, 30, 1), (30, 2, 3, 0)], False),  # what precedes, not ASCII, takes the first
        ([(2, 8, 30, 1), (500, 2, 3, 0)], True),  # only a letter before it does
        ([(2, 8, 30, 1), (500, 2, 3, 0), (3, 8, 4, 0), (4, 2, 9, 0)], False),
    ],
)
def test_certain_characters(pairs, is_certain):
    found = spelling(pairs, np.empty(0, np.int32))[1]
    assert found[ord("é")] == (30 if is_certain else -1)
    assert (found >= 0).sum() == is_certain


@pytest.mark.parametrize("piece", [b"\xe6\x9d", b"a\xf0", b"\xff\xfe\xfd", b"\x80\xc3"])
def test_bytes_cut_inside_a_character_leave_no_array(piece):
    assert len(encode([piece], [], characters())[0]) > 0


def test_tokens_are_found_by_their_bytes_and_a_double_is_told():
    ids = sorted(TOKENS)
    table, double = token_table(ids)
    assert double == -1
    data = np.frombuffer(b"xaba\xc3\xa9", np.uint8)
    assert find_token(data, 1, 3, table, *spelled()) == 4
    assert find_token(data, 0, 4, table, *spelled()) == -1
    found = np.empty(3, np.int64)
    find_tokens(data, np.array([1, 2, 4, 6]), table, *spelled(), found)
    assert found.tolist() == [500, 1, 30]
    assert token_table([9, 4, 9])[1] == 9


@pytest.mark.parametrize("as_characters", [False, True])
def test_the_last_pair_of_each_token(as_characters):
    order = np.array(sorted(TOKENS, key=lambda i: (len(TOKENS[i]), i)))
    chars = characters() if as_characters else np.empty(0, np.int32)
    pairs = np.empty((order.size, 4), np.int64)
    table, scratch = empty_pair_table(10), np.empty(8 * SHORT, np.int64)
    start = (BYTE_IDS, chars, as_characters, np.full(128 * 128, UNKNOWN))
    n = list_last_pairs(order, *spelled(), np.arange(1256), start, table, pairs, scratch)
    # In "aba" the right pair has the lower rank. "東" in bytes is no pair: it has three.
    expected = [(7, 500, 1, 1), (500, 7, 9, 9), (500, 1, 4, 4), (30, 500, 3, 3)]
    assert sorted(map(tuple, pairs[:n].tolist())) == sorted(
        expected + ([] if as_characters else [(2, 8, 30, 30)])
    )
