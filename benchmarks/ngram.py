"""What n-gram bits per byte cost, and whether other programs say the same.

    python benchmarks/ngram.py time --text text.txt --bytes 50M --size 128k --lmplz kenlm/bin/lmplz
    python benchmarks/ngram.py check --lmplz kenlm/bin/lmplz --kenlm venv/bin/python --nltk venv/bin/python

`time`: a vocabulary is trained on the text, outside the clock. Of its lines, a fifth is priced by models that
are counted on the others: first of two orders alone, as far as counting goes, then of all three. `--lmplz`
times KenLM's estimation of the same ids beside them, from a text of numbers to an ARPA file. The table goes
to results/ngram.md.

`check`: probabilities beside those of KenLM and nltk, which the Pythons of `--kenlm` and `--nltk` have.
KenLM's wheel holds no lmplz; its source does, and needs Boost. The exit code is 1 where a figure differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness import Job, Steps, Table

if TYPE_CHECKING:
    import numpy as np

HERE = Path(__file__)
NEAR = {"KenLM": 1e-5, "nltk": 1e-9}  # KenLM keeps logarithms in 32 bits

_KENLM = """
import json, sys, kenlm
model = kenlm.Model(sys.argv[1])
print(json.dumps([[p for p, _, _ in model.full_scores(line.strip())] for line in open(sys.argv[2])]))
"""
_NLTK = """
import json, sys
from nltk.lm import KneserNeyInterpolated
from nltk.util import everygrams
order, learned, priced = json.load(open(sys.argv[1]))
texts = [["<s>", *map(str, own), "</s>"] for own in learned]
model = KneserNeyInterpolated(order, discount=0.75)
model.fit([everygrams(text, max_len=order) for text in texts], [word for text in texts for word in text])
found = []
for own in priced:
    text = ["<s>", *map(str, own), "</s>"]
    for i in range(1, len(text)):
        context = text[max(0, i - order + 1):i]
        # Where a context goes back to the beginning, nltk counts shorter n-grams otherwise.
        known = len(context) == order - 1 and (order == 2 or "<s>" not in context)
        found.append(model.score(text[i], context) if known else None)
