"""Metrics: definitions of figures, computed from an evaluation."""

from typing import Any

from toktk.registry import Registry


def _own() -> dict[str, object]:
    """Return toktk's own metrics by name, in the order of their definitions."""
    from toktk.metrics import compression, multilingual, ngrams, vocabulary

    modules = (compression, multilingual, vocabulary, ngrams)
    targets = [target for module in modules for target in vars(module).values()]
    return {target.name: target for target in targets if _is_metric(target)}


def topics() -> dict[str, list[str]]:
    """Return the names of toktk's own metrics by topic; one may ask for all of a topic at once."""
    by_topic: dict[str, list[str]] = {}
    for name, target in _own().items():
        by_topic.setdefault(getattr(target, "topic", ""), []).append(name)
    return by_topic


def _is_metric(target: Any) -> bool:
    from toktk.metrics.base import Metric

    return isinstance(target, Metric)


METRICS = Registry(
    "toktk.metrics", _own, accepts=_is_metric, expected="a toktk.metrics.base.Metric"
)
