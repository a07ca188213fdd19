"""The merge of a count as tasks of Slurm: partitions side by side, then what is of the whole count."""

from __future__ import annotations

import functools

from toktk.counts.merge import MERGED, Merge
from toktk.places import Place
from toktk.ranks.cluster import Followup

_PER_TASK = 4  # partitions, of all sides
_MOST_TASKS = 64


def merge_followups(where: str, n_partitions: int, min_count: int) -> list[Followup]:
    """Return what follows the ranks of a count of so many partitions."""
    n_tasks = min(n_partitions // _PER_TASK, _MOST_TASKS)
    last = Followup("merge", 1, functools.partial(_merge_rest, where, min_count))
    if n_tasks < 2:
        return [last]
    return [Followup("partitions", n_tasks, functools.partial(_merge_some, where, min_count)), last]


def _merge_some(where: str, min_count: int, task: int, n_tasks: int) -> None:
    """Merge each n-th partition."""
    place = Place.of(where)
    for k in range(task, Merge(place, min_count).manifest["partitions"], n_tasks):
        Merge(place, min_count, k).run()


def _merge_rest(where: str, min_count: int, task: int, n_tasks: int) -> None:
    """Merge what is not merged; the last task before this one may have done it all."""
    merge = Merge(Place.of(where), min_count)
    if merge.size or Place.of(where).read(MERGED) is None:
        merge.run()
