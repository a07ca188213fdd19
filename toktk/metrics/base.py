"""What a metric is, and the two shapes that most have: a ratio of sums, and a summary over groups.

A metric reads an `Evaluation` at one vocabulary size and returns figures. A figure's metric name
begins with the name of its metric and carries everything that changes its meaning: the unit
(``fertility[ws]``), the reference (``parity[en]``) and, where groups were averaged, the aggregation
(``fertility[ws]|macro``). Without ``|`` a figure is a ratio of sums. An undefined value is None
with a note and a reason, never 0 or NaN.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.errors import MetricError, NoIdsError
from toktk.pieces.table import POOLED

if TYPE_CHECKING:
    from toktk.evaluation.base import Evaluation
    from toktk.evaluation.ngrams import NgramBits
    from toktk.pieces.text_sample import TextSample
    from toktk.tokenizer import Tokenizer

Better = Literal["higher", "lower"] | None
STANDARD = "standard"
"""The topic of the metrics that are measured unless others are asked for."""
UNTRAINED = "not in the training text"
"""What the note of a figure says of a group that is left out of summaries over groups."""

Reason = Literal[
    "empty", "no ids", "no pieces", "no reference", "not parallel", "unspaced", "changed"
]


class Column(NamedTuple):
    """The sum of a quantity over the documents of groups.

    Attributes:
        name: of `toktk.evaluation.documents.DocumentPieces.quantities`, or ``lines``: 1 a document.
        groups: whose documents; None: all groups.
    """

    name: str
    groups: tuple[str, ...] | None = None


class Quotient(NamedTuple):
    """How a figure that is a ratio of sums comes from documents.

    Attributes:
        complement: one less that ratio.
        of_sample: it rests on the sampled documents alone, not on all of the text.
    """

    numerator: Column
    denominator: Column
    complement: bool = False
    of_sample: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """How a figure that is no ratio of sums comes from documents.

    `statistic` takes the sums of the columns, float64[..., K], and returns float64[...], the figure, NaN
    where there is none.
    """

    columns: tuple[Column, ...]
    statistic: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number about one group of texts.

    Attributes:
        group: the group's name, or "all".
        metric: the metric's name and what else changes the meaning.
        value: None where it is undefined.
        n: documents, aligned lines or, for a summary, groups that the value rests on.
        note: why `value` is None, which group a maximum belongs to, or `UNTRAINED`.
        reason: why `value` is None, for programs: "empty" (nothing to divide by), "no ids" (the
            tokenizer only counts), "no pieces" (it takes whole documents), "no reference" (parity has no
            group to divide by), "not parallel" (the group), "unspaced" (a script without spaces has no
            words) or "changed" (text does not come back from its ids, or made text from its tokens).
        made_of: how it comes from documents, for its interval; None: a plain count, or not known.
    """

    group: str
    metric: str
    value: float | None
    unit: str
    n: int | None
    note: str | None = None
    reason: Reason | None = None
    made_of: Quotient | Summary | None = None


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """What is known beside the text.

    Attributes:
        reference: the group that parity divides by; None: the English one, if there is one.
        trained: the groups of the text that the tokenizer was trained on; None where it is not known.
        tokenizer: the one that is measured; None: its counts alone are there.
        sample: some of the text, to try things on; None: there is none.
        ngrams: what held-out documents cost under its n-gram models; None where nobody asked for it.
    """

    reference: str | None = None
    trained: tuple[str, ...] | None = None
    tokenizer: Tokenizer | None = None
    sample: TextSample | None = None
    ngrams: NgramBits | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A named definition; `compute(evaluation, size, options)` returns its figures.

    Attributes:
        name: what the metric names of its figures begin with.
        better: the direction of improvement.
        description: what the figure answers.
        compute: raises MetricError for text that cannot carry the metric.
        parallel: only parallel text can carry it; `applies` tells beforehand.
        pieces: it is about the pretokenizer's pieces: null for a tokenizer that takes whole documents.
        formula: how the figure is computed, in plain text.
        trap: how the figure misleads, and what to do about it.
        source: who defined it.
        topic: what else it is asked for by, with others; but for those of `STANDARD`, a metric is measured
            only where it or its topic is asked for.
    """

    name: str
    unit: str
    better: Better
    description: str
    compute: Callable[[Evaluation, int, MetricOptions], list[Figure]]
    parallel: bool = False
    pieces: bool = False
    formula: str = ""
    trap: str = ""
    source: str = ""
    topic: str = STANDARD

    def applies(self, evaluation: Evaluation) -> bool:
        """Return whether this text can carry the metric at all."""
        return not self.parallel or evaluation.aligned_lines is not None


def metric(
    name: str,
    unit: str,
    better: Better,
    *,
    parallel: bool = False,
    pieces: bool = False,
    formula: str = "",
    trap: str = "",
    source: str = "",
    topic: str = STANDARD,
) -> Callable[[Callable[[Case], list[Figure]]], Metric]:
    """Make a `Metric` of the function of a `Case` below it, whose docstring is the description."""

    def define(figures: Callable[[Case], list[Figure]]) -> Metric:
        @functools.wraps(figures)
        def compute(evaluation: Evaluation, size: int, options: MetricOptions) -> list[Figure]:
            if parallel and evaluation.aligned_lines is None:
                groups = ", ".join((*evaluation.groups[:8], *["…"] * (len(evaluation.groups) > 8)))
                raise MetricError(
                    f"{name} needs parallel text: the same lines in every language.",
                    f"Found: no alignment (groups: {groups}).",
                    "Give a parallel corpus, naming the column of line ids with --align-column.",
                )
            return figures(Case(name, unit, evaluation, size, options))

        description = " ".join((figures.__doc__ or "").split())
        return Metric(
            name, unit, better, description, compute, parallel, pieces, formula, trap, source, topic
        )

    return define


@dataclass(frozen=True)
class Case:
    """A metric that is asked of an evaluation, at one vocabulary size; makes its figures."""

    name: str
    unit: str
    evaluation: Evaluation
    size: int
    options: MetricOptions

    @functools.cached_property
    def untrained(self) -> set[str]:
        """The groups that the training text lacks; summaries over groups leave them out.

        There are none where it has no group of this text: then names do not tell what a group holds.
        """
        return untrained_of(self.evaluation.groups, self.options.trained)

    @property
    def parallel(self) -> npt.NDArray[np.bool_]:
        """bool[G]: the sides of a parallel text that the training text has."""
        trained = [group not in self.untrained for group in self.evaluation.groups]
        return self.evaluation.parallel & np.array(trained, dtype=np.bool_)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that is measured; raises NoIdsError where its counts alone are there."""
        if self.options.tokenizer is None:
            raise NoIdsError(self.name)
        return self.options.tokenizer

    @property
    def sample(self) -> TextSample:
        """Some of the text that is measured; raises MetricError where there are its counts alone."""
        if self.options.sample is None:
            raise MetricError(
                f"{self.name} needs some of the text itself.",
                "Found: only counts of its tokens.",
                "Measure it where the text is at hand.",
            )
        return self.options.sample

    @property
    def tokens(self) -> Int64:
        """int64[G]: the tokens of each group."""
        return self.evaluation.tokens(self.size)

    def figure(
        self,
        group: str,
        value: float | None,
        n: int | None,
        note: str,
        reason: Reason = "empty",
        made_of: Quotient | Summary | None = None,
    ) -> Figure:
        """Return a figure; `note` and `reason` say why it is null and are left out where it is not."""
        if value is None:
            return Figure(group, self.name, None, self.unit, n, note, reason)
        remark = UNTRAINED if group in self.untrained else None
        return Figure(group, self.name, value, self.unit, n, remark, made_of=made_of)

    def sums(self, name: str) -> Int64:
        """Return int64[G]: a quantity of `Column`, summed over each group."""
        evaluation = self.evaluation
        if name == "unknown":
            unknown = evaluation.unknown(self.size)
            return np.zeros_like(self.tokens) if unknown is None else unknown
        if name in ("tokens", "single_token_words", "lost"):
            sums: Int64 = getattr(evaluation, name)(self.size)
            return sums
        plain: Int64 = getattr(evaluation, name)
        return plain

    def sampled_ratios(
        self, kind: str, counts: Mapping[str, tuple[int, int, int]], empty: str
    ) -> list[Figure]:
        """Return figures named ``<metric>[kind]``, and for "all" the ratio of the sums.

        `counts` has numerator, denominator and what `n` is for each group.
        """
        case = replace(self, name=f"{self.name}[{kind}]")
        sums = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0]
        rows = [*counts.items(), (POOLED, sums)]
        return [case.figure(group, ratio(x, y), n, empty) for group, (x, y, n) in rows]

    def ratios(
        self,
        numerator: str | Int64,
        denominator: str | Int64,
        empty: str,
        complement: bool = False,
    ) -> list[Figure]:
        """Return numerator / denominator, or one less it, for each group, and for "all" that of the sums.

        Both are names of quantities, as in `Column`, or int64[G], of which no interval can be made.
        """
        above, below = (
            self.sums(side) if isinstance(side, str) else side for side in (numerator, denominator)
        )
        figures = []
        for name, n, x, y in self._rows(below - above if complement else above, below):
            of = None if name == POOLED else (name,)
            made_of = None
            if isinstance(numerator, str) and isinstance(denominator, str):
                made_of = Quotient(Column(numerator, of), Column(denominator, of), complement)
            figures.append(self.figure(name, ratio(x, y), n, empty, made_of=made_of))
        return figures

    def totals(self, values: Int64) -> list[Figure]:
        """Return a count, int64[G], for each group, and its sum for "all"."""
        return [self.figure(name, float(value), n, "") for name, n, value in self._rows(values)]

    def _rows(self, *values: Int64) -> Iterator[tuple[Any, ...]]:
        """Return name, documents and `values` of each group, then of all groups together."""
        columns = [[*v.tolist(), int(v.sum())] for v in (self.evaluation.documents, *values)]
        return zip((*self.evaluation.groups, POOLED), *columns, strict=True)


