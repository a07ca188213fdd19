"""Arrays that grow on the disk are NumPy's own files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.shards.npy import NpyFile


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.int64, ">u2"])
@given(parts=st.lists(st.lists(st.integers(0, 2**16 - 1), max_size=4), max_size=4))
def test_numpy_reads_what_was_appended(tmp_path_factory, dtype, parts):
    path = tmp_path_factory.mktemp("npy") / "array.npy"
    file = NpyFile(path, dtype)
    for part in parts:
        file.append(np.array(part, dtype=dtype))
    file.finish()
    flat = [number for part in parts for number in part]
    assert file.size == len(flat)
    array = np.load(path)
    assert array.dtype == np.dtype(dtype).newbyteorder("<")
    assert array.tolist() == flat
    assert (path.stat().st_size - array.nbytes) % 64 == 0
    if flat:  # NumPy maps no empty array
        assert np.load(path, mmap_mode="r").tolist() == flat


def test_the_header_has_room_for_any_length(tmp_path):
    from toktk.shards.npy import _header

    longest, shortest = _header(np.dtype("<u4"), 2**63), _header(np.dtype("<u2"), 0)
    assert len(longest) == len(shortest) == 128
    assert longest.endswith(b"\n")
