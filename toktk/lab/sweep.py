"""The sweep: count once, train once, encode once, and read off every size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toktk.cache import Store, digest
from toktk.corpus import Corpus
from toktk.errors import FormatError, TrainingError
from toktk.evaluation.evaluation import Evaluation, evaluate
from toktk.evaluation.viterbi import evaluate_viterbi
from toktk.lab.cells import Measured, Reading, Training
from toktk.lab.figures import curve, curve_sizes, records
from toktk.lab.meter import Meter
from toktk.lab.outcome import SweepResult, Unreached
from toktk.lab.pieces import CountedCorpora
from toktk.lab.plan import Family, SweepPlan, measures_key
from toktk.metrics.base import MetricOptions
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.report.results import Record, Results
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import TrainingData, size_label

if TYPE_CHECKING:
    import pyarrow as pa

    from toktk.pieces.table import PieceTable


def fingerprint(plan: SweepPlan, meter: Meter) -> str:
    """Return the plan's signature, noting what reading the corpora costs."""
    corpora = {"training": plan.training, "evaluation": plan.evaluation}
    for role, corpus in corpora.items():
        if corpus is not None:
            with meter.step("fingerprint", role):
                corpus.hash_contents()
    return plan.signature()


def sweep(plan: SweepPlan, meter: Meter | None = None) -> SweepResult:
    """Train and measure all that `plan` asks for, taking from the store what is there.

    Where one trainer of several cannot do it, the others still do; the result names it.

    Raises:
        TrainingError: no trainer reaches any size, or a parameter is impossible.
        MetricError: the text cannot carry a metric that was asked for.
        CorpusError: a text cannot be read.
    """
    plan.check()
    return _Sweep(plan, meter or Meter()).run()


