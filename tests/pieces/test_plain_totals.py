"""Plain totals: documents in parts are what they are whole."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from toktk.pieces import plain_totals
from toktk.pieces.plain_totals import PlainTotals

texts = st.lists(
    st.text(st.sampled_from("ab \n\r\t\x1cé東😀\u3000\u2028\u205f\xa0\x85\0"), max_size=40),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module", params=[4, 5, 7, 16, 1 << 24])
def part(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_totals, "BATCH_BYTES", request.param)
        yield


@given(texts, st.integers(0, 9))
def test_totals_of_documents_of_any_length(part, texts, shift):
    raw = [text.encode() for text in texts]
    data = np.frombuffer(b"\xe9" * shift + b"".join(raw) + b"\x80\n", np.uint8)
    offsets = shift + np.cumsum([0, *map(len, raw)])
    groups = np.array([i % 2 for i in range(len(raw))], np.int32)
    weights = np.array([1 + i for i in range(len(raw))], np.int64)
    totals = np.zeros((2, 7), np.int64)
    PlainTotals().add(data, offsets, groups, weights, totals)
    expected = np.zeros((2, 7), np.int64)
    for i, text in enumerate(texts):
        expected[i % 2] += (1 + i) * np.array(reference.totals(text))
    assert totals.tolist() == expected.tolist()
