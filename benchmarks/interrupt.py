"""Ctrl-C in every phase of every verb: how long until the command has ended, and what it leaves.

Each command runs on a terminal of its own. Ctrl-C is pressed when the terminal shows that the phase has
begun: a step by its progress bar, an import by ``-X importtime``. Required are exit code 130 within two
seconds, one line that says so, no traceback, the cursor, no process and no temporary file.

    python benchmarks/interrupt.py --results benchmarks/results/interrupt.txt
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trials

LIMIT = 2.0  # seconds
_SHOWN, _HIDDEN = "\x1b[?25h", "\x1b[?25l"


@dataclass(frozen=True)
class Phase:
    """A moment of a command: `until` shows on its terminal; `words` may hold {text}, {run}, {out}.

    Ctrl-C is pressed `after` as many seconds. `cold` commands have no compiled kernels, `imports` ones
    print what they import.
    """

    name: str
    words: str
    until: str
    after: float = 0.0
    cold: bool = False
    imports: bool = False


_HANGS = r".*.*.*.*.*=.*|."  # on a line without =
_SWEEP = "sweep -c {text} -s 4k,8k -t bpe -t unigram -o {out}"
_TRAIN = "train -c {text} -s 4k -o {out} -t "
_BENCH = "bench {run}/tokenizers/bpe-4k {run}/tokenizers/unigram-4k -c {text} -o {out}"
PHASES = [
    Phase("start", "ls metrics", "click.core", imports=True),
    Phase("start of numba", _SWEEP, "numba.core.types", imports=True),
    Phase("compiling", _SWEEP, "compiling (once)", cold=True),
    *[Phase(f"compiling, {s:g} s", _SWEEP, "count text", s, cold=True) for s in (0, 1, 3, 10)],
    Phase("fingerprint", _SWEEP, "fingerprint"),
    Phase("count", _SWEEP, "count text"),
    Phase("train bpe", _SWEEP, "train bpe"),
    Phase("train unigram", _SWEEP, "train unigram"),
    Phase("measure", _SWEEP, "measure"),
    Phase("write", _SWEEP, "write"),
    *[
        Phase(f"train {trainer}, {seconds:g} s", _TRAIN + trainer, f"train {trainer}", seconds)
        for seconds in (0, 1)
        for trainer in ("hf-bpe", "hf-unigram", "hf-wordpiece", "sp-bpe", "sp-unigram")
    ],
    *[
        Phase(f"bench {step}, {seconds:g} s", _BENCH, f"{step} ", seconds)
        for step in ("load", "check", "measure", "time")
        for seconds in ((0, 4, 12) if step == "time" else (0,))
    ],
    Phase("check, a pattern that hangs", "bench {run}/hangs.json -c {text} -o {out}", "check ", 2),
    Phase(
        "count, a pattern that hangs",
        f"sweep -c {{text}} -s 4k -t bpe --pattern {_HANGS} -o {{out}}",
        "count text",
        2,
    ),
    Phase("convert", "convert {run}/tokenizers/bpe-4k -o {out}.json", "numpy", imports=True),
    Phase("ls", "ls trainers", "toktk.registry", imports=True),
    Phase("env", "env", "toktk.lab.environment", imports=True),
    Phase("cache", "cache", "toktk.errors", imports=True),
]


def interrupt(phase: Phase, folder: Path, kernels: Path | None) -> tuple[trials.Ended, list[str]]:
    """Interrupt a command in a phase; return how it ended and what is wrong with that.

    `folder` holds ``text.txt``, for a bench ``run``, a run of `_SWEEP`; `kernels` are compiled ones.
    """
    home, out = folder / "home", folder / "out"
    trials.fresh_home(home, None if phase.cold else kernels)
    shutil.rmtree(out, ignore_errors=True)
    words = phase.words.format(text=folder / "text.txt", run=folder / "run", out=out).split()
    options = ["-X", "importtime"] * phase.imports
    mark = f"{phase.name}-{folder.name}"
    ended = trials.on_terminal(
        [sys.executable, *options, "-m", "toktk", *words],
        trials.environment(home, mark),
        f" {phase.until}\r" if phase.imports else phase.until,
        phase.after,
    )
    wrong = []
    if ended.seconds is None:
        wrong.append("the phase was not seen")
    if ended.code != 130:
        wrong.append(f"exit code {ended.code}")
    if ended.screen.count("Interrupted.") != 1:
        wrong.append(f"{ended.screen.count('Interrupted.')} lines say so")
    if "Traceback" in ended.screen or "Exception" in ended.screen:
        wrong.append("a traceback")
    if ended.screen.rfind(_HIDDEN) > ended.screen.rfind(_SHOWN):
        wrong.append("the cursor is hidden")
    if left := trials.survivors(mark, ended.group):
        wrong.append(f"{len(left)} processes live")
    if left := trials.litter(home, out):
        wrong.append(f"left: {', '.join(left)}")
    return ended, wrong


def prepare(folder: Path, size: int, kernels: Path) -> None:
    """Write the text and the run that phases read; compile kernels for them."""
    home = trials.fresh_home(folder / "prepared", kernels)
    text = trials.write_text(folder / "text.txt", size)
    words = _SWEEP.format(text=text, out=folder / "run").split()
    subprocess.run(
        trials.command(*words, "-q"),
        env=trials.environment(home, "prepare"),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    sound = json.loads((folder / "run/tokenizers/bpe-4k/tokenizer.json").read_text("utf-8"))
    split = {"type": "Split", "pattern": {"Regex": _HANGS}, "behavior": "Isolated", "invert": False}
    sound["pre_tokenizer"]["pretokenizers"][0] = split
    (folder / "run/hangs.json").write_text(json.dumps(sound), encoding="utf-8")


def main() -> None:
    """Interrupt every phase, print a table, and exit with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=20_000_000, help="characters of text")
    parser.add_argument("--kernels", type=Path, help="a folder of compiled kernels to share")
    parser.add_argument("--only", help="phases whose name holds this")
    parser.add_argument("--results", type=Path, help="write the table here, too")
    options = parser.parse_args()
    table, bad = [f"{'phase':28} {'exit':>4} {'seconds':>7}  wrong"], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kernels = options.kernels or folder / "kernels"
        prepare(folder, options.size, kernels)
        for phase in PHASES:
            if options.only and options.only not in phase.name:
                continue
            ended, wrong = interrupt(phase, folder, kernels)
            if ended.seconds is not None and ended.seconds > LIMIT:
                wrong.append("late")
            bad += bool(wrong)
            seconds = "" if ended.seconds is None else f"{ended.seconds:.2f}"
            table.append(f"{phase.name:28} {ended.code:>4} {seconds:>7}  {'; '.join(wrong) or '-'}")
            print(table[-1], flush=True)
    table.append(f"{len(table) - 1} phases, {bad} wrong")
    print(table[-1])
    if options.results:
        options.results.write_text("\n".join(table) + "\n", encoding="utf-8")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
