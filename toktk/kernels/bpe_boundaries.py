"""Where tokens end, at every vocabulary size of one merge list, from one encoding.

As `toktk.kernels.bpe_encode` says, a vocabulary of the first k merges goes the way of the whole list until
the lowest rank is k or more. So with m_i = max(r1..r_i) of the ranks of the merges applied to a piece, the
end of a token that merge i takes away is there for k <= m_i.

The slow twin is `toktk.educational.encode` at each size.
"""

from __future__ import annotations

from toktk.kernels import kernel
from toktk.kernels.bpe_encode import SHORT, _drop_least, _offer, find_merge
from toktk.kernels.constants import NO_RANK


@kernel
def end_levels(data, offsets, byte_ids, table, levels, scratch):
    """Set `levels`, int32[bytes]: of how many merges, at most, a vocabulary has a token's end behind a byte.

    `NO_RANK` where every vocabulary has it, as at the end of each piece. `scratch` is int64[7 * room], room
    at least `SHORT` and the bytes of the longest piece.
    """
    room = scratch.size // 7
    symbols, previous = scratch[:room], scratch[room : 2 * room]
    following, values = scratch[2 * room : 3 * room], scratch[3 * room : 4 * room]
    heap = scratch[4 * room :]
    for p in range(offsets.size - 1):
        start, n = offsets[p], offsets[p + 1] - offsets[p]
        for i in range(n):
            symbols[i] = byte_ids[data[start + i]]
            previous[i], following[i] = i - 1, i + 1
            levels[start + i] = NO_RANK
        if n < SHORT:
            _short_levels(table, symbols, n, previous, following, values, levels[start : start + n])
        else:
            _long_levels(table, symbols, n, previous, following, heap, levels[start : start + n])


@kernel
def _short_levels(table, symbols, n, previous, following, values, levels):
    """Merge by looking at all pairs that are left, the leftmost of least rank first."""
    for i in range(n - 1):
        values[i] = find_merge(table, symbols[i], symbols[i + 1])
    top = -1
    while True:
        best, at, i = NO_RANK, -1, 0
        while i < n and following[i] < n:
            if values[i] >> 32 < best:
                best, at = values[i] >> 32, i
            i = following[i]
        if at < 0:
            break
        top = max(top, best)
        gone = following[at]
        levels[gone - 1] = top
        symbols[at] = values[at] & 0xFFFFFFFF
        right, left = following[gone], previous[at]
        following[at] = right
        if right < n:
            previous[right] = at
            values[at] = find_merge(table, symbols[at], symbols[right])
        if left >= 0:
            values[left] = find_merge(table, symbols[left], symbols[at])


@kernel
def _long_levels(table, symbols, n, previous, following, heap, levels):
    """Do what `_short_levels` does, with a heap as in `toktk.kernels.bpe_encode`."""
    size = 0
    for i in range(n - 1):
        size = _offer(table, symbols, i, i + 1, heap, size)
    top = -1
    while size > 0:
        rank, i = heap[0] >> 32, heap[0] & 0xFFFFFFFF
        size = _drop_least(heap, size)
        j = following[i]
        if symbols[i] < 0 or j >= n:
            continue
        value = find_merge(table, symbols[i], symbols[j])
        if value >> 32 != rank:
            continue
        top = max(top, rank)
        levels[j - 1] = top
        symbols[i] = value & 0xFFFFFFFF
        symbols[j] = -1
        following[i] = following[j]
        if following[j] < n:
            previous[following[j]] = i
        for left in (previous[i], i):
            if left >= 0 and following[left] < n:
                size = _offer(table, symbols, left, following[left], heap, size)
