"""Time and memory of a sweep as text grows: plain text, and four kinds that are hard on memory.

    python benchmarks/count.py --folder texts/
    python benchmarks/count.py --folder texts/ --only groups --only plain --scale 0.05
    python benchmarks/count.py --fit texts/help.parquet

Each kind of text is made at n, 2n and 4n, streamed to --folder, and deleted unless --keep. `toktk sweep
-t bpe -s 32k` counts, trains and measures it, in a process and with a home of its own. The exponent is that
of CPU time over size, from n on, less what a text of a few lines takes; 1 is linear. Beside each kind stands
plain text of as many bytes.

Plain text has ten languages. Its pieces are drawn so that their distinct ones grow as those of the help
pages do, K n^beta (Heaps): piece r has a share of (1 + r/q)^-(s+1), beta = 1/(s+1), and q follows from K.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

HEAPS = (
    49.5,
    0.56,
)  # K and beta: o200k's pieces of the help pages in 20 languages, their last three doublings
PIECE_BYTES = 8.2  # of plain text, about
LINE = 14  # words of a line of plain text
BATCH = 1 << 17  # lines that are made at once
SIZE = "32k"


@dataclass(frozen=True)
class Kind:
    """A kind of text.

    Attributes:
        unit: what its size counts.
        sizes: n, 2n and 4n are a fourth, half and all of each.
        write: writes a text of a size to a file.
        options: how it is read.
        on_itself: whether it is measured on itself, not on a tenth of it.
    """

    unit: str
    sizes: tuple[int, ...]
    write: Callable[[Path, int], None]
    suffix: str = ".txt"
    options: tuple[str, ...] = ()
    on_itself: bool = False


# Text ---------------------------------------------------------------------------------------------


def languages() -> list[list[bytes]]:
    """Return 60 syllables of each language, in scripts of one, two and three bytes a letter."""
    latin = ["bdfgklmnprst aeiou", "dghjklmnprtv aeiyø", "bcdflmnprstv aeiou", "gklmnprstvyz aeıou"]
    others = ["бвгдзклмнпрст аеиоу", "βγδθκλμνπρστ αειου", "בגדהזכלמנפרש אועיה", "कगचजतदनपमरलस ािुेो"]
    spelled = [[c + v for v in vowels for c in consonants[:12]]
               for consonants, vowels in map(str.split, latin + others)]  # fmt: skip
    hangul = [chr(0xAC00 + 28 * 21 * (i % 19) + 28 * (i // 19)) for i in range(60)]
    ethiopic = [chr(0x1200 + 8 * (i % 20) + i // 20) for i in range(60)]
    return [[s.encode() for s in syllables[:60]] for syllables in (*spelled, hangul, ethiopic)]


def speller() -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return what spells words: of int64 numbers and their languages it gives bytes and lengths."""
    import numba
    import numpy as np

    tables = languages()
    flat = np.frombuffer(b"".join(s for table in tables for s in table), np.uint8)
    sizes = np.array([len(s) for table in tables for s in table], np.int64)
    starts = np.cumsum(sizes) - sizes

    @numba.njit(cache=True)
    def spell(numbers, language, flat, starts, sizes, out, lengths):  # type: ignore[no-untyped-def]
        at = 0
        for i in range(numbers.size):
            begin, rest = at, numbers[i] + 1
            while rest:  # bijective base 60: each number has a word of its own
                rest -= 1
                syllable = 60 * language[i] + rest % 60
                for k in range(starts[syllable], starts[syllable] + sizes[syllable]):
                    out[at] = flat[k]
                    at += 1
                rest //= 60
            lengths[i] = at - begin + 1
            out[at] = 32
            at += 1
        return at

    def words(numbers: Any, language: Any) -> tuple[Any, Any]:
        out = np.empty(80 * numbers.size, np.uint8)
        lengths = np.empty(numbers.size, np.int64)
        n = spell(numbers, language, flat, starts, sizes, out, lengths)
        return out[:n], lengths

    return words


