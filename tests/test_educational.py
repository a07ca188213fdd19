"""toktk.educational: every function has an example, and the examples are true."""

from __future__ import annotations

import doctest
import inspect

from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk import educational as slow

FUNCTIONS = {
    name: function
    for name, function in vars(slow).items()
    if inspect.isfunction(function) and function.__module__ == slow.__name__
}
PUBLIC = [name for name in FUNCTIONS if not name.startswith("_")]
LETTERS = st.text("ab", max_size=9)


def test_every_function_has_an_example():
    examples = {
        test.name.rpartition(".")[2]: test.examples for test in doctest.DocTestFinder().find(slow)
    }
    assert [name for name in PUBLIC if not examples[name]] == []


def test_examples_are_true():
    result = doctest.testmod(slow)
    assert result.failed == 0
    assert result.attempted >= len(PUBLIC)


def test_imports_nothing_of_toktk():
    imported = {getattr(value, "__module__", None) or "" for value in vars(slow).values()}
    imported |= {value.__name__ for value in vars(slow).values() if inspect.ismodule(value)}
    assert {name for name in imported if name.startswith("toktk")} == {slow.__name__}


def test_pieces_give_the_text_back():
    for text in NASTY_TEXTS:
        for pattern in (r"\p{L}+", r"\s+(?!\S)|[^a]", "b*|aa"):
            pieces = slow.cut(pattern, text)
            assert "".join(pieces) == text
            assert all(pieces)


@given(st.dictionaries(LETTERS.map(str.encode), st.integers(1, 9), max_size=6), LETTERS)
def test_one_encoding_gives_every_size(pieces, text):
    merges = slow.train_bpe(pieces, 270)
    expected = [len(slow.encode(text.encode(), merges[:k])) for k in range(len(merges) + 1)]
    assert slow.tokens_at_every_size(text.encode(), merges) == expected


SCORES = st.dictionaries(
    st.sampled_from(["a", "b", "ab", "ba", "aab", "bb"]), st.integers(-5, -1).map(float)
)


@given(LETTERS, SCORES, st.sampled_from([None, -3.0]))
def test_the_best_of_all_segmentations(piece, scores, unknown):
    listed = slow.segmentations(piece, scores, unknown)
    best, path = slow.viterbi(piece, scores, unknown)
    assert best == max([score for score, _ in listed], default=-float("inf"))
    assert not listed or (best, path) in listed


@given(LETTERS.filter(bool), st.integers(1, 9), SCORES)
def test_expectations_spell_the_text(piece, count, scores):
    scores = {"a": -1.0, "b": -2.0, **scores}
    times = slow.expected({piece: count}, scores)
    assert round(sum(len(token) * n for token, n in times.items()), 6) == count * len(piece)


def test_a_step_makes_the_text_more_likely():
    pieces, scores = {"abab": 30, "ba": 5, "aab": 9}, dict.fromkeys(["a", "b", "ab", "aab"], -1.4)
    likely = []
    for _ in range(4):
        likely.append(sum(n * slow.forward(piece, scores)[-1] for piece, n in pieces.items()))
        scores = slow.reestimate(pieces, scores)
    assert likely == sorted(likely)
