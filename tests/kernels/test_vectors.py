import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.vectors import (
    TAG_SHIFT,
    least_of_16,
    plain_least_of_16,
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
