"""Counts of n-grams over ids, and the interpolation of their probabilities.

An n-gram is the pair of its prefix and its last token. Prefixes of one token are that token; longer ones are
the number that a `PairTable` gave them. So one table for each order above the first holds any n-grams.

Documents lie one after the other, each behind a token that begins it and stands nowhere else: `begin`. It
is context only; no n-gram ends in it. The slow twin is `toktk.educational.kneser_ney`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.kernels import kernel

Float64 = npt.NDArray[np.float64]
UInt64 = npt.NDArray[np.uint64]

_FIRST_ROOM = 1 << 10
_MOST = (1 << 31) - 1  # numbers and tokens, two of which make a key


@kernel
def _slot_of(key, slots, shift):
    """Return where the number of a key is, or where it belongs if ``slots[that]`` is 0."""
    at = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> shift)
    last = slots.size // 2 - 1
    while slots[2 * at + 1] != 0 and slots[2 * at] != key:
        at = (at + 1) & last
    return 2 * at + 1


@kernel
def _count(before, tokens, own, start, begin, slots, shift, keys, counts, n, extends, numbers):
    """Count the pairs (``before[i - 1]``, ``tokens[i]``) from `start` on.

    Return how many pairs there are by now, and the first position not seen: the room is full.
    """
    for i in range(start, tokens.size):
        numbers[i] = -1
        if tokens[i] == begin or i == 0 or before[i - 1] < 0:
            continue
        key = (np.uint64(before[i - 1]) << np.uint64(32)) | np.uint64(tokens[i])
        at = _slot_of(key, slots, shift)
        number = np.int64(slots[at]) - 1
        if number < 0:
            if n == counts.size:
                return n, i
            number = n
            n += 1
            slots[at - 1] = key
            slots[at] = np.uint64(n)
            keys[number] = key
            counts[number] = 0
            extends[own[i]] += 1
        counts[number] += 1
        numbers[i] = number
    return n, tokens.size


@kernel
def _find(before, tokens, begin, slots, shift, numbers):
    for i in range(tokens.size):
        numbers[i] = -1
        if tokens[i] != begin and i > 0 and before[i - 1] >= 0:
            key = (np.uint64(before[i - 1]) << np.uint64(32)) | np.uint64(tokens[i])
            numbers[i] = np.int64(slots[_slot_of(key, slots, shift)]) - 1


@kernel
def _rehash(keys, n, slots, shift):
    for number in range(n):
        at = _slot_of(keys[number], slots, shift)
        slots[at - 1] = keys[number]
        slots[at] = np.uint64(number + 1)


@kernel
def _sum_contexts(keys, counts, totals, kinds):
    for number in range(counts.size):
        count = counts[number]
        if count > 0:
            prefix = np.int64(keys[number] >> np.uint64(32))
            totals[prefix] += count
            kinds[prefix, min(count, 3) - 1] += 1


@kernel
def _weigh(keys, counts, totals, discounts, weights):
    for number in range(counts.size):
        count = counts[number]
        weights[number] = 0.0
        if count > 0:
            prefix = np.int64(keys[number] >> np.uint64(32))
            weights[number] = (count - discounts[min(count, 3) - 1]) / totals[prefix]


@kernel
def _interpolate(before, numbers, weights, backoffs, probabilities):
    for i in range(1, numbers.size):
        if before[i - 1] >= 0:
            probabilities[i] *= backoffs[before[i - 1]]
        if numbers[i] >= 0:
            probabilities[i] += weights[numbers[i]]


@kernel
def _add_bits(tokens, begin, probabilities, bits):
    document = -1
    for i in range(tokens.size):
        if tokens[i] == begin:
            document += 1
        else:
            bits[document] -= math.log2(probabilities[i])


@kernel
def _expand(numbers, ends, ids, id_ends, begin, tokens):
    at = 0
    for document in range(ends.size - 1):
        tokens[at] = begin
        at += 1
        for i in range(ends[document], ends[document + 1]):
            piece = numbers[i]
            first = id_ends[piece - 1] if piece > 0 else 0
            for j in range(first, id_ends[piece]):
                tokens[at] = ids[j]
                at += 1
        tokens[at] = begin - 1
        at += 1


class PairTable:
    """Pairs of a prefix and a token, numbered in the order of their first appearance, and their counts.

    Args:
        begin: the token that begins a document.
    """

    def __init__(self, begin: int) -> None:
        self._begin = _token(begin)
        self._keys: UInt64 = np.zeros(0, dtype=np.uint64)
        self._counts: Int64 = np.zeros(0, dtype=np.int64)
        self._n = 0
        self._grow(_FIRST_ROOM)

    def __len__(self) -> int:
        return self._n

    @property
    def keys(self) -> UInt64:
        """uint64[n]: the prefix of each pair in the high 32 bits, its token in the low ones."""
        return self._keys[: self._n]

    @property
    def counts(self) -> Int64:
        """int64[n]: how often each pair occurs."""
        return self._counts[: self._n]

    def count(self, before: Int64, tokens: Int64, own: Int64, extends: Int64) -> Int64:
        """Count the pairs of ``before[i - 1]`` and ``tokens[i]``; none where `before` is -1.

        Args:
            before: int64[N], the prefix that ends at each position.
            tokens: int64[N].
            own: int64[N], the n-gram one token shorter than the pair that ends at each position.
            extends: int64[m], out: for each of those, in how many different pairs it is the end.

        Returns:
            int64[N], the number of the pair that ends at each position; -1 where there is none.

        Raises:
            TypeError, ValueError: arrays of another type or length, or numbers out of range.
        """
        self._check(before, tokens)
        _check("count", own=own, extends=extends)
        if own.size != tokens.size or own.max(initial=-1) >= extends.size:
            raise ValueError("the shorter n-grams do not go with the tokens, or leave their counts")
        if ((own < 0) & (tokens != self._begin)).any():
            raise ValueError("a token without a shorter n-gram")
        numbers = np.empty_like(tokens)
        at = 0
        while True:
            self._n, at = _count(
                before, tokens, own, at, self._begin, self._slots, self._shift, self._keys,
                self._counts, self._n, extends, numbers,
            )  # fmt: skip
            if at == tokens.size:
                return numbers
            self._grow(2 * self._counts.size)

    def find(self, before: Int64, tokens: Int64) -> Int64:
        """Return int64[N], the numbers that `count` gave the pairs; -1 for one that it has not seen.

        Raises:
            TypeError, ValueError: as of `count`.
        """
        self._check(before, tokens)
        numbers = np.empty_like(tokens)
        _find(before, tokens, self._begin, self._slots, self._shift, numbers)
        return numbers

    def _check(self, before: Int64, tokens: Int64) -> None:
        _check("PairTable", before=before, tokens=tokens)
        if before.size != tokens.size:
            raise ValueError(f"{before.size} prefixes of {tokens.size} tokens")
        if tokens.min(initial=0) < 0 or before.min(initial=0) < -1:
            raise ValueError("a token below 0, or a prefix below -1")
        _token(max(tokens.max(initial=0), before.max(initial=0)))

    def _grow(self, room: int) -> None:
        _token(room)
        self._keys = np.concatenate([self._keys, np.zeros(room - self._keys.size, np.uint64)])
        self._counts = np.concatenate([self._counts, np.zeros(room - self._counts.size, np.int64)])
        self._slots: UInt64 = np.zeros(4 * room, dtype=np.uint64)  # half of them stay empty
        self._shift = np.uint64(64 - (2 * room).bit_length() + 1)
        _rehash(self._keys, self._n, self._slots, self._shift)


def context_sums(keys: UInt64, counts: Int64, n_contexts: int) -> tuple[Int64, Int64]:
    """Return int64[P], the sum of the counts behind each context, and int64[P, 3], how many are 1, 2, more.

    Args:
        keys: uint64[n], as of a `PairTable`, of prefixes below `n_contexts`.
        counts: int64[n]; 0 counts for nothing.

    Raises:
        TypeError, ValueError: arrays of another type or length, or prefixes out of range.
    """
    _check_pairs(keys, counts, n_contexts)
    totals, kinds = np.zeros(n_contexts, dtype=np.int64), np.zeros((n_contexts, 3), dtype=np.int64)
    _sum_contexts(keys, counts, totals, kinds)
    return totals, kinds


def pair_weights(keys: UInt64, counts: Int64, totals: Int64, discounts: Float64) -> Float64:
    """Return float64[n]: what is left of each count over the sum of its context; 0 of a count of 0.

    Args:
        keys, counts: as of `context_sums`, `totals` what that gave.
        discounts: float64[3]: of counts of 1, 2, and more.

    Raises:
        TypeError, ValueError: as of `context_sums`, or not three discounts.
    """
    _check_pairs(keys, counts, totals.size)
    _check("pair_weights", totals=totals)
    if discounts.shape != (3,) or discounts.dtype != np.float64:
        raise ValueError("pair_weights takes three discounts, float64")
    weights = np.empty(counts.size, dtype=np.float64)
    _weigh(keys, counts, totals, discounts, weights)
    return weights


def interpolate(
    before: Int64, numbers: Int64, weights: Float64, backoffs: Float64, probabilities: Float64
) -> None:
    """Make probabilities of the next order, in place: their share of the context, and the pair's own weight.

    Args:
        before: int64[N], the context that ends at each position, -1 for one not seen: all is left as it is.
        numbers: int64[N], the pair that ends at each position, or -1.
        weights: float64[n], of each pair.
        backoffs: float64[P], what each context leaves to the order below.
        probabilities: float64[N], of the order below, in and out.

    Raises:
        TypeError, ValueError: arrays of another type or length, or numbers out of range.
    """
    _check("interpolate", before=before, numbers=numbers)
    for array in (weights, backoffs, probabilities):
        if array.dtype != np.float64 or not array.flags.c_contiguous or array.ndim != 1:
            raise TypeError("interpolate takes contiguous float64")
    if not before.size == numbers.size == probabilities.size:
        raise ValueError("interpolate takes arrays of one length")
    if (
        before.max(initial=-1) >= backoffs.size
        or numbers.max(initial=-1) >= weights.size
        or min(before.min(initial=0), numbers.min(initial=0)) < -1
    ):
        raise ValueError("interpolate: a number out of range")
    _interpolate(before, numbers, weights, backoffs, probabilities)


def bits_of(tokens: Int64, begin: int, probabilities: Float64) -> Float64:
    """Return float64[D]: the sum of -log2 of the probabilities of each document's tokens.

    Raises:
        TypeError, ValueError: arrays of another type or length; no document begins; a probability of 0.
    """
    _check("bits_of", tokens=tokens)
    if probabilities.dtype != np.float64 or probabilities.shape != tokens.shape:
        raise ValueError("bits_of takes a float64 for each token")
    begins = tokens == begin
    if tokens.size and not begins[0]:
        raise ValueError("bits_of: the first token begins no document")
    if not (probabilities[~begins] > 0).all():
        raise ValueError("bits_of: a probability that is not above 0")
    bits = np.zeros(int(begins.sum()), dtype=np.float64)
    _add_bits(tokens, begin, np.ascontiguousarray(probabilities), bits)
    return bits


def stream(
    numbers: npt.NDArray[np.int32], ends: Int64, ids: npt.NDArray[np.uint32], id_ends: Int64, n: int
) -> Int64:
    """Return documents of pieces as tokens: ``n + 1``, the ids of their pieces, ``n``; one after the other.

    Args:
        numbers: int32, the pieces of all documents; those of document d are ``numbers[ends[d]:ends[d + 1]]``.
        ends: int64[D + 1].
        ids: uint32, of all pieces, below `n`.
        id_ends: int64[S], where the ids of each piece end.
        n: the number of ids.

    Raises:
        TypeError, ValueError: arrays of another type, or numbers out of range.
    """
    if numbers.dtype != np.int32 or ids.dtype != np.uint32:
        raise TypeError(f"stream takes int32 and uint32, not {numbers.dtype} and {ids.dtype}")
    _check("stream", ends=ends, id_ends=id_ends)
    if not ends.size or (np.diff(ends) < 0).any() or ends[0] < 0 or ends[-1] > numbers.size:
        raise ValueError("stream: documents that leave the pieces")
    if (np.diff(id_ends, prepend=0) < 0).any() or id_ends.max(initial=0) > ids.size:
        raise ValueError("stream: pieces that leave the ids")
    own = numbers[ends[0] : ends[-1]]
    if own.size and not 0 <= int(own.min()) <= int(own.max()) < id_ends.size:
        raise ValueError("stream: a piece that is not there")
    if ids.size and int(ids.max()) >= n:
        raise ValueError(f"stream: id {int(ids.max())} of {n}")
    _token(n + 1)
    lengths = np.diff(id_ends, prepend=0)
    tokens = np.empty(int(lengths[own].sum()) + 2 * (ends.size - 1), dtype=np.int64)
    _expand(np.ascontiguousarray(numbers), ends, np.ascontiguousarray(ids), id_ends, n + 1, tokens)
    return tokens


def _check(name: str, **arrays: Int64) -> None:
    for what, array in arrays.items():
        if array.dtype != np.int64 or array.ndim != 1 or not array.flags.c_contiguous:
            raise TypeError(f"{name} takes {what} as contiguous int64, not {array.dtype}")


def _check_pairs(keys: UInt64, counts: Int64, n_contexts: int) -> None:
    _check("pairs", counts=counts)
    if keys.dtype != np.uint64 or keys.shape != counts.shape or not keys.flags.c_contiguous:
        raise TypeError("pairs have contiguous uint64 keys, one for each count")
    if keys.size and int(keys.max() >> np.uint64(32)) >= n_contexts:
        raise ValueError(f"a prefix that is not one of {n_contexts}")


def _token(number: int) -> int:
    """Return a number that fits into half a key; raises ValueError for one that does not."""
    if not 0 <= number <= _MOST:
        raise ValueError(f"{number} is out of range: n-grams are of numbers up to {_MOST:,}")
    return int(number)
