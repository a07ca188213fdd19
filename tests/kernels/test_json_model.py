"""Strict JSON of a vocabulary and its merges: read as Python reads it, or left to Python."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.kernels.json_model import MERGES, VOCAB, find_model, read_merges, read_vocabulary

NAMES = st.text(st.sampled_from('ab"\\/\n\t\0\b\f\r\x7féĠ▁東🙂{}[]:,'), max_size=6)
PARTS = NAMES.filter(lambda name: not name.startswith("#version"))
STYLES = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 2]), "ensure_ascii": st.booleans()}
)


def array(raw):
    return np.frombuffer(raw, np.uint8)


def found(raw):
    places = np.full(4, -1, dtype=np.int64)
    return places if find_model(array(raw), places) else None


def vocabulary(raw, at=0):
    """Return the entries, and what each was read from; None where it is left to Python."""
    out = np.empty(len(raw), np.uint8)
    offsets, ids = np.empty(len(raw) + 1, np.int64), np.empty(len(raw), np.int64)
    spans = np.empty((len(raw), 2), np.int64)
    n = read_vocabulary(array(raw), at, out, offsets, ids, spans)
    if n < 0:
        return None
    names = [out[offsets[i] : offsets[i + 1]].tobytes().decode() for i in range(n)]
    return list(zip(names, ids[:n].tolist(), strict=True)), [raw[a:b] for a, b in spans[:n]]


def merges(raw, at=0):
    out = np.empty(len(raw), np.uint8)
    offsets, spans = np.empty(2 * len(raw) + 1, np.int64), np.empty((len(raw), 2), np.int64)
    n = read_merges(array(raw), at, out, offsets, spans)
    if n < 0:
        return None
    parts = [out[offsets[i] : offsets[i + 1]].tobytes().decode() for i in range(2 * n)]
    return [list(pair) for pair in zip(parts[::2], parts[1::2], strict=True)], [
        raw[a:b] for a, b in spans[:n]
    ]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, st.integers(0, 10**9 - 1), min_size=1, max_size=5), STYLES)
def test_a_vocabulary_is_read_as_python_reads_it(entries, style):
    raw = json.dumps(entries, **style).encode()
    read, spans = vocabulary(raw)
    assert dict(read) == entries
    assert [json.loads(b"{" + span + b"}") for span in spans] == [{k: v} for k, v in read]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(PARTS, min_size=2, max_size=2), max_size=5), st.booleans(), STYLES)
def test_merges_are_read_as_python_reads_them(pairs, as_lines, style):
    listed = [" ".join(pair) for pair in pairs] if as_lines else pairs
    raw = json.dumps(listed, **style).encode()
    read, spans = merges(raw)
    assert read == pairs
    assert [json.loads(span) for span in spans] == listed


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_what_python_refuses_or_reads_otherwise_is_left_to_it(data):
    """One byte is replaced, removed or put in: the kernels read on as Python does, or not at all."""
    is_vocabulary = data.draw(st.booleans())
    value = {"a\n": 1, "é\U0001f642": 20} if is_vocabulary else [["a", "\u00e9"], ["b", "\\"]]
    raw = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.sampled_from(list(b'"\\{}[],: 09-.ueaDd\n\0')))
    raw[at : at + data.draw(st.integers(0, 1))] = bytes([byte] * data.draw(st.integers(0, 1)))
    raw = bytes(raw)
    first = b"{" if is_vocabulary else b"["
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # is looked for before
        return
    if not raw.startswith(first):
        return
    read = (vocabulary if is_vocabulary else merges)(raw)
    if read is None:
        return
    decoder = json.JSONDecoder()
    expected, _ = decoder.raw_decode(text)
    assert (dict(read[0]) if is_vocabulary else read[0]) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"{}", b'{"a":1,}', b'{"a":01}', b'{"a":-1}', b'{"a":1.5}', b'{"a":1e3}', b'{"a":1234567890}',
        b'{"a":"1"}', b'{"a" 1}', b'{"a":1 "b":2}', b'{"a":1', b'{"a', b"{", b'{"\\ud800":1}',
        b'{"\\udc00":1}', b'{"\\ud800\\u0041":1}', b'{"\\u00g0":1}', b'{"\\u00":1}', b'{"\\x":1}',
        b'{"a\nb":1}', b"{'a':1}",
    ],
)  # fmt: skip
def test_a_vocabulary_that_is_left_to_python(raw):
    assert vocabulary(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"[", b'["a b"', b'["a b",]', b'["a b" "c d"]', b'["ab"]', b'["a b c"]', b'["a  b"]',
        b'["#version: 0.2","a b"]', b'["a b",["a","b"]]', b'[["a","b"],"a b"]', b'[["a"]]',
        b'[["a","b","c"]]', b"[[]]", b"[1]", b'[["a",1]]', b'[["a","\\ud800"]]',
    ],
)  # fmt: skip
def test_merges_that_are_left_to_python(raw):
    assert merges(raw) is None


def test_no_merges():
    assert merges(b"[ ]") == ([], [])


@pytest.mark.parametrize("space", ["", " ", "\r\n\t"])
def test_lists_are_found_in_the_model_alone(space):
    inner = {"vocab": {"model": 1, '"': 2}, "merges": [["vocab", "{"]], "more": {"vocab": {}}}
    other = {"vocab": {}, "model": {"merges": []}}
    raw = json.dumps(
        {"normalizer": other, "model": inner, "more": [{"model": other}]},
        separators=(f"{space},{space}", f"{space}:{space}"),
    ).encode()
    places = found(raw)
    assert json.loads(raw[places[VOCAB] : places[VOCAB + 1]]) == inner["vocab"]
    assert json.loads(raw[places[MERGES] : places[MERGES + 1]]) == inner["merges"]


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b'{"model":{"vocab":{}}}', b'"',
        b'{"model":{"vocab":[],"merges":[]}}', b'{"model":{"vocab":{},"vocab":{},"merges":[]}}',
        b'{"model":[{"vocab":{},"merges":[]}]}', b'[{"model":{"vocab":{},"merges":[]}',
    ],
)  # fmt: skip
def test_where_lists_are_not_found(raw):
    places = found(raw)
    assert places is None or min(places.tolist()) < 0
