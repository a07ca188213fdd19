"""Record: one figure, long and tidy, with the signature that says what it depends on; and families of them.

Schema history (`SCHEMA`, stored in every Parquet and JSON file):
    1   tokenizer, trainer, pretokenizer, size, corpus, group, metric, value, low, high, unit, n,
        note, signature. Null means not measured, never 0.
    2   family and inference, after tokenizer and after trainer.
    3   n_effective, after n; low and high are filled.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from toktk import __version__
from toktk.errors import MetricError
from toktk.metrics.base import UNTRAINED
from toktk.pieces.table import POOLED
from toktk.visible import visible_name, without_surrogates

SCHEMA = 3
NO_INTERVAL = "no interval: "
"""How the note of a figure without one begins; what follows is why."""

ONE_DECIDES = "one document decides the interval"
"""What the note of a figure says whose interval is too narrow more often than its level says."""

ALIKE = "neighboring documents are alike; the interval allows for it, wider by a factor of "
"""How the note of a figure begins whose documents are not independent of their neighbors."""

OLDEST = 2
"""The oldest schema that is read; what it lacks is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    r"""One figure: what was measured, on what, and its value with the ends of its interval.

    numpy scalars become Python numbers.

    Attributes:
        tokenizer: its label, such as ``bpe-50k``.
        family: what tokenizers that differ in size alone have in common; of others the label.
        trainer: None for one that was not trained here.
        inference: how the vocabulary is run; "own" as its trainer or publisher made it.
        pretokenizer: None where a library cuts and does not say how.
        size: of the vocabulary, in ids.
        value, low, high: the figure, and the ends of its interval; None means not measured, and a
            MetricError refuses NaN and the infinities.
        n: how many documents, aligned lines or groups the value rests on.
        n_effective: how many documents of equal size weigh as much as those that the interval rests on; see
            `toktk.stats.interval.effective_number`.
        note: why the value is None, or which group a maximum belongs to.
        signature: what the figure depends on; see `signature`.

    A name that is no UTF-8, as of a file, holds lone surrogates; they become ``\udcff``.

    Raises:
        MetricError: a number is NaN or infinite; what is not measured is None.
    """

    tokenizer: str
    family: str
    trainer: str | None = None
    inference: str | None = None
    pretokenizer: str | None = None
    size: int | None = None
    corpus: str
    group: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str
    n: int | None = None
    n_effective: float | None = None
    note: str | None = None
    signature: str

    def __post_init__(self) -> None:
        for name, kind in NUMBERS.items():
            number = getattr(self, name)
            if number is None:
                continue
            if not math.isfinite(number):
                raise MetricError(
                    f"{self.metric} of {self.tokenizer} on {self.group}: {name} is {number}.",
                    "A metric gives None with a note where it is undefined.",
                )
            object.__setattr__(self, name, kind(number))
        for name, text in zip(_TEXTS, _texts(self), strict=True):
            if text is not None and not text.isascii():
                object.__setattr__(self, name, without_surrogates(text))


NUMBERS = {"size": int, "value": float, "low": float, "high": float, "n": int, "n_effective": float}

COLUMNS = tuple(field.name for field in fields(Record))
_TEXTS = tuple(name for name in COLUMNS if name not in NUMBERS)
_texts = operator.attrgetter(*_TEXTS)

_SHA256 = re.compile(r"[0-9a-f]{64}")
# The fields every figure has come first and in this order; others follow by name.
_ORDER = ("tok", "corpus", "unit", "agg")
_SHORT = {
    "toktk": "v",
    "tok": "t",
    "corpus": "c",
    "unit": "u",
    "agg": "a",
    "ngrams": "g",
    "norm": "n",
    "over": "o",
    "specials": "s",
}
_LONG = {short: name for name, short in _SHORT.items()}


