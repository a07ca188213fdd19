"""Ranks on many machines: Slurm or Ray carry them out, by way of datatrove, which knows both.

What is sent is a `RankTask`: small, and importable wherever toktk is. The folder of the ranks alone says
which of them are done: a rerun sends those that it lacks, whatever the scheduler remembers. datatrove runs in
a process of its own, `toktk.ranks.cluster_worker`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import platform
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toktk.child import Child, ChildEnded, Refused, end_with
from toktk.errors import MissingExtraError, StorageError, ToktkError, as_usage, in_a_line
from toktk.paths import temporary_folder
from toktk.places import Place, is_address
from toktk.ranks.folder import RankFolder, rank_name
from toktk.ranks.pool import run_pool
from toktk.ranks.work import Work
from toktk.sizes import bytes_label

SCHEDULERS = ("slurm", "ray", "local")
TASKS_PER_WORKER = 8
"""Ranks for each that runs at a time: so many that a killed one costs little, and the last ones are short."""

_LOOK = 2.0  # seconds between two looks at how many ranks are done
_LISTED = 10  # failed ranks that an error names
_LAST_LINES = 3  # of the log of the first of them, that it shows
_LONGEST = 1000  # characters of what a scheduler said, that an error shows
_OWN = {  # what of sbatch has an option here, or is the scheduler's
    "partition": "--partition",
    "time": "--time",
    "cpus-per-task": "--cpus",
    "mem": "--memory",
    "mem-per-cpu": "--memory",
    "mem-per-gpu": "--memory",
    "array": "--tasks and --workers",
    "dependency": "",
    "output": "",
    "error": "",
    "export": "",
}


@dataclass(frozen=True)
class Cluster:
    """Where ranks are carried out, and what each is given.

    Attributes:
        scheduler: one of `SCHEDULERS`.
        workers: ranks at a time; None: as many as there is room for.
        cpus: processor cores of a rank.
        memory: bytes of a rank, which the scheduler sets aside for it.
        partition, time: of Slurm; the time of a rank as sbatch takes it.
        sbatch: further options of sbatch; an empty value is a flag.

    Raises:
        ToktkError: they do not go together, or the scheduler is not here.
    """

    scheduler: str
    workers: int | None = None
    cpus: int = 1
    memory: int = 2 << 30
    partition: str = ""
    time: str = "4:00:00"
    sbatch: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.sbatch:
            if (instead := _OWN.get(name)) is not None:
                raise as_usage(
                    ToktkError(
                        f"--sbatch {name} cannot be given.",
                        f"Give {instead} instead." if instead else "toktk sets it.",
                    )
                )
        if self.scheduler == "slurm" and not self.partition:
            raise as_usage(
                ToktkError(
                    "Slurm needs to know where the ranks are to run.",
                    "Give --partition NAME; `sinfo` lists them.",
                )
            )

    @property
    def per_rank(self) -> str:
        """What each rank is given, in words."""
        return f"{self.cpus} core{'s' * (self.cpus > 1)} and {bytes_label(self.memory)}"

    def check(self) -> None:
        """Refuse a scheduler that is not here.

        Raises:
            ToktkError: datatrove, Ray or Slurm is missing, or this is a task of Slurm's itself.
        """
        if importlib.util.find_spec("datatrove") is None:
            raise MissingExtraError(
                f"--on {self.scheduler} needs the package datatrove.", "cluster"
            )
        if self.scheduler == "ray" and importlib.util.find_spec("ray") is None:
            raise ToktkError(
                "--on ray needs the package ray.",
                "Install the version that the cluster runs: pip install ray==VERSION",
            )
        if self.scheduler == "slurm" and "SLURM_ARRAY_TASK_ID" in os.environ:
            raise ToktkError(
                "cannot submit to Slurm from within an array of Slurm's.",
                f"Found: SLURM_ARRAY_TASK_ID={os.environ['SLURM_ARRAY_TASK_ID']}.",
                "Leave out --on slurm: this task is a rank by itself. Or run it on the login node.",
            )


class RankTask:
    """What a scheduler calls for each of its tasks: it carries out one rank, in a process of its own.

    Task t is the t-th of the ranks that are missing. What happens to rank 7 is in ``logs/00007.txt``.

    Args:
        raises: whether a rank that fails is to fail the task; otherwise the log alone has the error.
    """

    def __init__(
        self, work: Work, where: str, ranks: Sequence[int], world_size: int, raises: bool
    ) -> None:
        self.work, self.where = work, where
        self.ranks, self.world_size = [*ranks], world_size
        self.raises = raises
        self.folder = str(Path.cwd())  # paths of texts are relative to it

    def __repr__(self) -> str:  # stands in the scheduler's log
        return f"{self.work.command}: {len(self.ranks)} of {self.world_size} ranks"

    def __call__(self, data: object, task: int, n_tasks: int) -> None:
        """Carry out the rank of a task."""
        rank = self.ranks[task]
        end_with(os.getppid())
        try:
            with _logged(self.where, log_name(rank), f"rank {rank} of {self.world_size}") as remark:
                _enter(self.folder)
                run_pool(self.work, self.where, [rank], self.world_size, 1, remark=remark)
        except ToktkError:
            if self.raises:
                raise


@dataclass(frozen=True)
class Followup:
    """What Slurm does after the ranks, in some tasks at a time.

    Attributes:
        name: of its jobs and logs.
        run: takes the number of a task, from 0, and how many there are; it can be pickled.
    """

    name: str
    n_tasks: int
    run: Callable[[int, int], object]


class FollowupTask:
    """What Slurm calls for each task of a followup; ``logs/merge-00007.txt`` says what happens to it."""

    def __init__(self, followup: Followup, where: str) -> None:
        self.followup, self.where = followup, where
        self.folder = str(Path.cwd())

    def __repr__(self) -> str:
        return f"toktk: {self.followup.name}"

    def __call__(self, data: object, task: int, n_tasks: int) -> None:
        """Carry out a task of the followup."""
        name = f"logs/{self.followup.name}-{rank_name(task)}.txt"
        with _logged(self.where, name, f"{self.followup.name} {task} of {n_tasks}"):
            _enter(self.folder)
            self.followup.run(task, n_tasks)


def log_name(rank: int) -> str:
    """Return the name of a rank's log in the folder of ranks."""
    return f"logs/{rank_name(rank)}.txt"


