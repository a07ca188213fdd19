"""BPE training: the merge loop over flattened pieces.

Layout. All pieces lie in one row of *cells*, a sentinel before, between and after them. A cell is two
int32: a symbol and a weight class. The first cell of a token holds its id, the last one ``~id`` (for a
one-byte token the one cell holds the id), so both neighbors of a token are found without links. The
weight class indexes the distinct counts, a table small enough for the first-level cache, while a count
per piece would cost a cache miss per occurrence.

Why it is exact with so little bookkeeping: all occurrences of a pair come into being in the one step
that creates its newer symbol, so they form one contiguous run of the pool; afterwards its count only
falls, so a heap with lazy re-insertion is exact and a pair born below the floor can be dropped.

No merge ever spells a token that exists, so there is nothing to look up. Say two occurrences of a string
end up as two adjacent tokens each, with token borders at both ends. Borders never come back, so no merge
ever crossed them; inside, both are cut alike after every merge (a run of x x x … that reaches in from the
left brings an even number of x, else a merge would cross the border). So both become one token in the
same step. Length limit and floor are properties of the pair and change nothing.

The heap holds only the pairs of the highest bucket of counts; all others wait in linked lists, one for
each bucket, so that a pair which is never reached costs O(1) and the heap stays in the cache.

The slow twin is `toktk.educational.train_bpe`.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import prefetch

SENTINEL = -(2**31)
INTERIOR = SENTINEL + 1
AHEAD = 12  # occurrences between a prefetch and its use

# Fields of the int64 state vector shared with toktk.trainers.bpe.
N_TOKENS, N_MERGES, N_PAIRS, POOL_USED, HEAP_SIZE, BUCKET = range(6)
STATE_SIZE = 6

MANTISSA = 10  # counts below 2 ** (MANTISSA + 1) have a bucket each
N_BUCKETS = 63 << MANTISSA

# Why `merge_steps` came back.
DONE, EXHAUSTED, PAUSED, GROW_POOL, GROW_PAIRS = range(5)


@kernel
def lay_out(data, offsets, weight_class, ids, cells):
    """Fill `cells` (int32[2 * positions]) with the pieces longer than one byte; return positions."""
    cells[0] = SENTINEL
    cells[1] = 0
    p = 1
    for w in range(offsets.size - 1):
        start, end = offsets[w], offsets[w + 1]
        if end - start < 2:
            continue
        for i in range(start, end):
            cells[2 * p] = ids[data[i]]
            cells[2 * p + 1] = weight_class[w]
            p += 1
        cells[2 * p] = SENTINEL
        cells[2 * p + 1] = 0
        p += 1
    return p


@kernel
def count_byte_pairs(cells, n, weights, base, size, totals, occurrences):
    """Add up weight and occurrences of each pair of one-byte tokens; ids lie in base..base+size."""
    for p in range(n - 1):
        a, b = cells[2 * p], cells[2 * p + 2]
        if a >= 0 and b >= 0:
            k = (a - base) * size + b - base
            totals[k] += weights[cells[2 * p + 1]]
            occurrences[k] += 1


@kernel
def fill_byte_pairs(cells, n, base, size, cursor, pool):
    """Write the position of each occurrence to its pair's run; `cursor` is -1 for dropped pairs."""
    for p in range(n - 1):
        a, b = cells[2 * p], cells[2 * p + 2]
        if a >= 0 and b >= 0:
            k = (a - base) * size + b - base
            if cursor[k] >= 0:
                pool[cursor[k]] = p
                cursor[k] += 1


@inlined
def _slot_of(key, table):
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((h ^ (h >> np.uint64(32))) & np.uint64(table.size - 1))


@inlined
def find_pair(table, pairs, key):
    """Return the index of pair `key`, or -1."""
    h = _slot_of(key, table)
    while table[h] >= 0:
        if pairs[table[h], 0] == key:
            return np.int64(table[h])
        h = (h + 1) & (table.size - 1)
    return np.int64(-1)


