"""The records of a family: of tokenizers that differ in size alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toktk.pieces.table import POOLED
from toktk.report.records import Record


@dataclass
class FamilyRecords:
    """The records of one family, with their common columns.

    Attributes:
        label, trainer, inference, pretokenizer, corpus: columns of the records.
        sizes: in the order of the records.
        unreached: sizes that the text does not fill; `available` is how many ids it gives, if that is known.
        groups: the languages or domains, in the order of the records.
        metrics: names of the figures, in the order of the records.
    """

    label: str
    trainer: str
    inference: str
    pretokenizer: str
    corpus: str
    sizes: list[int] = field(default_factory=list)
    unreached: list[int] = field(default_factory=list)
    available: int | None = None
    groups: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    by_key: dict[tuple[int, str, str], Record] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the table over sizes calls it beside its pretokenizer: trainer and inference."""
        return self.trainer if self.inference == "own" else f"{self.trainer}-{self.inference}"

    def get(self, size: int, metric: str, group: str = POOLED) -> Record | None:
        """Return a record, or None."""
        return self.by_key.get((size, metric, group))

    def value(self, size: int, metric: str, group: str = POOLED) -> float | None:
        """Return a figure, or None."""
        record = self.get(size, metric, group)
        return None if record is None else record.value

    def named(self, pattern: str) -> str | None:
        """Return the metric of that name; ``*`` stands for any reference, as in ``parity[*]``."""
        if "*" not in pattern:
            return pattern if pattern in self.metrics else None
        before, _, after = pattern.partition("*")
        return next((m for m in self.metrics if m.startswith(before) and m.endswith(after)), None)


def families(
    records: Iterable[Record], unreached: Sequence[Mapping[str, Any]] = ()
) -> list[FamilyRecords]:
    """Return the families in the order of the records; `unreached` as in run.json."""
    by_label: dict[str, FamilyRecords] = {}
    for record in records:
        size = record.size or 0
        family = by_label.setdefault(
            record.family,
            FamilyRecords(
                record.family,
                record.trainer or "",
                record.inference or "own",
                record.pretokenizer or "",
                record.corpus,
            ),
        )
        if size not in family.sizes:
            family.sizes.append(size)
        if record.group != POOLED and record.group not in family.groups:
            family.groups.append(record.group)
        if record.metric not in family.metrics:
            family.metrics.append(record.metric)
        family.by_key[size, record.metric, record.group] = record
    for entry in unreached:
        if entry["family"] in by_label:
            by_label[entry["family"]].unreached = list(entry["sizes"])
            by_label[entry["family"]].available = entry["available"]
    return list(by_label.values())
