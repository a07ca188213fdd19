"""Tokens by id, put in order and changed without a Python object for each."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.arrays import packed
from toktk.models.lookup import Tokens
from toktk.models.vocabulary import unpacked

TOKENS = st.lists(st.binary(max_size=9), min_size=1, max_size=40)


@given(TOKENS, st.data())
def test_tokens_lie_by_their_ids(tokens, data):
    ids = data.draw(
        st.lists(st.integers(0, 99), min_size=len(tokens), max_size=len(tokens), unique=True)
    )
    expected = [b""] * (max(ids) + 1)
    for i, token in zip(ids, tokens, strict=True):
        expected[i] = token
    by_id = Tokens(*packed(tokens)).by_id(np.array(ids))
    assert unpacked(*by_id) == expected
    assert by_id.offsets[-1] == by_id.data.size


@given(TOKENS)
def test_those_that_lie_so_already_stay(tokens):
    given_tokens = Tokens(*packed(tokens))
    assert given_tokens.by_id(np.arange(len(tokens))) is given_tokens
    assert given_tokens.changed({}) is given_tokens


@given(TOKENS, st.integers(0, 50), st.data())
def test_some_are_changed_and_none_are_added(tokens, more, data):
    extended = Tokens(*packed(tokens)).extended(len(tokens) + more)
    assert unpacked(*extended) == [*tokens, *[b""] * more]
    ids = st.integers(0, len(tokens) + more - 1)
    others = data.draw(st.dictionaries(ids, st.binary(max_size=9)))
    expected = [others.get(i, token) for i, token in enumerate([*tokens, *[b""] * more])]
    assert unpacked(*extended.changed(others)) == expected
