"""The lines of a text by their hashes, so that text is recognized in another container, order or part.

A text's documents depend on how it is cut, into lines, paragraphs or files; its lines do not. Those of
fewer than 48 bytes are left out, as they recur in any text.

Of a text of more than `MOST` lines, a sample is kept: those that hash below a limit, which halves as
often as it takes. Both sides of a comparison take their sample by the same hash, so a line is in both or
in neither. What a run keeps, `LineSet`, has 32 bits a line: 1 MiB at most, whatever the text, and a
line that is not in it is taken for one that is with a chance of ``2**18 / 2**32``, 0.006 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, offsets_of, read_arrays, write_arrays
from toktk.corpus.batch import TEXT, spans
from toktk.corpus.options import Progress

if TYPE_CHECKING:
    from toktk.arrow import pa

MOST = 1 << 18
"""How many different lines are kept."""

_REPORT = 1000  # documents between two reports
_FEWEST = 30  # lines of a sample, to estimate a share from
_LEAST_TOLD = (
    0.25  # of a text's bytes in lines that are long enough, for them to stand for the text
)
_MOST_HALVINGS = 32  # of 64 bits, so many say whether a line is in a sample
_Hashes = npt.NDArray[np.uint64]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LineSet:
    """The lines of a text, to look others up in.

    Attributes:
        halvings: the set holds one line in ``2**halvings``.
        hashes: 32 bits of the hash of each, ascending.
    """

    halvings: int
    hashes: npt.NDArray[np.uint32]

    def to_bytes(self) -> bytes:
        """Return `halvings` and the hashes, four bytes each, little-endian."""
        return np.append(np.uint32(self.halvings), self.hashes).astype("<u4").tobytes()

    @classmethod
    def from_bytes(cls, raw: bytes) -> LineSet:
        """Return what `to_bytes` wrote.

        Raises:
            ValueError: `raw` is something else.
        """
        if len(raw) % 4 or not 4 <= len(raw) <= 4 * (MOST + 1):
            raise ValueError(f"{len(raw):,} bytes are no set of lines")
        halvings, *_ = numbers = np.frombuffer(raw, "<u4").astype(np.uint32)
        hashes = numbers[1:]
        if halvings > _MOST_HALVINGS or (hashes[1:] <= hashes[:-1]).any():
            raise ValueError("a set of lines ascends")
        return cls(int(halvings), hashes)

    def share_of(
        self, data: Bytes, offsets: Int64, progress: Progress = lambda documents: None
    ) -> Float64 | None:
        """Return float64[D]: of each document's bytes in lines that are long enough, the share held here.

        NaN of a document without such a line: nobody can tell. None where this is but a sample of the lines,
        which says nothing of a single document. `progress` is called with the documents since the last call.
        """
        from toktk.kernels.hash import hash_lines

        if self.halvings:
            return None
        shares: Float64 = np.full(offsets.size - 1, np.nan)
        for first in range(0, shares.size, _REPORT):
            some = shares[first : first + _REPORT]
            hashes, lengths, ends = hash_lines(data, offsets[first : first + some.size + 1])
            held = offsets_of(np.where(self._holds(hashes), lengths, 0))
            told = np.diff(offsets_of(lengths)[ends], prepend=0)
            np.divide(np.diff(held[ends], prepend=0), told, out=some, where=told > 0)
            progress(some.size)
        return shares

    def _holds(self, hashes: _Hashes) -> npt.NDArray[np.bool_]:
        """Return which lines are in the set, by their whole hashes."""
        short = hashes.astype(np.uint32)
        at = np.searchsorted(self.hashes, short)
        among: npt.NDArray[np.bool_] = at < self.hashes.size
        among[among] = self.hashes[at[among]] == short[among]
        return among


class Lines:
    """The different lines of a text, or a sample of them, and how many bytes of the text each is.

    The same text gives the same lines in whatever parts it is added.
    """

    def __init__(self) -> None:
        self.halvings = 0
        self.n_bytes = 0  # of the text, short lines too
        self._hashes: _Hashes = np.empty(0, np.uint64)
        self._bytes: Int64 = np.empty(0, np.int64)
        self._new: list[tuple[_Hashes, Int64]] = []
        self._n_new = 0

    def fresh(self) -> Lines:
        """Return one without lines; see `toktk.pieces.beside.Beside`."""
        return Lines()

    def see(self, batch: pa.RecordBatch) -> None:
        """Add the documents of a batch."""
        self.add(*spans(batch.column(TEXT)))

    def add(self, data: Bytes, offsets: Int64) -> None:
        """Add documents, ``data[offsets[d]:offsets[d + 1]]``."""
        from toktk.kernels.hash import hash_lines

        hashes, lengths, _ = hash_lines(data, offsets, self._limit)
        self.n_bytes += int(offsets[-1] - offsets[0])
        self._new.append((hashes, lengths))
        self._n_new += hashes.size
        if self._n_new >= MOST:
            self._settle()

    def merge(self, others: Iterable[Lines]) -> None:
        """Add the lines of `others`."""
        for other in others:
            self.halvings = max(self.halvings, other.halvings)
            self.n_bytes += other.n_bytes
            self._new += [(other._hashes, other._bytes), *other._new]
        self._settle()

    def as_set(self) -> LineSet:
        """Return what a run keeps of the text that it trained on."""
        self._settle()
        hashes = np.sort(
            self._hashes.astype(np.uint32)
        )  # np.unique hashes them, which takes longer
        return LineSet(self.halvings, hashes[np.diff(hashes, prepend=~hashes[:1]) != 0])

    def share_in(self, known: LineSet) -> float | None:
        """Return the share of bytes in lines that `known` holds too; None where too few lines tell.

        It is of the bytes in lines that are long enough, which must be a fourth of the text. An estimate,
        unless both are whole: `is_estimate`.
        """
        self._settle()
        halvings = max(known.halvings, self.halvings)
        sampled = self._hashes <= np.uint64(2 ** (64 - halvings) - 1)
        hashes, sizes = self._hashes[sampled], self._bytes[sampled]
        if hashes.size < (_FEWEST if self.is_estimate(known) else 1):
            return None
        if float(sizes.sum()) * 2.0**halvings < _LEAST_TOLD * self.n_bytes:
            return None
        return float(sizes[known._holds(hashes)].sum() / sizes.sum())

    def is_estimate(self, known: LineSet) -> bool:
        """Return whether either is a sample."""
        return bool(known.halvings or self.halvings)

    @property
    def _limit(self) -> int:
        return int(2 ** (64 - self.halvings)) - 1

    def _settle(self) -> None:
        """Unite what was added, and halve the limit until what is left fits."""
        if not self._new:
            return
        parts = [(self._hashes, self._bytes), *self._new]
        hashes, sizes = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(hashes)
        hashes = hashes[order]
        firsts = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))
        sums = np.diff(offsets_of(sizes[order])[np.append(firsts, hashes.size)])
        hashes = hashes[firsts]
        while np.searchsorted(hashes, np.uint64(self._limit), side="right") > MOST:
            self.halvings += 1
        n = int(np.searchsorted(hashes, np.uint64(self._limit), side="right"))
        self._hashes, self._bytes = hashes[:n].copy(), sums[:n].copy()
        self._new, self._n_new = [], 0

    def save(self, folder: Path) -> None:
        """Write hashes and bytes as plain arrays."""
        self._settle()
        about = {"halvings": self.halvings, "n_bytes": self.n_bytes}
        write_arrays(folder, {"hashes": self._hashes, "bytes": self._bytes}, **about)

    @classmethod
    def load(cls, folder: Path) -> Lines:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        lines = cls()
        lines.halvings, lines.n_bytes = about["halvings"], about["n_bytes"]
        lines._hashes, lines._bytes = arrays["hashes"], arrays["bytes"]
        return lines
