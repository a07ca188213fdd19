"""Results of runs made from token counts, without a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from toktk.report.document_counts import DocumentCounts
from toktk.report.records import Record
from toktk.report.results import Results

SIZES = (8_000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000)
CURVE = (
    2.363,
    2.602,
    2.840,
    3.030,
    3.140,
    3.316,
    3.414,
)  # README's bpe on starter:eval, bytes/token
DOCUMENTS = 200


def made(
    tokens: Mapping[str, Mapping[str, np.ndarray]], sizes: Mapping[str, int | None], **changes: Any
) -> Results:
    """Make the results of tokenizers from {label: {group: tokens of each document}}, 300 bytes each."""
    records = []
    groups = [*next(iter(tokens.values()))]
    for label, by_group in tokens.items():
        family = label.rpartition("-")[0]
        for group in ("all", *groups):
            own = [*by_group.values()] if group == "all" else [by_group[group]]
            n_tokens, n_bytes = sum(int(each.sum()) for each in own), 300 * sum(map(len, own))
            figures = {"tokens": n_tokens, "bytes": n_bytes, "chars": n_bytes / 2}
            figures["bytes_per_token"] = n_bytes / n_tokens
            records += [
                Record(
                    tokenizer=label,
                    family=family or label,
                    trainer=family or None,
                    size=sizes[label],
                    corpus="news",
                    group=group,
                    metric=metric,
                    value=value,
                    low=value * 0.95 if metric == "bytes_per_token" else None,
                    high=value * 1.05 if metric == "bytes_per_token" else None,
                    unit="",
                    signature="toktk:0.1.0|tok:1a2b3c4d|corpus:5e6f",
                )
                for metric, value in figures.items()
            ]
    n = [len(next(iter(tokens.values()))[group]) for group in groups]
    total = sum(n)
    documents = DocumentCounts(
        groups=tuple(groups),
        group=np.repeat(np.arange(len(n)), n).astype(np.int32),
        unit=np.arange(total).astype(np.uint64),
        copies=np.ones(total, np.int64),
        bytes=np.full(total, 300),
        chars=np.full(total, 150),
        words=np.full(total, 50),
        tokens={label: np.concatenate([*own.values()]) for label, own in tokens.items()},
        n_all=np.array(n),
        kinds=("documents",) * len(n),
        previous=np.full(total, -1),
    )
    return Results(tuple(replace(record, **changes) for record in records), documents=documents)


def on_curve(noise: float = 0.02) -> Results:
    """Make a sweep whose tokens per byte are those of README's curve, with differences between documents."""
    chance = np.random.default_rng(0)
    of_document = np.exp(0.2 * chance.standard_normal(DOCUMENTS))
    tokens = {}
    for size, per_token in zip(SIZES, CURVE, strict=True):
        own = of_document * np.exp(noise * chance.standard_normal(DOCUMENTS))
        exact = own * (300 / per_token / own.mean())
        tokens[f"bpe-{size // 1000}k"] = {"en": np.rint(exact).astype(np.int64)}
    return made(tokens, {f"bpe-{size // 1000}k": size for size in SIZES})


def values(costs: Any, metric: str, model: str | None) -> list[float]:
    return [r.value for r in costs if r.metric.startswith(metric) and r.model == model]
