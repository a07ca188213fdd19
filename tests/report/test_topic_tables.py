"""Tables of topics: figures down, tokenizers across."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toktk.report.records import Record
from toktk.report.results import Results
from toktk.report.topic_tables import topic_tables


def record(
    tokenizer: str, metric: str, value: float | None, size: int = 300, **more: object
) -> Record:
    about = {"family": tokenizer, "unit": "bits", "n": 7, **more}
    return Record(
        tokenizer=tokenizer, corpus="text", group="all", metric=metric, value=value, size=size,
        signature="signature", pretokenizer="gpt2", **about,
    )  # fmt: skip


def figures(labels: list[str], value: float | None = 1.5) -> list[Record]:
    return [
        record(label, metric, value, unit=unit)
        for label in labels
        for metric, unit in (
            ("digit_pattern_entropy[4]", "bits"),
            ("digit_alignment[right,4-8]", "share"),
        )
    ]


def shown(records: list[Record], width: int = 80) -> str:
    return Results(tuple(records), {"asked": ["digit_pattern_entropy"]}).page(width).text(width)


def test_figures_go_down_and_tokenizers_across() -> None:
    records = [
        record("one", "digit_pattern_entropy[4]", 1.2577),
        record("one", "single_token_integers[0-999]", 819.0, unit="integers"),
        record("one", "digit_alignment[right,4-8]", 0.2504, unit="share"),
        record("two", "digit_pattern_entropy[4]", 0.0),
        record("two", "single_token_integers[0-999]", 1000.0, unit="integers"),
        record("two", "digit_alignment[right,4-8]", 1.0, unit="share"),
        record("two", "operator_fusion[python]", 0.5, unit="share"),
    ]
    lines = [line.split() for line in shown(records).splitlines()]
    assert ["digit_pattern_entropy[4]", "1.26", "0.00"] in lines
    assert ["single_token_integers[0-999]", "819", "1,000"] in lines
    assert ["digit_alignment[right,4-8]", "25.0%", "100.0%"] in lines
    # A topic each; what one tokenizer lacks is a dash. No column of the table of figures shows them too.
    assert ["operator_fusion[python]", "–", "50.0%"] in lines
    assert lines.index(["numbers"]) < lines.index(["code"])
    assert shown(records).count("digit_pattern_entropy") == 1
    assert shown(records).count("toktk ls metrics") == 1


def test_standard_figures_have_no_topic_table() -> None:
    records = [
        record("one", metric, 2.0)
        for metric in ("bytes_per_token", "renyi_efficiency[a=2.5,V]", "mine")
    ]
    assert "figure" not in shown(records)


@pytest.mark.parametrize("width", [1, 40, 60, 80, 200])
def test_more_tokenizers_than_the_width_holds(width: int) -> None:
    labels = [f"a-tokenizer-{i}" for i in range(9)]
    page = shown(figures(labels), width)
    tables = page.count("digit_pattern_entropy[4]") if width > 30 else 9
    assert tables == {1: 9, 40: 9, 60: 5, 80: 3, 200: 1}[width]
    if width > 30:
        assert page.count("150.0%") == page.count("1.50") == 9
        assert max(map(len, page.splitlines())) <= width


def test_sizes_of_a_family_stand_side_by_side() -> None:
    records = [
        record(
            f"bpe-{size}",
            "digit_pattern_entropy[4]",
            float(size),
            size,
            family="bpe",
            trainer="bpe",
        )
        for size in (300, 400)
    ]
    lines = [line.split() for line in shown(records).splitlines()]
    assert ["figure", "bpe-300", "bpe-400"] in lines
    assert ["digit_pattern_entropy[4]", "300", "400"] in lines


def test_why_a_figure_is_missing_is_said_once_for_each_reason() -> None:
    note = "the tokenizer changes or loses the text made for this"
    records = figures(["one", "two", "three"], None)
    records = [*figures(["four"]), *(replace(r, note=note) for r in records)]
    assert shown(records, 120).count(f"– one, two, three: {note}.") == 1
    assert shown(records, 120).count("–  ") >= 2


def test_a_figure_that_no_tokenizer_has_is_a_note_and_no_row() -> None:
    records = [
        replace(r, value=None, note="no text that changes so") if "entropy" in r.metric else r
        for r in figures(["one", "two"])
    ]
    page = shown(records)
    assert "digit_pattern_entropy[4]: no text that changes so." in page
    assert page.count("digit_pattern_entropy") == 1
    assert ["digit_alignment[right,4-8]", "150.0%", "150.0%"] in [
        line.split() for line in page.splitlines()
    ]


def test_hostile_labels_are_no_markup_and_hide_nothing() -> None:
    page = shown(figures(["[b]x", "e\x1b[31mvil", "東京" * 9]))
    assert "[b]x" in page
    assert "\x1b[31m" not in page
    assert page.count("150.0%") == 3


def test_other_forms_have_the_table() -> None:
    page = Results(tuple(figures(["one", "t|o"]))).page(160)
    assert " | 1.50 | 1.50 |\n" in page.markdown()
    assert "digit\\_pattern\\_entropy[4] & 1.50 & 1.50" in page.latex()
    assert "<td" in page.html()
    assert topic_tables([], 80) == []
