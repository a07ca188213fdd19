"""The loop of scored merges on small pieces, and its tournament tree; real text is in tests/trainers."""

import numpy as np
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st

from toktk import educational
from toktk.kernels import bpe_train, bpe_train_scored
from toktk.trainers import merge_loop, pair_scores
from toktk.trainers.merge_loop import MergeTask
from toktk.trainers.scored_merges import ScoredMerges

# Few letters force ties, overlaps and long runs.
letters = st.sampled_from([b"a", b"b", b"ab", b"aaa", b" ", b"\n", b"\0", "é😀".encode()])
words = st.lists(letters, min_size=1, max_size=8).map(b"".join)
tables = st.dictionaries(words, st.one_of(st.integers(1, 3), st.integers(1, 5000)), max_size=8)


def rising(pair, left, right, left_length, right_length):
    # Rises when the pair gets rarer, negative, and not the same in both directions.
    return -1.0 * pair * left + 3.0 * right_length - 2.0 * left_length


def constant(pair, left, right, left_length, right_length):
    return 0.0 * pair


SCORES = {
    "count": (pair_scores.count, lambda pair, *_: pair),
    "ratio": (pair_scores.ratio, educational.ratio),
    "count*length": (pair_scores.count_times_length, reference.count_times_length),
    "rising": (rising, rising),
    "constant": (constant, constant),
}
names = st.sampled_from(sorted(SCORES))


def loop_over(name, pieces, size, specials=0, floor=1, longest=2**31):
    task = MergeTask.of(
        np.frombuffer(b"".join(pieces), np.uint8),
        np.cumsum([0, *map(len, pieces)], dtype=np.int64),
        np.array(list(pieces.values()), np.int64),
        np.array(educational.byte_ids(specials)),
        size,
        floor,
        longest,
    )
    return ScoredMerges(SCORES[name][0], name, task)


def learned(loop):
    return [tuple(row) for row in loop.learned.tolist()]


@given(names, tables, st.integers(256, 290), st.sampled_from([0, 3]))
@example("ratio", {b"a" * 40: 1}, 270, 0)
@example("rising", {b"aaa": 1, b"aaaa": 2, b"baaa": 3, b"aaab": 4}, 270, 0)
@example("ratio", {b"abab" * 4: 2, b"ababa": 2, b"bab": 2, b"a": 7}, 270, 0)
def test_merges_equal_the_reference(name, pieces, size, specials):
    loop = loop_over(name, pieces, size + specials, specials)
    expected = educational.train_bpe(pieces, size + specials, specials, score=SCORES[name][1])
    assert loop.run(size + specials) == (len(expected) == size - 256)
    assert learned(loop) == expected
    assert loop.n_tokens == 256 + specials + len(expected)


@given(names, tables, st.integers(1, 6), st.sampled_from([1, 2, 3, 5]))
def test_floor_and_length_equal_the_reference(name, pieces, floor, longest):
    loop = loop_over(name, pieces, 290, 0, floor, longest)
    loop.run(290)
    expected = educational.train_bpe(pieces, 290, 0, floor, longest, SCORES[name][1])
    assert learned(loop) == expected


@given(names, tables)
def test_symbols_are_counted_as_the_text_is_cut(name, pieces):
    loop = loop_over(name, pieces, 275)
    loop.run(275)
    counts = np.zeros(loop.ranking.symbols.size, np.int64)
    for piece, count in pieces.items():
        for symbol in educational.encode(piece, learned(loop)):
            counts[symbol] += count
    assert counts.tolist() == loop.ranking.symbols.tolist()


@given(names, tables, st.lists(st.integers(256, 290), min_size=1, max_size=4))
def test_stopping_on_the_way_changes_nothing(name, pieces, stops):
    whole, halting = loop_over(name, pieces, 290), loop_over(name, pieces, 290)
    whole.run(290)
    for stop in [*sorted(stops), 290]:
        halting.run(stop)
        assert learned(halting) == learned(whole)[: stop - 256]


