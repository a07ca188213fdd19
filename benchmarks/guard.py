"""Compare this checkout with another one, in turn, on ten short jobs: better, worse, equivalent or undecided.

    python benchmarks/guard.py main
    python benchmarks/guard.py ../other-checkout --jobs train-bpe cut --rounds 24 -o guard.json

OTHER is a checkout or a git revision, which is unpacked into a temporary folder. Both sides run under this
Python, each its own package. In each round every job runs once on either side, each time in a fresh process,
in the order A B, then B A. Jobs that are decided run no more. The exit code is 1 if a job is worse, 2 if
nothing can be compared.

Of time, CPU seconds decide unless told otherwise: with one thread they are what the work costs, whatever
else the machine does. What only waits shows in the column of the wall time, and with --decide wall.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import guard_jobs
import guard_material
import harness
import trials
from guard_jobs import JOBS, Job
from harness import Run, say

HERE = Path(__file__).resolve().parents[1]
SIDES = ("here", "other")
NAMES = {"cpu": "CPU", "wall": "wall"}
KEPT_DAYS = 30  # what is older in the cache goes
MEMORY_STEP = 5_000_000  # bytes: less is no difference worth a line
LIBRARIES = ("tokenizers", "sentencepiece")  # that make the tokenizers

Runs = dict[str, list[Run]]
"""The runs of one job by side; each has ``wall``, ``cpu`` and ``peak``, or ``error``."""


class GuardError(Exception):
    """There is nothing to compare; the message says why."""


@dataclass(frozen=True)
class Side:
    """A checkout: what git calls its state, and the home that toktk keeps between runs."""

    checkout: Path
    commit: str | None
    home: Path

    @classmethod
    def of(cls, checkout: Path, commit: str | None, cache: Path) -> Side:
        """Return a side, with the home of this very content."""
        home = cache / "homes" / content(package(checkout), checkout)
        if not home.exists():
            trials.fresh_home(home, cache / "kernels")
        os.utime(home)
        return cls(checkout, commit, home)


def package(checkout: Path) -> list[Path]:
    """Return the modules of a checkout's toktk."""
    return sorted((checkout / "toktk").rglob("*.py"))


