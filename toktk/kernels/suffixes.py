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

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import character, prefetch

INVALID = 0x110000  # this plus the byte stands for a byte that is not part of UTF-8
N_CODES = INVALID + 256 + 1
DIGIT = 11  # bits that one pass of the sort looks at
_AHEAD = 16
_FEW = 40  # are sorted by insertion
_SHIFT, _BITS, _REST = np.uint64(6), np.uint64(63), np.uint64(64 - DIGIT)


@inlined
def _continue(a, b):
    """Return whether both bytes continue a character."""
    return (a & 0xC0) == 0x80 and (b & 0xC0) == 0x80


@kernel
def decode(first, last, data, offsets, codes, heads):
    """Write the code point at each node of a range of pieces, -1 at an end of one, and their first nodes.

    `codes` (int32) has room for all bytes of the range and one more for each piece; `heads` is
    int64[pieces]. Returns the number of nodes.
    """
    node = 0
    for p in range(first, last):
        heads[p] = node
        i, stop = offsets[p], offsets[p + 1]
        while i < stop:
            code = np.int64(data[i])
            if code < 0x80:
                i += 1
            elif 0xE1 <= code < 0xED and i + 2 < stop and _continue(data[i + 1], data[i + 2]):
                code = code & 0xF
                code = (code << 6 | np.int64(data[i + 1]) & 0x3F) << 6 | np.int64(
                    data[i + 2]
                ) & 0x3F
                i += 3
            else:
                code, n = character(data, i, stop)
                if code < 0 or 0xD800 <= code < 0xE000 or code >= INVALID:
                    code, n = INVALID + np.int64(data[i]), 1
                i += n
            codes[node] = code
            node += 1
        codes[node] = -1
        node += 1
    return node


@kernel
def rearrange(first, last, order, codes, heads, to_codes, to_heads):
    """Copy a range of pieces as they follow one another in `order` (int64) to where `to_heads` says."""
    for p in range(first, last):
        if p + 2 * _AHEAD < last:
            prefetch(heads, order[p + 2 * _AHEAD])
            prefetch(codes, heads[order[p + _AHEAD]])
            prefetch(codes, heads[order[p + _AHEAD]] + 16)  # which may be on the next line
        n = to_heads[p + 1] - to_heads[p]
        source = heads[order[p]]
        for i in range(n):
            to_codes[to_heads[p] + i] = codes[source + i]


@kernel
def count_codes(first, last, codes, heads, counts, totals):
    """Add the occurrences of each code point in a range of pieces to `totals` (int64[N_CODES])."""
    for p in range(first, last):
        for i in range(heads[p], heads[p + 1] - 1):
            totals[codes[i]] += counts[p]


@inlined
def _word(letters, node, i, longest, skipped, codes):
    """Return 64 bits of the code of the text at `node`, from character `i` on without its `skipped` bits."""
    word = np.uint64(0)
    left = np.int64(64) + skipped
    while left > 0 and i < longest:
        letter = letters[node + i]
        code = codes[letter]
        left -= np.int64(code & _BITS)
        code >>= _SHIFT
        word |= code << np.uint64(left) if left >= 0 else code >> np.uint64(-left)
        i += 1
        if letter == 0:
            break
    return word


@inlined
def _before(code, letter, word):
    """Return the word of a text whose first character is `letter`, from that of what follows."""
    n = code & _BITS
    first = code >> _SHIFT << np.uint64(64) - n
    return first | word >> n if letter > 0 else first


@kernel
def write_words(first, last, nodes, letters, longest, codes, words):
    """Write the first word of the text at each of a range of `nodes`."""
    for r in range(first, last):
        words[r] = _word(letters, np.int64(nodes[r]), 0, longest, 0, codes)


@kernel
def count_suffixes(first, last, letters, codes, counts):
    """Count the suffixes at a range of nodes by the highest DIGIT bits of their words (int64).

    The range ends behind a letter 0, or with the nodes. What a word holds beyond the longest suffix sets
    equal texts apart, which harms nobody.
    """
    word = np.uint64(0)
    for node in range(last - 1, first - 1, -1):
        letter = letters[node]
        word = _before(codes[letter], letter, word)
        counts[word >> _REST] += letter > 0


