"""What statistics cost.

    python benchmarks/stats.py trainings help.parquet --group-column lang --align-column id --jobs 2

`trainings`: one training, the text counted for it, in turn with five on resamples that are compared with one
another (`toktk replicate --trainings 5`), both at all sizes, nothing taken from the store. Prints the seconds
of each, and their ratio: the median of the pairs, the least and the most.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from toktk.corpus import train_and_test
from toktk.corpus.options import ReaderOptions
from toktk.lab.counted import CountedCorpora
from toktk.lab.meter import Meter
from toktk.lab.plan import SweepPlan
from toktk.lab.train import Trainings
from toktk.lab.trainings import Resampling, stabilities
from toktk.sizes import DEFAULT_SIZES, parse_size


def seconds(run: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def train_once(plan: SweepPlan) -> None:
    """Count the text and train each family, as `toktk train` does."""
    plan = replace(plan, evaluation=None)
    trainings = Trainings(plan, CountedCorpora(Meter(), plan.jobs, force=True))
    for family in plan.families:
        trainings.of(family)


def trainings(options: argparse.Namespace) -> None:
    """Compare one training with several."""
    reader = ReaderOptions(group_column=options.group_column, align_column=options.align_column)
    plan = SweepPlan(
        *train_and_test(options.text, (), reader),
        tuple(sorted(map(parse_size, options.sizes.split(",")))),
        (options.trainer,),
        jobs=options.jobs,
        force=True,
    )
    for corpus in (plan.training, plan.evaluation):  # both begin with texts that are split
        if corpus is not None:
            corpus.hash_contents()
    resampling = Resampling(options.trainings)
    contenders: list[Callable[[], Any]] = [
        lambda: train_once(plan),
        lambda: stabilities(plan, resampling, Meter()),
    ]
    for run in contenders:  # kernels are compiled
        run()
    print("one training   several   ratio")
    ratios = []
    for _ in range(options.repeats):
        once, several = map(seconds, contenders)
        ratios.append(several / once)
        print(f"{once:10.2f} s {several:7.2f} s {ratios[-1]:7.2f}", flush=True)
    middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
    what = f"{options.trainings} {options.trainer} trainings, {options.jobs} threads"
    print(f"{what}: {middle:.2f} times as long as one ({least:.2f} to {most:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("trainings", help="one training against several")
    command.set_defaults(run=trainings)
    command.add_argument("text", help="the text to train on, such as help-20lang.parquet")
    command.add_argument("--group-column")
    command.add_argument("--align-column")
    command.add_argument("--trainer", default="bpe")
    command.add_argument("--sizes", default=",".join(map(str, DEFAULT_SIZES)))
    command.add_argument("--trainings", type=int, default=5)
    command.add_argument("--jobs", type=int, default=2)
    command.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
