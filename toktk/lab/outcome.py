"""What a sweep or a bench comes to, before it is written: figures, and why some are missing."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from toktk.arrays import Int64
from toktk.corpus.lines import LineSet
from toktk.errors import PluginError, TrainingError, in_a_line
from toktk.lab.family import FamilyFigures
from toktk.lab.measures import Measures
from toktk.lab.meter import Meter
from toktk.registry import show_cause
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import Record
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


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
        token_counts: {label: int64[ids]}, how often each id occurs in the text.
    """

    results: Results | None
    tokenizers: Mapping[str, Mapping[str, Any]]
    described: Mapping[str, Any]
    trained: Mapping[str, Tokenizer] = field(default_factory=dict)
    curves: pa.Table | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    lines: LineSet | None = None
    token_counts: Mapping[str, Int64] = field(default_factory=dict)


def without_figures(what: str, failed: Mapping[str, object], *advice: str) -> TrainingError:
    """Return the error for what has no figures, with the reason of each."""
    reasons = [f"{label}: {in_a_line(why)}" for label, why in failed.items()]
    return TrainingError(what, *reasons, *advice)


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
    figures: Collection[FamilyFigures],
    asked: Sequence[str],
) -> Results:
    """Return the figures of tokenizers that were not trained here, in their order; engines and hashes.

    `asked` are the metrics that were asked for by name.
    """
    records: dict[str, list[Record]] = {label: [] for label in tokenizers}
    for of_family in figures:
        for record in of_family.results:
            records[record.tokenizer].append(record)
    engines = {label: [t.engine, t.why] for label, t in tokenizers.items()}
    hashes = {label: t.signature[:8] for label, t in tokenizers.items()}
    about = {"engines": engines, "hashes": hashes, "asked": [*asked]}
    return Results(
        tuple(itertools.chain(*records.values())),
        {**of_text(figures), **about},
        joined_documents(figures),
    )


def joined_documents(figures: Iterable[FamilyFigures]) -> DocumentCounts | None:
    """Return the counts of documents of families that were measured on the same text, as one."""
    counts = [one.results.documents for one in figures if one.results.documents is not None]
    if not counts:
        return None
    tokens = {label: own for each in counts for label, own in each.tokens.items()}
    bits = {label: own for each in counts for label, own in each.bits.items()}
    return replace(counts[0], tokens=tokens, bits=bits)


def joined_counts(figures: Iterable[FamilyFigures]) -> dict[str, Int64]:
    """Return the counts of tokens of families that were measured on the same text, as one."""
    return {label: own for one in figures for label, own in one.token_counts.items()}


def of_text(figures: Iterable[FamilyFigures]) -> dict[str, Any]:
    """Return what the figures of one text say of it beside the records; see `Results.about`."""
    return {key: value for one in figures for key, value in one.results.about.items()}
