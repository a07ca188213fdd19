"""What the documents of a text add to its sums, summed up over the units that intervals rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.report.document_counts import DocumentCounts, Int32, UInt64
from toktk.stats.difference import ZONE, Difference, paired_ratio, paired_statistic
from toktk.stats.jackknife import Statistic
from toktk.stats.neighbors import TextOrder, neighbor_factor, places_in_text
from toktk.stats.sampling import even_out

BLOCKS = 64
"""Blocks of documents, by hash, that a stored baseline keeps sums of; few enough to read, enough for t."""

_MOST_LAYOUTS = 256  # kept at once: a text may have 50,000 groups
_MIX = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: Fibonacci hashing

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UnitSums:
    """What the documents of a text add to its sums, all copies of each; rows are sorted by group, then unit.

    Attributes:
        groups: names of the groups.
        group: int32[U], which group each is in.
        unit: uint64[U], the hash of a document, the same in all languages for an aligned line; or the
            number of a block.
        bytes, words, tokens: int64[U], sums.
        n_all: float64[G], how many units the whole text has, of which these may be a sample.
        kinds: of each group: documents, lines or blocks.
        documents, copies: int64[G], different documents among them, and documents, copies included.
        in_blocks: whether these are sums over blocks of documents.
        previous: int64[U], the row before each in its group of the text; -1, or None: not known.
        bits: int64[3, U], sums of what n-gram models pay; None: not known.
        layouts: what `sums_over` has made of these rows, by groups; tokenizers of one text share it.
    """

    groups: tuple[str, ...]
    group: Int32
    unit: UInt64
    bytes: Int64
    words: Int64
    tokens: Int64
    n_all: Floats
    kinds: tuple[str, ...]
    documents: Int64
    copies: Int64
    in_blocks: bool = False
    previous: Int64 | None = None
    bits: Int64 | None = None
    layouts: dict[tuple[str, ...], Sums] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, counts: DocumentCounts, labels: Sequence[str]) -> list[UnitSums]:
        """Return the counts of each of these tokenizers; they share all but tokens and bits."""
        n, weights = len(counts.groups), counts.copies
        rows = np.bincount(counts.group, minlength=n)
        copies = np.bincount(counts.group, weights, minlength=n).astype(np.int64)
        shared: dict[str, Any] = {
            "groups": counts.groups,
            "group": counts.group,
            "unit": counts.unit,
            "bytes": counts.bytes * weights,
            "words": counts.words * weights,
            "n_all": counts.n_all.astype(np.float64),
            "kinds": counts.kinds,
            "documents": rows.astype(np.int64),
            "copies": copies,
            "previous": counts.previous,
            "layouts": {},
        }
        return [
            cls(
                tokens=counts.tokens[label] * weights,
                bits=counts.bits[label] * weights if label in counts.bits else None,
                **shared,
            )
            for label in labels
        ]

    def __len__(self) -> int:
        return int(self.group.size)

    def blocked(self) -> UnitSums:
        """Return the sums over up to `BLOCKS` blocks of each group, by a hash of the unit."""
        if self.in_blocks:
            return self
        # Those of a sample all begin with the same bits, and numbers of blocks do.
        block = (self.unit * np.uint64(_MIX)) >> np.uint64(64 - BLOCKS.bit_length() + 1)
        key = self.group.astype(np.int64) * BLOCKS + block.astype(np.int64)
        kept, at = np.unique(key, return_inverse=True)
        group = (kept // BLOCKS).astype(np.int32)
        n_blocks = np.bincount(group, minlength=len(self.groups))
        # A block stands for as many documents that were not drawn as a document does.
        drawn = self.n_all / np.maximum(self.documents, 1)
        return UnitSums(
            self.groups,
            group,
            (kept % BLOCKS).astype(np.uint64),
            _sums(at, self.bytes, kept.size),
            _sums(at, self.words, kept.size),
            _sums(at, self.tokens, kept.size),
            n_blocks * drawn,
            self.kinds,
            self.documents,
            self.copies,
            in_blocks=True,
        )

    def is_paired_with(self, other: UnitSums) -> bool:
        """Tell whether both have the same documents, row for row."""
        return (
            self.groups == other.groups
            and self.in_blocks == other.in_blocks
            and all(
                own is theirs or np.array_equal(own, theirs)
                for own, theirs in (
                    (self.group, other.group),
                    (self.unit, other.unit),
                    (self.bytes, other.bytes),
                )
            )
        )

    def chosen(self, groups: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return the rows of these groups."""
        numbers = [self.groups.index(group) for group in groups if group in self.groups]
        return np.flatnonzero(np.isin(self.group, numbers))


