"""Seeds of a unigram vocabulary: the substrings of the pieces that occur often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.errors import TrainingError
from toktk.kernels import suffixes as k
from toktk.kernels.unigram_train import SHORT
from toktk.runtime import in_threads, parts

Int32 = npt.NDArray[np.int32]
MOST = 2**30
"""Most places in the pieces; int32 numbers the intervals, which are twice as many."""


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
    def of(cls, data: Bytes, offsets: Int64, counts: Int64) -> Characters:
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
        data, offsets, counts = _sorted(data, offsets, counts)
        room = np.empty(data.size + counts.size, dtype=np.int32)
        heads = np.empty(offsets.size, dtype=np.int64)
        n = k.decode(data, offsets, room, heads)
        codes = room[:n].copy()
        totals = np.zeros(k.N_CODES, dtype=np.int64)
        k.count_codes(codes, heads, counts, totals)
        distinct = np.flatnonzero(totals).astype(np.int32)
        return cls(codes, heads, counts, distinct, totals[distinct])

    def by_code(self, values: npt.NDArray[Any], missing: int = -1) -> Int32:
        """Return int32: the `values` of the distinct characters by code point, `missing` for others.

        The last entry is `missing`, so that -1, the end of a piece, leads to it.
        """
        table = np.full(k.N_CODES, missing, dtype=np.int32)
        table[self.distinct] = values
        return table


def _sorted(data: Bytes, offsets: Int64, counts: Int64) -> tuple[Bytes, Int64, Int64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    pieces = pa.Array.from_buffers(pa.large_binary(), counts.size, buffers)
    order = arrow.to_numpy(pc.sort_indices(pieces)).astype(np.int64)
    begins = np.append(0, np.cumsum(data & 0xC0 != 0x80))  # characters before each byte
    long = np.diff(begins[offsets])[order] > SHORT
    order = np.concatenate([order[~long], order[long]])
    _, sorted_offsets, sorted_data = pieces.take(arrow.from_numpy(order)).buffers()
    raw = np.frombuffer(sorted_data, dtype=np.uint8)[: data.size]
    return raw, np.frombuffer(sorted_offsets, np.int64, offsets.size), counts[order]


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
    letters = characters.by_code(np.where(allowed, np.arange(allowed.size) + 1, 0), 0)
    suffixes = _Suffixes(characters, letters[characters.codes], longest, jobs)
    intervals = suffixes.intervals(least)
    if max_bytes is not None and suffixes.nodes.size:
        widths = characters.by_code(utf8_lengths(characters.distinct), 0)
        home = suffixes.nodes[intervals.begin]
        k.shorten(home, characters.codes, widths, max_bytes, intervals.length)
    chosen = _chosen(intervals, suffixes.whole(intervals, least), seed_size, least)
    seed_of = np.full(intervals.length.size, -1, dtype=np.int32)
    seed_of[chosen] = np.arange(chosen.size)
    shorter = intervals.parent[chosen]
    k.find_longest(0, chosen.size, shorter, seed_of, intervals.parent)

    arrays = intervals.deepest, seed_of, intervals.parent
    in_threads(lambda a, b: k.find_longest(a, b, *arrays), parts(characters.codes.size, jobs))
    home = suffixes.nodes[intervals.begin[chosen]]
    length, times = intervals.length[chosen], intervals.times[chosen]
    return Seeds(home, length, times, shorter, intervals.deepest)


class _Suffixes:
    """The sorted suffixes of the pieces, up to `longest` characters of each.

    `letters` (int32, by node) number the characters from 1 on; 0 ends a suffix.
    """

    def __init__(self, characters: Characters, letters: Int32, longest: int, jobs: int) -> None:
        self.characters, self.letters, self.jobs = characters, letters, jobs
        self.longest = longest
        self.size = np.empty(letters.size, dtype=np.uint8)
        k.measure_suffixes(letters, longest, self.size)
        self.nodes = self._sorted()

    def _sorted(self) -> Int32:
        """Sort by the first characters, then double how many the order looks at until all are seen."""
        nodes = np.flatnonzero(self.size).astype(np.int32)
        bits = int(self.letters.max(initial=1)).bit_length()
        width = min(64 // bits, self.longest)
        keys = np.empty(nodes.size, dtype=np.uint64)
        arguments = self.letters, self.size, bits, width, keys
        in_threads(lambda a, b: k.first_keys(a, b, nodes, *arguments), parts(nodes.size, self.jobs))
        used = bits * width
        rank = np.zeros(self.size.size, dtype=np.int32)
        while True:
            keys, nodes = self._radix(keys, nodes, used)
            if width >= self.longest:
                return nodes
            bits = int(k.set_ranks(keys, nodes, rank)).bit_length()
            step = rank, self.size, bits, width, keys
            in_threads(
                lambda a, b, nodes, step: k.next_keys(a, b, nodes, *step),
                [(*part, nodes, step) for part in parts(nodes.size, self.jobs)],
            )
            used, width = 2 * bits, 2 * width

    def _radix(
        self, keys: npt.NDArray[np.uint64], nodes: Int32, bits: int
    ) -> tuple[npt.NDArray[np.uint64], Int32]:
        """Sort `nodes` by the lowest `bits` bits of `keys`, digit by digit from the lowest on."""
        to_keys, to_nodes = np.empty_like(keys), np.empty_like(nodes)
        spans = parts(keys.size, self.jobs)
        for shift in range(0, bits, k.DIGIT):
            counts = np.zeros((len(spans), 1 << k.DIGIT), dtype=np.int64)
            arguments = [(*span, counts[j], keys, shift) for j, span in enumerate(spans)]
            in_threads(lambda a, b, n, keys, shift: k.count_digits(a, b, keys, shift, n), arguments)
            ends = np.cumsum(counts.T.ravel()).reshape(counts.T.shape).T
            begins = np.ascontiguousarray(ends - counts)
            step = keys, nodes, shift
            moves = [(*span, *step, begins[j], to_keys, to_nodes) for j, span in enumerate(spans)]
            in_threads(k.scatter, moves)
            keys, to_keys, nodes, to_nodes = to_keys, keys, to_nodes, nodes
        return keys, nodes

    def intervals(self, least: int) -> k.Intervals:
        """Return the repeated substrings, with what only one suffix goes on to."""
        n, heads = self.nodes.size, self.characters.heads
        piece_of = np.repeat(np.arange(heads.size - 1, dtype=np.int32), np.diff(heads))
        common = np.zeros(n + 1, dtype=np.uint8)
        weight = np.empty(n, dtype=np.int64)
        suffixes = self.nodes, self.letters, self.size, piece_of, self.characters.counts
        in_threads(lambda a, b: k.compare(a, b, *suffixes, common, weight), parts(n, self.jobs))
        # The system gives memory where it is written, so room that is not needed costs nothing.
        room = 2 * n + 1
        intervals = k.Intervals(
            parent=np.empty(room, dtype=np.int32),
            length=np.empty(room, dtype=np.uint8),
            times=np.empty(room, dtype=np.int64),
            begin=np.empty(room, dtype=np.int32),
            deepest=np.zeros(self.size.size, dtype=np.int32),
        )
        stack = np.empty(self.longest + 2, dtype=np.int64)
        used = k.find_intervals(self.nodes, self.size, common, weight, least, intervals, stack)
        parent, length, times, begin = (array[:used] for array in intervals[:4])
        return k.Intervals(parent, length, times, begin, intervals.deepest)

    def whole(self, intervals: k.Intervals, least: int) -> npt.NDArray[np.bool_]:
        """Return bool by interval: it is a whole piece that occurs `least` times."""
        heads = self.characters.heads
        n = np.diff(heads) - 1
        deepest = intervals.deepest[heads[:-1]]
        fits = (n > 1) & (intervals.length[deepest] == n) & (self.characters.counts >= least)
        whole = np.zeros(intervals.length.size, dtype=np.bool_)
        whole[deepest[fits]] = True
        return whole


def _chosen(
    intervals: k.Intervals, whole: npt.NDArray[np.bool_], seed_size: int, least: int
) -> Int64:
    """Return the intervals that become seeds, the frequent first, else in the order of their texts."""
    length, times, parent = intervals.length, intervals.times, intervals.parent
    # Cut to few bytes, an interval may be no longer than its parent.
    eligible = (length > 1) & (times >= least) & (length > length[parent])
    rest = np.flatnonzero(eligible & ~whole)
    sure = np.flatnonzero(whole & eligible)
    # The order is that of the sorted suffixes, and a text comes before what begins with it.
    order = intervals.begin.astype(np.uint64) << np.uint64(5) | (length - 1).astype(np.uint64)
    room = max(seed_size - sure.size, 0)
    if rest.size > room:
        covered = times[rest] * length[rest]
        limit = np.partition(covered, rest.size - room - 1)[rest.size - room - 1]
        ties = rest[covered == limit]
        rest = rest[covered > limit]
        sure, rest = np.concatenate([sure, rest]), ties[np.argsort(order[ties])[: room - rest.size]]
    chosen = np.concatenate([sure, rest])
    # The frequent ones stand together, which the processor's caches like.
    rarity = 64 - np.frexp(times[chosen].astype(np.float64))[1].astype(np.uint64)
    return chosen[np.argsort((rarity << np.uint64(58)) | order[chosen])]


def utf8_lengths(codes: Int32) -> npt.NDArray[np.uint8]:
    """Return the bytes of each character; 0 at the end of a piece, 1 for a byte that is no UTF-8."""
    lengths = (
        (codes >= 0) + (codes >= 0x80).astype(np.uint8) + (codes >= 0x800) + (codes >= 0x10000)
    )
    lengths[codes >= k.INVALID] = 1
    return lengths.astype(np.uint8)
