"""Lattices of all pieces: for each node, the tokens that begin there.

Nodes are as in toktk.kernels.seeds. The edges of node i are ``edges[first[i]:first[i] + fan[i]]`` (int32), each
``id << 5 | length - 1`` with the length in characters, the shortest first. The first is always of one
character: a token, or the way around by single bytes. Expectations are added as whole multiples of ``1 /
scale``: such sums are exact in float64, so they depend neither on the order nor on the number of threads.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel

BITS = 5
MASK = (1 << BITS) - 1
LONGEST = 1 << BITS
"""Most characters of a token. Within so many nodes, forward sums stay in the range of a float64."""
_SAFE = 1e-250
# Beyond _SAFE, sums are kept near 1 by factors of 2**256.
_LOW, _UP, _HIGH = 2.0**-256, 2.0**256, 2.0**900


@kernel
def count_edges(nodes, ids, n, token_of, fan):
    """Add to `fan` (uint8, by node) the candidates of one level that became tokens."""
    for k in range(n):
        if token_of[ids[k]] >= 0:
            fan[nodes[k]] += 1


@kernel
def fill_edges(nodes, ids, n, token_of, length, first, fan, edges):
    """Write the edges of one level; `fan` counts those written."""
    for k in range(n):
        token = token_of[ids[k]]
        if token >= 0:
            at = first[nodes[k]] + fan[nodes[k]]
            edges[at] = token << BITS | (length - 1)
            fan[nodes[k]] += 1


@kernel
def fill_characters(codes, id_of, first, fan, edges):
    """Write the edge of one character at each node; `id_of` is int32 by code point."""
    for node in range(codes.size):
        if codes[node] >= 0:
            edges[first[node]] = id_of[codes[node]] << BITS
            fan[node] = 1


@kernel
def keep_edges(first_node, last_node, new_id, first, fan, edges):
    """Renumber the edges of a range of nodes and move them together; those with new id -1 go."""
    at = first[first_node]
    for node in range(first_node, last_node):
        start, n = first[node], fan[node]
        first[node] = at
        for e in range(start, start + n):
            new = new_id[edges[e] >> BITS]
            edges[at] = new << BITS | (edges[e] & MASK)
            at += new >= 0  # no branch: which edges go cannot be predicted
        fan[node] = at - first[node]
    return at


@inlined
def _forward(head, n, first, fan, edges, table, alpha):
    alpha[0] = 1.0
    for i in range(1, n + 1):
        alpha[i] = 0.0
    for i in range(n):
        for e in range(first[head + i], first[head + i] + fan[head + i]):
            alpha[i + 1 + (edges[e] & MASK)] += alpha[i] * table[edges[e] >> BITS, 0]
    return alpha[n]


@kernel
def expect(first_piece, last_piece, heads, counts, first, fan, edges, table, scale, alpha, beta,
           shifts):  # fmt: skip
    """Add the expected occurrences of each id, times `scale`, to ``table[id, 1]`` (float64).

    The expectation is over all segmentations of a piece, each as likely as the product of its tokens'
    probabilities ``table[id, 0]``, by the forward-backward algorithm. `alpha` and `beta` (float64) and
    `shifts` (int64) have room for the nodes of a piece and LONGEST more.
    """
    for q in range(first_piece, last_piece):
        head = heads[q]
        n = heads[q + 1] - 1 - head
        z = _forward(head, n, first, fan, edges, table, alpha)
        if z < _SAFE:
            weight = counts[q] * scale
            _expect_long(head, n, weight, first, fan, edges, table, alpha, beta, shifts)
            continue
        beta[n] = counts[q] * scale / z
        for i in range(n - 1, -1, -1):
            total = 0.0
            for e in range(first[head + i], first[head + i] + fan[head + i]):
                at = edges[e] >> BITS
                share = table[at, 0] * beta[i + 1 + (edges[e] & MASK)]
                total += share
                table[at, 1] += np.floor(alpha[i] * share + 0.5)
            beta[i] = total


@inlined
def _raise(values, start, stop):
    for j in range(start, stop):
        values[j] = min(values[j] * _UP, _HIGH)


@kernel
def _expect_long(head, n, weight, first, fan, edges, table, alpha, beta, shifts):
    """Do what `expect` does for a piece whose probability a float64 cannot hold.

    The true sum at a node is ``alpha * 2**(-256 * shifts)``. Nodes are raised together, as far as an edge
    reaches, when the one at hand falls low.
    """
    alpha[0] = 1.0
    for i in range(1, n + 1 + LONGEST):
        alpha[i] = 0.0
    shift = 0
    for i in range(n + 1):
        while alpha[i] < _LOW:
            _raise(alpha, i, i + LONGEST)
            shift += 1
        shifts[i] = shift
        if i < n:
            for e in range(first[head + i], first[head + i] + fan[head + i]):
                alpha[i + 1 + (edges[e] & MASK)] += alpha[i] * table[edges[e] >> BITS, 0]
    for i in range(n + 1, n + LONGEST):
        beta[i] = 0.0
    beta[n] = 1.0
    up = 0
    for i in range(n - 1, -1, -1):
        # The exponents of both sides and of the whole cancel, but for a step either way.
        rest = shift - shifts[i] - up
        factor = 0.0
        if rest >= -3 and rest <= 3:
            factor = weight / alpha[n] * _UP ** np.float64(rest)
        total = 0.0
        for e in range(first[head + i], first[head + i] + fan[head + i]):
            at = edges[e] >> BITS
            share = table[at, 0] * beta[i + 1 + (edges[e] & MASK)]
            total += share
            table[at, 1] += np.floor(alpha[i] * share * factor + 0.5)
        beta[i] = total
        while beta[i] < _LOW:
            _raise(beta, i, i + LONGEST)
            up += 1


@kernel
def count_best(first_piece, last_piece, heads, counts, first, fan, edges, score, sums,
               best, back, taken):  # fmt: skip
    """Add to `sums` (int64, by id) how often each id occurs in the best segmentations.

    The best has the greatest sum of `score` (float64, by id); of equals at a node, the one whose last token is
    the longest. `best` (float64), `back` and `taken` (int32) have room for the nodes of a piece.
    """
    for q in range(first_piece, last_piece):
        head = heads[q]
        n = heads[q + 1] - 1 - head
        best[0] = 0.0
        for i in range(1, n + 1):
            best[i] = -np.inf
        for i in range(n):
            for e in range(first[head + i], first[head + i] + fan[head + i]):
                j = i + 1 + (edges[e] & MASK)
                value = best[i] + score[edges[e] >> BITS]
                if value > best[j]:
                    best[j], back[j], taken[j] = value, i, edges[e] >> BITS
        while n > 0:
            sums[taken[n]] += counts[q]
            n = np.int64(back[n])


@inlined
def _best_other(node, n, token, first, fan, edges, score, best, back, taken):
    """Return the best score of the text of `n` characters at `node` without the edge `token`."""
    best[0] = 0.0
    for i in range(1, n + 1):
        best[i] = -np.inf
    for i in range(n):
        for e in range(first[node + i], first[node + i] + fan[node + i]):
            j = i + 1 + (edges[e] & MASK)
            if j <= n and not (i == 0 and edges[e] >> BITS == token):
                value = best[i] + score[edges[e] >> BITS]
                if value > best[j]:
                    best[j], back[j], taken[j] = value, i, edges[e] >> BITS
    return best[n]


@kernel
def mark_reachable(first_token, last_token, home, length, first, fan, edges, score,
                   best, back, taken, reachable):  # fmt: skip
    """Set ``reachable[k]`` (uint8) where token k is the best segmentation of its own text."""
    for k in range(first_token, last_token):
        reachable[k] = 1
        if length[k] > 1:
            other = _best_other(home[k], np.int64(length[k]), k, first, fan, edges,
                                score, best, back, taken)  # fmt: skip
            if other > score[k]:
                reachable[k] = 0


@kernel
def losses(first_token, last_token, home, length, first, fan, edges, score, times, total,
           n_tokens, spelling, byte_times, best, back, taken, loss):  # fmt: skip
    """Write what the likelihood loses if a token goes and its occurrences are spelled otherwise.

    With f occurrences of the token in best segmentations of N tokens, and a1..am the tokens of the next best
    segmentation of its text, the loss is ``f/N (ln f/N - sum_i ln (f_ai + f)/(N + f (m - 1)))``: SentencePiece
    0.2.3's. `times` are the occurrences by id, `byte_times` by byte; id ``n_tokens + c`` is spelled by
    the bytes ``spelling[c]`` (int16[:, 4], -1 at the end). The loss is -1 where f is 0 or the token is not
    the best segmentation of its own text. Tokens of one character get the loss of their spelling,
    which begins `spelling` in the order given by `-home - 1`.
    """
    for k in range(first_token, last_token):
        loss[k] = -1.0
        f = np.float64(times[k])
        if f == 0.0:
            continue
        parts = 0
        logs = 0.0
        n = np.int64(length[k])
        if n == 1:
            parts, logs = _spell(home[k], f, spelling, byte_times)
        else:
            other = _best_other(home[k], n, k, first, fan, edges, score, best, back, taken)
            if other > score[k]:
                continue
            while n > 0:
                part = np.int64(taken[n])
                if part < n_tokens:
                    parts += 1
                    logs += np.log(times[part] + f)
                else:
                    more, log = _spell(part - n_tokens, f, spelling, byte_times)
                    parts += more
                    logs += log
                n = np.int64(back[n])
        rest = logs - parts * np.log(total + f * (parts - 1))
        loss[k] = f / total * (np.log(f / total) - rest)


@kernel
def _spell(c, f, spelling, byte_times):
    """Return how many bytes spell character `c`, and the sum of the logs of their occurrences plus `f`."""
    parts = 0
    logs = 0.0
    for i in range(4):
        if spelling[c, i] >= 0:
            parts += 1
            logs += np.log(byte_times[spelling[c, i]] + f)
    return parts, logs


@kernel
def digamma(x, result):
    """Write the digamma function of each x > 0 (float64): the recurrence up to 8, then the asymptotic series.

    (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18; off by less than 1e-12 from 0.5 on.)
    """
    for i in range(x.size):
        value = x[i]
        below = 0.0
        while value < 8.0:
            below -= 1.0 / value
            value += 1.0
        y = 1.0 / (value * value)
        series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
        result[i] = below + np.log(value) - 0.5 / value - series
