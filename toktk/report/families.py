"""The records of a sweep, by family: what differs in size alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from toktk.pieces.table import POOLED
from toktk.report.results import Record, Results
from toktk.trainers.base import size_label


@dataclass
class Family:
    """The records of one trainer, pretokenizer and inference method."""

    label: str
    trainer: str
    pretokenizer: str
    corpus: str
    sizes: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    available: int | None = None
    groups: list[str] = field(default_factory=list)
    metrics: dict[str, None] = field(default_factory=dict)
    by_key: dict[tuple[int, str, str], Record] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """What the label holds besides trainer and pretokenizer: the inference method, or nothing."""
        if not self.label.startswith(self.trainer):
            return ""
        rest = self.label.removeprefix(self.trainer).removeprefix(f"-{self.pretokenizer}")
        return rest[1:]

    def get(self, size: int, metric: str, group: str = POOLED) -> Record | None:
        """Return a record, or None."""
        return self.by_key.get((size, metric, group))

    def value(self, size: int, metric: str, group: str = POOLED) -> float | None:
        """Return a figure, or None."""
        record = self.get(size, metric, group)
        return None if record is None else record.value

    def named(self, prefix: str, suffix: str = "") -> str | None:
        """Return the metric that begins and ends so; parity carries its reference in its name."""
        found = (m for m in self.metrics if m.startswith(prefix) and m.endswith(suffix))
        return next(found, None)


def families(results: Results, unreached: Sequence[dict[str, Any]]) -> list[Family]:
    """Return the families in the order of the records; `unreached` as in run.json."""

    def label_of(record: Record) -> str:
        return record.tokenizer.removesuffix(f"-{size_label(record.size or 0)}")

    found = _by_label(results, label_of)
    for one in unreached:
        if one["family"] in found:
            found[one["family"]].missing = list(one["sizes"])
            found[one["family"]].available = one["available"]
    return list(found.values())


def tokenizers(results: Results) -> list[Family]:
    """Return a family of one for each tokenizer, in the order of the records."""
    return list(_by_label(results, lambda record: record.tokenizer).values())


def _by_label(results: Results, label_of: Callable[[Record], str]) -> dict[str, Family]:
    found: dict[str, Family] = {}
    for record in results:
        size = record.size or 0
        label = label_of(record)
        family = found.setdefault(
            label,
            Family(label, record.trainer or "", record.pretokenizer or "", record.corpus),
        )
        if size not in family.sizes:
            family.sizes.append(size)
        if record.group != POOLED and record.group not in family.groups:
            family.groups.append(record.group)
        family.metrics[record.metric] = None
        family.by_key[size, record.metric, record.group] = record
    return found
