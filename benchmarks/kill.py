"""Kill a sweep and a bench at random moments, run the same again, and look for what is lost or left.

A trial starts a command with an empty cache and kills it at a moment that is drawn evenly over an undisturbed
run. Then the same command runs to its end. Required are: output and files equal to the undisturbed
run's (apart from run.json and, of a bench with timings, what was timed); no finished entry of the cache
made anew; no temporary file, no process; and of SIGINT and SIGTERM exit code 130 and 143, one line that
says so, within two seconds.

    python benchmarks/kill.py --results benchmarks/results/kill.txt
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import trials

SIGNALS = {"KILL": 200, "INT": 50, "TERM": 50}  # how often each is sent
LIMIT = 2.0  # seconds from SIGINT or SIGTERM to the end
_LATEST = 300.0  # seconds after which a command hangs
VERBS = {
    "sweep": "sweep -c {text} -s 500,1k -t bpe -t unigram -o {out} -q -f json",
    "bench": "bench {run}/tokenizers/bpe-1k -c {text} -o {out} -q -f json",
}
# Metrics that differ between two runs.
TIMED = {"ids", "load", "cold", "warm", "memory", "cold_ratio", "warm_ratio"}

Tree = dict[str, str]


class Trials:
    """Trials of one command in a folder with ``text.txt`` and ``run``; `kernels` are compiled ones."""

    def __init__(self, verb: str, folder: Path, kernels: Path) -> None:
        self.verb, self._kernels = verb, kernels
        self._home, self._out = folder / "home", folder / "out"
        words = VERBS[verb].format(text=folder / "text.txt", run=folder / "run", out=self._out)
        self._command = trials.command(*words.split())
        self._clear()
        start = time.monotonic()
        process = self._start("undisturbed")
        stdout, complaint = process.communicate(timeout=_LATEST)
        if process.returncode:
            raise SystemExit(f"{verb} fails when nothing disturbs it: {complaint.decode()}")
        self.seconds = time.monotonic() - start
        self._stdout, self._files = figures(stdout), files(self._out)

    def trial(self, name: str, moment: float, mark: str) -> tuple[str, dict[str, Any]]:
        """Kill the command `moment` seconds after its start and run it again.

        Return the phase that was hit, and by kind of fault what was found.
        """
        self._clear()
        process = self._start(mark)
        try:
            process.communicate(timeout=moment)
            return "after the end", {}
        except subprocess.TimeoutExpired:
            if name != "KILL":
                trials.wait_for_handlers(process.pid)
            process.send_signal(getattr(signal, f"SIG{name}"))
        start = time.monotonic()
        try:
            stdout, complaint = process.communicate(timeout=_LATEST)
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, complaint = process.communicate()
        late = time.monotonic() - start
        if process.returncode == 0 and figures(stdout) == self._stdout:
            return "after the end", {}
        faults: dict[str, Any] = {}
        if name != "KILL":
            faults["ending"] = self._ending(name, process.returncode, complaint.decode(), late)
        faults["orphans"] = trials.survivors(mark, process.pid)
        before = entries(self._home)
        phase = self._phase(before)
        again = self._start(f"{mark} again")
        stdout, complaint = again.communicate(timeout=_LATEST)
        if again.returncode or complaint:
            faults["unequal"] = f"exit code {again.returncode}: {complaint.decode()[-300:]}"
        elif figures(stdout) != self._stdout:
            faults["unequal"] = "standard output"
        elif (made := files(self._out)) != self._files:
            faults["unequal"] = sorted(dict(made.items() ^ self._files.items()))
        after = entries(self._home)
        faults["recomputed"] = [entry for entry, was in before.items() if after.get(entry) != was]
        faults["litter"] = trials.litter(self._home, self._out)
        faults["orphans"] += trials.survivors(f"{mark} again", again.pid)
        return phase, {kind: fault for kind, fault in faults.items() if fault}

    def _ending(self, name: str, code: int, complaint: str, late: float) -> str:
        """Say what is wrong with how a command ended on a signal."""
        wanted = 128 + getattr(signal, f"SIG{name}")
        if code != wanted:
            return f"exit code {code}, not {wanted}: {complaint[-300:]}"
        if complaint.count("\n") != 1 or "Interrupted." not in complaint:
            return f"standard error: {complaint[-300:]}"
        return f"{late:.1f} s" if late > LIMIT else ""

    def _phase(self, stored: dict[str, Any]) -> str:
        """Name the moment by what was finished: the kinds of entries, and the files of the run."""
        if (self._out / "run.json").exists():
            return "timing or ending"
        if files(self._out):
            return "writing"
        kinds = sorted({Path(entry).parts[0] for entry in stored} - {"patterns"})
        return f"after {', '.join(kinds)}" if kinds else "before any entry"

    def _clear(self) -> None:
        trials.fresh_home(self._home, self._kernels)
        shutil.rmtree(self._out, ignore_errors=True)

    def _start(self, mark: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            env=trials.environment(self._home, mark),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # A script in the background of a shell hands on an ignored SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def figures(stdout: bytes) -> Any:
    """Return the records that a command wrote, without the figures of those that were timed."""
    records = json.loads(stdout)["records"]
    for record in records:
        if record["metric"].partition("[")[0] in TIMED:
            record |= dict.fromkeys(("value", "low", "high", "n", "note"))
    return records


def files(out: Path) -> Tree:
    """Return the hash of each file of a run directory but run.json, which says when it was made."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file() and path.name != "run.json" and not path.name.startswith(".")
    }