def plain_lines(n_bytes: int) -> Iterator[tuple[Any, Any, Any]]:
    """Yield bytes, the place after each line's feed, and the language of each line, of `n_bytes` in all."""
    import numpy as np

    words, chance, n_languages = speller(), np.random.default_rng(16), len(languages())
    k, beta = HEAPS
    k /= n_languages ** (1 - beta)
    s = 1 / beta - 1
    q = (k / (math.gamma(1 - beta) * s**beta)) ** (1 / (1 - beta))
    left = n_bytes
    while left > 0:
        language = chance.integers(0, n_languages, BATCH)
        lines = np.maximum(chance.poisson(LINE, BATCH), 1)
        spread = chance.random(int(lines.sum()))
        ranks = np.minimum(q * (spread ** (-1 / s) - 1), 1e15).astype(np.int64)
        data, lengths = words(ranks, np.repeat(language, lines))
        ends = np.cumsum(lengths)[np.cumsum(lines) - 1]
        data[ends - 1] = 10
        n = int(np.searchsorted(ends, left)) + 1
        yield data, ends[:n], language[:n]
        left -= int(ends[:n][-1])


def plain(path: Path, n_bytes: int) -> None:
    """Write plain text."""
    with path.open("wb") as file:
        for data, ends, _ in plain_lines(n_bytes):
            file.write(data[: ends[-1]].data)


def distinct(path: Path, n: int) -> None:
    """Write so many different words of eight letters, once each."""
    import numpy as np

    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgkjq", np.uint8)
    with path.open("wb") as file:
        for first in range(0, n, 1 << 20):
            rest = np.arange(first, min(first + (1 << 20), n)) * 61_803_398_875 % 24**8
            words = np.full((rest.size, 9), 32, np.uint8)
            for i in range(8):
                words[:, i] = letters[rest % 24]
                rest //= 24
            words[9::10, 8] = 10
            file.write(words.data)


def groups(path: Path, n: int) -> None:
    """Write plain text in so many groups, ten documents each."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    done = 0
    schema = pa.schema([("text", pa.large_string()), ("group", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for data, ends, _ in plain_lines(sys.maxsize):
            offsets = np.insert(ends[3::4], 0, 0)[: 10 * (n - done) + 1]  # documents of four lines
            texts = pa.LargeStringArray.from_buffers(
                offsets.size - 1, pa.py_buffer(offsets), pa.py_buffer(data)
            )
            names = [f"g{done + i // 10:05}" for i in range(len(texts))]
            writer.write_table(pa.table([texts, pa.array(names)], schema=schema))
            done += len(texts) // 10
            if done >= n:
                break


def one_line(path: Path, n_bytes: int) -> None:
    """Write plain text without a line feed."""
    with path.open("wb") as file:
        for data, ends, _ in plain_lines(n_bytes):
            data[ends - 1] = 32
            file.write(data[: ends[-1]].data)


def tiny(path: Path, n: int) -> None:
    """Write so many lines of two words."""
    with path.open("wb") as file:
        done = 0
        for data, ends, _ in plain_lines(sys.maxsize):
            spaces = (data[: ends[-1]] == 32).nonzero()[0]
            data[spaces[1::2]] = 10
            lines = (data[: ends[-1]] == 10).nonzero()[0][: n - done]
            file.write(data[: lines[-1] + 1].data)
            done += lines.size
            if done >= n:
                break


KINDS = {
    "plain": Kind("bytes", (10**9, 10**10), plain),
    "distinct": Kind("words", (20 * 10**6,), distinct),
    "groups": Kind("groups", (50_000,), groups, ".parquet", ("--group-column", "group")),
    "line": Kind("bytes", (500 * 10**6,), one_line, on_itself=True),  # nothing can be held out
    "tiny": Kind("documents", (10**7,), tiny),
}


def write(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Write a text: in a process of its own, so that this one stays small."""
    with step("write"):
        KINDS[arguments["kind"]].write(Path(arguments["path"]), arguments["n"])
    return {"bytes": Path(arguments["path"]).stat().st_size}, None