print(json.dumps(found))
"""


# How long it takes --------------------------------------------------------------------------------


def count(arguments: dict[str, Any], steps: Steps) -> tuple[dict[str, Any], None]:
    """Cut, encode and count what is learned from, then price the rest."""
    with steps("import"):
        import numpy as np

        import toktk
        from toktk.arrays import packed
        from toktk.evaluation.ngrams import CutDocuments, NgramCounts
        from toktk.kernels.ngrams import PairTable
    tokenizer = toktk.load(arguments["tokenizer"])
    raw = Path(arguments["text"]).read_bytes().split(b"\n")
    priced, learned = (packed(own) for own in (raw[::5], [t for i, t in enumerate(raw) if i % 5]))
    jobs = arguments["threads"]
    cut = [CutDocuments(tokenizer.pretokenizer, *own) for own in (learned, priced)]
    with steps("encode"):
        tokens, to_price = (own.tokens(tokenizer, jobs) for own in cut)
    n = tokenizer.vocab_size
    with steps("pairs alone"):
        PairTable(n + 1).count(tokens, tokens, tokens, np.zeros(n + 2, dtype=np.int64))
    counts = NgramCounts(n)
    with steps("count"):
        starts = np.append(np.flatnonzero(tokens == n + 1)[:: 1 << 14], tokens.size)
        for first, last in itertools.pairwise(starts):
            counts.add(tokens[first:last])
    with steps("estimate"):
        model = counts.estimate()
    with steps("price"):
        bits = model.bits(to_price).sum(axis=1)
    return {
        "learned": int(learned[0].size),
        "priced": int(priced[0].size),
        "tokens": int(tokens.size),
        "bpb": (bits / priced[0].size).round(6).tolist(),
    }, None


def lmplz(arguments: dict[str, Any], steps: Steps) -> tuple[dict[str, Any], None]:
    """Have KenLM estimate the same ids, written as numbers before the clock starts."""
    with tempfile.TemporaryDirectory() as name, steps(f"order {arguments['order']}"):
        command = [arguments["lmplz"], "-o", str(arguments["order"]), "--text", arguments["ids"],
                   "--arpa", f"{name}/model.arpa", "-T", name, "-S", "4G", "--discount_fallback"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    return {}, None


def prepare(options: argparse.Namespace, folder: Path) -> tuple[Path, Path, Path]:
    """Return the text, the tokenizer, and the ids of what is learned from, as a text of numbers."""
    import toktk

    text = harness.material(options.text, options.bytes, folder)
    harness.say(f"training {options.size:,} tokens")
    corpus = toktk.load_corpus(str(text))
    tokenizer = toktk.train("bpe", corpus, [options.size])[options.size]
    tokenizer.save(folder / "tokenizer")
    ids = folder / "ids.txt"
    with ids.open("w") as out:
        for i, line in enumerate(text.read_bytes().split(b"\n")):
            if options.lmplz and i % 5:
                out.write(" ".join(map(str, tokenizer.encode(line.decode()))) + "\n")
    return text, folder / "tokenizer", ids


def time_it(options: argparse.Namespace) -> None:
    """Time counting and pricing in fresh processes, and write the results."""
    head = harness.facts() | {"command": harness.command_line()}
    with tempfile.TemporaryDirectory() as name:
        text, tokenizer, ids = prepare(options, Path(name))
        paths = {"text": str(text), "tokenizer": str(tokenizer)}
        jobs = [
            Job(f"toktk, {n} threads" if n > 1 else "toktk, 1 thread", "count", paths, n)
            for n in (1, 2)
        ]
        if options.lmplz:
            jobs += [
                Job(f"lmplz, order {n}", "lmplz",
                    {"lmplz": str(options.lmplz.resolve()), "order": n, "ids": str(ids)})
                for n in (2, 3)
            ]  # fmt: skip
        harness.run(HERE, jobs[0], options.timeout)  # kernels are compiled
        runs = harness.interleave(HERE, jobs, options.repeats, options.timeout)
        facts = harness.text_facts(text)
    harness.report("ngram", head | {"texts": [facts]}, [*tables(runs, options.size)], runs)


def tables(runs: dict[str, list[harness.Run]], size: int) -> Sequence[Table]:
    """Return the table of seconds of each step."""
    ours = ("encode", "pairs alone", "count", "estimate", "price")
    figures = next(iter(runs.values()))[0]["figures"]
    learned, priced = (f"{figures[name] / 1e6:.1f} MB" for name in ("learned", "priced"))
    table = Table(
        f"{size:,} tokens, {learned} ({figures['tokens']:,} ids) learned from, {priced} priced",
        (
            "contender",
            *(f"{step}, s" for step in ours),
            "bigrams, s",
            "all three orders, s",
            "peak, MB",
        ),
    )
    for label, own in runs.items():
        if harness.failed(own) or label.startswith("lmplz"):
            total = harness.failed(own) or harness.spread([*map(harness.working, own)])
            order = 2 if label.endswith("2") else 3
            both = (total, "–") if order == 2 else ("–", total)
            table.rows.append((label, *["–"] * len(ours), *both, "–"))
            continue
        steps = [run["steps"] for run in own]
        of_two = [s["encode"] + s["pairs alone"] for s in steps]
        of_all = [harness.working(run) - run["steps"]["pairs alone"] for run in own]
        peaks = [run["process"]["peak"] / 1e6 for run in own]
        cells = [harness.spread([s[step] for s in steps]) for step in ours]
        table.rows.append(
            (
                label,
                *cells,
                harness.spread(of_two),
                harness.spread(of_all),
                harness.spread(peaks, 0),
            )
        )
    table.remarks.append(
        "encode: what is learned from and what is priced. pairs alone: counting of two orders, apart. count: "
        "of all three. Bigrams: encode and pairs alone. lmplz estimates and writes a file; it does not "
        "encode or price."
    )
    bpb = ", ".join(f"{value:.4f}" for value in figures["bpb"])
    table.remarks.append(f"Bits per byte of the orders 1 to 3: {bpb}.")
    return [table]


# Whether it is right ------------------------------------------------------------------------------


def stream_of(documents: Sequence[Sequence[int]], n_ids: int) -> np.ndarray:
    """Return documents as `NgramCounts` takes them."""
    import numpy as np

    return np.array([t for own in documents for t in (n_ids + 1, *own, n_ids)], dtype=np.int64)


def by_kenlm(
    options: argparse.Namespace,
    order: int,
    learned: Sequence[Sequence[int]],
    priced: Sequence[Sequence[int]],
) -> list[float]:
    """Return the probability of each token and end of the priced documents by lmplz and KenLM's module."""
    with tempfile.TemporaryDirectory() as name:
        paths = [f"{name}/{part}" for part in ("learned", "priced", "arpa")]
        for path, documents in zip(paths, (learned, priced), strict=False):
            Path(path).write_text("".join(" ".join(map(str, own)) + "\n" for own in documents))
        command = [
            options.lmplz,
            "-o",
            str(order),
            "--text",
            paths[0],
            "--arpa",
            paths[2],
            "-S",
            "1G",
        ]
        subprocess.run(command, check=True, capture_output=True)
        found = _python(options.kenlm, _KENLM, paths[2], paths[1])
    return [10**logarithm for own in found for logarithm in own]


