"""Corpus -> PieceTable: text is cut and counted on its bytes, by threads that share nothing.

Memory is bounded by the distinct pieces (once per thread) and the batches in flight, never by the corpus.
Sums do not depend on order, so neither do the counts depend on threads, batches or document order.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from toktk import arrow
from toktk.corpus.batch import spans
from toktk.errors import CorpusError
from toktk.pieces.counter import Counter
from toktk.pieces.table import PieceTable
from toktk.pieces.totals import GroupTotals

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.corpus import Corpus
    from toktk.corpus.corpus import Progress
    from toktk.pretokenizers.pretokenizer import Pretokenizer

POOLED = "all"


def count_corpus(
    corpus: Corpus,
    pretokenizer: Pretokenizer,
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
) -> PieceTable:
    """Count the pieces of `corpus`.

    Args:
        corpus: read once.
        pretokenizer: cuts the text.
        jobs: threads that cut and count; reading goes on in the calling thread.
        by_group: keep the counts of each group apart. Training needs no groups: without them the
            table is smaller, its one group is called ``text``, and totals of characters and words
            are left out (0).
        progress: called with source bytes (hub: rows) as they are read.

    Raises:
        CorpusError: the text cannot be read, or a group is called "all".
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
) -> list[PieceTable]:
    """Count the pieces of `corpus` under each of `pretokenizers`, in one reading of it.

    Arguments and errors are those of `count_corpus`; the tables are held together.
    """
    if len(pretokenizers) >= jobs > 1:
        tables = _by_pretokenizer(corpus.batches(progress), pretokenizers, by_group, jobs)
    else:
        tables = _by_batch(corpus.batches(progress), pretokenizers, by_group, jobs)
    for table in tables:
        if by_group and POOLED in table.groups:
            raise CorpusError(
                f"a group of {corpus.name} is called {POOLED!r}, which stands for all groups together.",
                "Rename the group (or the file it is named after).",
            )
    return tables


def _by_pretokenizer(
    batches: Iterable[pa.RecordBatch],
    pretokenizers: Sequence[Pretokenizer],
    by_group: bool,
    jobs: int,
) -> list[PieceTable]:
    """Count with one table for each pretokenizer, so that there is nothing to merge."""
    totals = GroupTotals(by_group)
    counters = [Counter(pretokenizer) for pretokenizer in pretokenizers]
    with ThreadPoolExecutor(jobs) as pool:
        pending: list[Future[None]] = []
        for batch in batches:
            for one in pending:
                one.result()
            groups = totals.add(batch)
            of_batch = (*spans(batch.column(0)), groups, arrow.to_numpy(batch.column(3)))
            pending = [pool.submit(counter.add, *of_batch) for counter in counters]
        for one in pending:
            one.result()
        return list(pool.map(lambda counter: counter.table(totals), counters))


def _by_batch(
    batches: Iterable[pa.RecordBatch],
    pretokenizers: Sequence[Pretokenizer],
    by_group: bool,
    jobs: int,
) -> list[PieceTable]:
    """Count with tables for each thread, which takes a batch at a time; then merge them."""
    tallies = [_Tally(pretokenizers, by_group) for _ in range(jobs)]
    if jobs == 1:
        for batch in batches:
            tallies[0].add(batch)
    else:
        _in_threads(batches, tallies)
    of_threads = zip(*(tally.tables() for tally in tallies), strict=True)
    return [merge(list(some)) if jobs > 1 else some[0] for some in of_threads]


class _Tally:
    """What one thread counts: the raw text once, its pieces under each pretokenizer."""

    def __init__(self, pretokenizers: Sequence[Pretokenizer], by_group: bool) -> None:
        self._totals = GroupTotals(by_group)
        self._counters = [Counter(pretokenizer) for pretokenizer in pretokenizers]

    def add(self, batch: pa.RecordBatch) -> None:
        """Count one batch."""
        groups = self._totals.add(batch)
        data, offsets = spans(batch.column(0))
        weights = arrow.to_numpy(batch.column(3))
        for counter in self._counters:
            counter.add(data, offsets, groups, weights)

    def tables(self) -> list[PieceTable]:
        """Return what was counted under each pretokenizer."""
        return [counter.table(self._totals) for counter in self._counters]


def _in_threads(batches: Iterable[pa.RecordBatch], tallies: list[_Tally]) -> None:
    """Deal the batches to one thread per tally; the first error stops all and is raised."""
    work: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=len(tallies))
    errors: list[BaseException] = []

    def run(tally: _Tally) -> None:
        while (batch := work.get()) is not None:
            if errors:
                continue
            try:
                tally.add(batch)
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=run, args=(c,), daemon=True) for c in tallies]
    for thread in threads:
        thread.start()
    try:
        for batch in batches:
            work.put(batch)
            if errors:
                break
    finally:
        for _ in threads:
            work.put(None)
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def merge(tables: list[PieceTable]) -> PieceTable:
    """Return the sum of tables that were cut by the same pretokenizer."""
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    totals = GroupTotals(by_group=True)
    total = Counter(Pretokenizer("merged", tables[0].pretokenizer))
    for table in tables:
        total.add_table(table, totals.add_table(table))
    merged = total.table(totals)
    return PieceTable(
        merged.data, merged.offsets, merged.rows, merged.entry_group, merged.entry_count,
        merged.groups, merged.totals, merged.aligned, tables[0].pretokenizer,
    )  # fmt: skip
