"""Patterns in turn cut as one automaton, as they do one after the other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.joining import joined
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

# The last pattern of DeepSeek V3; a control character begins a match if a letter follows, else a gap.
LAST = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
)
KANA = "[一-龥\u3040-ゟ゠-ヿ]+"
CUT = {
    "deepseek": (r"\p{N}{1,3}", KANA, LAST),
    "digits one by one": (r"\p{N}", PATTERNS["gpt2"]),
    "digits one by one, cut again": (r"\p{N}", PATTERNS["llama3"]),
    "digits by three, which match": (r"\p{N}{1,3}", PATTERNS["gpt2"]),
    "digits by three, as by the last": (r"\p{N}{1,3}", PATTERNS["llama3"]),
    "runs that the last cuts": (r"[a-m]+", r"\p{N}", "ab|a+c|[x1]+"),
    "gaps of several kinds": (r"[a-m]+", r"\d{1,2}", r"\p{L}{2}"),
    "gaps alone": (r"[a-m]+", r"\d", "é"),
    "look-ahead": ("[a-m]+", r"\s+(?!\S)|\s+|[^\s]+?(?=[xa])|\S"),
    "look-ahead over more": ("b+", "a+(?=[a-c]1)|[a-c]"),
    "an end": ("x+", r"a+\z|b|a"),
    "no match": ("(?!a)a", "[ab]+", "a|b{2}"),
    "lazy": ("a+?", "[a-c]+"),
    "all": (r"[^x]+", PATTERNS["o200k"]),
}
APART = {
    "two runs": ("b+|a", "a+"),
    "more than runs": (r"ab", r"\w+"),
    "the least": ("a{2,}", "a+"),
    "what follows": ("a+(?=b)", "a+"),
    "the same characters": (r"\d", r"[1-3]+", PATTERNS["gpt2"]),
    "shorter pieces of a run": (r"\p{N}{1,3}", r"\p{N}{1,2}|\p{L}+"),
    "a gap or a match": (r"\d{1,3}", r"\d{2}|\p{L}+"),
}
texts = st.one_of(
    st.text("ab1x \n"),
    st.text("abcmnx12３٣½ \n\r'!\x01\x02\u3097゛カ漢・é\u0301😀\0"),
    st.text(st.characters(codec="utf-8")),
)


def pretokenizer_of(patterns) -> Pretokenizer:
    *before, last = patterns
    return Pretokenizer("tested", last, tuple(before))


def cut_batch(pretokenizer, documents):
    data = np.frombuffer("".join(documents).encode(), dtype=np.uint8)
    offsets = np.cumsum([0, *(len(text.encode()) for text in documents)], dtype=np.int64)
    pieces = pretokenizer.cut_batch(data, offsets)
    found = [
        pieces.data[a:b].tobytes().decode() for a, b in itertools.pairwise(pieces.offsets.tolist())
    ]
    return [found[a:b] for a, b in itertools.pairwise(pieces.documents.tolist())]


@pytest.mark.parametrize("name", CUT)
@settings(max_examples=150)
@given(documents=st.lists(texts, max_size=4))
@example(documents=["\x01\x01\u3097\u3097カ1\x01\u3097", "a\x01", "12345678", "1a\x0112"])
def test_they_cut_as_each_in_turn(name, documents):
    pretokenizer = pretokenizer_of(CUT[name])
    assert pretokenizer.prepare(np.empty(0, np.uint8), np.zeros(1, np.int64))[2] is None
    expected = [reference.cut_with(pretokenizer, text) for text in documents]
    assert cut_batch(pretokenizer, documents) == expected


@pytest.mark.parametrize("name", CUT)
@given(parts=st.lists(texts, min_size=1, max_size=3), times=st.integers(1, 400))
@settings(max_examples=10)
def test_long_documents(name, parts, times):
    pretokenizer = pretokenizer_of(CUT[name])
    documents = ["".join(parts) * times, *parts]
    expected = [reference.cut_with(pretokenizer, text) for text in documents]
    assert cut_batch(pretokenizer, documents) == expected


@pytest.mark.parametrize("name", CUT)
def test_nasty_texts(name, nasty_texts):
    pretokenizer = pretokenizer_of(CUT[name])
    expected = [reference.cut_with(pretokenizer, text) for text in nasty_texts]
    assert cut_batch(pretokenizer, nasty_texts) == expected


@pytest.mark.parametrize("name", APART)
@settings(max_examples=30)
@given(documents=st.lists(texts, max_size=4))
def test_what_is_no_run_is_cut_in_turn(name, documents):
    assert joined([compile_pattern(pattern) for pattern in APART[name]]) is None
    pretokenizer = pretokenizer_of(APART[name])
    expected = [reference.cut_with(pretokenizer, text) for text in documents]
    assert cut_batch(pretokenizer, documents) == expected


def test_kinds_of_classes():
    automaton, kinds = joined([compile_pattern(pattern) for pattern in CUT["deepseek"]])
    kind_of = {char: int(kinds[automaton.class_of[ord(char)]]) for char in "1½漢カa !\u3097\x01"}
    assert kind_of == dict(zip("1½漢カa !\u3097\x01", (0, 0, 1, 1, 2, 2, 2, 1, 2), strict=True))
