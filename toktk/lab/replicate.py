"""Replication: a stored run carried out again, and what comes out otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from toktk import arrow
from toktk.errors import ToktkError
from toktk.lab.again import checked_run, experiment_of
from toktk.lab.document import CURVES, recorded_files
from toktk.lab.meter import Meter
from toktk.lab.run import Run, carry_out
from toktk.report.records import Record
from toktk.sizes import size_label

VOCABULARY, FIGURE, POINT, FAILURE = "vocabulary", "figure", "point of a curve", "failure"
PLURALS = {
    VOCABULARY: "vocabularies",
    FIGURE: "figures",
    POINT: "points of curves",
    FAILURE: "failures",
}
_COLUMNS = [field.name for field in fields(Record)]
_KEY = ("tokenizer", "group", "metric")
_ENVIRONMENT = ("toktk", "python", "unicode", "os", "machine", "cpu", "usable_cores")
_SHORT = 12  # digits of a hash that people compare


class Changed(NamedTuple):
    """What is not as it was: a vocabulary, a figure, a point of a curve, or a part of the surroundings."""

    kind: str
    name: str
    then: str
    now: str


class _Vocabulary(NamedTuple):
    """Of a tokenizer the hash of all that determines its ids, and what runs it, if a run says so."""

    signature: str
    engine: str | None


@dataclass(frozen=True)
class Replication:
    """A run carried out again.

    Attributes:
        before, now: the stored run and the new one.
        compared: {kind: how many were compared}.
        differences: what came out otherwise.
        surroundings: versions, machine and threads that are not what they were.
    """

    before: Run
    now: Run
    compared: Mapping[str, int]
    differences: list[Changed]
    surroundings: list[Changed]

    @property
    def identical(self) -> bool:
        """Whether vocabularies, figures and curves are the same, to the last digit."""
        return not self.differences

    def refuse_different(self) -> None:
        """Raise ToktkError if anything came out otherwise."""
        if self.identical:
            return
        kinds = [difference.kind for difference in self.differences]
        counts = [
            f"{len({d.name for d in self.differences if d.kind == kind}):,} of {n:,} {PLURALS[kind]}"
            for kind, n in self.compared.items()
            if kind in kinds
        ]
        around = [change.name for change in self.surroundings]
        why = (
            f"Other than then: {', '.join(around)}."
            if around
            else "All known surroundings are as then."
        )
        raise ToktkError(
            f"{self.before.path} does not come out the same.",
            f"Found: {', '.join(counts)} differ.",
            why,
            "Bring back what changed, or run it anew with --force and keep that."
            if around
            else "This should not happen: please report it, with both run.json.",
        )


def replicate(
    folder: Path, into: Path, meter: Meter, jobs: int, memory: int | None = None
) -> Replication:
    """Carry out a stored run again; training, counting and measuring take nothing from the store.

    Args:
        folder: the run directory.
        into: where the new run is written, an empty folder or none.
        jobs, memory: as of a `SweepPlan`; they change no result.

    Raises:
        CorpusError: the text has changed.
        StorageError: there is no whole run, or it does not say all that is needed.
    """
    before = checked_run(folder)
    now = carry_out(experiment_of(before, meter, jobs, memory=memory), into)
    if now.trouble is not None:
        raise now.trouble
    old, new = _results(before), _results(now)
    differences = [
        Changed(kind, *change) for kind in PLURALS for change in _changes(old[kind], new[kind])
    ]
    compared = {kind: len({*old[kind], *new[kind]}) for kind in PLURALS}
    return Replication(before, now, compared, differences, _surroundings(before, now))


def _results(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return all that is compared, by kind and name."""
    return {
        VOCABULARY: _vocabularies(run),
        FIGURE: _records(run),
        POINT: _curves(run),
        FAILURE: dict.fromkeys(run.document["failed"], "fails"),
    }


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys([*old, *new]):
        was, became = old.get(name), new.get(name)
        if was == became:
            continue
        if isinstance(was, Record) and isinstance(became, Record):
            for column in _COLUMNS:
                values = getattr(was, column), getattr(became, column)
                if values[0] != values[1]:
                    shown = name if column == "value" else f"{name}, {column}"
                    yield shown, _shown(values[0]), _shown(values[1])
        else:
            yield name, _shown(was), _shown(became)


def _shown(value: object) -> str:
    if isinstance(value, Record):
        value = value.value
    if isinstance(value, _Vocabulary):
        by = f" by {value.engine}" if value.engine else ""
        return f"{value.signature[:_SHORT]}{by}"
    return "none" if value is None else f"{value!r}" if isinstance(value, float) else str(value)


def _vocabularies(run: Run) -> dict[str, _Vocabulary]:
    return {
        label: _Vocabulary(str(about.get("signature")), about.get("engine"))
        for label, about in run.document["tokenizers"].items()
    }


def _records(run: Run) -> dict[str, Record]:
    if run.results is None:
        return {}
    return {" ".join(getattr(r, name) for name in _KEY): r for r in run.results}


def _curves(run: Run) -> dict[str, int]:
    if CURVES not in recorded_files(run.document):
        return {}
    columns = arrow.read_parquet(run.path / CURVES).to_pydict()
    names = zip(columns["tokenizer"], columns["group"], columns["size"], strict=True)
    points = [f"{family} {group} {size_label(size)}" for family, group, size in names]
    return dict(zip(points, columns["tokens"], strict=True))


def _surroundings(before: Run, now: Run) -> list[Changed]:
    then, today = (_around(run.document) for run in (before, now))
    changes = _changes(then, today)
    return [Changed("surroundings", *change) for change in changes]


def _around(document: Mapping[str, Any]) -> dict[str, Any]:
    environment = document.get("environment") or {}
    around = {name: environment.get(name) for name in _ENVIRONMENT}
    around |= environment.get("packages") or {}
    for kind, plugins in (environment.get("plugins") or {}).items():
        around |= {f"{kind}: {name}": origin for name, origin in plugins.items()}
    around["threads"] = document["options"].get("jobs")
    return around
