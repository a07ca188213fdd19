"""Outcome: what an experiment gives, before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toktk.errors import ToktkError, TrainingError, in_a_line
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Outcome:
    """What a sweep or a bench gives.

    Attributes:
        results: the figures; None if nothing was to be measured.
        tokenizers: {label: what run.json says of it}.
        described: what else run.json says.
        trained: {label: tokenizer}, to be written into the run directory.
        curves: tokens by family, group and size; None without any.
        failed: {family or label: why it has no figures}, for the user.
    """

    results: Results | None
    tokenizers: Mapping[str, Mapping[str, Any]]
    described: Mapping[str, Any]
    trained: Mapping[str, Tokenizer] = field(default_factory=dict)
    curves: pa.Table | None = None
    failed: Mapping[str, str] = field(default_factory=dict)


def failure(failed: Mapping[str, str]) -> ToktkError:
    """Return the error for what has no figures, while others have."""
    reasons = [f"{label}: {in_a_line(why)}" for label, why in failed.items()]
    return TrainingError(
        f"without figures: {', '.join(failed)}.",
        *reasons,
        "The figures of the others are complete. The same command tries only these again.",
    )


def nothing_done(what: str, failed: Mapping[str, str]) -> ToktkError:
    """Return the error for an experiment in which everything failed."""
    return TrainingError(what, *(f"{label}: {in_a_line(why)}" for label, why in failed.items()))
