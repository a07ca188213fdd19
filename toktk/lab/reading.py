"""What a pass over a text met, and what whoever reads its figures should know of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk.arrays import Int64
from toktk.kernels.constants import DOCUMENTS
from toktk.lab.meter import Meter
from toktk.runtime import give_back_memory
from toktk.visible import listed

if TYPE_CHECKING:
    from toktk.corpus import Corpus

_REMARKS = 10
_NAMED = 100  # groups in run.json; there may be as many as documents


FEW = 100
"""Figures of a group of fewer documents are rough, and what is measured on it says so."""


@dataclass(frozen=True)
class Reading:
    """What a pass over a corpus met: invalid sequences replaced, rows without text, documents.

    Where groups were told apart, `n_few` is how many have fewer than `FEW` documents, and `few` are the
    smallest of those, with their documents.
    """

    replaced: int = 0
    null_rows: int = 0
    documents: int | None = None
    n_few: int = 0
    few: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, corpus: Corpus, groups: Sequence[str], totals: Int64, by_group: bool) -> Reading:
        """Return what the latest pass over a corpus met, by its groups and their `totals`, int64[G, 7]."""
        counts = totals[:, DOCUMENTS]
        few = np.flatnonzero(counts < FEW if by_group else counts < 0)
        smallest = few[np.argsort(counts[few], kind="stable")][:_NAMED]
        named = {groups[i]: int(counts[i]) for i in smallest}
        return cls(corpus.replaced, corpus.null_rows, int(counts.sum()), few.size, named)

    def doubts(self, corpus: Corpus) -> list[str]:
        """Return what makes figures that were measured on the corpus rough."""
        if self.documents == 1:
            return [f"{corpus.name} is one document: its figures are of that one alone."]
        if not self.few:
            return []
        groups = listed([f"{group} ({n:,})" for group, n in self.few.items()], self.n_few)
        return [f"{corpus.name}: figures of fewer than {FEW} documents are rough: {groups}."]

    def remark(self, meter: Meter, corpus: Corpus, measured: bool = False) -> None:
        """Say what was met, if anything, and of a text that is `measured` what its figures lack."""
        if measured:
            for doubt in self.doubts(corpus):
                meter.remark(doubt)
        if self.replaced:
            meter.remark(f"{corpus.name}: {self.replaced:,} invalid sequences are read as U+FFFD.")
        if self.null_rows:
            meter.remark(f"{corpus.name}: {self.null_rows:,} rows without text are left out.")


def fingerprint_text(meter: Meter, what: str, corpus: Corpus, jobs: int = 1) -> None:
    """Hash the files of a text, and read what decides on a hold-out or a sample, each a step with a total."""
    with meter.step("fingerprint", what, corpus.size, corpus.unit) as advance:
        corpus.hash_files(advance, jobs)
    if undecided := corpus.undecided:
        sizes = [part.size for part in undecided if part.size is not None]
        is_known = len(sizes) == len(undecided) and len({part.unit for part in undecided}) == 1
        total = sum(sizes) if is_known else None
        with meter.step("choose", what, total, undecided[0].unit) as advance:
            corpus.look_over(advance)
        give_back_memory()


def remark_on_texts(meter: Meter, *corpora: Corpus | None) -> None:
    """Say what is known of the texts before they are read, each thing once."""
    remarks = [remark for corpus in corpora if corpus is not None for remark in corpus.remarks]
    of_all = [*dict.fromkeys(remarks)]
    for remark in of_all[:_REMARKS]:
        meter.remark(remark)
    if len(of_all) > _REMARKS:
        meter.remark(f"there are {len(of_all) - _REMARKS:,} further remarks like this.")


def described_text(
    corpus: Corpus, reading: Reading | None, measured: bool = True
) -> dict[str, Any]:
    """Return what run.json says of a text: of the pass that made the figures, if one is known."""
    about = {**corpus.describe(), "replaced": None, "null_rows": None}
    if reading is None:  # this process may have made none
        return about
    doubts = reading.doubts(corpus) if measured else []
    if remarks := [*about.get("remarks", ()), *doubts]:
        about["remarks"] = remarks
    return {**about, **asdict(reading)}
