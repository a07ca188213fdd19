"""How the distinct pieces of real text grow with its bytes (Heaps), and what that says of a terabyte.

    python benchmarks/heaps.py texts/help texts/code.txt

A text falls into 128 folds by a hash of each document, and is counted once. The first 1, 2, 4 … folds are
samples of it, nested, from anywhere in the text: how many different pieces they have is how many first
occur in those folds. A straight line through the logarithms is Heaps' law, ``pieces = K * bytes ** beta``;
beta is also given between the last two samples, where it is smallest.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import harness

_FOLDS = 128
_AHEAD = (10**9, 10**10, 10**11, 10**12, 10**13)


def measure(path: Path, pretokenizer: str) -> tuple[list[tuple[int, int, int]], dict[str, float]]:
    """Return (bytes, distinct pieces, those that occur twice or more) of the nested samples, and facts."""
    import numpy as np

    from toktk.corpus import load_corpus
    from toktk.kernels.constants import BYTES
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.runtime import usable_cores

    corpus = load_corpus(path).in_folds(_FOLDS)
    table = count_corpus(corpus, Pretokenizer.of(pretokenizer), jobs=usable_cores())
    samples = []
    for n in (2**k for k in range(int(math.log2(_FOLDS)) + 1)):
        occurrences = np.where(table.entry_group < n, table.entry_count, 0)
        counts = np.add.reduceat(occurrences, table.rows[:-1])
        n_bytes = int(table.totals[:n, BYTES].sum())
        samples.append((n_bytes, int((counts > 0).sum()), int((counts > 1).sum())))
    lengths = np.diff(table.offsets)
    return samples, {"mean bytes of a distinct piece": float(lengths.mean())}


def fitted(samples: list[tuple[int, int, int]]) -> tuple[float, float, float]:
    """Return K and beta of the line of least squares, and beta between the last two samples."""
    x = [math.log(n_bytes) for n_bytes, _, _ in samples]
    y = [math.log(pieces) for _, pieces, _ in samples]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    slope /= sum((a - mean_x) ** 2 for a in x)
    return math.exp(mean_y - slope * mean_x), slope, (y[-1] - y[-2]) / (x[-1] - x[-2])


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("-p", "--pretokenizer", default="o200k")
    chosen = parser.parse_args()
    head = {**harness.facts(), "command": harness.command_line()}
    growth, laws, ahead, runs = [], [], [], {}
    for path in chosen.texts:
        samples, facts = measure(path, chosen.pretokenizer)
        k, beta, last = fitted(samples)
        n_bytes, pieces, _ = samples[-1]
        growth += [(path.name, f"{n / 1e6:,.1f}", f"{p:,}", f"{t / p:.0%}") for n, p, t in samples]
        mean = facts["mean bytes of a distinct piece"]
        laws.append((path.name, f"{k:.2f}", f"{beta:.3f}", f"{last:.3f}", f"{mean:.1f}"))
        # The exponent still falls: no more than this is to be expected.
        expected = [pieces * (target / n_bytes) ** last / 1e6 for target in _AHEAD]
        ahead.append((path.name, *(f"{millions:,.1f}" for millions in expected)))
        runs[path.name] = {
            "samples": samples,
            "K": k,
            "beta": beta,
            "beta at the end": last,
            **facts,
        }
    harness.report(
        "heaps",
        head,
        [
            harness.Table(
                "Distinct pieces of nested samples",
                ("text", "MB", "distinct pieces", "of those, twice or more"),
                growth,
            ),
            harness.Table(
                "Heaps' law",
                ("text", "K", "beta", "beta at the end", "bytes of a distinct piece"),
                laws,
            ),
            harness.Table(
                "Distinct pieces of more text, millions, with the exponent at the end",
                ("text", *(f"{target / 1e9:,.0f} GB" for target in _AHEAD)),
                ahead,
            ),
        ],
        runs,
    )


if __name__ == "__main__":
    main()
