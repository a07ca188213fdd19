"""Merges of equal rank: a list of merges that gives SentencePiece's ids, or an error that is true."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import sentencepiece
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_sentencepiece_bpe import pieces_of
from test_sentencepiece_bpe import settings as model_settings

from toktk.arrays import packed
from toktk.errors import FormatError
from toktk.formats import merge_order
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.files import read, write_as
from toktk.formats.merge_order import in_list_order
from toktk.formats.published import first_difference

TEXTS = ["".join(text) for n in range(1, 9) for text in itertools.product("ab", repeat=n)]
TEXTS += ["ab" * 20, "aab" * 12, "a" * 40, "abb" * 9 + "a", "aabab" * 7]


def made(folder, words):
    """Write a model of these words, {token: score}, without a space in front, and read it."""
    path = folder / "made.model"
    found = [(letter, -99.0, proto.NORMAL) for letter in "ab\u2581"]
    found += [(word, float(score), proto.NORMAL) for word, score in words.items()]
    path.write_bytes(pieces_of(found) + model_settings((), {proto.DUMMY_PREFIX: 0}))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return theirs, read(path.read_bytes(), path, "sentencepiece")


def check(folder, words):
    """Compare both libraries on all short texts if a list can be written; else return the error."""
    theirs, parts = made(folder, words)
    target = folder / "made.json"
    try:
        write_as(*parts, target)
    except FormatError as error:
        return theirs, parts[1], error
    hf = tokenizers.Tokenizer.from_file(str(target))
    expected = theirs.Encode(TEXTS)
    assert [found.ids for found in hf.encode_batch(TEXTS)] == expected
    return theirs, parts[1], None


def is_of_one_kind(model):
    """Whether no merge takes as a part what a merge of equal or worse rank makes."""
    rank = {new: rank for *_, new, rank in model.pairs.tolist()}
    return all(rank.get(i, -1) < r for a, b, _, r in model.pairs.tolist() for i in (a, b))


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.text("ab", min_size=2, max_size=6), st.integers(-3, 0), min_size=2, max_size=7
    )
)
@example({"ab": 0, "ba": 0})
@example({"aa": 0, "aaa": 0, "aaaa": 0})
@example({"aa": 0, "aab": -1, "bab": -1, "ab": -2, "aabb": -1})
def test_ids_of_both_libraries(tmp_path_factory, words):
    if not FOLDER:
        FOLDER.append(tmp_path_factory.mktemp("order"))
    theirs, model, error = check(FOLDER[0], words)
    ties = np.diff(np.sort(model.pairs[:, 3])) == 0
    if error is None or not is_of_one_kind(model):
        return
    # Every list of these merges gives other ids for some text.
    assert ties.any()
    assert "and another text behind it" in str(error)
    expected = theirs.Encode(TEXTS)
    for order in itertools.permutations(model.pairs.tolist()):
        if [row[3] for row in order] == sorted(row[3] for row in order):
            assert by_list(order, model, TEXTS) != expected


def by_list(rows, model, texts):
    """Encode texts with each merge ranked by its place in a list."""
    pairs = np.array([[*row[:3], place] for place, row in enumerate(rows)])
    ids, ends = replace(model, pairs=pairs).encode_pieces(*packed([t.encode() for t in texts]))
    return [found.tolist() for found in np.split(ids, ends[:-1])]


FOLDER = []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"aa": -1, "aaa": -1, "aaaa": -1, "aaaaa": -1}, None),  # runs, as of spaces in Llama 2
        ({"aa": -1, "aaa": -1, "aaaa": -1, "aaaaaa": -1}, None),  # with a gap
        ({"ab": -1, "bb": -1}, None),
        ({"ab": -1, "ba": -1}, "the text b'aba' needs the id 260, b'ab', before 261"),
        ({"ab": -1, "ba": -1, "bab": 0}, "ranks better than"),
    ],
)
def test_what_can_be_listed(tmp_path, words, found):
    _, _, error = check(tmp_path, words)
    if found is None:
        assert error is None
    else:
        with pytest.raises(FormatError, match=found):
            raise error


def test_too_many_to_try(tmp_path, monkeypatch):
    monkeypatch.setattr(merge_order, "_MOST", 3)
    _, _, error = check(tmp_path, {"aa": -1, "ab": -1, "bb": -1})
    assert "3 of equal rank that overlap in too many ways" in str(error)


def test_equal_ranks_stay_equal_in_their_own_format(tmp_path):
    theirs, (pretokenizer, model) = made(tmp_path, {"ab": -1, "ba": -1, "aa": -2})
    write_as(pretokenizer, model, tmp_path / "again.model")
    again = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "again.model"))
    assert again.Encode(TEXTS) == theirs.Encode(TEXTS)
    ranked = replace(model, pairs=model.pairs + [[0, 0, 0, n] for n in range(len(model.pairs))])
    assert first_difference(model, model) is None
    assert first_difference(model, ranked) in (260, 261)


def test_without_equal_ranks_nothing_changes(tmp_path):
    _, (_, model) = made(tmp_path, {"ab": -1, "aa": -2})
    assert in_list_order(model) is model
