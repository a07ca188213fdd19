"""A count on this machine: one rank, or all that are not done, in processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from toktk.corpus.shares import share_of
from toktk.counts.merge import folder_at
from toktk.counts.work import CountWork
from toktk.places import Place
from toktk.ranks.pool import run_pool
from toktk.ranks.work import Progress, run_rank
from toktk.ranks.world import check_world_size

TASKS_PER_PROCESS = 4
"""Ranks for each process, at most: a killed one costs little, and none waits long for the last."""

# Bytes of a rank. Each writes its own rows of the pieces that all have, so one of less text would cost
# more than what is lost where it is killed; and none is worth a process of its own below the least.
_RANK_BYTES, _LEAST_BYTES = 1 << 28, 1 << 24


def default_world_size(work: CountWork, place: Place, jobs: int) -> int:
    """Return the number of ranks of a folder; of a new one, by the processes and the size of the text."""
    if place.read(f"{work.name}.json") is not None:
        return int(folder_at(place).manifest()["world_size"])
    if work.unit != "bytes":
        return TASKS_PER_PROCESS * jobs
    n_bytes = work.text.n_bytes
    if n_bytes < jobs * _LEAST_BYTES:
        return max(n_bytes // _LEAST_BYTES, 1)
    return jobs * min(-(-n_bytes // (jobs * _RANK_BYTES)), TASKS_PER_PROCESS)


def ranks_to_do(work: CountWork, place: Place, world_size: int) -> list[int]:
    """Begin a folder, or compare it with the work; return which ranks are not done.

    Raises:
        ToktkError: the work cannot be done, or the folder belongs to other work.
    """
    check_world_size(world_size)
    work.check()
    folder = folder_at(place)
    folder.begin(work.manifest, world_size)
    return folder.state().missing


def size_of(work: CountWork, ranks: Sequence[int], world_size: int) -> int | None:
    """Return what the progress of these ranks is in all; None where nobody can know."""
    if len(ranks) == world_size:
        return work.size
    sizes = [share_of(work.corpus, rank, world_size).size for rank in ranks]
    return None if None in sizes else sum(size or 0 for size in sizes)


def count_ranks(
    work: CountWork,
    where: str,
    ranks: Sequence[int],
    world_size: int,
    jobs: int,
    advance: Progress,
    remark: Callable[[str], None],
) -> None:
    """Count ranks in `jobs` processes, which share the memory of the work; one alone is this process.

    Raises:
        ToktkError: a rank cannot be counted; those that are done are kept.
    """
    jobs = max(min(jobs, len(ranks)), 1)
    if jobs > 1:
        shared = replace(work, memory=work.memory // jobs)
        run_pool(shared, where, ranks, world_size, jobs, advance, remark, here=True)
        return
    for rank in ranks:
        run_rank(work, Place.of(where), rank, world_size, advance)
