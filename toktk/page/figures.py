"""Figures as the page holds them: names and groups by number, values to seven digits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from toktk import arrow
from toktk.arrow import pa
from toktk.errors import PluginError, StorageError
from toktk.lab.differences import base_of
from toktk.metrics import METRICS
from toktk.metrics.base import UNTRAINED, Metric
from toktk.page.shown import Shown
from toktk.pieces.table import POOLED
from toktk.report.ngrams import HALF, unit_of
from toktk.report.records import Record, short_signature, visible_records
from toktk.timing.figures import TIMED
from toktk.visible import listed, visible_name

MOST_GROUPS = 1000
"""Groups that a page shows: more would be a page that no browser scrolls through."""

_CURVE_POINTS = 130  # of a family and group
_TOTALS = ("bytes", "chars", "documents")


@dataclass(frozen=True)
class Figures:
    """The records of a page, by family, tokenizer, metric and group, their names visible.

    Attributes:
        shown: the run or runs that they are of.
    """

    shown: Shown

    @cached_property
    def records(self) -> Sequence[Record]:
        """The figures that are shown, of the largest groups; timings stand apart."""
        return visible_records(
            [
                record
                for record in self.shown.results
                if not record.metric.startswith(TIMED) and record.group not in self._left_out
            ]
        )

    @property
    def n_left_out(self) -> int:
        """How many groups the page has no figures of."""
        return len(self._left_out)

    @cached_property
    def _left_out(self) -> set[str]:
        """All but the `MOST_GROUPS` largest groups, by bytes, else by name."""
        sizes: dict[str, float] = {}
        for record in self.shown.results:
            if record.group != POOLED:
                size = record.value or 0.0 if record.metric == "bytes" else 0.0
                sizes[record.group] = max(size, sizes.get(record.group, 0.0))
        return set(sorted(sizes, key=lambda group: (-sizes[group], group))[MOST_GROUPS:])

    @cached_property
    def by_key(self) -> dict[tuple[str, str, str], Record]:
        """Each record by tokenizer, metric and group."""
        return {(r.tokenizer, r.metric, r.group): r for r in self.records}

    @cached_property
    def tokenizers(self) -> dict[str, Record]:
        """A record of each tokenizer, by label, for what its records have in common.

        Charts and slider go by size: without `unsized` ones. StorageError where no tokenizer is left.
        """
        firsts: dict[str, Record] = {}
        for record in self.records:
            if record.size is not None and not record.metric.startswith("knee["):
                firsts.setdefault(record.tokenizer, record)
        if not firsts:
            raise StorageError(
                "there is no page of tokenizers whose vocabulary size nobody knows.",
                f"Found: {listed(self.unsized)}.",
                "Write the size into their counts, in the column vocab_size, if it is published.",
            )
        return firsts

    @cached_property
    def unsized(self) -> list[str]:
        """The labels of tokenizers whose vocabulary size nobody knows, which the page leaves out."""
        return [*dict.fromkeys(r.tokenizer for r in self.records if r.size is None)]

    @cached_property
    def families(self) -> dict[str, list[str]]:
        """The labels of each family's tokenizers, ascending by size."""
        families: dict[str, list[str]] = {}
        for label, record in self.tokenizers.items():
            families.setdefault(record.family, []).append(label)
        return {
            name: sorted(labels, key=lambda label: self.size(label))
            for name, labels in families.items()
        }

    def size(self, label: str) -> int:
        """Return the vocabulary size of a tokenizer, in ids."""
        return self.tokenizers[label].size or 0

    @cached_property
    def groups(self) -> list[str]:
        """The groups of the text; all together come first."""
        names = dict.fromkeys(record.group for record in self.records)
        return [POOLED, *(name for name in names if name != POOLED)]

    @cached_property
    def untrained(self) -> set[str]:
        """The groups that no tokenizer trained here has seen, which summaries leave out."""
        return {r.group for r in self.records if r.note == UNTRAINED}

    @cached_property
    def lines(self) -> dict[str, int]:
        """The aligned lines of each group that is a side of parallel text."""
        label = next(iter(self.tokenizers))
        records = {g: self.by_key.get((label, "tokens_per_line", g)) for g in self.groups[1:]}
        return {g: r.n for g, r in records.items() if r is not None and r.value is not None and r.n}

    @cached_property
    def is_parallel(self) -> bool:
        """Whether the text has aligned lines."""
        return any(r.metric == "tokens_per_line" and r.value is not None for r in self.records)

    @property
    def primary(self) -> str:
        """The metric that is shown first: tokens per line of parallel text, else bytes per token."""
        return "tokens_per_line" if self.is_parallel else "bytes_per_token"

    @cached_property
    def reference(self) -> str | None:
        """The group that parity divides by; None without parity."""
        parities = (r.metric for r in self.records if r.metric.startswith("parity["))
        first = next((m for m in parities if "|" not in m), None)
        return None if first is None else first[len("parity[") : -1]

    def value(self, label: str, metric: str, group: str = POOLED) -> float | None:
        """Return a figure; None where there is none."""
        record = self.by_key.get((label, metric, group))
        return None if record is None else record.value

    def described(self) -> dict[str, Any]:
        """Return families, tokenizers, groups and figures, JSON-able."""
        return {
            "primary": self.primary,
            "reference": self.reference,
            "groups": [self._group(name) for name in self.groups],
            "families": [self._family(name) for name in self.families],
            "metrics": self._metrics(),
        }

    def script(self, group: str) -> str | None:
        """Return the script that a group is mostly written in, if it is known."""
        return self._scripts.get(group)

    @cached_property
    def _scripts(self) -> dict[str, str]:
        scripts = self.shown.results.about.get("scripts", {})
        return {visible_name(group): visible_name(script) for group, script in scripts.items()}

    def _group(self, name: str) -> dict[str, Any]:
        label = next(iter(self.tokenizers))
        fertility = self.by_key.get((label, "fertility[ws]", name))
        return {
            "name": name,
            "script": self.script(name),
            "untrained": name in self.untrained,
            "lines": self.lines.get(name),
            "spaced": fertility is not None and fertility.value is not None,
            **{total: self.value(label, total, name) for total in _TOTALS},
        }

    def _family(self, name: str) -> dict[str, Any]:
        labels = self.families[name]
        first = self.tokenizers[labels[0]]
        knees = (r for r in self.records if r.family == name and r.metric.startswith("knee["))
        knee = next((r for r in knees if r.value is not None), None)
        curve, sizes = self.curves[name], self.curve_sizes(name)
        return {
            "name": name,
            "trainer": first.trainer,
            "cut": first.pretokenizer,
            "tokenizers": [
                {"label": label, "size": self.size(label), **self._facts(label)} for label in labels
            ],
            "knee": None if knee is None else [knee.value, knee.low, knee.high, knee.note],
            "curve": {
                "sizes": sizes,
                "tokens": [[curve[size].get(group) for size in sizes] for group in self.groups],
            },
        }

    def _facts(self, label: str) -> dict[str, Any]:
        """Return the engine of a tokenizer, why, and what begins its signature."""
        facts = {visible_name(n): about for n, about in self.shown.facts.items()}.get(label, {})
        return {
            "engine": visible_name(str(facts.get("engine", "native"))),
            "hash": str(facts.get("signature", ""))[:8],
        }

    def curve_sizes(self, family: str) -> list[int]:
        """Return the sizes at which the tokens of a family are shown, ascending."""
        kept = [self.size(label) for label in self.families[family]]
        return _thinned(sorted(self.curves[family]), kept)

    @cached_property
    def curves(self) -> dict[str, dict[int, dict[str, int]]]:
        """The tokens of each family by size and group."""
        curves: dict[str, dict[int, dict[str, int]]] = {}
        if self.shown.curves is not None:
            columns = self.shown.curves.select(["tokenizer", "size", "group", "tokens"])
            if self._left_out:
                import pyarrow.compute as pc

                names_left_out = arrow.from_list([*self._left_out], pa.string())
                columns = columns.filter(pc.invert(pc.is_in(columns["group"], names_left_out)))
            names = {name: visible_name(name) for name in set(columns[0].to_pylist())}
            groups = {name: visible_name(name) for name in set(columns[2].to_pylist())}
            for family, size, group, tokens in zip(
                *(column.to_pylist() for column in columns), strict=True
            ):
                by_size = curves.setdefault(names[family], {})
                by_size.setdefault(size, {})[groups[group]] = tokens
        for (
            label,
            record,
        ) in self.tokenizers.items():  # of a bench, and of what was trained elsewhere
            by_size = curves.setdefault(record.family, {})
            if self.size(label) not in by_size:
                values = {group: self.value(label, "tokens", group) for group in self.groups}
                by_size[self.size(label)] = {g: int(v) for g, v in values.items() if v is not None}
        return curves

    def _metrics(self) -> list[dict[str, Any]]:
        """Return each metric with its values, {label: {group: [value, low, high, note]}}."""
        notes: dict[str, int] = {}
        better = {base_of(metric.name): metric.better for metric in _known_metrics()}
        names = dict.fromkeys(
            r.metric
            for r in self.records
            if not r.metric.startswith("knee[") and not r.metric.endswith(HALF)
        )
        metrics = []
        for metric in names:
            example = next(r for r in self.records if r.metric == metric)
            values = {
                label: {
                    i: _cell(record, notes)
                    for i, group in enumerate(self.groups)
                    if (record := self.by_key.get((label, metric, group))) is not None
                }
                for label in self.tokenizers
            }
            metrics.append(
                {
                    "name": metric,
                    "unit": unit_of(example),
                    "better": better.get(base_of(metric)),
                    "signature": short_signature(example.signature),
                    "values": values,
                }
            )
        return [{"notes": [*notes]}, *metrics]


def _known_metrics() -> Iterator[Metric]:
    for name in METRICS.names():
        with contextlib.suppress(PluginError):  # what is broken has no figures here
            yield METRICS.load(name)


def _cell(record: Record, notes: dict[str, int]) -> list[Any]:
    """Return value, low, high and the number of the note, without the last ones that are None."""
    note = None if record.note is None else notes.setdefault(record.note, len(notes))
    cell: list[Any] = [short(record.value), short(record.low), short(record.high), note]
    while cell and cell[-1] is None:
        cell.pop()
    return cell


def short(value: float | None) -> float | int | None:
    """Return a number to seven digits, a whole one as an int."""
    if value is None:
        return None
    if value == int(value) and abs(value) < 2**53:
        return int(value)
    return float(f"{value:.7g}")


def _thinned(sizes: Sequence[int], kept: Iterable[int]) -> list[int]:
    """Return sizes, about `_CURVE_POINTS` of them, those of `kept` among them."""
    step = max(1, len(sizes) // _CURVE_POINTS)
    return sorted({*sizes[::step], *sizes[-1:], *(size for size in kept if size in sizes)})


def visible_keys(by_label: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dictionary with labels as the page shows them."""
    return {visible_name(label): value for label, value in by_label.items()}
