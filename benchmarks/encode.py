"""Encoding text to ids: MB/s on one thread, in memory, each engine as its own users call it.

    python benchmarks/encode.py --tokenizer o200k_base.tiktoken --corpus help/ --corpus code.txt

Every corpus is halved, 64 KB here and 64 KB there. *cold* is the first pass of a fresh engine over one half,
*unseen* its first pass over that half after the other one. A contender runs in a process of its own. Its
engine and what it is given are those of ``toktk bench`` (toktk.timing.engines); loading the tokenizer
is outside the time, as is the first call, on a few words. Ids are compared with the reference's.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

SLICE = 1 << 16
LENGTHS = {"200": 200, "4000": 4000, "whole": 0}
KINDS = ("cold", "unseen")
WARM_UP = "A few words, so that code is loaded: 12 naïve 東京.\n"


def encode(arguments: dict[str, Any], step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Time one engine."""
    module, _, name = arguments["adapter"].partition(":")
    adapter = getattr(importlib.import_module(module), name)
    with step("import"):
        for needed in adapter.imports:
            importlib.import_module(needed)
        adapter.prepare(arguments["source"])
    seen, timed = halves(Path(arguments["file"]).read_bytes().decode(), arguments["length"])

    def fresh() -> Any:
        with step("import"):
            engine = adapter(arguments["source"], arguments["threads"])
            engine.encode(engine.take(*flat([WARM_UP])))
        return engine

    engine = fresh()
    given, other = engine.take(*flat(timed)), engine.take(*flat(seen))
    output, cold = clocked(lambda: engine.encode(given))
    engine = fresh()
    engine.encode(other)
    _, unseen = clocked(lambda: engine.encode(given))

    def check() -> Figures:
        ids, offsets = engine.ids(output)
        digest = hashlib.sha256(ids.astype("<u4").tobytes() + offsets.astype("<i8").tobytes())
        return {"ids": int(ids.size), "digest": digest.hexdigest()}

    size = sum(len(text.encode()) for text in timed)
    return {"bytes": size, "cold": cold, "unseen": unseen}, check


