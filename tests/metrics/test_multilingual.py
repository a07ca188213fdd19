from __future__ import annotations

import itertools

import pytest
from fake_evaluation import FakeEvaluation
from hypothesis import given
from hypothesis import strategies as st

from toktk.errors import MetricError
from toktk.metrics.base import UNTRAINED
from toktk.metrics.multilingual import gini


@pytest.fixture
def parallel() -> FakeEvaluation:
    return FakeEvaluation(
        ["en", "de", "th", "code"],
        [100, 150, 400, 7],
        parallel=[True, True, True, False],
        aligned_lines=20,
    )


def test_tokens_per_line(measure, parallel) -> None:
    found = measure("tokens_per_line", parallel)
    name = "tokens_per_line"
    assert [found[group, name].value for group in ("en", "de", "th")] == [5.0, 7.5, 20.0]
    assert found["en", name].n == 20
    assert found["code", name].value is None
    assert found["code", name].note == "not parallel text"
    pooled = found["all", name]
    assert (pooled.value, pooled.n) == (650 / 60, 60)


@pytest.mark.parametrize("name", ["tokens_per_line", "parity", "gini[tokens_per_line]"])
def test_text_that_is_not_parallel_is_refused(measure, name) -> None:
    with pytest.raises(MetricError, match=r"needs parallel text[\s\S]*en, de[\s\S]*--align-column"):
        measure(name, FakeEvaluation(["en", "de"], [1, 2]))


def test_parity_names_its_reference_and_summarizes_without_it(measure, parallel) -> None:
    found = measure("parity", parallel)
    name = "parity[en]"
    assert [found[group, name].value for group in ("en", "de", "th")] == [1.0, 1.5, 4.0]
    assert found["code", name].value is None
    assert found["all", f"{name}|macro"].value == pytest.approx(2.75)
    worst = found["all", f"{name}|max"]
    assert (worst.value, worst.note, worst.n) == (4.0, "th", 2)


def test_languages_that_the_training_text_lacks_are_in_no_summary(measure, parallel) -> None:
    trained = ("de", "en", "fr")
    pooled = measure("tokens_per_line", parallel, trained=trained)["all", "tokens_per_line"]
    assert (pooled.value, pooled.n) == (250 / 40, 40)
    parity = measure("parity", parallel, trained=trained)
    assert parity["th", "parity[en]"].value == 4.0
    assert parity["th", "parity[en]"].note == UNTRAINED
    assert parity["de", "parity[en]"].note is None
    assert parity["all", "parity[en]|macro"].value == 1.5
    assert parity["all", "parity[en]|max"].note == "de"
    (inequality,) = measure("gini[tokens_per_line]", parallel, trained=trained).values()
    assert (inequality.value, inequality.n) == (pytest.approx(gini([100, 150])), 2)
    # Names that are all others do not tell what the groups hold: all count.
    for others in (("news",), None):
        unknown = measure("tokens_per_line", parallel, trained=others)["all", "tokens_per_line"]
        assert unknown.value == 650 / 60


def test_code_is_no_language_in_the_mean_over_languages(measure, parallel) -> None:
    found = measure("fertility[ws]", parallel)
    mean = found["all", "fertility[ws]|macro"]
    languages = [found[group, "fertility[ws]"].value for group in ("en", "de", "th")]
    assert (mean.value, mean.n) == (pytest.approx(sum(languages) / 3), 3)
    alone = FakeEvaluation(["en", "code"], [100, 7])
    assert measure("fertility[ws]", alone)["all", "fertility[ws]|macro"].n == 2


def test_parity_to_a_chosen_reference(measure, parallel) -> None:
    found = measure("parity", parallel, reference="de")
    assert found["th", "parity[de]"].value == pytest.approx(400 / 150)