def _sums(at: npt.NDArray[Any], values: Int64, n: int) -> Int64:
    sums = np.zeros(n, dtype=np.int64)
    np.add.at(sums, at, values)
    return sums


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the units of some groups, evened so that each row stands for as many of the whole text."""

    n: int
    n_all: int
    at: npt.NDArray[np.intp]  # the unit that each chosen row of `UnitSums` belongs to
    rows: npt.NDArray[np.intp]
    repeats: npt.NDArray[np.int64]
    scale: Floats
    before: npt.NDArray[np.int64]  # the unit before each in the text, or -1

    def of(self, values: Int64) -> Floats:
        """Return the sums of int64[U], a number for each row of `UnitSums`."""
        sums = np.bincount(self.at, values[self.rows], minlength=self.n)
        return np.repeat(sums * self.scale, self.repeats)

    def wider(self, x: Floats, y: Floats) -> float:
        """Return by how much the interval of sum x / sum y is wider as neighbors are alike."""
        if x.size != self.before.size:  # a sample, some of whose rows are repeated
            return 1.0
        return neighbor_factor(x, y, self._order)

    @cached_property
    def _order(self) -> TextOrder:
        return TextOrder.of(self.before)


def sums_over(units: UnitSums, groups: Sequence[str]) -> Sums:
    """Return how to sum over units; an aligned line is one unit with all its languages."""
    key = tuple(groups)
    sums = units.layouts.get(key)
    if sums is None:
        sums = _sums_over(units, key)
        if len(units.layouts) == _MOST_LAYOUTS:
            units.layouts.clear()
        units.layouts[key] = sums
    return sums


def _sums_over(units: UnitSums, groups: tuple[str, ...]) -> Sums:
    rows = units.chosen(groups)
    owner = units.group[rows].astype(np.intp)
    is_line = np.array([kind == "lines" for kind in units.kinds], dtype=np.bool_)[owner]
    at = np.empty(rows.size, dtype=np.intp)
    lines, of_line = np.unique(units.unit[rows[is_line]], return_inverse=True)
    at[is_line] = of_line
    others = np.flatnonzero(~is_line)
    at[others] = lines.size + np.arange(others.size)
    drawn = np.bincount(owner, minlength=len(units.groups))
    weights = np.maximum(units.n_all / np.maximum(drawn, 1), 1.0)
    shared = float(weights[owner[is_line]].max(initial=1.0))
    weight = np.concatenate([np.full(lines.size, shared), weights[owner[others]]])
    repeats, n_all = even_out(weight)
    scale = weight / (repeats * weight.min(initial=np.inf))
    return Sums(weight.size, n_all, at, rows, repeats, scale, units_before(units, rows, at))


def units_before(
    units: UnitSums, rows: npt.NDArray[np.intp], at: npt.NDArray[np.intp]
) -> npt.NDArray[np.int64]:
    """Return for each of the units that rows belong to, `at` their numbers, the one before it, or -1.

    In a pool of several groups neighbors, being of one group, would always seem alike: all are -1.
    """
    before = np.full(int(at.max(initial=-1)) + 1, -1, dtype=np.int64)
    groups = np.unique(units.group[rows])
    is_of_one_kind = groups.size == 1 or all(units.kinds[g] == "lines" for g in groups)
    if units.previous is not None and is_of_one_kind:
        # The last place is that of what has none before it.
        unit_of = np.full(len(units) + 1, -1, dtype=np.int64)
        unit_of[rows] = at
        known = unit_of[units.previous[rows]]
        before[at[known >= 0]] = known[known >= 0]
    return before


def tokens_difference(
    sums: Sums,
    a: UnitSums,
    b: UnitSums,
    exact: float,
    *,
    inverse: bool = False,
    zone: float = ZONE,
    level: float = 0.95,
) -> Difference:
    """Return the difference of the tokens of two tokenizers on the same documents.

    Args:
        sums: of some groups of those documents.
        exact: the difference on all of the text, of which the documents may be a sample.
        inverse: whether the tokens stand below, as in bytes per token.
    """
    over, under = sums.of(a.tokens), sums.of(b.tokens)
    if inverse:
        over, under = under, over
    over = over * scale_to(exact, over, under)
    wider = sums.wider(over, under)
    difference = paired_ratio(over, under, n_all=sums.n_all, wider=wider, zone=zone, level=level)
    return replace(difference, value=exact, n=sums.n)


def scale_to(exact: float, over: Floats, under: Floats) -> float:
    """Return by what the sums of a sample are multiplied to differ as those of the whole text do."""
    above, below = float(over.sum()), float(under.sum())
    factor = (1 + exact) * below / above if above else 1.0
    return 1.0 if abs(factor - 1) < 1e-12 else factor


def figure_difference(
    a: UnitSums,
    b: UnitSums,
    groups: Sequence[str],
    statistic: Statistic,
    columns: Sequence[str],
    exact: float,
    *,
    zone: float = ZONE,
    level: float = 0.95,
) -> Difference:
    """Return the difference of two figures that are no ratio of sums, on the same documents.

    Args:
        statistic: takes float64[..., K]: the first of `columns` in each of the groups, then the next.
        columns: of tokens, words and bytes.
        exact: see `tokens_difference`.
    """
    rows = a.chosen(groups)
    # By hash, so that a block that the jackknife leaves out is of all groups; neighbors in one block.
    hashes, at = np.unique(a.unit[rows], return_inverse=True)
    at = places_in_text(units_before(a, rows, at))[at]
    column = np.array([groups.index(g) if g in groups else -1 for g in a.groups], dtype=np.intp)
    place = at * len(groups) + column[a.group[rows]]

    def matrix(values: Int64) -> Floats:
        sums = np.bincount(place, values[rows], minlength=hashes.size * len(groups))
        return sums.reshape(hashes.size, len(groups)).astype(np.float64)

    candidate, baseline = (
        np.hstack([matrix(getattr(side, name)) for name in columns]) for side in (a, b)
    )
    drawn = np.bincount(a.group[rows], minlength=len(a.groups))
    share = float(np.max(a.n_all[drawn > 0] / drawn[drawn > 0], initial=1.0))
    difference = paired_statistic(
        statistic,
        candidate,
        baseline,
        sizes=matrix(a.bytes).sum(axis=1),
        n_all=max(hashes.size, round(hashes.size * share)),
        zone=zone,
        level=level,
    )
    return _moved(difference, exact)


def _moved(difference: Difference, exact: float) -> Difference:
    """Return a difference of a sample with its bounds around that of the whole text."""
    if difference.value is None or difference.low is None or difference.high is None:
        return replace(difference, value=exact)
    factor = (1 + exact) / (1 + difference.value)
    low, high = (factor * (1 + bound) - 1 for bound in (difference.low, difference.high))
    return replace(difference, value=exact, low=low, high=high)
