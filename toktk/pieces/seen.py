"""A text that is seen before it is cut: if the sample turns out to hold all of it, it is cut in the sample.

The sample has each different document once. So a text is cut once where it was cut twice, to count its pieces
and to find them in documents, and documents that recur are cut once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from toktk.corpus.batch import TEXT, spans
from toktk.kernels.constants import BYTES, CHARS
from toktk.pieces.beside import Beside
from toktk.pieces.counter import GroupTotals
from toktk.pieces.sample import Sample
from toktk.pieces.sampled_documents import SampledDocuments
from toktk.runtime import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future

    from toktk.arrow import pa

AT_ONCE = 1 << 27
"""Bytes of a text that may be held until it is known whether the sample has all of it."""


@dataclass
class SeenText:
    """What was seen of a text, at first without cutting it.

    Attributes:
        batches: all that were seen, in case that they must be cut after all.
        totals: of each group, of these.
        may_be_whole: whether the sample may have all of the text; if not, it was seen in part only.
    """

    batches: list[pa.RecordBatch] = field(default_factory=list)
    totals: GroupTotals = field(default_factory=lambda: GroupTotals(by_group=True))
    may_be_whole: bool = True

    def see(
        self,
        batches: Iterable[pa.RecordBatch],
        beside: Sequence[Beside],
        sample: Sample,
        most: int = AT_ONCE,
        jobs: int = 1,
    ) -> None:
        """See batches, as all of `beside` do, while the sample may have all of them.

        Args:
            sample: one of `beside`.
            most: bytes of text; of more than that, nobody waits for the end.
            jobs: with several, the next batch is read meanwhile.
        """
        n_bytes = 0
        with Threads(1) as pool:
            pending: Future[None] | None = None
            for batch in batches:
                if pending is not None:
                    pending.result()
                _, offsets = spans(batch.column(TEXT))
                n_bytes += int(offsets[-1] - offsets[0])
                self.batches.append(batch)
                if n_bytes > most or sample.lacks_text:
                    self.may_be_whole = False
                    return
                if jobs > 1:
                    pending = pool.submit(self._see, batch, beside)
                else:
                    self._see(batch, beside)
            if pending is not None:
                pending.result()

    def _see(self, batch: pa.RecordBatch, beside: Sequence[Beside]) -> None:
        self.totals.add(batch)
        for each in beside:
            each.see(batch)

    def is_in(self, sample: SampledDocuments) -> bool:
        """Return whether documents are all of the text, whose sum they are then, copies included."""
        groups, _, totals, _ = self.totals.in_order()
        if not self.may_be_whole or groups != sample.groups:
            return False
        columns = [BYTES, CHARS]
        sums = np.zeros((len(groups), len(columns)), dtype=np.int64)
        np.add.at(sums, sample.group, sample.totals[:, columns] * sample.copies[:, None])
        return np.array_equal(sums, totals[:, columns])
