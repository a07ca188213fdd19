"""A 64-bit content hash of many byte spans at once: the same bytes hash alike everywhere, forever.

Not cryptographic. It decides on which side of a split a document falls, so its values are part of
what a run reports: changing a constant here changes every held-out set.
"""

from __future__ import annotations

import numpy as np

from toktk.arrays import read_only
from toktk.kernels import kernel
from toktk.kernels.memory import load64, load_word

LEAST_LINE = 48
"""The shortest line that `hash_lines` tells of, in bytes; shorter ones recur in any text."""

_LF, _CR = 10, 13


def _mix(h: np.ndarray) -> np.ndarray:
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = h ^ (h >> np.uint64(31))
    return mixed


_mix_one = kernel(_mix)


@kernel
def _hash_one(data, i, end):
    spread = np.uint64(0x9E3779B97F4A7C15)
    fold = np.uint64(0xD6E8FEB86659FD93)
    # Seeding with the length keeps "" , "\0" and "\0\0" apart though their words are all zero.
    h = np.uint64(end - i + 1) * spread
    while i + 8 <= end:
        h = (h ^ (load64(data, i) * spread)) * fold
        h ^= h >> np.uint64(32)
        i += 8
    if i < end:
        h = (h ^ (load_word(data, i, end - i) * spread)) * fold
        h ^= h >> np.uint64(32)
    return _mix_one(h)


@kernel
def _hash_spans(data: np.ndarray, offsets: np.ndarray, hashes: np.ndarray) -> None:
    for span in range(hashes.size):
        hashes[span] = _hash_one(data, offsets[span], offsets[span + 1])


@kernel
def _line_end(data, i, end):
    ones = np.uint64(0x0101010101010101)
    while i + 8 <= end:
        word = load64(data, i) ^ (ones * np.uint64(_LF))
        zeros = (
            (word - ones) & ~word & (ones << np.uint64(7))
        )  # the lowest bit is of the first byte
        if zeros:
            first = (zeros & (~zeros + np.uint64(1))) >> np.uint64(7)
            return i + np.int64((first * np.uint64(0x0001020304050607)) >> np.uint64(56))
        i += 8
    while i < end and data[i] != _LF:
        i += 1
    return i


@kernel
def _hash_lines(data, offsets, least, limit, hashes, lengths, lasts):
    spread = np.uint64(0x9E3779B97F4A7C15)
    n = 0
    for document in range(offsets.size - 1):
        start = offsets[document]
        end = offsets[document + 1]
        while start < end:
            stop = _line_end(data, start, end)
            length = stop - start
            if length > 0 and data[stop - 1] == _CR:
                length -= 1
            if length >= least:
                ends = load64(data, start) * spread ^ load64(data, start + length - 8)
                key = _mix_one(ends + np.uint64(length) * spread)
                if key <= limit:
                    whole = _hash_one(data, start, start + length)
                    hashes[n] = key >> np.uint64(32) << np.uint64(32) | whole >> np.uint64(32)
                    lengths[n] = length
                    n += 1
            start = stop + 1
        lasts[document] = n
    return n


def hash_spans(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the uint64 hash of each span ``data[offsets[i]:offsets[i + 1]]``.

    `data` is uint8; `offsets`, int64, ascend within ``0 .. data.size``; both are contiguous.

    Raises:
        TypeError: another dtype, or not contiguous.
        ValueError: the offsets descend or leave the data.
    """
    _check_spans("hash_spans", data, offsets)
    hashes = np.empty(offsets.size - 1, np.uint64)
    with np.errstate(over="ignore"):  # wraps by design; NumPy says so only when not compiled
        _hash_spans(read_only(data, np.uint8), read_only(offsets, np.int64), hashes)
    return hashes


def hash_lines(
    data: np.ndarray, offsets: np.ndarray, limit: int = 2**64 - 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the hashes, uint64, and lengths, int64, of the lines of documents, with repeats; and their ends.

    The lines up to the end of document d are the first ``ends[d]``, int64.


    A line ends at LF, CR LF or the end of its document, and is hashed without that end. The high 32 bits
    are a hash of its length and its first and last 8 bytes, the low ones of all of it. Left out are lines
    of fewer than `LEAST_LINE` bytes, and those whose hash is above `limit`, of which little more than the
    ends is read: so a sample by hash costs little. `data` and `offsets` are those of `hash_spans`.

    Raises:
        TypeError, ValueError: as of `hash_spans`.
    """
    _check_spans("hash_lines", data, offsets)
    data, offsets = read_only(data, np.uint8), read_only(offsets, np.int64)
    most = int(offsets[-1] - offsets[0]) // LEAST_LINE
    hashes, lengths = np.empty(most, np.uint64), np.empty(most, np.int64)
    ends = np.empty(offsets.size - 1, np.int64)
    with np.errstate(over="ignore"):
        n = _hash_lines(data, offsets, LEAST_LINE, np.uint64(limit), hashes, lengths, ends)
    return hashes[:n].copy(), lengths[:n].copy(), ends  # not views of the room for all


def _check_spans(name: str, data: np.ndarray, offsets: np.ndarray) -> None:
    if data.dtype != np.uint8 or offsets.dtype != np.int64:
        raise TypeError(f"{name} takes uint8 and int64, not {data.dtype} and {offsets.dtype}")
    if not (data.flags.c_contiguous and offsets.flags.c_contiguous):
        raise TypeError(f"{name} takes contiguous arrays")
    if not offsets.size:
        raise ValueError(f"{name} needs at least one offset")
    descending = bool((offsets[1:] < offsets[:-1]).any())
    if descending or offsets[0] < 0 or offsets[-1] > data.size:
        raise ValueError(f"{name}: the offsets descend or leave the data")


def mix(hashes: np.ndarray, salt: int) -> np.ndarray:
    """Return a second hash of `hashes` (uint64), independent of the first and of other salts."""
    return _mix(hashes ^ np.uint64((salt * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64))
