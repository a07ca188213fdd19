"""Bytes of aligned lines by group, of those lines that a group shares with the group it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.audit.text_figures import Translation
from toktk.audit.text_languages import language_of
from toktk.audit.text_sums import HashSums
from toktk.corpus.batch import ALIGN, spans

if TYPE_CHECKING:
    from collections.abc import Iterator


class Translations:
    """The bytes of each alignment id in each group."""

    def __init__(self) -> None:
        self._sums = HashSums(1)

    def see(self, batch: pa.RecordBatch, offsets: Int64, groups: Int64) -> None:
        """Add the documents of a batch that have an alignment id."""
        from toktk.kernels.hash import hash_spans

        align = batch.column(ALIGN)
        if align.null_count == len(align):
            return
        aligned = arrow.is_valid(align)
        hashes = hash_spans(*spans(align.drop_null().cast(pa.large_string())))
        self._sums.add(hashes, groups[aligned], np.diff(offsets)[aligned, None])

    def figures(self, groups: Sequence[str]) -> tuple[str, dict[str, Translation]]:
        """Return the group that all are compared with, and what each of the others shares with it.

        That is the English one, else the one of a known language that has the most lines.
        """
        self._sums.settle()
        lines = np.bincount(self._sums.groups, minlength=len(groups))
        known = [g for g, group in enumerate(groups) if lines[g] and language_of(group)]
        if len(known) < 2:
            return "", {}
        reference = max(known, key=lambda g: (_is_english(groups[g]), lines[g], -g))
        shared = {
            groups[g]: t for g, t in self._shared(reference, known) if g != reference and t.lines
        }
        return groups[reference], shared

    def _shared(self, reference: int, known: Sequence[int]) -> Iterator[tuple[int, Translation]]:
        of_reference = self._sums.groups == reference
        ids, n_bytes = self._sums.hashes[of_reference], self._sums.sums[of_reference, 0]
        for g in known:
            own = self._sums.groups == g
            at = np.searchsorted(ids, self._sums.hashes[own])
            both = at < ids.size
            both[both] = ids[at[both]] == self._sums.hashes[own][both]
            own_bytes = int(self._sums.sums[own, 0][both].sum())
            yield g, Translation(int(both.sum()), own_bytes, int(n_bytes[at[both]].sum()))


def _is_english(group: str) -> bool:
    language = language_of(group)
    return language is not None and language.code == "en"
