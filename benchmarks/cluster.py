"""Count by 16 ranks on a real Slurm or a real Ray of this machine, kill three, and compare what comes out.

Both are started for this and stopped in the end: munged, slurmctld and two slurmd of Debian's packages, or
``ray start``. Required is that the merged count has the bytes of a count by one rank.

    apt-get install slurmctld slurmd slurm-client munge
    pip install '.[cluster]' ray
    python benchmarks/cluster.py slurm --results benchmarks/results/cluster-slurm.txt
    python benchmarks/cluster.py ray   --results benchmarks/results/cluster-ray.txt
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import json
import os
import platform
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import trials

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import slurm_bed

RANKS = 16
WORKERS = 2
HEALS, REQUEUED, LEFT = 3, 7, 12  # ranks whose processes are killed
_PATIENCE = 120.0  # seconds in which a rank must begin


class Count:
    """A count of one text in a folder; `environment` is that of the commands."""

    def __init__(self, folder: Path, text: Path, environment: Mapping[str, str]) -> None:
        self.folder, self._text, self.environment = folder, text, environment

    def command(self, *more: str) -> list[str]:
        words = ["count", "-c", str(self._text), "-o", str(self.folder), "--memory", "500MB"]
        return [*trials.command(*words), "-q", "--partitions", "16", *more]

    def run(self, *more: str) -> str:
        """Run the command; return what it writes."""
        done = subprocess.run(
            self.command(*more), env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(more)} failed: {done.stderr}")
        return done.stdout

    def merged(self) -> str:
        """Return a hash of all that is merged."""
        paths = sorted((self.folder / "merged").rglob("*.*"))
        if not paths:
            raise SystemExit(f"nothing is merged: {self.log('merge-00000')}")
        hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        return hashlib.sha256(json.dumps([names, hashes]).encode()).hexdigest()

    def log(self, name: str) -> str:
        path = self.folder / f"logs/{name}.txt"
        return path.read_text() if path.exists() else ""

    def begun(self, rank: int) -> int:
        """Wait until a rank is being counted; return the process that counts it."""
        marker = self.folder / f"begun/{rank:05d}.json"
        wait_until(marker.exists)
        return int(json.loads(marker.read_text())["pid"])

    def is_done(self, rank: int) -> bool:
        return (self.folder / f"done/{rank:05d}.json").exists()

    def kill(self, rank: int, who: str) -> str:
        """Kill a rank in the middle: the process that counts, or the task that waits for it."""
        counting = self.begun(rank)
        pid = counting if who == "process" else parent_of(counting)
        os.kill(parent_of(pid) if who == "actor" else pid, signal.SIGKILL)
        state = "after it was done: too late" if self.is_done(rank) else "while it counted"
        return f"rank {rank}: kill -9 of its {who}, {state}"

    def begins(self) -> str:
        """Return which ranks were begun more than once."""
        times = {
            rank: len(re.findall(" begins on ", self.log(f"{rank:05d}"))) for rank in range(RANKS)
        }
        of_times = collections.Counter(times.values())
        more = ", ".join(f"rank {rank} {n} times" for rank, n in times.items() if n > 1)
        return f"tasks: {of_times[1]} ranks begun once; {more or 'none more often'}"


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit("what was waited for did not happen")
        time.sleep(0.005)


def states(environment: Mapping[str, str]) -> str:
    counts = collections.Counter(slurm_bed.wait_for_jobs(environment).values())
    return "states of Slurm's tasks: " + ", ".join(f"{n} {state}" for state, n in counts.items())


def on_slurm(folder: Path, text: Path, say: Callable[[str], None]) -> str:
    """Count on Slurm; return the hash of what is merged."""
    if why := slurm_bed.why_not():
        raise SystemExit(why)
    with slurm_bed.slurm(nodes=WORKERS) as environment:
        say(f"{slurm_bed.said(['sinfo', '--version'], environment).strip()}, {WORKERS} nodes")
        count = Count(folder, text, environment)
        options = ["--on", "slurm", "--partition", slurm_bed.PARTITION, "--tasks", str(RANKS)]
        last = int(count.run(*options, "--workers", str(WORKERS)))
        say(f"submitted: {RANKS} ranks, then the merge; its job is {last}")
        say(count.kill(HEALS, "process"))
        say(count.kill(REQUEUED, "task"))
        jobs = slurm_bed.jobs(environment)
        job = next(name for name in jobs if name.endswith(f"_{REQUEUED}"))
        wait_until(lambda: slurm_bed.jobs(environment)[job] == "FAILED")
        slurm_bed.said(["scontrol", "requeue", job], environment)
        state = slurm_bed.jobs(environment)[job]
        say(f"rank {REQUEUED}: FAILED; after scontrol requeue {state}")
        say(count.kill(LEFT, "task"))
        say(states(environment))
        missing = [rank for rank in range(RANKS) if not count.is_done(rank)]
        say(f"missing: {missing}; merged: {(count.folder / 'merged/merged.json').exists()}")
        said = count.log("merge-00000").strip().splitlines()[1]
        say(f"the log of the merge says: {said.partition(' UTC ')[2]}")
        count.run(*options)
        say("the same command again")
        say(states(environment))
        say(count.begins())
        healed = [line for line in count.log(f"{HEALS:05d}").splitlines() if "SIGKILL" in line]
        say(f"the log of rank {HEALS} says: {healed[0].partition(' UTC ')[2]}")
        return count.merged()


@contextlib.contextmanager
def ray_started() -> Iterator[dict[str, str]]:
    """Start a Ray of four cores on this machine; yield the environment to find it by, and stop it."""
    with contextlib.ExitStack() as at_end:
        folder = at_end.enter_context(tempfile.TemporaryDirectory(prefix="ray-"))
        (port,) = slurm_bed.free_ports(1)
        program = Path(sys.executable).with_name("ray")
        environment = {
            **os.environ,
            "RAY_ADDRESS": f"127.0.0.1:{port}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }
        words = (
            f"start --head --block --num-cpus=4 --memory=8000000000 --port={port} "
            f"--node-ip-address=127.0.0.1 --include-dashboard=false --temp-dir={folder}"
        )
        process = subprocess.Popen(
            [program, *words.split()],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        at_end.callback(slurm_bed.stop, process)
        yield environment


def on_ray(folder: Path, text: Path, say: Callable[[str], None]) -> str:
    """Count on Ray; return the hash of what is merged."""
    with ray_started() as environment:
        say(f"ray {version('ray')}, 4 cores")
        count = Count(folder, text, environment)
        options = ["--on", "ray", "--tasks", str(RANKS)]
        with subprocess.Popen(
            count.command(*options, "--workers", str(WORKERS)),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            say(count.kill(HEALS, "process"))
            say(count.kill(REQUEUED, "actor"))
            output, _ = process.communicate()
        say(f"the command ends with {process.returncode}")
        if process.returncode:
            raise SystemExit(output)
        say(count.begins())
        healed = [line for line in count.log(f"{HEALS:05d}").splitlines() if "SIGKILL" in line]
        say(f"the log of rank {HEALS} says: {healed[0].partition(' UTC ')[2]}")
        for name in (f"done/{LEFT:05d}.json", "merged/merged.json"):
            (count.folder / name).unlink()
        count.run(*options)
        say(f"the marker of rank {LEFT} deleted, and the same command again")
        say(count.begins())
        return count.merged()


SCHEDULERS = {"slurm": on_slurm, "ray": on_ray}


def main() -> None:
    """Count by one rank and on a scheduler, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scheduler", choices=SCHEDULERS)
    parser.add_argument("--bytes", type=int, default=64_000_000, help="of made-up text")
    parser.add_argument("--results", type=Path, help="write the lines here, too")
    options = parser.parse_args()
    lines: list[str] = []
    start = time.monotonic()

    def say(line: str) -> None:
        lines.append(f"{time.monotonic() - start:6.1f} s  {line}")
        print(lines[-1], flush=True)

    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        folder = Path(name)
        text = trials.write_text(folder / "text.txt", options.bytes // 2)
        say(
            f"toktk {version('toktk')}, datatrove {version('datatrove')}, Python "
            f"{platform.python_version()}, {os.cpu_count()} cores; {text.stat().st_size:,} bytes of text"
        )
        alone = Count(folder / "alone", text, os.environ)
        alone.run("--rank", "0", "--world-size", "1")
        subprocess.run(
            [*trials.command("count", "merge", str(alone.folder)), "-q"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        say(f"one rank: merged {alone.merged():.16}")
        merged = SCHEDULERS[options.scheduler](folder / "counts", text, say)
        say(f"{RANKS} ranks on {options.scheduler}: merged {merged:.16}")
        is_same = merged == alone.merged()
        say("the same bytes" if is_same else "OTHER BYTES")
    if options.results:
        options.results.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(not is_same)


if __name__ == "__main__":
    main()
