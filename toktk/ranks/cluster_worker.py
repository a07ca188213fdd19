"""The process in which datatrove submits ranks, or carries them out; see `toktk.ranks.cluster`.

It uses three names of datatrove: `LocalPipelineExecutor`, `RayPipelineExecutor` and `SlurmPipelineExecutor`.
"""

from __future__ import annotations

import os
import pickle
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from toktk.child import Refused, serve
from toktk.places import Place
from toktk.ranks.cluster import FollowupTask, RankTask, Submission
from toktk.runtime import usable_cores

_LARGEST_ARRAY = 1001  # of Slurm, unless its configuration says otherwise
_WORDS = 5  # last lines of what a scheduler has said, that an error shows


class Session:
    """What the process can be asked."""

    def run(self, pickled: bytes) -> list[str]:
        """Carry out a `Submission`; return the numbers of Slurm's jobs.

        Raises:
            Refused: it cannot be carried out.
        """
        submission: Submission = pickle.loads(pickled)
        with tempfile.TemporaryFile() as said:
            for stream in (1, 2):  # schedulers tell much, and the programs that they call as well
                os.dup2(said.fileno(), stream)
            try:
                return _RUN[submission.cluster.scheduler](submission)
            except Refused:
                raise
            # What a scheduler raises is its own, and of the libraries below it.
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                raise Refused(_last_words(said) if _is_sbatch(error) else why) from error
            finally:
                said.seek(0)
                Place.of(submission.logs).write("scheduler.txt", said.read())


def _is_sbatch(error: Exception) -> bool:
    return isinstance(error, subprocess.CalledProcessError) and error.cmd[0] == "sbatch"


def _last_words(said: Any) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").splitlines()
    words = [line for line in lines if line.startswith("sbatch:")] or lines
    return " ".join(words[-_WORDS:])


def _slurm(submission: Submission) -> list[str]:
    from datatrove.executor import SlurmPipelineExecutor

    cluster = submission.cluster

    def executor(task: RankTask | FollowupTask, n_tasks: int, name: str, after: Any) -> Any:
        return SlurmPipelineExecutor(
            pipeline=[task],
            tasks=n_tasks,
            job_name=f"toktk-{name}",
            logging_dir=f"{submission.logs}/{name}",
            time=cluster.time,
            partition=cluster.partition,
            cpus_per_task=cluster.cpus,
            # Since Slurm 22.05 a step does not have the cores of its job unless it asks for them.
            srun_args={"cpus-per-task": cluster.cpus},
            qos="",
            sbatch_args={
                "mem-per-cpu": f"{-(-cluster.memory // cluster.cpus >> 20)}M",
                "kill-on-invalid-dep": "yes",
                **cluster.sbatch,
            },
            # Jobs find this Python and what is installed for it, whatever the shell of the user has done.
            env_command=f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
            max_array_size=_largest_array(),
            skip_completed=False,  # the folder of the ranks decides
            workers=-1 if cluster.workers is None else cluster.workers,
            depends=after,
            run_on_dependency_fail=True,  # it says which ranks are missing
        )

    executors: list[Any] = []
    if submission.ranks is not None:
        executors.append(executor(submission.ranks, len(submission.ranks.ranks), "ranks", None))
    for task in submission.followups:
        after = executors[-1] if executors else None
        executors.append(executor(task, task.followup.n_tasks, task.followup.name, after))
    if executors:
        executors[-1].run()  # and what it depends on, before
    return [each.job_id for each in executors]


def _largest_array() -> int:
    """Return how many tasks an array of this Slurm may have."""
    try:
        told = subprocess.run(
            ["scontrol", "show", "config"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return _LARGEST_ARRAY
    for line in told.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "MaxArraySize" and value.strip().isdecimal():
            return int(value)
    return _LARGEST_ARRAY


def _ray(submission: Submission) -> list[str]:
    import ray
    from datatrove.executor import RayPipelineExecutor

    cluster = submission.cluster
    ray.init(log_to_driver=False)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = [
        min(node.get("CPU", 0) // cluster.cpus, node.get("memory", 0) // cluster.memory)
        for node in nodes
    ]
    if not any(room):  # Ray would wait for such a node for ever
        raise Refused(f"none of its {len(nodes)} nodes has {cluster.per_rank} for a rank")
    if submission.ranks is not None:
        RayPipelineExecutor(
            pipeline=[submission.ranks],
            tasks=len(submission.ranks.ranks),
            workers=int(cluster.workers or sum(room)),
            cpus_per_task=cluster.cpus,
            mem_per_cpu_gb=cluster.memory / cluster.cpus / (1 << 30),
            logging_dir=submission.logs,
            skip_completed=False,
        ).run()
    ray.shutdown()
    return []


def _local(submission: Submission) -> list[str]:
    from datatrove.executor import LocalPipelineExecutor

    cluster = submission.cluster
    if submission.ranks is not None:
        LocalPipelineExecutor(
            pipeline=[submission.ranks],
            tasks=len(submission.ranks.ranks),
            workers=cluster.workers or max(usable_cores() // cluster.cpus, 1),
            logging_dir=submission.logs,
            skip_completed=False,
        ).run()
    return []


_RUN = {"slurm": _slurm, "ray": _ray, "local": _local}

if __name__ == "__main__":
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # so that the parent can end all processes that a scheduler has started
    serve(Session())
