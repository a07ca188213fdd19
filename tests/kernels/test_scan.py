import itertools
from functools import cache

import numba
import numpy as np
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toktk import educational
from toktk.kernels.automaton import match_end, piece_end, split_documents
from toktk.kernels.lanes import LANES
from toktk.kernels.scan import BLOCK, PART, PARTS, cut_batch, workspace
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

SLOW = bool(numba.config.DISABLE_JIT)
WORK = workspace()
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
    made = Pretokenizer("tested", pattern).compile()
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


def cut(documents, pattern, before=b"", after=b""):
    """Return the pieces of each document, cut as one batch."""
    raw = [d if isinstance(d, bytes) else d.encode() for d in documents]
    data = array(before + b"".join(raw) + after)
    offsets = np.cumsum([len(before), *map(len, raw)])
    ends, firsts = np.full(int(offsets[-1] - offsets[0]), -1), np.full(offsets.size, -1)
    n = cut_batch(data, offsets, tables(pattern), WORK, ends, firsts)
    assert firsts[-1] == n
    found = [ends[a:b].tolist() for a, b in itertools.pairwise(firsts)]
    for (begin, stop), own in zip(itertools.pairwise(offsets.tolist()), found, strict=True):
        assert own == sorted({end for end in own if begin < end <= stop})
        assert own[-1:] == [stop] * (begin < stop)
    starts = [[a, *own] for a, own in zip(offsets.tolist(), found, strict=False)]
    return [[bytes(data[a:b]) for a, b in itertools.pairwise(own)] for own in starts]


def expected(documents, pattern):
    return [[piece.encode() for piece in educational.cut(pattern, text)] for text in documents]


@given(texts, patterns)
@example("", "a+b|[^a\n]")
@example("aaaaaaaaaaaaaaaaaaaaaaaa", "a+b|[^a\n]")
@example("ab" * 20 + "a", r"(?:ab)+|\s+(?!\S)")
def test_one_document_equals_regex(text, pattern):
    assert cut([text], pattern) == expected([text], pattern)


@given(st.lists(texts, max_size=9), patterns, st.binary(max_size=9), st.binary(max_size=9))
def test_documents_anywhere_in_a_buffer_equal_regex(documents, pattern, before, after):
    assert cut(documents, pattern, before, after) == expected(documents, pattern)


@given(texts, patterns)
def test_plain_automaton_equals_regex(text, pattern):
    data = array(text)
    assert pieces(data, by_automaton(data, pattern)) == educational.cut(pattern, text)


@given(texts, patterns, st.integers(0, 8))
def test_match_end_equals_regex(text, pattern, at):
    at = min(at, len(text))
    before, data = len(text[:at].encode()), array(text)
    found = regex.compile(pattern, regex.V0).match(text, at)
    end = match_end(data, before, data.size, tables(pattern))
    if found is None or found.end() == at:
        assert end == -1
    else:
        assert end == before + len(found.group().encode())


@pytest.mark.parametrize("pattern", CHOSEN)
def test_every_short_text(pattern):
    documents = ["".join(t) for n in range(5) for t in itertools.product("a b\n", repeat=n)]
    documents += ["".join(t) for t in itertools.product("éa東 ", repeat=3)]
    assert cut(documents, pattern) == expected(documents, pattern)


@pytest.mark.parametrize("pattern", CHOSEN)
def test_more_documents_than_a_block_has_parts(pattern):
    documents = [("a b", "", "\n\u3000x")[i % 3] for i in range(PARTS + 90)]
    assert cut(documents, pattern) == expected(documents, pattern)


@settings(max_examples=8 if SLOW else 40)
@given(st.lists(texts.map(lambda text: text[:30]), min_size=1, max_size=4), patterns, st.randoms())
def test_long_documents_are_cut_in_parts(parts, pattern, chance):
    text = "".join(chance.choices(parts, k=3 * PART // max(len("".join(parts)), 9) * len(parts)))
    text = text[: 3 * PART]
    documents = [text, parts[0], text[::-1]]
    assert cut(documents, pattern) == expected(documents, pattern)


@given(texts, patterns, st.integers(0, 9), st.lists(texts, max_size=3))
def test_parts_have_the_pieces_of_the_document(text, pattern, target, others):
    documents = [text, *others]
    data = array("".join(documents))
    offsets = np.cumsum([0, *(len(document.encode()) for document in documents)])
    room = len(documents) + data.size + 1
    new_offsets, owner = np.full(room, -1), np.full(room, -1)
    n = split_documents(data, offsets, target, tables(pattern), new_offsets, owner)
    parts = [bytes(data[a:b]).decode() for a, b in itertools.pairwise(new_offsets[: n + 1])]
    found = [[] for _ in documents]
    for document, pieces in zip(owner[:n].tolist(), cut(parts, pattern), strict=True):
        found[document] += pieces
    assert found == expected(documents, pattern)
    assert "".join(parts) == "".join(documents)


def test_where_boundaries_are_certain():
    data = array("it's two words.\n\nAnd 東京、x  y")
    new_offsets, owner = np.empty(99, np.int64), np.empty(99, np.int64)
    offsets = np.array([0, data.size])
    n = split_documents(data, offsets, 0, tables(PATTERNS["o200k"]), new_offsets, owner)
    parts = [bytes(data[a:b]).decode() for a, b in itertools.pairwise(new_offsets[: n + 1])]
    assert parts == ["it's", " two", " words", ".\n\n", "And", " 東京", "、x", "  y"]
    assert split_documents(data, offsets, 0, tables(PATTERNS["none"]), new_offsets, owner) == 1


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=5), patterns)
@example([b"\x80" * 30, b"a\xe6" * 9], r"\p{L}+")
@example([b"\xe6\x9d" * 700 + b" \xb1" * 1000], PATTERNS["gpt2"])
def test_invalid_bytes_stay_within_the_buffer(documents, pattern):
    # Where they are cut is undefined, but the kernels come to an end and leave nothing out.
    for document, pieces in zip(documents, cut(documents, pattern), strict=True):
        assert b"".join(pieces) == document


@pytest.mark.parametrize("letter", ["a", " ", "\n", "é", "東", "\0"])
def test_runs_without_a_certain_boundary(letter):
    # Two of the patterns look for a b behind every a, in time that grows with the square of the run.
    for pattern in [p for p in CHOSEN if not (SLOW and letter == "a" and "b|" in p)]:
        n = 2 * PART + 60
        documents = [letter * n, "x", letter * n + "x", "x" + letter * (n + 41) + "\n "]
        assert cut(documents, pattern) == expected(documents, pattern)


@pytest.mark.skipif(SLOW, reason="plain Python takes minutes")
@pytest.mark.parametrize("letter", ["a", " ", "ab", "é", "7"])
def test_runs_longer_than_a_block(letter):
    for pattern in [*CHOSEN[:5], r"\p{L}+", r"(?:ab)+|\s+(?!\S)", r"\p{N}{1,3}|[^7 ]"]:
        n = (2 * BLOCK + 60) // len(letter)
        documents = ["a b" * LANES, letter * n, "x y", letter * n + "x", "x" + letter * n + "\n "]
        assert cut(documents, pattern) == expected(documents, pattern)


@pytest.mark.parametrize("pattern", CHOSEN)
def test_a_long_document_among_short_ones(pattern):
    n = 1500 if SLOW else 15_000
    for long in ("東" * n, "ab" * 1500 + "a", " \n" * 1500):
        documents = [*["it's", "a", " \u3000"] * 70, long, *["b ab", "éx\n"] * 150]
        assert cut(documents, pattern) == expected(documents, pattern)
