"""The bytes of the tokens that merges make, without a Python object for each.

The slow twin is `toktk.models.bpe.BpeModel.tokens`.
"""

from __future__ import annotations

from toktk.kernels import kernel


@kernel
def merged_lengths(merges, lengths, n):
    """Fill `lengths`, int64[ids], of which the first `n` are given; return how many are known.

    ``merges`` is int64[m, 3]: left id, right id, new id. One that spells a token that exists makes none.
    """
    for i in range(merges.shape[0]):
        if merges[i, 2] == n:
            lengths[n] = lengths[merges[i, 0]] + lengths[merges[i, 1]]
            n += 1
    return n


@kernel
def merged_bytes(merges, offsets, data, n):
    """Fill ``data[offsets[id]:offsets[id + 1]]`` of every id that a merge makes; the first `n` are given."""
    for i in range(merges.shape[0]):
        if merges[i, 2] == n:
            at = offsets[n]
            for part in range(2):
                token = merges[i, part]
                for j in range(offsets[token], offsets[token + 1]):
                    data[at] = data[j]
                    at += 1
            n += 1
