"""Viterbi encoding under several vocabularies at once.

To walk along the trie costs more than to add scores. So the tokens of LANES vocabularies share one
trie, and at each token the scores of all are added at once.

The slow twin is `toktk.educational.viterbi`.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import char_length
from toktk.kernels.unigram_encode import find_child, trie_node

LANES = 8
_SPELLED = 0x7FFFFFFF  # in place of a row: a character spelled by its bytes


@kernel
def count_lanes(data, offsets, first_piece, last_piece, rows, groups, counts, is_word, table, row_at, scores,
                byte_row, unknown, n_lanes, tokens, single, row_counts, row_of, asked, spelled, id_of,
                first_of, ids, to, best, back):  # fmt: skip
    """Encode a range of pieces under each vocabulary, as `viterbi_spans` does, and add up.

    Args:
        rows, groups, counts: int64[pieces + 1], int32 and int64: the count of a piece in each group (CSR).
        is_word: uint8[pieces], whether the piece holds a letter.
        row_at: int64 by node of the trie: the row of the token that ends there.
        scores: float64[rows, LANES]; minus infinity where a vocabulary does not have the token.
        byte_row: int64[256], the row of each byte's token if it spells characters that are no token; or -1.
        unknown: float64[5, LANES], the score of such a character by its number of bytes.
        n_lanes: how many vocabularies there are; lanes beyond are computed and not looked at.
        tokens, single: int64[G, LANES], out: tokens, and word pieces that are one token, of each group.
        row_counts: int64[rows, LANES], out: occurrences of each token.
        row_of: int32[pieces], the row of a piece in `asked`, or -1.
        asked: int32[rows, LANES], out: the tokens of those pieces.
        spelled: uint8[rows], whether the ids of such a piece are wanted.
        id_of: uint32[rows, LANES]: the id of each token, by row.
        first_of: int64[n_lanes, rows], out: where the ids of such a piece begin.
        ids: uint32, out, from `to` on, those of a piece from behind; room for one for each byte and lane.
        best, back: float64 and int64[longest piece + 1, LANES].
    """
    spells = byte_row[0] >= 0
    for p in range(first_piece, last_piece):
        start = offsets[p]
        n = offsets[p + 1] - start
        best[: n + 1] = -np.inf
        best[0] = 0.0
        for i in range(n):
            reached = False
            for lane in range(LANES):
                reached |= best[i, lane] > -np.inf
            if not reached:
                continue
            length = min(np.int64(char_length(data[start + i])), n - i)
            alone = np.int64(-1)
            node = np.int64(0)
            for j in range(i, n):
                word = table[find_child(table, node, data[start + j])]
                if word == -1:
                    break
                node = trie_node(word)
                if word & 1:
                    row = row_at[node]
                    step = (np.int64(i) << 32) | row
                    for lane in range(LANES):
                        score = best[i, lane] + scores[row, lane]
                        better = score > best[j + 1, lane]
                        best[j + 1, lane] = score if better else best[j + 1, lane]
                        back[j + 1, lane] = step if better else back[j + 1, lane]
                    if j + 1 - i == length:
                        alone = row
                if not word & 2:
                    break
            if spells:
                step = (np.int64(i) << 32) | _SPELLED
                for lane in range(LANES):
                    if alone < 0 or scores[alone, lane] == -np.inf:
                        score = best[i, lane] + unknown[length, lane]
                        if score > best[i + length, lane]:
                            best[i + length, lane] = score
                            back[i + length, lane] = step
        total = np.int64(0)
        for entry in range(rows[p], rows[p + 1]):
            total += counts[entry]
        is_spelled = row_of[p] >= 0 and spelled[row_of[p]] != 0
        for lane in range(n_lanes):
            length = np.int64(0)
            end = np.int64(n)
            while end > 0:
                i, row = back[end, lane] >> 32, back[end, lane] & 0xFFFFFFFF
                if row == _SPELLED:
                    for j in range(i, end):
                        byte = byte_row[data[start + j]]
                        row_counts[byte, lane] += total
                        if is_spelled:
                            ids[to + length] = id_of[byte, lane]
                        length += 1
                else:
                    row_counts[row, lane] += total
                    if is_spelled:
                        ids[to + length] = id_of[row, lane]
                    length += 1
                end = i
            if row_of[p] >= 0:
                asked[row_of[p], lane] = length
            if is_spelled:
                first_of[lane, row_of[p]] = to
                to += length
            for e in range(rows[p], rows[p + 1]):
                tokens[groups[e], lane] += length * counts[e]
                if length == 1 and is_word[p]:
                    single[groups[e], lane] += counts[e]
