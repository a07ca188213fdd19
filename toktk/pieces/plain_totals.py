"""Plain totals of documents, however long: scratch memory does not grow with them."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, read_only, runs
from toktk.corpus.batch import BATCH_BYTES
from toktk.kernels.constants import DOCUMENTS, LINES, N_TOTALS, WORDS

_SPACE, _LF = np.uint8(2), np.uint8(4)  # flags of a byte, as in toktk.kernels.text_totals


class PlainTotals:
    """Adds the plain totals of documents, times their weights; it has scratch memory of its own."""

    def __init__(self) -> None:
        self._flags = np.empty(0, dtype=np.uint8)

    def add(
        self,
        data: Bytes,
        offsets: Int64,
        groups: npt.NDArray[np.int32],
        weights: Int64,
        totals: Int64,
    ) -> None:
        """Add those of the documents ``data[offsets[d]:offsets[d + 1]]``.

        Args:
            groups: int32[D], the row of each in `totals`.
            weights: int64[D], how often each counts.
            totals: int64[G, 7], columns as in toktk.kernels.text_totals.
        """
        from toktk.kernels.text_totals import add_totals

        # Kernels compile once for the types of arguments that counting has: views that cannot be written.
        data, offsets = read_only(data, np.uint8), read_only(offsets, np.int64)
        weights = read_only(weights, np.int64)
        needed = min(int(offsets[-1] - offsets[0]), BATCH_BYTES)
        if needed > self._flags.size:
            self._flags = np.empty(needed, dtype=np.uint8)
        for first, last in runs(offsets, offsets.size, BATCH_BYTES):
            if offsets[last] - offsets[first] > self._flags.size:
                begin, end = offsets[first : last + 1].tolist()
                totals[groups[first]] += self._of_one(data, begin, end) * weights[first]
            else:
                of_run = groups[first:last], weights[first:last]
                add_totals(data, offsets[first : last + 1], *of_run, self._flags, totals)

    def _of_one(self, data: Bytes, begin: int, end: int) -> Int64:
        """Return int64[7]: the totals of one long document, which is taken in parts."""
        from toktk.kernels.text_totals import add_totals, flag_bytes

        cuts = [begin]
        while end - cuts[-1] > self._flags.size:
            at = cuts[-1] + self._flags.size
            while data[at] & 0xC0 == 0x80:  # within a character
                at -= 1
            cuts.append(at)
        sums = np.zeros((1, N_TOTALS), dtype=np.int64)
        row, once = np.zeros(1, dtype=np.int32), read_only(np.ones(1, dtype=np.int64), np.int64)
        for part in itertools.pairwise([*cuts, end]):
            add_totals(data, read_only(np.array(part), np.int64), row, once, self._flags, sums)
        for cut in cuts[1:]:
            flag_bytes(data, cut - 1, cut + 1, self._flags)
            before, behind = self._flags[:2]
            sums[0, DOCUMENTS] -= 1
            sums[0, LINES] -= before & _LF == 0
            sums[0, WORDS] -= (before | behind) & _SPACE == 0
        total: Int64 = sums[0]
        return total
