"""Measuring: the one path from tokenizers and a text to figures, for a sweep, a bench and Python alike."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from toktk.cache import digest
from toktk.corpus import Corpus
from toktk.counts.text import CountedText, NotCounted
from toktk.errors import FormatError, PluginError, ToktkError, in_a_line
from toktk.evaluation.base import Evaluation
from toktk.evaluation.evaluation import evaluate as evaluate_models
from toktk.evaluation.evaluation import sharing
from toktk.evaluation.ngrams import NgramBits
from toktk.lab.counted import CountedCorpora
from toktk.lab.counted_corpus import CountedCorpus
from toktk.lab.family import FamilyFigures, TokenizerFamily
from toktk.lab.id_intervals import SpelledUnits
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter
from toktk.lab.ngrams import LEARNED, PRICED
from toktk.lab.outcome import results_of
from toktk.lab.recording import Recorder, curves_of
from toktk.metrics.compression import lost
from toktk.models.model import library_of
from toktk.pieces.scripts import scripts_of
from toktk.pieces.table import POOLED
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.registry import guarded
from toktk.report.records import SCHEMA
from toktk.report.results import Results
from toktk.runtime import Threads, gc_off, give_back_memory, usable_cores
from toktk.sizes import size_label
from toktk.tokenizer import Tokenizer


def evaluate(
    tokenizers: Sequence[Tokenizer] | Mapping[str, Tokenizer],
    corpus: Corpus,
    *,
    metrics: Sequence[str] = (),
    reference: str | None = None,
    jobs: int | None = None,
) -> Results:
    """Measure tokenizers on a corpus.

    What was counted or measured before is taken from the cache, as by ``toktk bench``.

    Args:
        tokenizers: each is called by its name; or {label: tokenizer}.
        metrics: names as listed by ``toktk ls metrics``; by default all that the text can carry.
        reference: the group that parity divides by; by default English.
        jobs: threads, by default one for each usable core; they change no result.

    Raises:
        FormatError: no tokenizer, two of one name; a library fails at the text, or all of it is lost.
        MetricError: the text cannot carry a metric that was asked for.
        CorpusError: the text cannot be read.
        PluginError: a metric that was asked for, or a tokenizer, is of another package and fails; a
            metric that was not asked for is left out, with a warning.
    """
    if isinstance(tokenizers, Mapping):
        labelled = dict(tokenizers)
    else:
        labelled = {tokenizer.name: tokenizer for tokenizer in tokenizers}
    if not labelled or len(labelled) < len(tokenizers):
        names = ", ".join(labelled)
        raise FormatError(
            "evaluate needs tokenizers of different names.",
            f"Found: {names or 'none'}.",
            "Give labels of your own: {label: tokenizer}.",
        )
    measures = Measures(tuple(metrics), reference)
    measures.check()
    jobs = jobs or usable_cores()
    corpus.hash_files(jobs=jobs)
    measurer = Measurer(corpus, measures, CountedCorpora(Meter(), jobs))
    figures: list[FamilyFigures] = []
    for family, outcome in measurer.measure(_sharing_encodings(labelled)):
        if isinstance(outcome, ToktkError):
            outcome.args += (f"It is the tokenizer {family.label}.",)
            raise outcome
        figures.append(outcome)
    for error in (*measures.broken.values(), *measurer.failed.values()):
        if metrics:
            raise error
        warnings.warn(in_a_line(error), stacklevel=2)
    return results_of(labelled, figures, measures.shown)


def _sharing_encodings(tokenizers: Mapping[str, Tokenizer]) -> list[TokenizerFamily]:
    """Return tokenizers that were not trained here, those together that one encoding serves."""
    families = []
    for cut in dict.fromkeys(t.pretokenizer.key for t in tokenizers.values()):
        alike = {label: t for label, t in tokenizers.items() if t.pretokenizer.key == cut}
        labels, models = [*alike], [tokenizer.model for tokenizer in alike.values()]
        for served in sharing(models, range(len(models))):
            of_family = [labels[i] for i in sorted(served, key=lambda i: models[i].vocab_size)]
            together = {label: alike[label] for label in of_family}
            families.append(TokenizerFamily(", ".join(together), together))
    return families


@dataclass(frozen=True)
class Measurer:
    """Measures families of tokenizers on one text.

    Attributes:
        counted: the counted corpora; its store keeps the figures, its meter is told what is measured.
        failed: metrics of other packages that failed, by name; their figures are left out.
        trained: the groups of the text that the tokenizers were trained on, if it is known.
        learn: the text that n-gram models learn from; None: what they do not price of this one.
    """

    corpus: Corpus
    measures: Measures
    counted: CountedCorpora
    failed: dict[str, PluginError] = field(default_factory=dict)
    trained: tuple[str, ...] | None = None
    learn: Corpus | None = None

    def measure(
        self, families: Sequence[TokenizerFamily], drop: bool = True
    ) -> Iterator[tuple[TokenizerFamily, FamilyFigures | ToktkError]]:
        """Yield the figures of each family as soon as they are there; the store's come first.

        The text is read once and counted under every pretokenizer that is needed; each distinct piece is
        encoded once by each family. A family that fails takes no other's figures away: its error is yielded.
        With `drop`, the counted text of a pretokenizer is held no longer than these families need it.

        Raises:
            CorpusError: the text cannot be read.
            MetricError: the text cannot carry a metric that was asked for.
        """
        by_cut: dict[str, list[TokenizerFamily]] = {}
        for family in families:
            figures = self.counted.store.read("figures", self._key(family), FamilyFigures.load)
            if figures is None:
                try:
                    self._refuse_uncounted(family)
                except NotCounted as error:
                    yield family, error
                    continue
                by_cut.setdefault(next(iter(family.by_cut())), []).append(family)
                continue
            self.counted.meter.reused("measure", family.label)
            self.counted.meter.remark(_line(family, figures))
            yield family, figures
        missing = [family for alike in by_cut.values() for family in alike]
        cuts = {t.pretokenizer.key: t.pretokenizer for f in missing for t in f.tokenizers.values()}
        self.counted.count_together(self.corpus, list(cuts.values()), sampled=True)
        groups = [
            (alike, [*dict.fromkeys(cut for family in alike for cut in family.by_cut())])
            for alike in by_cut.values()
        ]
        with contextlib.ExitStack() as at_end, Threads(2) as pool:
            at_end.callback(self.counted.storing.finish)  # whatever ends the measuring
            if missing:
                self.counted.units(self.corpus)
            under_way: dict[str, Future[None]] = {}  # beside the measuring, or done

            def begin(n_groups: int) -> None:
                for _, own in groups[:n_groups]:
                    for cut in own if self.counted.jobs > 1 else ():
                        if cut not in under_way:
                            under_way[cut] = pool.submit(self._spell, cuts[cut])

            for at, (alike, own) in enumerate(groups):
                begin(max(at + 1, 2))  # the first two side by side
                self.counted.storing.begin()
                for cut in own:
                    if cut in under_way:
                        under_way[cut].result()
                begin(at + 2)  # one, since it takes memory
                for family in alike:
                    with gc_off():  # lists of tokens and records, none of them in a cycle
                        measured = self._measured(family)
                    yield family, measured
                if drop and len(own) == 1:
                    self.counted.drop(self.corpus, cuts[own[0]])
                    give_back_memory()

    def _spell(self, pretokenizer: Pretokenizer) -> None:
        """Have the units that tokenizers spell out held for this cut."""
        self.counted.spelled_units(self.corpus, pretokenizer)
        give_back_memory()

    def _refuse_uncounted(self, family: TokenizerFamily) -> None:
        """Raise NotCounted if the text was counted, and otherwise than its tokenizers cut."""
        if isinstance(self.corpus, CountedText):
            cuts = [tokenizer.pretokenizer for tokenizer in family.by_cut().values()]
            self.counted.count_together(self.corpus, cuts)

    def _key(self, family: TokenizerFamily) -> dict[str, Any]:
        """Return all that determines the figures of a family, JSON-able."""
        ngrams = {"ngrams": self._ngram_text} if self.measures.have_ngrams else {}
        return {
            **ngrams,
            "tokenizers": [
                [label, t.signature, t.engine, t.pretokenizer.signature, library_of(t.model)]
                for label, t in family.tokenizers.items()
            ],
            "family": [family.label, family.trainer, family.inference],
            "corpus": [self.corpus.name, self.corpus.fingerprint],
            "measures": self.measures.key(),
            "trained": self.trained,
            "records": SCHEMA,
        }

    @property
    def _ngram_text(self) -> str:
        """What tells the text that n-gram models learn from, and how much of it, from any other."""
        learn = None if isinstance(self.learn, CountedText) else self.learn
        return digest([(learn or self.corpus).fingerprint, LEARNED, PRICED])

    def _ngrams(self, family: TokenizerFamily) -> dict[str, NgramBits]:
        """Return what the text costs n-gram models of each tokenizer; nothing where nobody asked for it."""
        if not self.measures.have_ngrams:
            return {}
        counted, tokenizers = self.counted, family.tokenizers
        texts, units = counted.ngram_texts(self.corpus, self.learn), counted.units(self.corpus)
        total = texts.work(units.documents) * len(tokenizers)
        with (
            counted.meter.step("n-grams", family.label, total, "bytes") as advance,
            guarded(f"the model of {family.label}", *(t.model for t in tokenizers.values())),
        ):
            return {
                label: texts.bits(tokenizer, units, counted.jobs, advance)
                for label, tokenizer in tokenizers.items()
            }

    def _measured(self, family: TokenizerFamily) -> FamilyFigures | ToktkError:
        """Return the figures of a family, and begin to store them."""
        total = sum(len(self._counted_under(t).table) for t in family.tokenizers.values())
        try:
            with self.counted.meter.step("measure", family.label, total, "pieces") as advance:
                evaluations = self._evaluations(family, advance)
                for label, evaluation in evaluations.items():
                    self._check_any(label, family.tokenizers[label], evaluation)
                counted = self._counted_under(next(iter(family.tokenizers.values())))
                scripts = scripts_of(counted.table)  # before records take memory
                recorder = Recorder(
                    family,
                    evaluations,
                    {cut: self._spelled(t) for cut, t in family.by_cut().items()},
                    self.corpus,
                    self.measures,
                    self.trained,
                    self.counted.jobs,
                    ngrams=self._ngrams(family),
                    ngram_text=self._ngram_text,
                )
                with self.counted.meter.step(
                    "intervals", family.label, len(family.tokenizers), "tokenizers"
                ) as advance:
                    records = recorder.records(advance)
                figures = FamilyFigures(
                    Results(
                        records,
                        {"scripts": scripts},
                        recorder.document_counts(),
                    ),
                    curves_of(family, [*evaluations.values()]),
                    counted.reading,
                    {
                        label: evaluation.token_counts(family.tokenizers[label].vocab_size)
                        for label, evaluation in evaluations.items()
                        if evaluation.has_ids
                    },
                )
        except (FormatError, PluginError) as error:  # of a library or a plug-in, or nothing is left
            return error
        failed = recorder.failed
        del recorder, evaluations  # what they hold, many groups' figures need for their file
        if failed:
            self.failed.update({**failed, **self.failed})
        else:
            store, storing = self.counted.store, self.counted.storing
            storing.add(partial(store.write, "figures", self._key(family), figures.save))
            storing.begin()
        self.counted.meter.remark(_line(family, figures))
        return figures

    def _check_any(self, label: str, tokenizer: Tokenizer, evaluation: Evaluation) -> None:
        n_bytes = int(evaluation.bytes.sum())
        if n_bytes and not evaluation.tokens(tokenizer.vocab_size).any():
            raise FormatError(
                f"{label} loses all of this text.",
                f"Found: 0 tokens for {n_bytes:,} bytes of {self.corpus.name}.",
                "Leave it out, or choose text in characters that its vocabulary has.",
            )

    def _counted_under(self, tokenizer: Tokenizer) -> CountedCorpus:
        return self.counted.get(self.corpus, tokenizer.pretokenizer, by_group=True)

    def _spelled(self, tokenizer: Tokenizer) -> SpelledUnits:
        return self.counted.spelled_units(self.corpus, tokenizer.pretokenizer)

    def _evaluations(
        self, family: TokenizerFamily, progress: Callable[[int], None]
    ) -> dict[str, Evaluation]:
        """Return the evaluation of each tokenizer; those that cut alike share encodings."""
        evaluations: dict[str, Evaluation] = {}
        for cut in family.by_cut():
            alike = {n: t for n, t in family.tokenizers.items() if t.pretokenizer.key == cut}
            counted = self._counted_under(next(iter(alike.values())))
            models = [tokenizer.model for tokenizer in alike.values()]
            with guarded(f"the model of {family.label}", *models):
                shared = evaluate_models(
                    counted.table,
                    models,
                    every_size=family.trainer is not None,  # for its curve
                    jobs=self.counted.jobs,
                    totals=counted.totals,
                    chosen=self._spelled(next(iter(alike.values()))).chosen,
                    progress=progress,
                )
            evaluations |= zip(alike, shared, strict=True)
        return {label: evaluations[label] for label in family.tokenizers}


def _line(family: TokenizerFamily, figures: FamilyFigures) -> str:
    """Return what is said of a family as soon as it is measured: its first figure at each size."""
    pooled = [r for r in figures.results if r.group == POOLED and r.value is not None]
    metrics = [record.metric for record in pooled]
    metric = next((m for m in ("tokens_per_line", "bytes_per_token", *metrics) if m in metrics), "")
    lossy = {record.size: record.value for record in pooled if record.metric == lost.name}
    values = [
        f"{r.value:.4g} ({size_label(r.size) if r.size else 'of unknown size'}"
        f"{', text lost' if lossy.get(r.size) else ''})"
        for r in pooled
        if r.metric == metric
    ]
    return (
        f"{family.label}: {metric} {', '.join(values)}"
        if values
        else f"{family.label}: not measured"
    )
