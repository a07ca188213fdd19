from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.audit.text_sums import HashSums

rows = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 100)), max_size=60)


def summed(rows, spread, most, part=7):
    sums = HashSums(2, most)
    for at in range(0, len(rows), part):
        some = rows[at : at + part]
        hashes = np.array([h * spread for h, _, _ in some], np.uint64)
        groups = np.array([g for _, g, _ in some], np.int64)
        sums.add(hashes, groups, np.array([(1, n) for *_, n in some], np.int64).reshape(-1, 2))
    sums.settle()
    return sums


def slow(rows, spread):
    totals = defaultdict(lambda: [0, 0])
    for h, g, n in rows:
        totals[h * spread, g][0] += 1
        totals[h * spread, g][1] += n
    return dict(sorted(totals.items()))


@given(rows)
def test_sums_equal_the_slow_ones(rows):
    sums = summed(rows, 12345, 1000)
    keys = zip(sums.hashes.tolist(), sums.groups.tolist(), strict=True)
    assert dict(zip(keys, sums.sums.tolist(), strict=True)) == slow(rows, 12345)
    hashes, by_hash = sums.by_hash()
    for h, total in zip(hashes.tolist(), by_hash.tolist(), strict=True):
        of_hash = [t for (k, _), t in slow(rows, 12345).items() if k == h]
        assert total == np.sum(of_hash, axis=0).tolist()


@given(rows)
def test_a_sample_holds_all_of_a_hash_or_nothing(rows):
    spread = (1 << 64) // 10 - 1
    sums = summed(rows, spread, 4)
    limit = 2 ** (64 - sums.halvings) - 1
    expected = {k: v for k, v in slow(rows, spread).items() if not sums.halvings or k[0] < limit}
    keys = [*zip(sums.hashes.tolist(), sums.groups.tolist(), strict=True)]
    assert dict(zip(keys, sums.sums.tolist(), strict=True)) == expected
    assert len(keys) <= 4
    assert sums.halvings == 0 or len(slow(rows, spread)) > 4