@kernel
def scatter_suffixes(first, last, letters, codes, ends, words, nodes):
    """Write the words and nodes that `count_suffixes` has counted, before the end (int64) of their bucket."""
    word = np.uint64(0)
    for node in range(last - 1, first - 1, -1):
        letter = letters[node]
        word = _before(codes[letter], letter, word)
        if letter > 0:
            bucket = word >> _REST
            ends[bucket] -= 1
            place = np.uint64(ends[bucket])
            words[place] = word
            nodes[place] = node


@kernel
def sort_words(words, nodes, bits, digit, to_words, to_nodes, counts):
    """Sort `nodes` by the lowest `bits` bits of their `words` (uint64), `digit` bits in each pass.

    The number of passes is even. The other two arrays are scratch, as long or longer; so is `counts`,
    int64[2**digit].
    """
    n = nodes.size
    mask = np.uint64((1 << digit) - 1)
    for shift in range(0, bits, digit):
        by = np.uint64(shift)
        for k in range(1 << digit):
            counts[k] = 0
        for r in range(n):
            counts[words[r] >> by & mask] += 1
        place = np.int64(0)
        for k in range(1 << digit):
            here = counts[k]
            counts[k] = place
            place += here
        for r in range(n):
            k = words[r] >> by & mask
            to = np.uint64(counts[k])
            counts[k] += 1
            to_words[to] = words[r]
            to_nodes[to] = nodes[r]
        words, to_words, nodes, to_nodes = to_words, words, to_nodes, nodes


@inlined
def _insert(first, last, words, nodes):
    """Sort a short range by its `words`."""
    for r in range(first + 1, last):
        word, node = words[r], nodes[r]
        at = r
        while at > first and words[at - 1] > word:
            words[at], nodes[at] = words[at - 1], nodes[at - 1]
            at -= 1
        words[at], nodes[at] = word, node


@kernel
def sort_ties(first, last, nodes, letters, longest, codes, words, scratch):
    """Sort a range of `nodes`, which are sorted by their first words, by all that follows.

    Texts whose `words` are equal are sorted by the next ones, those of equal next words likewise.
    A text goes to the first letter 0, or is `longest` characters long.
    """
    to_words, to_nodes, counts, stack = scratch
    top = 0
    stack[0, 0], stack[0, 1], stack[0, 2] = last, 0, 0
    at = np.int64(first)
    while at < last:
        while at >= stack[top, 0]:
            top -= 1
        end, i, skipped = stack[top, 0], stack[top, 1], stack[top, 2]
        if at + _AHEAD < last:
            prefetch(letters, np.int64(nodes[at + _AHEAD]) + i)
        stop = at + 1
        while stop < end and words[stop] == words[at]:
            stop += 1
        if stop - at == 1:
            at = stop
            continue
        # Which character, and which of its bits, is the first that the equal words do not hold?
        node = np.int64(nodes[at])
        left = 64 + skipped
        ended = i == longest
        while not ended:
            letter = letters[node + i]
            n = np.int64(codes[letter] & _BITS)
            if n > left:
                break
            left -= n
            i += 1
            ended = letter == 0 or i == longest
        if ended:
            at = stop
            continue
        for r in range(at, stop):
            if r + _AHEAD < last:
                prefetch(letters, np.int64(nodes[r + _AHEAD]) + i)
            words[r] = _word(letters, np.int64(nodes[r]), i, longest, left, codes)
        if stop - at > _FEW:
            sort_words(words[at:stop], nodes[at:stop], 64, 8, to_words, to_nodes, counts)
        else:
            _insert(at, stop, words, nodes)
        top += 1
        stack[top, 0], stack[top, 1], stack[top, 2] = stop, i, left