@given(names, tables)
def test_order_of_the_pieces_does_not_matter(name, pieces):
    one, other = loop_over(name, pieces, 280), loop_over(name, dict(reversed(pieces.items())), 280)
    one.run(280)
    other.run(280)
    assert learned(one) == learned(other)


@pytest.mark.parametrize("name", sorted(SCORES))
def test_cells_that_must_widen(name, monkeypatch):
    pieces = {b"abab" * 4: 2, b"ababa": 2, b"bab": 2, b"a": 7}
    monkeypatch.setattr(merge_loop, "_NARROW", 258)
    loop = loop_over(name, pieces, 270)
    assert loop.text.cells.dtype == np.uint16
    loop.run(270)
    assert loop.text.cells.dtype == np.uint32
    assert learned(loop) == educational.train_bpe(pieces, 270, score=SCORES[name][1])


@given(names, tables)
def test_arrays_that_must_grow(name, pieces):
    loop = loop_over(name, pieces, 290)
    # No room to spare: whatever the layout, the loop must ask for more and go on alike.
    pool = loop.text.pool[: max(int(loop.state[bpe_train.POOL_USED]), 1)]
    loop.text = loop.text._replace(pool=pool)
    rows = 1 << max(int(loop.state[bpe_train.N_PAIRS]), 1).bit_length()
    loop.pairs = loop.pairs._replace(rows=loop.pairs.rows[:rows].copy())
    shorter = {
        name: getattr(loop.ranking, name)[:rows].copy()
        for name in ("links", "seen", "changed", "scores")
    }
    features = loop.ranking.features[:, :rows].copy()
    tree = np.empty(2 * rows, np.int32)
    loop.ranking = loop.ranking._replace(tree=tree, features=features, **shorter)
    loop._rehash()
    bpe_train_scored.build_tree(tree, loop.ranking.scores, loop.pairs.rows)
    loop.run(290)
    assert learned(loop) == educational.train_bpe(pieces, 290, score=SCORES[name][1])


@given(names, tables)
def test_no_string_is_spelled_twice(name, pieces):
    # The proof in toktk.kernels.bpe_train says nothing of the order of merges.
    spelling = {i: bytes([b]) for b, i in enumerate(educational.byte_ids())}
    loop = loop_over(name, pieces, 300)
    loop.run(300)
    for left, right, new, _ in learned(loop):
        spelling[new] = spelling[left] + spelling[right]
    assert len(set(spelling.values())) == len(spelling)


def test_nothing_to_merge():
    for pieces in ({}, {b"a": 5}, {b"a": 1, b"b": 2}):
        loop = loop_over("ratio", pieces, 300)
        assert not loop.run(300)
        assert learned(loop) == []


def test_progress_adds_up():
    steps = []
    loop = loop_over("ratio", {b"abcdefgh" * 3: 4}, 275)
    assert not loop.run(270, steps.append)
    assert sum(steps) == loop.n_tokens - 256 == 9


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 64, 127])
@pytest.mark.parametrize("name", sorted(SCORES))
def test_a_run_of_one_letter(name, n):
    loop = loop_over(name, {b"a" * n: 1}, 300)
    loop.run(300)
    expected = educational.train_bpe({b"a" * n: 1}, 300, score=SCORES[name][1])
    assert learned(loop) == expected


values = st.sampled_from([-np.inf, -2.5, -0.0, 0.0, 1.0, 7.0, 1e300])


@given(st.lists(values, max_size=8), st.lists(st.tuples(st.integers(0, 7), values), max_size=30))
def test_the_tree_gives_the_highest_score_and_then_the_smallest_key(first, changes):
    scores = np.full(8, -np.inf)
    scores[: len(first)] = first
    pairs = np.zeros((8, 4), np.int64)
    pairs[:, 0] = [5, 3, 9, 1, 8, 2, 7, 4]
    tree = np.empty(16, np.int32)
    bpe_train_scored.build_tree(tree, scores, pairs)
    for pair, value in [*changes, (0, 1.0)]:
        bpe_train_scored.set_score(tree, scores, pairs, pair, value)
        best = min(range(8), key=lambda p: (-scores[p], pairs[p, 0]))
        assert tree[1] == best
