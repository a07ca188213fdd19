import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from test_pair_kernels import (
    BYTE_IDS,
    IDS,
    SLOW,
    TOKENS,
    characters,
    pair_table,
    reference,
    rows,
    spelled,
    spelling,
    token_table,
)

from toktk.kernels.alone import empty_alone, enter_alone
from toktk.kernels.bpe_encode import (
    SHORT,
)
from toktk.kernels.bpe_lanes import (
    LANES,
    RUN,
    WIDTH,
    empty_lanes,
    empty_pair_lines,
    encode_side_by_side,
    fill_pair_lines,
    line_of,
    tag_of,
)
from toktk.kernels.constants import LONGEST_ALONE as LONGEST
from toktk.kernels.pairs import encode_ranked_spans

NONE = np.empty(0, np.int32)

RANKED = st.lists(st.tuples(IDS, IDS, IDS), max_size=8, unique_by=lambda pair: pair[:2]).map(
    lambda pairs: [(*pair, 3 * rank) for rank, pair in enumerate(pairs)]
)
PIECES = st.lists(st.text("abé東c", max_size=WIDTH + 4).map(str.encode), max_size=2 * LANES + 4)


def is_text(token):
    return token.decode(errors="replace").encode() == token


def encode(pieces, pairs, chars, whole=(), known=0):
    """Ids by lanes, and by one piece after the other; the lanes know all tokens of `known` bytes at most."""
    data = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    longest = max((len(TOKENS[i]) for i in whole), default=-1)
    found = token_table(list(whole))[0], longest, *spelled()
    start, table, lines = spelling(pairs, chars), pair_table(pairs), empty_pair_lines(len(pairs))
    fill_pair_lines(rows(pairs), start[0], lines)
    scratch = np.empty(8 * max(SHORT, *map(len, pieces), 1), np.int64)
    ids = [i for i, token in TOKENS.items() if 0 < len(token) <= known and is_text(token)]
    ids = [i for i in ids if reference(TOKENS[i], pairs, chars, whole) == [i]]
    alone = empty_alone(len(ids), known)
    enter_alone(np.array(ids, np.int64), *spelled(), alone)
    rest = np.empty(min(len(pieces), RUN), np.uint32)
    results = []
    for lanes in (empty_lanes(len(pieces)), None):
        ids = np.empty(data.size + 4 * min(len(pieces), RUN), np.uint32)
        ends = np.empty(len(pieces), np.int64)
        if lanes is None:
            n = encode_ranked_spans(data, offsets, start, table, *found, ids, ends, scratch)
        else:
            n = encode_side_by_side(
                data, offsets, start, lines, table, found, alone, ids, ends, scratch, lanes, rest
            )  # fmt: skip
        results.append([part.tolist() for part in np.split(ids[:n], ends)][:-1])
    return results


@given(
    PIECES, RANKED, st.booleans(), st.lists(IDS, max_size=3, unique=True), st.sampled_from([0, LONGEST])
)  # fmt: skip
@example([b""] * (LANES + 1), [(500, 7, 9, 0)], False, [], 0)
@example([b"", b"a", b"ab"], [(500, 7, 9, 0)], False, [], LONGEST)
@example([b"ab" * 7 + b"a", b"ab" * 8, b"a"], [(500, 7, 9, 0), (9, 9, 4, 3)], False, [], 0)
def test_lanes_equal_one_piece_after_the_other(pieces, pairs, as_characters, whole, known):
    chars = characters() if as_characters else NONE
    by_lanes, one_by_one = encode(pieces, pairs, chars, whole, known)
    assert by_lanes == one_by_one == [reference(piece, pairs, chars, whole) for piece in pieces]


@given(st.lists(st.sampled_from([b"\xc3", b"\xa9a", b"\xf0\x9f", b"a\xe6", b"\xff"]), max_size=9))
def test_bytes_that_are_no_text(pieces):
    pairs = [(2, 8, 30, 0), (8, 500, 3, 3)]
    by_lanes, one_by_one = encode(pieces, pairs, characters())
    assert by_lanes == one_by_one


def test_a_line_that_is_full_goes_on_in_the_next():
    n = 12
    shift = empty_pair_lines(n)[3]
    home = line_of(tag_of(30, 500), shift)
    alike = [i for i in range(2000) if i != 500 and line_of(tag_of(30, i), shift) == home]
    pairs = [*((30, i, 1, rank) for rank, i in enumerate(alike[: n - 1])), (30, 500, 3, n)]
    lines = empty_pair_lines(n)
    fill_pair_lines(rows(pairs), BYTE_IDS, lines)
    assert (lines[0][int(home) : int(home) + n] != 2**64 - 1).all()
    by_lanes, one_by_one = encode(["éa".encode(), "éb".encode()], pairs, characters())
    assert by_lanes == one_by_one == [[3], [30, 7]]


def test_the_first_of_two_equal_pairs_counts():
    pairs = [(30, 500, 3, 0), (30, 500, 1, 1), (500, 7, 9, 2), (500, 7, 4, 3)]
    by_lanes, _ = encode(["éa".encode(), b"ab"], pairs, characters())
    assert by_lanes == [[3], [9]]


def test_slots_lie_in_whole_cache_lines():
    for n in (0, 1, 100, 5000):
        assert empty_pair_lines(n)[0].__array_interface__["data"][0] % 64 == 0
        assert empty_lanes(n).__array_interface__["data"][0] % 64 == 0 or n == 0


def test_more_pieces_than_one_run_has():
    pieces = [b"ab" * (i % 9) for i in range(RUN + 40)] if not SLOW else [b"ab", b"b"]
    data = np.frombuffer(b"".join(pieces), np.uint8)
    by_lanes, one_by_one = encode(pieces, [(500, 7, 9, 0), (9, 9, 4, 3)], NONE)
    assert by_lanes == one_by_one
    assert sum(map(len, by_lanes)) < data.size
