"""Seeds of a unigram vocabulary: the substrings of the pieces that occur often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toktk.kernels import seeds as k
from toktk.trainers.threads import in_threads

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Characters:
    """The pieces as characters.

    Attributes:
        codes: int32 by node: the code point, -1 at the end of a piece (see toktk.kernels.seeds).
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
    def of(cls, data: npt.NDArray[np.uint8], offsets: Int64, counts: Int64) -> Characters:
        """Decode the pieces ``data[offsets[p]:offsets[p + 1]]``."""
        room = np.empty(data.size + counts.size, dtype=np.int32)
        heads = np.empty(offsets.size, dtype=np.int64)
        n = k.decode(data, offsets, room, heads)
        codes = room[:n].copy()
        totals = np.zeros(k.N_CODES, dtype=np.int64)
        k.count_codes(codes, heads, counts, totals)
        distinct = np.flatnonzero(totals).astype(np.int32)
        return cls(codes, heads, counts, distinct, totals[distinct])

    def by_code(self, values: npt.NDArray[np.int32], missing: int = -1) -> Int32:
        """Return int32[N_CODES]: `values` of the distinct characters by code point."""
        table = np.full(k.N_CODES, missing, dtype=np.int32)
        table[self.distinct] = values
        return table


@dataclass(frozen=True)
class Level:
    """Where the substrings of one length begin, and which each is: int32, by occurrence."""

    nodes: Int32
    ids: Int32


@dataclass(frozen=True)
class Seeds:
    """The seeds of more than one character, in an order that depends on their text alone.

    Attributes:
        home: int32[n]: a node at which each begins.
        length: uint8[n], in characters.
        times: int64[n]: occurrences, overlapping ones too.
        levels: by length - 2: the occurrences of candidates of that length.
        token_of: by length - 2: int32: the seed that a candidate is, or -1.
    """

    home: Int32
    length: npt.NDArray[np.uint8]
    times: Int64
    levels: list[Level]
    token_of: list[Int32]