def by_nltk(
    options: argparse.Namespace,
    order: int,
    learned: Sequence[Sequence[int]],
    priced: Sequence[Sequence[int]],
) -> list[float | None]:
    """Return the same by nltk, with a discount of 0.75; None where it counts otherwise."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "texts.json"
        path.write_text(json.dumps([order, learned, priced]))
        found: list[float | None] = _python(options.nltk, _NLTK, str(path))
    return found


def _python(python: Path, code: str, *arguments: str) -> Any:
    command = [str(python), "-c", code, *arguments]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def check(options: argparse.Namespace) -> int:
    """Compare probabilities, print the largest differences, and return how many are too large."""
    sys.path.insert(0, str(HERE.parents[1] / "tests"))
    from ngram_samples import N_IDS, learned, priced

    from toktk.educational import kneser_ney
    from toktk.evaluation.ngrams import NgramCounts

    def report(
        what: str, order: int, ours: Sequence[float], theirs: Sequence[float | None]
    ) -> bool:
        both = [(a, b) for a, b in zip(ours, theirs, strict=True) if b is not None]
        worst = max(abs(math.log(a / b)) for a, b in both)
        print(f"{what}, order {order}: {len(both)} probabilities, the worst off by {worst:.1e}")
        return worst > NEAR[what]

    wrong = 0
    if options.kenlm:
        counts = NgramCounts(N_IDS + 1)  # an unknown word is one more
        counts.add(stream_of(learned(), N_IDS + 1))
        tokens = stream_of(priced(), N_IDS + 1)
        of_orders = counts.estimate().probabilities(tokens)
        for order in (2, 3):  # the module reads no file of one order
            ours = of_orders[order - 1][tokens != N_IDS + 2].tolist()
            wrong += report("KenLM", order, ours, by_kenlm(options, order, learned(), priced()))
    if options.nltk:
        for order in (2, 3):
            fixed = [(0.0, 0.0, 0.0), *[(0.75, 0.75, 0.75)] * (order - 1)]
            p = kneser_ney(learned(), order, N_IDS, fixed)
            ours = [
                p(token, [-1, *own][: i + 1])
                for own in priced()
                for i, token in enumerate([*own, N_IDS])
            ]
            wrong += report("nltk", order, ours, by_nltk(options, order, learned(), priced()))
    return wrong


def main() -> None:
    contenders: dict[str, Callable[..., Any]] = {"count": count, "lmplz": lmplz}
    if harness.serve(contenders):
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True, dest="verb")
    timed = commands.add_parser("time", help="seconds of each step")
    timed.add_argument("--text", type=Path, required=True, help="a document a line")
    timed.add_argument(
        "--bytes", type=harness.size, default=50_000_000, help="of which a fifth is priced"
    )
    timed.add_argument("--size", type=harness.size, default=128_000)
    timed.add_argument("--repeats", type=int, default=5)
    timed.add_argument("--timeout", type=float, default=600)
    checked = commands.add_parser("check", help="probabilities beside those of others")
    checked.add_argument("--kenlm", type=Path, help="a Python with kenlm; wants --lmplz")
    checked.add_argument("--nltk", type=Path, help="a Python with nltk")
    for command in (timed, checked):
        command.add_argument("--lmplz", type=Path, help="KenLM's program")
    options = parser.parse_args()
    if options.verb == "time":
        time_it(options)
    else:
        sys.exit(1 if check(options) else 0)


if __name__ == "__main__":
    main()