@kernel
def sort_buckets(first, last, begins, nodes, letters, longest, codes, words, scratch):
    """Sort the nodes of a range of buckets, which `scatter_suffixes` has written, by their texts.

    `begins` (int64) says where each bucket begins, and where the last one ends.

    Args:
        scratch: `words` and `nodes` of the largest bucket, int64[2**DIGIT], and int64[longest + 2, 3].
    """
    to_words, to_nodes, counts, _ = scratch
    for bucket in range(first, last):
        a, b = begins[bucket], begins[bucket + 1]
        if b - a > _FEW:
            sort_words(words[a:b], nodes[a:b], 64 - DIGIT, 9, to_words, to_nodes, counts)
        else:
            _insert(a, b, words, nodes)
        sort_ties(a, b, nodes, letters, longest, codes, words, scratch)


class Intervals(NamedTuple):
    """The tree of intervals, whose root is interval 0."""

    parent: Any  # int32 by interval, the next shorter one
    length: Any  # uint8 by interval, in characters
    times: Any  # int64 by interval, occurrences
    begin: Any  # int32 by interval, its first suffix
    deepest: Any  # int32 by node, the longest interval that begins there


@kernel
def number_pieces(first, last, heads, letters, piece_of):
    """Write the piece of each node of a range of pieces (int32); 0 where no suffix begins."""
    for p in range(first, last):
        for node in range(heads[p], heads[p + 1]):
            piece_of[node] = p if letters[node] > 0 else 0


@kernel
def find_intervals(first, last, nodes, letters, longest, counts, least, intervals, stack):
    """Write the intervals of a range of suffixes from ``2 * first + 1`` on; return where they end.

    No suffix of the range begins with two characters of one before or after it. A suffix that goes
    on beyond all intervals and occurs `least` times is an interval by itself. `counts` is int64 by
    piece; ``intervals.deepest`` tells the piece of each node at first. `stack` is int64[longest + 2, 4].
    """
    parent, length, times, begin, deepest = intervals
    n = 2 * np.int64(first) + 1
    # Each row: an interval, its length, its occurrences up to here, its first suffix.
    top = 0
    stack[0, 0], stack[0, 1], stack[0, 2] = 0, 0, 0
    here = np.int64(0)
    for r in range(first, last):
        if r + 2 * _AHEAD < last:
            prefetch(letters, np.int64(nodes[r + 2 * _AHEAD]))
            prefetch(deepest, np.int64(nodes[r + 2 * _AHEAD]))
            prefetch(counts, np.int64(deepest[nodes[r + _AHEAD]]))
        node, after = np.int64(nodes[r]), np.int64(0)
        if r + 1 < last:
            other = np.int64(nodes[r + 1])
            while after < longest and letters[node + after] == letters[other + after] > 0:
                after += 1
            if after == 1:
                after = np.int64(0)
        if after > here:
            top += 1
            stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = n, after, 0, r
            n += 1
        weight = counts[deepest[node]]
        stack[top, 2] += weight
        size = stack[top, 1]
        deepest[node] = stack[top, 0]
        if weight >= least and size < longest and letters[node + size] > 0:
            size += 1
            while size < longest and letters[node + size] > 0:
                size += 1
            if size > 1:
                parent[n], length[n], times[n], begin[n] = stack[top, 0], size, weight, r
                deepest[node] = n
                n += 1
        while stack[top, 1] > after:
            k, sums = stack[top, 0], stack[top, 2]
            length[k], times[k], begin[k] = stack[top, 1], sums, stack[top, 3]
            if stack[top - 1, 1] < after:
                stack[top, 0], stack[top, 1] = n, after
                n += 1
            else:
                top -= 1
                stack[top, 2] += sums
            parent[k] = stack[top, 0]
        here = after
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
def hand_down(first, last, seed_of, parent):
    """Give a range of intervals that are no seeds the longest seed that they begin with.

    `seed_of` (int32, by interval) is the number of a seed plus 1, or 0. The range holds the parents of its
    intervals, but for the root, which has none.
    """
    for x in range(first, last):
        above = np.int64(x)
        while above > 0 and seed_of[above] == 0:
            above = np.int64(parent[above])
        seed_of[x] = seed_of[above]


@kernel
def find_longest(first, last, intervals, seed_of):
    """Replace a range of `intervals` by the longest seeds that they begin with; -1 if there is none."""
    for k in range(first, last):
        intervals[k] = seed_of[intervals[k]] - 1