class _Sweep:
    def __init__(self, plan: SweepPlan, meter: Meter) -> None:
        self.plan = plan
        self.meter = meter
        self.store = Store(meter.watcher.remark, force=plan.force)
        self._pieces = CountedCorpora(self.store, self.meter, plan.jobs)
        self._last: tuple[str, Training] | None = None
        # What goes into the result.
        self.found: list[Record] = []
        self.curves: list[pa.Table] = []
        self.tokenizers: dict[str, Tokenizer] = {}
        self.trainers: dict[str, str] = {}
        self.unreached: list[Unreached] = []
        self.failed: dict[str, str] = {}
        self.readings: dict[str, Reading | None] = {"training": None, "evaluation": None}

    def run(self) -> SweepResult:
        """Go through the families; one that fails takes no other's figures away."""
        for family in self.plan.families:
            try:
                self._go_through(family)
            except (TrainingError, FormatError) as error:
                if len(self.plan.families) == 1:
                    raise
                self.failed[family.label] = str(error)
                self.meter.watcher.remark(f"{family.label} is left out: {_in_a_line(error)}")
        if not self.tokenizers:
            raise TrainingError("no trainer can do this.", *_reasons(self.failed))
        return SweepResult(
            self.plan, Results(tuple(self.found)), _joined(self.curves), self.tokenizers,
            self.trainers, tuple(self.unreached), self.failed, self.readings, self.meter.costs,
        )  # fmt: skip

    def _go_through(self, family: Family) -> None:
        training = self.infer(family, self.train(family))
        measured = None if self.plan.evaluation is None else self.measure(family, training)
        # From here on nothing fails: a family is in the results with all it has, or not at all.
        self.readings["training"] = training.reading or self.readings["training"]
        missing = self._missing(family, training)
        if missing is not None:
            self.unreached.append(missing)
        for tokenizer in training.tokenizers:
            label = f"{family.label}-{size_label(tokenizer.vocab_size)}"
            self.tokenizers[label] = replace(tokenizer, name=label)
            self.trainers[label] = family.name
        if measured is not None:
            self.readings["evaluation"] = measured.reading
            self.found += measured.results
            self.curves.append(measured.curves)

    def _missing(self, family: Family, training: Training) -> Unreached | None:
        reached = {tokenizer.vocab_size for tokenizer in training.tokenizers}
        sizes = tuple(size for size in self.plan.sizes if size not in reached)
        if not sizes:
            return None
        available = training.available
        gives = "" if available is None else f": the text gives {available:,} tokens"
        self.meter.watcher.remark(
            f"{family.label} does not reach {', '.join(map(size_label, sizes))}{gives}."
        )
        return Unreached(family.label, sizes, available)

    # -- training ---------------------------------------------------------------------------------

    def train(self, family: Family) -> Training:
        """Return the tokenizers of all sizes in reach: from the store, or by training."""
        corpus = self.plan.training
        key = {**family.key(), "corpus": corpus.fingerprint, "sizes": self.plan.sizes}
        known = digest(key)
        if self._last is not None and self._last[0] == known:
            return self._last[1]  # another inference method for the same tokenizers
        training = self.store.read("training", key, Training.load)
        if training is not None:
            self.meter.reused("train", family.label)
            self._last = known, training
            return training
        evaluation = self.plan.evaluation
        if evaluation is not None and family.pretokenizer is not None:
            # Text that cannot be measured on is better found before the training than after it.
            self._pieces.get(evaluation, family.pretokenizer, by_group=True)
        training = self._trained(family, corpus)
        if training.storable:
            self.store.write("training", key, training.save)
        self._last = known, training
        return training

    def _trained(self, family: Family, corpus: Corpus) -> Training:
        readings: list[Reading] = []

        def count(pretokenizer: Pretokenizer) -> Any:
            pieces = self._pieces.get(corpus, pretokenizer, by_group=False)
            readings.append(pieces.reading)
            return pieces.table

        with self.meter.step("train", family.label, max(self.plan.sizes), "tokens") as advance:
            data = TrainingData(corpus, count, advance, self.plan.jobs)
            made = family.trainer().train(data, list(self.plan.sizes))
        tokenizers = _checked(family, made, self.plan.sizes)
        available = data.available if len(tokenizers) < len(self.plan.sizes) else None
        return Training(tokenizers, available, readings[0] if readings else None)

    def infer(self, family: Family, training: Training) -> Training:
        """Return the tokenizers with the family's inference method in place of their own.

        Raises:
            FormatError: the vocabulary cannot be run so.
        """
        method = family.method
        if method is None:
            return training
        total = len(training.tokenizers)
        tables: dict[Pretokenizer, PieceTable] = {}
        made = []
        with self.meter.step("infer", family.label, total, "sizes") as advance:
            for tokenizer in training.tokenizers:
                cut = tokenizer.pretokenizer
                if cut not in tables and method.reads_pieces:
                    tables[cut] = self._pieces.get(self.plan.training, cut, by_group=False).table
                model = method.run(tokenizer.model, tables.get(cut))
                made.append(replace(tokenizer, model=model))
                advance(1)
        return replace(training, tokenizers=tuple(made))

    # -- measuring --------------------------------------------------------------------------------

    def measure(self, family: Family, training: Training) -> Measured:
        """Return the figures of a family at every size: from the store, or by encoding."""
        plan = self.plan
        if plan.evaluation is None:
            raise TypeError("a plan without evaluation measures nothing")
        key = {
            "tokenizers": [tokenizer.signature for tokenizer in training.tokenizers],
            "label": [family.label, family.name],
            "corpus": [plan.evaluation.name, plan.evaluation.fingerprint],
            "metrics": measures_key(plan.measures),
            "asked": bool(plan.metrics),
            "reference": plan.reference,
        }
        measured = self.store.read("evaluation", key, Measured.load)
        if measured is not None:
            self.meter.reused("measure", family.label)
            return measured
        with self.meter.step("measure", family.label, len(training.tokenizers), "sizes") as advance:
            measured = self._measured(family, training, plan.evaluation, advance)
        self.store.write("evaluation", key, measured.save)
        return measured

    def _measured(
        self,
        family: Family,
        training: Training,
        corpus: Corpus,
        advance: Callable[[int], None],
    ) -> Measured:
        tokenizers = training.tokenizers
        options = MetricOptions(reference=self.plan.reference)
        shared = self._evaluate_together(training, corpus)
        found: list[Record] = []
        by_size: list[tuple[Evaluation, list[int]]] = []
        for tokenizer in tokenizers:
            evaluation = shared or self._evaluate(tokenizer, corpus, (tokenizer,))
            found += records(
                evaluation,
                tokenizer,
                f"{family.label}-{size_label(tokenizer.vocab_size)}",
                family.name,
                (corpus.name, corpus.fingerprint),
                [metric for metric, _ in self.plan.measures.values()],
                options,
                asked=bool(self.plan.metrics),
            )
            by_size.append((evaluation, [tokenizer.vocab_size]))
            advance(1)
        if shared is not None:
            by_size = [(shared, curve_sizes(shared, [t.vocab_size for t in tokenizers]))]
        pretokenizer = tokenizers[-1].pretokenizer
        return Measured(
            Results(tuple(found)),
            curve(by_size, family.label, family.name, pretokenizer.name),
            self._pieces.get(corpus, pretokenizer, by_group=True).reading,
        )

    def _evaluate_together(self, training: Training, corpus: Corpus) -> Evaluation | None:
        """Return an evaluation that serves all sizes, or None where each needs its own."""
        *smaller, largest = training.tokenizers
        if training.nested:
            return self._evaluate(largest, corpus, training.tokenizers)
        models = [one.model for one in training.tokenizers if isinstance(one.model, UnigramModel)]
        alike = all(one.pretokenizer == largest.pretokenizer for one in smaller)
        if not alike or len(models) < len(training.tokenizers):
            return None
        table = self._pieces.get(corpus, largest.pretokenizer, by_group=True).table
        return evaluate_viterbi(table, models, jobs=self.plan.jobs)

    def _evaluate(
        self, tokenizer: Tokenizer, corpus: Corpus, tokenizers: tuple[Tokenizer, ...]
    ) -> Evaluation:
        table = self._pieces.get(corpus, tokenizer.pretokenizer, by_group=True).table
        sizes = [t.vocab_size for t in tokenizers]
        return evaluate(table, tokenizer.model, sizes, jobs=self.plan.jobs)


