"""What a sweep is asked to do, checked before any text is read."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toktk import __version__
from toktk.cache import code_digest, digest
from toktk.corpus import Corpus
from toktk.errors import MetricError, TrainingError
from toktk.metrics import METRICS
from toktk.metrics.base import Metric
from toktk.models.inference import INFERENCE, Inference, cannot_run
from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers import DEFAULT_TRAINERS, TRAINERS
from toktk.trainers.base import card_of, options_of
from toktk.trainers.pair_scores import PAIR_SCORES


@dataclass(frozen=True)
class SweepPlan:
    """A sweep: trainers x pretokenizers x sizes, on one text, measured on another.

    Args:
        training: text to train on.
        evaluation: text to measure on; None measures nothing.
        sizes: vocabulary sizes, special tokens and alphabet included; kept ascending, each once.
        trainers: names known to `toktk.trainers.TRAINERS`.
        pretokenizers: none means o200k; for those trainers that take one, which one at least must.
        parameters: further parameters of the trainers, by name, only those that were asked for.
        inference: names known to `toktk.models.inference.INFERENCE`; every vocabulary is run by each. None
            means "own", as its trainer made it.
        metrics: names known to `toktk.metrics.METRICS`; none means all that the text can carry.
        reference: the group that parity divides by.
        seed: given to trainers that take one.
        jobs: threads; they change no result.
        force: compute everything anew.
    """

    training: Corpus
    evaluation: Corpus | None
    sizes: tuple[int, ...]
    trainers: tuple[str, ...] = DEFAULT_TRAINERS
    pretokenizers: tuple[Pretokenizer, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inference: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    reference: str | None = None
    seed: int = 0
    jobs: int = 1
    force: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(sorted(set(self.sizes))))

    @functools.cached_property
    def families(self) -> list[Family]:
        """What is to be trained, in order: each serves all sizes.

        Raises:
            TrainingError: no size, or a trainer does not take a parameter that was asked for.
            ToktkError: an unknown trainer.
        """
        if not self.sizes:
            raise TrainingError("a sweep needs at least one size.", "Give sizes, such as 8k,32k.")
        families = [family for name in self.trainers for family in self._families_of(name)]
        if not self.inference:
            return families
        methods = {name: INFERENCE.load(name) for name in self.inference}
        return [
            family
            if name == "own"
            else replace(family, label=file_name(f"{family.label}-{name}"), method=method)
            for family in families
            for name, method in methods.items()
        ]

    def _families_of(self, name: str) -> list[Family]:
        build = TRAINERS.load(name)
        origin = TRAINERS.names()[name]
        takes, anything = options_of(build)
        unknown = [] if anything else [p for p in self.parameters if p not in takes]
        cuts = "pretokenizer" in takes or (anything and bool(self.pretokenizers))
        if self.pretokenizers and not cuts and not self._some_cut:
            unknown.append("pretokenizer")
        if unknown:
            # SentencePiece's trainers cut at their own spaces; a plug-in may cut as it likes.
            spaces = "pretokenizer" in unknown and card_of(build).pretokenizer == "metaspace"
            why = ["It cuts text at spaces alone, whatever the pattern."] if spaces else []
            raise TrainingError(
                f"the trainer {name!r} takes no {' and no '.join(map(_in_words, unknown))}.",
                *why,
                f"It takes: {', '.join(map(_in_words, takes)) or 'nothing'}.",
                "Leave the option out, or name with -t only trainers that take it.",
            )
        given = dict(self.parameters)
        if "seed" in takes:
            given["seed"] = self.seed
        if not cuts:
            return [Family(name, name, origin, build, None, given)]
        chosen = self.pretokenizers or (Pretokenizer.of(DEFAULT_PRETOKENIZER),)
        return [
            Family(
                file_name(name if len(chosen) == 1 else f"{name}-{pretokenizer.name}"),
                name,
                origin,
                build,
                pretokenizer,
                given,
            )
            for pretokenizer in chosen
        ]

    @functools.cached_property
    def _some_cut(self) -> bool:
        """Whether a pretokenizer means something to one of the trainers; the others go without."""
        found = [options_of(TRAINERS.load(name)) for name in self.trainers]
        return any("pretokenizer" in takes or anything for takes, anything in found)

    @functools.cached_property
    def measures(self) -> dict[str, tuple[Metric, str]]:
        """The metrics asked for, or all, by name, each with where it comes from.

        Raises:
            ToktkError: an unknown metric, or a plug-in that is broken.
        """
        return measures(self.metrics)

    def check(self) -> None:
        """Find what can be found wrong without reading text.

        Raises:
            ToktkError: an unknown name or an impossible parameter.
        """
        for family in self.families:
            family.trainer()
            family.check_method()
        if self.evaluation is not None and not self.measures:
            raise MetricError("a sweep needs at least one metric.")

    def describe(self) -> dict[str, Any]:
        """Return what determines the results, corpora left out, JSON-able."""
        return {
            "trainers": {family.name: family.origin for family in self.families},
            "pretokenizers": [
                None if family.pretokenizer is None else family.pretokenizer.signature
                for family in self.families
            ],
            "sizes": list(self.sizes),
            "parameters": dict(self.parameters),
            "pair_score": PAIR_SCORES.names().get(self.parameters.get("score", "")),
            "inference": {name: INFERENCE.names()[name] for name in self.inference},
            "metrics": {name: origin for name, (_, origin) in self.measures.items()},
            "reference": self.reference,
            "seed": self.seed,
        }

    def signature(self) -> str:
        """Return the sha256 (hex) of all that determines the results; reads the corpora."""
        evaluation = None if self.evaluation is None else self.evaluation.fingerprint
        return digest([__version__, self.describe(), self.training.fingerprint, evaluation])


@dataclass(frozen=True)
class Family:
    """One trainer with its parameters: the tokenizers that differ in size alone.

    Attributes:
        label: what tables call it; with a size appended, a tokenizer.
        name: the trainer's name.
        origin: where it comes from: "toktk", or a distribution and its version.
        build: makes the trainer.
        pretokenizer: given to the trainer; None where it takes none.
        given: the other parameters.
        method: how the vocabularies are run; None: as the trainer made them. Not part of `key`: methods
            share a training.
    """

    label: str
    name: str
    origin: str
    build: Callable[..., Any]
    pretokenizer: Pretokenizer | None
    given: Mapping[str, Any]
    method: Inference | None = None

    def trainer(self) -> Any:
        """Make the trainer."""
        given = dict(self.given)
        if self.pretokenizer is not None:
            given["pretokenizer"] = self.pretokenizer
        return self.build(**given)

    def check_method(self) -> None:
        """Refuse an inference method that cannot run what the trainer makes, where both are known.

        Raises:
            TrainingError: it cannot.
        """
        kind = card_of(self.build).model
        why = cannot_run(self.method.run, kind) if kind and self.method else ""
        if why:
            raise TrainingError(
                f"{self.label}: the vocabularies of {self.name} cannot be run so.",
                why,
                "Leave the trainer or the inference method out, or sweep them apart.",
            )

    def key(self) -> dict[str, Any]:
        """Return what determines the trainer, JSON-able."""
        package = self.build.__module__.partition(".")[0]
        return {
            "trainer": self.name,
            "origin": self.origin,
            "code": "" if package == "toktk" else code_digest(package),
            "pretokenizer": None if self.pretokenizer is None else self.pretokenizer.signature,
            "pattern": None if self.pretokenizer is None else self.pretokenizer.pattern,
            "given": dict(self.given),
            "pair_score": _score_key(self.given.get("score")),
        }


def measures(names: Sequence[str]) -> dict[str, tuple[Metric, str]]:
    """Return the metrics of these names, or all, each with where it comes from.

    Raises:
        ToktkError: an unknown metric, or a plug-in that is broken.
    """
    origins = METRICS.names()
    return {name: (METRICS.load(name), origins[name]) for name in names or tuple(origins)}


def measures_key(measures: Mapping[str, tuple[Metric, str]]) -> dict[str, list[str]]:
    """Return what determines the metrics, JSON-able: where each is from, and a plug-in's code."""
    return {name: _metric_key(*measure) for name, measure in measures.items()}


def _metric_key(metric: Metric, origin: str) -> list[str]:
    package = metric.compute.__module__.partition(".")[0]
    return [origin, "" if package == "toktk" else code_digest(package)]


def _in_words(parameter: str) -> str:
    return "pair score" if parameter == "score" else parameter.replace("_", " ")


def _score_key(name: Any) -> list[str]:
    """Return origin and code of a pair score; nothing for toktk's own and other trainers' scores."""
    origin = PAIR_SCORES.names().get(name, "toktk")
    return [] if origin == "toktk" else [origin, code_digest(PAIR_SCORES.package(name))]


def file_name(text: str) -> str:
    """Return `text` as the name of a file: what might not be allowed becomes ``_``."""
    return re.sub(r"[^\w.+-]", "_", text).strip(".") or "_"
