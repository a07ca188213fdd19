"""How many tokens change between two encodings: Levenshtein's distance over ids.

The slow twin is `toktk.educational.edit_distance`.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel


@kernel
def _distances(a, a_starts, b, b_starts, row, distances):
    for d in range(distances.size):
        i, i_end, j, j_end = a_starts[d], a_starts[d + 1], b_starts[d], b_starts[d + 1]
        while i < i_end and j < j_end and a[i] == b[j]:
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and a[i_end - 1] == b[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
        n = j_end - j
        for k in range(n + 1):
            row[k] = k
        for at in range(i, i_end):
            diagonal, row[0] = row[0], row[0] + 1
            for k in range(n):
                change = diagonal + (a[at] != b[j + k])
                diagonal = row[k + 1]
                row[k + 1] = min(change, min(diagonal, row[k]) + 1)
        distances[d] = row[n]


def edit_distances(
    a: np.ndarray, a_starts: np.ndarray, b: np.ndarray, b_starts: np.ndarray
) -> np.ndarray:
    """Return int64[D]: how many ids must be put in, left out or replaced to make each `b` of its `a`.

    Those of document d are ``a[a_starts[d]:a_starts[d + 1]]``, uint32 and int64[D + 1], and so in `b`.

    Raises:
        ValueError: dtypes or shapes do not fit.
    """
    for ids, starts in ((a, a_starts), (b, b_starts)):
        sound = ids.dtype == np.uint32 and starts.dtype == np.int64 and starts.size
        if not sound or starts[0] or starts[-1] != ids.size or (np.diff(starts) < 0).any():
            raise ValueError(f"uint32[n] and int64 from 0 to n, not {ids.dtype}, {starts.dtype}")
    if a_starts.size != b_starts.size:
        raise ValueError(f"{a_starts.size - 1} documents are not {b_starts.size - 1}")
    distances = np.empty(a_starts.size - 1, dtype=np.int64)
    row = np.empty(int(np.diff(b_starts).max(initial=0)) + 1, dtype=np.int64)
    arrays = map(np.ascontiguousarray, (a, a_starts, b, b_starts))
    _distances(*arrays, row, distances)
    return distances
