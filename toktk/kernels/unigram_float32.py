"""The ids of SentencePiece, whose sums are float32 from the start of a document to its end.

Where no token reaches over a cut, every path goes through it, and all that the pieces behind know of
those before is one number: the best sum so far, the base. A piece is certain for bases of which the
rounding cannot change its path. Its ids are looked up, and their scores added to the base as the
library adds them. Any other piece is decided by the library's own sums, from the base on.

Let V(j) be the best sum up to position j of a piece in exact numbers, and f(j) what the library has, less
the base. A sum of size up to M is rounded by at most u = M * 2**-24, so by induction |f(j) - V(j)| <=
k(j) * u, where k(j) counts the additions on the way. Let D be the largest sum in the piece, n the number
of positions and g the least lead of the best path over another that comes to one of its positions. If
g > 2 * n * (|base| + D) * 2**-24, the library takes that path; this bounds |base|, and the bound,
the reach, is kept with the ids of the piece. Sums beyond `RESET` begin anew inside a piece, which is
left to the library's sums as well.
"""

from __future__ import annotations

import math

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.memory import char_length
from toktk.kernels.unigram_encode import (
    RESET,
    begin_paths,
    find_child,
    trie_node,
    walk_paths,
    write_path,
)

LONGEST = 64
"""Bytes; longer pieces are hardly ever certain, nor seen again."""

NEVER = -1.0
"""The reach of a piece that is certain for no base."""


@inlined
def _arrive(best, back, lead, at, score, step):
    """Enter a path that ends at `at` with `step`; `lead` is by how much the best one leads there."""
    if back[at] < 0:
        best[at], back[at], lead[at] = score, step, math.inf
    elif score > best[at]:
        lead[at] = score - best[at]
        best[at], back[at] = score, step
    else:
        lead[at] = min(lead[at], best[at] - score)


@kernel
def _reach(data, start, n, table, score_at, unknown, best, back, lead):
    """Walk as `walk_paths` does, in float64, and return the reach of the span."""
    n_positions, largest = 0, 0.0
    for i in range(n):
        if back[i] < 0:
            continue
        n_positions += 1
        length = min(np.int64(char_length(data[start + i])), n - i)
        alone = False
        node = np.int64(0)
        for j in range(i, n):
            word = table[find_child(table, node, data[start + j])]
            if word == -1:
                break
            node = trie_node(word)
            if word & 1:
                score = best[i] + score_at[node]
                largest = max(largest, abs(score))
                _arrive(best, back, lead, j + 1, score, (i << 26) | node)
                if j + 1 - i == length:
                    alone = True
            if not word & 2:
                break
        if not alone:
            score = best[i] + unknown[length]
            largest = max(largest, abs(score))
            _arrive(best, back, lead, i + length, score, i << 26)
    least, j = math.inf, n
    while j > 0:
        least = min(least, lead[j])
        j = back[j] >> 26
    # A little less, for the rounding of float64 and of the result.
    reach = (least * (1.0 - 2.0**-20) - 2.0**-40 * largest) * 2.0**23 / max(n_positions, 1)
    return (min(reach, RESET) - largest) * (1.0 - 2.0**-20)


@kernel
def headed_spans(data, offsets, vocabulary, ids, ends, reaches, best, back, lead):
    """Write for each span its reach, and its ids if there is a base for which it is certain.

    Args:
        vocabulary: as for `viterbi_spans`, with scores in float64; a character may be spelled.
        ids, ends: uint32 with room for all bytes and one for each span, and int64[spans].
        reaches: the memory of `ids` as float32: at the first place of a span lies its reach.
        best, back, lead: float64, int64, float64[LONGEST + 1], scratch.

    Returns how much of `ids` was written.
    """
    table, token_at, score_at, fallback, unknown, first_id = vocabulary
    k = 0
    for p in range(offsets.size - 1):
        start = offsets[p]
        n = offsets[p + 1] - start
        reaches[k] = NEVER
        k += 1
        if n <= LONGEST:
            begin_paths(n, best, back)
            reach = _reach(data, start, n, table, score_at, unknown, best, back, lead)
            if reach >= 0.0:
                reaches[k - 1] = reach
                k = write_path(data, start, n, token_at, fallback, first_id, back, ids, k)
        ends[p] = k
    return k


@kernel
def follow_pieces(
    data, start, ends, starts, headed, reaches, lasts, base, vocabulary, score_of, out, k,
    out_ends, best, back,
):  # fmt: skip
    """Write the ids of documents that are cut into pieces; return the base, and where the ids end.

    Args:
        data, start, ends: uint8; the first piece begins at `start`, piece p ends at ``ends[p]``.
        starts, headed, reaches: int64[pieces + 1]; what `headed_spans` gave for piece p lies in
            ``headed[starts[p]:starts[p + 1]]``.
        lasts: int64[documents]: how many pieces there are up to the end of each document.
        base: float32, the sum up to the first piece, which may be in the midst of a document.
        vocabulary: as for `viterbi_spans`, with scores in float32.
        score_of: float32[ids]: what an id adds to a sum: a byte that begins a character the score of
            a character that is spelled, one inside a character 0.
        out, k: uint32, with room for all bytes; ids are written from k on.
        out_ends: int64[documents], out: where each document's ids end.
        best, back: float32 and int64[longest piece + 1], scratch.
    """
    table, token_at, score_at, fallback, unknown, first_id = vocabulary
    p = 0
    for d in range(lasts.size):
        if d > 0:
            base = np.float32(0.0)
        while p < lasts[d]:
            n = ends[p] - start
            if abs(base) <= reaches[starts[p]]:
                for i in range(starts[p] + 1, starts[p + 1]):
                    out[k] = headed[i]
                    base += score_of[headed[i]]
                    k += 1
            else:
                begin_paths(n, best, back)
                best[0] = base
                walk_paths(data, start, n, table, score_at, unknown, True, best, back)
                base = best[n]
                k = write_path(data, start, n, token_at, fallback, first_id, back, out, k)
            start = ends[p]
            p += 1
        out_ends[d] = k
    return base, k
