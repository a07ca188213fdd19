"""The merge loop's parts, and the loop as a whole on small pieces; real text is in tests/trainers."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toktk import educational
from toktk.kernels import bpe_train as merging
from toktk.trainers import merge_loop
from toktk.trainers.merge_loop import MergeLoop, MergeTask

# Few letters force ties, overlaps and long runs; the counts straddle 32 bits and the buckets.
letters = st.sampled_from([b"a", b"b", b"ab", b"aaa", b" ", b"\n"])
words = st.lists(letters, min_size=1, max_size=8).map(b"".join)
counts = st.one_of(st.integers(1, 3), st.integers(1, 5000), st.integers(1, 2**50))
tables = st.dictionaries(words, counts, max_size=8)


def arrays(pieces):
    data = np.frombuffer(b"".join(pieces), np.uint8)
    offsets = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return data, offsets, np.array(list(pieces.values()), np.int64)


def loop_over(pieces, size, specials=0, floor=1, longest=2**31):
    ids = np.array(educational.byte_ids(specials))
    return MergeLoop(MergeTask.of(*arrays(pieces), ids, size, floor, longest))


def learned(loop):
    return [tuple(row) for row in loop.learned.tolist()]


@given(tables, st.integers(256, 290), st.sampled_from([0, 3]))
@example({b"a" * 40: 1}, 270, 0)
@example({b"aaa": 1, b"aaaa": 2, b"baaa": 3, b"aaab": 4}, 270, 0)
@example({b"abab" * 4: 2, b"ababa": 2, b"bab": 2}, 270, 0)
def test_merges_equal_the_reference(pieces, size, specials):
    loop = loop_over(pieces, size + specials, specials)
    expected = educational.train_bpe(pieces, size + specials, specials)
    assert loop.run(size + specials) == (len(expected) == size - 256)
    assert learned(loop) == expected
    assert loop.n_tokens == 256 + specials + len(expected)


@given(tables, st.integers(1, 6), st.sampled_from([1, 2, 3, 5]))
def test_floor_and_length_equal_the_reference(pieces, floor, longest):
    loop = loop_over(pieces, 290, 0, floor, longest)
    loop.run(290)
    assert learned(loop) == educational.train_bpe(pieces, 290, 0, floor, longest)


@given(tables, st.lists(st.integers(256, 290), min_size=1, max_size=4))
def test_stopping_on_the_way_changes_nothing(pieces, stops):
    whole, halting = loop_over(pieces, 290), loop_over(pieces, 290)
    whole.run(290)
    for stop in [*sorted(stops), 290]:
        halting.run(stop)
        assert learned(halting) == learned(whole)[: stop - 256]


@given(tables)
def test_order_of_the_pieces_does_not_matter(pieces):
    one, other = loop_over(pieces, 280), loop_over(dict(reversed(pieces.items())), 280)
    one.run(280)
    other.run(280)
    assert learned(one) == learned(other)


@given(tables)
def test_arrays_that_must_grow(pieces):
    loop = loop_over(pieces, 290)
    # No room to spare: whatever the layout, the loop must ask for more and go on alike.
    pool = loop.text.pool[: max(int(loop.state[merging.POOL_USED]), 1)]
    loop.text = loop.text._replace(pool=pool)
    rows = merging_rows(int(loop.state[merging.N_PAIRS]))
    loop.pairs = loop.pairs._replace(rows=loop.pairs.rows[:rows])
    heap, links = loop.queue.heap[:rows], loop.queue.links[:rows]
    loop.queue = loop.queue._replace(heap=heap, links=links)
    loop._rehash()
    loop.run(290)
    assert learned(loop) == educational.train_bpe(pieces, 290)


@given(tables, st.integers(1, 30), st.sampled_from([1, 2, 5]))
@example({b"abcab" * 3: 7, b"bcd": 5, b"ccccc": 2}, 4, 1)
def test_places_that_do_not_all_fit(pieces, room, floor):
    loop = loop_over(pieces, 290, 0, floor)
    n_pairs, n_places = (int(loop.state[i]) for i in (merging.N_PAIRS, merging.POOL_USED))
    loop.text = loop.text._replace(pool=loop.text.pool[:room])
    loop._place(1.0)
    with_run = (loop.pairs.rows[:n_pairs, merging.START] >= 0).sum()
    assert with_run >= min(n_pairs, 1)
    assert with_run < max(n_pairs, 2) or room >= n_places
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_loop, "_FEW", 0)  # the pool is made anew instead of enlarged
        loop.run(290)
    assert learned(loop) == educational.train_bpe(pieces, 290, 0, floor)


def test_the_places_are_those_of_the_text_as_it_is_cut():
    loop = loop_over({b"abab" * 3: 2, b"ababa": 1, b"bab": 4}, 290)
    loop.run(258)
    loop._place(1.0)
    segmented = [educational.encode(p, learned(loop)) for p in (b"abab" * 3, b"ababa", b"bab")]
    places = dict.fromkeys([pair for ids in segmented for pair in itertools.pairwise(ids)], 0)
    for pair in (pair for ids in segmented for pair in itertools.pairwise(ids)):
        places[pair] += 1
    rows = loop.pairs.rows[: loop.state[merging.N_PAIRS]]
    kept = rows[rows[:, merging.START] >= 0]
    found = {(int(k >> 32), int(k & 0xFFFFFFFF)): int(n) for k, _, _, n in kept}
    assert found == places


def test_many_ids_take_wider_cells():
    chance = random.Random(3)
    pieces = {bytes(chance.choices(b"abcdefgh", k=40)): chance.randint(1, 3) for _ in range(2000)}
    narrow, widened = loop_over(pieces, 2000), loop_over(pieces, 2000)
    narrow.run(2000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_loop, "_NARROW", 300)
        widened.run(300)
        assert widened.text.cells.dtype == np.uint16
        widened.run(2000)
    assert (narrow.text.cells.dtype, widened.text.cells.dtype) == (np.uint16, np.uint32)
    assert learned(narrow) == learned(widened)
    assert len(learned(widened)) == 1744


@pytest.mark.parametrize(("specials", "dtype"), [(65_278, np.uint16), (65_279, np.uint32)])
def test_the_largest_id_fits_into_its_cell(specials, dtype):
    pieces = {bytes([255, 254, 255, 254, 0]): 2, b"aaaa": 1}
    loop = loop_over(pieces, specials + 260, specials)
    assert loop.text.cells.dtype == dtype
    loop.run(specials + 260)
    assert loop.text.cells.dtype == np.uint32
    assert learned(loop) == educational.train_bpe(pieces, specials + 260, specials)


def merging_rows(n):
    return 1 << max(n, 1).bit_length()


def test_nothing_to_merge():
    for pieces in ({}, {b"a": 5}, {b"a": 1, b"b": 2}):
        loop = loop_over(pieces, 300)
        assert not loop.run(300)
        assert learned(loop) == []


def test_counts_above_32_bits_do_not_wrap():
    pieces = {b"ab": 2**40, b"cd": 2**40 + 1, b"ef": 2**32, b"gh": 1}
    loop = loop_over(pieces, 260)
    loop.run(260)
    assert [row[3] for row in learned(loop)] == [2**40 + 1, 2**40, 2**32, 1]


def test_progress_adds_up():
    steps = []
    loop = loop_over({b"abcdefgh" * 3: 4}, 275)
    assert not loop.run(270, steps.append)
    assert sum(steps) == loop.n_tokens - 256 == 9


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 64, 127])
def test_a_run_of_one_letter(n):
    loop = loop_over({b"a" * n: 1}, 300)
    loop.run(300)
    assert learned(loop) == educational.train_bpe({b"a" * n: 1}, 300)
