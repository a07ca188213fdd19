from itertools import pairwise

import numpy as np
import reference
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.normalize import (
    find_doubtful,
    find_strings,
    holds_mark,
    prefix_spaces,
    replace_marks,
)
from toktk.kernels.unigram_encode import fill_trie

texts = st.text("ab▁■€ \n", max_size=20) | st.text(st.characters(codec="utf-8"), max_size=8)
documents = st.lists(texts, max_size=4)


def batch(texts):
    """Return the texts as a part of a larger buffer."""
    raw = [text.encode() for text in ("▁", *texts, "▁")]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    return np.frombuffer(b"".join(raw), np.uint8), offsets[1:-1]


def strings(data, offsets):
    return [bytes(data[a:b]).decode() for a, b in pairwise(offsets)]


@given(documents, st.sets(st.text("ab▁", min_size=1, max_size=4), min_size=1, max_size=6))
def test_find_strings(texts, added):
    raw = [string.encode() for string in sorted(added)]
    ends = np.cumsum([0, *map(len, raw)])
    table, token_at = np.full(512, -1), np.full(int(ends[-1]) + 1, -1)
    fill_trie(np.frombuffer(b"".join(raw), np.uint8), ends, np.arange(len(raw)), table, token_at)
    begins = np.zeros(256, np.uint8)
    begins[[string[0] for string in raw]] = 1
    data, offsets = batch(texts)
    expected = [
        part.encode()
        for text in texts
        for part, is_added in reference.split_added(text, added)
        if is_added
    ]
    for room in (0, 1, len(expected)):
        spots = np.full(2 * room, -1)
        assert find_strings(data, offsets, table, begins, spots) == len(expected)
        pairs = spots[: 2 * len(expected)].reshape(-1, 2).tolist()
        assert [bytes(data[a:b]) for a, b in pairs] == expected[:room]


@given(documents)
def test_marks(texts):
    data, offsets = batch(texts)
    assert holds_mark(data, offsets[0], offsets[-1]) == ("▁" in "".join(texts))
    changed, new = np.empty(offsets[-1] - offsets[0], np.uint8), np.empty_like(offsets)
    replace_marks(data, offsets, changed, new)
    assert strings(changed, new) == [text.replace("▁", " ") for text in texts]


@given(st.lists(st.tuples(texts, st.booleans()), max_size=4))
def test_prefix(entries):
    data, offsets = batch([text for text, _ in entries])
    gains = np.array([gain for _, gain in entries], np.uint8)
    changed = np.empty(offsets[-1] - offsets[0] + int(gains.sum()), np.uint8)
    new = np.empty_like(offsets)
    prefix_spaces(data, offsets, gains, changed, new)
    assert strings(changed, new) == [" " * gain + text for text, gain in entries]


def doubtful_parts(text, values):
    """Return the parts of a text from one stable character to the next that are not surely in order."""
    parts = [""]
    for character in text:
        if values.get(character, 0) == 0:
            parts.append("")
        parts[-1] += character
    found = []
    for part in parts:
        known = [values.get(character, 0) for character in part]
        known = known[1:] if known and known[0] == 0 else known
        if 255 in known or known != sorted(known):
            found.append(part)
    return found


@given(st.lists(st.text("ab€é\u0301\u0323\u0345가😀", max_size=12), max_size=4))
def test_find_doubtful(texts):
    values = {"é": 255, "\u0301": 230, "\u0323": 220, "\u0345": 240, "가": 9}
    table = np.zeros(0xAC01, np.uint8)
    table[[ord(character) for character in values]] = list(values.values())
    data, offsets = batch(texts)
    expected = [part.encode() for text in texts for part in doubtful_parts(text, values)]
    for room in (0, 1, len(expected)):
        spots = np.full(2 * room, -1)
        assert find_doubtful(data, offsets, table, spots) == len(expected)
        pairs = spots[: 2 * len(expected)].reshape(-1, 2).tolist()
        assert [bytes(data[a:b]) for a, b in pairs] == expected[:room]
