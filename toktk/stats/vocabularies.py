"""How much several vocabularies have in common, and several segmentations of one text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

UInt64 = npt.NDArray[np.uint64]
Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ABSENT = np.iinfo(np.int64).max
"""The rank of a token that a vocabulary does not have."""

_MOST_BITS = 12  # sums for each of 4096 patterns cost less than a product of S x N numbers


def ranks(vocabularies: Sequence[UInt64]) -> tuple[UInt64, Int64]:
    """Return the union of vocabularies, and the rank of each of its tokens in each of them.

    Where vocabularies are the beginnings of longer ones, ``ranks < size`` says which tokens those of a
    size have: one training tells of all.

    Args:
        vocabularies: of each the hashes of its tokens by id; the first of equal ones counts.

    Returns:
        uint64[T], ascending, and int64[T, S]: the place in each of the S vocabularies, or `ABSENT`.
    """
    hashes = np.concatenate([*vocabularies, np.empty(0, np.uint64)])
    sizes = [vocabulary.size for vocabulary in vocabularies]
    order = np.argsort(hashes)
    ascending = hashes[order]
    is_new = np.ones(order.size, dtype=np.bool_)
    is_new[1:] = ascending[1:] != ascending[:-1]
    rows = np.empty(order.size, dtype=np.int64)
    rows[order] = np.cumsum(is_new) - 1
    places = np.full((int(is_new.sum()), len(sizes)), ABSENT, dtype=np.int64)
    start = 0
    for s, n in enumerate(sizes):
        own = rows[start : start + n]
        places[own[::-1], s] = np.arange(n)[::-1]  # the last assignment stays
        start += n
    return ascending[is_new], places


def mean_jaccard(has: Flags) -> float | None:
    """Return the mean over pairs of vocabularies of |A and B| / |A or B| (Jaccard 1912).

    `has` is bool[T, S]: which token is in which vocabulary. None for fewer than two, or where all are empty.
    """
    shared = _common(has)
    sizes = np.diag(shared)
    return _mean_of_pairs(shared, sizes[:, None] + sizes - shared)


def mean_f1(boundaries: Flags, weights: npt.ArrayLike) -> float | None:
    """Return the mean over pairs of segmentations of the F1 of their boundaries: 2 |A and B| / (|A| + |B|).

    Args:
        boundaries: bool[N, S]: whether a token ends at a place of the text, in each segmentation.
        weights: [N], how often each place occurs.

    Returns:
        None for fewer than two segmentations, or where there is no boundary at all.
    """
    shared = _common(boundaries, np.asarray(weights, dtype=np.float64))
    sizes = np.diag(shared)
    return _mean_of_pairs(2 * shared, sizes[:, None] + sizes)


def relative_deviation(values: npt.ArrayLike) -> float | None:
    """Return the standard deviation (n - 1) over the mean; None for one value, or where the mean is 0."""
    array = np.asarray(values, dtype=np.float64)
    if array.size < 2 or not array.mean():
        return None
    return float(array.std(ddof=1) / abs(array.mean()))


def _common(has: Flags, weights: Float64 | None = None) -> Float64:
    """Return float64[S, S]: the weight of what each pair shares, or its number; exact below 2**53."""
    columns = np.ascontiguousarray(has.T)
    n = len(columns)
    if weights is None:
        shared = [[np.count_nonzero(a & b) for b in columns] for a in columns]
        return np.array(shared, dtype=np.float64)
    if n > _MOST_BITS:
        marked = columns.astype(np.float64)
        return np.asarray((marked * weights) @ marked.T)
    pattern = np.zeros(columns.shape[1], dtype=np.uint16)  # which of the S have it, a bit for each
    for s, column in enumerate(columns):
        pattern |= column.astype(np.uint16) << np.uint16(s)
    sums = np.bincount(pattern, weights, minlength=1 << n)
    bits = (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.float64)
    return np.asarray((bits * sums[:, None]).T @ bits)


def _mean_of_pairs(over: npt.NDArray[np.float64], under: npt.NDArray[np.float64]) -> float | None:
    first, second = np.triu_indices(len(over), 1)
    below = under[first, second]
    if not below.size or not below.all():
        return None
    return float((over[first, second] / below).mean())
