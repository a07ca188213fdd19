"""The records of a family: of tokenizers that differ in size alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toktk.pieces.table import POOLED
from toktk.report.records import Record


class FamilyRecords:
    """The records of one family.

    Attributes:
        first: a record, for the columns that all have in common.
        label: the family's name, which all have in common too.
        sizes, metrics, groups: in the order of the records; the groups without the pooled one.
        unreached: sizes that the text does not fill; `available` is how many ids it gives, if that is known.
    """

    def __init__(self, records: Sequence[Record], left_out: Mapping[str, Any]) -> None:
        self.first = records[0]
        self.label = self.first.family
        self.sizes = list(dict.fromkeys(record.size or 0 for record in records))
        self.metrics = list(dict.fromkeys(record.metric for record in records))
        self.groups = [g for g in dict.fromkeys(record.group for record in records) if g != POOLED]
        self.by_key = {
            (record.size or 0, record.metric, record.group): record for record in records
        }
        self.unreached: Sequence[int] = left_out.get("sizes", ())
        self.available: int | None = left_out.get("available")

    @property
    def name(self) -> str:
        """What the table over sizes calls it beside its pretokenizer: trainer and inference."""
        trainer, inference = self.first.trainer or "", self.first.inference or "own"
        return trainer if inference == "own" else f"{trainer}-{inference}"

    def get(self, size: int, metric: str, group: str = POOLED) -> Record | None:
        """Return a record, or None; the metric may be a pattern, see `named`."""
        return self.by_key.get((size, self.named(metric) or "", group))

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
    records: Iterable[Record], unreached: Iterable[Mapping[str, Any]] = ()
) -> list[FamilyRecords]:
    """Return the families in the order of the records; `unreached` as in run.json."""
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(record.family, []).append(record)
    left_out = {entry["family"]: entry for entry in unreached}
    return [FamilyRecords(those, left_out.get(label, {})) for label, those in by_label.items()]
