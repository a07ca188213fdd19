"""toktk audit: what a person, a program and a gate get."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from command_line import fails, good, run
from hostile_names import hidden
from public_samples import LLAMA2, added, byte_level, byte_model, document, write
from small_corpora import lines

QUICK = ("--checks", "files,reachability,utf8,hygiene,special")


@pytest.fixture
def llama(home: Path) -> Path:
    """A tokenizer whose file truncates texts."""
    write(home / "llama" / "tokenizer.json", LLAMA2)
    return home / "llama"


def test_text_for_people(llama: Path):
    shown = good("audit", f"mine={llama}", *QUICK).stdout
    assert shown.splitlines()[0].startswith("mine: 2 warnings, ")
    assert "warning  truncation" in shown
    assert "the file cuts every text to 5 tokens" in shown
    assert shown.splitlines()[-2].startswith("ok  ")


def test_json_csv_and_markdown(llama: Path, tmp_path: Path):
    findings = json.loads(good("audit", llama, *QUICK, "-f", "json").stdout)["findings"]
    checks = [finding["check"] for finding in findings]
    assert "unreachable" in checks
    rows = [*csv.DictReader(io.StringIO(good("audit", llama, *QUICK, "-f", "csv").stdout))]
    assert [row["check"] for row in rows] == checks
    assert good("audit", llama, *QUICK, "-f", "md").stdout.startswith("| severity | check |")
    path = tmp_path / "out.json"
    assert good("audit", llama, *QUICK, "-f", "json", "-o", path).stdout == ""
    assert json.loads(path.read_text("utf-8"))["findings"] == findings
    assert good("audit", llama, *QUICK, "-o", tmp_path / "out.txt").stdout == ""
    assert (tmp_path / "out.txt").read_text("utf-8").startswith("llama: ")


def test_a_gate(llama: Path):
    result = run("audit", llama, *QUICK, "--fail-on", "warning")
    assert result.exit_code == 3
    assert "2 findings of severity warning or worse" in result.stderr
    assert "warning  truncation" in result.stdout
    assert run("audit", llama, *QUICK, "--fail-on", "error").exit_code == 0
    assert run("audit", llama, "--checks", "hygiene", "--fail-on", "info").exit_code == 3


def test_a_text(llama: Path, tmp_path: Path):
    text = tmp_path / "news.txt"
    text.write_text("\n".join(lines("en", 40)), encoding="utf-8")
    other = tmp_path / "other.txt"
    other.write_text("\n".join(lines("de", 40)), encoding="utf-8")
    checks = ("--checks", "usage", "--checks", "boundary,round-trip")
    args = ("audit", llama, "-c", text, "--second", other, *checks, "-f", "json")
    findings = json.loads(good(*args).stdout)["findings"]
    assert {finding["check"] for finding in findings} == {
        "never-used", "one-document", "boundary", "round-trip", "round-trip-corpus",
    }  # fmt: skip
    never = next(finding for finding in findings if finding["check"] == "never-used")
    assert " of other.txt, and " in never["message"]
    assert good("audit", llama, "-c", text, *QUICK, "-q").stderr == ""


def test_hostile_tokens(home: Path):
    name = "\x1b[2J\u202e<|x|>"
    written = document(
        byte_model(), pre_tokenizer=byte_level(), added_tokens=[added(900, name, True)]
    )
    path = write(home / "h" / "tokenizer.json", written)
    (home / "h" / "tokenizer_config.json").write_text(
        json.dumps({"pad_token": name + "\x07", "chat_template": "[\x1bX] <|a\x1bb|>"}),
        encoding="utf-8",
    )
    for format in ("table", "csv", "md", "json"):
        shown = good("audit", path, *QUICK, "-f", format).stdout
        if format != "csv":  # which holds names as they are
            assert not hidden(shown.replace("\n", " "))
        assert "\x1b[2J" not in shown


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "name a tokenizer, a text with -c, or both"),
        (("llama", "--second", "x.txt"), "--second goes with a first text"),
        (("-c", "x.txt", "--checks", "utf8"), "--checks goes with a tokenizer"),
        (("-c", "x.txt", "--second", "y.txt"), "--second goes with a tokenizer"),
        (("llama", "--training"), "--training and --measuring go with a text alone"),
        (("llama", "--group-column", "lang"), "--group-column says how to read a text"),
        (("llama", "--limit", 5), "--limit says how to read a text"),
        (("llama", "--no-quotes"), "--quotes says how to read a text"),
        (
            ("llama", "-c", "x.txt", "--second", "y.txt", "--checks", "utf8"),
            "is for the check usage",
        ),
        (("llama", "--checks", "nonsense"), "no check is called 'nonsense'"),
        (("llama", "--fail-on", "ok"), "'ok' is not one of"),
    ],
)
def test_wrong_usage(llama: Path, args: tuple[str, ...], message: str):
    assert message in fails("audit", *args, code=2)


def test_what_is_not_there(llama: Path):
    assert "unknown tokenizer 'nowhere.json'" in fails("audit", "nowhere.json", code=1)
    assert "nothing.txt" in fails("audit", llama, "-c", "nothing.txt")


def test_progress_has_true_totals(llama: Path):
    told = good("audit", llama, *QUICK, "--progress", "json").stderr.splitlines()
    ends = {event["step"]: event for line in told if (event := json.loads(line))["event"] == "end"}
    assert (ends["audit"]["done"], ends["audit"]["total"]) == (5, 5)
    assert ends["check"]["total"] == 1
