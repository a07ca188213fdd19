"""What the ids of pieces add up to, and which blocks of the text have them.

Of piece s the ids are ``ids[first_of[s]:first_of[s] + tokens[s]]``; with first_of[s] = -1 they are not known.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def mark_blocks(numbers, ends, block_of, blocks):
    """Set bit b of ``blocks[s]``, uint64[S], if a document of block b has piece s.

    Args:
        numbers, ends: int32 and int64[D + 1], the pieces of each document.
        block_of: int64[D], 0 to 63; -1: the document is left out.
    """
    for d in range(block_of.size):
        if block_of[d] >= 0:
            bit = np.uint64(1) << np.uint64(block_of[d])
            for i in range(ends[d], ends[d + 1]):
                blocks[numbers[i]] |= bit


@kernel
def read_ids(ids, first_of, tokens, value_of, blocks, sums, blocks_of, alone):
    """Sum up a value over the ids of each piece, and find the ids that one block alone has.

    Args:
        value_of: float64[ids].
        blocks: uint64[S], the blocks that have each piece, as `mark_blocks` sets them.
        sums: float64[S], out.
        blocks_of: uint64[ids], zeros; out: the blocks that have each id.
        alone: int64[64], zeros; out: the ids that only this block has.

    Returns how many ids any block has.
    """
    for s in range(first_of.size):
        total = 0.0
        if first_of[s] >= 0:
            for i in range(first_of[s], first_of[s] + tokens[s]):
                total += value_of[ids[i]]
                blocks_of[ids[i]] |= blocks[s]
        sums[s] = total
    used = 0
    for own in blocks_of:
        if own != 0:
            used += 1
            if own & (own - np.uint64(1)) == 0:
                b = 0
                while own != np.uint64(1):
                    own >>= np.uint64(1)
                    b += 1
                alone[b] += 1
    return used
