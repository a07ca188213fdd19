import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels import pair_heap


@given(st.integers(1, 2**62), st.integers(1, 2**62))
@example(2**11 - 1, 2**11)
@example(2**53, 2**53 + 1)
def test_buckets_rise_with_the_count(one, other):
    low, high = sorted((one, other))
    assert 0 <= pair_heap.bucket_of(low) <= pair_heap.bucket_of(high) < pair_heap.N_BUCKETS


def test_small_counts_have_a_bucket_each():
    buckets = [int(pair_heap.bucket_of(count)) for count in range(1, 2 ** (pair_heap.MANTISSA + 1))]
    assert len(set(buckets)) == len(buckets)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_heap_gives_the_largest_count_and_then_the_smallest_key(entries):
    heap = np.empty((max(len(entries), 1), 3), np.int64)
    for index, (count, key) in enumerate(entries):
        pair_heap.push(heap, index, count, key, index)
    popped = []
    for size in range(len(entries), 0, -1):
        popped.append(tuple(heap[0, :2].tolist()))
        pair_heap.drop_top(heap, size)
    assert popped == sorted(entries, key=lambda entry: (-entry[0], entry[1]))
