import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.script_totals import add_scripts
from toktk.pieces.scripts import script_table

NAMES, TABLE = script_table()
texts = st.text("aé α б 東かカ한 हि\n\0😀\U0010ffff") | st.text()


def totals_of(rows):
    parts = [text.encode() for text, _, _ in rows]
    data = np.frombuffer(b"".join(parts), np.uint8)
    offsets = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    groups, weights = (np.array([row[k] for row in rows], np.int64) for k in (1, 2))
    totals, visible = np.zeros((2, len(NAMES), 2), np.int64), np.empty(len(rows), np.int64)
    add_scripts(data, offsets, groups, weights, TABLE, totals, visible)
    return totals, visible.tolist()


@given(st.lists(st.tuples(texts, st.integers(0, 1), st.integers(0, 5)), max_size=5))
def test_totals_equal_the_slow_count(rows):
    expected = np.zeros((2, len(NAMES), 2), np.int64)
    for text, group, weight in rows:
        for char in text:
            script = TABLE[ord(char)] if ord(char) < TABLE.size else 0
            expected[group, script] += np.array([len(char.encode()), 1]) * weight
    totals, visible = totals_of(rows)
    assert totals.tolist() == expected.tolist()
    assert visible == [sum(c > " " for c in text) for text, _, _ in rows]


@given(st.binary(max_size=30))
def test_invalid_bytes_are_read_within_the_document(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    totals, one = np.zeros((1, len(NAMES), 2), np.int64), np.ones(1, np.int64)
    add_scripts(data, offsets, np.zeros(1, np.int64), one, TABLE, totals, np.empty(1, np.int64))
    assert totals[0, :, 0].sum() == len(raw)
