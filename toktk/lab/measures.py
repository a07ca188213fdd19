"""What is to be measured: metrics by name or by topic."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from toktk.cache import code_of
from toktk.errors import MetricError, PluginError, did_you_mean, usage
from toktk.metrics import METRICS, topics
from toktk.metrics.base import STANDARD, Metric
from toktk.metrics.ngrams import TOPIC as NGRAMS


@dataclass(frozen=True)
class Measures:
    """What is to be measured.

    Attributes:
        metrics: names known to `toktk.metrics.METRICS`, for which the part before a bracket stands
            where it is that of one alone, and topics of metrics; none means the standard ones, and those of
            other packages. A topic becomes the names of its metrics.
        reference: the group that parity divides by.
        given: `metrics` as it was given.
        named: the metrics that were named; one that the text cannot carry is an error, while those of a
            topic are left out.
    """

    metrics: tuple[str, ...] = ()
    reference: str | None = None
    given: tuple[str, ...] = field(init=False, default=())
    named: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        if self.metrics:
            by_topic = topics()
            known = METRICS.names()
            whole = [
                [_whole_name(name, known)]
                if name in known or name not in by_topic
                else by_topic[name]
                for name in self.metrics
            ]
            named = {_whole_name(name, known) for name in self.metrics if name not in by_topic}
            object.__setattr__(self, "given", self.metrics)
            object.__setattr__(self, "metrics", tuple(dict.fromkeys(itertools.chain(*whole))))
            object.__setattr__(self, "named", frozenset(named))

    @property
    def shown(self) -> list[str]:
        """Those that tables must show: named, or of another topic than the standard one."""
        standard = topics()[STANDARD]
        return [name for name in self.metrics if name in self.named or name not in standard]

    @functools.cached_property
    def definitions(self) -> dict[str, Metric]:
        """The metrics asked for, or all, by name; without the `broken` ones."""
        return self._loaded[0]

    @property
    def have_ngrams(self) -> bool:
        """Whether n-gram models are among them, which want the text itself."""
        return any(metric.topic == NGRAMS for metric in self.definitions.values())

    @property
    def broken(self) -> dict[str, PluginError]:
        """Plug-ins among them that cannot be loaded, by name."""
        return self._loaded[1]

    @functools.cached_property
    def _loaded(self) -> tuple[dict[str, Metric], dict[str, PluginError]]:
        if self.metrics:
            return METRICS.load_each(self.metrics)
        loaded, broken = METRICS.load_each(METRICS.names())
        return {name: one for name, one in loaded.items() if one.topic == STANDARD}, broken

    @usage()
    def check(self) -> None:
        """Raise a ToktkError for an unknown metric, or where all that were asked for are broken."""
        names, by_topic = METRICS.names(), topics()
        for name in self.metrics:
            if name not in names:
                raise MetricError(
                    f"unknown metric {name!r}{did_you_mean(name, [*by_topic, *names])}.",
                    f"Topics: {', '.join(by_topic)}.",
                    f"Metrics: {', '.join(names)}.",
                )
        if not self.definitions:
            raise next(iter(self.broken.values()))

    def describe(self) -> dict[str, Any]:
        """Return the metrics' origins and the reference, JSON-able."""
        # One that was asked for and is broken is tried again; of the others a run does without.
        self.check()
        origins = METRICS.names()
        chosen = {name: origins[name] for name in self.metrics or self.definitions}
        return {"metrics": chosen, "reference": self.reference}

    def key(self) -> dict[str, Any]:
        """Return all that determines the figures, JSON-able: a plug-in's code too."""
        code = {name: code_of(metric.compute) for name, metric in self.definitions.items()}
        return {**self.describe(), "asked": sorted(self.named), "code": code}


def _whole_name(name: str, known: Iterable[str]) -> str:
    """Return the only known name that is `name` and something in brackets, or `name`."""
    whole = [each for each in known if each.partition("[")[0] == name]
    return whole[0] if len(whole) == 1 else name
