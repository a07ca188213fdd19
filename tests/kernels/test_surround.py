import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import offsets_of
from toktk.kernels.surround import surround

ids = st.lists(st.integers(0, 2**16 - 1), max_size=5)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@given(st.lists(ids, max_size=6), ids, ids)
def test_every_document_is_surrounded(dtype, documents, before, after):
    flat = np.array([i for document in documents for i in document], dtype=np.uint32)
    around = [np.array(each, dtype=np.uint32) for each in (before, after)]
    expected = [i for document in documents for i in (*before, *document, *after)]
    out = np.full(len(expected) + 2, 7, dtype=dtype)
    surround(flat, offsets_of([len(each) for each in documents]), *around, out[: len(expected)])
    assert out.tolist() == [*expected, 7, 7]
