"""Seeds of a unigram vocabulary: the substrings of the pieces that occur often."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64
from toktk.errors import TrainingError
from toktk.kernels import suffixes as k
from toktk.kernels.unigram_train import SHORT
from toktk.runtime import in_threads, parts

Int32 = npt.NDArray[np.int32]
Letters = npt.NDArray[Any]  # of uint16 or int32
MOST = 2**30
"""Most places in the pieces; int32 numbers the intervals, which are twice as many."""
LAST_SHORT = 0xFFFF
"""Where there are no more characters, two bytes hold a letter."""
PARTS = 4
"""In so many parts each thread sorts suffixes, for some parts take longer than others."""


@dataclass(frozen=True)
class Characters:
    """The pieces as characters.

    Attributes:
        codes: int32 by node: the code point, -1 at the end of a piece (see toktk.kernels.suffixes).
        heads: int64[pieces + 1]: the first node of each piece.
        counts: int64[pieces].
        distinct: int32[C]: the code points that occur, ascending.
        times: int64[C]: how often.
    """

    codes: Int32
    heads: Int64
    counts: Int64
    distinct: Int32
    times: Int64

    @classmethod
    def of(cls, data: Bytes, offsets: Int64, counts: Int64, jobs: int = 1) -> Characters:
        """Decode the pieces ``data[offsets[p]:offsets[p + 1]]``; sort them by text, the long ones last.

        Raises:
            TrainingError: more text than int32 can number.
        """
        if data.size + counts.size > MOST:
            raise TrainingError(
                "the distinct pieces are too much text for a unigram training.",
                f"Found: {data.size:,} bytes in {counts.size:,} pieces, of at most {MOST:,} in all.",
                "Train on less text, or cut it into shorter pieces.",
            )
        codes, heads = _decoded(data, offsets, jobs)
        spans = parts(counts.size, jobs)
        totals = np.zeros((jobs, k.N_CODES), dtype=np.int64)
        sums = [(*span, codes, heads, counts, totals[j]) for j, span in enumerate(spans)]
        in_threads(k.count_codes, sums)
        times = totals.sum(axis=0)
        distinct = np.flatnonzero(times).astype(np.int32)
        unsorted = cls(codes, heads, counts, distinct, times[distinct])
        order = unsorted._order(jobs)
        to_codes = np.empty_like(codes)
        to_heads = np.append(0, np.cumsum(np.diff(heads)[order]))
        arguments = order, codes, heads, to_codes, to_heads
        in_threads(lambda a, b: k.rearrange(a, b, *arguments), spans)
        return replace(unsorted, codes=to_codes, heads=to_heads, counts=counts[order])

    def _order(self, jobs: int) -> Int64:
        """Return the order of the pieces: by text, but those of more than SHORT characters last."""
        letters = self.letters(np.arange(1, self.distinct.size + 1), jobs)
        codes = prefix_code(letters)
        n = self.counts.size
        nodes = self.heads[:-1].astype(np.int32)
        number = np.empty(letters.size, dtype=np.int32)  # of the piece that begins at a node
        number[nodes] = np.arange(n, dtype=np.int32)
        words = np.empty(n, dtype=np.uint64)
        longest = int(np.diff(self.heads).max(initial=1))
        spans = parts(n, jobs)
        in_threads(lambda a, b: k.write_words(a, b, nodes, letters, longest, codes, words), spans)
        k.sort_words(words, nodes, 64, k.DIGIT, *_scratch(n, longest)[:3])
        # Equal words stay together.
        cuts = [*np.searchsorted(words, words[[a for a, _ in spans if a < n]]).tolist(), n]

        def sort_ties(a: int, b: int) -> None:
            scratch = _scratch(b - a, longest)
            k.sort_ties(a, b, nodes, letters, longest, codes, words, scratch)

        in_threads(sort_ties, list(itertools.pairwise(cuts)))
        order = number[nodes].astype(np.int64)
        long = np.diff(self.heads)[order] - 1 > SHORT
        return np.concatenate([order[~long], order[long]])

    def letters(self, numbers: npt.NDArray[Any], jobs: int) -> Letters:
        """Return the `numbers` (int[C]) of the characters by node, 0 at the end of a piece."""
        dtype = np.uint16 if numbers.max(initial=0) <= LAST_SHORT else np.int32
        table = self.by_code(numbers, 0).astype(dtype)
        letters = np.empty(self.codes.size, dtype)

        def run(first: int, last: int) -> None:  # "wrap": -1 is the last entry
            np.take(table, self.codes[first:last], mode="wrap", out=letters[first:last])

        in_threads(run, parts(letters.size, jobs))
        return letters

    def by_code(self, values: npt.NDArray[Any], missing: int = -1) -> Int32:
        """Return int32: the `values` of the distinct characters by code point, `missing` for others.

        The last entry is `missing`, so that -1, the end of a piece, leads to it.
        """
        table = np.full(k.N_CODES, missing, dtype=np.int32)
        table[self.distinct] = values
        return table


def _decoded(data: Bytes, offsets: Int64, jobs: int) -> tuple[Int32, Int64]:
    """Return `codes` and `heads` of the pieces."""
    heads = np.empty(offsets.size, dtype=np.int64)
    room = np.empty(data.size + heads.size, dtype=np.int32)

    def run(first: int, last: int) -> Int32:
        codes = room[offsets[first] + first :]
        return codes[: k.decode(first, last, data, offsets, codes, heads)]

    spans = parts(offsets.size - 1, jobs)
    of_spans = in_threads(run, spans)
    begin = 0
    for (first, last), codes in zip(spans, of_spans, strict=True):
        heads[first:last] += begin
        begin += codes.size
    heads[-1] = begin
    return np.concatenate(of_spans), heads


@dataclass(frozen=True)
class Seeds:
    """The seeds of more than one character, in an order that depends on their text alone.

    Attributes:
        home: int32[n]: a node at which each begins.
        length: uint8[n], in characters.
        times: int64[n]: occurrences, overlapping ones too.
        shorter: int32[n]: the longest other seed that it begins with, or -1.
        longest: int32 by node: the longest seed that begins there, or -1.
    """

    home: Int32
    length: npt.NDArray[np.uint8]
    times: Int64
    shorter: Int32
    longest: Int32


def find_seeds(
    characters: Characters,
    allowed: npt.NDArray[np.bool_],
    seed_size: int,
    least: int,
    longest: int,
    max_bytes: int | None = None,
    jobs: int = 1,
) -> Seeds:
    """Return the `seed_size` substrings that cover the most characters: occurrences times length.

    Candidates occur `least` times or more, have at most `longest` characters and `max_bytes` bytes,
    and hold the `allowed` characters (bool[C]). A candidate that the same character always follows
    is left out, for the longer one stands for it, unless it is a whole piece. All whole pieces that
    occur `least` times are seeds, whatever their rank.
    """
    least = max(least, 1)
    letters = characters.letters(np.where(allowed, np.arange(1, allowed.size + 1), 0), jobs)
    suffixes = _Suffixes(characters, letters, longest, least, jobs)
    nodes, intervals = suffixes.nodes, suffixes.intervals
    if max_bytes is not None:
        widths = characters.by_code(utf8_lengths(characters.distinct), 0)
        for first, last in suffixes.spans:
            home, length = nodes[intervals.begin[first:last]], intervals.length[first:last]
            k.shorten(home, characters.codes, widths, max_bytes, length)
    chosen = _chosen(suffixes, characters, seed_size, least)
    home = nodes[intervals.begin[chosen]]
    length, times = intervals.length[chosen], intervals.times[chosen]
    # Where intervals begin is not needed any more; what is never touched takes no memory.
    parent, deepest, seed_of = intervals.parent, intervals.deepest, intervals.begin
    for first, last in suffixes.spans:
        seed_of[first:last] = 0
    seed_of[chosen] = np.arange(1, chosen.size + 1)
    in_threads(lambda a, b: k.hand_down(a, b, seed_of, parent), suffixes.spans)
    shorter = seed_of[parent[chosen]] - 1
    in_threads(lambda a, b: k.find_longest(a, b, deepest, seed_of), parts(deepest.size, jobs))
    return Seeds(home, length, times, shorter, deepest)


class _Suffixes:
    """The sorted suffixes of the pieces, up to `longest` characters of each, and their intervals.

    `letters` (by node) number the characters from 1 on; 0 ends a suffix.

    Attributes:
        nodes: int32, the nodes at which suffixes begin, sorted by these.
        intervals: see `toktk.kernels.suffixes`: of repeated substrings, and of what occurs `least` times.
        spans: (first, last) of the intervals that there are.
    """

    def __init__(
        self, characters: Characters, letters: Letters, longest: int, least: int, jobs: int
    ) -> None:
        codes = prefix_code(letters)
        begins, words, self.nodes = _in_buckets(characters, letters, codes, jobs)
        heads, n = characters.heads, self.nodes.size
        # The system gives memory where it is written, so room that is not needed costs nothing.
        self.intervals = k.Intervals(
            parent=np.empty(2 * n + 1, dtype=np.int32),
            length=np.empty(2 * n + 1, dtype=np.uint8),
            times=np.empty(2 * n + 1, dtype=np.int64),
            begin=np.empty(2 * n + 1, dtype=np.int32),
            deepest=np.empty(letters.size, dtype=np.int32),
        )
        where = heads, letters, self.intervals.deepest
        in_threads(lambda a, b: k.number_pieces(a, b, *where), parts(heads.size - 1, jobs))
        for array in self.intervals[:4]:
            array[0] = 0  # the root
        largest = int(np.diff(begins).max())

        def sort(first: int, last: int) -> None:
            sorting = letters, longest, codes, words, _scratch(largest, longest)
            k.sort_buckets(first, last, begins, self.nodes, *sorting)

        def read_off(first: int, last: int) -> tuple[int, int]:
            a, b = int(begins[first]), int(begins[last])
            stack = np.empty((longest + 2, 4), dtype=np.int64)
            stop = k.find_intervals(
                a, b, self.nodes, letters, longest, characters.counts, least, self.intervals, stack
            )
            return 2 * a + 1, int(stop)

        in_threads(sort, _cuts(begins, codes, PARTS * jobs), jobs)
        # Each part takes memory by whole pages, so there is one for a thread.
        self.spans = in_threads(read_off, _cuts(begins, codes, jobs))


def _scratch(n: int, longest: int) -> tuple[npt.NDArray[Any], ...]:
    """Return what `sort_ties` needs for at most `n` equal words of texts of at most `longest` letters."""
    words, nodes = np.empty(n, dtype=np.uint64), np.empty(n, dtype=np.int32)
    return (
        words,
        nodes,
        np.empty(1 << k.DIGIT, dtype=np.int64),
        np.empty((longest + 2, 3), np.int64),
    )


def prefix_code(letters: Letters) -> npt.NDArray[np.uint64]:
    """Return uint64 by letter: the bits of its code, times 64, plus how many they are.

    No code begins another one, and codes are in the order of the letters, so that texts are in the order of
    their codes. Frequent letters have short codes: each bit halves what is left of the text. A sample
    tells how frequent they are, for any code will do.
    """
    sample = letters[:: max(letters.size >> 20, 1)]
    times = np.bincount(sample, minlength=int(letters.max(initial=0)) + 2)
    ends = np.cumsum(np.maximum(times, 1))
    sums = np.append(0, ends)
    letter = np.arange(ends.size)
    begin, end = np.zeros_like(letter), np.full_like(letter, ends.size)
    bits, size = np.zeros_like(letter), np.zeros_like(letter)
    while True:
        open_ = end - begin > 1
        if not open_.any():
            return (bits << 6 | size).astype(np.uint64)
        middle = np.searchsorted(2 * sums, sums[begin] + sums[end])
        middle = np.clip(middle, begin + 1, end - 1)
        upper = open_ & (letter >= middle)
        bits, size = bits << open_ | upper, size + open_
        begin, end = np.where(upper, middle, begin), np.where(open_ & ~upper, middle, end)


def _in_buckets(
    characters: Characters, letters: Letters, codes: npt.NDArray[np.uint64], jobs: int
) -> tuple[Int64, npt.NDArray[np.uint64], Int32]:
    """Return where each bucket of suffixes begins, the first word of each suffix, and its node."""
    heads = characters.heads
    goals = [letters.size * j // jobs for j in range(jobs + 1)]
    cuts = heads[np.searchsorted(heads, goals)].tolist()
    counts = np.zeros((jobs, 1 << k.DIGIT), dtype=np.int64)
    spans = [(*span, counts[j]) for j, span in enumerate(itertools.pairwise(cuts))]
    in_threads(lambda a, b, n: k.count_suffixes(a, b, letters, codes, n), spans)
    ends = np.cumsum(counts.T.ravel()).reshape(counts.T.shape).T
    begins = np.append(ends[0] - counts[0], ends[-1, -1])
    ends = np.ascontiguousarray(ends)
    words = np.empty(int(begins[-1]), dtype=np.uint64)
    nodes = np.empty(words.size, dtype=np.int32)
    moves = [(*span[:2], ends[j]) for j, span in enumerate(spans)]
    in_threads(lambda a, b, e: k.scatter_suffixes(a, b, letters, codes, e, words, nodes), moves)
    return begins, words, nodes


def _cuts(begins: Int64, codes: npt.NDArray[np.uint64], n: int) -> list[tuple[int, int]]:
    """Return at most `n` ranges of buckets of nearly equal size that share no first letter."""
    size = codes & np.uint64(63)
    first_word = codes >> np.uint64(6) << (np.uint64(64) - size)
    whole = first_word & np.uint64((1 << 64 - k.DIGIT) - 1) == 0
    cuts = np.append(first_word[whole] >> np.uint64(64 - k.DIGIT), begins.size - 1).astype(np.int64)
    goals = begins[-1] * np.arange(1, n) // n
    chosen = cuts[np.searchsorted(begins[cuts], goals)]
    return list(itertools.pairwise(np.unique([0, *chosen.tolist(), begins.size - 1]).tolist()))


def _chosen(suffixes: _Suffixes, characters: Characters, seed_size: int, least: int) -> Int64:
    """Return the intervals that become seeds, the frequent first, else in the order of their texts."""
    parent, length, times, begin, deepest = suffixes.intervals
    heads = characters.heads
    n, of_piece = np.diff(heads) - 1, deepest[heads[:-1]]
    fits = (n > 1) & (length[of_piece] == n) & (characters.counts >= least)
    whole = np.zeros(length.size, dtype=np.bool_)
    whole[of_piece[fits]] = True

    def candidates(first: int, last: int) -> tuple[Int64, Int64]:
        longer, often = length[first:last], times[first:last] >= least
        # Cut to few bytes, an interval may be no longer than its parent.
        eligible = often & (longer > 1) & (longer > length[parent[first:last]])
        kinds = eligible & whole[first:last], eligible & ~whole[first:last]
        sure, rest = (np.flatnonzero(kind) + first for kind in kinds)
        return sure, rest

    both = in_threads(candidates, suffixes.spans)
    sure, rest = (np.concatenate(ids) for ids in zip(*both, strict=True))

    def order(ids: Int64) -> npt.NDArray[np.uint64]:
        # That of the sorted suffixes; and a text comes before what begins with it.
        return np.asarray(
            begin[ids].astype(np.uint64) << np.uint64(5) | (length[ids] - 1).astype(np.uint64)
        )

    room = max(seed_size - sure.size, 0)
    if rest.size > room:
        covered = times[rest] * length[rest]
        limit = np.partition(covered, rest.size - room - 1)[rest.size - room - 1]
        ties = rest[covered == limit]
        rest = rest[covered > limit]
        sure, rest = np.concatenate([sure, rest]), ties[np.argsort(order(ties))[: room - rest.size]]
    chosen = np.concatenate([sure, rest])
    # The frequent ones stand together, which the processor's caches like.
    rarity = 64 - np.frexp(times[chosen].astype(np.float64))[1].astype(np.uint64)
    return chosen[np.argsort((rarity << np.uint64(58)) | order(chosen))]


def utf8_lengths(codes: Int32) -> npt.NDArray[np.uint8]:
    """Return the bytes of each character; 0 at the end of a piece, 1 for a byte that is no UTF-8."""
    lengths = (
        (codes >= 0) + (codes >= 0x80).astype(np.uint8) + (codes >= 0x800) + (codes >= 0x10000)
    )
    lengths[codes >= k.INVALID] = 1
    return lengths.astype(np.uint8)
