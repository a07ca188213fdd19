from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import large_zeros, offsets_of, packed, read_only


@given(st.lists(st.binary(max_size=5)))
def test_packed_items_come_out_again(items):
    data, offsets = packed(items)
    assert (data.dtype, offsets.dtype) == (np.uint8, np.int64)
    assert offsets.tolist() == offsets_of([len(item) for item in items]).tolist()
    assert offsets[-1] == data.size
    assert [bytes(data[a:b]) for a, b in pairwise(offsets)] == items


def test_read_only_is_a_view_that_cannot_be_written():
    array = np.arange(3)
    view = read_only(array, np.int64)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    array[0] = 7
    assert view.tolist() == [7, 1, 2]
    assert read_only(array[::2], np.uint8).flags.c_contiguous


@pytest.mark.parametrize("n", [0, 1, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 3 << 18])
@pytest.mark.parametrize("has_large_pages", [True, False])
def test_large_zeros_are_as_many_and_can_be_written(n, has_large_pages, monkeypatch):
    if not has_large_pages:
        monkeypatch.delattr("mmap.MADV_HUGEPAGE", raising=False)
    words, others = large_zeros(n), large_zeros(n)
    assert (words.dtype, words.shape, words.flags.c_contiguous) == (np.uint64, (n,), True)
    assert not words.any()
    words[:] = 2**64 - 1
    assert not others.any()