def test_parity_refuses_an_unknown_or_unaligned_reference(measure, parallel) -> None:
    with pytest.raises(MetricError, match="did you mean 'de'"):
        measure("parity", parallel, reference="dee")
    with pytest.raises(MetricError, match="no reference group 'code'"):
        measure("parity", parallel, reference="code")


@pytest.mark.parametrize("english", ["en", "en-us", "eng", "eng_Latn", "english"])
def test_parity_finds_english(measure, english) -> None:
    evaluation = FakeEvaluation(["de", english], [3, 2], aligned_lines=1)
    assert measure("parity", evaluation)["de", f"parity[{english}]"].value == 1.5


def test_parity_without_english_is_null_with_a_note(measure) -> None:
    found = measure("parity", FakeEvaluation(["de", "fr"], [3, 2], aligned_lines=1))
    assert set(found) == {("de", "parity"), ("fr", "parity")}
    assert all(f.value is None and "no reference group" in f.note for f in found.values())


def test_parity_to_a_reference_without_tokens_is_null(measure) -> None:
    found = measure("parity", FakeEvaluation(["en", "fr"], [0, 2], aligned_lines=1))
    assert found["fr", "parity[en]"].value is None
    assert found["fr", "parity[en]"].note == "no tokens in en"
    assert found["all", "parity[en]|macro"].value is None


def test_fertility_is_null_where_the_script_has_no_spaces(measure) -> None:
    evaluation = FakeEvaluation(
        ["en", "fi", "ja"],
        [13, 30, 500],
        words=[10, 10, 2],
        nonspace=[50, 100, 400],
        unspaced=[5, 0, 390],
    )
    found = measure("fertility[ws]", evaluation)
    name = "fertility[ws]"
    # English quoting a little Japanese, exactly at the limit, is still English.
    assert found["en", name].value == 1.3
    assert found["fi", name].value == 3.0
    assert found["ja", name].value is None
    assert found["ja", name].note == "scripts written without spaces"
    # One Japanese line is one "word": the pooled figure would be ruled by it.
    assert found["all", name].value is None
    assert "ja" in found["all", name].note
    assert found["all", f"{name}|macro"].value == pytest.approx(2.15)
    assert found["all", f"{name}|macro"].n == 2
    assert found["all", f"{name}|max"].note == "fi"


def test_fertility_pools_as_a_ratio_of_sums(measure) -> None:
    found = measure("fertility[ws]", FakeEvaluation(["en", "fi"], [10, 90], words=[10, 30]))
    assert found["all", "fertility[ws]"].value == 2.5
    assert found["all", "fertility[ws]|macro"].value == 2.0


def test_fertility_without_words_is_null(measure) -> None:
    found = measure("fertility[ws]", FakeEvaluation(["blank"], [3], words=[0], nonspace=[0]))
    assert found["blank", "fertility[ws]"].note == "no words"


def test_gini_metric_counts_parallel_groups_only(measure, parallel) -> None:
    figure = measure("gini[tokens_per_line]", parallel)["all", "gini[tokens_per_line]"]
    assert figure.value == pytest.approx(slow_gini([100, 150, 400]))
    assert figure.n == 3


def test_gini_of_one_language_is_null_not_zero(measure) -> None:
    figure = measure("gini[tokens_per_line]", FakeEvaluation(["en"], [5], aligned_lines=3))[
        "all", "gini[tokens_per_line]"
    ]
    assert (figure.value, figure.note) == (None, "fewer than two parallel groups")


def slow_gini(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum(abs(a - b) for a, b in itertools.product(values, values)) / (
        2 * len(values) ** 2 * mean
    )


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=40).filter(any))
def test_gini_equals_its_double_sum_within_its_bounds(values: list[int]) -> None:
    found = gini(values)
    assert found == pytest.approx(slow_gini(values), abs=1e-9)
    assert -1e-12 <= found <= 1 - 1 / len(values) + 1e-12


def test_gini_of_nothing_is_null() -> None:
    assert gini([]) is None
    assert gini([3]) is None
    assert gini([0, 0]) is None
