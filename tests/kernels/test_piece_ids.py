"""Ids of pieces, against dictionaries of sets."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toktk.kernels.piece_ids import mark_blocks, read_ids

N_IDS = 9
spelled = st.lists(st.integers(0, N_IDS - 1), max_size=5)


@given(st.lists(st.none() | spelled, min_size=1, max_size=6), st.data())
def test_ids_that_one_block_alone_has(pieces, data):
    n = len(pieces)
    documents = data.draw(st.lists(st.lists(st.integers(0, n - 1), max_size=6), max_size=8))
    some = st.integers(-1, 63)
    block_of = data.draw(st.lists(some, min_size=len(documents), max_size=len(documents)))
    ends = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    numbers = np.array([i for document in documents for i in document], dtype=np.int32)
    blocks = np.zeros(n, dtype=np.uint64)
    mark_blocks(numbers, ends, np.array(block_of, dtype=np.int64), blocks)
    having = [
        {b for b, d in zip(block_of, documents, strict=True) if b >= 0 and s in d} for s in range(n)
    ]
    assert blocks.tolist() == [sum(1 << b for b in own) for own in having]
    first_of = np.full(n, -1, dtype=np.int64)
    ids: list[int] = []
    for s, own in enumerate(pieces):
        if own is not None:
            first_of[s] = len(ids)
            ids += own
    tokens = np.array([len(own or ()) for own in pieces], dtype=np.int32)
    value_of = 2.0 ** np.arange(N_IDS)
    sums, alone = np.full(n, np.nan), np.zeros(64, dtype=np.int64)
    n_used = read_ids(
        np.array(ids, dtype=np.uint32), first_of, tokens, value_of, blocks, sums,
        np.zeros(N_IDS, dtype=np.uint64), alone,
    )  # fmt: skip
    assert sums.tolist() == [sum(2.0**i for i in own or ()) for own in pieces]
    with_id = [
        set().union(*(having[s] for s, own in enumerate(pieces) if own and i in own))
        for i in range(N_IDS)
    ]
    assert n_used == sum(map(bool, with_id))
    wanted = Counter(next(iter(blocks)) for blocks in with_id if len(blocks) == 1)
    assert {b: n for b, n in enumerate(alone.tolist()) if n} == wanted
