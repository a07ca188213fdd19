"""A side of a comparison: one tokenizer's figures on a text, with what each document adds to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from toktk.report.records import Record, parse_signature
from toktk.report.results import Results
from toktk.report.unit_sums import UnitSums


@dataclass(frozen=True, eq=False)
class Side:
    """One tokenizer's figures on a text.

    Attributes:
        label: what tables call it.
        records: {(metric, group): record}.
        units: None where the run that it is of kept no counts of documents.
        training: what tells the text that it was trained on; None where nobody knows.
        source: where it is from, such as a run directory; empty for one at hand.
    """

    label: str
    records: Mapping[tuple[str, str], Record]
    units: UnitSums | None
    training: str | None = None
    source: str = ""

    def named(self, label: str) -> Side:
        """Return the side with another label."""
        return replace(self, label=label)

    def value(self, metric: str, group: str) -> float | None:
        """Return a figure; None where there is none."""
        record = self.records.get((metric, group))
        return None if record is None else record.value

    def fields(self, metric: str, group: str) -> dict[str, str]:
        """Return the fields of the signature of a figure; of one that is not there, none."""
        record = self.records.get((metric, group))
        return {} if record is None else {**_ALWAYS, **parse_signature(record.signature)}


_ALWAYS = {"specials": "text"}  # what signatures of earlier versions leave unsaid


def sides_of(
    results: Results, training: Mapping[str, str | None] | None = None, source: str = ""
) -> list[Side]:
    """Return a side for each tokenizer of results, in their order."""
    by_label: dict[str, dict[tuple[str, str], Record]] = {}
    for record in results:
        by_label.setdefault(record.tokenizer, {})[record.metric, record.group] = record
    counts, units = results.documents, dict[str, UnitSums]()
    if counts is not None:
        counted = [label for label in by_label if label in counts.tokens]
        units = dict(zip(counted, UnitSums.of(counts, counted), strict=True))
    return [
        Side(label, records, units.get(label), (training or {}).get(label), source)
        for label, records in by_label.items()
    ]
