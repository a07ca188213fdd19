"""The state of a unigram training: tokens, their probabilities, and the lattices of all pieces.

The steps are those of SentencePiece 0.2.3: expectation and maximization, and pruning by loss; when and how
often is the trainer's business (toktk.trainers.unigram).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from toktk.kernels import lattice as k
from toktk.trainers.seeding import Characters, Int32, Int64, Seeds, utf8_lengths
from toktk.trainers.threads import in_threads

Float64 = npt.NDArray[np.float64]
MIN_EXPECTED = 0.5
"""A token expected less often is dropped by the maximization step (SentencePiece's constant)."""


def digamma(x: Float64) -> Float64:
    """Return the digamma function of each x > 0."""
    result = np.empty_like(x)
    k.digamma(x, result)
    return result


@dataclass
class Lattices:
    """The edges of all pieces (toktk.kernels.lattice), cut into one slice of pieces for each thread."""

    characters: Characters
    first: Int64
    fan: npt.NDArray[np.uint8]
    edges: Int32
    cuts: list[int]

    def copy(self) -> Lattices:
        """Return lattices that can be pruned without touching these."""
        return replace(self, first=self.first.copy(), fan=self.fan.copy(), edges=self.edges.copy())

    @classmethod
    def build(cls, characters: Characters, seeds: Seeds, id_of: Int32, jobs: int) -> Lattices:
        """Lay out the edges of all seeds; `id_of` (by code point) are those of one character."""
        codes, heads = characters.codes, characters.heads
        fan = (codes >= 0).astype(np.uint8)
        for level, token_of in zip(seeds.levels, seeds.token_of, strict=True):
            k.count_edges(level.nodes, level.ids, level.nodes.size, token_of, fan)
        ends = np.cumsum(fan, dtype=np.int64)
        first = ends - fan
        edges = np.empty(ends[-1] if ends.size else 0, dtype=np.int32)
        k.fill_characters(codes, id_of, first, fan, edges)
        for i, (level, token_of) in enumerate(zip(seeds.levels, seeds.token_of, strict=True)):
            k.fill_edges(
                level.nodes, level.ids, level.nodes.size, token_of, i + 2, first, fan, edges
            )
        goals = np.linspace(0, edges.size, jobs + 1)[1:-1]
        cuts = np.searchsorted(first[heads[:-1]], goals).tolist()
        return cls(characters, first, fan, edges, [0, *cuts, heads.size - 1])

    def __post_init__(self) -> None:
        self._room = int(np.diff(self.characters.heads).max(initial=1)) + 2 * k.LONGEST

    def _each(self, run: Callable[[int, int, int], None]) -> None:
        """Run ``run(slice, first piece, last piece)`` for each slice, in threads."""
        spans = list(zip(range(len(self.cuts)), self.cuts, self.cuts[1:], strict=False))
        in_threads(run, spans)

    def expect(self, p: Float64, scale: float) -> Float64:
        """Return float64: the expected occurrences of each id, times `scale`."""
        tables = np.zeros((len(self.cuts) - 1, p.size, 2))
        tables[:, :, 0] = p

        def run(j: int, first: int, last: int) -> None:
            k.expect(
                first, last, self.characters.heads, self.characters.counts, self.first, self.fan,
                self.edges, tables[j], scale, np.empty(self._room), np.empty(self._room),
                np.empty(self._room, dtype=np.int64),
            )  # fmt: skip

        self._each(run)
        return np.asarray(tables[:, :, 1].sum(axis=0))

    def count_best(self, score: Float64) -> Int64:
        """Return int64: how often each id occurs in the best segmentations."""
        sums = np.zeros((len(self.cuts) - 1, score.size), dtype=np.int64)

        def run(j: int, first: int, last: int) -> None:
            k.count_best(
                first, last, self.characters.heads, self.characters.counts, self.first, self.fan,
                self.edges, score, sums[j], np.empty(self._room),
                np.empty(self._room, dtype=np.int32), np.empty(self._room, dtype=np.int32),
            )  # fmt: skip

        self._each(run)
        return np.asarray(sums.sum(axis=0))

    def keep(self, new_id: Int32) -> None:
        """Renumber the edges; those with new id -1 go."""
        heads = self.characters.heads

        def run(j: int, first: int, last: int) -> None:
            k.keep_edges(heads[first], heads[last], new_id, self.first, self.fan, self.edges)

        self._each(run)


@dataclass
class UnigramState:
    """Tokens and scores, with the lattices that go with them.

    Ids 0..n-1 are tokens. Id ``n + c`` is character c (of `Characters.distinct`) where it is no token: spelled by
    bytes, or unknown.

    Attributes:
        home: int32[n]: a node at which the token begins; its index in `distinct` if it is one character.
        length: uint8[n], in characters.
        score: float64[n]: natural log of the probability.
        byte_score: float64[256].
        required: bool[n]: never dropped.
        spelling: int16[C, 4]: the bytes of each character, -1 after the last; all -1 where it is unknown.
        by_bytes: bytes are tokens like others; else a character that is no token is unknown.
        scale: what expectations are multiplied by, to be added as whole numbers.
    """

    lattices: Lattices
    home: Int32
    length: npt.NDArray[np.uint8]
    score: Float64
    byte_score: Float64
    required: npt.NDArray[np.bool_]
    spelling: npt.NDArray[np.int16]
    by_bytes: bool
    scale: float

    def __len__(self) -> int:
        return self.home.size

    def copy(self) -> UnigramState:
        """Return one that can be pruned without touching this one."""
        return replace(self, lattices=self.lattices.copy())

    def start(self, covered: npt.NDArray[np.generic], around: Int64) -> None:
        """Set scores in proportion to what tokens and bytes cover.

        Args:
            covered: by token. around: int64[C], occurrences of the characters that are no token.
        """
        tokens = np.maximum(covered.astype(np.float64), MIN_EXPECTED)
        by_byte = np.maximum(self._by_byte(around).astype(np.float64), MIN_EXPECTED)
        total = np.log(tokens.sum() + by_byte.sum())
        self.score, self.byte_score = np.log(tokens) - total, np.log(by_byte) - total

    def texts(self, tokens: Int64) -> tuple[npt.NDArray[np.uint8], Int64]:
        """Return the bytes of `tokens`, one after the other, and the length of each in bytes."""
        characters = self.lattices.characters
        n = self.length[tokens].astype(np.int64)
        begins = np.cumsum(n) - n
        within = np.arange(int(n.sum())) - np.repeat(begins, n)
        home = self.home[tokens].astype(np.int64)
        codes = characters.codes[np.repeat(home, n) + within]
        alone = n == 1
        codes[begins[alone]] = characters.distinct[home[alone]]
        text = codes.astype("<u4").tobytes().decode("utf-32-le").encode()
        widths = utf8_lengths(codes).astype(np.int64)
        lengths = np.add.reduceat(widths, begins) if n.size else np.zeros(0, dtype=np.int64)
        return np.frombuffer(text, dtype=np.uint8), lengths

    def _scores(self) -> Float64:
        """Return float64[n + C]: the score of each id."""
        padded = np.append(self.byte_score, 0.0)
        around = padded[self.spelling].sum(axis=1)
        if not self.by_bytes:
            # What an unknown character costs is the same on every path; it must only be a number.
            around[:] = self.score.min(initial=-20.0) - 10.0
        return np.concatenate([self.score, around])

    def reestimate(self) -> None:
        """Take one step of expectation and maximization; drop what is hardly expected.

        The scores are ``digamma(expected) - digamma(sum)``: the expected logs under a Dirichlet posterior,
        which makes the rare rarer (Liang and Klein 2007).
        """
        sums = self.lattices.expect(np.exp(self._scores()), self.scale)
        expected = sums / self.scale
        n = len(self)
        by_byte = self._by_byte(expected[n:])
        tokens = expected[:n]
        kept = (tokens >= MIN_EXPECTED) | self.required
        tokens = np.maximum(tokens[kept], MIN_EXPECTED)
        if self.by_bytes:
            by_byte = np.maximum(by_byte, MIN_EXPECTED)
        total = digamma(np.array([max(tokens.sum() + by_byte.sum(), MIN_EXPECTED)]))
        self._keep(kept)
        self.score = digamma(tokens) - total
        self.byte_score = digamma(np.maximum(by_byte, MIN_EXPECTED)) - total

    def _by_byte(self, by_character: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return what characters spelled by bytes come to, by byte."""
        sums = np.zeros(257, dtype=by_character.dtype)
        for column in self.spelling.T:
            np.add.at(sums, column, by_character)
        return sums[:256]

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        n, n_characters = len(self), self.spelling.shape[0]
        left = int(kept.sum())
        new_id = np.empty(n + n_characters, dtype=np.int32)
        new_id[n:] = left + np.arange(n_characters)
        new_id[:n] = np.where(kept, np.cumsum(kept) - 1, -1)
        alone = np.flatnonzero(~kept & (self.length == 1))
        new_id[alone] = left + self.home[alone]
        self.lattices.keep(new_id)
        self.home, self.length = self.home[kept], self.length[kept]
        self.score, self.required = self.score[kept], self.required[kept]

    def prune(self, size: int) -> None:
        """Drop all but the `size` tokens that cost the most likelihood if they went.

        Tokens that no best segmentation holds go in any case, required ones never.
        """
        loss = self._losses()
        loss[self.required] = np.inf
        self._keep_best(loss, size, loss >= 0)

    def prune_flat(self, size: int) -> None:
        """Drop all but the `size` most likely tokens (Land and Pinter 2025); required ones stay."""
        score = np.where(self.required, np.inf, self.score)
        self._keep_best(score, size, np.ones(len(self), dtype=np.bool_))

    def _keep_best(self, value: Float64, size: int, eligible: npt.NDArray[np.bool_]) -> None:
        order = np.argsort(-value, kind="stable")
        order = order[eligible[order]]
        kept = self.required.copy()
        kept[order[: max(size, 0)]] = True
        self._keep(kept)

    def _losses(self) -> Float64:
        scores = self._scores()
        times = self.lattices.count_best(scores)
        n = len(self)
        byte_times = self._by_byte(times[n:])
        total = float(times[:n].sum() + byte_times.sum())
        loss = np.empty(n)
        lattices = self.lattices

        def run(j: int, first: int, last: int) -> None:
            k.losses(
                first, last, self.home, self.length, lattices.first, lattices.fan,
                lattices.edges, scores, times, total, n, self.spelling,
                byte_times, np.empty(k.LONGEST + 1), np.empty(k.LONGEST + 1, dtype=np.int32),
                np.empty(k.LONGEST + 1, dtype=np.int32), loss,
            )  # fmt: skip

        self._over_tokens(run)
        return loss

    def drop_unreachable(self) -> None:
        """Drop tokens that are not the best segmentation of their own text: nothing is encoded by them."""
        reachable = np.empty(len(self), dtype=np.uint8)
        scores, lattices = self._scores(), self.lattices

        def run(j: int, first: int, last: int) -> None:
            k.mark_reachable(
                first, last, self.home, self.length, lattices.first, lattices.fan,
                lattices.edges, scores, np.empty(k.LONGEST + 1),
                np.empty(k.LONGEST + 1, dtype=np.int32), np.empty(k.LONGEST + 1, dtype=np.int32),
                reachable,
            )  # fmt: skip

        self._over_tokens(run)
        self._keep((reachable == 1) | self.required)

    def _over_tokens(self, run: Callable[[int, int, int], None]) -> None:
        jobs = len(self.lattices.cuts) - 1
        cuts = np.linspace(0, len(self), jobs + 1).astype(np.int64).tolist()
        in_threads(run, list(zip(range(jobs), cuts, cuts[1:], strict=False)))
