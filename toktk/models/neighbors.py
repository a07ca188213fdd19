"""The rule of tiktoken and SentencePiece: any two neighbors merge that together spell a token.

The token of lowest rank comes first, the leftmost of equals. Written out as pairs, one is enough for
each token: the two symbols that are left, just before the end, when the token is encoded alone. Suppose
neighbors a and b spell the token t in some text. No merge has crossed the ends of a and b, so those
within were made in the order in which t alone is encoded: each time the lowest rank, then the leftmost,
of what is there. Every step leaves one symbol less, so two symbols are left just once, and they are a
and b. A token that never comes down to two symbols is made in no text; only a piece that equals it can
become it, and tiktoken makes it so. All steps before the last make shorter tokens, hence pairs are
found from the shortest token to the longest.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from toktk.models.model import Bytes, Int64
from toktk.models.ranked import character_spelling


def last_pairs(
    data: Bytes,
    offsets: Int64,
    ranks: Int64,
    made: Int64,
    byte_ids: Int64,
    characters: npt.NDArray[np.int32],
) -> Int64:
    """Return int64[n, 4]: left, right, new, rank of the pair of each token that merging can make.

    Args:
        data, offsets: the bytes of each id.
        ranks: int64[ids], below `toktk.kernels.bpe_encode.NO_RANK`; tokens may share one.
        made: the ids that merging may make; their bytes must differ from each other.
        byte_ids, characters: how pieces begin, as toktk.kernels.pairs has them.
    """
    from toktk.kernels.bpe_encode import SHORT, empty_pair_table
    from toktk.kernels.pairs import list_last_pairs

    lengths = np.diff(offsets)[made]
    order = made[np.argsort(lengths, kind="stable")]
    pairs = np.empty((order.size, 4), dtype=np.int64)
    scratch = np.empty(8 * max(SHORT, int(lengths.max(initial=0))), dtype=np.int64)
    n = list_last_pairs(
        order,
        data,
        offsets,
        ranks,
        character_spelling(characters, None, byte_ids),
        empty_pair_table(order.size),
        pairs,
        scratch,
    )
    return pairs[:n][np.argsort(pairs[:n, 3], kind="stable")]
