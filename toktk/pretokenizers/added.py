"""Added strings: pieces by themselves wherever they occur in a document."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class AddedStrings:
    """Finds strings, leftmost and then longest, and splits documents around them.

    Args:
        strings: none empty.
    """

    def __init__(self, strings: tuple[str, ...]) -> None:
        from toktk.kernels.unigram_encode import fill_trie

        raw = [string.encode() for string in sorted(set(strings))]
        data = np.frombuffer(b"".join(raw), dtype=np.uint8)
        offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
        self._table = np.full(max(512, 1 << data.size.bit_length() + 1), -1, dtype=np.int64)
        ends = np.full(data.size + 1, -1, dtype=np.int64)
        fill_trie(data, offsets, np.arange(len(raw)), self._table, ends)
        self._begins = np.zeros(256, dtype=np.uint8)
        self._begins[data[offsets[:-1]]] = 1

    def split(self, data: Bytes, offsets: Int64) -> tuple[Int64, Int64, Bools] | None:
        """Return the parts of the documents, or None where no document holds an added string.

        Returns:
            Offsets int64[n + 1] of the parts in `data`, none of them empty; the document of each, int64[n];
            whether it is an added string, bool[n].
        """
        spots = self._spots(data, offsets)
        if spots.size == 0:
            return None
        parts = np.sort(np.concatenate([offsets, spots]), kind="stable")  # merges two sorted runs
        parts = parts[np.concatenate([[True], parts[1:] != parts[:-1]])]
        owner = np.searchsorted(offsets, parts[:-1], side="right") - 1
        atoms = np.zeros(owner.size, dtype=np.bool_)
        atoms[np.searchsorted(parts, spots[::2])] = True
        return parts, owner, atoms

    def _spots(self, data: Bytes, offsets: Int64) -> Int64:
        """Return begin and end of each occurrence, one after the other."""
        from toktk.kernels.normalize import find_strings

        spots = np.empty(2048 + int(offsets[-1] - offsets[0]) // 32, dtype=np.int64)
        while True:
            n = int(find_strings(data, offsets, self._table, self._begins, spots))
            if 2 * n <= spots.size:
                return spots[: 2 * n]
            spots = np.empty(2 * n, dtype=np.int64)


@functools.lru_cache(maxsize=32)
def added_strings(strings: tuple[str, ...]) -> AddedStrings:
    """Return the finder for `strings`; kept, as threads share it."""
    return AddedStrings(strings)
