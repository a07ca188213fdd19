"""Lattices of all pieces: for each node, the tokens that begin there.

Nodes are as in toktk.kernels.seeds. The edges of all nodes follow each other in `edges` (uint32); ``fan[i]``
(uint8) says how many begin at node i. An edge is ``id << 5 | length - 1`` with the length in characters. One
edge of a node is always of one character: a token, or the way around by single bytes.
Expectations are added as whole multiples of ``1 / scale``: such sums are exact in float64, so they depend
neither on the order nor on the number of threads.

The inner loops count in uint64, which spares a test for negative indices at each access.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel

BITS = 5
LONGEST = 1 << BITS
"""Most characters of a token. Within so many nodes, forward sums stay in the range of a float64."""
MASK = LONGEST - 1
_ZERO, _ONE, _BITS, _MASK = np.uint64(0), np.uint64(1), np.uint64(BITS), np.uint64(MASK)
_SAFE = 1e-250
# Below _SAFE, sums are kept between _LOW and 1 by factors of 2**256.
_LOW, _UP = 2.0**-256, 2.0**256


@kernel
def fill_edges(first_node, last_node, start, codes, id_of, longest, shorter, length, edges):
    """Write the edges of a range of nodes, from `start` on.

    Those of one character have the id ``id_of[code]`` (int32). ``longest[node]`` (int32) is the longest token
    beside it, -1 if there is none, and ``shorter[token]`` the next; `length` (uint8) is by token.
    """
    at = start
    for node in range(first_node, last_node):
        if codes[node] < 0:
            continue
        edges[at] = np.int64(id_of[codes[node]]) << BITS
        at += 1
        token = np.int64(longest[node])
        while token >= 0:
            edges[at] = token << BITS | (np.int64(length[token]) - 1)
            at += 1
            token = np.int64(shorter[token])


@kernel
def renumber(first_node, last_node, start, new_id, fan, edges):
    """Give the edges of a range of nodes, from `start` on, their new ids (int32, by id); those with -1 go."""
    source = at = np.uint64(start)
    for i in range(first_node, last_node):
        node = np.uint64(i)
        stop, begin = source + np.uint64(fan[node]), at
        while source < stop:
            edge = np.uint64(edges[source])
            new = np.int64(new_id[edge >> _BITS])
            edges[at] = new << BITS | np.int64(edge & _MASK)
            at += np.uint64(new >= 0)  # no branch: which edges go cannot be predicted
            source += _ONE
        fan[node] = at - begin


@kernel
def expect(
    first_piece, last_piece, start, heads, counts, fan, edges, table, scale, alpha, beta, long
):
    """Add the expected occurrences of each id, times `scale`, to ``table[id, 1]``.

    The expectation is over all segmentations of a piece, each as likely as the product of its tokens'
    probabilities ``table[id, 0]`` (float64), by the forward-backward algorithm. `alpha` and `beta` (float64)
    have room for the nodes of a piece. Pieces whose probability a float64 cannot hold are left to
    `expect_long`: `long` (int64) gets piece and first edge of each. Returns how many there are.
    """
    n_long = 0
    at = np.uint64(start)
    for q in range(first_piece, last_piece):
        n = heads[q + 1] - 1 - heads[q]
        node = np.uint64(heads[q])
        begin = at
        alpha[0] = 1.0
        for j in range(1, n + 1):
            alpha[j] = 0.0
        for j in range(n):
            i = np.uint64(j)
            here = alpha[i]
            stop = at + np.uint64(fan[node])
            while at < stop:
                edge = np.uint64(edges[at])
                alpha[i + _ONE + (edge & _MASK)] += here * table[edge >> _BITS, _ZERO]
                at += _ONE
            node += _ONE
        if alpha[n] < _SAFE:
            long[2 * n_long] = q
            long[2 * n_long + 1] = begin
            n_long += 1
            continue
        beta[n] = counts[q] * scale / alpha[n]
        back = at
        for j in range(n - 1, -1, -1):
            i = np.uint64(j)
            node -= _ONE
            stop = back - np.uint64(fan[node])
            here, total = alpha[i], 0.0
            while back > stop:
                back -= _ONE
                edge = np.uint64(edges[back])
                share = table[edge >> _BITS, _ZERO] * beta[i + _ONE + (edge & _MASK)]
                total += share
                table[edge >> _BITS, _ONE] += np.floor(here * share + 0.5)
            beta[i] = total
    return n_long


@inlined
def _add(values, shifts, side, j, value, shift):
    """Add ``value * 2**(-256 * shift)`` to the sum at `j`; what is 2**512 times smaller does not count."""
    if value > 0.0:
        while value < _LOW:
            value *= _UP
            shift += 1
        later = shift - shifts[j, side]
        if values[j] == 0.0 or later < -1:
            values[j], shifts[j, side] = value, shift
        elif later == -1:
            values[j], shifts[j, side] = values[j] * _LOW + value, shift
        elif later == 0:
            values[j] += value
        elif later == 1:
            values[j] += value * _LOW


@kernel
def expect_long(piece, start, heads, counts, fan, edges, table, scale, alpha, beta, shifts):
    """Do what `expect` does for one piece, however improbable.

    The true sums at node i are ``alpha[i] * 2**(-256 * shifts[i, 0])``, and so for beta with ``shifts[i, 1]``
    (int64): inside a likely token, they can be far smaller than before and after.
    """
    head = heads[piece]
    n = heads[piece + 1] - 1 - head
    for i in range(n + 1):
        alpha[i] = beta[i] = 0.0
    alpha[0] = beta[n] = 1.0
    shifts[0, 0] = shifts[n, 1] = 0
    at = np.int64(start)
    for i in range(n):
        for e in range(at, at + fan[head + i]):
            edge = np.int64(edges[e])
            j = i + 1 + (edge & MASK)
            _add(alpha, shifts, 0, j, alpha[i] * table[edge >> BITS, 0], shifts[i, 0])
        at += fan[head + i]
    weight = counts[piece] * scale / alpha[n]
    for i in range(n - 1, -1, -1):
        at -= fan[head + i]
        for e in range(at, at + fan[head + i]):
            edge = np.int64(edges[e])
            j = i + 1 + (edge & MASK)
            share = table[edge >> BITS, 0] * beta[j]
            _add(beta, shifts, 1, i, share, shifts[j, 1])
            # The three exponents cancel, but for what the factors are below 1.
            rest = shifts[n, 0] - shifts[i, 0] - shifts[j, 1]
            if rest >= -2 and rest <= 3:
                occurs = alpha[i] * share * _UP ** np.float64(rest)
                table[edge >> BITS, 1] += np.floor(occurs * weight + 0.5)


@kernel
def count_best(
    first_piece, last_piece, start, heads, counts, fan, edges, score, sums, best, back, taken
):
    """Add to `sums` (int64, by id) how often each id occurs in the best segmentations.

    The best has the greatest sum of `score` (float64, by id); of equals at a node, the one whose last token
    is the longest. `best` (float64), `back` and `taken` (int32) have room for the nodes of a piece.
    """
    at = np.uint64(start)
    for q in range(first_piece, last_piece):
        n = heads[q + 1] - 1 - heads[q]
        node = np.uint64(heads[q])
        best[0] = 0.0
        for j in range(1, n + 1):
            best[j] = -np.inf
        for j in range(n):
            i = np.uint64(j)
            here = best[i]
            stop = at + np.uint64(fan[node])
            while at < stop:
                edge = np.uint64(edges[at])
                value = here + score[edge >> _BITS]
                end = i + _ONE + (edge & _MASK)
                if value > best[end]:
                    best[end], back[end], taken[end] = value, j, edge >> _BITS
                at += _ONE
            node += _ONE
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
        at = np.uint64(first[node + i])
        stop = at + np.uint64(fan[node + i])
        here = best[i]
        while at < stop:
            edge = np.int64(edges[at])
            at += _ONE
            j = i + 1 + (edge & MASK)
            if j <= n and not (i == 0 and edge >> BITS == token):
                value = here + score[np.uint64(edge >> BITS)]
                if value > best[j]:
                    best[j], back[j], taken[j] = value, i, edge >> BITS
    return best[n]


@kernel
def mark_reachable(first_token, last_token, home, length, kept, first, fan, edges, score, best, back,
                   taken, reachable):  # fmt: skip
    """Set ``reachable[k]`` (bool) to whether token k is kept and the best segmentation of its own text."""
    for k in range(first_token, last_token):
        reachable[k] = kept[k]
        if kept[k] and length[k] > 1:
            n = np.int64(length[k])
            other = _best_other(home[k], n, k, first, fan, edges, score, best, back, taken)
            reachable[k] = other <= score[k]


@kernel
def losses(first_token, last_token, home, length, alive, first, fan, edges, score, times, total, spelling,
           byte_times, best, back, taken, loss):  # fmt: skip
    """Write what the likelihood loses if a token goes and its occurrences are spelled otherwise.

    With f occurrences of the token in best segmentations of N tokens, and a1..am the tokens of the next best
    segmentation of its text, the loss is ``f/N (ln f/N - sum_i ln (f_ai + f)/(N + f (m - 1)))``:
    SentencePiece 0.2.3's. `times` are the occurrences by id, `byte_times` by byte; a character that is no
    token is spelled by the bytes ``spelling[c]`` (int16[:, 4], -1 at the end). The loss is -1 where f is 0 or
    the token is not the best segmentation of its own text.

    Ids from ``alive.size`` on are characters; of a token of one character ``home[k]`` is that character, and
    a node else (see toktk.trainers.pruning.UnigramState).
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
                if part < alive.size and alive[part]:
                    parts += 1
                    logs += np.log(times[part] + f)
                else:
                    c = np.int64(home[part]) if part < alive.size else part - alive.size
                    more, log = _spell(c, f, spelling, byte_times)
                    parts += more
                    logs += log
                n = np.int64(back[n])
        rest = logs - parts * np.log(total + f * (parts - 1)) if parts > 0 else 0.0
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
