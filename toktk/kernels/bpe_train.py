"""BPE training: the merge loop over flattened pieces. Its slow twin is `toktk.educational.train_bpe`.

All pieces lie in one row of *cells*, a sentinel before, between and after them, those of equal
counts together, the rarest first. The first and the last cell of a token hold its id, so both
neighbors of a token are found without links. No id comes back to a cell that it has left, for a token
there would need a border that is gone; so the cells alone tell whether a pair is still at a place.
The places of a pair ascend, so the count of each is mostly that of the place before: a count per
piece would cost a cache miss per occurrence, and one per cell would double the cells.

All occurrences of a pair appear in the step that creates its newer symbol, so they form one *run*
of the pool. Afterwards the count of the pair only falls. So a heap with lazy re-insertion is exact,
and a pair born below the floor can be dropped. Where all runs would take too much memory, only frequent
pairs have one. The others are counted all the same; when the best pair is one of these, their places are
looked for in the cells.

No merge spells a token that exists, so nothing needs to be looked up. Proof: suppose two
occurrences of a string end up as two adjacent tokens each, with token borders at both ends. Borders
never come back, so no merge ever crossed them. Inside, both are cut alike after every merge: a run
of x x x … that reaches in from the left brings an even number of x, else a merge would cross the
border. So both become one token in the same step. Length limit and floor are properties of the pair
and change nothing.

The heap holds only the pairs of the highest bucket of counts. The others wait in one linked list
for each bucket, so a pair that is never reached costs O(1) and the heap stays in the cache.

A rare merge waits for memory at each step: row, places, cells, neighbors, pairs with these. So while one is
made, the memory of the next, which is at the top of the heap, is asked for, one such step after the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import prefetch
from toktk.kernels.pair_heap import HEAP_ARITY, bucket_of, comes_before, drop_top, push

SENTINEL, INTERIOR, FIRST_ID = range(3)  # what cells hold; of an id, its sum with the last
AHEAD = 12  # occurrences between a prefetch and its use
SEEN = 12  # places of the merge that is likely next for which memory is asked ahead

# Fields of the int64 state vector.
# `LEAST_PLACED` is the count from which on a new pair has a run.
N_TOKENS, N_MERGES, N_PAIRS, POOL_USED, HEAP_SIZE, BUCKET, LEAST_PLACED = range(7)
STATE_SIZE = 7

# Why `merge_steps` came back.
DONE, EXHAUSTED, PAUSED, GROW_POOL, GROW_PAIRS, PLACE = range(6)


class Text(NamedTuple):
    """The text as it is cut so far."""

    cells: Any  # uint16 or uint32, see above
    weights: Any  # int64, the distinct counts of pieces, ascending
    ends: Any  # int64, the cell behind the pieces of each of these counts
    pool: Any  # int32 or int64, the places of all pairs, a run for each
    births: Any  # like `pool`, [merges of a step, 4]: what stands around each merge, columns BEFORE to HERE


# Left neighbor, its place, right neighbor, place of the merge.
BEFORE, BEFORE_AT, AFTER, HERE = range(4)


class Pairs(NamedTuple):
    """All pairs that may still be merged."""

    table: Any  # int32, a hash table of indices into `rows`, -1 where free
    rows: Any  # int64[capacity, 4], columns KEY to PLACES


# left << 32 | right, count, begin of the run, its length (without a run: at least the occurrences).
KEY, COUNT, START, PLACES = range(4)
# Instead of the begin of a run: that of a pair merged or below the floor; of one that has no run yet.
GONE, UNPLACED = -1, -2


class Queue(NamedTuple):
    """The pairs by count."""

    heap: Any  # int64[capacity, 3]: count, key, index of a pair
    links: Any  # int32[capacity], the next pair of the same bucket, -1 after the last
    buckets: Any  # int32[N_BUCKETS], the first pair of each, -1 if there is none


class Sides(NamedTuple):
    """What a merge gathers about its neighbors."""

    left: Any  # int64[V, 4] by left neighbor, columns WEIGHT to LENGTH
    right: Any  # the same by right neighbor
    touched: Any  # int32[2, V], the left and the right neighbors met


# Of a neighbor; begin of its run or -1; its length in bytes.
WEIGHT, OCCURRENCES, RUN, LENGTH = range(4)


@inlined
def _class_of(values, value, first):
    """Return the first index from `first` on whose value (ascending) is above `value`."""
    last = values.size
    while first < last:
        middle = (first + last) >> 1
        if values[middle] > value:
            last = middle
        else:
            first = middle + 1
    return first


@inlined
def _class_of_count(weights, classes, count):
    """Return the index of `count` in `weights`; `classes` (int64) knows it for small counts."""
    return classes[count] if count < classes.size else _class_of(weights, count - 1, 0)


@kernel
def count_cells(offsets, counts, weights, classes, sizes):
    """Add up the cells of the pieces of each count: ``sizes[i]`` (int64) belongs to ``weights[i]``."""
    for w in range(offsets.size - 1):
        n = offsets[w + 1] - offsets[w]
        if n > 1:
            sizes[_class_of_count(weights, classes, counts[w])] += n + 1


@kernel
def lay_out(data, offsets, counts, weights, classes, ids, cursor, cells):
    """Fill `cells` with the pieces longer than one byte; those of a count begin at its `cursor`."""
    cells[0] = SENTINEL
    for w in range(offsets.size - 1):
        start, end = offsets[w], offsets[w + 1]
        if end - start < 2:
            continue
        weight = _class_of_count(weights, classes, counts[w])
        p = cursor[weight]
        for i in range(start, end):
            cells[p] = ids[data[i]] + FIRST_ID
            p += 1
        cells[p] = SENTINEL
        cursor[weight] = p + 1


@kernel
def count_bytes(data, offsets, counts, ids, base, symbols, pairs, occurrences):
    """Add up how often each byte occurs, and each pair of bytes, in text and in the pieces.

    `symbols` is int64[256], `pairs` and `occurrences` are int64[256 * 256], by ids, which begin at `base`.
    """
    for w in range(offsets.size - 1):
        before = np.int64(-1)
        for i in range(offsets[w], offsets[w + 1]):
            symbol = ids[data[i]] - base
            symbols[symbol] += counts[w]
            if before >= 0:
                pairs[256 * before + symbol] += counts[w]
                occurrences[256 * before + symbol] += 1
            before = symbol


@inlined
def _slot_of(key, table):
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((h ^ (h >> np.uint64(32))) & np.uint64(table.size - 1))


@inlined
def _find_pair(pairs, key):
    """Return the index of pair `key`, or -1."""
    h = _slot_of(key, pairs.table)
    while pairs.table[h] >= 0:
        if pairs.rows[pairs.table[h], KEY] == key:
            return np.int64(pairs.table[h])
        h = (h + 1) & (pairs.table.size - 1)
    return np.int64(-1)


@inlined
def _insert_pair(pairs, key, index):
    """Enter a pair that is known to be absent."""
    h = _slot_of(key, pairs.table)
    while pairs.table[h] >= 0:
        h = (h + 1) & (pairs.table.size - 1)
    pairs.table[h] = index
    pairs.rows[index, KEY] = key


@kernel
def rehash(pairs, n):
    """Enter the first `n` pairs into the empty table (all -1, a power of two long)."""
    for index in range(n):
        _insert_pair(pairs, pairs.rows[index, KEY], index)


@inlined
def _enqueue(queue, state, index, count, key):
    """Put a pair into the heap if it belongs to the bucket at hand (or above), else into its list."""
    b = bucket_of(count)
    if b >= state[BUCKET]:
        push(queue.heap, state[HEAP_SIZE], count, key, index)
        state[HEAP_SIZE] += 1
    else:
        queue.links[index] = queue.buckets[b]
        queue.buckets[b] = index


@kernel
def enqueue_new(queue, pairs, state, first):
    """Queue the pairs from `first` on."""
    for index in range(first, state[N_PAIRS]):
        _enqueue(queue, state, index, pairs.rows[index, COUNT], pairs.rows[index, KEY])


@kernel
def _next_bucket(queue, pairs, state, floor):
    """Load the heap from the highest bucket that holds a pair; return False when there is none."""
    rows = pairs.rows
    lowest = bucket_of(floor)
    while state[HEAP_SIZE] == 0 and state[BUCKET] > lowest:
        state[BUCKET] -= 1
        index = np.int64(queue.buckets[state[BUCKET]])
        queue.buckets[state[BUCKET]] = -1
        while index >= 0:
            following = np.int64(queue.links[index])
            if rows[index, COUNT] >= floor and rows[index, START] != GONE:
                _enqueue(queue, state, index, rows[index, COUNT], rows[index, KEY])
            index = following
    return state[HEAP_SIZE] > 0


@inlined
def begin_merge(pairs, sides, merges, state, index):
    """Write pair `index` down as the next merge and take it out of the pairs; return left, right, new id."""
    key, c, m = pairs.rows[index, KEY], state[N_TOKENS], state[N_MERGES]
    a, b = key >> 32, key & 0xFFFFFFFF
    merges[m, 0], merges[m, 1], merges[m, 2], merges[m, 3] = a, b, c, pairs.rows[index, COUNT]
    length = sides.left[a, LENGTH] + sides.left[b, LENGTH]
    sides.left[c, LENGTH] = sides.right[c, LENGTH] = length
    state[N_TOKENS] += 1
    state[N_MERGES] += 1
    pairs.rows[index, COUNT], pairs.rows[index, START] = 0, GONE
    return a, b, c


@kernel
def apply_merge(text, sides, start, n, a, b, c):
    """Merge (a, b) into c at the `n` places of one run, and gather what stands around the merges.

    Returns the numbers of left neighbors, right neighbors and merges, and the weights of (c, c) and of
    all merges.
    """
    cells, weights, ends, pool, births = text
    left, right, touched = sides
    n_left = n_right = n_births = np.int64(0)
    twin = total = np.int64(0)
    la, lb = left[a, LENGTH], left[b, LENGTH]
    weight = end = np.int64(0)
    of_weight = np.int64(-1)
    for k in range(start, start + n):
        if k + AHEAD < start + n:
            prefetch(cells, np.int64(pool[k + AHEAD]))
        p = np.int64(pool[k])
        q = p + la
        if cells[p] != a + FIRST_ID or cells[q] != b + FIRST_ID:
            continue
        if p >= end:
            of_weight = _class_of(ends, p, of_weight + 1)
            weight, end = weights[of_weight], ends[of_weight]
        total += weight
        r = q + lb
        before, after = np.int64(cells[p - 1]) - FIRST_ID, np.int64(cells[r]) - FIRST_ID
        if lb > 1:
            cells[q] = INTERIOR
        cells[p] = cells[r - 1] = c + FIRST_ID
        births[n_births, BEFORE] = births[n_births, AFTER] = -1
        births[n_births, HERE] = p
        if before >= 0:
            if before == c:
                twin += weight
            else:
                if left[before, OCCURRENCES] == 0:
                    touched[0, n_left] = before
                    n_left += 1
                left[before, WEIGHT] += weight
                left[before, OCCURRENCES] += 1
            births[n_births, BEFORE] = before
            births[n_births, BEFORE_AT] = p - left[before, LENGTH]
        if after >= 0:
            if right[after, OCCURRENCES] == 0:
                touched[1, n_right] = after
                n_right += 1
            right[after, WEIGHT] += weight
            right[after, OCCURRENCES] += 1
            births[n_births, AFTER] = after
        n_births += 1
    return n_left, n_right, n_births, twin, total


@inlined
def _add_pair(pairs, state, key, count, places):
    """Make a pair, with a run of `places` if it is frequent; return where the run starts."""
    index, start = state[N_PAIRS], np.int64(UNPLACED)
    _insert_pair(pairs, key, index)
    if count >= state[LEAST_PLACED]:
        start = state[POOL_USED]
        state[POOL_USED] += places
    pairs.rows[index, COUNT], pairs.rows[index, START] = count, start
    pairs.rows[index, PLACES] = places
    state[N_PAIRS] += 1
    return start


@inlined
def _fetch_pairs(pairs, touched, gathered, a, b, c):
    """Ask for the memory of the pairs that a merge changes, and of the slots of those that it makes."""
    table = pairs.table
    for side in range(2):
        for i in range(gathered[side]):
            x = np.int64(touched[side, i])
            prefetch(table, _slot_of((b << 32) | x if side else (x << 32) | a, table))
            prefetch(table, _slot_of((c << 32) | x if side else (x << 32) | c, table))
    for side in range(2):
        for i in range(gathered[side]):
            x = np.int64(touched[side, i])
            slot = _slot_of((b << 32) | x if side else (x << 32) | a, table)
            prefetch(pairs.rows, 4 * np.int64(max(table[slot], 0)))


@kernel
def settle(text, pairs, sides, state, merge, gathered, floor, longest):
    """Turn what `apply_merge` gathered for `merge` (a, b, c) into counts, new pairs and their runs.

    The caller queues the new pairs, which follow the old ones. The gathering arrays are cleared.
    """
    births, pool = text.births, text.pool
    left, right, touched = sides
    a, b, c = merge
    room = longest - left[c, LENGTH]
    twin = gathered[3]
    _fetch_pairs(pairs, touched, gathered, a, b, c)
    for side, around in enumerate((left, right)):
        for i in range(gathered[side]):
            x = np.int64(touched[side, i])
            weight, places = around[x, WEIGHT], around[x, OCCURRENCES]
            around[x, WEIGHT] = around[x, OCCURRENCES] = 0
            old = _find_pair(pairs, (b << 32) | x if side else (x << 32) | a)
            if old >= 0 and pairs.rows[old, START] != GONE:
                pairs.rows[old, COUNT] -= weight
            if side and x == a:
                weight -= twin  # a following merge undid as many (c, a) as there are (c, c)
            around[x, RUN] = -1
            if weight >= floor and around[x, LENGTH] <= room:
                key = (c << 32) | x if side else (x << 32) | c
                around[x, RUN] = _add_pair(pairs, state, key, weight, places)
    both = np.int64(-1)  # where the run of (c, c) goes on
    if twin >= floor and left[c, LENGTH] <= room:
        both = _add_pair(pairs, state, (c << 32) | c, twin, gathered[2])
    for i in range(gathered[2]):
        x = births[i, BEFORE]
        if x == c:
            if both >= 0:
                pool[both] = births[i, BEFORE_AT]
                both += 1
        elif x >= 0 and left[x, RUN] >= 0:
            pool[left[x, RUN]] = births[i, BEFORE_AT]
            left[x, RUN] += 1
        x = births[i, AFTER]
        if x >= 0 and right[x, RUN] >= 0:
            pool[right[x, RUN]] = births[i, HERE]
            right[x, RUN] += 1
    if both >= 0:
        pairs.rows[state[N_PAIRS] - 1, PLACES] = both - pairs.rows[state[N_PAIRS] - 1, START]
        state[POOL_USED] = both


@kernel
def place_bytes(cells, base, cursor, pool):
    """Write the places of the pairs of bytes, where `cells` holds nothing else.

    `base` is the first id of a byte. ``cursor[256 * a + b]`` (int64) says where those of (a, b), counted from
    `base`, begin in `pool`; -1: they are left out.
    """
    before = np.int64(-1)
    for p in range(cells.size):
        symbol = np.int64(cells[p]) - FIRST_ID - base
        if before >= 0 and symbol >= 0:
            at = cursor[256 * before + symbol]
            if at >= 0:
                pool[at] = p - 1
                cursor[256 * before + symbol] = at + 1
        before = symbol


@kernel
def place(text, pairs, sides, n, block):
    """Count the places of the first `n` pairs anew; write those of pairs with a run to it.

    `block` is int64[rows, 3], scratch: what many places need of memory is asked for at once.
    """
    cells, pool, table, rows = text.cells, text.pool, pairs.table, pairs.rows
    for index in range(n):
        rows[index, PLACES] = 0
    p = np.int64(0)
    while p < cells.size:
        n_keys = 0
        while p < cells.size and n_keys < block.shape[0]:
            if cells[p] == SENTINEL:
                p += 1
                continue
            a = np.int64(cells[p]) - FIRST_ID
            q = p + sides.left[a, LENGTH]
            if cells[q] != SENTINEL:
                key = (a << 32) | (np.int64(cells[q]) - FIRST_ID)
                slot = _slot_of(key, table)
                prefetch(table, slot)
                block[n_keys, 0], block[n_keys, 1], block[n_keys, 2] = key, slot, p
                n_keys += 1
            p = q
        for i in range(n_keys):
            prefetch(rows, 4 * np.int64(max(table[block[i, 1]], 0)))
        for i in range(n_keys):
            index = _find_pair(pairs, block[i, 0])
            if index >= 0:
                if rows[index, START] >= 0:
                    pool[rows[index, START] + rows[index, PLACES]] = block[i, 2]
                rows[index, PLACES] += 1


@kernel
def _fetch_next(pairs, heap, size, pool):
    """Ask for the rows of the pairs that are likely merged soon, and for the places of the second one.

    Returns the pair that is likely next, or -1.
    """
    rows = pairs.rows
    if size <= HEAP_ARITY:
        return np.int64(-1)
    second = 1
    for i in range(1, HEAP_ARITY + 1):
        prefetch(rows, 4 * heap[i, 2])
        if comes_before(heap, i, heap[second, 0], heap[second, 1]):
            second = i
    start = rows[heap[second, 2], START]
    if start >= 0:
        prefetch(pool, start)
        prefetch(pool, start + SEEN - 1)
    return heap[0, 2] if rows[heap[0, 2], START] >= 0 else np.int64(-1)


@kernel
def _fetch_around(text, pairs, sides, index, stage):
    """Ask for what merging a pair with a run needs at its first places.

    Stage 0: their cells. 1: of their neighbors, the sums and the slots of the pairs. 2: the rows of these.
    """
    cells, pool, table = text.cells, text.pool, pairs.table
    start = pairs.rows[index, START]
    stop = start + min(pairs.rows[index, PLACES], SEEN)
    if stage == 0:
        for k in range(start, stop):
            prefetch(cells, np.int64(pool[k]))
        return
    a, b = pairs.rows[index, KEY] >> 32, pairs.rows[index, KEY] & 0xFFFFFFFF
    la, lb = sides.left[a, LENGTH], sides.left[b, LENGTH]
    for k in range(start, stop):
        p = np.int64(pool[k])
        q = p + la
        if cells[p] != a + FIRST_ID or cells[q] != b + FIRST_ID:
            continue
        for side, around in enumerate((sides.left, sides.right)):
            x = np.int64(cells[q + lb] if side else cells[p - 1]) - FIRST_ID
            if x >= 0:
                slot = _slot_of((b << 32) | x if side else (x << 32) | a, table)
                if stage == 1:
                    prefetch(around, 4 * x)
                    prefetch(table, slot)
                else:
                    prefetch(pairs.rows, 4 * np.int64(max(table[slot], 0)))


@kernel
def merge_steps(text, pairs, queue, sides, merges, state, target, floor, longest, budget):
    """Merge until `target` tokens exist; come back early to grow an array or after `budget` merges.

    `merges` (int64[:, 4]) receives left id, right id, new id and the count at the merge.
    """
    heap, rows = queue.heap, pairs.rows
    stop = state[N_MERGES] + budget
    while state[N_TOKENS] < target:
        if state[HEAP_SIZE] == 0 and not _next_bucket(queue, pairs, state, floor):
            return EXHAUSTED
        count, key, index = heap[0, 0], heap[0, 1], heap[0, 2]
        now = rows[index, COUNT]
        if count != now:
            state[HEAP_SIZE] = drop_top(heap, state[HEAP_SIZE])
            if now >= floor:
                _enqueue(queue, state, index, now, key)
            continue
        start, n = rows[index, START], rows[index, PLACES]
        if start == UNPLACED:
            return PLACE
        if state[POOL_USED] + 3 * n > text.pool.size:
            return GROW_POOL
        most_new = 2 * min(n, state[N_TOKENS]) + 1
        if max(state[N_PAIRS], state[HEAP_SIZE]) + most_new > heap.shape[0]:
            return GROW_PAIRS
        if state[N_MERGES] == stop:
            return PAUSED
        state[HEAP_SIZE] = drop_top(heap, state[HEAP_SIZE])
        first_new = state[N_PAIRS]
        following = _fetch_next(pairs, heap, state[HEAP_SIZE], text.pool)
        if following >= 0:
            _fetch_around(text, pairs, sides, following, 0)
        a, b, c = begin_merge(pairs, sides, merges, state, index)
        gathered = apply_merge(text, sides, start, n, a, b, c)
        if following >= 0:
            _fetch_around(text, pairs, sides, following, 1)
        settle(text, pairs, sides, state, (a, b, c), gathered, floor, longest)
        enqueue_new(queue, pairs, state, first_new)
        if following >= 0:
            _fetch_around(text, pairs, sides, following, 2)
    return DONE
