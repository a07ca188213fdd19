"""What a text holds more than once: documents, documents but for some words, lines."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64
from toktk.audit.text_figures import Repeats
from toktk.audit.text_sums import HashSums

UInt64 = npt.NDArray[np.uint64]

LEAST_BYTES = 48
"""A shorter document is no duplicate: words, names and headings recur in any text."""

LEAST_WORDS = 20
"""Of a document that is compared for near equality: of fewer, one word is a large share of the shingles."""

JACCARD = 0.8
"""The share of shingles that near duplicates have in common at least, as in most filters of web text."""

LEAST_LINE = 20
"""Bytes of a line that counts as repeated: shorter ones are brackets, numbers and list marks."""

SHARED_BY = 3
"""Documents that a line must stand in: two may quote one another."""

MOST_SIGNATURES = 1 << 20
"""Documents whose signatures are kept: 100 MB."""

EXAMPLES = 3

# Bands of the signature: near duplicates of a Jaccard index of 0.8 agree in one of 12 with 99.2 %.
_BANDS, _ROWS = 12, 5


class EqualDocuments:
    """Documents by their hashes."""

    def __init__(self) -> None:
        self._sums = HashSums(2)

    def see(self, data: Bytes, offsets: Int64, groups: Int64, hashes: UInt64) -> None:
        """Add the documents of a batch that are long enough."""
        lengths = np.diff(offsets)
        long = lengths >= LEAST_BYTES
        columns = np.stack([np.ones_like(lengths), lengths], axis=1)
        self._sums.add(hashes[long], groups[long], columns[long])

    def figures(self, groups: Sequence[str]) -> Repeats:
        """Return how many are copies of another one; of the copies of one in several groups, one is none."""
        self._sums.settle()
        _, sums = self._sums.by_hash()
        n, n_bytes = sums[:, 0], sums[:, 1]
        own = self._sums.sums[:, 0]
        of_all, of_copies = np.zeros((2, len(groups)), np.int64)
        np.add.at(of_all, self._sums.groups, own)
        np.add.at(of_copies, self._sums.groups, own - 1)
        by_group = {
            groups[g]: (int(of_all[g]), int(of_copies[g]))
            for g in np.flatnonzero(of_copies).tolist()
        }
        copies = int((n - 1).sum())
        return Repeats(
            int(n.sum()),
            int(n_bytes.sum()),
            copies,
            int((n_bytes // np.maximum(n, 1) * (n - 1)).sum()),
            int((n > 1).sum()),
            self._sums.halvings,
            copies - int((own - 1).sum()),
            by_group,
        )

    def largest(self) -> list[int]:
        """Return the hashes of those that are there most often, more than once."""
        hashes, sums = self._sums.by_hash()
        return _largest(hashes, sums[:, 0], 1)


class SharedLines:
    """Lines of documents of several by their hashes."""

    def __init__(self) -> None:
        self._sums = HashSums(3)

    def see(self, data: Bytes, offsets: Int64) -> None:
        """Add the lines of a batch."""
        hashes, begins, ends, documents = self.hashed(data, offsets)
        order = np.argsort(hashes, kind="stable")  # so those of one document stand side by side
        hashes, lengths, documents = hashes[order], (ends - begins)[order], documents[order]
        is_new = np.ones(hashes.size, np.bool_)
        is_new[1:] = (hashes[1:] != hashes[:-1]) | (documents[1:] != documents[:-1])
        columns = np.stack([is_new.astype(np.int64), np.ones_like(lengths), lengths], axis=1)
        self._sums.add(hashes, np.zeros(hashes.size, np.int64), columns)

    @staticmethod
    def hashed(data: Bytes, offsets: Int64) -> tuple[UInt64, Int64, Int64, Int64]:
        """Return hash, begin, end and document of each line that is long enough."""
        from toktk.kernels.repetition import hash_document_lines

        room = int(offsets[-1] - offsets[0]) // LEAST_LINE
        hashes = np.empty(room, np.uint64)
        begins, lengths, documents = np.empty((3, room), np.int64)
        n = hash_document_lines(data, offsets, LEAST_LINE, hashes, begins, lengths, documents)
        return hashes[:n], begins[:n], begins[:n] + lengths[:n], documents[:n]

    def figures(self) -> Repeats:
        """Return how many lines stand in several documents: the first of each is no copy."""
        self._sums.settle()
        documents, n, n_bytes = self._sums.sums.T
        shared = documents >= SHARED_BY
        own = n_bytes[shared] // np.maximum(n[shared], 1)
        return Repeats(
            int(n.sum()),
            int(n_bytes.sum()),
            int((n[shared] - 1).sum()),
            int((n_bytes[shared] - own).sum()),
            int(shared.sum()),
            self._sums.halvings,
        )

    def largest(self) -> list[int]:
        """Return the hashes of those that stand in most documents."""
        return _largest(self._sums.hashes, self._sums.sums[:, 0], SHARED_BY - 1)


class NearDocuments:
    """Different documents by their signatures: see `toktk.kernels.near_duplicates`.

    Beyond `most`, a sample is kept, by the first of the 64 hashes, which near duplicates mostly share.
    """

    def __init__(self, most: int = MOST_SIGNATURES) -> None:
        from toktk.kernels.near_duplicates import HASHES, permutations

        self._most = most
        self._halvings = 0
        self._permutations = permutations()
        self._mins = np.empty(HASHES, np.uint32)
        self._kept = _Signed.none(HASHES)
        self._new: list[_Signed] = []
        self._n_new = 0

    def see(self, data: Bytes, offsets: Int64, groups: Int64, hashes: UInt64) -> None:
        """Add the documents of a batch that are long enough."""
        from toktk.kernels.near_duplicates import HASHES, mixed, sign_documents

        room = min(groups.size, int(offsets[-1] - offsets[0]) // (2 * LEAST_WORDS - 1))
        signatures = np.empty((room, HASHES), np.uint8)
        firsts, documents = np.empty(room, np.uint32), np.empty(room, np.int64)
        n = sign_documents(
            data,
            offsets,
            LEAST_WORDS,
            *self._permutations,
            self._mins,
            signatures,
            firsts,
            documents,
        )
        documents = documents[:n]
        with np.errstate(over="ignore"):
            drawn = mixed(firsts[:n].astype(np.uint64))
        signed = _Signed(
            hashes[documents], drawn, groups[documents], np.diff(offsets)[documents], signatures[:n]
        )
        self._new.append(signed.where(drawn < self._limit))
        self._n_new += self._new[-1].hashes.size
        if self._n_new >= self._most // 4:
            self._settle()

    @property
    def _limit(self) -> np.uint64:
        return np.uint64((1 << (64 - self._halvings)) - 1)

    def _settle(self) -> None:
        """Take in what was added: one of each equal ones, the first, and a sample if they are too many."""
        everything = _Signed.concatenated([self._kept, *self._new])
        self._new, self._n_new = [], 0
        firsts = np.unique(everything.hashes, return_index=True)[1]
        self._kept = everything.where(np.sort(firsts))
        while self._kept.hashes.size > self._most:
            self._halvings += 1
            self._kept = self._kept.where(self._kept.drawn < self._limit)

    @functools.cached_property
    def _roots(self) -> Int64:
        """int64[n]: of each document the first that is nearly equal, or itself; once all are seen."""
        from toktk.kernels.near_duplicates import HASHES, flatten, link_alike

        self._settle()
        signatures = self._kept.signatures
        parents = np.arange(len(signatures))
        # Of bytes that are equal by chance, one in 256, the rest is the index.
        least = int(np.ceil(HASHES * (JACCARD + (1 - JACCARD) / 256)))
        for band in range(_BANDS):
            rows = signatures[:, band * _ROWS : (band + 1) * _ROWS].astype(np.uint64)
            keys = (rows << np.arange(0, 8 * _ROWS, 8, dtype=np.uint64)).sum(
                axis=1, dtype=np.uint64
            )
            link_alike(np.argsort(keys, kind="stable"), keys, signatures, least, parents)
        flatten(parents)
        return parents

    def figures(self, groups: Sequence[str]) -> Repeats:
        """Return how many different documents are nearly equal to an earlier one."""
        roots = self._roots
        copies = roots != np.arange(roots.size)
        sizes = np.bincount(roots, minlength=roots.size)
        of_all = np.bincount(self._kept.groups, minlength=len(groups))
        of_copies = np.bincount(self._kept.groups[copies], minlength=len(groups))
        return Repeats(
            roots.size,
            int(self._kept.lengths.sum()),
            int(copies.sum()),
            int(self._kept.lengths[copies].sum()),
            int((sizes > 1).sum()),
            self._halvings,
            int((self._kept.groups != self._kept.groups[roots])[copies].sum()),
            {
                groups[g]: (int(of_all[g]), int(of_copies[g]))
                for g in np.flatnonzero(of_copies).tolist()
            },
        )

    def largest(self) -> list[int]:
        """Return the hashes of two documents of the largest cluster each."""
        roots = self._roots
        sizes = np.bincount(roots, minlength=roots.size)
        heads = np.argsort(-sizes, kind="stable")[: EXAMPLES - 1]
        members = [np.flatnonzero(roots == head)[:2] for head in heads if sizes[head] > 1]
        return [int(self._kept.hashes[i]) for pair in members for i in pair]


@dataclass(frozen=True, eq=False)
class _Signed:
    """Documents with signatures: their hashes, what a sample is drawn by, groups, bytes, signatures."""

    hashes: UInt64
    drawn: UInt64
    groups: Int64
    lengths: Int64
    signatures: npt.NDArray[np.uint8]

    @classmethod
    def none(cls, n_hashes: int) -> _Signed:
        empty, none = np.empty(0, np.uint64), np.empty(0, np.int64)
        return cls(empty, empty, none, none, np.empty((0, n_hashes), np.uint8))

    @classmethod
    def concatenated(cls, parts: Sequence[_Signed]) -> _Signed:
        columns = zip(*(_columns(part) for part in parts), strict=True)
        return cls(*map(np.concatenate, columns))

    def where(self, chosen: npt.NDArray[np.bool_] | Int64) -> _Signed:
        return _Signed(*(column[chosen] for column in _columns(self)))


def _columns(signed: _Signed) -> tuple[npt.NDArray[Any], ...]:
    return tuple(vars(signed).values())


def _largest(hashes: UInt64, counts: Int64, above: int) -> list[int]:
    """Return the hashes of the largest counts above a number; of equal ones the least hashes."""
    order = np.argsort(-counts, kind="stable")[:EXAMPLES]
    return [int(hashes[i]) for i in order if counts[i] > above]
