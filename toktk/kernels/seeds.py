"""Substrings of the pieces, counted level by level: all of one character, of two, of three, …

A substring of n characters is the pair of its first and its last n - 1, so a level is a hash table of pairs
of ids, and strings are never compared. What occurs too rarely takes no part in the next level, since
nothing longer is more frequent.

A *node* is a place between the characters of a piece: a piece of n characters has n nodes at which a
character begins and one at its end. ``heads[p]`` is the first node of piece p.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import prefetch

INVALID = 0x110000  # this plus the byte stands for a byte that is not part of UTF-8
N_CODES = INVALID + 256
BLOCK = 32


@inlined
def _length(data, i, stop):
    """Return the bytes of the character at `i`; 0 for a byte that is not part of UTF-8 (RFC 3629)."""
    lead = data[i]
    n = 1 if lead < 0x80 else 0
    if lead >= 0xC2 and lead < 0xE0:
        n = 2
    elif lead >= 0xE0 and lead < 0xF0:
        n = 3
    elif lead >= 0xF0 and lead < 0xF5:
        n = 4
    if i + n > stop:
        n = 0
    if n > 2:
        second = data[i + 1]  # no overlong form, no surrogate, nothing beyond U+10FFFF
        if (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second >= 0xA0):
            n = 0
        if (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second >= 0x90):
            n = 0
    for k in range(1, n):
        if data[i + k] & 0xC0 != 0x80:
            n = 0
            break
    return n


@kernel
def decode(data, offsets, codes, heads):
    """Write the code point at each node, -1 at the end of a piece, and the first node of each piece.

    `codes` (int32) has room for all bytes and one more for each piece; `heads` is int64[pieces + 1].
    Returns the number of nodes.
    """
    node = 0
    for p in range(offsets.size - 1):
        heads[p] = node
        i, stop = offsets[p], offsets[p + 1]
        while i < stop:
            n = _length(data, i, stop)
            if n == 0:
                code, n = INVALID + np.int64(data[i]), 1
            elif n == 1:
                code = np.int64(data[i])
            else:
                code = np.int64(data[i]) & (0xFF >> (n + 1))
                for k in range(1, n):
                    code = (code << 6) | (np.int64(data[i + k]) & 0x3F)
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


@inlined
def _hash(key):
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return h ^ (h >> np.uint64(29))


@kernel
def extend(active, n_active, current, heads, counts, part, parts, table, where, keys, slots):
    """Count the substrings one character longer than `current`; each thread does one part of them.

    Args:
        active: int32, ascending: the nodes at which a substring of this level begins.
        current: int32 by node: its id, or -1.
        part: only substrings whose hash modulo `parts` is this are counted.
        table: int64[2 * parts * size], size a power of two: key, occurrences; all -1 at first.
        where: int32[parts * size], out: a node at which it begins.
        keys: int64[BLOCK], scratch.
        slots: int32[n_active], out: where the longer substring is in `table`; -1 if there is none; left
            as it is if it is of another part.

    Returns the number of different ones, or -1 if `table` is too small.
    """
    size = (table.size >> 1) // parts
    mask = np.uint64(size - 1)
    base = part * size
    limit = size * 5 // 8
    n_keys = 0
    p = 0
    for start in range(0, n_active, BLOCK):
        stop = min(start + BLOCK, n_active)
        for k in range(start, stop):
            first, second = current[active[k]], current[active[k] + 1]
            keys[k - start] = -1
            if second >= 0:
                key = (np.int64(first) << 32) | second
                keys[k - start] = key
                prefetch(table, 2 * (base + np.int64(_hash(key) & mask)))
        for k in range(start, stop):
            key = keys[k - start]
            if key < 0:
                slots[k] = -1
                continue
            h = _hash(key)
            if np.int64((h >> np.uint64(44)) % np.uint64(parts)) != part:
                continue
            while heads[p + 1] <= active[k]:
                p += 1
            s = np.int64(h & mask)
            while table[2 * (base + s)] != key and table[2 * (base + s)] != -1:
                s = (s + 1) & (size - 1)
            s += base
            if table[2 * s] == -1:
                if n_keys == limit:
                    return -1
                n_keys += 1
                table[2 * s] = key
                table[2 * s + 1] = 0
                where[s] = active[k]
            table[2 * s + 1] += counts[p]
            slots[k] = s
    return n_keys


@kernel
def number(table, where, least, most, base, before, count, home, branching, content, last, n_bytes,
           last_bytes):  # fmt: skip
    """Give ids to the substrings of `table` of at most `most` bytes that occur `least` times or more.

    In `table` occurrences are replaced by the id, -1 for the others. A shorter substring that occurs as often as
    one of these is not branching: it is always followed by the same character.

    Args:
        base: candidates of the shorter levels; those of the level before begin at `before`.
        count: int64, home: int32, branching: uint8, by candidate.
        content: uint64, by candidate: a hash of its text. last: of its last character.
        n_bytes: int64, by candidate. last_bytes: uint8: those of its last character.

    Returns how many there are.
    """
    n = 0
    for s in range(table.size >> 1):
        key = table[2 * s]
        if key < 0:
            continue
        times = table[2 * s + 1]
        first, second = before + (key >> 32), before + (key & 0xFFFFFFFF)
        size = n_bytes[first] + last_bytes[second]
        if times < least or size > most:
            table[2 * s + 1] = -1
            continue
        if count[first] == times:
            branching[first] = 0
        new = base + n
        count[new] = times
        home[new] = where[s]
        branching[new] = 1
        last[new] = last[second]
        n_bytes[new] = size
        last_bytes[new] = last_bytes[second]
        h = (content[first] ^ last[second]) * np.uint64(0xD6E8FEB86659FD93)
        content[new] = h ^ (h >> np.uint64(32))
        table[2 * s + 1] = n
        n += 1
    return n


@kernel
def advance(
    active, n_active, slots, current, table, heads, counts, length, least, whole, nodes, ids
):
    """Go to the next level: set `current` and write the nodes and ids that take part in it.

    ``whole[id]`` (uint8) is set where the substring is a whole piece that occurs `least` times. `nodes` and `ids`
    are int32[n_active]. Returns how many there are.
    """
    m = 0
    p = 0
    for k in range(n_active):
        if k + BLOCK < n_active and slots[k + BLOCK] >= 0:
            prefetch(table, 2 * np.int64(slots[k + BLOCK]))
        node = active[k]
        new = np.int64(-1)
        if slots[k] >= 0:
            new = table[2 * np.int64(slots[k]) + 1]
        current[node] = new
        if new < 0:
            continue
        if current[node + length] == -2:  # the piece ends here
            while heads[p + 1] <= node:
                p += 1
            if node == heads[p] and counts[p] >= least:
                whole[new] = 1
        nodes[m] = node
        ids[m] = new
        m += 1
    return m
