import itertools

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels.alone import empty_alone, enter_alone, take_alone
from toktk.kernels.constants import LONGEST_ALONE as LONGEST
from toktk.kernels.constants import MAX_ALONE_ID as MAX_ID

WORDS = st.binary(max_size=18) | st.text("a\0é", max_size=14).map(str.encode)
TOKENS = st.lists(WORDS.map(lambda word: word[:LONGEST] or b"a"), max_size=40, unique=True)


def packed(words):
    data = np.frombuffer(b"".join(words), np.uint8)
    return data, np.cumsum([0, *map(len, words)], dtype=np.int64)


def filled(tokens, known=0):
    """The table of `tokens`, whose ids are 7, 10, …"""
    ids = 7 + 3 * np.arange(len(tokens))
    words = [b""] * (8 + 3 * len(tokens))
    for i, token in zip(ids.tolist(), tokens, strict=True):
        words[i] = token
    alone = empty_alone(len(tokens), known)
    enter_alone(ids, *packed(words), alone)
    return alone


def taken(alone, pieces, first=0):
    """{piece's number: id} of those found, and the numbers of the others."""
    data, offsets = packed(pieces)
    ids = np.empty(data.size + 4 * len(pieces) + 1, np.uint32)
    counts, rest = np.full(len(pieces), -5), np.empty(len(pieces) + 1, np.uint32)
    n = take_alone(data, offsets, first, len(pieces), alone, ids, counts, rest)
    others = rest[:n].tolist()
    assert (counts[first:] == 1).all()
    found = [i for i in range(first, len(pieces)) if i not in others]
    return {i: int(ids[offsets[i] + 4 * (i - first)]) for i in found}, others


@given(TOKENS, st.lists(WORDS, min_size=1, max_size=40), st.integers(0, 3))
@example([], [b"", b"a"], 0)
@example([b"\0", b"a\0"], [b"", b"\0", b"a", b"a\0", b"\0\0", b"a" * 16, b"\0" * 300], 0)
@example([b"b" * LONGEST], [b"b" * n for n in range(1, 40)], 0)
def test_equals_a_dict(tokens, pieces, first):
    ids = {token: 7 + 3 * i for i, token in enumerate(tokens)}
    pieces += tokens
    first = min(first, len(pieces) - 1)
    found, others = taken(filled(tokens), pieces, first)
    wanted = {i: ids[piece] for i, piece in enumerate(pieces) if i >= first and piece in ids}
    assert found == wanted
    assert others == [i for i in range(first, len(pieces)) if i not in wanted]


def test_as_full_as_a_table_gets():
    for n in (3, 12, 24, 48, 96, 191):
        tokens = [b"%d" % i for i in range(n)]
        alone = filled(tokens)
        assert n <= 3 / 4 * alone[0].size / 2
        found, others = taken(alone, [*tokens, *(b"x%d" % i for i in range(n))])
        assert found == {i: 7 + 3 * i for i in range(n)}
        assert others == [*range(n, 2 * n)]


def test_a_line_that_is_full_goes_on_in_the_next():
    # Lines of four: the line of each token in a table of its own size, found by entering it alone.
    n = 40
    lines = {}
    for i in range(400):
        alone = empty_alone(n)
        token = b"t%d" % i
        enter_alone(np.array([0]), *packed([token]), alone)
        lines.setdefault(int(np.flatnonzero(alone[0])[0]) // 8, []).append(token)
    alike = max(lines.values(), key=len)[:9]
    assert len(alike) > 4
    found, others = taken(filled(alike + [b"u%d" % i for i in range(n - len(alike))]), alike)
    assert found == {i: 7 + 3 * i for i in range(len(alike))}
    assert others == []


def test_the_greatest_id():
    words = [b"ab", b"abc"]
    data, _ = packed(words)
    sparse = np.zeros(MAX_ID + 2, dtype=np.int64)
    sparse[MAX_ID + 1] = 2
    alone = empty_alone(1)
    enter_alone(np.array([MAX_ID]), data, sparse, alone)
    assert taken(alone, words) == ({0: MAX_ID}, [1])


def test_lines_lie_in_whole_cache_lines():
    for n in (0, 1, 100, 5000):
        assert empty_alone(n)[0].__array_interface__["data"][0] % 64 == 0
        assert empty_alone(n)[0].size % 8 == 0


def test_pieces_of_all_lengths_up_to_the_end_of_the_data():
    tokens = [b"x" * n for n in range(1, LONGEST + 1)]
    alone = filled(tokens)
    for a, b in itertools.product(range(1, 17), range(1, 17)):
        found, _ = taken(alone, [b"x" * a, b"x" * b])
        assert found == {i: 7 + 3 * (n - 1) for i, n in enumerate((a, b)) if n <= LONGEST}
