"""A heap of pairs, the one to be merged first at the top; and buckets for pairs by count.

An entry, a row of int64[:, 3], is count, key and index of a pair. The slow twin is a sorted list.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel

HEAP_ARITY = 4
MANTISSA = 10  # counts below 2 ** (MANTISSA + 1) have a bucket each
N_BUCKETS = 63 << MANTISSA


@kernel
def comes_before(heap, i, count, key):
    """Tell whether entry `i` comes before (count, key): more first, then the smaller pair of ids."""
    return heap[i, 0] > count or (heap[i, 0] == count and heap[i, 1] < key)


@kernel
def push(heap, size, count, key, index):
    """Push (count, key, index) on the heap of `size` entries (int64[:, 3])."""
    i = size
    while i > 0:
        parent = (i - 1) // HEAP_ARITY
        if comes_before(heap, parent, count, key):
            break
        for f in range(3):
            heap[i, f] = heap[parent, f]
        i = parent
    heap[i, 0], heap[i, 1], heap[i, 2] = count, key, index


@kernel
def drop_top(heap, size):
    """Remove the top entry of a heap that has `size` entries; return how many are left."""
    size -= 1
    count, key, index = heap[size, 0], heap[size, 1], heap[size, 2]
    i = 0
    while HEAP_ARITY * i + 1 < size:
        best = child = HEAP_ARITY * i + 1
        for j in range(child + 1, min(child + HEAP_ARITY, size)):
            if comes_before(heap, j, heap[best, 0], heap[best, 1]):
                best = j
        if not comes_before(heap, best, count, key):
            break
        for f in range(3):
            heap[i, f] = heap[best, f]
        i = best
    heap[i, 0], heap[i, 1], heap[i, 2] = count, key, index
    return size


@kernel
def bucket_of(count):
    """Return the bucket of a count >= 1: the leading bits of its float64 form, hence monotone."""
    return (np.float64(count).view(np.int64) >> (52 - MANTISSA)) - (1023 << MANTISSA)
