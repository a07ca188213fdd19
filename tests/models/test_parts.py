"""What merging makes a token of, and how often a token was a step: against replays of the merges."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nasty import NASTY_TEXTS
from pair_samples import BYTES, encode, ranked
from tokenizer_samples import PAIRS, TEXT, model_of
from unigram_samples import WORD_LIST, of_characters

from toktk import educational
from toktk.models.bpe import BpeModel
from toktk.models.greedy import GreedyModel
from toktk.models.pairs import PairModel
from toktk.models.parts import intermediate_counts, parts_of
from toktk.models.symbols import SymbolsModel

PIECES = st.lists(st.text("abc", max_size=20).map(str.encode), min_size=1, max_size=6)


def steps_of(model, *pieces):
    """How often each token is a step in pieces, by `intermediate_counts`; those above 0."""
    counts = np.zeros(model.vocab_size, dtype=np.int64)
    for ids in encode(model, *pieces):
        np.add.at(counts, ids, 1)
    lengths = np.array([*map(len, model.tokens)])
    steps = intermediate_counts(parts_of(model), lengths, counts)
    return {i: int(steps[i]) for i in np.flatnonzero(steps).tolist()}


@given(PAIRS, PIECES)
def test_steps_of_every_size_equal_replayed_merges(choices, pieces):
    whole = model_of(choices)
    for size in np.unique(whole.size_after).tolist():
        model = whole.cut(size)
        merges = model.merges.tolist()
        replayed = sum((educational.merge_uses(piece, merges) for piece in pieces), Counter())
        assert steps_of(model, *pieces) == dict(replayed)


def test_a_token_that_two_merges_make_has_the_parts_of_the_one_applied():
    a, b, c, bc, ab, abc = 64, 65, 66, 256, 257, 258
    merges = [(b, c, bc), (a, b, ab), (ab, c, abc), (a, bc, abc)]
    model = BpeModel((), np.array(merges, dtype=np.int64))
    assert encode(model, b"abc") == [[abc]]
    assert parts_of(model)[[ab, bc, abc]].tolist() == [[a, b], [b, c], [a, bc]]
    assert parts_of(model)[a].tolist() == [-1, -1]


def uses_by_strings(piece, ranks):
    """Merge as tiktoken does, by what neighbors spell; count the parts."""
    parts, used = [bytes([b]) for b in piece], Counter()
    while True:
        joined = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not joined:
            return used
        _, i = min(joined)
        used += Counter(parts[i : i + 2])
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


@given(
    st.lists(st.text("abé", min_size=2, max_size=6).map(str.encode), max_size=14),
    st.lists(st.text("abé東", max_size=16).map(str.encode), min_size=1, max_size=5),
)
def test_steps_of_ranks_equal_replayed_merges(words, pieces):
    ranks = ranked(words)
    model = PairModel.from_ranks(ranks, {"<t>": 9_000})
    spells = {i: token for token, i in ranks.items()}
    # A piece that is a token of whole pieces alone has no steps.
    merged = [p for p in pieces if p not in ranks or not model.whole[ranks[p]]]
    replayed = sum((uses_by_strings(piece, ranks) for piece in merged), Counter())
    assert {spells[i]: n for i, n in steps_of(model, *pieces).items()} == dict(replayed)


def test_characters_are_where_merging_begins():
    tokens = [*BYTES, "é".encode(), b"a", "aé".encode(), "aéa".encode()]
    merges = np.array([[257, 256], [258, 257]])
    model = PairModel.from_merges(tokens, merges, {}, np.arange(256), characters=True)
    assert parts_of(model)[255:].tolist() == [[-1, -1]] * 3 + [[257, 256], [258, 257]]
    assert steps_of(model, "aéaaé東".encode()) == {256: 2, 257: 3, 258: 1}


SCORED = st.dictionaries(
    st.text("abé", min_size=2, max_size=5), st.sampled_from([-1.0, -2.0, -3.5]), max_size=12
)


@given(SCORED, st.lists(st.text("abé", max_size=14), min_size=1, max_size=5))
def test_steps_of_scores_equal_replayed_merges(words, pieces):
    score = {**dict.fromkeys("abé", -9.0), **words}
    tokens = [*BYTES, *(token.encode() for token in score)]
    scores = np.array([0.0] * 256 + [*score.values()])
    mergeable = np.arange(len(tokens)) >= 256
    model = PairModel.from_scores(tokens, scores, mergeable, {}, np.arange(256))
    replayed: Counter[str] = Counter()
    for piece in pieces:
        parts = [*piece]
        while joined := [
            (-score[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in score
        ]:
            _, i = min(joined)
            replayed.update(parts[i : i + 2])
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
    found = steps_of(model, *map(str.encode, pieces))
    assert {tokens[i].decode(): n for i, n in found.items()} == dict(replayed)


def test_symbols_are_no_part_of_the_merges():
    inner = BpeModel(("<a>", "<b>"), model_of([(0, 1), (3, 2)]).merges + 2)
    model = SymbolsModel(inner, 1)
    assert np.array_equal(parts_of(model), parts_of(inner))
    assert parts_of(inner)[-1].tolist() == [258, 66 + 2]


def test_models_without_merges_have_no_parts():
    assert parts_of(of_characters(WORD_LIST)) is None
    data = np.arange(256, dtype=np.uint8)
    assert parts_of(GreedyModel((), data, np.arange(257))) is None
    assert (parts_of(BpeModel((), np.empty((0, 3), dtype=np.int64))) == -1).all()


def test_nasty_text_is_merged_as_in_the_replay():
    pieces = Counter(piece.encode() for piece in [*NASTY_TEXTS, *TEXT.split("\n")] if piece)
    merges = [merge[:3] for merge in educational.train_bpe(pieces, 300)]
    model = BpeModel((), np.array(merges, dtype=np.int64))
    short = [piece for piece in pieces if len(piece) < 400]
    replayed = sum((educational.merge_uses(piece, merges) for piece in short), Counter())
    assert steps_of(model, *short) == dict(replayed)
