import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toktk.kernels.lines import split_lines

# Bytes next to line ends in value or in one bit are what a word-wise search could mistake.
bytes_near_line_ends = st.lists(st.sampled_from(b"\n\r\x0b\x09\x0c\x0e\x8a\x8b\x8d\x00\xffab")).map(
    bytes
)


@settings(max_examples=300, deadline=None)
@given(bytes_near_line_ends, st.booleans(), st.booleans(), st.booleans())
@example(b"\n" * 40, False, False, False)
@example(b"\r" * 40, True, True, True)
@example(b"a" * 40, True, True, True)
def test_equal_to_a_regex(data, keep_feeds, join_crlf, end_at_cr):
    text, offsets = split_lines(np.frombuffer(data, np.uint8), keep_feeds, join_crlf, end_at_cr)
    if join_crlf:
        data = re.sub(rb"\r\n?" if end_at_cr else rb"\r\n", b"\n", data)
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    if not keep_feeds:
        lines = [line.removesuffix(b"\n") for line in lines]
    assert [text[a:b].tobytes() for a, b in pairwise(offsets.tolist())] == lines
    assert text.tobytes() == b"".join(lines)
    assert offsets.dtype == np.int64


def test_wrong_arrays_are_refused():
    with pytest.raises(TypeError, match="int64"):
        split_lines(np.zeros(3, np.int64))
    with pytest.raises(TypeError, match="contiguous"):
        split_lines(np.zeros(8, np.uint8)[::2])
