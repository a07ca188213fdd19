"""The splits of tokens into two: against every pair of tokens, and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from pair_samples import BYTES, ranked
from tokenizer_samples import PAIRS, model_of
from unigram_samples import WORD_LIST, of_bytes, of_characters

from toktk.errors import FormatError
from toktk.models.bpe import BpeModel
from toktk.models.pairs import PairModel
from toktk.models.splits import splits_of, text_tokens
from toktk.models.symbols import SymbolsModel


def by_text(model):
    """The splits as bytes: {token: {(left, right)}}."""
    splits: dict[bytes, set] = {}
    for i, left, right in splits_of(model).tolist():
        splits.setdefault(model.tokens[i], set()).add((model.tokens[left], model.tokens[right]))
    return splits


def of_all_pairs(model):
    tokens = {*text_tokens(model).values()}
    splits: dict[bytes, set] = {}
    for left, right in itertools.product(tokens, repeat=2):
        if left + right in tokens:
            splits.setdefault(left + right, set()).add((left, right))
    return splits


@given(PAIRS)
def test_merges_are_split_by_every_pair_that_spells_them(choices):
    model = model_of(choices)
    assert by_text(model) == of_all_pairs(model)
    assert {*by_text(model)} == {token for token in model.tokens if len(token) > 1}


@given(st.lists(st.text("abé東\0", min_size=2, max_size=6).map(str.encode), max_size=12))
def test_any_ranks_are_split_by_every_pair_that_spells_them(words):
    model = PairModel.from_ranks(ranked(words, 2), {"<s>": 1, "ab": 9_000})
    assert by_text(model) == of_all_pairs(model)


def test_nasty_tokens_are_split_by_every_pair_that_spells_them():
    words = [text.encode()[:40] for text in NASTY_TEXTS]
    parts = [word[:n] for word in words for n in (2, 3, 7)]
    model = PairModel.from_ranks(ranked([*parts, *words]), {})
    assert by_text(model) == of_all_pairs(model)


def test_splits_by_hand():
    ranks = ranked([b"ab", b"bc", b"abc", b"xyz"])
    a, b, c, ab, bc, abc = (ranks[t] for t in (b"a", b"b", b"c", b"ab", b"bc", b"abc"))
    splits = splits_of(PairModel.from_ranks(ranks, {"abab": 999, "xy": 500}))
    assert splits.dtype == np.int64
    assert splits.tolist() == [[ab, a, b], [bc, b, c], [abc, a, bc], [abc, ab, c]]
    assert splits_of(PairModel.from_ranks(BYTES, {})).shape == (0, 3)


def test_special_tokens_and_symbols_are_no_parts():
    merges = model_of([(0, 1)]).merges
    inner = BpeModel(("a", "b", "ab"), merges + 3)  # named as tokens are
    assert by_text(inner) == {b"ab": {(b"a", b"b")}}
    symbols = SymbolsModel(inner, 2)
    assert splits_of(symbols).tolist() == splits_of(inner).tolist()
    assert min(text_tokens(symbols)) == 3


def test_bytes_that_spell_characters_are_no_parts():
    model = of_characters({**WORD_LIST, "éa": -1.0, "abab": -2.0, " ab": -1.0})
    splits = by_text(model)
    assert splits["éa".encode()] == {("é".encode(), b"a")}  # and not its bytes
    assert splits[b"abab"] == {(b"ab", b"ab")}
    assert splits[b" ab"] == {(b" ", b"ab"), (b" a", b"b")}
    assert "é".encode() not in splits
    bytewise = by_text(of_bytes({"éa": -1.0}))
    assert bytewise == {}  # three bytes, and none of two of them is a token


def test_tokens_that_spell_the_same_cannot_be_split():
    tokens = [*BYTES, b"ab", b"ab"]
    model = PairModel.from_merges(tokens, np.array([[97, 98, 256]]), {}, np.arange(256))
    with pytest.raises(FormatError, match="told apart") as error:
        splits_of(model)
    assert "ids 256 and 257" in str(error.value)
