from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from toktk.kernels import spans as k
from toktk.pieces.table import by_bytes

parts = st.lists(
    st.one_of(st.binary(max_size=20), st.text("ab\0", max_size=12).map(str.encode)), max_size=40
)
alike = [b"same head " + bytes([i % 251, i // 251]) for i in range(100)]


def buffer(parts):
    data = np.frombuffer(b"".join(parts), np.uint8)
    return data, np.cumsum([0, *map(len, parts)], dtype=np.int64)


def heads_of(data, offsets):
    heads = np.empty(offsets.size - 1, np.uint64)
    k.write_heads(data, offsets[:-1], np.diff(offsets), heads)
    return heads


@given(parts, st.data())
def test_gather(parts, draw):
    data, offsets = buffer(parts)
    chosen = draw.draw(st.lists(st.integers(0, max(len(parts) - 1, 0)), max_size=40 * bool(parts)))
    new_offsets = np.cumsum([0, *(len(parts[i]) for i in chosen)], dtype=np.int64)
    packed = np.full(int(new_offsets[-1]), 255, np.uint8)
    k.gather_spans(data, offsets[np.array(chosen, np.int64)], new_offsets, packed)
    assert [bytes(packed[a:b]) for a, b in pairwise(new_offsets.tolist())] == [
        parts[i] for i in chosen
    ]


@given(parts, st.data())
def test_moving_within_an_array(parts, draw):
    data, offsets = buffer(parts)
    data = data.copy()
    kept = [i for i in range(len(parts)) if draw.draw(st.booleans())]
    new_offsets = np.cumsum([0, *(len(parts[i]) for i in kept)], dtype=np.int64)
    k.move_spans(data, offsets[np.array(kept, np.int64)], new_offsets)
    assert bytes(data[: new_offsets[-1]]) == b"".join(parts[i] for i in kept)


@given(parts)
def test_heads_ascend_as_the_bytes_do(parts):
    heads = heads_of(*buffer(parts)).tolist()
    assert heads == [int.from_bytes(part[:8].ljust(8, b"\0"), "big") for part in parts]


@given(st.lists(st.binary(max_size=20), max_size=60, unique=True))
@example(alike)
@example([b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\0\0\0\0\0\0\0", b"a\0\0\0\0\0\0\0"])
@example([b"12345678" + b"x" * n for n in range(k.FEW)])
@example([b"12345678" + b"x" * n for n in range(k.FEW + 1)])
def test_spans_are_sorted_by_their_bytes(parts):
    data, offsets = buffer(parts)
    order = by_bytes(data, offsets[:-1], np.diff(offsets))
    assert [parts[i] for i in order] == sorted(parts)


@given(st.lists(st.binary(max_size=20), max_size=40, unique=True), st.integers(1, k.FEW))
@example(alike, k.FEW)
def test_a_few_with_one_head_are_sorted_and_more_are_told(parts, n):
    few = [b"the head" + part for part in parts[:n]]
    parts = few + alike[: k.FEW + 1]
    data, offsets = buffer(parts)
    lengths, heads = np.diff(offsets), heads_of(data, offsets)
    order = np.argsort(heads, kind="stable")
    many = np.zeros(order.size, np.uint8)
    k.sort_few(data, offsets[:-1], lengths, heads, order, many)
    assert [parts[i] for i in order[many == 0]] == sorted(few)
    assert int(many.sum()) == k.FEW + 1


@given(st.lists(parts, max_size=6))
def test_runs_are_merged_two_by_two(runs):
    runs = [sorted(run) for run in runs]
    spans = [span for run in runs for span in run]
    data, offsets = buffer(spans)
    bounds = np.cumsum([0, *map(len, runs)], dtype=np.int64)
    order, merged = np.arange(len(spans)), np.full(len(spans), -1)
    k.merge_ascending(data, offsets, heads_of(data, offsets), order, bounds, merged)
    numbered = [(span, i) for i, span in enumerate(spans)]
    expected = []
    for r in range(0, len(runs), 2):
        expected += sorted(numbered[bounds[r] : bounds[min(r + 2, len(runs))]])
    assert merged.tolist() == [i for _, i in expected]  # equal ones in the order of their runs


@given(st.lists(st.binary(max_size=3), max_size=20), st.randoms(use_true_random=False))
def test_new_spans_begin_each_run_of_equals(parts, chance):
    data, offsets = buffer(parts)
    order = [*range(len(parts))]
    chance.shuffle(order)
    new = np.zeros(len(parts), np.uint8)
    k.mark_new_spans(data, offsets, np.array(order, np.int64), new)
    in_order = [parts[i] for i in order]
    assert new.tolist() == [i == 0 or in_order[i - 1] != part for i, part in enumerate(in_order)]
