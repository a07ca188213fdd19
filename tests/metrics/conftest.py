from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_evaluation import FakeEvaluation

from toktk.metrics import METRICS
from toktk.metrics.base import Figure, MetricOptions

Measure = Callable[..., dict[tuple[str, str], Figure]]


@pytest.fixture
def measure() -> Measure:
    """Compute a registered metric; figures by (group, metric)."""

    def run(
        name: str, evaluation: FakeEvaluation, size: int = 10, **options: object
    ) -> dict[tuple[str, str], Figure]:
        figures = METRICS.load(name).compute(evaluation, size, MetricOptions(**options))
        by_key = {(figure.group, figure.metric): figure for figure in figures}
        assert len(by_key) == len(figures)
        return by_key

    return run
