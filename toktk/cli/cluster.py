"""``--on``: a command's ranks on Slurm, on Ray or in datatrove's pool; see docs/clusters.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from toktk.cli.options import Decorator, gathered, parsed, stacked
from toktk.cli.output import emit
from toktk.errors import ToktkError, as_usage
from toktk.sizes import parse_bytes
from toktk.visible import listed

if TYPE_CHECKING:
    from toktk.lab.meter import Meter
    from toktk.ranks.cluster import Followup
    from toktk.ranks.work import Work

TITLE = "On a cluster"
"""Of these options, in a command's help."""

_LISTED = 8  # of the ranks that are begun
_SCHEDULERS = ("slurm", "ray", "local")
RANK_MEMORY = 2 << 30
"""Bytes that a rank takes where a cluster gives them, of work that keeps to what it is told."""
_MEMORY = 4 << 30
_BESIDE = (
    512 << 20
)  # bytes of a task beside what its rank takes: the scheduler, and a process that waits


class ClusterOption(click.Option):
    """An option that `toktk.cli.verb.Verb` lists under `TITLE`."""

    section = TITLE


@dataclass(frozen=True)
class OnCluster:
    """Where and how ranks are to be carried out.

    Attributes:
        cluster: the arguments of a `toktk.ranks.cluster.Cluster`.
        memory: bytes of a rank; None: what the work takes, or else 4 GiB.
        dry_run: show what would be submitted.
    """

    cluster: dict[str, Any]
    memory: int | None
    dry_run: bool

    @property
    def cpus(self) -> int:
        """Cores of a rank."""
        return int(self.cluster.get("cpus", 1))

    def world_size(self, asked: int | None, work: Work, where: str) -> int:
        """Return how many ranks there are: as asked, as in the folder, or several for each worker.

        Raises:
            ToktkError: nobody can know.
        """
        from toktk.places import Place
        from toktk.ranks.cluster import TASKS_PER_WORKER
        from toktk.ranks.folder import RankFolder
        from toktk.runtime import usable_cores

        if asked is not None:
            return asked
        place = Place.of(where)
        if place.read(f"{work.name}.json") is not None:
            return int(RankFolder(place, work.name, work.command).manifest()["world_size"])
        workers = self.cluster.get("workers")
        if workers is None and self.cluster["scheduler"] == "local":
            workers = max(usable_cores() // self.cpus, 1)
        if workers is None:
            raise as_usage(
                ToktkError(
                    "cannot tell how many ranks there are to be.",
                    f"Give --tasks N, or --workers W for {TASKS_PER_WORKER} times as many.",
                )
            )
        return int(workers) * TASKS_PER_WORKER

    def carry_out(
        self,
        work: Work,
        where: str,
        world_size: int,
        meter: Meter,
        followups: Sequence[Followup] = (),
        memory: int | None = None,
    ) -> bool:
        """Have the ranks that are missing carried out; return whether they are done by now.

        They are not where Slurm has them, or nothing was submitted.

        Args:
            followups: what Slurm does after the ranks; with other schedulers that is left to the caller.
            memory: bytes that a rank takes.

        Raises:
            ToktkError: see `toktk.ranks.cluster.ClusterRun`.
        """
        from toktk.ranks.cluster import Cluster, ClusterRun

        of_rank = self.memory or (_MEMORY if memory is None else memory + memory // 4 + _BESIDE)
        cluster = Cluster(memory=of_rank, **self.cluster)
        run = ClusterRun(cluster, work, where, world_size, followups)
        if self.dry_run:
            emit(run.dry_run())
            return False
        n_missing = len(run.missing)
        if cluster.scheduler == "slurm":
            jobs = run.run()
            if not jobs:
                meter.remark(f"all of {world_size:,} ranks are done; nothing is submitted.")
                return True
            names = ["ranks"] * bool(n_missing) + [followup.name for followup in followups]
            shown = ", ".join(f"{name} {job}" for name, job in zip(names, jobs, strict=True))
            meter.remark(f"{n_missing:,} of {world_size:,} ranks are submitted. Jobs: {shown}.")
            status = f"{' '.join(work.command.split()[:2])} status {where}"
            meter.remark(f"See how far they are: {status}")
            emit("".join(f"{job}\n" for job in jobs[-1:]))
            return False
        with meter.step(
            work.command.split()[1], f"on {cluster.scheduler}", n_missing, "ranks"
        ) as advance:
            run.run(advance)
        return True


def _on_cluster(
    on: str | None, dry_run: bool, memory: int | None = None, **cluster: Any
) -> OnCluster | None:
    cluster = {name: value for name, value in cluster.items() if value}
    given = [*cluster, *["memory"] * (memory is not None), *["dry_run"] * dry_run]
    if on is None and given:
        name = given[0].replace("_", "-")
        raise as_usage(ToktkError(f"--{name} is of a cluster.", "Give --on as well."))
    if on != "slurm" and (slurms := {"partition", "time", "sbatch"} & {*cluster}):
        raise as_usage(ToktkError(f"--{min(slurms)} is Slurm's.", f"Leave it out with --on {on}."))
    if on is None:
        return None
    return OnCluster({"scheduler": on, **cluster}, memory, dry_run)


def _settings_of(values: Sequence[str]) -> dict[str, str]:
    """Return {name: value} of ``NAME=VALUE``; of a flag ``NAME`` the value is empty."""
    settings = {}
    for text in values:
        name, _, value = text.lstrip("-").partition("=")
        if not name or any(letter.isspace() for letter in text):
            raise ValueError(f"{text!r:.80} is not NAME=VALUE, as in account=lab.")
        settings[name] = value
    return settings


def about_ranks(
    begun: Mapping[int, Mapping[str, Any]], missing: Sequence[int], world_size: int
) -> list[str]:
    """Return which process has begun which rank, and which ranks are not done, in sentences."""
    sentences = [
        f"rank {rank} was begun by process {about.get('pid')} of {about.get('host')}, {about.get('time')}."
        for rank, about in [*begun.items()][:_LISTED]
    ]
    if missing:
        ranks = f"rank{'s' * (len(missing) > 1)} {listed([*map(str, missing)])}"
        sentences.append(f"Not done: {ranks} of {world_size:,}.")
    return sentences


def rank_options(verb: str, default: str) -> Decorator:
    """Add ``--rank`` and ``--world-size`` to a command that does to text what `verb` says, by ranks."""
    return stacked(
        click.option(
            "--rank",
            type=click.IntRange(min=0),
            help=f"{verb} one part of the text alone, from 0.  [default: what a scheduler says, or else all]",
        ),
        click.option(
            "--world-size",
            "--tasks",
            type=click.IntRange(min=1),
            help=f"How many ranks there are.  [default: what a scheduler says, or {default}]",
        ),
    )


def cluster_options(memory: bool = False) -> Decorator:
    """Add ``--on`` and what goes with it: the command gets `on_cluster`, an OnCluster or None.

    Args:
        memory: ``--memory`` too, of a command that has none of its own.
    """
    option = click.option
    of_memory = option(
        "--memory",
        cls=ClusterOption,
        metavar="SIZE",
        callback=parsed(lambda size: None if size is None else parse_bytes(size)),
        help="Memory that each rank is given.  [default: 4GiB]",
    )
    return gathered(
        "on_cluster",
        _on_cluster,
        option(
            "--on",
            cls=ClusterOption,
            type=click.Choice(_SCHEDULERS),
            help="Carry out the ranks on Slurm, on Ray, or in datatrove's pool of processes here.",
        ),
        option(
            "--workers",
            cls=ClusterOption,
            type=click.IntRange(min=1),
            help="Ranks at a time; without --tasks there are 8 times as many.  [default: as there is "
            "room for]",
        ),
        option(
            "--cpus",
            cls=ClusterOption,
            type=click.IntRange(min=1, max=1024),
            help="Cores that each rank is given.  [default: 1]",
        ),
        *([of_memory] if memory else []),
        option("--partition", cls=ClusterOption, metavar="NAME", help="Slurm's partition."),
        option(
            "--time",
            cls=ClusterOption,
            metavar="TIME",
            help="The most that a rank may take, as sbatch has it.  [default: 4:00:00]",
        ),
        option(
            "--sbatch",
            cls=ClusterOption,
            multiple=True,
            metavar="NAME=VALUE",
            callback=parsed(_settings_of),
            help="A further option of sbatch, such as account=lab. Repeatable.",
        ),
        option(
            "--dry-run",
            cls=ClusterOption,
            is_flag=True,
            help="Show what would be submitted, and submit nothing.",
        ),
    )
