"""Tokens that encode to themselves, so that a new piece which equals one needs no model.

A line is four slots of two uint64, one cache line: the token's bytes, `LONGEST_ALONE` at most, zero-padded,
three bytes of its id, and its length plus one, so that only a free slot is all zero. A token is in the line
that its key says, which is all but the id, or, where that one is full, in the next one that is not.

The slow twin is a dict from bytes to ids.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import inlined, kernel
from toktk.kernels.constants import LONGEST_ALONE, MAX_ALONE_ID
from toktk.kernels.memory import load_pair, load_word, prefetch

_M1 = np.uint64(0x9E3779B97F4A7C15)
_M2 = np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _TWO, _THREE, _FOUR, _SEVEN, _EIGHT = (np.uint64(n) for n in (1, 2, 3, 4, 7, 8))
_ID, _LENGTH = np.uint64(32), np.uint64(56)
_KEY = ~np.uint64(MAX_ALONE_ID << 32)
_AHEAD = np.uint64(16)  # lines fetched before their turn


def empty_alone(n_tokens: int, known: int = 0) -> tuple[np.ndarray, np.uint64, int]:
    """Return a table for `n_tokens` at most: (slots, shift, known); slots, uint64, begin at a cache line.

    What is not in it and has at most `known` bytes is no token that a piece becomes at once: 0 says nothing.
    """
    n_bits = max(n_tokens * 4 // 3, 4).bit_length()  # three quarters full at most
    slots = np.zeros((2 << n_bits) + 8, dtype=np.uint64)
    start = -slots.__array_interface__["data"][0] // 8 % 8
    return slots[start : start + (2 << n_bits)], np.uint64(64 + 2 - n_bits), known


@inlined
def _line(k0, k1, shift):
    return (k0 * _M1 + k1 * _M2) >> shift << _THREE


@inlined
def _key(data, offsets, i):
    """Return the key of span i. That of one that is longer is no token's, for its length is none's."""
    start, n = offsets[i], offsets[i + _ONE] - offsets[i]
    if n <= LONGEST_ALONE and start + 16 <= data.size:
        k0, k1 = load_pair(data, start, n)
    else:
        k0, k1 = load_word(data, start, n), load_word(data, start + 8, n - 8)
    return k0, k1 | np.uint64(min(n + 1, 255)) << _LENGTH


@kernel
def enter_alone(tokens, data, offsets, alone):
    """Enter `tokens`, ids whose bytes are ``data[offsets[id]:offsets[id + 1]]``.

    They have 1 to `LONGEST_ALONE` bytes, and differ.
    """
    slots, shift, _ = alone
    mask = np.uint64(slots.size - 1)
    for i in range(tokens.size):
        soon = min(i + np.int64(_AHEAD), tokens.size - 1)
        k0, k1 = _key(data, offsets, np.uint64(tokens[soon]))
        prefetch(slots, np.int64(_line(k0, k1, shift)))
        k0, k1 = _key(data, offsets, np.uint64(tokens[i]))
        s = _line(k0, k1, shift)
        while slots[s + _ONE] != 0:
            s = (s + _TWO) & mask
        slots[s], slots[s + _ONE] = k0, k1 | np.uint64(tokens[i]) << _ID


@inlined
def _find(slots, line, k0, k1):
    """Return one more than the id of the token with this key, or 0. Within a line no branch depends on it."""
    found = np.uint64(0)
    while True:
        for s in range(line, line + _EIGHT, _TWO):
            second = slots[s + _ONE]
            is_same = np.uint64(slots[s] == k0) & np.uint64(second & _KEY == k1)
            found |= ((second & ~_KEY) >> _ID) * is_same + is_same
        if found or slots[line + _SEVEN] == 0:
            break
        line = (line + _EIGHT) & np.uint64(slots.size - 1)
    return found


@kernel
def take_alone(data, offsets, first, last, alone, ids, counts, rest):
    """Write the id of each of the pieces first..last - 1 that is in the table, and 1 as its count.

    The ids of each begin four further than those before have bytes. Lists the other pieces in `rest`, uint32;
    returns how many there are.
    """
    slots, shift, _ = alone
    n_rest = np.uint64(0)
    for piece in range(np.uint64(first), np.uint64(last)):
        soon = min(piece + _AHEAD, np.uint64(last) - _ONE)
        k0, k1 = _key(data, offsets, soon)
        prefetch(slots, np.int64(_line(k0, k1, shift)))
        k0, k1 = _key(data, offsets, piece)
        found = _find(slots, _line(k0, k1, shift), k0, k1)
        # What is not found is written too, and again later: no branch to guess.
        ids[np.uint64(offsets[piece]) + _FOUR * (piece - np.uint64(first))] = found - _ONE
        counts[piece] = 1
        rest[n_rest] = piece
        n_rest += np.uint64(found == 0)
    return np.int64(n_rest)