def content(files: Sequence[Path], below: Path, *more: str) -> str:
    """Return a hash of files, their names and further strings."""
    digest = hashlib.sha256("\n".join(more).encode())
    for file in files:
        digest.update(f"\n{file.relative_to(below).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


# Sides and what they read --------------------------------------------------------------------------


@contextlib.contextmanager
def unpacked(other: str, here: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield the checkout that `other` names, and its commit; a revision is unpacked until the end."""
    if (Path(other) / "toktk" / "__init__.py").is_file():
        yield Path(other).resolve(), harness.commit(Path(other))
        return
    git = ("git", "-C", str(here))
    parse = (*git, "rev-parse", "--verify", "--quiet", "--short", f"{other}^{{commit}}")
    revision = subprocess.run(parse, capture_output=True, text=True, check=False)
    if revision.returncode:
        raise GuardError(f"{other} is neither a checkout of toktk nor a revision of {here}")
    with tempfile.TemporaryDirectory(prefix="toktk-guard-") as name:
        archive, checkout = Path(name, "archive.tar"), Path(name, "checkout")
        commit = revision.stdout.strip()
        subprocess.run((*git, "archive", "-o", str(archive), commit), check=True)
        shutil.unpack_archive(archive, checkout)
        yield checkout, commit


def material_folder(cache: Path, text: Path | None) -> Path:
    """Return where the texts and tokenizers of this state of what they are made of are."""
    starter = sorted(guard_material.PARALLEL.glob("*.txt"))
    versions = [importlib.metadata.version(library) for library in LIBRARIES]
    key = content([Path(guard_material.__file__), *starter], HERE, *versions)
    if text is not None:
        key = content(guard_material.files_of(text), text.parent, key)
    return cache / "material" / key


def material(cache: Path, text: Path | None) -> Path:
    """Return the folder of texts and tokenizers; it is made where it is missing."""
    made = material_folder(cache, text)
    if not made.exists():
        say("making texts and tokenizers, once (some 10 s)")
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:
            maker = [sys.executable, guard_material.__file__, str(Path(folder, "made"))]
            if subprocess.run([*maker, *([str(text)] if text else [])], check=False).returncode:
                raise GuardError("the texts and tokenizers cannot be made")
            Path(folder, "made").rename(made)
    os.utime(made)
    return made


def discard_old(cache: Path) -> None:
    """Delete homes, kernels and material that nobody used for `KEPT_DAYS`."""
    kinds = ("homes", "kernels", "material")
    for entry in (entry for kind in kinds for entry in (cache / kind).glob("*")):
        if time.time() - entry.stat().st_mtime > KEPT_DAYS * 86400:
            shutil.rmtree(entry, ignore_errors=True)


# Runs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    made: Path
    threads: int
    timeout: float

    def run(self, job: Job, side: Side) -> Run:
        """Run a job once; its kernels are compiled, its output folder is new."""
        with tempfile.TemporaryDirectory(prefix="toktk-guard-") as name:
            folder, home = Path(name), side.home
            if job.cold:
                home = trials.fresh_home(folder / "home", side.home / "kernels")
            variables = environment(side, home, self.threads)
            runs = [self._timed(self._command(job, folder), variables, folder)]
            while len(runs) < job.times and "error" not in runs[-1]:
                runs.append(self._timed(self._command(job, folder), variables, folder))
        if "error" in runs[-1]:
            return {"error": runs[-1]["error"].replace(f"{side.checkout}{os.sep}", "")}
        total = {clock: sum(run[clock] for run in runs) for clock in NAMES}
        return {**total, "peak": max(run["peak"] for run in runs)}

    def _command(self, job: Job, folder: Path) -> list[str]:
        if not job.words:
            words = [guard_jobs.__file__, job.name, str(self.made), str(self.threads)]
            return [sys.executable, "-P", *words]
        values = {"made": self.made, "run": folder / "run", "threads": self.threads}
        return [sys.executable, "-P", "-m", "toktk", *(word.format(**values) for word in job.words)]

    def _timed(self, command: list[str], variables: dict[str, str], folder: Path) -> Run:
        said, complaint = folder / "stdout", folder / "stderr"
        with said.open("wb") as out, complaint.open("wb") as err:
            start = time.perf_counter()
            code, usage, late = harness.wait(command, variables, out, err, self.timeout)
            wall = time.perf_counter() - start
        if late:
            return {"error": f"stopped after {self.timeout:g} s"}
        if code:
            return {"error": harness.reason(complaint.read_text(errors="replace"), code)}
        if guard_jobs.__file__ in command:
            return {**json.loads(said.read_text()), "peak": usage["peak"]}
        return {"wall": wall, **usage}


def environment(side: Side, home: Path, threads: int) -> dict[str, str]:
    """Return the variables of a run: the side's package and home, none of the user's settings of toktk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOKTK_")}
    return harness.environment(threads, kept) | {
        "PYTHONPATH": str(side.checkout),
        "TOKTK_HOME": str(home),
        "TOKTK_PLUGINS": "0",
        "HF_HUB_OFFLINE": "1",
    }


def check_package(side: Side) -> None:
    """Refuse a side whose package is not what Python imports."""
    command = [sys.executable, "-P", "-c", "import toktk; print(toktk.__file__)"]
    variables = environment(side, side.home, 1)
    imported = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if not Path(imported.stdout.strip()).resolve().is_relative_to(side.checkout / "toktk"):
        found = imported.stdout.strip() or harness.reason(imported.stderr, imported.returncode)
        raise GuardError(f"Python does not import toktk from {side.checkout}: {found}")


def check_unchanged(side: Side) -> None:
    """Refuse a side whose package was edited meanwhile: its runs are of two states."""
    if content(package(side.checkout), side.checkout) != side.home.name:
        raise GuardError(f"{side.checkout} changed while it was compared; compare it again")


def warmed_up(jobs: Sequence[Job], sides: dict[str, Side], bench: Bench) -> dict[str, str]:
    """Run every job once on either side, uncounted; return why jobs cannot be compared."""
    failures = {}
    for job in jobs:
        for name, side in sides.items():
            run = bench.run(job, side)
            if "error" in run:
                failures[job.name] = f"{name}: {run['error']}"
                break
    return failures


def one_round(
    i: int, jobs: Sequence[Job], sides: dict[str, Side], bench: Bench, runs: dict[str, Runs]
) -> dict[str, str]:
    """Run each job on either side, in the other order in each second round; return what failed."""
    failures = {}
    order = SIDES if i % 2 == 0 else SIDES[::-1]
    for job in jobs:
        pair = {name: bench.run(job, sides[name]) for name in order}
        for name, run in pair.items():
            if "error" in run:
                failures[job.name] = f"{name}: {run['error']}"
        if job.name not in failures:
            for name, run in pair.items():
                runs[job.name][name].append(run)
    return failures


# Verdicts ------------------------------------------------------------------------------------------


def looks(rounds: int) -> list[int]:
    """Return after which rounds verdicts are given: half of them, three quarters, all.

    The first two are even, so that either side came first equally often.
    """
    return sorted({min(rounds, 2 * math.ceil(rounds * share / 2)) for share in (0.5, 0.75, 1.0)})


def judged(runs: dict[str, Runs], chosen: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Return what `guard_verdicts.judged` says, in a process of its own."""
    times = {
        job: [[run[chosen.decide] for run in of[side]] for side in SIDES]
        for job, of in runs.items()
    }
    question = {"times": times, "margin": chosen.margin, "n_looks": len(looks(chosen.rounds))}
    variables = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, str(Path(__file__).with_name("guard_verdicts.py"))]
    answer = subprocess.run(
        command,
        input=json.dumps(question),
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(answer.stdout))


def compared(
    jobs: Sequence[Job], sides: dict[str, Side], bench: Bench, chosen: argparse.Namespace
) -> tuple[dict[str, Runs], dict[str, dict[str, Any]], dict[str, str]]:
    """Run rounds until all jobs are decided; return runs and verdicts of each job, and what failed."""
    say("warming up, uncounted; kernels are compiled where they are new (minutes)")
    failures = warmed_up(jobs, sides, bench)
    runs: dict[str, Runs] = {
        job.name: {side: [] for side in SIDES} for job in jobs if job.name not in failures
    }
    verdicts: dict[str, dict[str, Any]] = {}
    running = [job for job in jobs if job.name in runs]
    for i in range(chosen.rounds):
        if not running:
            break
        start = time.monotonic()
        failed = one_round(i, running, sides, bench, runs)
        for name in failed:
            del runs[name]
            verdicts.pop(name, None)
        failures |= failed
        running = [job for job in running if job.name in runs]
        say(f"round {i + 1}/{chosen.rounds}: {len(running)} jobs, {time.monotonic() - start:.0f} s")
        if i + 1 in looks(chosen.rounds) and runs:
            verdicts = judged(runs, chosen)
            for job in running:
                if (verdict := verdicts[job.name]["verdict"]) != "undecided":
                    say(f"  {job.name}: {verdict}")
            running = [job for job in running if verdicts[job.name]["verdict"] == "undecided"]
    return runs, verdicts, failures


# Output --------------------------------------------------------------------------------------------


def table(
    title: str,
    runs: dict[str, Runs],
    verdicts: dict[str, dict[str, Any]],
    failures: dict[str, str],
    decide: str,
) -> str:
    """Return the table of all jobs, and remarks on memory, what is undecided and what failed."""
    from toktk.visible import visible

    aside = "wall" if decide == "cpu" else "cpu"
    columns = (
        "job",
        f"{NAMES[decide]}, here / other",
        "verdict",
        "seconds",
        NAMES[aside],
        "rounds",
    )
    shown = harness.Table(title, columns)
    for job, verdict in verdicts.items():
        interval = f"{verdict['ratio']:.3f} [{verdict['low']:.3f}, {verdict['high']:.3f}]"
        seconds = (f"{statistics.median(run[decide] for run in runs[job][s]):.2f}" for s in SIDES)
        pairs = zip(*(runs[job][side] for side in SIDES), strict=True)
        ratio = statistics.geometric_mean(here[aside] / other[aside] for here, other in pairs)
        rounds = str(verdict["rounds"])
        if verdict["verdict"] == "undecided":
            rounds += f" + {verdict['more_rounds'] or 'many'}"
        row = (job, interval, verdict["verdict"], " / ".join(seconds), f"{ratio:.2f}", rounds)
        shown.rows.append(row)
    if any(verdict["verdict"] == "undecided" for verdict in verdicts.values()):
        shown.remarks.append("+: as many more rounds like these would decide it.")
    shown.remarks += [remark for job, of in runs.items() if (remark := memory_remark(job, of))]
    for job, why in failures.items():
        shown.remarks += textwrap.wrap(f"{job} is not comparable: {visible(why):.200}", 80)
    return harness.plain(shown).strip()


def memory_remark(job: str, runs: Runs) -> str:
    """Return a line on peak memory, if all runs of one side took more than all of the other."""
    here, other = ([run["peak"] for run in runs[side]] for side in SIDES)
    apart = max(min(here) - max(other), min(other) - max(here))
    if apart < MEMORY_STEP:
        return ""
    a, b = (statistics.median(peaks) / 1e6 for peaks in (here, other))
    return f"{job}: peak memory {a:,.0f} MB here, {b:,.0f} MB there ({a / b - 1:+.0%})."


def options() -> argparse.Namespace:
    """Read the command line."""
    names = [job.name for job in JOBS]
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="jobs:\n" + "\n".join(f"  {job.name:14} {job.what}" for job in JOBS),
    )
    add = parser.add_argument
    add("other", metavar="OTHER", help="a checkout, or a git revision")
    add("--here", type=Path, default=HERE, help="the checkout to judge (this one)")
    add("--jobs", nargs="+", choices=names, default=names, metavar="NAME", help="these alone")
    add("--rounds", type=int, default=12, help="at most (12); verdicts after half of them at first")
    add("--margin", type=float, default=0.03, help="a difference that does not matter (0.03: 3 %%)")
    add(
        "--decide",
        choices=("cpu", "wall"),
        default="cpu",
        help="by CPU time (default) or wall time",
    )
    add("--threads", type=int, default=1, help="that a job may use (1)")
    add("--text", type=Path, help="text file or folder of .txt, instead of made text")
    add("--timeout", type=float, default=600, help="seconds of one run (600)")
    add("--cache", type=Path, help="folder of homes, kernels and material (the user's cache)")
    add("-o", "--output", type=Path, help="write every single time to this JSON file")
    chosen = parser.parse_args()
    if chosen.rounds < 2 or chosen.margin <= 0 or chosen.threads < 1:
        parser.error("at least 2 rounds, a margin above 0 and a thread are needed")
    if not (chosen.here / "toktk" / "__init__.py").is_file():
        parser.error(f"{chosen.here} is no checkout of toktk")
    if chosen.text and not guard_material.files_of(chosen.text):
        parser.error(f"{chosen.text} is no text and holds none")
    if chosen.output and not chosen.output.resolve().parent.is_dir():
        parser.error(f"there is no folder for {chosen.output}")
    chosen.here = chosen.here.resolve()
    return chosen


def default_cache() -> Path:
    """Return the folder that is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toktk-guard"


def stop(number: int, frame: object) -> None:
    """End as by Ctrl-C, so that nothing is left over."""
    raise SystemExit(128 + number)


def main() -> int:
    """Compare, print and write."""
    chosen = options()
    signal.signal(signal.SIGTERM, stop)
    cache = (chosen.cache or default_cache()).resolve()
    discard_old(cache)
    load = os.getloadavg()[0]
    with unpacked(chosen.other, chosen.here) as (other, commit):
        here_commit = harness.commit(chosen.here)
        sides = {
            "here": Side.of(chosen.here, here_commit, cache),
            "other": Side.of(other, commit, cache),
        }
        for side in sides.values():
            check_package(side)
        bench = Bench(material(cache, chosen.text), chosen.threads, chosen.timeout)
        jobs = [job for job in JOBS if job.name in chosen.jobs]
        runs, verdicts, failures = compared(jobs, sides, bench, chosen)
        for side in sides.values():
            check_unchanged(side)
    title = "; ".join(f"{name}: {side.commit or 'no commit'}" for name, side in sides.items())
    print(table(title, runs, verdicts, failures, chosen.decide))
    if chosen.output:
        write(chosen, sides, load, runs, verdicts, failures)
    if not verdicts:
        return 2
    return int(any(verdict["verdict"] == "worse" for verdict in verdicts.values()))


def write(
    chosen: argparse.Namespace,
    sides: dict[str, Side],
    load: float,
    runs: dict[str, Runs],
    verdicts: dict[str, dict[str, Any]],
    failures: dict[str, str],
) -> None:
    """Write every time, with commits, machine and versions."""
    record = {
        "schema": 1,
        **harness.facts(),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "command": harness.command_line(),
        "sides": {
            name: {"commit": side.commit, "content": side.home.name} for name, side in sides.items()
        },
        "options": {
            name: getattr(chosen, name) for name in ("rounds", "margin", "decide", "threads")
        },
        "jobs": {job: {**verdicts[job], "runs": runs[job]} for job in verdicts},
        "not_compared": failures,
    }
    del record["commit"]
    chosen.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except GuardError as error:
        print(f"guard.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
