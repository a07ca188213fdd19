"""From evaluations to records and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from toktk import arrow
from toktk.evaluation.base import Evaluation
from toktk.metrics.base import Metric, MetricOptions
from toktk.pieces.table import POOLED
from toktk.report.results import Record
from toktk.report.signature import signature
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

NO_PIECES = "whole documents are encoded: there are no pieces to see"
CURVE_POINTS = 400
"""Sizes of a curve besides those asked for, a constant factor apart."""


def records(
    evaluation: Evaluation,
    tokenizer: Tokenizer,
    label: str,
    trainer: str | None,
    corpus: tuple[str, str],
    metrics: Sequence[Metric],
    options: MetricOptions,
    asked: bool,
    pieces: bool = True,
) -> list[Record]:
    """Return the figures of one tokenizer.

    Args:
        evaluation: at the tokenizer's size or beyond.
        tokenizer: what is measured.
        label: what the records call it.
        trainer: its trainer's name; None for one that was not trained here.
        corpus: name and fingerprint of the text.
        metrics: what to compute.
        options: the metrics' options.
        asked: the metrics were named by the user: one that the text cannot carry is then an error.
        pieces: the evaluation's pieces are those of the tokenizer, not whole documents; else figures
            about pieces are null.

    Raises:
        MetricError: the text cannot carry a metric that was asked for.
    """
    name, fingerprint = corpus
    size = tokenizer.vocab_size
    found = []
    for metric in metrics:
        # A reference is asked of parity alone: text without one must not pass in silence.
        wanted = asked or (metric.name == "parity" and options.reference is not None)
        if not (wanted or metric.applies(evaluation)):
            continue
        for figure in metric.compute(evaluation, size, options):
            if metric.pieces and not pieces:
                figure = replace(figure, value=None, note=NO_PIECES, reason="no pieces")
            signed = signature(
                tok=tokenizer.signature,
                corpus=fingerprint,
                unit=figure.unit,
                agg=figure.metric.partition("|")[2] or "sum",
            )
            record = Record(
                label, trainer, tokenizer.pretokenizer.name, size, name, figure.group,
                figure.metric, figure.value, None, None, figure.unit, figure.n, figure.note, signed,
            )  # fmt: skip
            found.append(record)
    return found


def curve_sizes(evaluation: Evaluation, asked: Sequence[int]) -> list[int]:
    """Return the sizes of a curve: those asked for, and some hundred between the ends."""
    known = evaluation.sizes
    spread = np.geomspace(known[0], known[-1], CURVE_POINTS)
    nearest = known[np.searchsorted(known, np.rint(spread).clip(known[0], known[-1]))]
    return sorted({*nearest.tolist(), *asked})


def curve(
    evaluations: Sequence[tuple[Evaluation, Sequence[int]]],
    label: str,
    trainer: str,
    pretokenizer: str,
) -> pa.Table:
    """Return the tokens of each group, and of all together, by size.

    Args:
        evaluations: each with the sizes to read from it.
        label: the family's.
        trainer: its trainer's name.
        pretokenizer: its pretokenizer's name.
    """
    import pyarrow as pa

    groups: list[str] = []
    sizes: list[int] = []
    tokens: list[int] = []
    for evaluation, read in evaluations:
        for size in read:
            counts = evaluation.tokens(size)
            groups += [POOLED, *evaluation.groups]
            sizes += [size] * (1 + len(counts))
            tokens += [int(counts.sum()), *counts.tolist()]
    n = len(sizes)
    return pa.table(
        {
            "tokenizer": arrow.from_list([label] * n, pa.string()),
            "trainer": arrow.from_list([trainer] * n, pa.string()),
            "pretokenizer": arrow.from_list([pretokenizer] * n, pa.string()),
            "group": arrow.from_list(groups, pa.string()),
            "size": arrow.from_list(sizes, pa.int64()),
            "tokens": arrow.from_list(tokens, pa.int64()),
        }
    ).sort_by([("group", "ascending"), ("size", "ascending")])
