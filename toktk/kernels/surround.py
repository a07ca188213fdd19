"""Special tokens put around the ids of each document, which become as narrow as the output."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def surround(ids, offsets, before, after, out):
    """Copy the ids of documents, each behind the ids `before` and ahead of the ids `after`.

    Args:
        ids: uint32; those of document d are ``ids[offsets[d]:offsets[d + 1]]``.
        offsets: int64[D + 1], the first of them 0.
        before, after: uint32.
        out: uint16 or uint32, with room for all; ids have room in its type.
    """
    to = np.uint64(0)
    for d in range(offsets.size - 1):
        for i in range(before.size):
            out[to] = before[i]
            to += np.uint64(1)
        for i in range(np.uint64(offsets[d]), np.uint64(offsets[d + 1])):
            out[to] = ids[i]
            to += np.uint64(1)
        for i in range(after.size):
            out[to] = after[i]
            to += np.uint64(1)
