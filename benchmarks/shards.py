"""From a text file to token shards on the disk: whole processes, all cores, the same ids.

    python benchmarks/shards.py --tokenizer o200k_base.json --corpus texts/code.txt --bytes 200M
    python benchmarks/shards.py --tokenizer o200k_base.json --corpus texts/code.txt --only toktk --threads 1

*toktk* is the command ``toktk encode``. *hf* reads lines, has Hugging Face tokenizers encode some thousand
at a time, and writes the ids with NumPy, and where each document begins: what people write themselves. A
document is a line with its line feed in both. The numbers of the files are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

LINES = 10_000  # of a batch of Hugging Face tokenizers; 1,000 and 100,000 take as long or longer
Check = Callable[[], Figures]


def toktk(arguments: dict[str, Any], step: Steps) -> tuple[Figures, Check]:
    """Run the command in this process."""
    with step("import"):
        from toktk.cli import main

    folder = Path(arguments["folder"], "toktk")
    options = ["--jobs", str(arguments["threads"]), "--world-size", "1", "--progress", "none"]
    command = ["encode", arguments["tokenizer"], "-c", arguments["file"], "-o", str(folder)]
    main([*command, *options], standalone_mode=False)

    def check() -> Figures:
        import json

        import numpy as np

        shards = [
            [np.load(path) for path in sorted(folder.glob(f"*.{what}.npy"))]
            for what in ("tokens", "offsets")
        ]
        ends = np.concatenate([np.zeros(1, np.int64), *(np.diff(o) for o in shards[1])]).cumsum()
        marker = json.loads((folder / "done/00000.json").read_bytes())
        return {**digest(np.concatenate(shards[0]), ends), "engine": marker["engine"]}

    return {}, check


def hf(arguments: dict[str, Any], step: Steps) -> tuple[Figures, Check]:
    """Do the same with Hugging Face tokenizers and NumPy."""
    with step("import"):
        import numpy as np
        from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(arguments["tokenizer"])
    dtype = np.uint16 if tokenizer.get_vocab_size() <= 1 << 16 else np.uint32
    lengths = []
    path = Path(arguments["folder"], "hf.bin")
    with path.open("wb") as out:
        for lines in batches(Path(arguments["file"])):
            encodings = tokenizer.encode_batch_fast(lines, add_special_tokens=False)
            arrays = [np.array(encoding.ids, dtype=dtype) for encoding in encodings]
            lengths += [array.size for array in arrays]
            out.write(np.concatenate(arrays).tobytes())
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    np.save(path.with_suffix(".offsets.npy"), offsets)

    def check() -> Figures:
        return digest(np.fromfile(path, dtype=dtype), offsets)

    return {}, check


def batches(file: Path) -> Iterator[list[str]]:
    """Yield the lines of a text, some at a time; as in toktk, every line end becomes a line feed."""
    lines = []
    with file.open(encoding="utf-8") as read:
        for line in read:
            lines.append(line)
            if len(lines) == LINES:
                yield lines
                lines = []
    if lines:
        yield lines


def digest(ids: Any, offsets: Any) -> Figures:
    """Return how many ids there are, and a hash of them and of where documents begin."""
    raw = ids.astype("<u4").tobytes() + offsets.astype("<i8").tobytes()
    return {"ids": int(ids.size), "digest": hashlib.sha256(raw).hexdigest()}


CONTENDERS: dict[str, harness.Contender] = {"toktk": toktk, "hf": hf}

# The parent ---------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--tokenizer", action="append", required=True, help="a tokenizer.json; repeatable")
    add("--corpus", action="append", type=Path, required=True, help="text file or folder of .txt")
    add("--bytes", type=harness.size, default=200_000_000, help="of each corpus (200M)")
    add("--threads", type=int, default=2)
    add("--repeats", type=int, default=3, help="processes of each contender")
    add("--only", choices=CONTENDERS, help="run this one alone")
    add("--timeout", type=float, default=3600)
    add("--name", default="shards", help="of the result files")
    return parser.parse_args()


def rate(size: int, time: str) -> Callable[[Run], float]:
    """Return what gives the MB of a whole process for each second of its "wall" or "cpu" time."""
    return lambda run: size / 1e6 / run["process"][time]


def one_table(
    tokenizer: str, file: Path, folder: Path, chosen: argparse.Namespace
) -> tuple[Table, dict[str, Any]]:
    """Run one text and tokenizer through the contenders, in turn."""
    facts = harness.text_facts(file)
    speed = ("s", "MB/s", "time × toktk", "CPU s", "MB/s of a core", "CPU × toktk")
    columns = ("engine", *speed, "peak, MB", "ids")
    label = Path(tokenizer).parent.name or Path(tokenizer).stem
    title = f"{label}: {facts['name']}, {facts['bytes'] / 1e6:,.0f} MB, {facts['lines']:,} lines"
    table = Table(f"{title}, {chosen.threads} threads", columns)
    harness.say(table.title)
    arguments = {"tokenizer": tokenizer, "file": str(file)}
    runs: dict[str, list[Run]] = {}
    # Kernels are compiled, and the verdict on the tokenizer is known.
    one_turn(arguments, ["toktk"], folder, chosen)
    for _ in range(chosen.repeats):
        names = [chosen.only] if chosen.only else [*CONTENDERS]
        for name, run in one_turn(arguments, names, folder, chosen).items():
            runs.setdefault(name, []).append(run)
    expected = runs.get("toktk", [{}])[0].get("figures")
    for name, done in runs.items():
        if why := harness.failed(done):
            table.rows.append((name, f"failed: {why}", *["–"] * 7))
            continue
        figures = done[0]["figures"]
        same = expected is None or figures["digest"] == expected["digest"]
        process = [run["process"] for run in done]
        table.rows.append(
            (
                name,
                harness.spread([each["wall"] for each in process]),
                harness.spread([rate(facts["bytes"], "wall")(run) for run in done], 1),
                harness.ratio_cell(done, runs.get("toktk", []), lambda run: run["process"]["wall"]),
                harness.spread([each["cpu"] for each in process]),
                harness.spread([rate(facts["bytes"], "cpu")(run) for run in done], 1),
                harness.ratio_cell(done, runs.get("toktk", []), lambda run: run["process"]["cpu"]),
                harness.spread([each["peak"] / 1e6 for each in process], 0),
                f"{figures['ids']:,}: {'equal' if same else 'DIFFERENT'}",
            )
        )
    return table, {"text": facts, "tokenizer": label, "runs": runs}


def one_turn(
    arguments: dict[str, Any], names: list[str], folder: Path, chosen: argparse.Namespace
) -> dict[str, Run]:
    """Run contenders once each, each into an empty folder."""
    runs = {}
    for name in names:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            job = Job(name, name, arguments | {"folder": out}, chosen.threads)
            (runs[name],) = harness.interleave(Path(__file__), [job], 1, chosen.timeout)[name]
    return runs


def main() -> None:
    """Run everything that was asked for."""
    chosen = options()
    head = harness.facts() | {"command": harness.command_line()}
    tables, raw = [], []
    with tempfile.TemporaryDirectory() as name:
        for corpus in chosen.corpus:
            file = harness.material(corpus, chosen.bytes, Path(name))
            for tokenizer in chosen.tokenizer:
                table, runs = one_table(tokenizer, file, Path(name), chosen)
                tables.append(table)
                raw.append(runs)
    harness.report(chosen.name, head, tables, raw)


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
