import itertools

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.encoder import Limits, _Block, _Table
from toktk.kernels import piece_lookup as k
from toktk.kernels.memory import hash_bytes

SLOW = bool(numba.config.DISABLE_JIT)
TINY = Limits(first_slots=2, max_slots=2 * k.BLOCK, max_arena=60, max_pool=30, longest=30, todo=64)
ROOMY = Limits(first_slots=2, todo=64)

pieces = st.lists(
    st.binary(min_size=1, max_size=40)
    | st.binary(min_size=14, max_size=17)
    | st.sampled_from([b"a", b"a\0", b"aa", b"abcd", b"x" * 15, b"x" * 16, b"x" * 31]),
    max_size=300,
)


class Model:
    """Gives a piece 0 to 9 ids, by its bytes, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def ids(self, piece):
        return [sum(piece), *piece[: len(piece) % 10 - 1], 2**32 - 1][: len(piece) % 10]

    def encode_pieces(self, data, offsets):
        asked = [data[a:b].tobytes() for a, b in itertools.pairwise(offsets)]
        self.asked += asked
        found = [self.ids(piece) for piece in asked]
        flat = np.array([i for ids in found for i in ids], np.uint32)
        return flat, np.cumsum([len(ids) for ids in found], dtype=np.int64)


def walk(table, parts, before=b"", after=b"", room=1):
    """Return the ids of each piece."""
    data = np.frombuffer(before + b"".join(parts) + after, np.uint8)
    ends = len(before) + np.cumsum([len(part) for part in parts], dtype=np.int64)
    table._state[k.WRITTEN :] = 0
    # A document a piece, and an empty one before.
    positions = np.arange(len(parts) + 1)
    block = _Block(data, len(before), ends, 0, positions)
    out = table._walk(block, np.empty(room, np.uint32), positions, positions.size, keep=True)
    assert positions[-1] == table._state[k.WRITTEN]
    assert (table._state[k.MISSES], table._state[k.PATCHES]) == (0, 0)
    return [out[a:b].tolist() for a, b in itertools.pairwise(positions)]


@pytest.mark.parametrize("limits", [TINY, ROOMY], ids=["tiny", "roomy"])
def test_ids_are_those_of_the_model(limits):
    @given(pieces, st.binary(max_size=9), st.binary(max_size=20))
    @example([bytes([i]) for i in range(256)] * 2, b"", b"")
    @example([b"a" * n for n in range(1, 70)], b"", b"")
    def check(parts, before, after):
        model = Model()
        table = _Table(model, limits)
        want = [model.ids(part) for part in parts]
        for _ in range(2):
            assert walk(table, parts, before, after) == want
            assert walk(table, parts[::-1], after, before) == want[::-1]
        if limits is ROOMY:  # nothing is forgotten: each piece is asked for once
            assert sorted(model.asked) == sorted(set(parts))

    check()


def test_equal_hashes_are_told_apart():
    # Of two words, the second undoes in the hash what the first changed.
    def state(word):
        data = np.frombuffer(word, np.uint8)
        # hash_bytes starts from the length, so take away that of 8 and put in that of 16.
        m1, m3, mod = 0x9E3779B97F4A7C15, 0x165667B19E3779F9, 2**64
        h = ((16 * m3 % mod) ^ int(data.view(np.uint64)[0])) * m1 % mod
        return h ^ (h >> 31)

    one, other = b"12345678", b"abcdefgh"
    last = b"the end."
    fixed = int(np.frombuffer(last, np.uint64)[0]) ^ state(one) ^ state(other)
    a, b = one + last, other + fixed.to_bytes(8, "little")
    arrays = [np.frombuffer(piece, np.uint8) for piece in (a, b)]
    assert hash_bytes(arrays[0], 0, 16) == hash_bytes(arrays[1], 0, 16)
    model = Model()
    table = _Table(model, ROOMY)
    parts = [a, b, b, a, a + b, b"c", b]
    for _ in range(2):
        assert walk(table, parts) == [model.ids(part) for part in parts]
    assert len(model.asked) == 4


def test_frequent_pieces_move_to_their_first_slot():
    n = 40 if SLOW else 2000
    model = Model()
    table = _Table(model, ROOMY)
    parts = [b"%d" % i for i in range(n)]
    want = [model.ids(part) for part in parts]
    generator = np.random.default_rng(1)
    for _ in range(5):
        order = generator.permutation(n)
        assert walk(table, [parts[i] for i in order]) == [want[i] for i in order]
    assert len(model.asked) == n
    used = table._slots.reshape(-1, 4)[:, 1] != 0
    assert used.sum() == n == table._state[k.USED]


def test_a_piece_of_many_ids_among_short_ones():
    class Many(Model):
        def ids(self, piece):
            return [7] * 5000 if piece == b"many" else [len(piece)]

    model = Many()
    table = _Table(model, Limits(first_slots=2))
    parts = [b"a", b"many", b"bc", b"many", b"a"] * (2 if SLOW else 50)
    for _ in range(2):
        assert walk(table, parts) == [model.ids(part) for part in parts]


@pytest.mark.parametrize("limits", [TINY, ROOMY], ids=["tiny", "roomy"])
def test_memory_is_bounded(limits):
    table = _Table(Model(), limits)
    for start in range(0, 600 if SLOW else 6000, 100):
        walk(table, [b"%d and a long one too %d" % (i, i) for i in range(start, start + 100)])
    bounded = table._slots.size <= 4 * TINY.max_slots and table._arena.size < 8000
    assert bounded == (limits is TINY)


def test_a_table_that_may_hold_less_than_a_block_holds_a_block():
    model = Model()
    table = _Table(model, Limits(first_slots=2, max_slots=2))
    parts = [b"%d" % i for i in range(3 * k.BLOCK)]
    for _ in range(2):
        assert walk(table, parts) == [model.ids(part) for part in parts]
    assert table._slots.size == 4 * 2 * k.BLOCK


def test_a_table_grows_to_what_is_expected_at_once():
    model = Model()
    table = _Table(model, Limits(first_slots=2, max_slots=1 << 12))
    parts = [b"%d" % i for i in range(k.BLOCK)]
    table._expected = 1 << 11
    assert walk(table, parts) == [model.ids(part) for part in parts]
    assert table._slots.size == 4 << 11
    table._expected = 1 << 20
    parts = [b"%d" % i for i in range(1 << 11)]
    assert walk(table, parts) == [model.ids(part) for part in parts]
    assert table._slots.size == 4 << 12
