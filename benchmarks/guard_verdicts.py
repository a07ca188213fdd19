"""What `guard.py` says of the times it took, by toktk's statistics; a process of its own: JSON in, JSON out.

The process that starts the runs must stay small, since Linux hands its peak memory down to them.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from toktk.stats import student
from toktk.stats.difference import paired_means, verdicts

LEVEL = 0.95  # of all verdicts of a comparison together, whenever it ends
MOST_ROUNDS = 10_000

Times = dict[str, tuple[list[float], list[float]]]
"""For each job the times of one side and of the other, round by round."""


def judged(times: Times, margin: float, n_looks: int) -> dict[str, dict[str, Any]]:
    """Return ratio, 95 % interval and verdict of each job, and how many more rounds an undecided one needs.

    Verdicts are Holm's over all jobs, at a level that pays for `n_looks` looks (Bonferroni). Jobs that were
    decided at an earlier look belong to the family with the times they have.
    """
    error = (1 - LEVEL) / n_looks
    differences = [paired_means(here, other, zone=margin) for here, other in times.values()]
    lower_is_better = [True] * len(differences)
    said = verdicts(differences, zone=margin, level=1 - error, lower_is_better=lower_is_better)
    rows = {}
    for job, difference, verdict in zip(times, differences, said, strict=True):
        ratio, low, high = (1 + d for d in (difference.value, difference.low, difference.high))
        more = None
        if verdict == "undecided":
            deviation = math.log(high / ratio) / student.quantile((1 + LEVEL) / 2, difference.n - 1)
            deviation *= math.sqrt(difference.n)
            share = error / said.count("undecided")
            more = more_rounds(math.log(ratio), deviation, difference.n, margin, share)
        rows[job] = {
            "ratio": ratio,
            "low": low,
            "high": high,
            "rounds": difference.n,
            "verdict": verdict,
            "more_rounds": more,
        }
    return rows


def more_rounds(mean: float, deviation: float, n: int, margin: float, error: float) -> int | None:
    """Return how many more rounds decide a job, if they are like its first `n`; None for very many.

    They are enough when its mean log ratio is told from 0 or from the margin, with this rate of error.
    """
    for rounds in range(n + 1, n + MOST_ROUNDS):
        reach = deviation / math.sqrt(rounds)
        differs = abs(mean) > student.quantile(1 - error / 2, rounds - 1) * reach
        room = math.log1p(margin) - abs(mean)
        if differs or room > student.quantile(1 - error, rounds - 1) * reach:
            return rounds - n
    return None


if __name__ == "__main__":
    json.dump(judged(**json.load(sys.stdin)), sys.stdout)
