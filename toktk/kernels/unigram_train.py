"""Lattices of all pieces: for each place in a piece, the tokens that end there.

Sorted pieces begin alike, so their lattices are kept as a trie: piece q adds nodes for its
characters from ``shared[q]`` on; the nodes before these are those of the piece before it. So what
is summed up to a node is computed once for all pieces that begin alike. An edge ends at a node; it
is ``id << 5 | length - 1`` with the length in characters. The edges of a node are sorted, the
longest first; the last is of one character: a token, or the way around by bytes.

A walk over the nodes keeps one value for each depth; going back undoes what going forth has done.
Expectations are added as whole multiples of ``1 / scale``. Such sums are exact in float64, so they
depend neither on the order nor on the number of threads. Unsigned indices spare the test for
negative ones. The slow twin is in `toktk.educational`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import prefetch

BITS = 5
LONGEST = 1 << BITS
"""Most characters of a token."""
MASK = LONGEST - 1
AROUND = 64
"""Edges before the first and after the last one, which are asked for ahead and not used."""
_AHEAD = np.uint64(AROUND)
_TURN = 2 * LONGEST - 1
_SIGN = np.uint64(63)
# By the length of an edge, less 1: a factor and a term that end the sum of a node with its last edge.
_GOES_ON = np.array([0.0] + [1.0] * MASK)
_ENDS = np.array([-np.inf] + [0.0] * MASK)
SHORT = 24
"""Most characters of a piece whose probability a float64 holds, if that of a token is at least e**-28."""
_ZERO, _ONE, _BITS, _MASK = np.uint64(0), np.uint64(1), np.uint64(BITS), np.uint64(MASK)
# Sums over improbable pieces are kept between _LOW and 1 by factors of 2**256.
_LOW, _UP = 2.0**-256, 2.0**256
_ENOUGH = 2.0**-500  # the least sum that needs no such care


class Trie(NamedTuple):
    """The lattices of all pieces."""

    heads: Any  # int64[pieces + 1], the first place of each piece (toktk.kernels.suffixes)
    shared: Any  # int32[pieces], characters in common with the piece before
    bases: Any  # int64[pieces + 1], the first node of each piece
    counts: Any  # int64[pieces]
    fan: Any  # uint8[nodes], how many edges end at each node
    edges: Any  # uint32, in the order of their nodes, with AROUND unused ones before and after them
    first: Any  # int64[nodes], the first edge of each node
    parent: Any  # int32[nodes], the node before, -1 at the beginning


class Tokens(NamedTuple):
    """The tokens of more than one character."""

    longest: Any  # int32 by place, the longest token that begins there, -1 if there is none
    shorter: Any  # uint32 by token: the longest other token that it begins with, or -1, plus 1; as an edge


class Paths(NamedTuple):
    """What is needed to segment the text of a token, which ends at a node, back to its beginning."""

    trie: Any
    score: Any  # float64 by id
    best: Any  # float64[LONGEST + 1], scratch of the thread, like the next two
    taken: Any  # int64[LONGEST + 1]
    path: Any  # int64[LONGEST + 1]


@kernel
def share_prefixes(first_piece, last_piece, codes, heads, n_short, every, shared):
    """Write how many characters each of a range of pieces has in common with the one before (int32).

    0 from piece `n_short` on, and for every `every`-th piece, where a thread may begin.
    """
    for q in range(first_piece, last_piece):
        shared[q] = 0
        if q % every == 0 or q >= n_short:
            continue
        size = heads[q + 1] - heads[q] - 1
        before = heads[q] - heads[q - 1] - 1
        n = 0
        while n < min(size, before) and codes[heads[q] + n] == codes[heads[q - 1] + n]:
            n += 1
        shared[q] = n


@kernel
def room_for_edges(first_piece, last_piece, heads, shared, tokens):
    """Return no less than the edges that a range of pieces has."""
    longest, shorter = tokens
    room = np.int64(0)
    for q in range(first_piece, last_piece):
        size, known = heads[q + 1] - heads[q] - 1, np.int64(shared[q])
        first = known - MASK if known > MASK else np.int64(0)
        for i in range(first, size):
            token = longest[heads[q] + i]
            # The others that begin here are shorter, each by a character at least.
            depth = i + 1 + np.int64(shorter[token] & _MASK) if token >= 0 else i + 1
            before = known if known > i else i
            room += depth - before if depth > before else 0
    return room


@kernel
def lay_edges(first_piece, last_piece, start, trie, tokens, codes, id_of, end, path, ring):
    """Write the nodes of a range of pieces, and their edges from `start` on.

    `codes` and `id_of` (int32) are the character at each place and the id of each character; `end` (int32)
    becomes a node at which each token ends. `path` (int32) is one longer than a piece; `ring` is
    uint32[2 * LONGEST, LONGEST + 1]: the edges of the nodes ahead, and in the last column how many.
    """
    heads, shared, bases, _, fan, edges, first, parent = trie
    longest, shorter = tokens
    at = np.int64(start)
    for row in ring:
        row[LONGEST] = 0
    path[0] = -1
    for q in range(first_piece, last_piece):
        size, known = heads[q + 1] - heads[q] - 1, np.int64(shared[q])
        begin = known - MASK if known > MASK else np.int64(0)
        for i in range(begin, size):
            ahead = min(heads[q] + i + AROUND, longest.size - 1)
            prefetch(shorter, np.int64(longest[ahead]))
            token = np.int64(longest[heads[q] + i])
            while token >= 0:
                link = np.int64(shorter[token])
                last = i + (link & MASK)
                if last >= known:
                    row = ring[last & _TURN]
                    row[row[LONGEST]] = token << BITS | (link & MASK)
                    row[LONGEST] += 1
                    end[token] = bases[q] + last - known
                token = (link >> BITS) - 1
            if i >= known:
                node = bases[q] + i - known
                parent[node] = path[i]
                path[i + 1] = node
                row = ring[i & _TURN]
                first[node] = at
                for e in range(row[LONGEST]):
                    edges[at] = row[e]
                    at += 1
                row[LONGEST] = 0
                edges[at] = np.int64(id_of[codes[heads[q] + i]]) << BITS
                at += 1
                fan[node] = at - first[node]


@inlined
def _is_last(back):
    """Return 1 for the last edge of a node, which is of one character, else 0, without a branch."""
    return (back - _ONE) >> _SIGN


@inlined
def _prefetch(values, width, edges, at):
    """Ask for the `values` of an edge, of which each id has `width`."""
    prefetch(values, np.int64(edges[at] >> _BITS) * width)


@kernel
def renumber(first_piece, last_piece, start, trie, new_id):
    """Give the edges of a range of pieces, from `start` on, new ids (int32, by id); those with -1 go.

    No edge of one character may go.
    """
    _, _, bases, _, fan, edges, first, _ = trie
    node, stop = np.uint64(bases[first_piece]), np.uint64(bases[last_piece])
    source = at = begin = np.uint64(start)
    while node < stop:
        edge = np.uint64(edges[source])
        source += _ONE
        new = np.int64(new_id[edge >> _BITS])
        edges[at] = new << BITS | np.int64(edge & _MASK)
        at += np.uint64(new >= 0)  # no branch: which edges go cannot be predicted
        first[node] = begin
        fan[node] = at - begin
        done = _is_last(edge & _MASK)
        begin += done * (at - begin)
        node += done


@kernel
def expect(first_piece, last_piece, start, trie, table, scale, alpha, beta, undo):
    """Add the expected occurrences of each id, times `scale`, to ``table[2 * id + 1]``.

    This is the forward-backward algorithm: a segmentation is as likely as the product of the probabilities of
    its tokens, ``table[2 * id]`` (float64). The pieces have SHORT characters at most; `alpha` and `beta` have
    two places more, `undo` one for each node of the range (float64). Returns where the edges end.

    The processor cannot predict how many edges a node has, so nothing depends on it: what is to be done once
    for a node is done with each of its edges, or written to a place that nobody reads.
    """
    heads, shared, bases, counts, _, edges, first, _ = trie
    node = np.uint64(0)
    at = np.uint64(start)
    nowhere = np.uint64(SHORT + 1)
    alpha[0] = 1.0
    for q in range(first_piece, last_piece):
        last, size = np.uint64(shared[q]), np.uint64(heads[q + 1] - heads[q] - 1)
        total = 0.0
        while last < size:
            _prefetch(table, 2, edges, at + _AHEAD)
            edge = np.uint64(edges[at])
            at += _ONE
            back = edge & _MASK
            done = _is_last(back)
            total += alpha[last - back] * table[edge >> _BITS << _ONE]
            after = last + _ONE
            undo[node] = alpha[after]
            alpha[nowhere + done * (after - nowhere)] = total
            total *= _GOES_ON[back]
            last += done
            node += done
    end = at
    for depth in range(SHORT + 1):
        beta[depth] = 0.0
    for q in range(last_piece - 1, first_piece - 1, -1):
        last = np.uint64(heads[q + 1] - heads[q] - 1)
        beta[last] += counts[q] * scale / alpha[last]
        begin = np.uint64(first[bases[q]]) if bases[q] < bases[q + 1] else at
        here = 0.0
        while at > begin:
            at -= _ONE
            _prefetch(table, 2, edges, at - _AHEAD)
            edge = np.uint64(edges[at])
            back = edge & _MASK
            done = _is_last(back)
            node -= done
            last -= done
            after = last + _ONE
            here = here * _GOES_ON[back] + beta[after]
            beta[after] = 0.0
            alpha[after] = undo[node]
            k = edge >> _BITS << _ONE
            share = table[k] * here
            beta[last - back] += share
            table[k + _ONE] += np.floor(alpha[last - back] * share + 0.5)
    return np.int64(end)


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
def expect_long(first_piece, last_piece, start, trie, table, scale, alpha, beta, shifts):
    """Do what `expect` does for pieces that share no nodes, however improbable they are.

    `alpha`, `beta` and `shifts` (int64[:, 2]) have room for the characters of a piece and one more.
    """
    heads, _, bases, counts, fan, edges, _, _ = trie
    at = np.uint64(start)
    for piece in range(first_piece, last_piece):
        n = heads[piece + 1] - heads[piece] - 1
        base = np.uint64(bases[piece])
        weight = counts[piece] * scale
        end, least = _forward(n, at, edges, table, alpha)
        if least > _ENOUGH:
            _backward(n, at, end, edges, table, weight / alpha[n], alpha, beta)
        else:
            _expect_improbable(n, base, at, fan, edges, table, weight, alpha, beta, shifts)
        at = end


@kernel
def _forward(n, at, edges, table, alpha):
    """Write the sums up to each place of a piece; return where its edges end, and the least sum."""
    alpha[0] = least = 1.0
    last, total = _ZERO, 0.0
    while last < np.uint64(n):
        _prefetch(table, 2, edges, at + _AHEAD)
        edge = np.uint64(edges[at])
        at += _ONE
        back = edge & _MASK
        total += alpha[last - back] * table[edge >> _BITS << _ONE]
        alpha[last + _ONE] = total
        least = min(least, total + _GOES_ON[back])
        total *= _GOES_ON[back]
        last += _is_last(back)
    return at, least


@kernel
def _backward(n, begin, at, edges, table, weight, alpha, beta):
    """Add the expected occurrences in one piece, whose edges are those from `begin` to `at`.

    What is too small for a float64 here comes to no occurrence, for ``alpha[n]`` is not small.
    """
    for i in range(n):
        beta[i] = 0.0
    beta[n] = 1.0
    last, here = np.uint64(n), 0.0
    while at > begin:
        at -= _ONE
        _prefetch(table, 2, edges, at - _AHEAD)
        edge = np.uint64(edges[at])
        back = edge & _MASK
        last -= _is_last(back)
        here = here * _GOES_ON[back] + beta[last + _ONE]
        beta[last + _ONE] = 0.0
        k = edge >> _BITS << _ONE
        share = table[k] * here
        beta[last - back] += share
        table[k + _ONE] += np.floor(alpha[last - back] * share * weight + 0.5)


@kernel
def _expect_improbable(n, base, at, fan, edges, table, weight, alpha, beta, shifts):
    """Add the expected occurrences in one piece whose sums are too small for a float64.

    The true sums at depth i are ``alpha[i] * 2**(-256 * shifts[i, 0])``, and so for beta with
    ``shifts[i, 1]``.
    """
    for i in range(n + 1):
        alpha[i] = beta[i] = 0.0
    alpha[0] = beta[n] = 1.0
    shifts[0, 0] = shifts[n, 1] = 0
    base, at = np.int64(base), np.int64(at)
    for i in range(1, n + 1):
        for e in range(at, at + fan[base + i - 1]):
            edge = np.int64(edges[e])
            begin = i - 1 - (edge & MASK)
            value = alpha[begin] * table[2 * (edge >> BITS)]
            _add(alpha, shifts, 0, i, value, shifts[begin, 0])
        at += fan[base + i - 1]
    weight /= alpha[n]
    for i in range(n, 0, -1):
        at -= fan[base + i - 1]
        for e in range(at, at + fan[base + i - 1]):
            edge = np.int64(edges[e])
            begin = i - 1 - (edge & MASK)
            share = table[2 * (edge >> BITS)] * beta[i]
            _add(beta, shifts, 1, begin, share, shifts[i, 1])
            # The three exponents cancel, but for what the factors are below 1.
            rest = shifts[n, 0] - shifts[begin, 0] - shifts[i, 1]
            if rest >= -2 and rest <= 3:
                occurs = alpha[begin] * share * _UP ** np.float64(rest)
                table[2 * (edge >> BITS) + 1] += np.floor(occurs * weight + 0.5)


@kernel
def count_best(first_piece, last_piece, start, trie, score, sums, best, times, taken):
    """Add to `sums` (int64, by id) how often each id occurs in the best segmentations.

    The best has the greatest sum of `score` (float64, by id); of equals at a node, the one whose
    last token is the longest. `best` (float64) and `times` (int64, all 0) have room for the
    characters of a piece and one more, `taken` (uint32) for the nodes of the range.
    """
    heads, shared, _, counts, _, edges, _, _ = trie
    node = np.uint64(0)
    at = np.uint64(start)
    best[0] = 0.0
    for q in range(first_piece, last_piece):
        last, size = np.uint64(shared[q]), np.uint64(heads[q + 1] - heads[q] - 1)
        highest, chosen = -np.inf, _ZERO
        while last < size:
            _prefetch(score, 1, edges, at + _AHEAD)
            edge = np.uint64(edges[at])
            at += _ONE
            back = edge & _MASK
            value = best[last - back] + score[edge >> _BITS]
            chosen = edge if value > highest else chosen
            highest = max(highest, value)
            best[last + _ONE] = highest
            taken[node] = chosen
            highest += _ENDS[back]
            last += _is_last(back)
            node += _is_last(back)
    for q in range(last_piece - 1, first_piece - 1, -1):
        size = heads[q + 1] - heads[q] - 1
        times[size] += counts[q]
        for depth in range(size, shared[q], -1):
            node -= _ONE
            n = times[depth]
            times[depth] = 0
            if n > 0:
                chosen = np.uint64(taken[node])
                sums[chosen >> _BITS] += n
                times[np.uint64(depth - 1) - (chosen & _MASK)] += n
    times[0] = 0


@inlined
def _best_other(paths, node, n, token):
    """Return the best score of the `n` characters up to `node` without the edge `token`."""
    trie, score, best, taken, path = paths
    _, _, _, _, fan, edges, first, parent = trie
    for i in range(n, 0, -1):
        path[i] = node
        node = np.int64(parent[node])
    best[0] = 0.0
    for i in range(1, n + 1):
        best[i] = -np.inf
        at = np.uint64(first[path[i]])
        stop = at + np.uint64(fan[path[i]])
        while at < stop:
            edge = np.int64(edges[at])
            at += _ONE
            begin = i - 1 - (edge & MASK)
            if begin >= 0 and not (i - begin == n and edge >> BITS == token):
                value = best[begin] + score[np.uint64(edge >> BITS)]
                if value > best[i]:
                    best[i], taken[i] = value, edge
    return best[n]


@kernel
def mark_reachable(tokens, end, length, kept, paths, reachable):
    """Set ``reachable[k]`` (bool) to whether token k is kept and the best segmentation of its own text.

    For each k of `tokens` (int64); those whose ends are neighbors should follow one another.
    """
    for k in tokens:
        reachable[k] = kept[k]
        if kept[k] and length[k] > 1:
            other = _best_other(paths, np.int64(end[k]), np.int64(length[k]), k)
            reachable[k] = other <= paths.score[k]


@kernel
def losses(chosen, tokens, paths, times, total, spelling, byte_times, loss):
    """Write what the likelihood loses if a token goes and its occurrences are spelled otherwise.

    With f occurrences of the token in best segmentations of N tokens, and a1..am the tokens of the
    next best segmentation of its text, the loss is ``f/N (ln f/N - sum_i ln (f_ai + f)/(N + f (m -
    1)))``: SentencePiece 0.2.3's. The loss is -1 where f is 0 or the token is not the best
    segmentation of its own text.

    Args:
        chosen: int64, the tokens to look at; those whose ends are neighbors should follow one another.
        tokens: home, end (int32), length (uint8), alive (bool), by token. ``home[k]`` is the character of a
            token of one character; the ids from ``alive.size`` on are characters that are no token.
        times, byte_times, total: occurrences by id and by byte, and the sum over tokens.
        spelling: int16[:, 4], the bytes of each character, -1 at the end.
    """
    home, end, length, alive = tokens
    taken = paths.taken
    for k in chosen:
        loss[k] = -1.0
        f = np.float64(times[k])
        if f == 0.0:
            continue
        parts, logs = 0, 0.0
        n = np.int64(length[k])
        if n == 1:
            parts, logs = _spell(home[k], f, spelling, byte_times)
        else:
            if _best_other(paths, np.int64(end[k]), n, k) > paths.score[k]:
                continue
            while n > 0:
                part = taken[n] >> BITS
                if part < alive.size and alive[part]:
                    parts += 1
                    logs += np.log(times[part] + f)
                else:
                    c = np.int64(home[part]) if part < alive.size else part - alive.size
                    more, log = _spell(c, f, spelling, byte_times)
                    parts += more
                    logs += log
                n -= 1 + (taken[n] & MASK)
        rest = logs - parts * np.log(total + f * (parts - 1)) if parts > 0 else 0.0
        loss[k] = f / total * (np.log(f / total) - rest)


@kernel
def _spell(c, f, spelling, byte_times):
    """Return how many bytes spell character `c`, and the sum of the logs of their occurrences plus `f`."""
    parts, logs = 0, 0.0
    for i in range(4):
        if spelling[c, i] >= 0:
            parts += 1
            logs += np.log(byte_times[spelling[c, i]] + f)
    return parts, logs
