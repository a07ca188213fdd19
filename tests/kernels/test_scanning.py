import itertools
from functools import cache

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels.scanning import cut_document, cut_rest, cut_segment, match_end, piece_end
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

# Named ones; with gaps; with runs given up late, where the transducer must go back.
CHOSEN = [
    *(PATTERNS[name] for name in ("gpt2", "cl100k", "o200k", "metaspace", "none")),
    r"\p{L}+",
    r"a+b|[^a\n]",
    r"a*b|a|\s",
    r"(?:ab)+|\s+(?!\S)",
]
texts = st.one_of(
    st.text("ab \n"),
    st.text("aB1 '\r\n.\u3000é東😀\0sd\u0301"),
    st.text(st.characters(codec="utf-8")),
)
patterns = st.sampled_from(CHOSEN)


@cache
def tables(pattern):
    made = Pretokenizer("tested", pattern).transducer
    assert made is not None
    return made.tables


def array(text):
    return np.frombuffer(text if isinstance(text, bytes) else text.encode(), np.uint8)


def pieces(data, ends):
    return [bytes(data[a:b]).decode() for a, b in itertools.pairwise([0, *ends])]


def by_automaton(data, pattern):
    ends = [0]
    while ends[-1] < data.size:
        ends.append(int(piece_end(data, ends[-1], data.size, tables(pattern))))
    return ends[1:]


def by_segments(data, pattern, begin, stop, step, room=0):
    """Cut with ends that have exactly the room that the kernels ask for."""
    resume, found = np.array([begin, 0, 0, begin]), []
    while resume[0] < stop:
        until = min(int(resume[0]) + step, stop)
        ends = np.full(until - int(resume[0]) + 2, -1)
        n = cut_segment(data, resume, until, stop, tables(pattern), ends)
        found += ends[:n].tolist()
        assert resume[3] == (found[-1] if found else begin)
    while resume[3] < stop:
        ends = np.empty(2 + room, np.int64)
        n = cut_rest(data, resume, stop, tables(pattern), ends)
        assert n <= ends.size
        found += ends[:n].tolist()
    return found


@given(texts, patterns)
@example("", "a+b|[^a\n]")
@example("aaaaaaaaaaaaaaaaaaaaaaaa", "a+b|[^a\n]")
@example("ab" * 20 + "a", r"(?:ab)+|\s+(?!\S)")
def test_whole_document_equals_regex(text, pattern):
    data = array(text)
    ends, resume = np.full(data.size + 2, -1), np.empty(4, np.int64)
    n = cut_document(data, 0, data.size, tables(pattern), resume, ends)
    assert pieces(data, ends[:n].tolist()) == reference.cut(pattern, text)


@given(texts, patterns)
def test_plain_automaton_equals_regex(text, pattern):
    data = array(text)
    assert pieces(data, by_automaton(data, pattern)) == reference.cut(pattern, text)


@given(texts, patterns, st.integers(0, 8))
def test_match_end_equals_regex(text, pattern, at):
    at = min(at, len(text))
    before, data = len(text[:at].encode()), array(text)
    found = reference.regex.compile(pattern, reference.regex.V0).match(text, at)
    end = match_end(data, before, data.size, tables(pattern))
    if found is None or found.end() == at:
        assert end == -1
    else:
        assert end == before + len(found.group().encode())


@given(st.lists(texts, min_size=3, max_size=3), patterns, st.integers(1, 9), st.integers(0, 3))
def test_segments_of_any_size_anywhere_in_a_buffer(parts, pattern, step, room):
    before, text, after = (part.encode() for part in parts)
    data = array(before + text + after)
    ends = by_segments(data, pattern, len(before), len(before + text), step, room)
    found = pieces(array(text), [end - len(before) for end in ends])
    assert found == reference.cut(pattern, parts[1])


@pytest.mark.parametrize("pattern", CHOSEN)
def test_every_short_text(pattern):
    for text in map("".join, itertools.product("a b\n", repeat=4)):
        data = array(text)
        assert pieces(data, by_segments(data, pattern, 0, data.size, 2)) == reference.cut(
            pattern, text
        )


@given(st.binary(max_size=30), patterns, st.integers(1, 9))
def test_invalid_bytes_stay_within_the_buffer(raw, pattern, step):
    # Where they are cut is undefined, but the kernels come to an end and write nowhere else.
    ends = by_segments(array(raw), pattern, 0, len(raw), step)
    assert all(0 <= end <= len(raw) for end in ends)


@pytest.mark.parametrize("letter", ["a", " ", "\n", "é", "東", "\0"])
def test_runs_that_cross_segments(letter):
    for pattern in CHOSEN:
        for text in (letter * 60, letter * 60 + "x", "x" + letter * 41 + "\n "):
            data = array(text)
            assert pieces(data, by_segments(data, pattern, 0, data.size, 16)) == reference.cut(
                pattern, text
            )
