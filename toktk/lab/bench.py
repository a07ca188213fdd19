"""The bench: load tokenizers that exist, then measure them on text that none of them has seen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from toktk import __version__
from toktk.cache import Store, digest
from toktk.corpus import Corpus
from toktk.corpus.lines import LineSet
from toktk.counts.text import CountedText
from toktk.errors import PluginError, ToktkError, in_a_line
from toktk.lab.counted import CountedCorpora
from toktk.lab.family import FamilyFigures, TokenizerFamily
from toktk.lab.measure import Measurer
from toktk.lab.meter import Meter
from toktk.lab.outcome import (
    Outcome,
    joined_counts,
    remark_on,
    results_of,
    without_figures,
    without_metrics,
)
from toktk.lab.overlap import TrainingText, add_figures_without, overlaps, trained_on
from toktk.lab.plan import BenchPlan
from toktk.lab.reading import described_text, fingerprint_text, remark_on_texts
from toktk.lab.special import special_in_text
from toktk.libraries.process import kept_running
from toktk.loading.load import Loaded, open_tokenizer
from toktk.loading.sample import PER_GROUP, first_documents
from toktk.models.model import release_tables
from toktk.registry import show_cause
from toktk.runtime import Threads, give_back_memory
from toktk.tokenizer import NATIVE, Tokenizer

S = TypeVar("S")
T = TypeVar("T")


@dataclass
class Bench:
    """Carries out a plan, taking from the store what is there.

    One tokenizer that cannot be loaded, or that its library cannot run, takes no other's figures
    away; the outcome names it. `prepare` fills the dictionaries, by label. A sweep, which measures its
    baselines so, says itself what there is to say of text and metrics (`in_sweep`).
    """

    plan: BenchPlan
    meter: Meter = field(default_factory=Meter)
    in_sweep: bool = False
    loaded: dict[str, Loaded] = field(default_factory=dict)
    tokenizers: dict[str, Tokenizer] = field(default_factory=dict)
    failed: dict[str, ToktkError] = field(default_factory=dict)
    trained_on: dict[str, TrainingText] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The tokenizers that the run writes: none."""
        return []

    @property
    def loaded_tokenizers(self) -> dict[str, Tokenizer]:
        """The tokenizers that were not trained here, by label."""
        return self.tokenizers

    @property
    def trained_lines(self) -> dict[str, LineSet]:
        """The lines that tokenizers were trained on, by label, where they are known."""
        texts = self.trained_on.items()
        return {label: text.lines for label, text in texts if text.lines is not None}

    @property
    def finding(self) -> dict[str, Tokenizer]:
        """The tokenizers of which other software finds special tokens in text, by label."""
        return {
            label: tokenizer
            for label, tokenizer in self.tokenizers.items()
            if self.loaded[label].library.startswith("tokenizers")
        }

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The names of all special tokens of those."""
        names = (name for t in self.finding.values() for name in t.model.special_tokens)
        return tuple(dict.fromkeys(names))

    def prepare(self) -> str:
        """Load the tokenizers, hold each against its library, and return the signature of the run.

        They are compared on a fixed tricky text and on the first documents of the corpus.

        Raises:
            ToktkError: no tokenizer can be loaded.
        """
        with kept_running():
            return self._prepared()

    def _prepared(self) -> str:
        plan, meter = self.plan, self.meter
        plan.check()
        if not self.in_sweep:
            remark_on(plan.measures.broken, meter)
        documents: list[str] | None = None
        checking: dict[str, Future[Tokenizer | ToktkError]] = {}
        with Threads(min(plan.jobs, len(plan.labels))) as pool:
            # As soon as one tokenizer is open, the text is read beside, and then those that are open are
            # checked: libraries are waited for, so two threads at work serve one core as well.
            with meter.step("load", "", len(plan.specs), "tokenizers") as advance:
                opening = _begun(pool, open_tokenizer, plan.labels)
                for label, loaded in self._ended(opening, advance):
                    self.loaded[label] = loaded
                    for note in loaded.notes:
                        meter.remark(f"{label}: {note}")
                    if documents is None and plan.jobs > 1:
                        documents = self._first_documents()
                    if documents is not None:
                        check = functools.partial(_checked, documents)
                        checking |= _begun(pool, check, {label: loaded})
            if self.loaded:
                if documents is None:
                    documents = self._first_documents()
                    checking = _begun(pool, functools.partial(_checked, documents), self.loaded)
                if not self.in_sweep:
                    remark_on_texts(meter, plan.corpus)
                with meter.step("check", "", len(self.loaded), "tokenizers") as advance:
                    self.tokenizers |= self._ended(checking, advance)
                give_back_memory()
        self._refuse_nothing()
        for label, why in self.failed.items():
            self._remark_left_out(label, why)
        engines = [[label, t.signature, t.engine] for label, t in self.tokenizers.items()]
        digests = [[label, t.digest, t.library] for label, t in self.loaded.items()]
        corpus = [plan.corpus.name, plan.corpus.fingerprint]
        what = [plan.measures.describe(), engines, digests, sorted(self.failed), corpus]
        for label in self.tokenizers:
            if (training := trained_on(plan.labels[label])) is not None:
                self.trained_on[label] = training
        if self.trained_on:  # what is said of the figures depends on it
            what.append({label: text.describe() for label, text in self.trained_on.items()})
        return digest([__version__, "bench", what])

    def run(self) -> Outcome:
        """Measure the tokenizers.

        Raises:
            ToktkError: every tokenizer fails at the text.
        """
        plan, without = self.plan, dict[str, PluginError]()
        counted = CountedCorpora(self.meter, plan.jobs, plan.force, plan.memory)
        counted.sought = self.special_tokens
        facts, figures = self.measure(counted, without)
        self._refuse_nothing()
        reading = figures[next(iter(facts))].reading
        reading.remark(self.meter, plan.corpus, measured=True)
        described = {
            "verb": "bench",
            "evaluation": described_text(plan.corpus, reading),
            "options": {**plan.measures.describe(), "jobs": plan.jobs, **plan.asked()},
        }
        if overlap := overlaps(plan.corpus, self.trained_lines, counted):
            described["overlap"] = overlap
        if self.trained_on:
            groups = counted.groups_of(plan.corpus)
            lacking = {label: text.lacks(groups) for label, text in self.trained_on.items()}
            described["lacking"] = {label: names for label, names in lacking.items() if names}
        found = special_in_text(plan.corpus, self.finding, counted)
        described |= {"special_tokens": found} if found else {}
        failed = {label: str(error) for label, error in self.failed.items()}
        remark_on(without, self.meter)
        failed |= without_metrics(plan.measures, without)
        results = results_of(self.tokenizers, figures.values(), plan.measures.shown)
        if overlap:
            sample = counted.sample(plan.corpus)
            add_figures_without(overlap, self.trained_lines, results, sample, self.meter)
        counts = joined_counts(figures.values())
        return Outcome(results, facts, described, failed=failed, token_counts=counts)

    def measure(
        self,
        counted: CountedCorpora,
        without: dict[str, PluginError],
        trained: tuple[str, ...] | None = None,
        learn: Corpus | None = None,
    ) -> tuple[dict[str, dict[str, Any]], dict[str, FamilyFigures]]:
        """Return what run.json says of each tokenizer, and its figures, both by label.

        Metrics that fail are put into `without`. `trained` are the groups that means are of, where they
        stand beside tokenizers that were trained on these alone; `learn` is the text that n-gram models learn
        from, if it is another one.
        """
        measurer = Measurer(self.plan.corpus, self.plan.measures, counted, without, trained, learn)
        figures: dict[str, FamilyFigures] = {}
        families = [TokenizerFamily(label, {label: t}) for label, t in self.tokenizers.items()]
        for family, outcome in measurer.measure(families):
            release_tables(family.tokenizers[family.label].model)
            if isinstance(outcome, ToktkError):
                spec = self.loaded[family.label].spec
                where = f"It is the tokenizer {family.label}, given as {spec}."
                outcome.args += (where,)
                self._fail(family.label, outcome)
                self._remark_left_out(family.label, outcome)
            else:
                figures[family.label] = outcome
        facts = {}
        for label, tokenizer in self.tokenizers.items():
            loaded, native = self.loaded[label], tokenizer.engine == NATIVE
            facts[label] = {
                "spec": loaded.spec,
                "source": loaded.digest,
                "library": loaded.library,
                "engine": tokenizer.engine,
                "why": tokenizer.why,
                "pretokenizer": tokenizer.pretokenizer.name if native else None,
                "size": tokenizer.vocab_size or None,
                "signature": tokenizer.signature,
            }
        return facts, figures

    def _first_documents(self) -> list[str]:
        """Return the documents that tokenizers are compared on."""
        text, meter = self.plan.corpus, self.meter
        if not self.in_sweep:
            fingerprint_text(meter, text.name, text, self.plan.jobs)
        if isinstance(text, CountedText):
            text = text.first_documents(PER_GROUP)
        return first_documents(text, Store(meter.remark))

    def _ended(
        self, under_way: Mapping[str, Future[T | ToktkError]], advance: Callable[[int], None]
    ) -> Iterator[tuple[str, T]]:
        """Yield each label and what came of it; what fails is left out."""
        for label, future in under_way.items():
            outcome = future.result()
            advance(1)
            if isinstance(outcome, ToktkError):
                self._fail(label, outcome)
            else:
                yield label, outcome

    def _fail(self, label: str, error: ToktkError) -> None:
        show_cause(error)
        self.failed[label] = error
        self.tokenizers.pop(label, None)
        self.trained_on.pop(label, None)

    def _remark_left_out(self, label: str, error: ToktkError) -> None:
        if len(self.plan.specs) > 1 or self.in_sweep:  # else the bench ends with this error
            self.meter.remark(f"{label} is left out: {in_a_line(error)}")

    def _refuse_nothing(self) -> None:
        if self.tokenizers:
            return
        if len(self.failed) == 1:
            label, error = next(iter(self.failed.items()))
            error.args = (f"{label}: {error.args[0]}", *error.args[1:])
            raise error
        raise without_figures("no tokenizer can be measured.", self.failed)


def _begun(
    pool: Threads, run: Callable[[S], T], of: Mapping[str, S]
) -> dict[str, Future[T | ToktkError]]:
    """Have threads run something for each label; an error of toktk's own is an outcome as well."""

    def ran(value: S) -> T | ToktkError:
        try:
            return run(value)
        except ToktkError as error:
            return error

    return {label: pool.submit(ran, value) for label, value in of.items()}


def _checked(documents: Sequence[str], loaded: Loaded) -> Tokenizer:
    try:
        return loaded.checked(documents)
    finally:
        loaded.release()
        if loaded.native is not None:
            release_tables(loaded.native.model)  # until it is measured
