"""Several trainings on one text: how far figures spread, and how much of a vocabulary all of them share.

The text is cut and counted once, in folds. A resample is a sum of folds, drawn with replacement; a shard is
a fold. So each training begins with its piece table, and one training serves all sizes. Trainings run side by
side, one to a thread; each is kept as soon as it is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.corpus.folds import drawn
from toktk.errors import CorpusError, FormatError, PluginError, ToktkError, TrainingError, in_a_line
from toktk.lab.again import checked_run, experiment_of
from toktk.lab.agreement import NOT_MEASURED, Vocabularies, figures_of
from toktk.lab.counted import CountedCorpora
from toktk.lab.counted_corpus import CountedCorpus
from toktk.lab.meter import Meter, Watcher
from toktk.lab.outcome import without_figures
from toktk.lab.plan import Family, SweepPlan
from toktk.lab.reading import fingerprint_text, remark_on_texts
from toktk.lab.sweep import Sweep
from toktk.lab.train import Training, Trainings
from toktk.pieces.counter import ONE_GROUP
from toktk.pieces.table import weighted_sum
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.report.stability import RESAMPLES, SHARDS, Stability
from toktk.runtime import Threads
from toktk.sizes import size_label

FOLDS = 20
"""Of a text to train on, from which resamples are drawn."""

_MEASURED_FOLDS = 200
"""Of a text to measure on: what its interval rests on."""


@dataclass(frozen=True)
class Resampling:
    """How the texts of several trainings are drawn from one.

    Attributes:
        n: how many.
        shards: they are disjoint parts of the text, instead of resamples of it.
        seed: of the draws.
    """

    n: int
    shards: bool = False
    seed: int = 0

    @property
    def folds(self) -> int:
        """Into how many folds the text falls."""
        return self.n if self.shards else FOLDS

    @property
    def multiplicities(self) -> list[tuple[int, ...]]:
        """How often each fold counts, for each training."""
        if self.shards:
            return [tuple(int(i == fold) for fold in range(self.n)) for i in range(self.n)]
        return [drawn(FOLDS, i, self.seed) for i in range(self.n)]

    def check(self) -> None:
        """Raise TrainingError for fewer than two trainings."""
        if self.n < 2:
            raise TrainingError(
                f"cannot compare {self.n} trainings.",
                "Found: fewer than two.",
                "Ask for 2 or more.",
            )


class Stabilities(NamedTuple):
    """What came out: a record for each family and size, and the vocabularies of each family."""

    records: list[Stability]
    vocabularies: dict[str, Vocabularies]

    def confidence(self) -> pa.Table:
        """Return the tokens of each family and size, the surest first.

        The columns are family, size, token (bytes), trainings (how many have it), confidence (their share).
        """
        return pa.concat_tables(
            vocabularies.confidence(family, size)
            for family, vocabularies in self.vocabularies.items()
            for size in vocabularies.learned
        )


def plan_of(
    folder: Path, meter: Meter, jobs: int, force: bool, memory: int | None = None
) -> SweepPlan:
    """Return the plan of the run in a folder.

    Raises:
        StorageError: there is none; or it is that of a bench, which trained nothing.
        CorpusError: the text has changed.
    """
    experiment = experiment_of(checked_run(folder), meter, jobs, force, memory)
    if not isinstance(experiment, Sweep):
        raise TrainingError(
            f"cannot repeat the trainings of {folder}.",
            "Found: a bench, which trains nothing.",
            "Give the folder of a sweep, or text with -c.",
        )
    return experiment.plan


def stabilities(plan: SweepPlan, resampling: Resampling, meter: Meter) -> Stabilities:
    """Train each family of a plan several times, and compare what comes out.

    Raises:
        TrainingError: no family can be trained.
        CorpusError: the text cannot be read, or has too few documents to resample.
    """
    resampling.check()
    plan.check()
    each = 1 if plan.evaluation is None else 2  # training, and comparing what comes out
    stages = 1 + each * len(plan.families)
    meter.stage(1, stages)
    for role, corpus in (("training", plan.training), ("evaluation", plan.evaluation)):
        if corpus is not None:
            fingerprint_text(meter, role, corpus, plan.jobs)
    remark_on_texts(meter, plan.training, plan.evaluation)
    counted = CountedCorpora(meter, plan.jobs, plan.force, plan.memory)
    folded = plan.training.in_folds(resampling.folds)
    cuts = [family.training_cut for family in plan.families]
    counted.count_together(folded, [*dict.fromkeys(cut for cut in cuts if cut is not None)])
    _check_folds(plan.training, folded, resampling.folds, counted)
    measured = None
    if plan.evaluation is not None:
        measured = plan.evaluation.in_folds(_MEASURED_FOLDS)
    records: list[Stability] = []
    by_family: dict[str, Vocabularies] = {}
    failed: dict[str, ToktkError] = dict(plan.broken)
    for i, family in enumerate(plan.families):
        try:
            meter.stage(2 + i * each, stages)
            trainings = _trained(plan, family, resampling, folded, counted)
            sizes = _common_sizes(family, trainings, meter)
            vocabularies = Vocabularies.of(trainings, sizes)
            figures = dict.fromkeys(sizes, NOT_MEASURED)
            if measured is not None:
                meter.stage(3 + i * each, stages)
                figures = figures_of(family.label, trainings, sizes, measured, counted)
        except (TrainingError, FormatError, PluginError) as error:
            if len(plan.families) + len(plan.broken) == 1:
                raise
            failed[family.label] = error
            meter.remark(f"{family.label} is left out: {in_a_line(error)}")
            continue
        by_family[family.label] = vocabularies
        kind = SHARDS if resampling.shards else RESAMPLES
        name = None if plan.evaluation is None else plan.evaluation.name
        for size in sizes:
            own = figures[size]._asdict() | vocabularies.overlap(size)._asdict()
            records.append(Stability(family.label, size, resampling.n, kind, name, **own))
    if not records:
        raise without_figures("no trainer can do this.", failed)
    return Stabilities(records, by_family)


def _check_folds(corpus: Corpus, folded: Corpus, n: int, counted: CountedCorpora) -> None:
    """Refuse a text of which a fold is empty.

    Raises:
        CorpusError: it is one.
    """
    filled = len(counted.groups_of(folded))
    if filled < n:
        raise CorpusError(
            f"{corpus.name} has too few documents to be resampled.",
            f"Found: they fill {filled} of {n} parts.",
            "Give more text, or cut it into more documents with --sample-by line or paragraph.",
        )


def _common_sizes(family: Family, trainings: list[Training], meter: Meter) -> list[int]:
    """Return the sizes that all trainings reach; say of the others why.

    Raises:
        TrainingError: there is none.
    """
    reached = [{t.vocab_size for t in training.tokenizers} for training in trainings]
    common, some = set.intersection(*reached), set.union(*reached)
    if not common:
        raise TrainingError(
            f"the trainings of {family.label} have no size in common.",
            f"Found: {', '.join(size_label(size) for size in sorted(some))}, none of them in all.",
            "Ask for smaller sizes, or give more text.",
        )
    missing = sorted(some - common)
    if missing:
        sizes = ", ".join(map(size_label, missing))
        meter.remark(f"{family.label}: not all trainings reach {sizes}.")
    return sorted(common)


class _Resampled(CountedCorpora):
    """The pieces of a resample: a sum of folds. Threads take turns at what is counted for all."""

    def __init__(
        self,
        counted: CountedCorpora,
        folded: Corpus,
        multiplicities: tuple[int, ...],
        watcher: Watcher,
        lock: threading.Lock,
    ) -> None:
        super().__init__(Meter(watcher), counted.jobs)
        self.store = counted.store
        self._whole, self._folded = counted, folded
        self._multiplicities, self._lock = multiplicities, lock

    def get(
        self, corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool, sampled: bool = False
    ) -> CountedCorpus:
        """Return the pieces of the resample, without counting them again."""
        with self._lock:
            counted = self._whole.get(self._folded, pretokenizer, by_group=True)
        table = weighted_sum(counted.table, self._multiplicities, ONE_GROUP)
        return CountedCorpus(table, counted.reading)


class _Advance(Watcher):
    """Passes on how far a training is, and nothing else: several go on side by side."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._steps: list[str] = []
        self.done = 0

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        self._steps.append(step)

    def end(self) -> None:
        self._steps.pop()

    def advance(self, amount: int) -> None:
        if self._steps[-1] == "train":
            self.done += amount
            self._advance(amount)


def _trained(
    plan: SweepPlan,
    family: Family,
    resampling: Resampling,
    folded: Corpus,
    counted: CountedCorpora,
) -> list[Training]:
    """Train a family on each resample, several at a time."""
    threads = min(plan.jobs, resampling.n)
    jobs = max(1, plan.jobs // threads)
    lock = threading.Lock()
    most = max(plan.sizes)
    with counted.meter.step(
        "train", f"{resampling.n} times {family.label}", resampling.n * most, "tokens"
    ) as advance:

        def train(multiplicities: tuple[int, ...]) -> Training:
            watcher = _Advance(advance)
            own = _Resampled(counted, folded, multiplicities, watcher, lock)
            own.jobs = jobs
            text = plan.training.resampled(multiplicities)
            resampled = replace(plan, training=text, evaluation=None, jobs=jobs)
            training = Trainings(resampled, own).of(family)
            advance(
                most - watcher.done
            )  # that of a text too small ends earlier, a stored one at once
            return training

        with Threads(threads) as pool:
            return list(pool.map(train, resampling.multiplicities))