@inlined
def insert_pair(table, pairs, key, index):
    """Enter a pair that is known to be absent."""
    h = _slot_of(key, table)
    while table[h] >= 0:
        h = (h + 1) & (table.size - 1)
    table[h] = index
    pairs[index, 0] = key


@kernel
def rehash(table, pairs, n):
    """Enter the first `n` pairs into an empty `table` (all -1, a power of two long)."""
    for index in range(n):
        insert_pair(table, pairs, pairs[index, 0], index)


@kernel
def _before(heap, i, count, key):
    """Tell whether entry `i` comes before (count, key): more first, then the smaller pair of ids."""
    return heap[i, 0] > count or (heap[i, 0] == count and heap[i, 1] < key)


@kernel
def push(heap, size, count, key, index):
    """Push (count, key, index) on the heap of `size` entries (int64[:, 3])."""
    i = size
    while i > 0:
        parent = (i - 1) >> 2
        if _before(heap, parent, count, key):
            break
        for f in range(3):
            heap[i, f] = heap[parent, f]
        i = parent
    heap[i, 0], heap[i, 1], heap[i, 2] = count, key, index


@kernel
def replace_top(heap, size, count, key, index):
    """Put (count, key, index) in the place of the top entry."""
    i = 0
    while True:
        child = 4 * i + 1
        if child >= size:
            break
        best = child
        for j in range(child + 1, min(child + 4, size)):
            if _before(heap, j, heap[best, 0], heap[best, 1]):
                best = j
        if not _before(heap, best, count, key):
            break
        for f in range(3):
            heap[i, f] = heap[best, f]
        i = best
    heap[i, 0], heap[i, 1], heap[i, 2] = count, key, index


@kernel
def drop_top(heap, size):
    """Remove the top entry of a heap that has `size` entries."""
    last = size - 1
    if last > 0:
        replace_top(heap, last, heap[last, 0], heap[last, 1], heap[last, 2])


@kernel
def bucket_of(count):
    """Return the bucket of a count >= 1: the leading bits of its float64 form, hence monotone."""
    return (np.float64(count).view(np.int64) >> (52 - MANTISSA)) - (1023 << MANTISSA)


@inlined
def enqueue(queue, heap, links, buckets, index, count, key):
    """Put a pair into the heap if it belongs to the bucket at hand (or above), else into its list."""
    b = bucket_of(count)
    if b >= queue[BUCKET]:
        push(heap, queue[HEAP_SIZE], count, key, index)
        queue[HEAP_SIZE] += 1
    else:
        links[index] = buckets[b]
        buckets[b] = index


@kernel
def next_bucket(state, heap, links, buckets, pairs, floor):
    """Load the heap from the highest bucket that holds a pair; return False when there is none."""
    lowest = bucket_of(floor)
    while state[HEAP_SIZE] == 0 and state[BUCKET] > lowest:
        state[BUCKET] -= 1
        index = np.int64(buckets[state[BUCKET]])
        buckets[state[BUCKET]] = -1
        while index >= 0:
            following = np.int64(links[index])
            if pairs[index, 1] >= floor and pairs[index, 2] >= 0:
                enqueue(state, heap, links, buckets, index, pairs[index, 1], pairs[index, 0])
            index = following
    return state[HEAP_SIZE] > 0


@kernel
def enqueue_first(state, heap, links, buckets, pairs):
    """Queue the pairs of bytes."""
    state[BUCKET] = buckets.size
    for index in range(state[N_PAIRS]):
        enqueue(state, heap, links, buckets, index, pairs[index, 1], pairs[index, 0])


