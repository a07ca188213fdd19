"""Corpus -> PieceTable: text is cut and counted on its bytes, by threads that share nothing.

Memory is bounded by the distinct pieces (once per thread) and the batches in flight, never by the
corpus. Sums do not depend on order. So the counts depend neither on threads, nor on batches or
document order. `toktk.educational.count_pieces` does the same slowly.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.arrow import pa
from toktk.corpus.batch import TEXT, WEIGHT, spans
from toktk.errors import CorpusError
from toktk.pieces.beside import Beside
from toktk.pieces.counter import Counter, Groups, GroupTotals, merge
from toktk.pieces.table import POOLED, PieceTable
from toktk.runtime import Threads

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.corpus.options import Progress
    from toktk.pretokenizers.pretokenizer import Pretokenizer


def count_corpus(
    corpus: Corpus,
    pretokenizer: Pretokenizer,
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
) -> PieceTable:
    """Count the pieces of `corpus`, which is read once.

    Args:
        jobs: threads that cut and count; reading goes on in the calling thread.
        by_group: keep the counts of each group apart. Training needs no groups: without them the
            table is smaller, its one group is called ``text``, and totals of characters and words
            are left out (0).
        progress: called with source bytes (of the hub: rows) as they are read.
    """
    (table,) = count_corpus_many(
        corpus, [pretokenizer], jobs=jobs, by_group=by_group, progress=progress
    )
    return table


def count_corpus_many(
    corpus: Corpus,
    pretokenizers: Sequence[Pretokenizer],
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
    beside: Sequence[Beside] = (),
) -> list[PieceTable]:
    """Count the pieces of `corpus` under each of `pretokenizers` in one reading; see `count_corpus`.

    All that is in `beside` sees the documents too.
    """
    batches = corpus.batches(progress)
    apart = len(pretokenizers) >= jobs > 1
    tallies = [
        _Tally(pretokenizers, by_group, [one.fresh() for one in beside])
        for _ in range(1 if apart else jobs)
    ]
    tables = _by_pretokenizer(batches, tallies[0], jobs) if apart else _by_batch(batches, tallies)
    for i, one in enumerate(beside):
        one.merge(tally.beside[i] for tally in tallies)
    for table in tables:
        if by_group and POOLED in table.groups:
            raise CorpusError(
                f"a group of {corpus.name} is called {POOLED!r}, which stands for all groups together.",
                "Rename the group (or the file it is named after).",
            )
    return tables


class _Tally:
    """What is counted side by side: the raw text once, its pieces under each pretokenizer."""

    def __init__(
        self, pretokenizers: Sequence[Pretokenizer], by_group: bool, beside: Sequence[Beside]
    ) -> None:
        self._totals = GroupTotals(by_group)
        self.beside = beside
        self.counters = [Counter(pretokenizer) for pretokenizer in pretokenizers]

    def documents(self, batch: pa.RecordBatch) -> tuple[Bytes, Int64, Groups, Int64]:
        """Add a batch to the totals; return what each counter adds."""
        groups = self._totals.add(batch)
        data, offsets = spans(batch.column(TEXT))
        for one in self.beside:
            one.see(batch)
        return data, offsets, groups, arrow.to_numpy(batch.column(WEIGHT))

    def add(self, batch: pa.RecordBatch) -> None:
        documents = self.documents(batch)
        for counter in self.counters:
            counter.add(*documents)

    def table(self, counter: Counter) -> PieceTable:
        return counter.table(self._totals)


def _by_pretokenizer(
    batches: Iterable[pa.RecordBatch], tally: _Tally, jobs: int
) -> list[PieceTable]:
    """Count with one table for each pretokenizer, so that there is nothing to merge."""
    with Threads(jobs) as pool:
        pending: list[Future[None]] = []
        for batch in batches:
            for future in pending:
                future.result()
            documents = tally.documents(batch)
            pending = [pool.submit(counter.add, *documents) for counter in tally.counters]
        for future in pending:
            future.result()
        return list(pool.map(tally.table, tally.counters))


def _by_batch(batches: Iterable[pa.RecordBatch], tallies: list[_Tally]) -> list[PieceTable]:
    """Deal the batches to a thread for each tally, then merge; the first error stops all."""
    if len(tallies) == 1:
        for batch in batches:
            tallies[0].add(batch)
        return [*map(tallies[0].table, tallies[0].counters)]
    work: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=len(tallies))
    errors: list[BaseException] = []

    def run(tally: _Tally) -> None:
        while (batch := work.get()) is not None:
            try:
                if not errors:
                    tally.add(batch)
            except BaseException as error:
                errors.append(error)

    with Threads(len(tallies)) as pool:
        try:
            for tally in tallies:
                pool.submit(run, tally)
            for batch in batches:
                work.put(batch)
                if errors:
                    break
        finally:
            for _ in tallies:
                work.put(None)
    if errors:
        raise errors[0]
    tables = [map(tally.table, tally.counters) for tally in tallies]
    return [merge(of_pretokenizer) for of_pretokenizer in zip(*tables, strict=True)]
