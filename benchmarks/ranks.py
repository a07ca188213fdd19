"""Counting in ranks against counting in one process, and the merge of many ranks.

    python benchmarks/ranks.py --folder texts/
    python benchmarks/ranks.py --folder texts/ --only count --text texts/code.txt
    python benchmarks/ranks.py --folder texts/ --only merge --scale 0.05

Counting: plain text (see `benchmarks/count.py`) or one that is given, counted by one process, which keeps the
table in memory: pieces alone, and as a sweep does, with a tenth held out, fingerprint, sample of documents,
by one thread and by two; and by `toktk count` in one rank, in 8, and in as many as it takes by default, in
one process after the other or two at a time, which writes and merges; in turn, whole processes. Figures are
CPU seconds of all processes of a command, and the peak of the largest. Two at a time take more than one, for
they share caches; so a sweep is compared that has as many threads. What a rank of no text takes is what a
process takes to start.

Merge: words that occur once each, and plain text of as many bytes, counted in 64 ranks and merged by one
thread, at a fourth, half and all of so many words. The exponent is that of CPU time over size, from n to 4n.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import count as texts
import harness
from harness import Figures, Job, Run, Steps, Table

RANKS, PROCESSES, MERGED_RANKS = 8, 2, 64
CHOICES = ("count", "merge")
START = "1 rank, of no text"


def write(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Write a text: plain, and before it words that occur once each, of so many bytes and so many."""
    folder = Path(arguments["folder"])
    folder.mkdir(parents=True)
    with step("write"):
        if arguments["words"]:
            texts.distinct(folder / "a.txt", arguments["words"])
        texts.plain(folder / "b.txt", arguments["bytes"])
    return {"bytes": sum(path.stat().st_size for path in folder.iterdir())}, None


