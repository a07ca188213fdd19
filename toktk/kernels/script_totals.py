"""Bytes and characters of each script, and what of each document is to be seen."""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import char_length, code_point


@kernel
def add_scripts(data, offsets, groups, weights, scripts, totals, visible):
    """Add the characters of documents to the totals of their scripts, times their weights.

    Args:
        data, offsets: uint8 and int64[D + 1], valid UTF-8.
        groups, weights: int64[D].
        scripts: uint8 by code point, the number of a script; 0 for what belongs to none.
        totals: int64[G, S, 2], out: bytes and characters.
        visible: int64[D], out: characters of each document that are neither space nor control characters
            of ASCII.
    """
    for d in range(offsets.size - 1):
        i, stop = offsets[d], offsets[d + 1]
        own, weight = totals[groups[d]], weights[d]
        seen = np.int64(0)
        while i < stop:
            width = min(char_length(data[i]), stop - i)
            code = code_point(data, i, width)
            script = scripts[code] if code < scripts.size else np.uint8(0)
            own[script, 0] += width * weight
            own[script, 1] += weight
            seen += code > 32
            i += width
        visible[d] = seen
