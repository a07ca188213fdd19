"""BPE training by any score of a pair: one exact merge at a time.

A score may hang on how often the two symbols occur. A merge changes that for both of its symbols, and
then the scores of all their pairs may rise as well as fall, so no lazy queue is exact, and every pair of
these symbols is scored anew. Hence each symbol has two lists of pairs, those it begins and those it ends,
and a tournament tree over the pairs holds the best one: a new score costs O(log n) at most, and O(1)
where it decides nothing, which is nearly always.

The tree is int32[2 * capacity]: node i has the children 2 * i and 2 * i + 1, node capacity + p stands for
pair p, and each node names the best pair below it. A pair whose count has fallen below the floor scores
minus infinity and leaves the lists when they are next walked; its count never rises again.

Cells, runs of occurrences and the table of pairs are those of `toktk.kernels.bpe_train`. Its proof that no
merge spells an existing token asks only that all occurrences of a pair are merged in one step, from the
left, whichever pair it is, so it holds for every score; and ranked merges then encode as training cut.

The slow twin is `toktk.educational.train_bpe`, given a score.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.bpe_train import (
    DONE,
    EXHAUSTED,
    GROW_PAIRS,
    GROW_POOL,
    N_MERGES,
    N_PAIRS,
    N_TOKENS,
    POOL_USED,
    apply_merge,
    insert_pair,
    lower,
    place_births,
)


@kernel
def count_symbols(data, offsets, counts, byte_ids, symbols):
    """Add to ``symbols[id]`` how often each byte occurs, pieces of one byte included."""
    for w in range(offsets.size - 1):
        for i in range(offsets[w], offsets[w + 1]):
            symbols[byte_ids[data[i]]] += counts[w]


@kernel
def _better(scores, pairs, i, j):
    """Return the pair to be merged first: the higher score, then the smaller pair of ids."""
    if scores[i] != scores[j]:
        return i if scores[i] > scores[j] else j
    return i if pairs[i, 0] < pairs[j, 0] else j


@kernel
def set_score(tree, scores, pairs, pair, score):
    """Give one pair a score and mend the tree above it."""
    scores[pair] = score
    node = ((tree.size >> 1) + pair) >> 1
    while node > 0:
        best = _better(scores, pairs, np.int64(tree[2 * node]), np.int64(tree[2 * node + 1]))
        if best == tree[node] and best != pair:
            break
        tree[node] = best
        node >>= 1


@kernel
def build_tree(tree, scores, pairs):
    """Fill the tree; `scores` (float64[capacity]) is minus infinity where there is no pair."""
    capacity = tree.size >> 1
    for pair in range(capacity):
        tree[capacity + pair] = pair
    for node in range(capacity - 1, 0, -1):
        tree[node] = _better(scores, pairs, np.int64(tree[2 * node]), np.int64(tree[2 * node + 1]))


@kernel
def enter_scores(tree, scores, pairs, changed, n, new):
    """Give the first `n` of the `changed` pairs their `new` scores (float64[n])."""
    for i in range(n):
        set_score(tree, scores, pairs, np.int64(changed[i]), new[i])


@inlined
def _link(links, heads, pair, a, b):
    links[pair, 0], links[pair, 1] = heads[a, 0], heads[b, 1]
    heads[a, 0] = pair
    heads[b, 1] = pair


@kernel
def link_first(links, heads, pairs, changed, n):
    """List the pairs of bytes by their symbols, and all of them as changed."""
    for pair in range(n):
        _link(links, heads, pair, pairs[pair, 0] >> 32, pairs[pair, 0] & 0xFFFFFFFF)
        changed[pair] = pair


@kernel
def describe(pairs, symbols, left, changed, n, features):
    """Write what a score is made of, for each of the first `n` changed pairs.

    `features` (int64[5, >=n]): count of the pair, of its left and of its right symbol, and the lengths of
    the two in bytes.
    """
    for i in range(n):
        pair = changed[i]
        a, b = pairs[pair, 0] >> 32, pairs[pair, 0] & 0xFFFFFFFF
        features[0, i] = pairs[pair, 1]
        features[1, i], features[2, i] = symbols[a], symbols[b]
        features[3, i], features[4, i] = left[a, 3], left[b, 3]


@kernel
def _add(table, pairs, links, heads, state, a, b, count, room):
    """Make pair (a, b) with a run of `room` places; return where the run starts."""
    pair, start = state[N_PAIRS], state[POOL_USED]
    insert_pair(table, pairs, (a << 32) | b, pair)
    pairs[pair, 1], pairs[pair, 2], pairs[pair, 3] = count, start, room
    _link(links, heads, pair, a, b)
    state[N_PAIRS] += 1
    state[POOL_USED] += room
    return start


@kernel
def _settle(table, pairs, links, heads, state, pool, a, b, c, found, left, right, touched, births,
            floor, longest):  # fmt: skip
    """Turn what `apply_merge` gathered into counts, new pairs and their runs."""
    n_left, n_right, n_births, twin = found
    room = longest - left[c, 3]
    for i in range(n_left):
        x = np.int64(touched[0, i])
        lower(table, pairs, x, a, left[x, 0])
        left[x, 2] = -1
        if left[x, 0] >= floor and left[x, 3] <= room:
            left[x, 2] = _add(table, pairs, links, heads, state, x, c, left[x, 0], left[x, 1])
    for i in range(n_right):
        x = np.int64(touched[1, i])
        lower(table, pairs, b, x, right[x, 0])
        # A following merge undid as many (c, a) as there are (c, c).
        count = right[x, 0] - twin if x == a else right[x, 0]
        right[x, 2] = -1
        if count >= floor and right[x, 3] <= room:
            right[x, 2] = _add(table, pairs, links, heads, state, c, x, count, right[x, 1])
    both = np.int64(-1)
    if twin >= floor and left[c, 3] <= room:
        both = _add(table, pairs, links, heads, state, c, c, twin, n_births)
    both = place_births(pool, births, touched, left, right, c, both, (n_left, n_right, n_births))
    if both >= 0:
        pairs[state[N_PAIRS] - 1, 3] = both - pairs[state[N_PAIRS] - 1, 2]
        state[POOL_USED] = both


@kernel
def _gather(pairs, links, heads, seen, tree, scores, changed, n, symbol, stamp, floor):
    """Append the pairs of `symbol` to the `n` changed ones, drop those below the floor; return n."""
    for side in range(2):
        previous, pair = np.int64(-1), np.int64(heads[symbol, side])
        while pair >= 0:
            following = np.int64(links[pair, side])
            if pairs[pair, 1] < floor:
                if previous < 0:
                    heads[symbol, side] = following
                else:
                    links[previous, side] = following
                set_score(tree, scores, pairs, pair, -np.inf)
            else:
                previous = pair
                if seen[pair] != stamp:
                    seen[pair] = stamp
                    changed[n] = pair
                    n += 1
            pair = following
    return n


@kernel
def merge_best(cells, weights, pool, table, pairs, links, heads, seen, tree, scores, merges, left,
               right, touched, births, symbols, changed, state, floor, longest):  # fmt: skip
    """Apply the best merge and list the pairs that must be scored before the next one.

    Args:
        links: int32[capacity, 2], the next pair that begins, and that ends, with the same symbol.
        heads: int32[V, 2], the first such pair of each symbol. -1 ends a list.
        seen: int32[capacity], the merge that listed a pair last.
        symbols: int64[V], how often each symbol occurs.
        changed: int32[capacity], filled.
        The others are those of `toktk.kernels.bpe_train.merge_steps`.

    Returns why it came back, and how many pairs have changed. It returns early to grow an array.
    """
    best = np.int64(tree[1])
    if scores[best] == -np.inf:
        return EXHAUSTED, 0
    key, count, start, n = pairs[best, 0], pairs[best, 1], pairs[best, 2], pairs[best, 3]
    if state[POOL_USED] + 3 * n > pool.size:
        return GROW_POOL, 0
    if state[N_PAIRS] + 2 * min(n, state[N_TOKENS]) + 1 > pairs.shape[0]:
        return GROW_PAIRS, 0
    a, b, c, m = key >> 32, key & 0xFFFFFFFF, state[N_TOKENS], state[N_MERGES]
    merges[m, 0], merges[m, 1], merges[m, 2], merges[m, 3] = a, b, c, count
    left[c, 3] = right[c, 3] = left[a, 3] + left[b, 3]
    state[N_TOKENS] += 1
    state[N_MERGES] += 1
    pairs[best, 1], pairs[best, 2] = 0, -1
    found = apply_merge(cells, weights, pool, start, n, a, b, c, left, right, touched, births)
    total = np.int64(0)  # not `count`: that of (a, a) counts overlaps
    for i in range(found[2]):
        total += weights[cells[2 * births[i, 3] + 1]]
    symbols[a] -= total
    symbols[b] -= total
    symbols[c] = total
    _settle(table, pairs, links, heads, state, pool, a, b, c, found, left, right, touched, births,
            floor, longest)  # fmt: skip
    n_changed = 0
    for symbol in (a, b, c):
        n_changed = _gather(
            pairs, links, heads, seen, tree, scores, changed, n_changed, symbol, m + 1, floor
        )
    return DONE, n_changed
