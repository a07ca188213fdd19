"""TextSample: some short texts of each group, for what is tried out on text and not counted in it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from toktk.pieces.sampled_documents import SampledDocuments

MOST_TEXTS = 1000
"""Texts of a group."""
MOST_OF_ALL = 20_000
"""Texts of all groups, which have equal shares; of more groups than that the others have none."""
LONGEST = 200
"""Bytes that are read of a document."""

_SALT = 29  # apart from the hash that chooses the sampled documents


@dataclass(frozen=True, eq=False)
class TextSample:
    """The beginnings of some of the sampled documents of a text, chosen by hash: the same on any machine."""

    documents: SampledDocuments

    @functools.cached_property
    def texts(self) -> dict[str, list[str]]:
        """{group: its texts}, of at most `LONGEST` bytes, cut at a space where one is near the end."""
        from toktk.kernels.hash import mix

        of = self.documents
        hashes = mix(of.unit, _SALT)
        order = np.lexsort((hashes, of.group))
        firsts = np.searchsorted(of.group[order], np.arange(len(of.groups)))
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size) - firsts[of.group[order]]
        chosen = np.flatnonzero((rank < MOST_TEXTS) & (np.diff(of.offsets) > 0))
        by_rank = chosen[np.lexsort((hashes[chosen], rank[chosen]))]
        texts: dict[str, list[str]] = {group: [] for group in of.groups}
        for d in np.sort(by_rank[:MOST_OF_ALL]).tolist():
            begin, end = of.offsets[d : d + 2].tolist()
            head = _head(of.data[begin : begin + LONGEST].tobytes()[: end - begin], end - begin)
            texts[of.groups[of.group[d]]].append(head)
        return texts


def _head(raw: bytes, n_bytes: int) -> str:
    text = raw.decode(errors="ignore")  # a character may be cut
    at = text.rfind(" ")
    return text[:at] if n_bytes > LONGEST and at > len(text) // 2 else text