def entries(home: Path) -> dict[str, Any]:
    """Return the finished entries of a cache, each with what tells whether it was made anew."""
    return {
        str(folder.relative_to(home / "cells")): sorted(
            # The manifest's time says when the entry was used.
            (file.name, file.stat().st_ino, file.name == "cell.json" or file.stat().st_mtime_ns)
            for file in folder.iterdir()
        )
        for folder in home.glob("cells/*/[!.]*")
    }


def main() -> None:
    """Kill and rerun, print a table, and exit with 1 if anything is lost or left."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, times in SIGNALS.items():
        parser.add_argument(f"--{name.lower()}", type=int, default=times, metavar="TIMES")
    parser.add_argument("--size", type=int, default=100_000, help="characters of text")
    parser.add_argument("--kernels", type=Path, help="a folder of compiled kernels to share")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="write the table here, too")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    kinds = ("ending", "unequal", "recomputed", "litter", "orphans")
    lines = [f"{'signal':6} {'verb':6} {'kills':>5} " + " ".join(f"{k:>10}" for k in kinds)]
    phases, bad = collections.Counter[str](), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kernels = options.kernels or folder / "kernels"
        prepare(folder, options.size, kernels)
        commands = [Trials(verb, folder, kernels) for verb in VERBS]
        for signal_name in SIGNALS:
            times = getattr(options, signal_name.lower())
            for i, command in enumerate(commands):
                wrong, hit = collections.Counter[str](), 0
                share = times // len(commands) + (i < times % len(commands))
                while hit < share:
                    moment = chance.uniform(0, command.seconds)
                    mark = f"{folder.name} {signal_name} {command.verb} {hit}"
                    phase, faults = command.trial(signal_name, moment, mark)
                    phases[f"{command.verb}: {phase}"] += 1
                    hit += phase != "after the end"
                    wrong.update(faults.keys())
                    for kind, fault in faults.items():
                        told = f"{signal_name} {command.verb} at {moment:.2f} s, {phase}: {kind}: {fault}"
                        print(told, file=sys.stderr, flush=True)
                bad += wrong.total()
                lines.append(
                    f"{signal_name:6} {command.verb:6} {hit:>5} "
                    + " ".join(f"{wrong[kind]:>10}" for kind in kinds)
                )
                print(lines[-1], file=sys.stderr, flush=True)
    lines += ["", f"undisturbed: {', '.join(f'{c.verb} {c.seconds:.1f} s' for c in commands)}"]
    lines += ["moments:", *(f"  {n:4} {phase}" for phase, n in sorted(phases.items()))]
    lines += [f"seed {options.seed}, {options.size} characters; {bad} faults"]
    print("\n".join(lines))
    if options.results:
        options.results.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(bool(bad))


def prepare(folder: Path, size: int, kernels: Path) -> None:
    """Write the text and the run that a bench reads; compile kernels for both."""
    text = trials.write_text(folder / "text.txt", size)
    home = trials.fresh_home(folder / "prepared", kernels)
    for verb, out in (("sweep", folder / "run"), ("bench", folder / "unused")):
        words = VERBS[verb].format(text=text, run=folder / "run", out=out).split()
        variables = trials.environment(home, "prepare")
        subprocess.run(trials.command(*words), env=variables, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