def clocked(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `work` returns and the seconds it took."""
    start = time.perf_counter()
    output = work()
    return output, time.perf_counter() - start


def halves(text: str, length: int) -> tuple[list[str], list[str]]:
    """Return the documents of both halves: `length` characters each, 0: the half as a whole."""
    slices = [text[i : i + SLICE] for i in range(0, len(text), SLICE)]
    joined = "".join(slices[::2]), "".join(slices[1::2])
    first, second = (
        [half[i : i + length] for i in range(0, len(half), length)] if length else [half]
        for half in joined
    )
    return first, second


def flat(texts: list[str]) -> tuple[Any, Any]:
    """Return uint8[N] and int64[D + 1]."""
    from toktk.texts import flat

    return flat(texts)


CONTENDERS: dict[str, harness.Contender] = {"encode": encode}

# The parent ---------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--tokenizer", action="append", required=True, help="as for toktk bench; repeatable")
    add("--corpus", action="append", type=Path, required=True, help="text file or folder of .txt")
    add("--bytes", type=harness.size, default=20_000_000, help="of each corpus (20M)")
    add("--documents", default=",".join(LENGTHS), help="characters of a document, or whole")
    add("--engines", type=harness.names, help="comma-separated; the first is the reference (all)")
    add("--repeats", type=int, default=5, help="processes of each contender")
    add("--timeout", type=float, default=600)
    add("--name", default="encode", help="of the result files")
    chosen = parser.parse_args()
    if unknown := set(harness.names(chosen.documents)) - set(LENGTHS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(LENGTHS)}")
    return chosen


def verdict(run: Run, expected: Figures | None) -> str:
    """Say whether the ids are the reference's."""
    found = run["figures"]
    if expected is None or found is expected:
        return f"{found['ids']:,}"
    return f"{found['ids']:,}: {'equal' if found['digest'] == expected['digest'] else 'DIFFERENT'}"


def seconds(kind: str) -> Callable[[Run], float]:
    """Return what reads the seconds of one kind of pass."""
    return lambda run: float(run["figures"][kind])


def speed(run: Run, kind: str) -> float:
    """Return MB/s."""
    return float(run["figures"]["bytes"]) / 1e6 / seconds(kind)(run)


def one_table(
    file: Path, facts: dict[str, Any], loaded: Any, found: list[Any], documents: str, chosen: Any
) -> tuple[Table, dict[str, Any]]:
    """Run one text and length of document through all engines; the reference is the first of them."""
    table = Table(
        f"{loaded.label}: {facts['name']}, {facts['bytes'] / 1e6:,.1f} MB, documents: {documents}",
        ("engine", *(f"{kind}{what}" for kind in KINDS for what in (", MB/s", ": time × toktk")),
         "ids"),
    )  # fmt: skip
    jobs = [
        Job(c.name, "encode", {
            **{k: v for k, v in dataclasses.asdict(c).items() if k in ("adapter", "source")},
            "file": str(file), "length": LENGTHS[documents],
        })
        for c in found
    ]  # fmt: skip
    harness.say(table.title)
    # Compiles kernels where they are not in the cache yet.
    harness.interleave(Path(__file__), [j for j in jobs if j.label == "toktk"], 1, chosen.timeout)
    runs = harness.interleave(Path(__file__), jobs, chosen.repeats, chosen.timeout)
    first = runs[jobs[0].label]
    expected = None if harness.failed(first) else first[0]["figures"]
    for job in jobs:
        done = runs[job.label]
        if why := harness.failed(done):
            table.rows.append((job.label, f"failed: {why}", *["–"] * 4))
            continue
        cells = []
        for kind in KINDS:
            cells.append(harness.spread([speed(run, kind) for run in done], 1))
            cells.append(harness.ratio_cell(done, runs.get("toktk", []), seconds(kind)))
        table.rows.append((job.label, *cells, verdict(done[0], expected)))
    return table, {"text": facts, "tokenizer": loaded.label, "documents": documents, "runs": runs}


def summary(raw: list[dict[str, Any]]) -> Table:
    """Return the time of each engine over that of toktk, over all tables."""
    table = Table(
        "time × toktk, over all tables below",
        ("engine", *(f"{kind}: {what}" for kind in KINDS for what in ("median", "least", "most"))),
    )
    for engine in dict.fromkeys(name for of_table in raw for name in of_table["runs"]):
        row = []
        for kind in KINDS:
            pairs = [
                harness.ratios(
                    of_table["runs"].get(engine, []), of_table["runs"]["toktk"], seconds(kind)
                )
                for of_table in raw
            ]
            ratios = [harness.median(of_pairs) for of_pairs in pairs if of_pairs]
            of_kind = (harness.median(ratios), min(ratios), max(ratios)) if ratios else ()
            row += [f"{ratio:.2f}" for ratio in of_kind] or ["–"] * 3
        table.rows.append((engine, *row))
    return table


def main() -> None:
    """Run everything that was asked for."""
    from toktk.loading.load import open_tokenizer
    from toktk.timing.engines import engines_for

    chosen = options()
    head = harness.facts() | {"command": harness.command_line()}
    tables, raw = [], []
    with tempfile.TemporaryDirectory() as name:
        for number, spec in enumerate(chosen.tokenizer):
            folder = Path(name) / str(number)
            folder.mkdir()
            loaded = open_tokenizer(spec)
            found = engines_for(loaded, folder)
            if chosen.engines:
                found = [engine for engine in found if engine.name in chosen.engines]
            for corpus in chosen.corpus:
                file = harness.material(corpus, chosen.bytes, folder)
                facts = harness.text_facts(file)
                for documents in harness.names(chosen.documents):
                    table, runs = one_table(file, facts, loaded, found, documents, chosen)
                    tables.append(table)
                    raw.append(runs)
    harness.report(chosen.name, head, [summary(raw), *tables], raw)


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
