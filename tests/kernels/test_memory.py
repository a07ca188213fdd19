import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.memory import (
    copy_32,
    copy_halves,
    load64,
    prefetch,
    put_word,
    store_word,
    tail64,
)


@given(st.binary(max_size=24), st.integers(0, 24))
def test_tail64_is_little_endian_and_zero_past_the_end(data, i):
    i = min(i, len(data))
    word = tail64(np.frombuffer(data, np.uint8), i)
    assert int(word) == int.from_bytes(data[i : i + 8], "little")


@given(st.binary(min_size=8, max_size=40), st.data())
def test_load64_equals_tail64_at_every_alignment(data, draw):
    array = np.frombuffer(data, np.uint8)
    shift = draw.draw(st.integers(0, len(data) - 8))
    for view in (array, array[shift:]):  # a view may begin at any address
        for i in range(view.size - 7):
            assert int(load64(view, i)) == int(tail64(view, i))


def test_prefetch_changes_nothing():
    data = np.arange(64, dtype=np.int32)
    for i in (0, 31, 63):
        assert prefetch(data, i) is None
    assert data.tolist() == list(range(64))


@given(st.binary(max_size=24), st.integers(0, 24), st.integers(0, 30), st.integers(0, 8))
def test_put_word_copies_what_is_asked_and_changes_nothing_before(data, start, at, n):
    start = min(start, len(data))
    n = min(n, len(data) - start)
    packed = np.full(at + n, 255, np.uint8)
    put_word(packed, at, n, np.frombuffer(data, np.uint8), start)
    assert bytes(packed) == b"\xff" * at + data[start : start + n]


@given(st.binary(min_size=8, max_size=8), st.integers(0, 30), st.integers(0, 8), st.integers(0, 9))
def test_store_word_writes_what_is_asked_and_changes_nothing_before(data, at, n, behind):
    packed = np.full(at + n + behind, 255, np.uint8)
    store_word(packed, at, n, np.uint64(int.from_bytes(data, "little")))
    assert bytes(packed[: at + n]) == b"\xff" * at + data[:n]
    assert (packed[at + 8 :] == 255).all()


@given(st.integers(0, 7), st.integers(0, 9))
def test_copy_halves_copies_four_and_changes_nothing_else(i, j):
    words = np.frombuffer(bytes(range(72)), np.uint64)
    halves = np.zeros(13, np.uint32)
    copy_halves(words, np.uint64(i), halves, np.uint64(j))
    expected = [0] * 13
    expected[j : j + 4] = [
        int(word) >> shift & 2**32 - 1 for word in words[i : i + 2] for shift in (0, 32)
    ]
    assert halves.tolist() == expected


@given(st.integers(0, 168), st.integers(0, 9))
def test_copy_32_copies_that_and_changes_nothing_else(i, j):
    data, target = np.arange(200, dtype=np.uint8), np.zeros(41, np.uint8)
    copy_32(data, i, target, j)
    assert target.tolist() == [0] * j + list(range(i, i + 32)) + [0] * (9 - j)
