"""TextSample: bounded, in equal shares, and the same whatever order the text came in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS

from toktk.corpus import Corpus
from toktk.pieces import text_sample
from toktk.pieces.sample import Sample
from toktk.pieces.text_sample import LONGEST, TextSample


def sample_of(texts, groups=None, align=None):
    sample = Sample()
    for batch in Corpus.of(texts, groups=groups, align=align).batches():
        sample.see(batch)
    return TextSample(sample.finish())


@given(st.permutations(range(30)), st.integers(1, 20))
def test_any_order_gives_the_same(order, most):
    texts, groups = [f"text {i}" for i in order], ["xyz"[i % 3] for i in order]
    whole = sample_of(texts, groups).texts
    assert {g: sorted(of) for g, of in whole.items()} == {
        g: sorted(f"text {i}" for i in range(30) if "xyz"[i % 3] == g) for g in "xyz"
    }
    before = text_sample.MOST_TEXTS, text_sample.MOST_OF_ALL
    try:
        text_sample.MOST_TEXTS = most
        few = sample_of(texts, groups).texts
        assert few == sample_of(texts[::-1], groups[::-1]).texts
        assert [len(of) for of in few.values()] == [min(most, 10)] * 3
        assert all(set(few[g]) <= set(whole[g]) for g in few)
        text_sample.MOST_OF_ALL = 7
        assert sorted(len(of) for of in sample_of(texts, groups).texts.values()) == sorted(
            min(most, n) for n in ((2, 2, 3) if most >= 3 else (most, most, most))
        )
    finally:
        text_sample.MOST_TEXTS, text_sample.MOST_OF_ALL = before


def test_texts_are_short_and_whole_characters():
    documents = [*NASTY_TEXTS, "é" * 500, "x " * 500, "word " + "y" * 500, "a" * LONGEST, "b" * 201]
    (texts,) = sample_of(documents).texts.values()
    assert all(0 < len(text.encode()) <= LONGEST for text in texts)
    assert {text for text in documents if 0 < len(text.encode()) <= LONGEST} <= set(texts)
    assert "é" * 100 in texts
    assert "x " * 99 + "x" in texts  # cut at the last space
    assert "word " + "y" * 195 in texts  # which is too far in front here
    assert all(any(d.startswith(text) for d in documents) for text in texts)


def test_the_languages_of_a_line_come_together():
    n = 60
    texts = [f"{language} {i}" for language in "xy" for i in range(n)]
    align = [str(i) for _ in "xy" for i in range(n)]
    before = text_sample.MOST_TEXTS
    try:
        text_sample.MOST_TEXTS = 10
        chosen = sample_of(texts, ["x"] * n + ["y"] * n, align).texts
    finally:
        text_sample.MOST_TEXTS = before
    assert [text[2:] for text in chosen["x"]] == [text[2:] for text in chosen["y"]]
    assert len(chosen["x"]) == 10


def test_text_without_documents_has_no_texts():
    assert sample_of(["", ""], ["x", "y"]).texts == {"x": [], "y": []}
