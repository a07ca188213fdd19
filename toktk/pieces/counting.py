"""Corpus -> PieceTable: text is cut and counted on its bytes, by threads that share nothing.

Memory is bounded by `memory`, the distinct pieces in the end, and the batches in flight, never by the
corpus: what does not fit goes to disk, see `toktk.pieces.runs`. Sums do not depend on order. So the counts
depend neither on threads, nor on batches, document order or memory. `toktk.educational.count_pieces` does
the same slowly.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import queue
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toktk import arrow
from toktk.arrays import Bytes, Int64
from toktk.arrow import pa
from toktk.corpus.batch import TEXT, WEIGHT, spans
from toktk.errors import CorpusError
from toktk.paths import temporary_folder
from toktk.pieces.beside import Beside
from toktk.pieces.counter import Groups, GroupTotals
from toktk.pieces.runs import Runs, SpillingCounter
from toktk.pieces.table import POOLED, PieceTable
from toktk.runtime import Threads, default_memory, give_back_memory, in_threads

if TYPE_CHECKING:
    from toktk.corpus import Corpus
    from toktk.corpus.options import Progress
    from toktk.pretokenizers.pretokenizer import Pretokenizer


_IN_FLIGHT = 2  # batches that are counted while the next one is read


def count_corpus(
    corpus: Corpus,
    pretokenizer: Pretokenizer,
    *,
    jobs: int = 1,
    by_group: bool = True,
    progress: Progress | None = None,
    memory: int | None = None,
) -> PieceTable:
    """Count the pieces of `corpus`, which is read once.

    Args:
        jobs: threads that cut and count; reading goes on in the calling thread.
        by_group: keep the counts of each group apart. Training needs no groups: without them the
            table is smaller, its one group is called ``text``, and totals of characters and words
            are left out (0).
        progress: called with source bytes (of the hub: rows) as they are read.
        memory: bytes that counts may take before they go to disk, all threads together; None: half of
            what was free when that was first asked.
    """
    (table,) = count_corpus_many(
        corpus, [pretokenizer], jobs=jobs, by_group=by_group, progress=progress, memory=memory
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
    memory: int | None = None,
) -> list[PieceTable]:
    """Count the pieces of `corpus` under each of `pretokenizers` in one reading; see `count_corpus`.

    All that is in `beside` sees the documents too.
    """
    counts = [Counted(corpus, pretokenizers, by_group, beside)]
    (tables,) = count_sides(counts, progress=progress, jobs=jobs, memory=memory)
    return tables


@dataclass(frozen=True)
class Counted:
    """What of a text is counted in a reading; see `count_corpus_many`."""

    corpus: Corpus
    pretokenizers: Sequence[Pretokenizer]
    by_group: bool = True
    beside: Sequence[Beside] = ()


def count_sides(
    sides: Sequence[Counted],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
    memory: int | None = None,
    read: Iterable[pa.RecordBatch] | None = None,
) -> list[list[PieceTable]]:
    """Count one text, or both sides of a hold-out, in one reading; return the tables of each.

    `read` are the batches of the only text, where its reading has begun already.
    """
    n_cuts = sum(len(side.pretokenizers) for side in sides)
    apart = len(sides) == 1 and n_cuts >= jobs > 1
    n_tallies = 1 if apart else jobs
    each = (default_memory() if memory is None else memory) // (n_tallies * n_cuts)
    corpus, *others = [side.corpus for side in sides]
    batches = (
        corpus.batches_beside(others[0], progress)
        if others
        else ((batch,) for batch in (corpus.batches(progress) if read is None else read))
    )
    with contextlib.ExitStack() as at_end:
        # Made when something goes there, and then twice if two threads are first: both go in the end.
        folder = functools.cache(lambda: at_end.enter_context(temporary_folder()))
        tallies = [
            [
                _Tally(
                    [SpillingCounter(cut, each, folder) for cut in side.pretokenizers],
                    side.by_group,
                    [one.fresh() for one in side.beside],
                )
                for side in sides
            ]
            for _ in range(n_tallies)
        ]
        count = _by_pretokenizer if apart else _by_batch
        tables = count(batches, tallies, functools.partial(_merge_beside, sides, tallies))
    del tallies
    give_back_memory()
    for side, of_side in zip(sides, tables, strict=True):
        for table in of_side if side.by_group else ():
            check_groups(side.corpus.name, table.groups)
    return tables


def _merge_beside(sides: Sequence[Counted], tallies: _Tallies) -> None:
    def merge(n: int, i: int) -> None:
        sides[n].beside[i].merge(of_thread[n].beside[i] for of_thread in tallies)

    in_threads(merge, [(n, i) for n, side in enumerate(sides) for i in range(len(side.beside))])


def check_groups(name: str, groups: Sequence[str]) -> None:
    """Refuse a text of this name that has a group with the name of all groups together.

    Raises:
        CorpusError: it has.
    """
    if POOLED in groups:
        raise CorpusError(
            f"a group of {name} is called {POOLED!r}, which stands for all groups together.",
            "Rename the group (or the file it is named after).",
        )


class _Tally:
    """What is counted side by side: the raw text once, its pieces by a counter for each pretokenizer."""

    def __init__(
        self, counters: Sequence[SpillingCounter], by_group: bool, beside: Sequence[Beside]
    ) -> None:
        self.totals = GroupTotals(by_group)
        self.beside = beside
        self.counters = counters

    def documents(self, batch: pa.RecordBatch) -> tuple[Bytes, Int64, Groups, Int64]:
        """Add a batch to the totals; return what each counter adds."""
        groups = self.totals.add(batch)
        data, offsets = spans(batch.column(TEXT))
        for one in self.beside:
            one.see(batch)
        return data, offsets, groups, arrow.to_numpy(batch.column(WEIGHT))

    def add(self, batch: pa.RecordBatch) -> None:
        documents = self.documents(batch)
        for counter in self.counters:
            counter.add(*documents)


_Batches = Iterable[tuple["pa.RecordBatch | None", ...]]
"""Of each side a batch, or None where it has none."""

_Tallies = Sequence[Sequence[_Tally]]
"""Those of each thread: one for each side."""


def _by_pretokenizer(
    batches: _Batches, tallies: _Tallies, merge: Callable[[], None]
) -> list[list[PieceTable]]:
    """Count one side with one table for each pretokenizer, so that of those there is nothing to merge.

    `merge` merges what is beside.
    """
    ((tally,),) = tallies
    with contextlib.ExitStack() as at_end:
        # A thread each: what one has not counted yet holds up no other.
        pools = [at_end.enter_context(Threads(1)) for _ in tally.counters]
        pending: deque[list[Future[None]]] = deque()
        for (batch,) in batches:
            documents = tally.documents(batch)  # beside the counting of the batches before
            if len(pending) == _IN_FLIGHT:
                for future in pending.popleft():
                    future.result()
            pending.append(
                [
                    pool.submit(counter.add, *documents)
                    for pool, counter in zip(pools, tally.counters, strict=True)
                ]
            )
        for future in itertools.chain(*pending):
            future.result()
        tables = [
            pool.submit(lambda counter: Runs.of([counter], [tally.totals]).table(), counter)
            for pool, counter in zip(pools, tally.counters, strict=True)
        ]
        merge()
        return [[table.result() for table in tables]]


def _by_batch(
    batches: _Batches, tallies: _Tallies, merge: Callable[[], None]
) -> list[list[PieceTable]]:
    """Deal the batches to threads, then merge what they have counted; the first error stops all.

    `merge` merges what is beside.
    """
    if len(tallies) == 1:
        for batch in batches:
            _add(tallies[0], batch)
    else:
        _dealt(batches, tallies)
    give_back_memory()  # of the batches, for the tables take more
    tables = [_merged(of_side) for of_side in zip(*tallies, strict=True)]
    merge()  # not beside, since it takes as much memory as the tables
    return tables


def _merged(tallies: Sequence[_Tally]) -> list[PieceTable]:
    totals = [tally.totals for tally in tallies]
    by_pretokenizer = zip(*(tally.counters for tally in tallies), strict=True)
    return [Runs.of(counters, totals).table() for counters in by_pretokenizer]


def _add(tallies: Sequence[_Tally], batch: tuple[pa.RecordBatch | None, ...]) -> None:
    for tally, of_side in zip(tallies, batch, strict=True):
        if of_side is not None:
            tally.add(of_side)


def _dealt(batches: _Batches, tallies: _Tallies) -> None:
    work: queue.Queue[tuple[pa.RecordBatch | None, ...] | None] = queue.Queue(maxsize=len(tallies))
    errors: list[BaseException] = []

    def run(own: Sequence[_Tally]) -> None:
        while (batch := work.get()) is not None:
            try:
                if not errors:
                    _add(own, batch)
            except BaseException as error:
                errors.append(error)

    with Threads(len(tallies)) as pool:
        try:
            for own in tallies:
                pool.submit(run, own)
            for batch in batches:
                work.put(batch)
                if errors:
                    break
        finally:
            for _ in tallies:
                work.put(None)
    if errors:
        raise errors[0]
