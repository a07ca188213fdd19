"""BPE training by any score of a pair: one exact merge at a time.

A score may depend on how often the two symbols occur. A merge changes that for both, and the scores of all
their pairs may rise or fall, so no lazy queue is exact: every pair of these symbols is scored anew. Hence
each symbol has two lists of pairs, those it begins and those it ends. A tournament tree over the pairs holds
the best one: a new score costs O(log n), and nearly always O(1).

The tree is int32[2 * capacity]: node i has the children 2 * i and 2 * i + 1, node capacity + p stands for
pair p, and each node names the best pair below it. A pair whose count has fallen below the floor scores
minus infinity and leaves the lists when they are next walked; its count never rises again.

Cells, runs and the table of pairs are those of `toktk.kernels.bpe_train`. Its proof that no merge
spells an existing token holds for every score, since it does not ask which pair is merged, only
that all occurrences are merged in one step from the left. So ranked merges encode as training cut.

The slow twin is `toktk.educational.train_bpe`, given a score.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toktk.kernels import bpe_train as k
from toktk.kernels import inlined, kernel


class Ranking(NamedTuple):
    """The pairs by score, and by symbol."""

    tree: Any  # int32[2 * capacity], see above
    scores: Any  # float64[capacity], minus infinity where there is no pair
    links: Any  # int32[capacity, 2], the next pair that begins, and that ends, with the same symbol
    heads: Any  # int32[V, 2], the first such pair of each symbol, -1 if there is none
    seen: Any  # int32[capacity], the merge that listed a pair last
    changed: Any  # int32[capacity], the pairs that must be scored before the next merge
    # int64[5, capacity]: counts of pair, left, right symbol; lengths of the two in bytes
    features: Any
    symbols: Any  # int64[V], how often each symbol occurs


@kernel
def _better(scores, rows, i, j):
    """Return the pair to be merged first: the higher score, then the smaller pair of ids."""
    if scores[i] != scores[j]:
        return i if scores[i] > scores[j] else j
    return i if rows[i, k.KEY] < rows[j, k.KEY] else j


@kernel
def set_score(tree, scores, rows, pair, score):
    """Give one pair a score and mend the tree above it; `rows` are those of `Pairs`."""
    scores[pair] = score
    node = ((tree.size >> 1) + pair) >> 1
    while node > 0:
        best = _better(scores, rows, np.int64(tree[2 * node]), np.int64(tree[2 * node + 1]))
        if best == tree[node] and best != pair:
            break
        tree[node] = best
        node >>= 1


@kernel
def build_tree(tree, scores, rows):
    """Fill the tree."""
    capacity = tree.size >> 1
    for pair in range(capacity):
        tree[capacity + pair] = pair
    for node in range(capacity - 1, 0, -1):
        tree[node] = _better(scores, rows, np.int64(tree[2 * node]), np.int64(tree[2 * node + 1]))


@inlined
def _link(ranking, rows, pair):
    """List a new pair by its symbols."""
    a, b = rows[pair, k.KEY] >> 32, rows[pair, k.KEY] & 0xFFFFFFFF
    links, heads = ranking.links, ranking.heads
    links[pair, 0], links[pair, 1] = heads[a, 0], heads[b, 1]
    heads[a, 0] = pair
    heads[b, 1] = pair


@kernel
def link_first(ranking, rows, n):
    """List the pairs of bytes by their symbols, and all of them as changed."""
    for pair in range(n):
        _link(ranking, rows, pair)
        ranking.changed[pair] = pair


@kernel
def describe(ranking, rows, left, n):
    """Write the features of the first `n` changed pairs; `left` as in `Sides`."""
    features, symbols = ranking.features, ranking.symbols
    for i in range(n):
        pair = ranking.changed[i]
        a, b = rows[pair, k.KEY] >> 32, rows[pair, k.KEY] & 0xFFFFFFFF
        features[0, i] = rows[pair, k.COUNT]
        features[1, i], features[2, i] = symbols[a], symbols[b]
        features[3, i], features[4, i] = left[a, k.LENGTH], left[b, k.LENGTH]


@kernel
def _gather(ranking, rows, n, symbol, stamp, floor):
    """Append the pairs of `symbol` to the `n` changed ones, drop those below the floor; return n."""
    links, heads = ranking.links, ranking.heads
    for side in range(2):
        previous, pair = np.int64(-1), np.int64(heads[symbol, side])
        while pair >= 0:
            following = np.int64(links[pair, side])
            if rows[pair, k.COUNT] < floor:
                if previous < 0:
                    heads[symbol, side] = following
                else:
                    links[previous, side] = following
                set_score(ranking.tree, ranking.scores, rows, pair, -np.inf)
            else:
                previous = pair
                if ranking.seen[pair] != stamp:
                    ranking.seen[pair] = stamp
                    ranking.changed[n] = pair
                    n += 1
            pair = following
    return n


@kernel
def merge_best(arrays, merges, new_scores, state, floor, longest):
    """Enter the scores of the changed pairs, apply the best merge, and describe the pairs that it changed.

    A call costs as much as a rare merge. So one call does all this, and `arrays` holds Text, Pairs,
    Ranking and Sides as plain tuples, which numba takes several times faster than named ones.
    `new_scores` is float64, empty if none are new. Returns why it came back, and how many pairs
    have changed. It returns before the merge to grow an array.
    """
    text, pairs = k.Text(*arrays[0]), k.Pairs(*arrays[1])
    ranking, sides = Ranking(*arrays[2]), k.Sides(*arrays[3])
    rows, symbols = pairs.rows, ranking.symbols
    for i in range(new_scores.size):
        set_score(ranking.tree, ranking.scores, rows, np.int64(ranking.changed[i]), new_scores[i])
    best = np.int64(ranking.tree[1])
    if ranking.scores[best] == -np.inf:
        return k.EXHAUSTED, 0
    start, n = rows[best, k.START], rows[best, k.PLACES]
    if state[k.POOL_USED] + 3 * n > text.pool.size:
        return k.GROW_POOL, 0
    if state[k.N_PAIRS] + 2 * min(n, state[k.N_TOKENS]) + 1 > rows.shape[0]:
        return k.GROW_PAIRS, 0
    first_new = state[k.N_PAIRS]
    a, b, c = k.begin_merge(pairs, sides, merges, state, best)
    gathered = k.apply_merge(text, sides, start, n, a, b, c)
    total = gathered[4]  # not the pair's count: that of (a, a) counts overlaps
    symbols[a] -= total
    symbols[b] -= total
    symbols[c] = total
    k.settle(text, pairs, sides, state, (a, b, c), gathered, floor, longest)
    for pair in range(first_new, state[k.N_PAIRS]):
        _link(ranking, rows, pair)
    n_changed = np.int64(0)
    for symbol in (a, b, c):
        n_changed = _gather(ranking, rows, n_changed, symbol, state[k.N_MERGES], floor)
    describe(ranking, rows, sides.left, n_changed)
    return k.DONE, n_changed