def signature(**fields: str | int | float | None) -> str:
    """Return ``toktk:0.1.0|tok:1a2b3c4d|corpus:…|unit:…|agg:…``, whatever the order of arguments.

    A SHA-256 value is shown by its first eight digits and None is left out. ``%`` and ``|`` in
    values are percent-encoded, so the fields can be told apart again.
    """
    parts = [f"toktk:{__version__}"]
    for name in [*_ORDER, *sorted(fields.keys() - set(_ORDER))]:
        value = fields.get(name)
        if value is not None:
            text = str(value)
            parts.append(_field(name, text[:8] if _SHA256.fullmatch(text) else text))
    return "|".join(parts)


def parse_signature(text: str) -> dict[str, str]:
    """Return the fields of a signature in its long or its short form, the version as ``toktk``.

    Raises:
        MetricError: a part is no ``name:value``, or two have the same name.
    """
    fields: dict[str, str] = {}
    for part in text.split("|"):
        name, colon, value = part.partition(":")
        name = _LONG.get(name, name)
        if not (name and colon) or name in fields:
            raise MetricError(
                f"{text!r:.200} is no signature.",
                f"Found: {part!r:.80} {'twice' if name in fields else 'in place of name:value'}.",
                "Take the signature from the records that toktk wrote.",
            )
        fields[name] = value.replace("%7C", "|").replace("%25", "%")
    return fields


def short_signature(text: str) -> str:
    """Return a signature with the names of its fields shortened, as tables show it."""
    return "|".join(_field(_SHORT.get(n, n), value) for n, value in parse_signature(text).items())


def common_signature(texts: Iterable[str]) -> str:
    """Return the fields that all of the signatures have, with the same value."""
    first, *others = map(parse_signature, dict.fromkeys(texts))
    shared = {n: v for n, v in first.items() if all(fields.get(n) == v for fields in others)}
    return "|".join(_field(name, value) for name, value in shared.items())


def _field(name: str, value: str) -> str:
    return f"{name}:{value.replace('%', '%25').replace('|', '%7C')}"


def visible_records(records: Sequence[Record]) -> Sequence[Record]:
    """Return records as tables show them: nothing in their names is hidden, and none is blank."""
    names = {name for record in records for name in _texts(record) if name is not None}
    shown: dict[str | None, Any] = {name: visible_name(name) for name in names} | {None: None}
    if all(name == text for name, text in shown.items()):
        return records
    return [
        replace(record, **dict(zip(_TEXTS, map(shown.__getitem__, _texts(record)), strict=True)))
        for record in records
    ]


class FamilyRecords:
    """The records of tokenizers that differ in size alone.

    Attributes:
        first: a record, for the columns that all have in common, such as the family's label.
        sizes, metrics, groups: in the order of the records; the groups without the pooled one.
        unreached: sizes out of reach; `available` is how many ids the text gives, and `least` how many
            are taken before anything is learned, if that is known.
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
        self.least: int | None = left_out.get("least")

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

    def reference(self, pattern: str) -> str:
        """Return what ``*`` stands for in the metric of a pattern, see `named`; nothing without one."""
        before, star, after = pattern.partition("*")
        metric = self.named(pattern)
        return metric[len(before) : len(metric) - len(after)] if star and metric else ""


def half_width(record: Record | None) -> float | None:
    """Return half the interval of a figure, or None."""
    if record is None or record.low is None or record.high is None:
        return None
    return (record.high - record.low) / 2


def untrained_groups(family: FamilyRecords) -> list[str]:
    """Return the groups that summaries leave out, since the training text lacks them."""
    notes = {group for (_, _, group), r in family.by_key.items() if r.note == UNTRAINED}
    return [group for group in family.groups if group in notes]


def families(
    records: Iterable[Record], unreached: Iterable[Mapping[str, Any]] = ()
) -> list[FamilyRecords]:
    """Return the families in the order of the records; `unreached` as in run.json."""
    by_label: dict[str, list[Record]] = {}
    for record in records:
        by_label.setdefault(record.family, []).append(record)
    left_out = {entry["family"]: entry for entry in unreached}
    return [FamilyRecords(those, left_out.get(label, {})) for label, those in by_label.items()]
