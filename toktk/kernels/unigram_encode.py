"""A trie over the bytes of tokens, and what is done along it: Viterbi, greedy and forward passes.

The trie is one hash table of int64 words, open addressing, -1 where free. A word is ``(node << 8 |
byte) << 28 | child << 2 | inner << 1 | token``: the child's number, whether it has children itself
(so that a walk ends without a failing look-up) and whether a token ends there. Node 0 is the root.

A token list is complete in one of two ways. Either every single byte is a token; or `fallback` (int64[256])
holds the id of each byte, and a character that is no token by itself may be spelled by its bytes: at the
score ``unknown[length of the character]`` (float64[5]). ``fallback[0] < 0`` says that there is none.

The slow twins are `viterbi`, `greedy` and `forward` of `toktk.educational`.
"""

from __future__ import annotations

import math

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import char_length

MAX_NODES = 1 << 26
_NODE = MAX_NODES - 1

RESET = 100_000.0
"""Where sums are float32: from a position beyond that, they begin anew, as in SentencePiece 0.2.3."""


@inlined
def find_child(table, node, byte):
    """Return the slot of the child of `node` at `byte`, or the free slot where it would be."""
    mask = table.size - 1
    key = (np.int64(node) << 8) | np.int64(byte)
    # The children of a node lie near each other: 256 slots are 2 KiB.
    h = (np.uint64(node) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    s = np.int64(h & np.uint64(mask)) ^ np.int64(byte)
    while table[s] != -1 and table[s] >> 28 != key:
        s = (s + 1) & mask
    return s


@inlined
def trie_node(word):
    """Return the number of the node that a word of the table leads to."""
    return (word >> 2) & _NODE


@kernel
def fill_trie(data, offsets, entered, table, token_at):
    """Enter the tokens ``data[offsets[t]:offsets[t + 1]]`` for each t in `entered`; return the nodes.

    No token is empty. `table` has a power of two >= 512 of slots, more than there are bytes in the
    tokens; `token_at` (int64[bytes + 1]) becomes the index of the token that ends at a node. Both
    are -1 at first. Returns -1 - t where token t equals one before it.
    """
    n_nodes = 1
    for e in range(entered.size):
        t = entered[e]
        node = np.int64(0)
        at = np.int64(-1)
        for i in range(offsets[t], offsets[t + 1]):
            if at >= 0:
                table[at] |= 2
            byte = np.int64(data[i])
            at = find_child(table, node, byte)
            if table[at] == -1:
                table[at] = (((node << 8) | byte) << 28) | (np.int64(n_nodes) << 2)
                n_nodes += 1
            node = trie_node(table[at])
        if token_at[node] != -1:
            return -1 - t
        token_at[node] = t
        table[at] |= 1
    return n_nodes


@inlined
def _log_add(a, b):
    """Return log(exp(a) + exp(b)) without leaving the log domain."""
    high, low = max(a, b), min(a, b)
    if low == -math.inf:
        return high
    return high + math.log1p(math.exp(low - high))


@inlined
def _arrive(best, back, at, score, step):
    """Enter a path of `score` that ends at `at` with `step`; where `back` is None, sum over paths."""
    if back is None:
        best[at] = _log_add(best[at], score)
    elif back[at] < 0 or score > best[at]:
        best[at], back[at] = score, step


@inlined
def begin_paths(n, best, back):
    """Leave nothing in `best` and `back` but a path of sum 0 that ends where the span begins."""
    best[0] = 0.0
    back[0] = 0
    for i in range(1, n + 1):
        back[i] = -1


@inlined
def walk_paths(data, start, n, table, score_at, unknown, spells, best, back):
    """Walk along all paths of the span of `n` bytes at `start`; `best[0]` is set.

    Where `best` is float32, so are the sums.
    """
    frontier = np.int64(0)
    for i in range(n):
        here = best[i]
        if here == -math.inf if back is None else back[i] < 0:
            continue
        if best.itemsize == 4 and abs(here) > RESET:
            for j in range(i, frontier + 1):
                best[j] -= here
            here = best[i]
        length = np.int64(1)
        if spells:
            length = min(np.int64(char_length(data[start + i])), n - i)
        alone = False
        node = np.int64(0)
        for j in range(i, n):
            word = table[find_child(table, node, data[start + j])]
            if word == -1:
                break
            node = trie_node(word)
            if word & 1:
                frontier = max(frontier, np.int64(j + 1))
                _arrive(best, back, j + 1, here + score_at[node], (np.int64(i) << 26) | node)
                if j + 1 - i == length:
                    alone = True
            if not word & 2:
                break
        if spells and not alone:  # the root: by its bytes
            frontier = max(frontier, i + length)
            _arrive(best, back, i + length, here + unknown[length], np.int64(i) << 26)


@kernel
def viterbi_spans(data, offsets, vocabulary, ids, ends, best, back):
    """Encode each span by the path of greatest score sum; write ids and where each span's end.

    Sums are added from left to right. A path replaces the best so far only if it is better, and start
    positions ascend, so of equal paths the one whose last token is longest wins, then the one before.

    Args:
        vocabulary: `table`; `token_at`, `score_at`: int64 and float64[nodes], the token that ends
            at a node and its score; `fallback`; `unknown`; the id of the first token.
        ids, ends: uint32 with room for all bytes, and int64[spans].
        best, back: float64 and int64[longest span + 1], scratch.

    Returns how many ids there are, or -1 - p where span p cannot be spelled.
    """
    table, token_at, score_at, fallback, unknown, first_id = vocabulary
    k = 0
    spells = fallback[0] >= 0
    for p in range(offsets.size - 1):
        start = offsets[p]
        n = offsets[p + 1] - start
        begin_paths(n, best, back)
        walk_paths(data, start, n, table, score_at, unknown, spells, best, back)
        if n > 0 and back[n] < 0:
            return -1 - p
        k = write_path(data, start, n, token_at, fallback, first_id, back, ids, k)
        ends[p] = k
    return k


@kernel
def write_path(data, start, n, token_at, fallback, first_id, back, ids, k):
    """Write the ids of the path that ends at n from ``ids[k]`` on; return where they end."""
    first = k
    i = np.int64(n)
    while i > 0:
        before = back[i] >> 26
        node = back[i] & _NODE
        if node:
            ids[k] = first_id + token_at[node]
            k += 1
        else:
            for j in range(i - 1, before - 1, -1):
                ids[k] = fallback[data[start + j]]
                k += 1
        i = before
    for j in range((k - first) >> 1):
        ids[first + j], ids[k - 1 - j] = ids[k - 1 - j], ids[first + j]
    return k


@kernel
def fused_spans(data, offsets, vocabulary, unknown_id, ids, ends, best, back):
    """Encode each span as Hugging Face's Unigram does; arguments as for `viterbi_spans`.

    A run of characters that are no token by themselves, and of the name of the token `unknown_id`, is
    that token once, or its bytes where there is a `fallback`; the name alone is always the token.
    Returns how many ids there are.
    """
    table, token_at, score_at, fallback, unknown, first_id = vocabulary
    k = 0
    spells = fallback[0] >= 0
    for p in range(offsets.size - 1):
        start = offsets[p]
        n = offsets[p + 1] - start
        begin_paths(n, best, back)
        walk_paths(data, start, n, table, score_at, unknown, True, best, back)
        first = k
        i = np.int64(n)
        while i > 0:
            node = back[i] & _NODE
            if node and first_id + token_at[node] != unknown_id:
                ids[k] = first_id + token_at[node]
                k += 1
                i = back[i] >> 26
                continue
            end, alone = i, node != 0
            i = back[i] >> 26
            while i > 0:
                node = back[i] & _NODE
                if node and first_id + token_at[node] != unknown_id:
                    break
                alone = False
                i = back[i] >> 26
            if spells and not alone:
                for j in range(end - 1, i - 1, -1):
                    ids[k] = fallback[data[start + j]]
                    k += 1
            else:
                ids[k] = unknown_id
                k += 1
        for j in range((k - first) >> 1):
            ids[first + j], ids[k - 1 - j] = ids[k - 1 - j], ids[first + j]
        ends[p] = k
    return k


@kernel
def longest_match(data, start, stop, table):
    """Return the node and the end of the longest token that begins at `start`; 0 if there is none."""
    node = longest = np.int64(0)
    end = start
    for i in range(start, stop):
        word = table[find_child(table, node, data[i])]
        if word == -1:
            break
        node = trie_node(word)
        if word & 1:
            longest, end = node, i + 1
        if not word & 2:
            break
    return longest, end


@kernel
def greedy_spans(data, offsets, table, token_at, fallback, first_id, ids, ends):
    """Encode each span from the left, always taking the longest token; arguments as for `viterbi_spans`.

    Where no token begins, the bytes of the character are taken. Returns how many ids there are, or
    -1 - p where span p cannot be spelled.
    """
    k = 0
    spells = fallback[0] >= 0
    for p in range(offsets.size - 1):
        i = offsets[p]
        n = offsets[p + 1]
        while i < n:
            node, end = longest_match(data, i, n, table)
            if node:
                ids[k] = first_id + token_at[node]
                k += 1
            elif spells:
                end = min(i + char_length(data[i]), n)
                for j in range(i, end):
                    ids[k] = fallback[data[j]]
                    k += 1
            else:
                return -1 - p
            i = end
        ends[p] = k
    return k


@kernel
def log_likelihood_spans(data, offsets, table, score_at, fallback, unknown, out, forward):
    """Write the log of the sum of exp(score) over all paths of each span to `out` (float64[spans]).

    A span that cannot be spelled gets minus infinity. `forward` is float64[longest span + 1].
    """
    spells = fallback[0] >= 0
    for p in range(offsets.size - 1):
        start = offsets[p]
        n = offsets[p + 1] - start
        forward[0] = 0.0
        for i in range(1, n + 1):
            forward[i] = -math.inf
        walk_paths(data, start, n, table, score_at, unknown, spells, forward, None)
        out[p] = forward[n]