def one_process(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Count a text in this process, and keep the table in memory."""
    from toktk.corpus import load_corpus
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    with step("count"):
        table = count_corpus(load_corpus([arguments["text"]]), Pretokenizer.of("o200k"))
    return {"distinct": len(table)}, None


def as_a_sweep(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Count a text in this process as `toktk sweep` does: both sides, fingerprint, sample for intervals."""
    from toktk.corpus import load_corpus
    from toktk.lab.counted import CountedCorpora
    from toktk.lab.meter import Meter
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    counted = CountedCorpora(Meter(), jobs=arguments["threads"], force=True)
    cut = Pretokenizer.of("o200k")
    with step("count"):
        train, test = load_corpus([arguments["text"]]).split(arguments["held_out"])
        counted.get(train, cut, by_group=False)
        counted.get(test, cut, by_group=True, sampled=True)
    return {}, None


def in_ranks(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Count a text in many ranks; return the rows that they write, and the bytes of those."""
    from toktk.corpus import ReaderOptions
    from toktk.counts.count import count_ranks
    from toktk.counts.merge import folder_at
    from toktk.counts.work import CountWork
    from toktk.places import Place
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.ranks.text import Text

    work = CountWork(
        Text([arguments["text"]], ReaderOptions()),
        Pretokenizer.of("o200k"),
        partitions=arguments["partitions"],
        memory=2 * 10**9,
    )
    n = arguments["ranks"]
    with step("count"):
        count_ranks(work, arguments["out"], range(n), n, PROCESSES, lambda n: None, harness.say)
    _, markers = folder_at(Place.of(arguments["out"])).complete()
    files = [
        about for marker in markers for about in marker["files"].values() if "entries" in about
    ]
    return {"rows": sum(f["entries"] for f in files), "bytes": sum(f["bytes"] for f in files)}, None


def merge(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Merge what ranks have written."""
    from toktk.counts.merge import Merge
    from toktk.counts.merged import Counts
    from toktk.places import Place

    out = Path(arguments["out"])
    for name in ("merged", "merging"):
        shutil.rmtree(out / name, ignore_errors=True)
    with step("merge"):
        Merge(Place.of(out)).run()
    sizes = Counts.open(str(out)).about["sides"]["training"]
    return {key: sizes[key] for key in ("distinct", "entries", "pieces")}, None


def once(job: Job, chosen: argparse.Namespace) -> Figures:
    """Run a job that makes something; a failure ends all."""
    result = harness.run(Path(__file__), job, chosen.timeout)
    if "error" in result:
        raise SystemExit(f"{job.label}: {result['error']}")
    figures: Figures = result["figures"]
    return figures


def cpu(run: Run) -> float:
    """Return the CPU seconds of all processes of a run."""
    seconds: float = run["process"]["cpu"]
    return seconds


def cells(runs: list[Run]) -> tuple[str, ...]:
    """Return the medians of CPU and wall seconds, and the largest peak."""
    if error := harness.failed(runs):
        return (f"failed: {error}", "–", "–")
    processes = [run["process"] for run in runs]
    cpu, wall = (harness.spread([p[key] for p in processes]) for key in ("cpu", "wall"))
    return (cpu, wall, f"{max(p['peak'] for p in processes) / 1e6:,.0f}")


def counting(chosen: argparse.Namespace) -> tuple[Table, Any]:
    """Compare ranks with one process."""
    text, nothing = chosen.text, chosen.folder / "nothing.txt"
    nothing.touch()
    if text is None:
        text = chosen.folder / "text-to-count"
        arguments = {"folder": str(text), "words": 0, "bytes": int(chosen.bytes * chosen.scale)}
        once(Job("write", "write", arguments), chosen)
    n_bytes = sum(path.stat().st_size for path in (text, *text.glob("**/*")) if path.is_file())

    def ranks(
        hold_out: str, n: int | None, processes: int, *of_one: str, text: Path = text
    ) -> tuple[str, ...]:
        command = ["count", "-c", str(text), "-o", "{folder}/counts", "--hold-out", hold_out]
        command += ["--jobs", str(processes), "-q", "-f", "json", *of_one]
        command += [] if n is None else ["--world-size", str(n)]
        return (sys.executable, "-m", "toktk", *command)

    bare, sweep = "one process, pieces alone", "as a sweep counts, {} at a time"
    jobs = [
        Job(bare, "one_process", {"text": str(text)}),
        *(
            Job(
                sweep.format(n), "as_a_sweep", {"text": str(text), "held_out": 0.1, "threads": n}, n
            )
            for n in (1, PROCESSES)
        ),
    ]
    compared = {}
    for hold_out in ("0", "0.1"):
        one = f"1 rank, {hold_out} held out"
        for n, at_a_time in ((1, 1), (RANKS, 1), (RANKS, PROCESSES), (None, PROCESSES)):
            label = f"{n or 'default'} ranks, {hold_out} held out, {at_a_time} at a time"
            label = one if n == 1 else label
            jobs.append(Job(label, "", command=ranks(hold_out, n, at_a_time)))
            compared[label] = [sweep.format(at_a_time), one]
    compared |= {bare: [sweep.format(1)], sweep.format(PROCESSES): [sweep.format(1)]}
    jobs.append(Job(START, "", command=ranks("0.1", 1, 1, "--rank", "0", text=nothing)))
    try:
        runs = harness.interleave(Path(__file__), jobs, chosen.repeats, chosen.timeout)
    finally:
        nothing.unlink()
        if text != chosen.text:
            shutil.rmtree(text)
    table = Table(
        f"counting {n_bytes / 1e6:,.0f} MB{f' of {text.name}' if chosen.text else ''}",
        (
            "how",
            *("CPU, s", "wall, s", "peak, MB", "MB/s of a core"),
            *("CPU against pieces alone", "against a sweep", "against 1 rank"),
        ),
    )
    for label, of_job in runs.items():
        rates = [n_bytes / 1e6 / cpu(run) for run in of_job if "error" not in run]
        others = [bare, *compared.get(label, ())] if label != START else []
        ratios = [harness.ratio_cell(of_job, runs[other], cpu) for other in others]
        rate = harness.spread(rates, 0) if ratios else "–"
        table.rows.append((label, *cells(of_job), rate, *ratios, *["–"] * (3 - len(ratios))))
    kept = ("error", "process")  # what a command printed is no figure
    return table, {
        label: [{key: run[key] for key in kept if key in run} for run in of_job]
        for label, of_job in runs.items()
    }


def merging(chosen: argparse.Namespace) -> tuple[Table, Any]:
    """Merge ranks of a text at three sizes."""
    table = Table(
        f"merging {MERGED_RANKS} ranks",
        (
            "distinct pieces",
            "rows of the ranks",
            "bytes of a row",
            *("CPU, s", "wall, s", "peak, MB"),
            "exponent of CPU time",
        ),
    )
    all_runs, first = {}, None
    for part in (4, 2, 1):
        n = int(chosen.words * chosen.scale) // part
        text, out = chosen.folder / f"text-{n}", chosen.folder / f"counts-{n}"
        try:
            arguments = {"folder": str(text), "words": n, "bytes": 9 * n}
            once(Job(f"write {n}", "write", arguments), chosen)
            arguments = {
                "text": str(text),
                "out": str(out),
                "ranks": MERGED_RANKS,
                "partitions": chosen.partitions,
            }
            written = once(Job(f"count {n}", "in_ranks", arguments), chosen)
            job = Job(f"merge {n}", "merge", {"out": str(out)})
            runs = harness.interleave(Path(__file__), [job], chosen.repeats, chosen.timeout)[
                job.label
            ]
        finally:
            for folder in (text, out):
                shutil.rmtree(folder, ignore_errors=True)
        all_runs[job.label] = runs
        steep = "–"
        if not harness.failed(runs):
            cpu = harness.median([run["process"]["cpu"] for run in runs])
            if first is not None:
                steep = f"{math.log(cpu / first[1]) / math.log(n / first[0]):.2f}"
            first = first or (n, cpu)
        distinct = "–" if harness.failed(runs) else f"{runs[0]['figures']['distinct']:,}"
        of_row = f"{written['bytes'] / written['rows']:.1f}"
        table.rows.append((distinct, f"{written['rows']:,}", of_row, *cells(runs), steep))
    return table, all_runs


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--folder", type=Path, required=True, help="where texts and counts go; some 2 GB")
    add("--only", action="append", choices=CHOICES, help="repeatable")
    add("--scale", type=float, default=1.0, help="of all sizes")
    add("--text", type=Path, help="count this file or folder, and write no text")
    add("--bytes", type=float, default=1e9, help="of the text to count")
    add(
        "--words",
        type=float,
        default=20e6,
        help="that occur once, at the largest size of the merge",
    )
    add("--partitions", type=int, default=64)
    add("--repeats", type=int, default=3)
    add("--timeout", type=float, default=3600, help="seconds of a process")
    add("--name", default="ranks", help="of the file in benchmarks/results/")
    return parser.parse_args()


def main() -> None:
    """Measure, and write what came out."""
    chosen = options()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    measure = {"count": counting, "merge": merging}
    tables, runs = [], {}
    for name in chosen.only or CHOICES:
        table, runs[name] = measure[name](chosen)
        tables.append(table)
    head = harness.facts() | {"command": harness.command_line()}
    harness.report(chosen.name, head, tables, runs)


CONTENDERS = {f.__name__: f for f in (write, one_process, as_a_sweep, in_ranks, merge)}

if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
