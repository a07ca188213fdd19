"""The meter: an error that nobody expected tells during which step it came."""

from __future__ import annotations

import pytest

from toktk.errors import TrainingError
from toktk.lab.meter import Meter


@pytest.mark.parametrize(
    ("error", "notes"), [(MemoryError(), ["count a.txt", "train bpe"]), (TrainingError("x"), [])]
)
def test_an_unexpected_error_names_its_steps(error: Exception, notes: list[str]) -> None:
    meter = Meter()
    with (
        pytest.raises(type(error)) as raised,
        meter.step("train", "bpe"),
        meter.step("count", "a.txt"),
    ):
        raise error
    assert getattr(raised.value, "__notes__", []) == notes
    assert meter.costs == []
