"""Which documents are held out: by a hash of each, and by bytes where that leaves a group far from its share.

A hash of each document's text decides its side. So equal texts are on one side, and what is added to a
corpus moves no other document. Of a group of many documents, about the share is held out by that. Of one
with few, or with some very long ones, all or nothing might be. So the groups of fewer than `MANY` documents
(of fewer still where there are more than 400 groups) are looked at first. In one whose held-out bytes are
not within `NEAR` of the share, the documents with the smallest hashes are held out until their bytes are
near it; documents longer than fit are passed over. In a group of fewer than `FEW`, long ones are cut into
blocks first. Groups of so few documents that any would be far too much are taken together as one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.batch import GROUP, TEXT, WEIGHT, spans
from toktk.corpus.blocks import FEW, in_blocks, long_documents
from toktk.corpus.options import Progress
from toktk.corpus.units import GroupNumbers, filtered, units

MANY = 10_000
"""A group of as many documents is held out by the hash alone, and not all of it is looked at."""

MANY_IN_ALL = 1 << 22
"""Documents that are looked at in all: of many groups, each has fewer that count as `MANY`."""

NEAR = 0.25
"""How far the held-out bytes of a group may be from its share of them, as a part of that share."""

_GOOD = 0.1  # as `NEAR`, of a choice by bytes: the first that is as near is taken
_CAPS = (
    np.inf,
    *2.0 ** np.arange(1, -7, -1),
)  # of a document, as a multiple of the bytes to hold out
_MOST_GROUPS = 1000  # are looked at one by one; of more, the smallest are taken together

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


class Strand(NamedTuple):
    """Text that a survey reads: its batches, and whether all of it is one group, as of a file."""

    batches: Iterator[pa.RecordBatch]
    one_group: bool


class Survey(NamedTuple):
    """What was found in the groups of few documents.

    Attributes:
        cut: the groups whose long documents are cut into blocks.
        flips: uint64, ascending: the keys of the units that are not on the side that the hash says.
        train_only, test_only: the groups that are on one side alone, by name.
    """

    cut: frozenset[str]
    flips: np.ndarray
    train_only: list[str]
    test_only: list[str]


class _Units(NamedTuple):
    """Units of groups, parallel arrays: a unit that occurs in several groups is in each of them."""

    keys: np.ndarray
    groups: Int64
    bytes: Floats

    @classmethod
    def of(cls, batch: pa.RecordBatch, groups: Int64) -> _Units:
        _, offsets = spans(batch.column(TEXT))
        lengths = np.diff(offsets[: batch.num_rows + 1])
        times = arrow.to_numpy(batch.column(WEIGHT)).astype(np.float64)
        return cls(units(batch)[0], groups, lengths * times)

    @classmethod
    def joined(cls, parts: list[_Units]) -> _Units:
        if not parts:
            return cls(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0))
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def where(self, kept: npt.NDArray[Any]) -> _Units:
        return _Units(self.keys[kept], self.groups[kept], self.bytes[kept])

    def summed(self) -> _Units:
        """Return each unit once in each of its groups, sorted by key, then by group."""
        order = np.lexsort((self.groups, self.keys))
        sorted_ = self.where(order)
        new: Flags = np.ones(order.size, np.bool_)
        new[1:] = np.diff(sorted_.groups) != 0
        new[1:] |= sorted_.keys[1:] != sorted_.keys[:-1]
        sums: Any = np.bincount(np.cumsum(new) - 1, sorted_.bytes, int(new.sum()))
        return _Units(sorted_.keys[new], sorted_.groups[new], sums)


@dataclass(frozen=True, eq=False)
class Sides:
    """The two sides of a corpus, of whose bytes `test` is to be held out; `salt` tells nested ones apart.

    Attributes:
        read: yields all text; None if it cannot be looked at before it is needed.
    """

    read: Callable[[Progress | None], Iterator[Strand]] | None
    test: float
    salt: int = 1

    @functools.cached_property
    def survey(self) -> Survey:
        """What is not decided by the hash alone; the first call reads the groups of few documents."""
        return self._surveyed()

    @property
    def is_decided(self) -> bool:
        """Whether `survey` is known."""
        return "survey" in self.__dict__

    def decide(self, progress: Progress | None) -> None:
        """Make `survey` known, with progress if that has to read."""
        if not self.is_decided:
            self.__dict__["survey"] = self._surveyed(progress)

    def _surveyed(self, progress: Progress | None = None) -> Survey:
        if self.read is None:
            return Survey(frozenset(), np.empty(0, np.uint64), [], [])
        groups, counts, whole, cut = _looked_at(self.read(progress))
        found = (counts < many_of(len(groups))) & (counts > 0)
        found_units = _Units.joined(
            [
                whole.where(found[whole.groups]),
                cut.where((counts < FEW)[cut.groups]),
            ]
        )
        names = np.array(groups.names, object)
        blocks = frozenset(names[np.unique(cut.groups[(counts < FEW)[cut.groups]])].tolist())
        if _are_near(found_units, self._by_hash(found_units.keys), self.test):
            return Survey(blocks, np.empty(0, np.uint64), [], [])
        found_units = found_units.summed()
        by_hash = self._by_hash(found_units.keys)
        order, alone = self._order(found_units.keys), bool(found.all())
        held = _held(found_units, names, by_hash, order, self.test, alone)
        on_test = np.bincount(found_units.groups[held], minlength=names.size) > 0
        on_train = np.bincount(found_units.groups[~held], minlength=names.size) > 0
        return Survey(
            blocks,
            np.unique(found_units.keys[held != by_hash]),
            sorted(names[found & on_train & ~on_test]),
            sorted(names[found & on_test & ~on_train]),
        )

    def _order(self, keys: np.ndarray) -> np.ndarray:
        from toktk.kernels.hash import mix

        return mix(keys, self.salt)

    def _by_hash(self, keys: np.ndarray) -> Flags:
        threshold = np.uint64(min(int(self.test * 2.0**64), 2**64 - 1))
        below: Flags = self._order(keys) < threshold
        return below

    def held_out(self, batch: pa.RecordBatch, of_texts: np.ndarray | None = None) -> Flags:
        """Return which rows of a batch are held out; `of_texts` as for `units`."""
        keys, flips = units(batch, of_texts)[0], self.survey.flips
        held = self._by_hash(keys)
        if not flips.size:
            return held
        at = np.minimum(np.searchsorted(flips, keys), flips.size - 1)
        is_flipped: Flags = flips[at] == keys
        return held ^ is_flipped

    def in_blocks(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch with the long documents of groups of few documents cut into blocks."""
        cut = self.survey.cut
        if not cut:
            return batch
        groups = batch.column(GROUP)
        few = np.array([name in cut for name in groups.dictionary.to_pylist()], np.bool_)
        long = long_documents(batch) & few[arrow.to_numpy(groups.indices)]
        return in_blocks(batch, long) if long.any() else batch