class _Candidates:
    """Growing columns, one row for each substring met."""

    def __init__(self, rows: int) -> None:
        self.count = np.zeros(rows, dtype=np.int64)
        self.content = np.zeros(rows, dtype=np.uint64)
        self.last = np.zeros(rows, dtype=np.uint64)
        self.home = np.zeros(rows, dtype=np.int32)
        self.branching = np.ones(rows, dtype=np.uint8)
        self.whole = np.zeros(rows, dtype=np.uint8)
        self.length = np.ones(rows, dtype=np.uint8)
        self.bytes = np.zeros(rows, dtype=np.int64)
        self.last_bytes = np.zeros(rows, dtype=np.uint8)

    def reserve(self, rows: int) -> None:
        for name, column in vars(self).items():
            if column.size < rows:
                grown = np.zeros(max(rows, column.size * 3 // 2), dtype=column.dtype)
                grown[: column.size] = column
                setattr(self, name, grown)


def find_seeds(
    characters: Characters,
    allowed: npt.NDArray[np.bool_],
    seed_size: int,
    least: int,
    longest: int,
    max_bytes: int | None = None,
    jobs: int = 1,
) -> Seeds:
    """Return the substrings with the most characters covered: occurrences times length.

    Candidates occur `least` times or more. One that never occurs but followed by the same character is left
    out, for the longer one stands for it, unless it is a whole piece. All whole pieces that occur `least`
    times are seeds, whatever their rank.

    Args:
        characters: the pieces.
        allowed: bool[C]: characters that a seed may hold.
        seed_size: how many to keep.
        least: occurrences of a candidate.
        longest: most characters.
        max_bytes: most bytes.
        jobs: threads; they change no result.
    """
    found = _Candidates(characters.distinct.size)
    first = np.where(allowed, np.arange(allowed.size), -1).astype(np.int32)
    found.count[:] = characters.times
    found.last[:] = _scattered(characters.distinct.astype(np.uint64))
    found.content[:] = found.last
    found.last_bytes[:] = found.bytes[:] = utf8_lengths(characters.distinct)
    limits = max(least, 1), longest, max_bytes or np.iinfo(np.int64).max
    levels, bases = _levels(characters, found, characters.by_code(first), limits, jobs)
    n = bases[-1]
    chosen = _chosen(found, np.arange(allowed.size, n), seed_size)
    token_of = np.full(n, -1, dtype=np.int32)
    token_of[chosen] = np.arange(chosen.size)
    return Seeds(
        found.home[chosen],
        found.length[chosen],
        found.count[chosen],
        levels,
        [token_of[a:b] for a, b in zip(bases[1:], bases[2:], strict=False)],
    )


def _levels(
    characters: Characters,
    found: _Candidates,
    of_code: Int32,
    limits: tuple[int, int, int],
    jobs: int,
) -> tuple[list[Level], list[int]]:
    """Count level by level within least occurrences, most characters, most bytes; return the levels from 2 on, and where each level's candidates begin."""
    codes, heads, counts = characters.codes, characters.heads, characters.counts
    least, longest, most = limits
    current = np.where(codes >= 0, of_code[codes], -2).astype(np.int32)
    active = np.flatnonzero(current >= 0).astype(np.int32)
    levels: list[Level] = []
    bases = [0, found.count.size]
    expected = 1 << 15
    for length in range(2, longest + 1):
        slots = np.empty(active.size, dtype=np.int32)
        table, where, n_keys = _extended(active, current, characters, expected, jobs, slots)
        base, before = bases[-1], bases[-2]
        found.reserve(base + n_keys)
        n = k.number(
            table, where, least, most, base, before, found.count, found.home, found.branching,
            found.content, found.last, found.bytes, found.last_bytes,
        )  # fmt: skip
        nodes, ids = np.empty_like(active), np.empty_like(active)
        m = k.advance(
            active, active.size, slots, current, table, heads, counts, length, least,
            found.whole[base:], nodes, ids,
        )  # fmt: skip
        if m == 0:
            break
        found.length[base : base + n] = length
        bases.append(base + n)
        active = nodes[:m].copy()
        levels.append(Level(active, ids[:m].copy()))
        expected = n_keys
    return levels, bases


def _extended(
    active: Int32, current: Int32, characters: Characters, expected: int, jobs: int, slots: Int32
) -> tuple[Int64, Int32, int]:
    """Fill a table of the substrings one character longer; return it, where they begin, and how many."""
    size = 1 << max(2 * expected // jobs, 1 << 14).bit_length()
    heads, counts = characters.heads, characters.counts
    while True:
        table = np.full(2 * jobs * size, -1, dtype=np.int64)
        where = np.empty(jobs * size, dtype=np.int32)
        n_keys = [0] * jobs

        def run(part: int) -> None:
            keys = np.empty(k.BLOCK, dtype=np.int64)
            n_keys[part] = k.extend(  # noqa: B023 - all threads end within this turn of the loop
                active, active.size, current, heads, counts, part, jobs, table, where, keys,  # noqa: B023
                slots,
            )  # fmt: skip

        in_threads(run, [(part,) for part in range(jobs)])
        if min(n_keys) >= 0:
            return table, where, sum(n_keys)
        size *= 4


def _chosen(found: _Candidates, longer: Int64, seed_size: int) -> Int64:
    """Return those of the candidates `longer` that become seeds, the frequent first."""
    whole = longer[found.whole[longer] == 1]
    rest = longer[(found.whole[longer] == 0) & (found.branching[longer] == 1)]
    room = max(seed_size - whole.size, 0)
    if rest.size > room:
        covered = found.count[rest] * found.length[rest]
        limit = np.partition(covered, rest.size - room - 1)[rest.size - room - 1]
        sure, ties = rest[covered > limit], rest[covered == limit]
        ties = ties[np.argsort(found.content[ties], kind="stable")]
        rest = np.concatenate([sure, ties[: room - sure.size]])
    chosen = np.concatenate([whole, rest])
    # The frequent ones together, which the processor's caches like, and equals by a hash of their text.
    order: Int64 = chosen[np.lexsort((found.content[chosen], -found.count[chosen]))]
    return order


def utf8_lengths(codes: Int32) -> npt.NDArray[np.uint8]:
    """Return the bytes of each character; 0 at the end of a piece, 1 for a byte that is no UTF-8."""
    lengths = (
        (codes >= 0) + (codes >= 0x80).astype(np.uint8) + (codes >= 0x800) + (codes >= 0x10000)
    )
    lengths[codes >= k.INVALID] = 1
    return lengths.astype(np.uint8)


def _scattered(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return a hash of each value (the finalizer of splitmix64, Steele et al. 2014)."""
    h = (values + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))
