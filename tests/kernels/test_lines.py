from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toktk.kernels.lines import split_lines

# Bytes next to the line feed in value or in one bit are what a word-wise search could mistake.
bytes_near_lf = st.lists(st.sampled_from(b"\n\x0b\x09\x8a\x8b\x00\xffab\r")).map(bytes)


@settings(max_examples=300, deadline=None)
@given(bytes_near_lf)
@example(b"\n" * 40)
@example(b"a" * 40)
def test_equal_to_bytes_split(data):
    text, offsets = split_lines(np.frombuffer(data, np.uint8))
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    ends = offsets.tolist()
    assert [text[a:b].tobytes() for a, b in pairwise(ends)] == lines
    assert text.tobytes() == data.replace(b"\n", b"")
    assert offsets.dtype == np.int64


def test_wrong_arrays_are_refused():
    with pytest.raises(TypeError, match="int64"):
        split_lines(np.zeros(3, np.int64))
    with pytest.raises(TypeError, match="contiguous"):
        split_lines(np.zeros(8, np.uint8)[::2])
