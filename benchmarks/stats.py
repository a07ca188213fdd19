"""What statistics cost.

    python benchmarks/stats.py intervals help.parquet --group-column lang --align-column id --jobs 2
    python benchmarks/stats.py trainings help.parquet --group-column lang --align-column id --jobs 2

`intervals`: what a sweep measures, its text counted for it, in turn with and without intervals, nothing taken
from the store; without, what they need is replaced by nothing.

`trainings`: one training, the text counted for it, in turn with five on resamples that are compared with one
another (`toktk replicate --trainings 5`), both at all sizes, nothing taken from the store. Prints the seconds
of each, and their ratio: the median of the pairs, the least and the most.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

import toktk
from toktk.corpus import Corpus, train_and_test
from toktk.corpus.options import ReaderOptions
from toktk.lab.counted import CountedCorpora
from toktk.lab.family import FamilyFigures, TokenizerFamily
from toktk.lab.intervals import NO_BOUNDS, IntervalMaker
from toktk.lab.measure import Measurer
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter
from toktk.lab.plan import SweepPlan
from toktk.lab.recording import Recorder
from toktk.lab.train import Trainings
from toktk.lab.trainings import Resampling, stabilities
from toktk.pieces.sample import Sample
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


def without_intervals() -> list[Any]:
    """Replace what intervals need by nothing."""

    def none_spelled(counted: CountedCorpora, *_: Any) -> Any:
        pieces = SimpleNamespace(quantities=lambda sized: {"tokens": sized})
        intervals = SimpleNamespace(chosen=None, pieces=pieces, units=None)
        intervals.intervals = lambda *_: {}
        return intervals

    put = mock.patch.object
    return [
        put(Sample, "see", lambda self, batch: None),
        put(Sample, "merge", lambda self, others: None),
        put(CountedCorpora, "_keep_sample", lambda self, *_: None),
        put(CountedCorpora, "spelled_units", none_spelled),
        put(Recorder, "_knee", lambda self, *_: []),
        put(Recorder, "document_counts", lambda self: None),
        put(IntervalMaker, "bounds", lambda self, *_: NO_BOUNDS),
    ]


def measure_all(families: list[TokenizerFamily], corpus: Corpus, jobs: int) -> int:
    """Count a text and measure families on it, nothing stored; return how many figures have intervals."""
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, TOKTK_HOME=home):
        measurer = Measurer(corpus, Measures(), CountedCorpora(Meter(), jobs, force=True))
        outcomes = [outcome for _, outcome in measurer.measure(families)]
    records = [r for o in outcomes if isinstance(o, FamilyFigures) for r in o.results]
    return sum(record.low is not None for record in records)


def intervals(options: argparse.Namespace) -> None:
    """Measure what a sweep measures, in turn with and without intervals."""
    reader = ReaderOptions(group_column=options.group_column, align_column=options.align_column)
    training, evaluation = train_and_test(options.text, (), reader)
    if options.all:
        evaluation = training
    if evaluation is None:
        raise SystemExit("the text has no part to measure on")
    sizes = tuple(sorted(map(parse_size, options.sizes.split(","))))
    families = []
    for trainer in options.trainers.split(","):
        trained = toktk.train(trainer, training, sizes=sizes, jobs=options.jobs)
        named = {f"{trainer}-{size}": tokenizer for size, tokenizer in trained.items()}
        families.append(TokenizerFamily(trainer, named, trainer))
    evaluation.hash_contents()

    def plain() -> None:
        with contextlib.ExitStack() as stack:
            for patch in without_intervals():
                stack.enter_context(patch)
            if measure_all(families, evaluation, options.jobs):
                raise SystemExit("intervals were made where none should be")

    def full() -> None:
        if not measure_all(families, evaluation, options.jobs):
            raise SystemExit("no intervals were made")

    for run in (plain, full):  # kernels are compiled
        run()
    print("without       with    ratio")
    ratios = []
    for _ in range(options.repeats):
        before, after = map(seconds, (plain, full))
        ratios.append(after / before)
        print(f"{before:7.2f} s {after:7.2f} s {ratios[-1]:7.2f}", flush=True)
    middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
    what = f"{options.trainers}, {len(sizes)} sizes, {options.jobs} threads"
    share = 1 - 1 / middle
    print(
        f"{what}: measuring takes {middle:.2f} times as long ({least:.2f} to {most:.2f}); intervals are "
        f"{share:.0%} of it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    help_of = {
        "intervals": "measuring with and without intervals",
        "trainings": "one training against several",
    }
    for name, run in (("intervals", intervals), ("trainings", trainings)):
        command = commands.add_parser(name, help=help_of[name])
        command.set_defaults(run=run)
        command.add_argument("text", help="a text, such as help-20lang.parquet")
        command.add_argument("--group-column")
        command.add_argument("--align-column")
        command.add_argument("--sizes", default=",".join(map(str, DEFAULT_SIZES)))
        command.add_argument("--jobs", type=int, default=2)
        command.add_argument("--repeats", type=int, default=5)
        if name == "intervals":
            command.add_argument("--trainers", default="bpe,unigram")
            command.add_argument("--all", action="store_true", help="measure on all of the text")
        else:
            command.add_argument("--trainer", default="bpe")
            command.add_argument("--trainings", type=int, default=5)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
