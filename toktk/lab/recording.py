"""Records: the figures of one family of tokenizers, each with its interval and signature."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from toktk import arrow
from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.errors import NoIdsError, PluginError
from toktk.evaluation.base import Evaluation
from toktk.evaluation.ngrams import ORDERS, NgramBits
from toktk.lab.family import TokenizerFamily
from toktk.lab.id_intervals import SpelledUnits
from toktk.lab.intervals import Bounds, IntervalMaker
from toktk.lab.knee import KNEE, knee_of
from toktk.lab.measures import Measures
from toktk.metrics.base import Figure, Metric, MetricOptions, untrained_of
from toktk.metrics.compression import lost
from toktk.metrics.ngrams import BYTES, bits_name
from toktk.metrics.ngrams import TOPIC as NGRAMS
from toktk.models.unigram import UnigramModel
from toktk.pieces.table import POOLED
from toktk.pieces.text_sample import TextSample
from toktk.pretokenizers.patterns import PATTERNS
from toktk.registry import OWN, guarded, package_of
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import Record, signature
from toktk.runtime import Threads
from toktk.tokenizer import NATIVE, Tokenizer

NO_IDS = "its file has counts alone: there are no ids to see"
NO_PIECES = "whole documents are encoded: there are no pieces to see"
_MANY = 20_000  # groups of all tokenizers
CURVE_POINTS = 400  # a constant factor apart
CURVE_ROWS = 1 << 20  # of all groups together; of very many groups there are fewer points


@dataclass(frozen=True)
class Recorder:
    """Makes the records of one family.

    Attributes:
        evaluations: of each tokenizer, by label.
        spelled: the sampled documents as its tokenizers cut them, by key of the pretokenizer.
        trained: the groups of the text that the tokenizers were trained on, if it is known.
        jobs: threads; they change no figure.
        failed: metrics of other packages that failed, by name; their figures are left out.
        ngrams: what held-out documents cost under the n-gram models of each tokenizer, by label, where
            that was asked for; `ngram_text` tells the text that they learned from.
    """

    family: TokenizerFamily
    evaluations: Mapping[str, Evaluation]
    spelled: Mapping[str, SpelledUnits]
    corpus: Corpus
    measures: Measures
    trained: tuple[str, ...] | None
    jobs: int = 1
    failed: dict[str, PluginError] = field(default_factory=dict)
    ngrams: Mapping[str, NgramBits] = field(default_factory=dict)
    ngram_text: str = ""

    def records(self, progress: Callable[[int], None]) -> tuple[Record, ...]:
        """Return all figures, those of smaller tokenizers first; the knee comes last.

        `progress` is called with the tokenizers done since the last call.
        """
        labels = [*self.family.tokenizers]
        with Threads(1) as beside:  # kernels, which leave the interpreter to the metrics
            counting = beside.submit(lambda: self._intervals) if self.jobs > 1 else None
            # Those of many groups take more memory than their records: then one metric after the other.
            n_groups = len(self.evaluations[labels[0]].groups)
            ahead = labels if n_groups * len(labels) < _MANY else []
            figures = {label: [*self._figures(label)] for label in ahead}
            if counting is not None:
                counting.result()
        if self.jobs > 1:
            for label, of_label in figures.items():
                maker, _ = self._intervals[label]
                maker.prepare(figure for _, of_metric in of_label for figure in of_metric)
        records: list[Record] = []
        for label in labels:
            records += self._records(
                label, figures[label] if label in figures else self._figures(label)
            )
            progress(1)
        return (*records, *self._knee(records))

    def document_counts(self) -> DocumentCounts:
        """Return the counts of the sampled documents."""
        units = next(iter(self.spelled.values())).units
        documents = units.documents
        order, shared = units.by_hash
        return DocumentCounts(
            groups=documents.groups,
            **shared,
            # Copies: of what they are made of as many quantities more would be held with them.
            tokens={label: self._tokens(label)[order].copy() for label in self.family.tokenizers},
            n_all=documents.n_all,
            kinds=documents.kinds,
            bits={label: ngrams.of_rows[:, order] for label, ngrams in self.ngrams.items()},
        )

    def _tokens(self, label: str) -> Int64:
        """Return int64[D]: the tokens of each sampled document."""
        maker, e = self._intervals[label]
        return np.asarray(maker.quantities["tokens"][e])

    @cached_property
    def _intervals(self) -> dict[str, tuple[IntervalMaker, int]]:
        """What makes the intervals of each tokenizer, and its number there."""
        found: dict[str, tuple[IntervalMaker, int]] = {}
        about_ids = {"utilization", "renyi_efficiency"}.intersection(self.measures.definitions)
        for cut, spelled in self.spelled.items():
            alike = [n for n, t in self.family.tokenizers.items() if t.pretokenizer.key == cut]
            chosen = [(self.evaluations[n], self.family.tokenizers[n].vocab_size) for n in alike]
            quantities = spelled.pieces.quantities(chosen)
            has_ids = all(evaluation.has_ids for evaluation, _ in chosen)
            if self.ngrams:
                quantities |= _of_ngrams(
                    [self.ngrams[label] for label in alike], quantities["bytes"]
                )
            of_ids = (
                spelled.intervals(chosen, quantities["tokens"]) if about_ids and has_ids else []
            )
            maker = IntervalMaker(
                spelled.units,
                quantities,
                of_ids,
                of_one=self.family.trainer is not None,
                jobs=self.jobs,
            )
            found |= {label: (maker, e) for e, label in enumerate(alike)}
        return found

    @cached_property
    def _sample(self) -> TextSample:
        """What metrics try out of the text, which is read only where one asks."""
        return TextSample(next(iter(self.spelled.values())).pieces.documents)

    def _figures(self, label: str) -> Iterator[tuple[Metric, list[Figure]]]:
        """Yield the figures of one tokenizer by metric; metrics that fail are put into `failed`."""
        evaluation, size = self.evaluations[label], self.family.tokenizers[label].vocab_size
        reference = self.measures.reference
        tokenizer = self.family.tokenizers[label] if evaluation.has_ids else None
        ngrams = self.ngrams.get(label)
        options = MetricOptions(reference, self.trained, tokenizer, self._sample, ngrams)
        definitions = dict(self.measures.definitions)
        if evaluation.has_ids and evaluation.lost(size).any():  # is said, whatever was asked for
            definitions.setdefault(lost.name, lost)
        for name, metric in definitions.items():
            # A reference is asked of parity alone: text without one must not pass in silence.
            asked = name in self.measures.named or (name == "parity" and reference is not None)
            if asked or metric.applies(evaluation):
                try:
                    yield metric, _computed(metric, evaluation, size, options)
                except NoIdsError:
                    null = Figure(POOLED, metric.name, None, metric.unit, None, NO_IDS, "no ids")
                    yield metric, [null]
                except PluginError as error:
                    self.failed.setdefault(name, error)

    def _records(
        self, label: str, figures: Iterable[tuple[Metric, Sequence[Figure]]]
    ) -> Iterator[Record]:
        """Yield the records of the figures of one tokenizer."""
        family, tokenizer = self.family, self.family.tokenizers[label]
        intervals, e = self._intervals[label]
        # Means over groups are of those that were trained on, and of all where nothing says which.
        groups = self.evaluations[label].groups
        trained = sorted(set(groups).intersection(self.trained or ()))
        is_part = 0 < len(trained) < len(groups)
        over = hashlib.sha256(json.dumps(trained).encode()).hexdigest() if is_part else None
        native = tokenizer.engine == NATIVE
        # A library's pieces are not seen; a published tokenizer that cuts nowhere has none, nor has
        # SentencePiece's unigram.
        single = isinstance(tokenizer.model, UnigramModel) and tokenizer.model.single
        whole = not native or tokenizer.pretokenizer.key == PATTERNS["none"]
        hides_pieces = single or (whole and family.trainer is None)
        about = {
            "tok": tokenizer.signature,
            "corpus": self.corpus.fingerprint,
            **reading_of(tokenizer),
        }
        signatures: dict[tuple[str, str, str | None, str | None], str] = {}
        cut = tokenizer.pretokenizer.name if native else None
        size = tokenizer.vocab_size or None
        for metric, figure in ((metric, one) for metric, of_metric in figures for one in of_metric):
            if metric.pieces and hides_pieces:
                figure = replace(figure, value=None, note=NO_PIECES)
            aggregation = figure.metric.partition("|")[2]
            own = over if metric.parallel or aggregation else None
            ngrams = self.ngram_text if metric.topic == NGRAMS else None
            key = figure.unit, aggregation or "sum", own, ngrams
            if key not in signatures:
                signatures[key] = signature(
                    **about, unit=key[0], agg=key[1], over=own, ngrams=ngrams
                )
            bounds = intervals.bounds(figure, e)
            yield Record(
                tokenizer=label,
                family=family.name_of(label),
                trainer=family.trainer,
                inference=family.inference,
                pretokenizer=cut,
                size=size,
                corpus=self.corpus.name,
                group=figure.group,
                metric=figure.metric,
                value=figure.value,
                low=bounds.low,
                high=bounds.high,
                unit=figure.unit,
                n=figure.n,
                n_effective=bounds.n_effective,
                note=figure.note or bounds.note,
                signature=signatures[key],
            )

    def _knee(self, records: Sequence[Record]) -> list[Record]:
        """Return the record of the knee, of the largest tokenizer, where the sizes reach it."""
        tokenizers = self.family.tokenizers
        units = next(iter(self.spelled.values())).units
        line = next(
            (r for r in records if r.metric == "tokens_per_line" and r.group == POOLED), None
        )
        groups = None
        if line is not None and line.value is not None:  # as the gain in the table
            of_line = {r.group for r in records if r.metric == "tokens_per_line" and r.value}
            untrained = untrained_of(units.documents.groups, self.trained)
            groups = tuple(sorted(of_line.difference([POOLED], untrained)))
        sizes = np.array([t.vocab_size for t in tokenizers.values()], dtype=np.int64)
        interval = None
        if self.family.trainer is not None and (np.diff(sizes) > 0).all():
            interval = knee_of(sizes, [*map(self._tokens, tokenizers)], units, groups)
        if interval is None or not records:
            return []
        bounds = Bounds.of(interval)
        last = next(r for r in reversed(records) if r.group == POOLED)
        return [
            replace(
                last,
                metric=KNEE,
                value=interval.value,
                low=bounds.low,
                high=bounds.high,
                unit="ids",
                n=interval.n,
                n_effective=bounds.n_effective,
                note=bounds.note,
                signature=signature(
                    tok=[*tokenizers.values()][-1].signature,
                    corpus=self.corpus.fingerprint,
                    unit="ids",
                    agg="sum",
                ),
            )
        ]


def _of_ngrams(ngrams: Sequence[NgramBits], n_bytes: Int64) -> dict[str, Int64]:
    """Return what E tokenizers' n-gram figures are made of: int64[E, D] above, int64[1, D] below."""
    bits = np.stack([own.of_rows for own in ngrams], axis=1)
    of_orders = {bits_name(order): own for order, own in zip(ORDERS, bits, strict=True)}
    return {**of_orders, BYTES: n_bytes * ngrams[0].scale}


