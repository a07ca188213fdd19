"""Run contenders in turn (A B C A B C …), each in a fresh process, and write what came out.

The measuring process imports the standard library alone: Linux hands the peak memory of a parent
down to the child it starts, so a large parent would set a floor under every figure.

    python benchmarks/harness.py benchmarks/results/train.json    # the Markdown anew, from it
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PEERS = (
    "gigabpe",
    "rustbpe",
    "bpeasy",
    "gigatoken",
    "quicktok-v1",
    "sentencepiece",
    "tokenizers",
    "regex",
)
_CHUNK = 1 << 20
_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")  # where a traceback says what happened

Run = dict[str, Any]
"""One run: either ``error``, or ``process`` (wall, cpu, peak), ``exit`` (the same, to the process's end),
``steps`` and ``figures``."""


class Steps:
    """Seconds of each named step of a contender, in the order they ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time one step; a second one of the same name adds up."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


Figures = dict[str, Any]
Contender = Callable[[dict[str, Any], Steps], tuple[Figures, Callable[[], Figures] | None]]
"""Takes arguments; returns figures, and what to compute for checking once the clock has stopped."""


@dataclass(frozen=True)
class Job:
    """One contender with its arguments.

    Attributes:
        label: what its row is called; one label, one row.
        contender: the name of its function in the script.
        arguments: JSON-able.
        threads: how many it may use; set in the environment, and passed as an argument.
        command: run this instead of a function; its standard output is JSON. ``{folder}`` in it
            becomes an empty folder of this run's own. Its time is that until it has said all that it says
            there; CPU and memory are of the whole process.
    """

    label: str
    contender: str
    arguments: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    command: tuple[str, ...] | None = None


def serve(contenders: dict[str, Contender]) -> bool:
    """Be the child, if this process was started as one: run a contender, write its result.

    What is reported is what was used until the contender returned; checking comes after.
    """
    if sys.argv[1:2] != ["--child"]:
        return False
    spec = json.loads(Path(sys.argv[2]).read_text())
    steps = Steps()
    figures, check = contenders[spec["contender"]](spec["arguments"], steps)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    process = {"wall": time.monotonic() - spec["started"], **_used(usage)}
    if check is not None:
        figures |= check()
    result = {"process": process, "steps": steps.seconds, "figures": figures}
    Path(spec["result"]).write_text(json.dumps(result))
    return True


def _used(usage: resource.struct_rusage) -> dict[str, float]:
    """Return CPU seconds (user and system, all threads) and peak resident memory in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * unit}


def run(script: Path, job: Job, timeout: float) -> Run:
    """Run one job in a fresh process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, result = folder / "spec.json", folder / "result.json"
        command = (sys.executable, str(script), "--child", str(spec))
        if job.command:
            command = tuple(word.replace("{folder}", name) for word in job.command)
        said, complaint = folder / "stdout", folder / "stderr"
        with said.open("wb") as out, complaint.open("wb") as err:
            started, clock = time.monotonic(), time.time()
            spec.write_text(
                json.dumps(
                    {
                        "contender": job.contender,
                        "arguments": job.arguments | {"threads": job.threads},
                        "started": started,
                        "result": str(result),
                    }
                )
            )
            code, usage, late = wait(command, environment(job.threads), out, err, timeout)
        wall = time.monotonic() - started
        if code:
            why = reason(complaint.read_text(errors="replace"), code)
            if late:
                why = f"stopped after {timeout:g} s"
            return {"error": why, "process": {"wall": wall, **usage}}
        if job.command:
            figures = json.loads(said.read_text())
            until_said = min(said.stat().st_mtime - clock, wall)
            process = {"wall": until_said, **usage}
            return {
                "process": process,
                "steps": {},
                "figures": figures,
                "exit": {"wall": wall, **usage},
            }
        return json.loads(result.read_text()) | {"exit": {"wall": wall, **usage}}


def reason(complaint: str, code: int) -> str:
    """Return the line of standard error that says why a process failed."""
    lines = complaint.strip().splitlines()
    errors = [line for line in lines if _ERROR.match(line)] or lines
    return (errors or [f"exit code {code}"])[-1]


def environment(threads: int, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return variables with those that tell libraries how many threads to use."""
    rayon = {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    return {**variables, **rayon} | {"TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}


def wait(
    command: Sequence[str], environment: dict[str, str], out: Any, err: Any, timeout: float
) -> tuple[int, dict[str, float], bool]:
    """Run to the end or the timeout; return exit code, what was used, whether it was late."""
    process: subprocess.Popen[bytes] | None = None
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, stop)
    try:
        with signals_later():
            process = subprocess.Popen(
                command, stdout=out, stderr=err, env=environment, start_new_session=True
            )
            timer.start()
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:  # Ctrl-C: the child has a session of its own and did not hear it
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, _used(usage), late.is_set()


@contextlib.contextmanager
def signals_later() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block ends: within `Popen` they would leave a child behind."""
    if threading.current_thread() is not threading.main_thread():  # signals come to the main one
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda number, frame: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in arrived:
        signal.raise_signal(number)


def interleave(
    script: Path, jobs: Sequence[Job], repeats: int, timeout: float
) -> dict[str, list[Run]]:
    """Run all jobs once, then all again, `repeats` times; a job that failed is not run again."""
    runs: dict[str, list[Run]] = {job.label: [] for job in jobs}
    for repeat in range(repeats):
        for job in jobs:
            done = runs[job.label]
            if done and "error" in done[-1]:
                continue
            done.append(run(script, job, timeout))
            process = done[-1]["process"]
            say(
                f"run {repeat + 1}/{repeats} {job.label}: {process['wall']:.2f} s wall, "
                f"{process['cpu']:.2f} s CPU, {process['peak'] / 1e6:.0f} MB"
                + (f"  FAILED: {done[-1]['error']}" if "error" in done[-1] else "")
            )
    return runs


def say(text: str) -> None:
    """Write a line of progress to standard error."""
    print(text, file=sys.stderr, flush=True)


# Figures ------------------------------------------------------------------------------------------


def failed(runs: Sequence[Run]) -> str | None:
    """Return why a contender gave nothing, or None."""
    return next((run["error"] for run in runs if "error" in run), None)


def working(run: Run) -> float:
    """Return the seconds of all steps but the import: the work alone."""
    return sum(seconds for step, seconds in run["steps"].items() if step != "import")


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return ``median [min–max]``, or the value alone if there is one."""
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} [{min(values):,.{digits}f}–{max(values):,.{digits}f}]"


def ratios(
    runs: Sequence[Run], reference: Sequence[Run], measure: Callable[[Run], float]
) -> list[float]:
    """Return measure(run) / measure(the reference's run of the same turn), turn by turn."""
    if failed(runs) or failed(reference):
        return []
    return [measure(a) / measure(b) for a, b in zip(runs, reference, strict=False)]


def ratio_cell(
    runs: Sequence[Run], reference: Sequence[Run], measure: Callable[[Run], float]
) -> str:
    """Return the spread of the ratios, or a dash."""
    found = ratios(runs, reference, measure)
    return spread(found) if found else "–"


def subcommand(verb: str) -> str | None:
    """Return the help of a command of toktk, or None if this version has none of that name."""
    command = (sys.executable, "-m", "toktk", verb, "--help")
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout if found.returncode == 0 else None


# Text ---------------------------------------------------------------------------------------------


def material(source: Path, limit: int | None, folder: Path) -> Path:
    """Return one text file: `source` itself, or a copy in `folder` of its first `limit` bytes.

    Of a folder of .txt files, each gives an equal share of the limit. Cuts are at line ends.
    """
    files = sorted(source.glob("*.txt")) if source.is_dir() else [source]
    if not files:
        raise SystemExit(f"no .txt files in {source}")
    if limit is None and not source.is_dir():
        return source
    target = folder / f"{source.stem}.txt"
    with target.open("wb") as out:
        for file in files:
            _copy_lines(file, limit and limit // len(files), out)
    return target


def _copy_lines(file: Path, limit: int | None, out: Any) -> None:
    left = file.stat().st_size if limit is None else limit
    with file.open("rb") as read:
        last = b"\n"
        while left > 0 and (chunk := read.read(min(left, _CHUNK))):
            left -= len(chunk)
            if left <= 0 and limit is not None and not chunk.endswith(b"\n"):
                cut = chunk.rfind(b"\n") + 1
                chunk = chunk[:cut] if cut else chunk + read.readline()
            out.write(chunk)
            last = chunk[-1:] or last
        if last != b"\n":
            out.write(b"\n")


def lines(file: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text without their line feeds."""
    with file.open(encoding="utf-8", newline="\n") as read:
        for line in read:
            yield line.removesuffix("\n")


def text_facts(file: Path) -> dict[str, Any]:
    """Return name, bytes, lines, distinct bytes and sha256; reading also warms the page cache.

    `ragged_lines` end in white space before the line feed: there, a reader that keeps the line
    feed (gigabpe, Hugging Face's ``train(files)``) cuts other pieces than one that drops it.
    """
    digest, seen, lines, ragged, before = hashlib.sha256(), set[int](), 0, 0, b""
    with file.open("rb") as read:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            seen |= set(chunk)
            lines += chunk.count(b"\n")
            joined = before + chunk
            ragged += sum(joined.count(end) for end in (b" \n", b"\t\n", b"\r\n"))
            before = chunk[-1:]
    return {
        "name": file.name,
        "bytes": file.stat().st_size,
        "lines": lines,
        "ragged_lines": ragged,
        "distinct_bytes": len(seen),
        "sha256": digest.hexdigest(),
    }


# Reports ------------------------------------------------------------------------------------------


def facts() -> dict[str, Any]:
    """Return date, machine, versions and toktk's commit; neither host nor user nor path."""
    from toktk.lab.environment import environment

    found = environment()
    versions = {"toktk": found["toktk"], **found["packages"]}
    for name in PEERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    machine = ("cpu", "machine", "logical_cores", "usable_cores", "memory", "os", "python")
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": {key: found[key] for key in machine},
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {name: number for name, number in sorted(versions.items()) if number},
    }


def commit(checkout: Path = Path(__file__).parents[1]) -> str | None:
    """Return the commit of a checkout, and whether its package differs from it; None without git."""

    def git(*arguments: str) -> str | None:
        try:
            found = subprocess.run(
                ("git", *arguments),
                cwd=checkout,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:  # no git
            return None
        return found.stdout.strip() if found.returncode == 0 else None

    short = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--", "toktk")
    return f"{short} with uncommitted changes" if short and changed else short


@dataclass
class Table:
    """A table of strings with a title and remarks."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def report(name: str, head: dict[str, Any], tables: Sequence[Table], runs: Any) -> None:
    """Print the tables; write ``results/<name>.json`` and, from it, ``results/<name>.md``."""
    head["load_after"] = round(os.getloadavg()[0], 2)
    # The parent's own peak, the floor under every peak above.
    head["peak_floor"] = _used(resource.getrusage(resource.RUSAGE_SELF))["peak"]
    for table in tables:
        print(plain(table))
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    record = {
        "schema": 1,
        "name": name,
        **head,
        "tables": [vars(table) for table in tables],
        "runs": runs,
    }
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write_markdown(path)
    say(f"written: {path.name} and {path.stem}.md in {path.parent.name}/")


def plain(table: Table) -> str:
    """Return a table as aligned text."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    return "\n".join(["", table.title, *lines, *table.remarks])


def write_markdown(path: Path) -> None:
    """Write the Markdown page beside a result's JSON."""
    record = json.loads(path.read_text(encoding="utf-8"))
    machine, versions = record["machine"], record["versions"]
    memory = f"{machine['memory'] / 2**30:.0f} GiB" if machine["memory"] else "unknown"
    lines = [
        f"# {record['name']}",
        "",
        f"{record['date']}, toktk {versions['toktk']} ({record['commit'] or 'no commit'}). "
        f"{machine['cpu']}, {machine['usable_cores']} of {machine['logical_cores']} cores, "
        f"{memory} memory, {machine['os']}, {machine['python']}. Load average before and after: "
        f"{record['load_before']}, {record['load_after']}.",
        "",
        "Figures are median [min–max] of runs in fresh processes, contenders in turn; a ratio is "
        "taken run by run. MB = 10⁶ bytes.",
        "",
        "Command: `" + record["command"] + "`",
        "",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
    ]
    for table in record["tables"]:
        lines += ["", f"## {table['title']}", ""]
        lines += ["| " + " | ".join(table["columns"]) + " |"]
        lines += ["|" + "---|" * len(table["columns"])]
        lines += ["| " + " | ".join(c.replace("|", "\\|") for c in r) + " |" for r in table["rows"]]
        lines += [f"\n{remark}" for remark in table["remarks"]]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def command_line() -> str:
    """Return how the script was called, with file names in place of paths."""
    shown = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *shown])


def names(text: str) -> list[str]:
    """Split an option's comma-separated names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def size(text: str) -> int:
    """Read a number such as 50k, 20M or 128000."""
    scale = {"k": 10**3, "m": 10**6, "g": 10**9}.get(text[-1:].lower())
    return int(float(text[:-1]) * scale) if scale else int(text)


def sizes(text: str) -> list[int]:
    """Read comma-separated numbers, ascending."""
    return sorted({size(part) for part in names(text)})


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        write_markdown(Path(argument))