def fit(arguments: dict[str, Any], step: Steps) -> tuple[Figures, None]:
    """Return K and beta of the last three doublings of a corpus, its documents in random order."""
    import random

    import numpy as np

    from toktk.corpus import Corpus, load_corpus
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    texts = [
        text for b in load_corpus([arguments["spec"]]).batches() for text in b.column(0).to_pylist()
    ]
    random.Random(0).shuffle(texts)
    pieces, different = [], []
    for doublings in range(3, -1, -1):
        part = Corpus.of(texts[: len(texts) >> doublings])
        table = count_corpus(part, Pretokenizer.of("o200k"), by_group=False)
        pieces.append(int(table.counts.sum()))
        different.append(len(table))
    beta, log_k = np.polyfit(np.log(pieces), np.log(different), 1)
    return {
        "K": float(np.exp(log_k)),
        "beta": float(beta),
        "pieces": pieces,
        "distinct": different,
    }, None


# Runs ---------------------------------------------------------------------------------------------


def sweep(path: Path, kind: Kind, chosen: argparse.Namespace) -> Run:
    """Sweep a text in a home that has compiled kernels alone; return what it used and its steps."""
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        home, run = Path(name) / "home", Path(name) / "run"
        (home / "cells").mkdir(parents=True)
        for kept in ("kernels", "cells/patterns"):
            (chosen.home / kept).mkdir(parents=True, exist_ok=True)
            (home / kept).symlink_to(chosen.home / kept)
        command = [sys.executable, "-m", "toktk", "sweep", "-c", str(path), "-t", "bpe", "-s", SIZE]
        command += [
            *kind.options,
            *chosen.options,
            "--jobs",
            str(chosen.jobs),
            "-q",
            "-o",
            str(run),
        ]
        command += ["--eval", str(path)] * kind.on_itself
        environment = {**os.environ, "TOKTK_HOME": str(home)}
        said, complaint = Path(name) / "stdout", Path(name) / "stderr"
        started = time.monotonic()
        with said.open("wb") as out, complaint.open("wb") as err:
            code, used, late = harness.wait(command, environment, out, err, chosen.timeout)
        used["wall"] = time.monotonic() - started
        if code:
            lines = complaint.read_text(errors="replace").strip().splitlines()
            return {"error": "stopped" if late else lines[-1], **used}
        steps = json.loads((run / "run.json").read_bytes())["steps"]
        files = sum(f.stat().st_size for f in run.rglob("*") if f.is_file())
        return {**used, "steps": steps, "files": files, "said": said.stat().st_size}


