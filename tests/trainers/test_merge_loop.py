"""The merge loop on many small tables; its parts are tested in tests/kernels/test_bpe_train.py."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk import educational
from toktk.trainers.merge_loop import MergeLoop, MergeTask, power_of_two

ALPHABETS = [b"a", b"ab", b"ab ", b"ab \n", b"abcdef", bytes(range(256))]


def learn(pieces, size, specials=0, floor=1, longest=2**31):
    task = MergeTask.of(
        np.frombuffer(b"".join(pieces), np.uint8),
        np.cumsum([0, *map(len, pieces)], dtype=np.int64),
        np.array(list(pieces.values()), np.int64),
        np.array(educational.byte_ids(specials)),
        size,
        floor,
        longest,
    )
    loop = MergeLoop(task)
    loop.run(size)
    return [tuple(row) for row in loop.learned.tolist()]


def random_pieces(chance):
    alphabet = chance.choice(ALPHABETS)
    most, longest = chance.choice([1, 3, 10, 5000, 2**40]), chance.choice([4, 10, 24])
    return {
        bytes(chance.choices(alphabet, k=chance.randint(1, longest))): chance.randint(1, most)
        for _ in range(chance.randint(1, chance.choice([3, 8, 30])))
    }


@pytest.mark.parametrize("seed", range(10))
def test_hundreds_of_random_tables_equal_the_reference(seed):
    chance = random.Random(seed)
    for _ in range(150):
        pieces = random_pieces(chance)
        floor, longest = chance.choice([1, 1, 2, 5]), chance.choice([2**31, 2**31, 2, 3, 4, 6])
        size, specials = chance.choice([260, 280, 400]), chance.choice([0, 0, 2])
        merges = learn(pieces, size, specials, floor, longest)
        expected = educational.train_bpe(pieces, size, specials, floor, longest)
        assert merges == expected, (pieces, size, specials, floor, longest)


@given(st.dictionaries(st.text("ab é😀", min_size=1, max_size=12), st.integers(1, 9), max_size=9))
def test_unicode_equals_the_reference(words):
    pieces = {word.encode(): count for word, count in words.items()}
    assert learn(pieces, 300) == educational.train_bpe(pieces, 300)


@given(
    st.dictionaries(
        st.lists(st.sampled_from(b"ab"), min_size=1, max_size=30).map(bytes),
        st.integers(1, 3),
        max_size=12,
    )
)
def test_no_string_is_spelled_twice(pieces):
    # Say a string ends up as two tokens at two places, with borders at both its ends. No merge ever
    # crossed these, so the inside was cut alike all along, and both become one token in one step.
    spelling = {i: bytes([b]) for b, i in enumerate(educational.byte_ids())}
    for left, right, new, _ in learn(pieces, 400):
        spelling[new] = spelling[left] + spelling[right]
    assert len(set(spelling.values())) == len(spelling)


@given(st.dictionaries(st.text("ab ", min_size=1, max_size=12), st.integers(1, 9), max_size=9))
def test_training_leaves_pieces_as_encoding_finds_them(words):
    pieces = {word.encode(): count for word, count in words.items()}
    merges = learn(pieces, 270)
    segmented = [(educational.encode(piece, merges), count) for piece, count in pieces.items()]
    left_over = educational.count_pairs(segmented)
    # What is counted next is what the encoder leaves: the two agree on every piece.
    more = learn(pieces, 271)
    if len(more) > len(merges):
        *pair, _, count = more[-1]
        assert left_over[tuple(pair)] == count == max(left_over.values())
    elif len(merges) < 14:
        assert not left_over


@pytest.mark.parametrize(
    ("n", "power"), [(0, 2), (1, 2), (2, 2), (3, 4), (4, 4), (5, 8), (1024, 1024), (1025, 2048)]
)
def test_power_of_two(n, power):
    assert power_of_two(n) == power
