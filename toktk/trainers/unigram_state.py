"""The state of a unigram training: tokens, their probabilities, and the lattices of all pieces.

The steps are those of SentencePiece 0.2.3: expectation and maximization, and pruning by loss.
`toktk.trainers.unigram` decides when and how often they are taken.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.kernels import digamma as k_digamma
from toktk.kernels import unigram_train as k
from toktk.kernels.suffixes import INVALID
from toktk.runtime import in_threads, parts
from toktk.trainers.seeding import Characters, Int32, Seeds, utf8_lengths

Bool = npt.NDArray[np.bool_]
Float64 = npt.NDArray[np.float64]

LEAST = math.exp(-26.0)
"""The least probability of a token: with it those of short pieces stay in the range of a float64."""
TOGETHER = 4096
"""Pieces in a block that shares prefixes. A thread takes several blocks."""
MIN_EXPECTED = 0.5
"""A token expected less often is dropped by the maximization step (SentencePiece's constant)."""
COMPACT = 0.9
"""Tokens are renumbered when less than this share of them is left."""


@dataclass
class Lattices:
    """The edges of all pieces (toktk.kernels.unigram_train), cut into slices, one for each thread.

    The pieces must be sorted, those of more than SHORT characters at the end.

    Attributes:
        cuts: int[slices + 1], the first piece of each slice. starts: its first edge.
        n_short: pieces before the long ones.
        new_id: int32 by id: what it is by now, -1 if it is gone; None: edges are up to date.
    """

    characters: Characters
    trie: k.Trie
    cuts: list[int]
    starts: list[int]
    n_short: int
    new_id: Int32 | None = None

    @classmethod
    def build(
        cls, characters: Characters, seeds: Seeds, id_of: Int32, jobs: int
    ) -> tuple[Lattices, Int32]:
        """Lay out the edges of all seeds; return also int32: a node at which each seed ends.

        `id_of` (by code point) are the ids of single characters.
        """
        codes, heads = characters.codes, characters.heads
        sizes = np.diff(heads) - 1
        long = np.flatnonzero(sizes > k.SHORT)
        n_short = int(long[0]) if long.size else sizes.size
        shared = np.empty(sizes.size, dtype=np.int32)
        pieces = codes, heads, n_short, TOGETHER, shared
        in_threads(lambda a, b: k.share_prefixes(a, b, *pieces), parts(sizes.size, jobs))
        bases = np.concatenate([[0], np.cumsum(sizes - shared)])
        shorter = (seeds.shorter + 1).astype(np.uint32) << np.uint32(
            k.BITS
        ) | seeds.length - np.uint32(1)
        tokens = k.Tokens(seeds.longest, shorter)
        cuts = _cuts(bases, n_short, jobs)
        spans = list(itertools.pairwise(cuts))
        rooms = in_threads(lambda a, b: int(k.room_for_edges(a, b, heads, shared, tokens)), spans)
        # The system gives memory where it is written, so room that is not needed costs nothing.
        *starts, room = np.cumsum([k.AROUND, *rooms]).tolist()
        n = int(bases[-1])
        trie = k.Trie(
            heads, shared, bases, characters.counts,
            fan=np.empty(n, dtype=np.uint8),
            edges=np.empty(room + k.AROUND, dtype=np.uint32),
            first=np.empty(n, dtype=np.int64),
            parent=np.empty(n, dtype=np.int32),
        )  # fmt: skip
        end = np.full(seeds.home.size, -1, dtype=np.int32)
        longest = int(sizes.max(initial=0))

        def lay(first: int, last: int, start: int) -> None:
            path = np.empty(longest + 1, dtype=np.int32)
            ring = np.empty((2 * k.LONGEST, k.LONGEST + 1), dtype=np.uint32)
            k.lay_edges(first, last, start, trie, tokens, codes, id_of, end, path, ring)

        in_threads(lay, [(*span, start) for span, start in zip(spans, starts, strict=True)])
        return cls(characters, trie, cuts, starts, n_short), end

    def __post_init__(self) -> None:
        self._room = int(np.diff(self.characters.heads).max(initial=0)) + k.SHORT + 1

    def _slices(self) -> list[tuple[int, int, int, int]]:
        """Return (slice, first piece, last piece, first edge) of each slice."""
        spans = zip(itertools.pairwise(self.cuts), self.starts, strict=True)
        return [(j, *pieces, start) for j, (pieces, start) in enumerate(spans)]

    def expect(self, p: Float64, scale: float) -> Float64:
        """Return float64: the expected occurrences of each id, times `scale`."""
        self.renumber()
        tables = np.zeros((len(self.starts), 2 * p.size))
        raised = np.where(p > 0, np.maximum(p, LEAST), 0.0)
        bases = self.trie.bases

        def run(j: int, first: int, last: int, start: int) -> None:
            table, stacks = tables[j], (np.empty(self._room), np.empty(self._room))
            table[::2] = raised
            short = min(last, self.n_short)
            if first < short:
                undo = np.empty(int(bases[short] - bases[first]))
                start = k.expect(first, short, start, self.trie, table, scale, *stacks, undo)
            long = max(first, short)
            shifts = np.empty((self._room, 2), dtype=np.int64)
            k.expect_long(long, last, start, self.trie, table, scale, *stacks, shifts)

        in_threads(run, self._slices())
        return np.asarray(tables[:, 1::2].sum(axis=0))

    def count_best(self, score: Float64) -> Int64:
        """Return int64: how often each id occurs in the best segmentations."""
        self.renumber()
        sums = np.zeros((len(self.starts), score.size), dtype=np.int64)

        def run(j: int, first: int, last: int, start: int) -> None:
            best, times = np.empty(self._room), np.zeros(self._room, dtype=np.int64)
            nodes = int(self.trie.bases[last] - self.trie.bases[first])
            taken = np.empty(nodes, dtype=np.uint32)
            k.count_best(first, last, start, self.trie, score, sums[j], best, times, taken)

        in_threads(run, self._slices())
        return np.asarray(sums.sum(axis=0))

    def paths(self, scores: Float64) -> k.Paths:
        """Return what a thread needs to segment the text of a token, once edges are up to date."""
        room = k.LONGEST + 1
        taken, path = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
        return k.Paths(self.trie, scores, np.empty(room), taken, path)

    def keep(self, new_id: Int32) -> None:
        """Give new ids; -1 drops the edge. The edges change when they are next needed."""
        if self.new_id is not None:
            new_id = np.where(self.new_id < 0, -1, new_id[self.new_id]).astype(np.int32)
        self.new_id = new_id

    def renumber(self) -> None:
        """Write the new ids to the edges."""
        if self.new_id is None:
            return
        new_id = self.new_id

        def run(j: int, first: int, last: int, start: int) -> None:
            k.renumber(first, last, start, self.trie, new_id)

        in_threads(run, self._slices())
        self.new_id = None


def _cuts(bases: Int64, n_short: int, jobs: int) -> list[int]:
    """Return the first piece of each of `jobs` slices of nearly equal nodes, where a thread may begin."""
    goals = np.linspace(0, bases[-1], jobs + 1)[1:-1]
    cuts = np.searchsorted(bases, goals)
    cuts = np.where(cuts < n_short, cuts // TOGETHER * TOGETHER, cuts)
    return [0, *cuts.tolist(), bases.size - 1]


def digamma(x: Float64, jobs: int = 1) -> Float64:
    """Return the digamma function of each x > 0."""
    result = np.empty_like(x)
    in_threads(lambda a, b: k_digamma.digamma(x[a:b], result[a:b]), parts(x.size, jobs))
    return result


class UnigramState:
    """Tokens and scores, with the lattices that go with them.

    Ids 0..n-1 are tokens. Id ``n + c`` is character c (of `Characters.distinct`) where it is no
    token: spelled by bytes, or unknown. A token that was dropped keeps its id for a while: it takes
    longer to renumber all edges than to go over some that have the probability 0.

    Attributes:
        home: int32[n]: where the token begins in `Characters.codes`; its index in `distinct` if it is one
            character. end: int32[n]: the node of the lattices at which it ends, if it is more.
        length: uint8[n], in characters.
        score: float64[n]: natural log of the probability; not to be read where not `alive`.
        alive: bool[n]: the token has not been dropped.
        byte_score: float64[256].
        required: bool[n]: characters that are never dropped here.
        spelling: int16[C, 4]: the bytes of each character, -1 after the last; all -1 where it is unknown.
        by_bytes: bytes are tokens like others; else a character that is no token is unknown.
        scale: the power of two by which expectations are multiplied, to be added as whole numbers:
            their sum stays below 2**53.
    """

    def __init__(
        self,
        characters: Characters,
        seeds: Seeds,
        alone: Bool,
        required: Bool,
        by_bytes: bool,
        jobs: int,
    ) -> None:
        """Begin with the `seeds` and the characters `alone` (bool[C]), scored by what they cover."""
        singles, n_seeds = np.flatnonzero(alone), seeds.home.size
        n = n_seeds + singles.size
        id_of = n + np.arange(alone.size)
        id_of[singles] = np.arange(n_seeds, n)
        by_code = characters.by_code(id_of.astype(np.int32))
        self.jobs = jobs
        self.lattices, end = Lattices.build(characters, seeds, by_code, jobs)
        self.home = np.append(seeds.home, singles).astype(np.int32)
        self.end = np.append(end, np.full(singles.size, -1)).astype(np.int32)
        self.length = np.append(seeds.length, np.ones(singles.size)).astype(np.uint8)
        self.alive = np.ones(n, dtype=np.bool_)
        self.required = np.append(np.zeros(n_seeds, dtype=np.bool_), required[alone])
        self.by_bytes = by_bytes
        self.spelling = np.full((alone.size, 4), -1, dtype=np.int16)
        if by_bytes:
            for c, code in enumerate(characters.distinct.tolist()):
                raw = bytes([code - INVALID]) if code >= INVALID else chr(code).encode()
                self.spelling[c, : len(raw)] = list(raw)
        total = max(int(characters.times.sum()), 1)
        self.scale = float(2.0 ** min(53 - total.bit_length(), 40))
        covered = np.append(seeds.times * seeds.length, characters.times[alone])
        tokens = np.maximum(covered.astype(np.float64), MIN_EXPECTED)
        around = self._by_byte(np.where(alone, 0, characters.times))
        by_byte = np.maximum(around.astype(np.float64), MIN_EXPECTED)
        total_log = np.log(tokens.sum() + by_byte.sum())
        self.score, self.byte_score = np.log(tokens) - total_log, np.log(by_byte) - total_log

    def __len__(self) -> int:
        return int(self.alive.sum())

    def reestimate(self) -> None:
        """Take one step of expectation and maximization; drop what is hardly expected.

        The scores are ``digamma(expected) - digamma(sum)``: the expected logs under a Dirichlet
        posterior. They make the rare rarer (Liang and Klein 2007).
        """
        sums = self.lattices.expect(np.exp(self._scores(self.alive)), self.scale)
        expected = sums / self.scale
        tokens, by_byte = self._split(expected)
        self.alive &= (tokens >= MIN_EXPECTED) | self.required
        tokens = np.maximum(tokens[self.alive], MIN_EXPECTED)
        if self.by_bytes:
            by_byte = np.maximum(by_byte, MIN_EXPECTED)
        total = digamma(np.array([max(tokens.sum() + by_byte.sum(), MIN_EXPECTED)]))
        self.score[self.alive] = digamma(tokens, self.jobs) - total
        self.byte_score = digamma(np.maximum(by_byte, MIN_EXPECTED)) - total
        if len(self) < COMPACT * self.home.size:
            self._compact()

    def losses(self) -> Float64:
        """Return float64[n]: what the likelihood loses with each token; -1 where nothing is encoded by it."""
        scores = self._scores(self.alive)
        times = self.lattices.count_best(scores)
        token_times, byte_times = self._split(times)
        total = float(token_times.sum() + byte_times.sum())
        times[: self.home.size] = token_times
        loss = np.empty(self.home.size)
        self.lattices.renumber()
        tokens = self.home, self.end, self.length, self.alive

        def run(chosen: Int64) -> None:
            paths = self.lattices.paths(scores)
            k.losses(chosen, tokens, paths, times, total, self.spelling, byte_times, loss)

        in_threads(run, self._along_lattices())
        return loss

    def _along_lattices(self) -> list[tuple[Int64]]:
        """Return the tokens in parts, a thread each, in the order in which they end in the lattices."""
        order = np.argsort(self.end)
        return [(order[a:b],) for a, b in parts(order.size, self.jobs)]

    def best(self, value: Float64, size: int, required: Bool) -> Bool:
        """Return bool[n]: the required and the `size` tokens of greatest `value` in all, none below 0."""
        candidates = np.flatnonzero(self.alive & (value >= 0) & ~required)
        room = max(size - int((self.alive & required).sum()), 0)
        if candidates.size > room:
            values = value[candidates]
            least = np.partition(values, -room)[-room] if room else np.inf
            above = values > least
            equal = np.flatnonzero(values == least)[: room - int(above.sum())]
            candidates = np.concatenate([candidates[above], candidates[equal]])
        remaining = required.copy()
        remaining[candidates] = True
        return remaining

    def prune(self, remaining: Bool) -> None:
        """Drop all tokens but `remaining`."""
        self.alive = self.alive & remaining
        self._compact()

    def reachable(self, remaining: Bool) -> Bool:
        """Return those of `remaining` that encode their own text, if `remaining` were all.

        The others encode nothing.
        """
        reachable = np.empty(self.home.size, dtype=np.bool_)
        scores = self._scores(remaining)
        self.lattices.renumber()

        def run(chosen: Int64) -> None:
            paths = self.lattices.paths(scores)
            k.mark_reachable(chosen, self.end, self.length, remaining, paths, reachable)

        in_threads(run, self._along_lattices())
        return reachable

    def texts(self, tokens: Int64) -> tuple[npt.NDArray[np.uint8], Int64]:
        """Return the bytes of `tokens`, one after the other, and the length of each in bytes."""
        characters = self.lattices.characters
        n = self.length[tokens].astype(np.int64)
        begins = np.cumsum(n) - n
        within = np.arange(int(n.sum())) - np.repeat(begins, n)
        home = self.home[tokens].astype(np.int64)
        alone = n == 1
        home[alone] = 0  # there is no node of theirs; what stands there is replaced
        codes = characters.codes[np.repeat(home, n) + within]
        codes[begins[alone]] = characters.distinct[self.home[tokens][alone]]
        text = codes.astype("<u4").tobytes().decode("utf-32-le").encode()
        widths = utf8_lengths(codes).astype(np.int64)
        lengths = np.add.reduceat(widths, begins) if n.size else np.zeros(0, dtype=np.int64)
        return np.frombuffer(text, dtype=np.uint8), lengths

    def _scores(self, alive: Bool) -> Float64:
        """Return float64[n + C]: the score of each id if `alive` were the tokens."""
        around = np.append(self.byte_score, 0.0)[self.spelling].sum(axis=1)
        if not self.by_bytes:
            # What an unknown character costs is the same on every path; it must only be a number.
            around[:] = self.score[alive].min(initial=-20.0) - 10.0
        scores = np.concatenate([np.where(alive, self.score, -np.inf), around])
        dropped = self._dropped_characters(alive)
        scores[dropped] = around[self.home[dropped]]
        return scores

    def _dropped_characters(self, alive: Bool) -> Int64:
        return np.flatnonzero(~alive & (self.length == 1))

    def _split(self, values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return what `values` by id (float64 or int64) come to by token, and by byte."""
        n = self.home.size
        tokens, around = np.where(self.alive, values[:n], 0), values[n:].copy()
        dropped = self._dropped_characters(self.alive)
        around[self.home[dropped]] += values[dropped]
        return tokens, self._by_byte(around)

    def _by_byte(self, around: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what characters spelled by bytes come to, by byte."""
        sums = np.zeros(257, dtype=around.dtype)
        for column in self.spelling.T:
            np.add.at(sums, column, around)
        return sums[:256]

    def _compact(self) -> None:
        """Give the tokens that are left the ids from 0 on."""
        n_characters = self.spelling.shape[0]
        left = len(self)
        dropped = self._dropped_characters(self.alive)
        new_id = np.where(self.alive, np.cumsum(self.alive) - 1, -1).astype(np.int32)
        new_id[dropped] = left + self.home[dropped]
        around = left + np.arange(n_characters, dtype=np.int32)
        self.lattices.keep(np.concatenate([new_id, around]))
        kept = np.flatnonzero(self.alive)
        self.home, self.end, self.length = self.home[kept], self.end[kept], self.length[kept]
        self.score, self.required = self.score[kept], self.required[kept]
        self.alive = np.ones(left, dtype=np.bool_)
