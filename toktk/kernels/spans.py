"""Spans of bytes in a flat array: copied in another order, sorted by their bytes, merged."""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import are_equal, load_word, prefetch, put_word

HEAD = 8  # bytes of a span by which most are told apart
FEW = 24  # spans with one head that `sort_few` sorts; of more, its time would be quadratic
_AHEAD = 8  # spans between the one that is copied and the one that is fetched


@kernel
def gather_spans(data, starts, new_offsets, packed):
    """Copy the spans that begin at `starts`, one after the other, to `packed`, another array."""
    for i in range(starts.size):
        if i + _AHEAD < starts.size:
            prefetch(data, starts[i + _AHEAD])
        start, at = starts[i], new_offsets[i]
        for k in range(0, new_offsets[i + 1] - at, 8):
            put_word(packed, at + k, new_offsets[i + 1] - at - k, data, start + k)


@kernel
def move_spans(data, starts, new_offsets):
    """Copy the spans that begin at `starts` to ``data[new_offsets[i]:]``, none of which comes later.

    `data` may be of any type; a span is one of items.
    """
    for i in range(starts.size):
        start, at = starts[i], new_offsets[i]
        for k in range(new_offsets[i + 1] - at):
            data[at + k] = data[start + k]


@inlined
def _big_endian(word):
    word = (word & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8) | (
        word >> np.uint64(8) & np.uint64(0x00FF00FF00FF00FF)
    )
    word = (word & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16) | (
        word >> np.uint64(16) & np.uint64(0x0000FFFF0000FFFF)
    )
    return word << np.uint64(32) | word >> np.uint64(32)


@kernel
def _head(data, start, n):
    return _big_endian(load_word(data, start, n))


@kernel
def write_heads(data, starts, lengths, heads):
    """Write the first eight bytes of each span, zero-padded, as numbers that ascend as the bytes do."""
    for i in range(starts.size):
        if i + _AHEAD < starts.size:
            prefetch(data, starts[i + _AHEAD])
        heads[i] = _head(data, starts[i], lengths[i])


@kernel
def _is_less(data, start, n, other, m, known):
    """Tell whether a span comes before another one, of which so many first bytes are the same."""
    for k in range(known, min(n, m), HEAD):
        a, b = _head(data, start + k, n - k), _head(data, other + k, m - k)
        if a != b:
            return a < b
    return n < m


@kernel
def sort_few(data, starts, lengths, heads, order, many):
    """Sort, by all bytes, what follows one another in `order` with one head.

    Args:
        data, starts, lengths: the spans. heads: uint64[n], theirs. order: int64[n], sorted by heads.
        many: uint8[n], 0; set to 1 for those of which more than `FEW` have one head: they stay as they are.
    """
    first = 0
    while first < order.size:
        last = first + 1
        while last < order.size and heads[order[last]] == heads[order[first]]:
            last += 1
        if last - first > FEW:
            for i in range(first, last):
                many[i] = 1
        else:
            for i in range(first + 1, last):
                span, j = order[i], i
                while j > first and _is_less(
                    data, starts[span], lengths[span], starts[order[j - 1]], lengths[order[j - 1]], HEAD
                ):  # fmt: skip
                    order[j] = order[j - 1]
                    j -= 1
                order[j] = span
        first = last


@kernel
def merge_ascending(data, offsets, heads, order, bounds, merged):
    """Merge runs of ascending spans, two by two; equal spans stay in the order of their runs.

    Args:
        data, offsets: the spans. heads: uint64[n], theirs.
        order: int64[n]; run r of spans is ``order[bounds[r]:bounds[r + 1]]``. bounds: int64[R + 1].
        merged: int64[n], which is written.
    """
    for r in range(0, bounds.size - 1, 2):
        i, i_end = bounds[r], bounds[r + 1]
        j, j_end = i_end, bounds[min(r + 2, bounds.size - 1)]
        at = i
        while i < i_end and j < j_end:
            a, b = order[i], order[j]
            takes_second = heads[b] < heads[a]
            if heads[a] == heads[b]:
                takes_second = _is_less(
                    data, offsets[b], offsets[b + 1] - offsets[b],
                    offsets[a], offsets[a + 1] - offsets[a], HEAD,
                )  # fmt: skip
            if takes_second:
                merged[at] = b
                j += 1
            else:
                merged[at] = a
                i += 1
            at += 1
        while i < i_end:
            merged[at] = order[i]
            i, at = i + 1, at + 1
        while j < j_end:
            merged[at] = order[j]
            j, at = j + 1, at + 1


@kernel
def mark_new_spans(data, offsets, order, new):
    """Set ``new[i]`` where span ``order[i]`` differs from the one before it in `order`."""
    for i in range(order.size):
        if i == 0:
            new[i] = 1
            continue
        start, before = offsets[order[i]], offsets[order[i - 1]]
        n = offsets[order[i] + 1] - start
        if offsets[order[i - 1] + 1] - before != n or not are_equal(data, before, data, start, n):
            new[i] = 1