def _checked(family: Family, made: object, sizes: tuple[int, ...]) -> tuple[Tokenizer, ...]:
    """Return what a trainer made, by size, or say how it broke its promise."""
    if not isinstance(made, list) or not all(isinstance(one, Tokenizer) for one in made):
        raise TrainingError(
            f"the trainer {family.name!r} is broken: train() must return a list of Tokenizer.",
            f"Found: {made!r:.200}.",
        )
    found = [tokenizer.vocab_size for tokenizer in made]
    if not found:
        raise TrainingError(f"the trainer {family.name!r} reaches none of the sizes.")
    if len(set(found)) < len(found) or not set(found) <= set(sizes):
        raise TrainingError(
            f"the trainer {family.name!r} is broken: it returned sizes that were not asked for.",
            f"Asked: {', '.join(map(str, sizes))}. Found: {', '.join(map(str, found))}.",
        )
    return tuple(sorted(made, key=lambda tokenizer: tokenizer.vocab_size))


def _in_a_line(error: object) -> str:
    return " ".join(str(error).split())


def _reasons(failed: dict[str, str]) -> list[str]:
    return [f"{label}: {_in_a_line(why)}" for label, why in failed.items()]


def failure(failed: dict[str, str]) -> TrainingError:
    """Return the error for what a sweep went without, other families being there."""
    return TrainingError(
        f"without figures: {', '.join(failed)}.",
        *_reasons(failed),
        "All else is there. The same command tries only these again.",
    )


def _joined(curves: list[pa.Table]) -> pa.Table | None:
    import pyarrow as pa

    return pa.concat_tables(curves) if curves else None
