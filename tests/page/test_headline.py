"""The first answers say what the figures say, and no more."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from small_runs import opened, swept

from toktk.lab.compare import Asked, compare_sides
from toktk.lab.side import sides_of
from toktk.page.build import _subtitle as subtitle_of
from toktk.page.contents import Contents
from toktk.page.headline import SETTLED, UNDECIDED
from toktk.page.shown import shown_run


def test_every_question_is_answered(contents: Contents) -> None:
    questions = [answer.question for answer in contents.answers]
    assert list(dict.fromkeys(questions)) == [
        "Which size?", "What does 340 → 400 save?", "bpe or unigram?", "Which language costs most?",
        "How sure is this?",
    ]  # fmt: skip


def test_numbers_are_those_of_compare(contents: Contents) -> None:
    sides = {side.label: side for side in sides_of(contents.figures.shown.results)}
    asked = Asked(("tokens_per_line",), ("all",))
    row = compare_sides([(sides["bpe-400"], sides["bpe-340"])], asked).rows[0]
    answer = next(a for a in contents.answers if a.question.startswith("What does"))
    assert row.difference is not None
    assert row.low is not None
    assert row.high is not None
    assert answer.text == f"bpe: {-100 * row.difference:.1f} % of the tokens."
    ends = [float(x.replace("−", "-")) for x in re.findall(r"[+−]?\d+\.\d(?= %)", answer.evidence)]
    assert ends[:2] == [
        pytest.approx(100 * row.low, abs=0.051),
        pytest.approx(100 * row.high, abs=0.051),
    ]


def test_the_costliest_language_is_that_of_parity(contents: Contents) -> None:
    for answer in contents.answers:
        if answer.question == "Which language costs most?" and answer.state == SETTLED:
            family = "bpe" if "(bpe at 400)" in answer.text else "unigram"
            label = f"{family}-400"
            parity = {
                g: contents.figures.value(label, "parity[en]", g) or 0 for g in ("de", "ru", "ja")
            }
            worst = max(parity, key=lambda g: parity[g])
            assert answer.text.startswith(f"{worst} needs ")


def test_too_little_text_is_undecided(tmp_path: Path) -> None:
    folder = swept(tmp_path, n=60)  # six aligned lines are held out
    found = Contents(shown_run(opened(folder))).answers
    by_question = {answer.question: answer for answer in found}
    assert by_question["bpe or unigram?"].state == UNDECIDED
    assert "no interval" in by_question["bpe or unigram?"].evidence
    assert by_question["How sure is this?"].state == UNDECIDED


def test_tokenizers_that_normalize_differently_are_not_compared(contents: Contents) -> None:
    shown = contents.figures.shown
    records = tuple(
        replace(r, signature=f"{r.signature}|norm:NFC") if r.family == "unigram" else r
        for r in shown.results
    )
    page = Contents(replace(shown, results=replace(shown.results, records=records)))
    answer = next(a for a in page.answers if a.question == "bpe or unigram?")
    assert "not compared: they differ in normalization" in answer.text
    assert answer.state == UNDECIDED
    assert not page.comparisons
    assert len(page.answers) == len(contents.answers)


def test_without_documents_nothing_is_settled(contents: Contents) -> None:
    shown = contents.figures.shown
    bare = replace(shown, results=replace(shown.results, documents=None))
    found = Contents(bare).answers
    compared = [a for a in found if "save" in a.question or " or " in a.question]
    assert compared
    assert {answer.state for answer in compared} == {UNDECIDED}


def test_a_run_of_other_metrics_says_nothing_of_documents(contents: Contents) -> None:
    figures = contents.figures
    shown = figures.shown
    records = tuple(
        r for r in shown.results.records if r.metric not in ("documents", "tokens_per_line")
    )
    assert "documents in 4 groups" in subtitle_of(figures)
    lacking = Contents(replace(shown, results=replace(shown.results, records=records)))
    assert "documents" not in subtitle_of(lacking.figures)
    assert "4 groups" in subtitle_of(lacking.figures)
    assert "How sure is this?" not in {answer.question for answer in lacking.answers}
