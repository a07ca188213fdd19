"""The sweep: train each family, then measure it, at every size."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from toktk.corpus import Corpus
from toktk.errors import FormatError, ToktkError, TrainingError, in_a_line
from toktk.lab.counted import CountedCorpora, Reading
from toktk.lab.measure import FamilyFigures, Measurer, TokenizerFamily
from toktk.lab.meter import Meter
from toktk.lab.outcome import Outcome, nothing_done
from toktk.lab.plan import Family, SweepPlan
from toktk.lab.train import Trainings, labelled, unreached_line
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


class Sweep:
    """Carries out a plan, taking from the store what is there.

    Where one family of several cannot be had, the others still are, and the outcome names it.

    Args:
        plan: what to do.
        meter: is told what is done.
    """

    def __init__(self, plan: SweepPlan, meter: Meter | None = None) -> None:
        self.plan = plan
        self.meter = meter or Meter()
        self._unreached: list[dict[str, Any]] = []  # as in run.json
        self._readings: dict[str, Reading | None] = {"training": None, "evaluation": None}

    def prepare(self) -> str:
        """Check the plan, read the corpora once, and return the signature of the run.

        Raises:
            ToktkError: an unknown name, an impossible parameter, or text that cannot be read.
        """
        self.plan.check()
        corpora = {"training": self.plan.training, "evaluation": self.plan.evaluation}
        for role, corpus in corpora.items():
            if corpus is not None:
                with self.meter.step("fingerprint", role):
                    corpus.hash_contents()
        return self.plan.signature()

    def run(self) -> Outcome:
        """Train and measure all families.

        Raises:
            TrainingError: no trainer reaches any size, or a parameter is impossible.
            MetricError: the text cannot carry a metric that was asked for.
            CorpusError: a text cannot be read.
        """
        plan, meter = self.plan, self.meter
        if plan.evaluation is not None and plan.evaluation.fingerprint == plan.training.fingerprint:
            meter.remark(
                "The text that is measured is the text that is trained on: the figures are better than on "
                "other text."
            )
        counted = CountedCorpora(meter, plan.jobs, plan.force)
        trainings = Trainings(plan, counted)
        measurer = None
        if plan.evaluation is not None:
            measurer = Measurer(plan.evaluation, plan.measures, counted)
        trained: dict[str, tuple[Family, Tokenizer]] = {}
        figures: list[FamilyFigures] = []
        failed: dict[str, str] = {}
        for family in plan.families:
            try:
                tokenizers, measured = self._one(family, trainings, measurer)
            except (TrainingError, FormatError) as error:
                if len(plan.families) == 1:
                    raise
                failed[family.label] = str(error)
                meter.remark(f"{family.label} is left out: {in_a_line(error)}")
                continue
            trained |= {label: (family, tokenizer) for label, tokenizer in tokenizers.items()}
            figures += [measured] if measured else []
        if not trained:
            raise nothing_done("no trainer can do this.", failed)
        return self._outcome(trained, figures, failed)

    def _one(
        self, family: Family, trainings: Trainings, measurer: Measurer | None
    ) -> tuple[dict[str, Tokenizer], FamilyFigures | None]:
        """Train a family and measure it."""
        training = trainings.of(family)
        tokenizers = labelled(family, training.tokenizers)
        measured = None
        if measurer is not None:
            group = TokenizerFamily(family.label, tokenizers, family.name, family.inference)
            ((_, outcome),) = measurer.measure([group], drop=False)
            if isinstance(outcome, ToktkError):
                raise outcome
            measured = outcome
            self._readings["evaluation"] = measured.reading
        self._readings["training"] = training.reading or self._readings["training"]
        reached = {tokenizer.vocab_size for tokenizer in training.tokenizers}
        missing = [size for size in self.plan.sizes if size not in reached]
        if missing:
            unreached = {"family": family.label, "sizes": missing, "available": training.available}
            self._unreached.append(unreached)
            self.meter.remark(unreached_line(family, missing, training.available))
        return tokenizers, measured

    def _outcome(
        self,
        trained: dict[str, tuple[Family, Tokenizer]],
        figures: list[FamilyFigures],
        failed: dict[str, str],
    ) -> Outcome:
        plan = self.plan
        evaluation = None
        if plan.evaluation is not None:
            evaluation = _described(plan.evaluation, self._readings["evaluation"])
        described = {
            "training": _described(plan.training, self._readings["training"]),
            "evaluation": evaluation,
            "options": {**plan.describe(), "jobs": plan.jobs},
            "unreached": self._unreached,
        }
        facts = {
            label: {
                "trainer": family.name,
                "pretokenizer": tokenizer.pretokenizer.name,
                "size": tokenizer.vocab_size,
                "signature": tokenizer.signature,
            }
            for label, (family, tokenizer) in trained.items()
        }
        results = None
        if plan.evaluation is not None:
            records = tuple(record for measured in figures for record in measured.results)
            results = Results(records, {"unreached": self._unreached})
        tokenizers = {label: tokenizer for label, (_, tokenizer) in trained.items()}
        return Outcome(results, facts, described, tokenizers, _joined(figures), failed)


def _described(corpus: Corpus, reading: Reading | None) -> dict[str, Any]:
    # What the pass met that made the figures: this process may have made none.
    met = {"replaced": None, "null_rows": None} if reading is None else asdict(reading)
    return {**corpus.describe(), **met}


def _joined(figures: list[FamilyFigures]) -> pa.Table | None:
    import pyarrow as pa

    return pa.concat_tables([measured.curves for measured in figures]) if figures else None
