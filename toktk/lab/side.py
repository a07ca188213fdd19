"""A side of a comparison: one tokenizer's figures on a text, with what each document adds to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.report.document_counts import DocumentCounts, Int32, UInt64
from toktk.report.records import Record, parse_signature
from toktk.report.results import Results

BLOCKS = 64
"""Blocks of documents, by hash, that a stored baseline keeps sums of; few enough to read, enough for t."""

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

    @classmethod
    def of(cls, counts: DocumentCounts, label: str) -> UnitSums:
        """Return the counts of one tokenizer."""
        n, weights = len(counts.groups), counts.copies
        rows = np.bincount(counts.group, minlength=n)
        copies = np.bincount(counts.group, weights, minlength=n).astype(np.int64)
        return cls(
            counts.groups,
            counts.group,
            counts.unit,
            counts.bytes * weights,
            counts.words * weights,
            counts.tokens[label] * weights,
            counts.n_all.astype(np.float64),
            counts.kinds,
            rows.astype(np.int64),
            copies,
            previous=counts.previous,
            bits=counts.bits[label] * weights if label in counts.bits else None,
        )

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
            and np.array_equal(self.group, other.group)
            and np.array_equal(self.unit, other.unit)
            and np.array_equal(self.bytes, other.bytes)
        )

    def chosen(self, groups: Sequence[str]) -> npt.NDArray[np.intp]:
        """Return the rows of these groups."""
        numbers = [self.groups.index(group) for group in groups if group in self.groups]
        return np.flatnonzero(np.isin(self.group, numbers))


@dataclass(frozen=True, eq=False)
class Side:
    """One tokenizer's figures on a text.

    Attributes:
        label: what tables call it.
        records: {(metric, group): record}.
        units: None where the run that it is of kept no counts of documents.
        training: what tells the text that it was trained on; None where nobody knows.
        source: where it is from, such as a run directory; empty for one at hand.
    """

    label: str
    records: Mapping[tuple[str, str], Record]
    units: UnitSums | None
    training: str | None = None
    source: str = ""

    def named(self, label: str) -> Side:
        """Return the side with another label."""
        return replace(self, label=label)

    def value(self, metric: str, group: str) -> float | None:
        """Return a figure; None where there is none."""
        record = self.records.get((metric, group))
        return None if record is None else record.value

    def fields(self, metric: str, group: str) -> dict[str, str]:
        """Return the fields of the signature of a figure; of one that is not there, none."""
        record = self.records.get((metric, group))
        return {} if record is None else {**_ALWAYS, **parse_signature(record.signature)}


_ALWAYS = {"specials": "text"}  # what signatures of earlier versions leave unsaid


def sides_of(
    results: Results, training: Mapping[str, str | None] | None = None, source: str = ""
) -> list[Side]:
    """Return a side for each tokenizer of results, in their order."""
    by_label: dict[str, dict[tuple[str, str], Record]] = {}
    for record in results:
        by_label.setdefault(record.tokenizer, {})[record.metric, record.group] = record
    counts = results.documents
    return [
        Side(
            label,
            records,
            UnitSums.of(counts, label) if counts is not None and label in counts.tokens else None,
            (training or {}).get(label),
            source,
        )
        for label, records in by_label.items()
    ]


def _sums(at: npt.NDArray[Any], values: Int64, n: int) -> Int64:
    sums = np.zeros(n, dtype=np.int64)
    np.add.at(sums, at, values)
    return sums
