"""What stands below a table with n-gram figures."""

from __future__ import annotations

import pytest

from toktk.report.ngrams import are_of_one_size, ngram_lines, unit_of
from toktk.report.records import Record, families
from toktk.report.results import Results


def record(
    label: str, size: int, metric: str, value: float | None, note: str | None = None
) -> Record:
    return Record(
        tokenizer=label, family=label, size=size, corpus="news", group="all", metric=metric,
        value=value, unit="bits/byte", note=note, signature="toktk:0.1.0",
    )  # fmt: skip


def shown(*tokenizers: tuple[str, int, float, float]) -> list[Record]:
    return [
        each
        for label, size, value, half in tokenizers
        for each in (
            record(label, size, "ngram_bpb[2]", value),
            record(label, size, "ngram_bpb[2]|half", half, "n-grams are learned from 9 MB; half"),
        )
    ]


def lines_of(*tokenizers: tuple[str, int, float, float]) -> list[str]:
    return ngram_lines(families(shown(*tokenizers)))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1000, 1050, True),
        (1050, 1000, True),
        (1000, 1051, False),
        (1000, None, False),
        (0, 0, False),
    ],
)
def test_one_size(a: int | None, b: int | None, same: bool) -> None:
    assert are_of_one_size(a, b) == same


def test_the_same_order_at_half_the_text() -> None:
    first, about, order = lines_of(("x", 1000, 1.5, 1.7), ("y", 1020, 1.6, 1.8), ("z", 3000, 1, 1))
    assert "never ranks sizes" in first
    assert about == "ngram_bpb: n-grams are learned from 9 MB."
    assert order == "ngram_bpb[2]: half of the text gives the same order of 1 pair of one size."


def test_another_order_at_half_the_text_is_named() -> None:
    found = lines_of(("x", 1000, 1.5, 1.9), ("y", 1020, 1.6, 1.8), ("z", 1001, 1.7, 2.0))
    assert found[-1] == (
        "ngram_bpb[2]: half of the text orders 1 of 3 pairs of one size the other way (Kendall's tau "
        "0.33), so these are not settled: x and y."
    )


def test_of_many_pairs_some_are_named() -> None:
    many = [(f"t{i}", 1000, 1 + i / 10, 2 - i / 10) for i in range(5)]
    assert lines_of(*many)[-1].endswith("t0 and t1; t0 and t2; t0 and t3; 7 more.")
    assert "tau -1.00" in lines_of(*many)[-1]


def test_sizes_are_no_pairs() -> None:
    found = lines_of(("x", 1000, 1.5, 1.7), ("y", 1100, 1.6, 1.8))
    assert found[-1] == "ngram_bpb: no two of these tokenizers are of one size, so none compare."


def test_without_such_figures_there_is_nothing_to_say() -> None:
    assert ngram_lines(families([record("x", 9, "gini[tokens_per_line]", 0.5)])) == []
    nulls = [record("x", 9, "ngram_bpb[2]", None, "why")]
    assert [line for line in ngram_lines(families(nulls)) if "learned" in line] == []


def test_half_has_no_column_and_the_table_says_what_compares() -> None:
    page = Results(tuple(shown(("x", 1000, 1.5, 1.7), ("y", 3000, 1.6, 1.8)))).page(100).text(100)
    assert "2-gram" in page
    assert "half" not in page
    assert "never ranks sizes" in page


def test_an_axis_says_that_sizes_do_not_compare() -> None:
    assert unit_of(record("x", 9, "ngram_bpb[1]", 1.0)) == "bits/byte, only to compare at one size"
    assert unit_of(record("x", 9, "bytes_per_token", 1.0)) == "bits/byte"