def reading_of(tokenizer: Tokenizer) -> dict[str, str | None]:
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


def curves_of(family: TokenizerFamily, evaluations: Sequence[Evaluation]) -> pa.Table:
    """Return the tokens of each group, and of all together, by size; see `FamilyFigures`.

    Where one evaluation serves all sizes, up to `CURVE_POINTS` between the ends are added to those asked for.
    """
    sizes_asked = [tokenizer.vocab_size for tokenizer in family.tokenizers.values()]
    points = [*zip(evaluations, sizes_asked, strict=True)]
    groups = [POOLED, *evaluations[0].groups]
    shared = len(set(map(id, evaluations))) == 1
    if shared and (len(evaluations) > 1 or family.trainer is not None):
        reached = evaluations[0].sizes
        n_points = min(CURVE_POINTS, CURVE_ROWS // len(groups))
        spread = np.geomspace(reached[0], reached[-1], n_points)
        nearest = reached[np.searchsorted(reached, np.rint(spread).clip(reached[0], reached[-1]))]
        points = [(evaluations[0], size) for size in sorted({*nearest.tolist(), *sizes_asked})]
    tokens = np.empty((len(points), len(groups)), dtype=np.int64)
    for row, (evaluation, size) in zip(tokens, points, strict=True):
        row[1:] = evaluation.tokens(size)
        row[0] = row[1:].sum()
    by_group = np.array(
        sorted(range(len(groups)), key=lambda i: groups[i].encode()), dtype=np.int32
    )
    sizes = np.array([size for _, size in points], dtype=np.int64)
    by_size = np.argsort(sizes, kind="stable")
    cut = [*family.tokenizers.values()][-1].pretokenizer.name
    same = np.zeros(tokens.size, dtype=np.int32)
    return pa.table(
        {
            "tokenizer": arrow.from_names([family.label], same),
            "trainer": arrow.from_names([family.trainer], same),
            "pretokenizer": arrow.from_names([cut], same),
            "group": arrow.from_names(groups, np.repeat(by_group, sizes.size)),
            "size": arrow.from_numpy(np.tile(sizes[by_size], by_group.size)),
            "tokens": arrow.from_numpy(tokens[by_size][:, by_group].T.ravel()),
        }
    )