@kernel
def apply_merge(cells, weights, pool, start, n, a, b, c, left, right, touched, births):
    """Merge (a, b) into c at the `n` positions of one run.

    `left` and `right` (int64[V, 4]) gather weight and occurrences by neighbor; `touched` (int32[2, n])
    lists the neighbors met; `births` (int32[n, 4]) holds, per merge, the left neighbor and where it
    starts, the right neighbor (or -1) and where c starts. Returns the numbers of left neighbors, right
    neighbors, merges, and the weights of (c, c) and of the (c, a) that a following merge undid.
    """
    n_left = n_right = n_births = np.int64(0)
    twin = np.int64(0)
    la, lb = left[a, 3], left[b, 3]
    lc = la + lb
    for k in range(start, start + n):
        if k + AHEAD < start + n:
            prefetch(cells, 2 * np.int64(pool[k + AHEAD]))
        p = np.int64(pool[k])
        q = p + la
        if cells[2 * p] != a or cells[2 * q] != b:
            continue
        w = weights[cells[2 * p + 1]]
        r = q + lb
        before, after = np.int64(cells[2 * p - 2]), np.int64(cells[2 * r])
        if lb > 1:
            cells[2 * q] = INTERIOR
        cells[2 * p] = c
        cells[2 * r - 2] = ~c
        births[n_births, 0] = -1
        births[n_births, 2] = -1
        births[n_births, 3] = p
        if before != SENTINEL:
            neighbor = before if before >= 0 else ~before
            if neighbor == c:
                twin += w
                births[n_births, 0] = c
                births[n_births, 1] = p - lc
            else:
                if left[neighbor, 1] == 0:
                    touched[0, n_left] = neighbor
                    n_left += 1
                left[neighbor, 0] += w
                left[neighbor, 1] += 1
                births[n_births, 0] = neighbor
                births[n_births, 1] = p - left[neighbor, 3]
        if after >= 0:
            if right[after, 1] == 0:
                touched[1, n_right] = after
                n_right += 1
            right[after, 0] += w
            right[after, 1] += 1
            births[n_births, 2] = after
        n_births += 1
    return n_left, n_right, n_births, twin


@inlined
def _add(table, pairs, heap, links, buckets, state, key, count, room):
    """Make a pair with a run of `room` places; return where the run starts."""
    index = state[N_PAIRS]
    insert_pair(table, pairs, key, index)
    start = state[POOL_USED]
    pairs[index, 1], pairs[index, 2], pairs[index, 3] = count, start, room
    enqueue(state, heap, links, buckets, index, count, key)
    state[N_PAIRS] += 1
    state[POOL_USED] += room
    return start


@inlined
def lower(table, pairs, a, b, weight):
    """Take `weight` off the count of (a, b), if that pair is still of interest."""
    index = find_pair(table, pairs, (a << 32) | b)
    if index >= 0 and pairs[index, 2] >= 0:
        pairs[index, 1] -= weight


@kernel
def _renew(
    table, pairs, heap, links, buckets, state, side, neighbors, n, old, new, is_left, twin, limits
):
    """Lower the pairs that lost occurrences to one merge and make those that it gave birth to.

    After it ``side[x, 2]`` is where the run of neighbor x begins, -1 if there is none; ``side[x, 3]``
    is the length of x in bytes.
    """
    for i in range(n):
        x = np.int64(neighbors[i])
        weight = side[x, 0]
        if is_left:
            lower(table, pairs, x, old, weight)
            key = (x << 32) | new
        else:
            lower(table, pairs, old, x, weight)
            key = (new << 32) | x
            if x == limits[2]:
                weight -= twin
        side[x, 2] = -1
        if weight >= limits[0] and side[x, 3] <= limits[1]:
            side[x, 2] = _add(table, pairs, heap, links, buckets, state, key, weight, side[x, 1])


