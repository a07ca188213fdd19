"""A 64-bit content hash of many byte spans at once: the same bytes hash alike everywhere, forever.

Not cryptographic. It decides on which side of a split a document falls, so its values are part of
what a run reports: changing a constant here changes every held-out set.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import load64, load_word


def _mix(h: np.ndarray) -> np.ndarray:
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = h ^ (h >> np.uint64(31))
    return mixed


_mix_one = kernel(_mix)


@kernel
def _hash_spans(data: np.ndarray, offsets: np.ndarray, hashes: np.ndarray) -> None:
    spread = np.uint64(0x9E3779B97F4A7C15)
    fold = np.uint64(0xD6E8FEB86659FD93)
    for span in range(hashes.size):
        i = offsets[span]
        end = offsets[span + 1]
        # Seeding with the length keeps "" , "\0" and "\0\0" apart though their words are all zero.
        h = np.uint64(end - i + 1) * spread
        while i + 8 <= end:
            h = (h ^ (load64(data, i) * spread)) * fold
            h ^= h >> np.uint64(32)
            i += 8
        if i < end:
            h = (h ^ (load_word(data, i, end - i) * spread)) * fold
            h ^= h >> np.uint64(32)
        hashes[span] = _mix_one(h)


def hash_spans(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the uint64 hash of each span ``data[offsets[i]:offsets[i + 1]]``.

    `data` is uint8; `offsets`, int64, ascend within ``0 .. data.size``; both are contiguous.

    Raises:
        TypeError: another dtype, or not contiguous.
        ValueError: the offsets descend or leave the data.
    """
    if data.dtype != np.uint8 or offsets.dtype != np.int64:
        raise TypeError(f"hash_spans takes uint8 and int64, not {data.dtype} and {offsets.dtype}")
    if not (data.flags.c_contiguous and offsets.flags.c_contiguous):
        raise TypeError("hash_spans takes contiguous arrays")
    if not offsets.size:
        raise ValueError("hash_spans needs at least one offset")
    descending = bool((offsets[1:] < offsets[:-1]).any())
    if descending or offsets[0] < 0 or offsets[-1] > data.size:
        raise ValueError("hash_spans: the offsets descend or leave the data")
    hashes = np.empty(offsets.size - 1, np.uint64)
    with np.errstate(over="ignore"):  # wraps by design; NumPy says so only when not compiled
        _hash_spans(data, offsets, hashes)
    return hashes


def mix(hashes: np.ndarray, salt: int) -> np.ndarray:
    """Return a second hash of `hashes` (uint64), independent of the first and of other salts."""
    return _mix(hashes ^ np.uint64((salt * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64))