@contextlib.contextmanager
def _logged(where: str, name: str, what: str) -> Iterator[Callable[[str], None]]:
    """Write when and where a task begins, and how it ends, behind what its log says; yield what adds to it.

    A task that is killed leaves the line of its beginning.
    """
    place = Place.of(where)
    lines = [(place.read(name) or b"").decode(errors="replace")]
    job = os.environ.get("SLURM_ARRAY_JOB_ID")
    slurm = f", Slurm job {job}_{os.environ.get('SLURM_ARRAY_TASK_ID')}" if job else ""

    def add(line: str) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
        lines.append(f"{now} {line}\n")
        place.write(name, "".join(lines).encode())

    add(f"{what} begins on {platform.node()}, process {os.getpid()}{slurm}")
    began = time.monotonic()
    try:
        yield add
    except ToktkError as error:
        add(str(error))
        raise
    add(f"{what} is done after {time.monotonic() - began:.0f} s")


def _enter(folder: str) -> None:
    """Enter the folder that the command was given in.

    Raises:
        StorageError: this machine does not have it.
    """
    try:
        os.chdir(folder)
    except OSError as error:
        raise StorageError(
            f"{platform.node()} does not have the folder {folder}.",
            f"Found: {error.strerror or error}.",
            "Run the command in a folder that all machines share, or give absolute paths and addresses.",
        ) from error


@dataclass(frozen=True)
class Submission:
    """What the process of a scheduler is sent.

    Attributes:
        ranks: None where all are done.
        followups: what Slurm does after the ranks, one after the other.
        logs: the folder or the address of the scheduler's own logs.
    """

    cluster: Cluster
    ranks: RankTask | None
    followups: tuple[FollowupTask, ...]
    logs: str


