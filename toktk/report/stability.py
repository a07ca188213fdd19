"""What trainings on resamples of one text have in common, as a table and as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk import arrow
from toktk.paths import atomic_write
from toktk.report.table import NULL, Head, Row, Table
from toktk.report.tables import Page
from toktk.sizes import written_size
from toktk.visible import json_text, visible_name

if TYPE_CHECKING:
    import pyarrow as pa

CONFIDENCE, STABILITY = "confidence.parquet", "stability.json"
RESAMPLES, SHARDS = "resamples", "shards"


@dataclass(frozen=True)
class Stability:
    """A vocabulary size of a family, trained several times.

    Attributes:
        family: the label of trainer and parameters.
        size: ids, special tokens and alphabet included.
        trainings, kind: how many, on `RESAMPLES` or on `SHARDS` of the text.
        corpus: what the figures were measured on; None where nothing was.
        bytes_per_token: of all groups together: bytes over the mean of the trainings' tokens; None without
            text to measure on.
        training_sd: standard deviation of the trainings' tokens, relative to their mean.
        low, high: the 95 % interval of `bytes_per_token` on text like this, the vocabularies as they are.
        n, n_effective: parts of the text that the interval rests on, as `toktk.stats.interval.Interval`.
        overlap: mean over pairs of trainings of the Jaccard index of their vocabularies.
        boundaries: mean over pairs of the F1 of the token boundaries inside the pieces of that text; None
            where there are none, or tokens do not spell their pieces.
        tokens: mean number of different tokens of a vocabulary, special ones left out.
        core: how many tokens all trainings have.
    """

    family: str
    size: int
    trainings: int
    kind: str
    corpus: str | None
    bytes_per_token: float | None
    training_sd: float | None
    low: float | None
    high: float | None
    n: int | None
    n_effective: float | None
    overlap: float | None
    boundaries: float | None
    tokens: float
    core: int


COLUMNS = tuple(field.name for field in fields(Stability))

_HEADS = [
    Head("size"),
    Head("bytes/\ntoken"),
    Head("training\nspread", legend="training spread  ± standard deviation over trainings"),
    Head("text\nspread", legend="text spread      ± half of the 95 % interval over documents"),
    Head(
        "over-\nlap",
        legend="overlap          tokens that two trainings share, of all that either has (Jaccard), mean",
    ),
    Head(
        "bound-\naries",
        legend="boundaries       token ends inside pieces that two trainings agree on (F1), mean over pairs",
    ),
    Head(
        "core",
        legend="core             tokens that all trainings have, and their share of a vocabulary",
    ),
    Head("core\nshare", spare=1),
]


def rows(stabilities: Sequence[Stability]) -> list[tuple[Any, ...]]:
    """Return the fields of each, in the order of `COLUMNS`."""
    return [tuple(getattr(stability, name) for name in COLUMNS) for stability in stabilities]


def stability_text(stabilities: Sequence[Stability], width: int, color: bool = False) -> str:
    """Return a table for each family as text for a terminal of this width."""
    return stability_page(stabilities).text(width, color) if stabilities else ""


def stability_page(stabilities: Sequence[Stability]) -> Page:
    """Return a table for each family."""
    families: dict[str, list[Stability]] = {}
    for stability in stabilities:
        families.setdefault(stability.family, []).append(stability)
    tables = []
    for family, of_family in families.items():
        first = of_family[0]
        measured = f", measured on {visible_name(first.corpus)}" if first.corpus else ""
        detail = f"{first.trainings} trainings on {first.kind} of the text{measured}"
        shown = [_row(stability) for stability in of_family]
        tables.append(Table(visible_name(family), detail, _HEADS, shown))
    return Page(tables)


def _row(stability: Stability) -> Row:
    value, low, high = stability.bytes_per_token, stability.low, stability.high
    half = None if value is None or low is None or high is None else (high - low) / 2 / value
    return Row(
        (
            written_size(stability.size),
            NULL if value is None else f"{value:.4g}",
            _percent(stability.training_sd),
            _percent(half),
            NULL if stability.overlap is None else f"{stability.overlap:.2f}",
            NULL if stability.boundaries is None else f"{stability.boundaries:.2f}",
            f"{stability.core:,}",
            f"{stability.core / stability.tokens:.0%}" if stability.tokens else NULL,
        )
    )


def _percent(relative: float | None) -> str:
    return NULL if relative is None else f"±{100 * relative:.2g} %"


def write_stability(
    stabilities: Sequence[Stability], confidence: pa.Table, folder: Path
) -> list[Path]:
    """Write `STABILITY`, the records, and `CONFIDENCE`, the tokens, into a folder; return their paths.

    Raises:
        StorageError: the folder cannot be written.
    """
    paths = [folder / STABILITY, folder / CONFIDENCE]
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows(stabilities)]
    with atomic_write(paths[0]) as temporary:
        text = json_text({"schema": 1, "records": records}, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")
    with atomic_write(paths[1]) as temporary:
        arrow.write_parquet(confidence, temporary)
    return paths
