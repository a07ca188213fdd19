import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.vectors import (
    TAG_SHIFT,
    bit_count,
    continuing_of_64,
    first_bit,
    least_of_16,
    negative_of_64,
    nonzero_of_8_by_8,
    places_of_8,
    plain_bit_count,
    plain_continuing_of_64,
    plain_first_bit,
    plain_least_of_16,
    plain_negative_of_64,
    plain_nonzero_of_8_by_8,
    plain_places_of_8,
    plain_tag_of_8,
    tag_of_8,
)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=16, max_size=24))
def test_the_least_of_sixteen(numbers):
    keys = np.array(numbers, np.uint32)
    for i in range(keys.size - 15):
        least = int(least_of_16(keys, np.uint64(i)))
        assert least == int(plain_least_of_16(keys, np.uint64(i))) == min(numbers[i : i + 16])


@given(st.lists(st.integers(0, 3) | st.just(2**42 - 1), min_size=8, max_size=12))
def test_the_first_of_eight_with_a_tag(tags):
    slots = np.array(
        [tag << TAG_SHIFT | 2**TAG_SHIFT - 1 - k for k, tag in enumerate(tags)], np.uint64
    )
    for i in range(slots.size - 7):
        for tag in {*tags, 4}:
            place = int(tag_of_8(slots, np.uint64(i), np.uint64(tag)))
            assert place == int(plain_tag_of_8(slots, np.uint64(i), np.uint64(tag)))
            here = tags[i : i + 8]
            assert place == (here.index(tag) if tag in here else 8)


sixty_four = st.binary(min_size=64, max_size=64) | st.binary(min_size=4, max_size=4).map(
    lambda four: four * 16
)


@given(sixty_four, st.integers(0, 3))
def test_bits_of_sixty_four_bytes(chosen, i):
    data = np.frombuffer(bytes(i) + chosen, np.uint8)

    def ask(one, plain):
        assert int(one(data, np.uint64(i))) == int(plain(data, np.uint64(i)))
        return [bool(int(one(data, np.uint64(i))) >> k & 1) for k in range(64)]

    assert ask(negative_of_64, plain_negative_of_64) == [byte >= 128 for byte in chosen]
    within = [128 <= byte < 192 for byte in chosen]
    assert ask(continuing_of_64, plain_continuing_of_64) == within
    by_column = [chosen[row * 8 + column] != 0 for column in range(8) for row in range(8)]
    assert ask(nonzero_of_8_by_8, plain_nonzero_of_8_by_8) == by_column


@given(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1]))
def test_the_first_bit_and_how_many(bits):
    first = (bits & -bits).bit_length() - 1 if bits else 64
    assert int(first_bit(np.uint64(bits))) == int(plain_first_bit(np.uint64(bits))) == first
    count = bits.bit_count()
    assert int(bit_count(np.uint64(bits))) == int(plain_bit_count(np.uint64(bits))) == count


@given(st.integers(0, 255), st.integers(0, 2**32 - 9), st.integers(0, 4))
def test_places_of_the_bits_of_a_byte(byte, base, k):
    places = [base + bit for bit in range(8) if byte >> bit & 1]
    for write in (places_of_8, plain_places_of_8):
        written = np.full(13, 7, np.uint32)
        write(np.uint64(byte), np.uint64(base), written, np.uint64(k))
        assert written[k : k + len(places)].tolist() == places
        assert written[:k].tolist() == [7] * k
        assert written[k + 8 :].tolist() == [7] * (5 - k)
