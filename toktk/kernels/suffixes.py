"""Repeated substrings of the pieces, from their sorted suffixes.

A *node* is a place in a piece at which a character begins, or its end. ``heads[p]`` is the first
node of piece p. The suffix at a node goes to the end of the piece, to a character that no seed may
hold, or as far as the longest seed.

In the sorted list of suffixes, those that begin with the same substring are neighbors. The *intervals* are
the substrings that are not always followed by the same character: of all others, a longer one occurs as
often. They form a tree, in which the parent is the next shorter one (Abouelhoda et al. 2004).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import character, prefetch

INVALID = 0x110000  # this plus the byte stands for a byte that is not part of UTF-8
N_CODES = INVALID + 256 + 1
DIGIT = 11  # bits that one pass of the sort looks at
_AHEAD = 16


@kernel
def decode(data, offsets, codes, heads):
    """Write the code point at each node, -1 at the end of a piece, and the first node of each piece.

    `codes` (int32) has room for all bytes and one more for each piece; `heads` is int64[pieces +
    1]. Returns the number of nodes.
    """
    node = 0
    for p in range(offsets.size - 1):
        heads[p] = node
        i, stop = offsets[p], offsets[p + 1]
        while i < stop:
            code, n = character(data, i, stop)
            if code < 0 or 0xD800 <= code < 0xE000 or code >= INVALID:
                code, n = INVALID + np.int64(data[i]), 1
            codes[node] = code
            node += 1
            i += n
        codes[node] = -1
        node += 1
    heads[offsets.size - 1] = node
    return node


@kernel
def count_codes(codes, heads, counts, totals):
    """Add the occurrences of each code point to `totals` (int64[N_CODES])."""
    for p in range(heads.size - 1):
        for i in range(heads[p], heads[p + 1] - 1):
            totals[codes[i]] += counts[p]


@kernel
def measure_suffixes(letters, longest, size):
    """Write the characters of the suffix at each node (uint8), `longest` at most; a letter 0 ends it."""
    n = 0
    for node in range(letters.size - 1, -1, -1):
        n = min(n + 1, longest) if letters[node] > 0 else 0
        size[node] = n


@kernel
def first_keys(first, last, nodes, letters, size, bits, width, keys):
    """Write the first `width` characters of the suffixes at a range of `nodes`, `bits` bits each."""
    for r in range(first, last):
        node = np.int64(nodes[r])
        key = np.uint64(0)
        for i in range(width):
            key <<= np.uint64(bits)
            if i < size[node]:
                key |= np.uint64(letters[node + i])
        keys[r] = key


@kernel
def next_keys(first, last, nodes, rank, size, bits, width, keys):
    """Write the ranks of the suffixes at a range of `nodes` and of those `width` characters on.

    A suffix that ends before has 0 there.
    """
    for r in range(first, last):
        node = np.int64(nodes[r])
        key = np.uint64(rank[node]) << np.uint64(bits)
        if size[node] > width:
            key |= np.uint64(rank[node + width])
        keys[r] = key


@kernel
def count_digits(first, last, keys, shift, counts):
    """Count the digits of a range of `keys` at bit `shift` in `counts` (int64[2**DIGIT], all 0 at first)."""
    for r in range(first, last):
        counts[(keys[r] >> np.uint64(shift)) & np.uint64((1 << DIGIT) - 1)] += 1


@kernel
def scatter(first, last, keys, nodes, shift, places, to_keys, to_nodes):
    """Move a range of `keys` and `nodes` to the next place of its digit (int64[2**DIGIT])."""
    for r in range(first, last):
        digit = (keys[r] >> np.uint64(shift)) & np.uint64((1 << DIGIT) - 1)
        place = np.uint64(places[digit])
        to_keys[place] = keys[r]
        to_nodes[place] = nodes[r]
        places[digit] += 1


@kernel
def set_ranks(keys, nodes, rank):
    """Set ``rank[node]`` (int32) to the number of different keys up to its own; return the highest."""
    n = 0
    for r in range(keys.size):
        if r == 0 or keys[r] != keys[r - 1]:
            n += 1
        rank[nodes[r]] = n
    return n


@kernel
def compare(first, last, nodes, letters, size, piece_of, counts, common, weight):
    """Write what each of a range of suffixes has in common with the one before, and its occurrences.

    `common` is uint8[n + 1], in characters; less than 2 counts as 0. `weight` (int64) is the count
    of its piece, `piece_of` int32 by node.
    """
    for r in range(first, last):
        if r + _AHEAD < nodes.size:
            prefetch(letters, np.int64(nodes[r + _AHEAD]))
            prefetch(piece_of, np.int64(nodes[r + _AHEAD]))
        node = np.int64(nodes[r])
        weight[r] = counts[piece_of[node]]
        n = 0
        if r > 0:
            other = np.int64(nodes[r - 1])
            most = min(size[node], size[other])
            while n < most and letters[node + n] == letters[other + n]:
                n += 1
        common[r] = n if n > 1 else 0


class Intervals(NamedTuple):
    """The tree of intervals, whose root is interval 0."""

    parent: Any  # int32 by interval, the next shorter one
    length: Any  # uint8 by interval, in characters
    times: Any  # int64 by interval, occurrences
    begin: Any  # int32 by interval, its first suffix
    deepest: Any  # int32 by node, the longest interval that begins there


@kernel
def find_intervals(nodes, size, common, weight, least, intervals, stack):
    """Build the tree of intervals; return how many there are, the root included.

    A suffix that goes on beyond all intervals and occurs `least` times is an interval by itself. `intervals`
    has room for one more than twice the suffixes, `stack` (int64) for the longest length and 2 more.
    """
    parent, length, times, begin, deepest = intervals
    parent[0], length[0], times[0], begin[0] = -1, 0, 0, 0
    n = 1
    top = 0
    stack[0] = 0
    for r in range(nodes.size):
        here, after = np.int64(common[r]), np.int64(common[r + 1])
        while length[stack[top]] > here:
            done = stack[top]
            top -= 1
            if length[stack[top]] < here:
                top += 1
                stack[top] = n
                length[n], times[n], begin[n] = here, 0, begin[done]
                n += 1
            parent[done] = stack[top]
            times[stack[top]] += times[done]
        node = np.int64(nodes[r])
        if after > here:
            top += 1
            stack[top] = n
            length[n], times[n], begin[n] = after, 0, r
            n += 1
        longest = stack[top]
        times[longest] += weight[r]
        if size[node] > 1 and size[node] > length[longest] and weight[r] >= least:
            parent[n], length[n], times[n], begin[n] = longest, size[node], weight[r], r
            longest = n
            n += 1
        deepest[node] = longest
    while top > 0:
        parent[stack[top]] = stack[top - 1]
        times[stack[top - 1]] += times[stack[top]]
        top -= 1
    return n


@kernel
def shorten(home, codes, widths, most, length):
    """Cut texts to as many characters as fit into `most` bytes; `widths` are bytes by code point (int32)."""
    for x in range(home.size):
        left, n = most, 0
        while n < length[x] and widths[codes[home[x] + n]] <= left:
            left -= widths[codes[home[x] + n]]
            n += 1
        length[x] = n


@kernel
def find_longest(first, last, intervals, seed_of, parent):
    """Replace a range of `intervals` by the longest seeds that they begin with; -1 if there is none.

    `seed_of` (int32, by interval) is -1 where an interval is no seed.
    """
    for k in range(first, last):
        x = np.int64(intervals[k])
        while x > 0 and seed_of[x] < 0:
            x = np.int64(parent[x])
        intervals[k] = seed_of[x] if x > 0 else -1