class ClusterRun:
    """Ranks of a folder, and the cluster that is to carry them out.

    Args:
        where: the folder of the ranks, a path or an address that all machines reach.
        followups: what Slurm does after the ranks, one after the other.

    Raises:
        ToktkError: the scheduler is not here; the folder belongs to other work.
    """

    def __init__(
        self,
        cluster: Cluster,
        work: Work,
        where: str,
        world_size: int,
        followups: Sequence[Followup] = (),
    ) -> None:
        cluster.check()
        self._cluster, self._work, self._world_size = cluster, work, world_size
        self._where = where if is_address(where) else str(Path(where).absolute())
        self._followups = tuple(FollowupTask(followup, self._where) for followup in followups)
        self._folder = RankFolder(Place.of(self._where), work.name, work.command)
        self.missing = [*range(world_size)]
        if self._folder.place.read(f"{work.name}.json") is not None:
            self._folder.begin(work.manifest, world_size)  # or an error
            self.missing = self._folder.state().missing

    def run(self, advance: Callable[[int], None] = lambda amount: None) -> list[str]:
        """Have the ranks that are missing carried out.

        Slurm is told, and this returns: it does the followups after the ranks. With other schedulers this
        waits for the ranks, and the followups are left to the caller.

        Args:
            advance: called with how many ranks were done since the last call.

        Returns:
            The numbers of Slurm's jobs: of the ranks, and of each followup.

        Raises:
            ToktkError: the scheduler refuses; a rank failed.
        """
        if self._cluster.scheduler == "slurm" and shutil.which("sbatch") is None:
            raise ToktkError(
                "cannot submit to Slurm.",
                "Found: no sbatch on PATH.",
                "Run it on a login node; --dry-run shows the scripts, --on local runs the ranks here.",
            )
        self._folder.begin(self._work.manifest, self._world_size)
        names = self._folder.place.names("logs")
        runs = {name.split("/")[1] for name in names if name.count("/") > 1}
        submission = self._submission(f"{self._where.rstrip('/')}/logs/run-{len(runs) + 1:03d}")
        if self._cluster.scheduler == "slurm":
            return _asked(submission)
        if self.missing:
            with self._watched(advance):
                _asked(submission)
            self._refuse_missing(submission.logs)
        return []

    def dry_run(self) -> str:
        """Return what `run` would submit, as text, and write nothing to the folder of the ranks."""
        if self._cluster.scheduler != "slurm":
            workers = self._cluster.workers
            return (
                f"{self._cluster.scheduler}: {len(self.missing)} of {self._world_size} ranks, "
                f"{'as many at a time as there is room for' if workers is None else f'{workers} at a time'}, "
                f"each with {self._cluster.per_rank}\n"
            )
        with temporary_folder() as folder:
            # datatrove writes a script only to submit it; the sbatch that it finds here keeps it.
            program, submitted = folder / "sbatch", folder / "submitted"
            program.write_text(_SBATCH, encoding="utf-8")
            program.chmod(0o755)
            path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
            submission = self._submission(str(folder / "logs"))
            _asked(submission, {"PATH": path, "TOKTK_SUBMITTED": str(submitted)})
            text = submitted.read_text(encoding="utf-8")
            if is_address(self._where):  # Slurm writes to paths alone
                text = re.sub(
                    rf"{submission.logs}/(\w+)/slurm_logs", r"slurm_logs/toktk-\1/TIME", text
                )
            return text.replace(submission.logs, f"{self._where.rstrip('/')}/logs/run-NNN")

    def _submission(self, logs: str) -> Submission:
        raises = self._cluster.scheduler == "slurm"
        ranks = RankTask(self._work, self._where, self.missing, self._world_size, raises)
        return Submission(self._cluster, ranks if self.missing else None, self._followups, logs)

    @contextlib.contextmanager
    def _watched(self, advance: Callable[[int], None]) -> Iterator[None]:
        """Look again and again how many ranks are done."""
        ended = threading.Event()
        before = self._world_size - len(self.missing)

        def watch() -> None:
            told, is_last = before, False
            while not is_last:
                is_last = ended.wait(_LOOK)
                with contextlib.suppress(StorageError):  # it may be there the next time
                    done = max(len(self._folder.place.names("done")), told)
                    advance(done - told)
                    told = done

        thread = threading.Thread(target=watch, name="scheduler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _refuse_missing(self, logs: str) -> None:
        """Raise the error of the ranks that are missing still, with the last lines of their logs."""
        missing = self._folder.state().missing
        if not missing:
            return
        ranks = ", ".join(map(str, missing[:_LISTED])) + (", …" if len(missing) > _LISTED else "")
        log = (self._folder.place.read(log_name(missing[0])) or b"").decode(errors="replace")
        raise ToktkError(
            f"{len(missing):,} of {self._world_size:,} ranks failed: {ranks}.",
            *log.splitlines()[-_LAST_LINES:],
            f"That is the end of {self._where.rstrip('/')}/{log_name(missing[0])}; see {logs} as well.",
            "The ranks that are done are kept: run the same command again.",
        )


_SBATCH = """#!/bin/sh
for script; do :; done
n=$(($(grep -c '^# job ' "$TOKTK_SUBMITTED" 2>/dev/null) + 1))
{ echo "# job $n: sbatch $*" | sed "s|$script|SCRIPT|"; cat "$script"; echo; } >> "$TOKTK_SUBMITTED"
echo "Submitted batch job $n"
"""


def _asked(submission: Submission, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what the process of the scheduler answers: the numbers of jobs.

    Raises:
        ToktkError: the scheduler refuses, or its process ended.
    """
    scheduler = submission.cluster.scheduler
    child = Child("toktk.ranks.cluster_worker", environment)
    try:
        jobs, _ = child.ask("run", pickle.dumps(submission))
    except Refused as refusal:
        raise ToktkError(
            f"{scheduler} does not carry out the ranks.",
            f"Found: {in_a_line(refusal)[:_LONGEST]}.",
            f"The ranks that are done are kept. {submission.logs}/scheduler.txt has all that it said.",
        ) from refusal
    except ChildEnded as ended:
        if ended.interrupted:
            raise
        raise ToktkError(
            f"the process of {scheduler} ended before its time.",
            f"Found: it {ended}.",
            "The ranks that are done are kept: run the same command again.",
        ) from ended
    finally:
        # A pool's processes would carry their ranks to the end. There is no group before the child makes it.
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        child.close()
    return [*map(str, jobs)]
