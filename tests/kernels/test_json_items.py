import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.kernels.json_items import AFTER, BEFORE, INSIDE, items_to_lines

texts = st.text(st.sampled_from('ab,[]{}"\\\n\té東'))
items = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def array(text):
    return np.frombuffer(text.encode(), np.uint8)


def lines_of(text, place=BEFORE):
    lines, end, place, wrong = items_to_lines(array(text), place)
    return lines.tobytes().decode(errors="replace"), end, place, wrong


@settings(max_examples=200, deadline=None)
@given(st.lists(items, min_size=1), st.sampled_from([None, 0, 2]), st.booleans())
def test_each_item_is_a_line(values, indent, ascii_only):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only) + "\n"
    lines, end, place, wrong = lines_of(text)
    assert [json.loads(line) for line in lines.split("\n")] == values
    assert (end, place, wrong) == (len(text.encode()), AFTER, -1)


@settings(max_examples=100, deadline=None)
@given(st.lists(items, min_size=2), st.integers(0, 200))
def test_a_block_ends_after_its_last_whole_item(values, cut):
    raw = json.dumps(values, ensure_ascii=False).encode()
    lines, end, place, wrong = items_to_lines(np.frombuffer(raw[:cut], np.uint8), BEFORE)
    assert wrong == -1
    further = items_to_lines(np.frombuffer(raw[end:], np.uint8), INSIDE if end else BEFORE)
    if place != AFTER:
        whole = lines[:end].tobytes() + further[0].tobytes()
        assert [json.loads(line) for line in whole.split(b"\n")] == values


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("x[1]", 0), ("[1] [2]", 4), ("[1}", 2), ("[1]]", 3), ('{"a": 1}', 0), ("[1,,2]", 3), ("[,1]", 1),
        ("[1, ]", 4), ('["a", "",\n,"b"]', 10),
    ],
)  # fmt: skip
def test_what_is_no_array(text, wrong):
    assert lines_of(text)[3] == wrong


@pytest.mark.parametrize("text", ["[]", " [ \n] ", '[""]', "[[], {}]"])
def test_what_is_an_array(text):
    assert lines_of(text)[2:] == (AFTER, -1)
    assert lines_of(",1]", INSIDE)[3] == lines_of("]", INSIDE)[3] == 0


def test_an_array_that_goes_on():
    assert lines_of('[{"a": 1},\n {"a"') == (' {"a": 1}\n  {"a"', 10, INSIDE, -1)
    assert lines_of('["]') == (' "]', 0, INSIDE, -1)
    assert lines_of(" \n", AFTER) == ("  ", 2, AFTER, -1)