@dataclass(frozen=True)
class Split:
    """The train or the test side."""

    sides: Sides
    side: str

    @property
    def is_decided(self) -> bool:
        """Whether it is known what is held out."""
        return self.sides.is_decided

    def decide(self, progress: Progress | None) -> None:
        """Make that known, with progress if that has to read."""
        self.sides.decide(progress)

    def __str__(self) -> str:
        nested = "" if self.sides.salt == 1 else f", level {self.sides.salt}"
        blocks = ", by blocks" if self.sides.survey.cut else ""
        by_bytes = ", by bytes" if self.sides.survey.flips.size else ""
        return f"{self.side} side of a {self.sides.test:g} split{nested}{blocks}{by_bytes}"

    def start(self, read: object) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Begin a pass."""

        def select(batch: pa.RecordBatch) -> pa.RecordBatch:
            held = self.sides.held_out(batch)
            return filtered(batch, held if self.side == "test" else ~held)

        return select

    def both(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return what of a batch is on this side, and on the other."""
        held = self.sides.held_out(batch)
        own = held if self.side == "test" else ~held
        return filtered(batch, own), filtered(batch, ~own)


def many_of(n_groups: int) -> int:
    """Return how many documents are `MANY` in a text of so many groups."""
    return max(min(MANY, MANY_IN_ALL // max(n_groups, 1)), FEW)


def _looked_at(strands: Iterator[Strand]) -> tuple[GroupNumbers, Int64, _Units, _Units]:
    """Return ``(groups, counts, whole, cut)`` of text: units of small groups, and those of long documents.

    `whole` lacks the documents that `cut` holds in blocks where the group has fewer than `FEW`.
    """
    groups = GroupNumbers()
    counts = np.zeros(0, np.int64)
    whole: list[_Units] = []
    long_ones: list[_Units] = []
    cut: list[_Units] = []
    for strand in strands:
        for batch in strand.batches:
            numbers = groups.of(batch)
            counts = np.pad(counts, (0, len(groups) - counts.size))
            seen = counts[numbers]
            counts = counts + np.bincount(numbers, minlength=counts.size)
            many = many_of(len(groups))
            long = long_documents(batch) & (seen < FEW)
            for kept, into in ((~long & (seen < many), whole), (long, long_ones)):
                if kept.any():
                    into.append(_Units.of(filtered(batch, kept), numbers[kept]))
            if long.any():
                blocks = in_blocks(filtered(batch, long), np.ones(int(long.sum()), np.bool_))
                cut.append(_Units.of(blocks, groups.of(blocks)))
            if strand.one_group and (counts[numbers] >= many).all():
                break
    of_long = _Units.joined(long_ones)
    whole.append(of_long.where((counts >= FEW)[of_long.groups]))
    return groups, counts, _Units.joined(whole), _Units.joined(cut)


def _are_near(found: _Units, by_hash: Flags, test: float) -> bool:
    """Return whether the hash leaves each group near its share, with both sides: `_held` changes nothing."""
    n_bytes, held_bytes = (
        np.bincount(found.groups[rows], found.bytes[rows], int(found.groups.max(initial=-1)) + 1)
        for rows in (slice(None), by_hash)
    )
    target = test * n_bytes
    are_near = np.abs(held_bytes - target) <= NEAR * target
    both = (held_bytes > 0) & (held_bytes < n_bytes)
    return bool((are_near & both)[np.bincount(found.groups) > 0].all()) and found.keys.size > 1


def _held(
    found: _Units, names: np.ndarray, by_hash: Flags, order: np.ndarray, test: float, alone: bool
) -> Flags:
    """Return which units are held out, as `by_hash` where that is near the share in each of the groups.

    A unit of several groups is decided on in the one of fewest bytes. `order` are the hashes by which
    units are taken; `alone`: no other documents are in the corpus, so neither side may be left empty.
    """
    strata = _strata(found, names, test)[found.groups]
    pairs = _Units(found.keys, strata, found.bytes).summed()
    keys, unit = np.unique(pairs.keys, return_inverse=True)
    _, first = np.unique(found.keys, return_index=True)
    held, hashes = by_hash[first], order[first]
    home = pairs.groups[np.unique(unit, return_index=True)[1]]  # they ascend within a unit
    by_stratum = np.lexsort((hashes[unit], pairs.groups))
    n_strata = int(strata.max(initial=-1)) + 1
    ends = np.searchsorted(pairs.groups[by_stratum], np.arange(n_strata + 1))
    for stratum in range(n_strata):
        rows = by_stratum[ends[stratum] : ends[stratum + 1]]
        ids, sizes = unit[rows], pairs.bytes[rows]
        own = home[ids] == stratum
        target, before = test * sizes.sum(), sizes[~own & held[ids]].sum()
        both = bool(held[ids].any()) and not held[ids].all()
        may_be_none = before > 0 or stratum == 0
        near = abs(sizes[held[ids]].sum() - target) <= NEAR * target
        if (near and (both or may_be_none)) or keys.size == 1:
            continue
        held[ids[own]] = _nearest(sizes[own], target - before, test, may_be_none)
    if alone and keys.size > 1 and (held.all() or not held.any()):
        everything = np.argsort(hashes)
        of_units: Any = np.bincount(unit, pairs.bytes)[everything]
        held[everything] = _nearest(of_units, test * of_units.sum(), test, False)
    flags: Flags = held[np.searchsorted(keys, found.keys)]
    return flags


def _strata(found: _Units, names: np.ndarray, test: float) -> Int64:
    """Return the stratum of each group, ascending with its bytes; 0 for all that have too few units."""
    n_units = np.bincount(found.groups, minlength=names.size)
    n_bytes = np.bincount(found.groups, found.bytes, names.size)
    smallest = np.full(names.size, np.inf)
    np.minimum.at(smallest, found.groups, found.bytes)
    enough = (n_units > 1) & (smallest < 2 * min(test, 1 - test) * n_bytes)
    ordered = sorted(np.flatnonzero(enough).tolist(), key=lambda i: (n_bytes[i], names[i]))
    strata = np.zeros(names.size, np.int64)
    chosen = ordered[-_MOST_GROUPS:]
    strata[chosen] = np.arange(1, len(chosen) + 1)
    return strata


def _nearest(sizes: Floats, target: float, test: float, may_be_none: bool) -> Flags:
    """Return which of the units, in their order, to hold out so that their bytes come near `target`.

    The first ones are, without those that are too long; at least one is not, and one is unless
    `may_be_none`.
    """
    if test > 0.5:  # what is not held out is the small side
        return ~_nearest(sizes[::-1], sizes.sum() - target, 1 - test, False)[::-1]
    held = np.zeros(sizes.size, np.bool_)
    best = target if may_be_none else np.inf
    chosen = np.empty(0, np.int64)
    for cap in _CAPS:
        fitting = np.flatnonzero(sizes <= cap * target if np.isfinite(cap) else sizes >= 0)
        fitting = fitting[: sizes.size - 1]
        if best <= _GOOD * target or not fitting.size:
            break
        away = np.abs(np.cumsum(sizes[fitting]) - target)
        if away.min() < best:
            best, chosen = away.min(), fitting[: away.argmin() + 1]
    held[chosen] = True
    return held