@kernel
def place_births(pool, births, touched, left, right, c, both, found):
    """Write where the new pairs occur into their runs, and clear the gathering arrays.

    The run of neighbor x begins at ``left[x, 2]`` or ``right[x, 2]``, that of (c, c) at `both`; -1 means
    there is none. `found` holds the numbers of left neighbors, right neighbors and merges. Returns where
    the run of (c, c) ends.
    """
    n_left, n_right, n_births = found
    for i in range(n_births):
        x = births[i, 0]
        if x == c:
            if both >= 0:
                pool[both] = births[i, 1]
                both += 1
        elif x >= 0 and left[x, 2] >= 0:
            pool[left[x, 2]] = births[i, 1]
            left[x, 2] += 1
        x = births[i, 2]
        if x >= 0 and right[x, 2] >= 0:
            pool[right[x, 2]] = births[i, 3]
            right[x, 2] += 1
    for i in range(n_left):
        left[touched[0, i], 0] = 0
        left[touched[0, i], 1] = 0
    for i in range(n_right):
        right[touched[1, i], 0] = 0
        right[touched[1, i], 1] = 0
    return both


@kernel
def _settle(table, pairs, heap, links, buckets, state, pool, a, b, c, found, left, right, touched,
            births, floor, longest):  # fmt: skip
    """Turn what `apply_merge` gathered into pairs, runs and heap entries, and clear the gathering arrays."""
    n_left, n_right, n_births, twin = found
    length = left[c, 3]
    limits = (floor, longest - length, a)
    _renew(
        table, pairs, heap, links, buckets, state, left, touched[0], n_left, a, c, 1, twin, limits
    )
    _renew(
        table, pairs, heap, links, buckets, state, right, touched[1], n_right, b, c, 0, twin, limits
    )
    both = np.int64(-1)
    if twin >= floor and 2 * length <= longest:
        both = _add(table, pairs, heap, links, buckets, state, (c << 32) | c, twin, n_births)
    both = place_births(pool, births, touched, left, right, c, both, (n_left, n_right, n_births))
    if both >= 0:
        pairs[state[N_PAIRS] - 1, 3] = both - pairs[state[N_PAIRS] - 1, 2]
        state[POOL_USED] = both


@kernel
def merge_steps(cells, weights, pool, table, pairs, heap, links, buckets, merges, left, right, touched,
                births, state, target, floor, longest, budget):  # fmt: skip
    """Merge until `target` tokens exist; come back early to grow an array or after `budget` merges.

    `merges` (int64[:, 4]) receives left id, right id, new id and the count at the merge.
    """
    stop = state[N_MERGES] + budget
    while state[N_TOKENS] < target:
        if state[HEAP_SIZE] == 0 and not next_bucket(state, heap, links, buckets, pairs, floor):
            return EXHAUSTED
        count, key, index = heap[0, 0], heap[0, 1], heap[0, 2]
        now = pairs[index, 1]
        if count != now:
            drop_top(heap, state[HEAP_SIZE])
            state[HEAP_SIZE] -= 1
            if now >= floor:
                enqueue(state, heap, links, buckets, index, now, key)
            continue
        start, n = pairs[index, 2], pairs[index, 3]
        if state[POOL_USED] + 3 * n > pool.size:
            return GROW_POOL
        room = 2 * min(n, state[N_TOKENS]) + 1
        if max(state[N_PAIRS], state[HEAP_SIZE]) + room > heap.shape[0]:
            return GROW_PAIRS
        if state[N_MERGES] == stop:
            return PAUSED
        drop_top(heap, state[HEAP_SIZE])
        state[HEAP_SIZE] -= 1
        a, b, c, m = key >> 32, key & 0xFFFFFFFF, state[N_TOKENS], state[N_MERGES]
        merges[m, 0], merges[m, 1], merges[m, 2], merges[m, 3] = a, b, c, count
        left[c, 3] = right[c, 3] = left[a, 3] + left[b, 3]
        state[N_TOKENS] += 1
        state[N_MERGES] += 1
        pairs[index, 1], pairs[index, 2] = 0, -1
        found = apply_merge(cells, weights, pool, start, n, a, b, c, left, right, touched, births)
        _settle(table, pairs, heap, links, buckets, state, pool, a, b, c, found, left, right, touched,
                births, floor, longest)  # fmt: skip
    return DONE
