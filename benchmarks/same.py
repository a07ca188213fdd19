"""Compare what two checkouts give: every figure, every curve, and every tokenizer file byte for byte.

    python benchmarks/same.py BEFORE AFTER --corpus help.parquet --group-column lang --align-column id \
        --tokenizer tekken.json --tokenizer model=spm:tokenizer.model --work /tmp/same

Each checkout sweeps (four trainers, two pretokenizers, seven sizes), then benches the tokenizers given, in a
home of its own below the work folder; a run that is there already is not made again. Records are matched by
tokenizer, group and metric. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TRAINERS = ("bpe", "unigram", "hf-bpe", "sp-unigram")
PRETOKENIZERS = ("o200k", "metaspace")
FIGURE = ("value", "low", "high", "unit", "n", "note", "trainer", "pretokenizer", "size", "corpus")
CURVE = ("trainer", "pretokenizer", "tokens")


def run(checkout: Path, arguments: Iterable[str], folder: Path, home: Path) -> None:
    """Run a command of a checkout, unless its run directory is complete."""
    if (folder / "run.json").exists():
        return
    environment = os.environ | {"PYTHONPATH": str(checkout), "TOKTK_HOME": str(home)}
    command = [sys.executable, "-P", "-m", "toktk", *arguments, "-o", str(folder), "-q"]
    subprocess.run(command, check=True, env=environment, cwd=checkout, stdout=subprocess.DEVNULL)


def rows(path: Path, key: tuple[str, ...], columns: tuple[str, ...]) -> dict[tuple[Any, ...], Any]:
    """Return {key: the other columns} of a Parquet file."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(path, columns=[*key, *columns]).to_pylist()
    by_key = {tuple(row[name] for name in key): [row[name] for name in columns] for row in table}
    if len(by_key) < len(table):
        raise SystemExit(f"{path}: rows of one key")
    return by_key


def files(folder: Path) -> dict[tuple[Any, ...], Any]:
    """Return {path below the folder: bytes}."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {(path.relative_to(folder).as_posix(),): path.read_bytes() for path in paths}


def compared(what: str, before: dict[Any, Any], after: dict[Any, Any]) -> bool:
    """Say how many are equal, and what the first five differences are."""
    keys = [*before, *(key for key in after if key not in before)]
    different = [key for key in keys if before.get(key) != after.get(key)]
    print(f"{what}: {len(before):,} before, {len(after):,} after, {len(different):,} differ")
    for key in different[:5]:
        print(f"  {key}: {before.get(key)!r:.160} -> {after.get(key)!r:.160}")
    return not different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--corpus", required=True, type=Path)
    parser.add_argument("--group-column", default="lang")
    parser.add_argument("--align-column", default="id")
    parser.add_argument("--tokenizer", action="append", default=[], metavar="SPEC")
    parser.add_argument("--work", required=True, type=Path)
    asked = parser.parse_args()
    text = ["-c", str(asked.corpus.resolve())]
    text += ["--group-column", asked.group_column, "--align-column", asked.align_column]
    sweep = ["sweep", *text, *(f"-t{name}" for name in TRAINERS)]
    sweep += [f"-p{name}" for name in PRETOKENIZERS]
    for side in ("before", "after"):
        work, checkout = asked.work / side, getattr(asked, side).resolve()
        run(checkout, sweep, work / "sweep", work / "home")
        if asked.tokenizer:
            bench = ["bench", *asked.tokenizer, *text, "--no-throughput"]
            run(checkout, bench, work / "bench", work / "home")
    before, after = asked.work / "before", asked.work / "after"
    equal = [
        compared(
            f"{kind}: records",
            *(
                rows(side / kind / "results.parquet", ("tokenizer", "group", "metric"), FIGURE)
                for side in (before, after)
            ),
        )
        for kind in ("sweep", "bench")
        if (before / kind).exists()
    ]
    key = ("tokenizer", "group", "size")
    curves = [rows(side / "sweep" / "curves.parquet", key, CURVE) for side in (before, after)]
    equal.append(compared("sweep: points of curves", *curves))
    folders = [files(side / "sweep" / "tokenizers") for side in (before, after)]
    equal.append(compared("sweep: tokenizer files", *folders))
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
