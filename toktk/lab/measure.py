"""Measuring: the one path from tokenizers and a text to figures, for a sweep, a bench and Python alike."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk import arrow
from toktk.arrays import Int64, read_arrays, write_arrays
from toktk.corpus import Corpus
from toktk.corpus.lines import LineSet
from toktk.errors import FormatError, PluginError, ToktkError, TrainingError, in_a_line
from toktk.evaluation.base import Evaluation
from toktk.evaluation.documents import DocumentPieces
from toktk.evaluation.evaluation import evaluate as evaluate_models
from toktk.lab.counted import CountedCorpora, CountedCorpus, Reading
from toktk.lab.intervals import IntervalMaker, doubt, unit_hashes
from toktk.lab.knee import KNEE, knee_of
from toktk.lab.meter import Meter
from toktk.lab.plan import Measures
from toktk.metrics.base import Figure, Metric, MetricOptions
from toktk.metrics.compression import lost
from toktk.models.model import library_of
from toktk.models.unigram import UnigramModel
from toktk.pieces.scripts import scripts_of
from toktk.pieces.table import POOLED
from toktk.pretokenizers.patterns import PATTERNS
from toktk.registry import OWN, guarded, package_of, show_cause
from toktk.report.document_counts import DocumentCounts
from toktk.report.group_tables import MOST_GROUPS
from toktk.report.records import SCHEMA, Record, signature
from toktk.report.results import Results
from toktk.runtime import Threads, usable_cores
from toktk.sizes import size_label
from toktk.stats.interval import Interval
from toktk.tokenizer import NATIVE, Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

NO_PIECES = "whole documents are encoded: there are no pieces to see"
CURVE_POINTS = 400  # a constant factor apart


@dataclass(frozen=True)
class TokenizerFamily:
    """Tokenizers that are measured together because they differ in size alone.

    Attributes:
        tokenizers: {label: tokenizer}, ascending by size.
        trainer: its trainer's name; None for a tokenizer that was not trained here, a family by itself.
        inference: how the vocabularies are run.
    """

    label: str
    tokenizers: Mapping[str, Tokenizer]
    trainer: str | None = None
    inference: str = "own"

    @property
    def cuts(self) -> list[str]:
        """What tells apart how its tokenizers cut text; those of a trainer mostly cut alike."""
        return list(dict.fromkeys(t.pretokenizer.key for t in self.tokenizers.values()))


@dataclass(frozen=True)
class FamilyFigures:
    """The figures of one family at every size.

    Attributes:
        curves: tokens by group and size, with the columns tokenizer (the family's label), trainer,
            pretokenizer, group, size, tokens.
        reading: what the pass over the text met.
    """

    results: Results
    curves: pa.Table
    reading: Reading

    def save(self, folder: Path) -> None:
        """Write records and curves as Parquet."""
        self.results.write_parquet(folder / "results.parquet")
        if self.results.documents is not None:
            self.results.documents.write_parquet(folder / "documents.parquet")
        arrow.write_parquet(self.curves, folder / "curves.parquet")
        write_arrays(folder, {}, reading=vars(self.reading))

    @classmethod
    def load(cls, folder: Path) -> FamilyFigures:
        """Read what `save` wrote."""
        results = Results.read_parquet(folder / "results.parquet")
        counts = DocumentCounts.read_parquet(folder / "documents.parquet")
        return cls(
            replace(results, documents=counts),
            arrow.read_parquet(folder / "curves.parquet"),
            Reading(**read_arrays(folder)[1]["reading"]),
        )


@dataclass(frozen=True)
class Outcome:
    """What a sweep or a bench gives, before it is written.

    Attributes:
        results: the figures; None if nothing was to be measured.
        tokenizers: {label: what run.json says of it}.
        described: what else run.json says.
        trained: {label: tokenizer}, to be written into the run directory.
        curves: tokens by family, group and size; None without any.
        failed: {family or label: why it has no figures}, for the user.
        lines: of the text that was trained on, to be written too; None where nothing was trained.
    """

    results: Results | None
    tokenizers: Mapping[str, Mapping[str, Any]]
    described: Mapping[str, Any]
    trained: Mapping[str, Tokenizer] = field(default_factory=dict)
    curves: pa.Table | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    lines: LineSet | None = None


def counts_of(pieces: DocumentPieces, tokens: Mapping[str, Int64]) -> DocumentCounts:
    """Return the counts of the sampled documents, with the tokens, int64[D], of tokenizers."""
    documents = pieces.documents
    units = unit_hashes(documents)
    order = np.lexsort((units, documents.group))
    plain = {name: pieces.plain[name][order] for name in ("bytes", "chars", "words")}
    return DocumentCounts(
        groups=documents.groups,
        group=documents.group[order],
        unit=units[order],
        copies=documents.copies[order],
        **plain,
        tokens={label: own[order] for label, own in tokens.items()},
        n_all=documents.n_all,
        kinds=documents.kinds,
    )


def without_figures(what: str, failed: Mapping[str, object], *advice: str) -> TrainingError:
    """Return the error for what has no figures, with the reason of each."""
    reasons = [f"{label}: {in_a_line(why)}" for label, why in failed.items()]
    return TrainingError(what, *reasons, *advice)


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
    measurer = Measurer(corpus, measures, CountedCorpora(Meter(), jobs or usable_cores()))
    families = [TokenizerFamily(label, {label: t}) for label, t in labelled.items()]
    figures: dict[str, FamilyFigures] = {}
    for family, outcome in measurer.measure(families):
        if isinstance(outcome, ToktkError):
            outcome.args += (f"It is the tokenizer {family.label}.",)
            raise outcome
        figures[family.label] = outcome
    for error in (*measures.broken.values(), *measurer.failed.values()):
        if metrics:
            raise error
        warnings.warn(in_a_line(error), stacklevel=2)
    return results_of(labelled, figures, measures.metrics)


def remark_on(metrics: Mapping[str, PluginError], meter: Meter) -> None:
    """Say of metrics of other packages that they are left out, and why."""
    for name, error in metrics.items():
        show_cause(error)
        meter.remark(f"metric {name} is left out: {in_a_line(error)}")


def without_metrics(measures: Measures, failed: Mapping[str, PluginError]) -> dict[str, str]:
    """Return the metrics that a run has to name as failed, with the reasons, as `Outcome.failed`.

    One that cannot even be loaded, and that nobody asked for, is no fault of the run.
    """
    named = {**(measures.broken if measures.metrics else {}), **failed}
    return {f"metric {name}": str(error) for name, error in named.items()}


def results_of(
    tokenizers: Mapping[str, Tokenizer],
    figures: Mapping[str, FamilyFigures],
    asked: Sequence[str],
) -> Results:
    """Return the figures of tokenizers, each a family by itself, in their order; engines and hashes.

    `asked` are the metrics that were asked for by name.
    """
    records = tuple(record for label in tokenizers for record in figures[label].results)
    engines = {label: [t.engine, t.why] for label, t in tokenizers.items()}
    hashes = {label: t.signature[:8] for label, t in tokenizers.items()}
    about = {"engines": engines, "hashes": hashes, "asked": [*asked]}
    return Results(
        records, {**of_text(figures.values()), **about}, joined_documents(figures.values())
    )


def joined_documents(figures: Iterable[FamilyFigures]) -> DocumentCounts | None:
    """Return the counts of documents of families that were measured on the same text, as one."""
    counts = [one.results.documents for one in figures if one.results.documents is not None]
    if not counts:
        return None
    tokens = {label: own for each in counts for label, own in each.tokens.items()}
    return replace(counts[0], tokens=tokens)


def of_text(figures: Iterable[FamilyFigures]) -> dict[str, Any]:
    """Return what the figures of one text say of it beside the records; see `Results.about`."""
    return {key: value for one in figures for key, value in one.results.about.items()}


@dataclass(frozen=True)
class Measurer:
    """Measures families of tokenizers on one text.

    Attributes:
        counted: the counted corpora; its store keeps the figures, its meter is told what is measured.
        failed: metrics of other packages that failed, by name; their figures are left out.
        trained: the groups of the text that the tokenizers were trained on, if it is known.
    """

    corpus: Corpus
    measures: Measures
    counted: CountedCorpora
    failed: dict[str, PluginError] = field(default_factory=dict)
    trained: tuple[str, ...] | None = None

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
                by_cut.setdefault(family.cuts[0], []).append(family)
                continue
            self.counted.meter.reused("measure", family.label)
            self.counted.meter.remark(_line(family, figures))
            yield family, figures
        missing = [family for alike in by_cut.values() for family in alike]
        cuts = {t.pretokenizer.key: t.pretokenizer for f in missing for t in f.tokenizers.values()}
        self.counted.count_together(self.corpus, list(cuts.values()))
        for alike in by_cut.values():
            for family in alike:
                yield family, self._measured(family)
            if drop and len(alike[0].cuts) == 1:
                self.counted.drop(self.corpus, cuts[alike[0].cuts[0]])

    def _key(self, family: TokenizerFamily) -> dict[str, Any]:
        """Return all that determines the figures of a family, JSON-able."""
        return {
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

    def _measured(self, family: TokenizerFamily) -> FamilyFigures | ToktkError:
        total = sum(len(self._counted_under(t).table) for t in family.tokenizers.values())
        failed: dict[str, PluginError] = {}
        try:
            with self.counted.meter.step("measure", family.label, total, "pieces") as advance:
                evaluations = self._evaluations(family, advance)
                records: list[Record] = []
                tokens: dict[str, Int64] = {}
                of_ids = self._of_ids(family, evaluations)
                for label, evaluation in evaluations.items():
                    tokenizer = family.tokenizers[label]
                    self._check_any(label, tokenizer, evaluation)
                    pieces = self.counted.document_pieces(self.corpus, tokenizer.pretokenizer)
                    quantities = pieces.quantities(evaluation, tokenizer.vocab_size)
                    tokens[label] = quantities["tokens"]
                    maker = IntervalMaker(
                        self.counted.units(self.corpus),
                        quantities,
                        of_ids[label],
                    )
                    records += self._records(family, label, evaluation, maker, failed)
                records += self._knee(family, records, [*tokens.values()])
                counted = self._counted_under(next(iter(family.tokenizers.values())))
                folds = len(counted.table.groups) > MOST_GROUPS
                figures = FamilyFigures(
                    Results(
                        tuple(records),
                        {"scripts": scripts_of(counted.table)} if folds else {},
                        counts_of(pieces, tokens),
                    ),
                    _curves(family, [*evaluations.values()]),
                    counted.reading,
                )
        except (FormatError, PluginError) as error:  # of a library or a plug-in, or nothing is left
            return error
        if failed:
            self.failed.update({**failed, **self.failed})
        else:
            self.counted.store.write("figures", self._key(family), figures.save)
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

    def _evaluations(
        self, family: TokenizerFamily, progress: Callable[[int], None]
    ) -> dict[str, Evaluation]:
        """Return the evaluation of each tokenizer; those that cut alike share encodings."""
        evaluations: dict[str, Evaluation] = {}
        for cut in family.cuts:
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
                    rows=self.counted.document_pieces(
                        self.corpus, next(iter(alike.values())).pretokenizer
                    ).rows,
                    progress=progress,
                )
            evaluations |= zip(alike, shared, strict=True)
        return {label: evaluations[label] for label in family.tokenizers}

    def _records(
        self,
        family: TokenizerFamily,
        label: str,
        evaluation: Evaluation,
        intervals: IntervalMaker,
        failed: dict[str, PluginError],
    ) -> Iterator[Record]:
        """Yield the figures of one tokenizer; metrics that fail are put into `failed`."""
        tokenizer = family.tokenizers[label]
        reference = self.measures.reference
        options = MetricOptions(reference, self.trained)
        # Means over groups are of those that were trained on, and of all where nothing says which.
        trained = sorted(set(evaluation.groups).intersection(self.trained or ()))
        is_part = 0 < len(trained) < len(evaluation.groups)
        over = hashlib.sha256(json.dumps(trained).encode()).hexdigest() if is_part else None
        native = tokenizer.engine == NATIVE
        # A library's pieces are not seen; a published tokenizer that cuts nowhere has none, nor has
        # SentencePiece's unigram.
        single = isinstance(tokenizer.model, UnigramModel) and tokenizer.model.single
        whole = not native or tokenizer.pretokenizer.key == PATTERNS["none"]
        hides_pieces = single or (whole and family.trainer is None)
        definitions = dict(self.measures.definitions)
        if evaluation.lost(tokenizer.vocab_size).any():  # is said, whatever was asked for
            definitions.setdefault(lost.name, lost)
        for name, metric in definitions.items():
            # A reference is asked of parity alone: text without one must not pass in silence.
            asked = self.measures.metrics or (name == "parity" and reference is not None)
            if not (asked or metric.applies(evaluation)):
                continue
            try:
                figures = _computed(metric, evaluation, tokenizer.vocab_size, options)
            except PluginError as error:
                failed.setdefault(name, error)
                continue
            for figure in figures:
                if metric.pieces and hides_pieces:
                    figure = replace(figure, value=None, note=NO_PIECES)
                interval = intervals.interval(figure)
                yield Record(
                    tokenizer=label,
                    family=family.label,
                    trainer=family.trainer,
                    inference=family.inference,
                    pretokenizer=tokenizer.pretokenizer.name if native else None,
                    size=tokenizer.vocab_size,
                    corpus=self.corpus.name,
                    group=figure.group,
                    metric=figure.metric,
                    value=figure.value,
                    low=None if interval is None else interval.low,
                    high=None if interval is None else interval.high,
                    unit=figure.unit,
                    n=figure.n,
                    n_effective=(interval.n_effective or None) if interval else None,
                    note=figure.note or doubt(interval),
                    signature=signature(
                        tok=tokenizer.signature,
                        corpus=self.corpus.fingerprint,
                        unit=figure.unit,
                        agg=figure.metric.partition("|")[2] or "sum",
                        over=over if metric.parallel or "|" in figure.metric else None,
                        **_reading_of(tokenizer),
                    ),
                )

    def _of_ids(
        self, family: TokenizerFamily, evaluations: Mapping[str, Evaluation]
    ) -> dict[str, dict[str, Interval]]:
        """Return the intervals of figures about ids, by label; none where a library would encode anew."""
        wanted = {"utilization", "renyi_efficiency"}.intersection(self.measures.definitions)

        def intervals(label: str) -> dict[str, Interval]:
            tokenizer = family.tokenizers[label]
            model = tokenizer.model
            if not wanted or tokenizer.engine != NATIVE or getattr(model, "single", False):
                return {}
            spelled = self.counted.spelled_units(self.corpus, tokenizer.pretokenizer)
            return spelled.intervals(model, evaluations[label], tokenizer.vocab_size)

        with Threads(self.counted.jobs) as pool:
            return dict(zip(evaluations, pool.map(intervals, evaluations), strict=True))

    def _knee(
        self, family: TokenizerFamily, records: Sequence[Record], tokens: list[Int64]
    ) -> list[Record]:
        """Return the record of the knee, of the largest tokenizer, where the sizes reach it."""
        units = self.counted.units(self.corpus)
        line = next(
            (r for r in records if r.metric == "tokens_per_line" and r.group == POOLED), None
        )
        groups = None
        if line is not None and line.value is not None:  # as the gain in the table
            of_line = {r.group for r in records if r.metric == "tokens_per_line" and r.value}
            groups = tuple(sorted(of_line.difference([POOLED], self._untrained)))
        sizes = np.array([t.vocab_size for t in family.tokenizers.values()], dtype=np.int64)
        interval = None
        if family.trainer is not None and (np.diff(sizes) > 0).all():
            interval = knee_of(sizes, tokens, units, groups)
        if interval is None or not records:
            return []
        last = next(r for r in reversed(records) if r.group == POOLED)
        return [
            replace(
                last,
                metric=KNEE,
                value=interval.value,
                low=interval.low,
                high=interval.high,
                unit="ids",
                n=interval.n,
                n_effective=interval.n_effective,
                note=doubt(interval),
                signature=signature(
                    tok=[*family.tokenizers.values()][-1].signature,
                    corpus=self.corpus.fingerprint,
                    unit="ids",
                    agg="sum",
                ),
            )
        ]

    @property
    def _untrained(self) -> set[str]:
        """The groups of the text that are not in the training text, where any of it is."""
        groups, trained = set(self.counted.units(self.corpus).documents.groups), self.trained or ()
        return groups.difference(trained) if groups.intersection(trained) else set()


def _reading_of(tokenizer: Tokenizer) -> dict[str, str | None]:
    """Return how a tokenizer reads text, for `signature`: its normal form, and special tokens as text."""
    return {"norm": tokenizer.pretokenizer.normalizer.form, "specials": "text"}


def _computed(
    metric: Metric, evaluation: Evaluation, size: int, options: MetricOptions
) -> list[Figure]:
    """Return the figures of a metric; those of other packages are checked.

    Raises:
        PluginError: a metric of another package fails, or gives something else.
    """
    with guarded(f"the metric {metric.name!r}", metric.compute):
        figures = [*metric.compute(evaluation, size, options)]
        if package_of(metric.compute) != OWN:
            for figure in figures:
                _check_figure(figure)
        return figures


def _check_figure(figure: object) -> None:
    if not isinstance(figure, Figure):
        raise TypeError(f"it gives {figure!r:.100}, not a Figure")
    texts = (figure.group, figure.metric, figure.unit)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"group, metric and unit must be strings, not {texts!r:.100}")
    if figure.value is not None and not math.isfinite(figure.value):
        raise ValueError(
            f"{figure.metric} of {figure.group} is {figure.value}, not a number or None"
        )


def _line(family: TokenizerFamily, figures: FamilyFigures) -> str:
    """Return what is said of a family as soon as it is measured: its first figure at each size."""
    pooled = [r for r in figures.results if r.group == POOLED and r.value is not None]
    metrics = [record.metric for record in pooled]
    metric = next((m for m in ("tokens_per_line", "bytes_per_token", *metrics) if m in metrics), "")
    lossy = {record.size: record.value for record in pooled if record.metric == lost.name}
    values = [
        f"{r.value:.4g} ({size_label(r.size or 0)}{', text lost' if lossy.get(r.size) else ''})"
        for r in pooled
        if r.metric == metric
    ]
    return (
        f"{family.label}: {metric} {', '.join(values)}"
        if values
        else f"{family.label}: not measured"
    )


def _curves(family: TokenizerFamily, evaluations: Sequence[Evaluation]) -> pa.Table:
    """Return the tokens of each group, and of all together, by size; see `FamilyFigures`.

    Where one evaluation serves all sizes, `CURVE_POINTS` between the ends are added to those asked for.
    """
    import pyarrow as pa

    sizes_asked = [tokenizer.vocab_size for tokenizer in family.tokenizers.values()]
    points = [(e, [size]) for e, size in zip(evaluations, sizes_asked, strict=True)]
    shared = len(set(map(id, evaluations))) == 1
    if shared and (len(evaluations) > 1 or family.trainer is not None):
        reached = evaluations[0].sizes
        spread = np.geomspace(reached[0], reached[-1], CURVE_POINTS)
        nearest = reached[np.searchsorted(reached, np.rint(spread).clip(reached[0], reached[-1]))]
        points = [(evaluations[0], sorted({*nearest.tolist(), *sizes_asked}))]
    groups: list[str] = []
    sizes: list[int] = []
    tokens: list[int] = []
    for evaluation, read in points:
        for size in read:
            counts = evaluation.tokens(size)
            groups += [POOLED, *evaluation.groups]
            sizes += [size] * (1 + len(counts))
            tokens += [int(counts.sum()), *counts.tolist()]
    n = len(sizes)
    cut = [*family.tokenizers.values()][-1].pretokenizer.name
    return pa.table(
        {
            "tokenizer": arrow.from_list([family.label] * n, pa.string()),
            "trainer": arrow.from_list([family.trainer] * n, pa.string()),
            "pretokenizer": arrow.from_list([cut] * n, pa.string()),
            "group": arrow.from_list(groups, pa.string()),
            "size": arrow.from_list(sizes, pa.int64()),
            "tokens": arrow.from_list(tokens, pa.int64()),
        }
    ).sort_by([("group", "ascending"), ("size", "ascending")])