def untrained_of(groups: Sequence[str], trained: Sequence[str] | None) -> set[str]:
    """Return the groups of a text that the training text lacks; none where it has no group of this text."""
    own = set(groups)
    return own.difference(trained or ()) if own.intersection(trained or ()) else set()


def ratio(numerator: int, denominator: int) -> float | None:
    """Return the quotient, or None where the denominator is zero."""
    return numerator / denominator if denominator else None


def over_groups(figures: Sequence[Figure], leave_out: Iterable[str] = ()) -> list[Figure]:
    """Return the unweighted mean of one metric's figures and the largest: ``<metric>|macro`` and ``|max``.

    The pooled figure, nulls and the groups in `leave_out` do not count; `n` is how many do. The
    note of the largest names its group, the first of equal ones.
    """
    kinds = {(figure.metric, figure.unit) for figure in figures}
    if len(kinds) != 1:
        raise MetricError(
            "a summary over groups needs the figures of exactly one metric.",
            f"Found: {', '.join(sorted(name for name, _ in kinds)) or 'none'}.",
            "Summarize each metric on its own.",
        )
    ((name, unit),) = kinds
    values = {
        figure.group: figure.value
        for figure in figures
        if figure.value is not None and figure.group not in (POOLED, *leave_out)
    }
    mean, largest, n = f"{name}|macro", f"{name}|max", len(values)
    if not values:
        note = "defined for no group"
        return [Figure(POOLED, name, None, unit, 0, note, "empty") for name in (mean, largest)]
    worst = max(values, key=lambda group: values[group])
    made = [f.made_of for f in figures if f.group in values and isinstance(f.made_of, Quotient)]
    columns = (*(m.numerator for m in made), *(m.denominator for m in made))
    known = len(made) == n
    return [
        Figure(
            POOLED,
            mean,
            sum(values.values()) / n,
            unit,
            n,
            made_of=Summary(columns, _mean_ratio) if known else None,
        ),
        Figure(
            POOLED,
            largest,
            values[worst],
            unit,
            n,
            worst,
            made_of=Summary(columns, _largest_ratio) if known else None,
        ),
    ]


def _ratios(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above, below = np.split(sums, 2, axis=-1)
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)


def _mean_ratio(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(_ratios(sums).mean(axis=-1))


def _largest_ratio(sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(_ratios(sums).max(axis=-1))