def measured(kind: str, n: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """Write a text and sweep it; return both."""
    path = chosen.folder / f"{kind}-{n}{KINDS[kind].suffix}"
    if not path.exists():
        job = Job(f"{kind}-{n}", "write", {"kind": kind, "path": str(path), "n": n})
        written = harness.run(Path(__file__), job, chosen.timeout)
        if "error" in written:
            raise SystemExit(f"cannot write {path.name}: {written['error']}")
    n_bytes = path.stat().st_size
    try:
        result = sweep(path, KINDS[kind], chosen)
    finally:
        if not chosen.keep:
            path.unlink()
    said = f"FAILED: {result['error']}" if "error" in result else ""
    harness.say(f"{kind} {n:,}: {n_bytes / 1e6:.0f} MB, {result['cpu']:.1f} s CPU, "
                f"{result['wall']:.1f} s, {result['peak'] / 1e6:.0f} MB  {said}")  # fmt: skip
    steps = result.get("steps", ())
    harness.say(
        "  "
        + ", ".join(f"{s['step']} {s['cpu']:.1f} s {s['peak_memory'] / 1e6:.0f} MB" for s in steps)
    )
    return {"kind": kind, "n": n, "bytes": n_bytes, **result}


def exponent(small: dict[str, Any], large: dict[str, Any], floor: float) -> str:
    """Return the exponent of CPU time over size."""
    if "error" in small or "error" in large:
        return "–"
    times = (large["cpu"] - floor) / max(small["cpu"] - floor, 1e-9)
    return f"{math.log(max(times, 1e-9)) / math.log(large['n'] / small['n']):.2f}"


def table_of(
    kind: str, size: int, chosen: argparse.Namespace, floor: dict[str, Any]
) -> tuple[Table, Any]:
    """Measure a kind of text at a fourth, half and all of a size, and plain text beside the last."""
    sizes = [max(int(size * chosen.scale) // part, 1) for part in (4, 2, 1)]
    runs = [measured(kind, n, chosen) for n in sizes]
    if kind != "plain":
        runs.append(measured("plain", runs[-1]["bytes"], chosen))
    table = Table(
        f"{kind}, {sizes[-1]:,} {KINDS[kind].unit}",
        ("text", "MB", "CPU, s", "wall, s", "peak, MB", "exponent of CPU time"),
    )
    for i, run in enumerate(runs):
        label = f"{run['n']:,} {KINDS[kind].unit}" if run["kind"] == kind else "plain text"
        figures = (f"{run['cpu']:,.1f}", f"{run['wall']:,.1f}", f"{run['peak'] / 1e6:,.0f}")
        if "error" in run:
            figures = (f"failed: {run['error']}", "–", "–")
        steep = exponent(runs[0], run, floor["cpu"]) if 0 < i < 3 else "–"
        table.rows.append((label, f"{run['bytes'] / 1e6:,.0f}", *figures, steep))
    return table, runs


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--folder", type=Path, help="where texts and runs are written; 25 GB at full scale")
    add("--only", action="append", choices=KINDS, help="repeatable; all")
    add("--scale", type=float, default=1.0, help="a part of each size")
    add("--keep", action="store_true", help="do not delete the texts")
    add("--jobs", type=int, default=2, help="threads of toktk")
    add("--options", type=str.split, default=[], help="further options of toktk sweep")
    add("--timeout", type=float, default=7200.0, help="seconds for one run")
    add("--fit", metavar="SPEC", help="say K and beta of a corpus, and nothing else")
    add("--name", default="count", help="of the result files")
    chosen = parser.parse_args()
    if not (chosen.folder or chosen.fit):
        parser.error("give --folder")
    chosen.home = Path(os.environ.get("TOKTK_HOME", Path.home() / ".cache" / "toktk"))
    return chosen


def main() -> None:
    """Measure what was chosen."""
    chosen = options()
    if chosen.fit:
        print(
            json.dumps(harness.run(Path(__file__), Job("fit", "fit", {"spec": chosen.fit}), 3600))
        )
        return
    chosen.folder.mkdir(parents=True, exist_ok=True)
    gigabytes = chosen.scale * (25 if "plain" in (chosen.only or KINDS) else 3)
    if shutil.disk_usage(chosen.folder).free < gigabytes * 1e9:
        raise SystemExit(f"{chosen.folder.name} has less than {gigabytes:.1f} GB free")
    head = harness.facts() | {"command": harness.command_line()}
    for _ in range(2):  # the first compiles kernels
        floor = measured("plain", 10**6, chosen)
    tables, raw = [], {"floor": floor}
    for kind in chosen.only or KINDS:
        for size in KINDS[kind].sizes:
            table, runs = table_of(kind, size, chosen, floor)
            tables.append(table)
            raw[table.title] = runs
    harness.report(chosen.name, head, tables, raw)


if __name__ == "__main__" and not harness.serve({"write": write, "fit": fit}):
    main()
