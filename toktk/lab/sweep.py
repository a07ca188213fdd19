"""The sweep: train each family, then measure it, at every size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toktk import __version__
from toktk.cache import digest
from toktk.errors import FormatError, PluginError, ToktkError, TrainingError, in_a_line
from toktk.lab.bench import Bench
from toktk.lab.counted import CountedCorpora
from toktk.lab.family import FamilyFigures, TokenizerFamily
from toktk.lab.measure import Measurer
from toktk.lab.meter import Meter
from toktk.lab.outcome import (
    Outcome,
    joined_counts,
    joined_documents,
    of_text,
    remark_on,
    results_of,
    without_figures,
    without_metrics,
)
from toktk.lab.overlap import add_figures_without, overlaps
from toktk.lab.plan import Family, SweepPlan
from toktk.lab.reading import Reading, described_text, fingerprint_text, remark_on_texts
from toktk.lab.special import special_in_text
from toktk.lab.train import Trainings
from toktk.models.model import library_of
from toktk.registry import show_cause
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

_MOST_GROUPS = 1000  # that run.json names


@dataclass
class Sweep:
    """Carries out a plan, taking from the store what is there.

    Where one family of several cannot be had, the others still are, and the outcome names it. `prepare`
    loads the `baselines` of the plan.
    """

    plan: SweepPlan
    meter: Meter = field(default_factory=Meter)
    baselines: Bench | None = None

    @property
    def labels(self) -> list[str]:
        """The tokenizers that the run writes, where the text fills them."""
        return self.plan.labels

    @property
    def loaded_tokenizers(self) -> dict[str, Tokenizer]:
        """The tokenizers that were not trained here, by label."""
        return self.baselines.tokenizers if self.baselines is not None else {}

    def prepare(self) -> str:
        """Check the plan, read the corpora once, and return the signature of the run.

        Raises:
            ToktkError: an unknown name, an impossible parameter, or text that cannot be read.
        """
        plan = self.plan
        plan.check()
        self.meter.stage(1, self._stages)
        for remark in plan.remarks():
            self.meter.remark(remark)
        if plan.evaluation is not None:
            remark_on(plan.measures.broken, self.meter)
        for role, corpus in (("training", plan.training), ("evaluation", plan.evaluation)):
            if corpus is not None:
                fingerprint_text(self.meter, role, corpus, plan.jobs)
        remark_on_texts(self.meter, plan.training, plan.evaluation)
        evaluation = None if plan.evaluation is None else plan.evaluation.fingerprint
        described = [__version__, plan.describe(), plan.training.fingerprint, evaluation]
        if plan.bench is not None:
            self.baselines = Bench(plan.bench, self.meter, in_sweep=True)
            described.append(self.baselines.prepare())
        return digest(described)

    @property
    def _stages(self) -> int:
        """Into how many parts a run falls: reading, each training, each measuring, baselines, the rest."""
        each = 1 if self.plan.evaluation is None else 2
        return 2 + each * len(self.plan.families) + (self.plan.bench is not None)

    def run(self) -> Outcome:
        """Train and measure all families.

        Raises:
            TrainingError: no family can be had.
        """
        plan, meter = self.plan, self.meter
        counted = CountedCorpora(meter, plan.jobs, plan.force, plan.memory)
        special = plan.special_tokens
        counted.sought = (*special, *(self.baselines.special_tokens if self.baselines else ()))
        trainings = Trainings(plan, counted)
        trained: dict[str, Tokenizer] = {}
        facts: dict[str, dict[str, Any]] = {}
        figures: list[FamilyFigures] = []
        unreached: list[dict[str, Any]] = []
        failed: dict[str, str] = {}
        without: dict[str, PluginError] = {}  # metrics
        reading: Reading | None = None

        def leave_out(label: str, error: ToktkError) -> None:
            show_cause(error)
            failed[label] = str(error)
            meter.remark(f"{label} is left out: {in_a_line(error)}")

        for label, broken in plan.broken.items():
            leave_out(label, broken)
        each = 1 if plan.evaluation is None else 2
        for i, family in enumerate(plan.families):
            try:
                meter.stage(2 + i * each, self._stages)
                training = trainings.of(family)
                tokenizers = training.labelled(family.label)
                if plan.evaluation is not None:
                    meter.stage(3 + i * each, self._stages)
                figures += self._measured(family, tokenizers, counted, without)
            except (TrainingError, FormatError, PluginError) as error:
                if len(plan.families) + len(plan.broken) == 1:
                    raise
                leave_out(family.label, error)
                continue
            reading = training.reading or reading
            trained |= tokenizers
            for label, tokenizer in tokenizers.items():
                facts[label] = {
                    "trainer": family.name,
                    "inference": family.inference,
                    "pretokenizer": tokenizer.pretokenizer.name,
                    "size": tokenizer.vocab_size,
                    "signature": tokenizer.signature,
                }
            missing, line = training.unreached(family.label, plan.sizes)
            if missing:
                why = {"available": training.available, "least": training.least}
                unreached.append({"family": family.label, "sizes": missing, **why})
                meter.remark(line)
        if not trained:
            raise without_figures("no trainer can do this.", failed)
        if reading is not None:
            reading.remark(meter, plan.training)
        groups = counted.groups_of(plan.training)
        described = {
            "training": {
                **described_text(plan.training, reading, measured=False),
                **({"groups": [*groups]} if len(groups) <= _MOST_GROUPS else {}),
            },
            "evaluation": None,
            "options": {**plan.describe(), "jobs": plan.jobs, **plan.asked()},
            "unreached": unreached,
        }
        baselined: dict[str, FamilyFigures] = {}
        if self.baselines is not None:
            meter.stage(self._stages - 1, self._stages)
            # Where no group is left out, the figures are those of a bench, and its cells serve both.
            every = {*counted.groups_of(self.baselines.plan.corpus)} <= {*groups}
            of_baselines, baselined = self.baselines.measure(
                counted, without, None if every else groups, plan.training
            )
            facts |= of_baselines
            failed |= {label: str(error) for label, error in self.baselines.failed.items()}
        meter.stage(self._stages, self._stages)
        lines = counted.lines(plan.training)
        known = None if lines is None else lines.as_set()
        if plan.evaluation is None:
            return Outcome(None, facts, described, trained, failed=failed, lines=known)
        import pyarrow as pa

        remark_on(without, meter)
        failed |= without_metrics(plan.measures, without)
        figures[-1].reading.remark(meter, plan.evaluation, measured=True)
        described["evaluation"] = described_text(plan.evaluation, figures[-1].reading)
        trained_on = self.baselines.trained_lines if self.baselines else {}
        trained_on |= dict.fromkeys(trained, known) if known is not None else {}
        overlap = overlaps(plan.evaluation, trained_on, counted)
        if plan.evaluation.fingerprint == plan.training.fingerprint:  # whatever its lines are
            overlap |= {label: {"share": 1.0, "estimated": False} for label in trained}
        described |= {"overlap": overlap} if overlap else {}
        finding = _largest(trained, facts) if special else {}
        finding |= self.baselines.finding if self.baselines else {}
        found = special_in_text(plan.evaluation, finding, counted)
        described |= {"special_tokens": found} if found else {}
        records = tuple(record for measured in figures for record in measured.results)
        about = {"unreached": unreached, "asked": plan.measures.shown, **of_text(figures)}
        if self.baselines is not None:
            others = results_of(self.baselines.tokenizers, baselined.values(), plan.measures.shown)
            records, about = (*records, *others.records), {**about, **others.about}
        measured = [*figures, *baselined.values()]
        results = Results(records, about, joined_documents(measured))
        if overlap:
            sample = counted.sample(plan.evaluation)
            add_figures_without(overlap, trained_on, results, sample, meter)
        curves = pa.concat_tables([of_family.curves for of_family in figures])
        counts = joined_counts(measured)
        return Outcome(results, facts, described, trained, curves, failed, known, counts)

    def _measured(
        self,
        family: Family,
        tokenizers: Mapping[str, Tokenizer],
        counted: CountedCorpora,
        failed: dict[str, PluginError],
    ) -> list[FamilyFigures]:
        """Return the figures of a family; none where there is no text to measure on.

        Metrics that fail are put into `failed`.
        """
        plan = self.plan
        if plan.evaluation is None:
            return []
        group = TokenizerFamily(family.label, tokenizers, family.name, family.inference)
        trained = counted.groups_of(plan.training)
        measurer = Measurer(plan.evaluation, plan.measures, counted, failed, trained, plan.training)
        ((_, outcome),) = measurer.measure([group], drop=False)
        if isinstance(outcome, ToktkError):
            raise outcome
        return [outcome]


def _largest(
    trained: Mapping[str, Tokenizer], facts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Tokenizer]:
    """Return the largest tokenizer of each family of which other software finds special tokens in text."""
    largest: dict[tuple[Any, ...], str] = {}
    for label in sorted(trained, key=lambda label: trained[label].vocab_size):
        if not library_of(trained[label].model).startswith("sentencepiece"):
            about = facts[label]
            largest[about["trainer"], about["pretokenizer"], about["inference"]] = label
    return {label: trained[label] for label in largest.values()}
