"""Findings as text, rows and JSON: order, width, and strings that would steer a terminal."""

from __future__ import annotations

import json

from hostile_names import HOSTILE_NAMES, hidden
from rich.cells import cell_len

from toktk.audit import report
from toktk.audit.finding import SEVERITIES, Finding, by_severity, is_as_bad_as

FINDINGS = [
    Finding("fine", "ok", "mine", "all is well."),
    Finding("note-it", "info", "mine", "3 of 9 tokens are odd.", "", 3, 9, "tokens", ids=(1, 2, 3)),
    Finding("also", "ok", "mine", "well too."),
    Finding("worse", "error", "mine", "text is lost.", "Choose another one.", 1, 2, "bytes", "de",
            ("é", " a\n")),
    Finding("skipped", "info", "mine", "not checked: no text."),
    Finding("skipped-too", "info", "mine", "not checked: no text."),
    Finding("bad", "warning", "mine", "a long sentence " * 20 + "ends.", ids=tuple(range(40))),
]  # fmt: skip


def test_text_has_the_worst_first_and_one_line_for_what_is_fine():
    lines = report.text(FINDINGS, 80, False).splitlines()
    assert lines[0] == "mine: 1 error, 1 warning, 3 notes; 2 checks are ok."
    assert report.text(FINDINGS[:1], 80, False).startswith("mine: no findings; 1 check is ok.")
    heads = [line for line in lines if line.partition(" ")[0] in SEVERITIES]
    assert heads == [
        "error  worse [de]",
        "warning  bad",
        "info  note-it",
        "info  skipped, skipped-too",
        "ok  fine, also",
    ]
    assert "  Choose another one." in lines
    assert "  such as é  ·a↵" in lines
    assert "  ids 0, 1, 2, 3, 4, 5 and 34 more" in lines
    assert all(cell_len(line) <= 80 for line in lines)


def test_rows_hold_all_ids_for_programs_and_the_first_for_people():
    ids = {row[1]: row[-1] for row in report.rows(FINDINGS)}
    assert ids["bad"] == " ".join(map(str, range(40)))
    ids = {row[1]: row[-1] for row in report.rows(FINDINGS, for_programs=False)}
    assert (ids["bad"], ids["note-it"]) == ("0, 1, 2, 3, 4, 5 and 34 more", "1, 2, 3")
    assert ids["worse"] == ""


def test_color_changes_no_letter():
    import re

    colored = report.text(FINDINGS, 80, True)
    assert "\x1b[" in colored
    plain = re.sub(r"\x1b\[[\d;]*m", "", colored)
    assert [line.rstrip() for line in plain.splitlines()] == report.text(
        FINDINGS, 80, False
    ).splitlines()


def test_nothing_in_a_finding_steers_a_terminal():
    for name in (*HOSTILE_NAMES, "\udce2\udc9d", "x" * 500, "מזל" * 40):
        finding = Finding("a", "error", name, name, name, group=name, examples=(name,), ids=(1,))
        shown = report.text([finding], 80, False)
        assert not hidden(shown.replace("\n", "").replace("\u2068", "").replace("\u2069", ""))
        assert all(cell_len(line) <= 80 for line in shown.splitlines())
        shown = report.to_json([finding])
        shown.encode()
        (back,) = json.loads(shown)["findings"]
        assert back["examples"] == [name]
        assert back["subject"] == name


def test_json_holds_everything():
    value = json.loads(report.to_json(FINDINGS))
    assert value["schema"] == 1
    assert [each["check"] for each in value["findings"]][:2] == ["worse", "bad"]
    assert len(value["findings"][1]["ids"]) == 40
    assert set(value["findings"][0]) == set(FINDINGS[0].to_json())
    assert json.loads(report.to_json([])) == {"schema": 1, "findings": []}


def test_rows_are_those_of_the_columns():
    rows = report.rows(FINDINGS)
    assert [len(row) for row in rows] == [len(report.COLUMNS)] * len(FINDINGS)
    first = dict(zip(report.COLUMNS, rows[0], strict=True))
    assert first["examples"] == "é  ·a↵"
    assert first["group"] == "de"
    assert report.text([], 80, False) == "no findings.\n"


def test_severities_are_ordered():
    ordered = [finding.severity for finding in by_severity(FINDINGS)]
    assert ordered == sorted(ordered, key=SEVERITIES.index)
    assert is_as_bad_as(FINDINGS[3], "warning")
    assert not is_as_bad_as(FINDINGS[1], "warning")
