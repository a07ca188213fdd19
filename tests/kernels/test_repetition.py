from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.repetition import CHARACTER, LINE, WORD, find_repetitive, hash_document_lines

LEAST, SHARE = 20, 0.6


def buffer(texts):
    parts = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(parts), np.uint8)
    return data, np.cumsum([0, *map(len, parts)], dtype=np.int64)


def units_of(text, unit):
    """Return the characters, words or lines of a text."""
    if unit == CHARACTER:
        return list(text)
    if unit == LINE:
        return [line for line in text.split("\n") if line]
    return "".join(" " if c <= " " else c for c in text).split(" ")


def slow_find(text):
    """Return which unit is repeated, 0 for none, and what."""
    if len(text.encode()) < LEAST:
        return 0, ""
    for unit in (CHARACTER, WORD, LINE):
        counts = Counter(filter(None, units_of(text, unit)))
        n_bytes = {what: n * len(what.encode()) for what, n in counts.items()}
        most = max(n_bytes, key=n_bytes.get, default="")
        if most and counts[most] >= 5 and n_bytes[most] > SHARE * sum(n_bytes.values()):
            return unit, most
    return 0, ""


def find(texts):
    data, offsets = buffer(texts)
    units, places = np.empty(len(texts), np.uint8), np.empty(len(texts), np.int64)
    find_repetitive(data, offsets, LEAST, SHARE, units, places)
    whole = data.tobytes()
    return [
        (int(u), p) if (p := whole[place:]) and u else (int(u), b"")
        for u, place in zip(units, places.tolist(), strict=True)
    ]


PARTS = ["a", "ab ", "line one\n", "東", " ", "\n", "x", "\0", "\t"]
of_parts = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)
repeated = st.builds(lambda a, n, b: a * n + b, st.text(max_size=4), st.integers(0, 20), st.text())
texts = st.lists(of_parts | repeated, max_size=4)


@given(texts)
def test_what_is_repeated_equals_the_slow_search(documents):
    for text, (unit, rest) in zip(documents, find(documents), strict=True):
        expected, what = slow_find(text)
        assert unit == expected, text
        assert rest.startswith(what.encode())


def test_nasty_texts(nasty_texts):
    assert [unit for unit, _ in find(nasty_texts)] == [slow_find(text)[0] for text in nasty_texts]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("=" * 100, CHARACTER),
        ("哈" * 40 + "！" * 9, CHARACTER),
        ("buy now " * 2 + "now " * 40, WORD),
        ("all rights reserved today\n" * 9 + "one line", LINE),
        ("an ordinary sentence about nothing much", 0),
        ("東京都は日本の首都です。カタカナ、我爱北京天安门，一個很長的句子", 0),
        ("one very long line\n" * 4, 0),
    ],
)
def test_kinds_of_repetition(text, unit):
    assert find([text])[0][0] == unit


def lines_of(texts, least=4):
    data, offsets = buffer(texts)
    room = data.size // least + 1
    hashes = np.empty(room, np.uint64)
    begins, lengths, documents = np.empty((3, room), np.int64)
    n = hash_document_lines(data, offsets, least, hashes, begins, lengths, documents)
    whole = data.tobytes()
    found = [
        whole[b : b + n] for b, n in zip(begins[:n].tolist(), lengths[:n].tolist(), strict=True)
    ]
    return [*zip(documents[:n].tolist(), found, strict=True)], hashes[:n].tolist()


def slow_lines(texts, least=4):
    found = []
    for d, text in enumerate(texts):
        raw = text.encode()
        lines = raw.split(b"\n")
        if len(lines) == 1 or (len(lines) == 2 and not lines[1]):
            continue
        blank = bytes(range(33))
        found += [(d, bare) for line in lines if len(bare := line.strip(blank)) >= least]
    return found


@given(st.lists(st.text("ab \n\r\t東é", max_size=40), max_size=5))
def test_lines_equal_the_slow_ones(documents):
    found, hashes = lines_of(documents)
    assert found == slow_lines(documents)
    by_hash = dict(zip(hashes, (line for _, line in found), strict=True))
    assert len(by_hash) == len({line for _, line in found})


def test_a_document_of_one_line_has_none():
    assert lines_of(["one line alone", "one line alone\n", "first\nsecond"])[0] == [
        (2, b"first"),
        (2, b"second"),
    ]


@given(st.binary(max_size=40))
def test_invalid_bytes_are_read_within_the_document(raw):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    find_repetitive(data, offsets, 1, SHARE, np.empty(1, np.uint8), np.empty(1, np.int64))
