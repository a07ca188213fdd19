"""Metrics: definitions of figures, computed from an evaluation."""

import functools
from typing import Any

from toktk.registry import Registry


@functools.cache  # a run asks some hundred times
def _own() -> dict[str, object]:
    """Return toktk's own metrics by name, in the order of their definitions."""
    from toktk.metrics import (
        code,
        compression,
        multilingual,
        ngrams,
        numbers,
        robustness,
        spelling,
        structure,
        vocabulary,
        zipf,
    )

    modules = (
        compression,
        multilingual,
        vocabulary,
        ngrams,
        numbers,
        code,
        spelling,
        robustness,
        structure,
        zipf,
    )
    targets = [target for module in modules for target in vars(module).values()]
    return {target.name: target for target in targets if _is_metric(target)}


def topics() -> dict[str, list[str]]:
    """Return the names of toktk's own metrics by topic; one may ask for all of a topic at once."""
    by_topic: dict[str, list[str]] = {}
    for name, target in _own().items():
        by_topic.setdefault(getattr(target, "topic", ""), []).append(name)
    return by_topic


@functools.cache
def topic_of(figure: str) -> str:
    """Return the topic of toktk's own metric that gives figures of this name; empty for any other."""
    whole = figure.partition("|")[0]
    of_name = {name: topic for topic, names in topics().items() for name in names}
    return of_name.get(whole) or of_name.get(whole.partition("[")[0], "")


def _is_metric(target: Any) -> bool:
    from toktk.metrics.base import Metric

    return isinstance(target, Metric)


METRICS = Registry(
    "toktk.metrics", _own, accepts=_is_metric, expected="a toktk.metrics.base.Metric"
)
