from __future__ import annotations

import pytest
from fake_evaluation import FakeEvaluation


@pytest.fixture
def evaluation() -> FakeEvaluation:
    return FakeEvaluation(
        ["en", "ru"], [10, 40], bytes=[50, 100], chars=[50, 60], documents=[2, 3], pieces=[8, 10]
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tokens", [10, 40, 50]),
        ("bytes", [50, 100, 150]),
        ("chars", [50, 60, 110]),
        ("documents", [2, 3, 5]),
        ("pieces", [8, 10, 18]),
        ("bytes_per_token", [5.0, 2.5, 3.0]),
        ("bytes_per_piece", [6.25, 10.0, 150 / 18]),
        ("headroom", [0.2, 0.75, 0.64]),
    ],
)
def test_values_per_group_and_pooled_as_ratios_of_sums(measure, evaluation, name, expected) -> None:
    found = measure(name, evaluation)
    assert [found[group, name].value for group in ("en", "ru", "all")] == pytest.approx(expected)
    assert [found[group, name].n for group in ("en", "ru", "all")] == [2, 3, 5]


def test_headroom_is_what_its_formula_says(measure, evaluation) -> None:
    per_token = measure("bytes_per_token", evaluation)["ru", "bytes_per_token"].value
    per_piece = measure("bytes_per_piece", evaluation)["ru", "bytes_per_piece"].value
    headroom = measure("headroom", evaluation)["ru", "headroom"].value
    assert headroom == pytest.approx(1 - per_token / per_piece)


def test_a_group_without_text_is_null_and_does_not_disturb_the_pool(measure) -> None:
    evaluation = FakeEvaluation(["en", "empty"], [10, 0], bytes=[50, 0], documents=[1, 0])
    found = measure("bytes_per_token", evaluation)
    figure = found["empty", "bytes_per_token"]
    assert (figure.value, figure.note, figure.n) == (None, "no tokens", 0)
    assert found["all", "bytes_per_token"].value == 5.0


def test_values_are_plain_python_numbers(measure, evaluation) -> None:
    for name in ("tokens", "bytes_per_token"):
        for figure in measure(name, evaluation).values():
            assert type(figure.value) is float
            assert type(figure.n) is int
