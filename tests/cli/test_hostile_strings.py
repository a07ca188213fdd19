"""What leaves a command holds no character that steers a terminal, in any encoding, on any stream."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hostile_names import HOSTILE_NAMES, hidden, read_visible
from small_corpora import write_parallel

from toktk.cli import main, streams

pytestmark = pytest.mark.usefixtures("home")

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JSON Lines file with a group of each hostile name."""
    rows = [
        {"text": f"the quick brown fox {i} jumps over it", "lang": name}
        for name in HOSTILE_NAMES
        for i in range(4)
    ]
    path = tmp_path_factory.mktemp("corpus") / "names\x1b[31m.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def sweep(corpus: Path, *more: str, **runner: str) -> Result:
    args = ["-c", corpus, "--eval", corpus, "--group-column", "lang", "-s", "264", "-t", "bpe"]
    args += ["-m", "bytes_per_token", "-o", "run\x1b[2J", *more]
    return CliRunner(**runner).invoke(main, ["sweep", *map(str, args)], catch_exceptions=False)


def child(*args: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command: Sequence[str] = [sys.executable, "-m", "toktk", *args]
    return subprocess.run(command, check=False, timeout=120, **options)  # type: ignore[call-overload]


def test_a_sweep_over_hostile_groups_in_every_format(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {*HOSTILE_NAMES, "all"}
    first = sweep(corpus, "-f", "csv")
    assert first.exit_code == 0, first.stderr
    rows = list(csv.DictReader(io.StringIO(first.stdout_bytes.decode(), newline="")))
    assert {row["group"] for row in rows} == wanted
    assert "\x1b[31mred" in first.stdout_bytes.decode()  # nothing is stripped
    assert hidden(first.stderr) == []
    assert "a spreadsheet may run" in first.stderr
    assert "spreadsheet" not in sweep(corpus, "-f", "csv", "-q").stderr
    records = json.loads(sweep(corpus, "-f", "json").stdout_bytes)["records"]
    assert {record["group"] for record in records} == wanted
    for format in ("table", "md", "latex", "json"):
        result = sweep(corpus, "-f", format)
        assert result.exit_code == 0
        assert hidden(result.stdout_bytes.decode()) == []
        assert hidden(result.stderr) == []
    assert r"run\x1b[2J" in result.stderr
    # A terminal is shown what a file gets as it is.
    monkeypatch.setattr(streams, "on_screen", lambda: True)
    shown = sweep(corpus, "-f", "csv").stdout_bytes.decode()
    assert hidden(shown) == []
    assert "\\x1b[31mred" in shown


@pytest.mark.parametrize(
    "label", ["\x1b[31mred", "\u202ebpe", "<b>", "a\nb", "+1", "東京", "100%_&"]
)
def test_a_comparison_of_hostile_labels_and_groups_in_every_format(
    corpus: Path, label: str
) -> None:
    assert sweep(corpus).exit_code == 0
    folder = "run\x1b[2J/tokenizers/bpe-264"
    specs = [f"{label}={folder}", f"other={folder}", "-c", str(corpus), "--group-column", "lang"]
    for format in ("table", "md", "latex", "json", "csv"):
        result = CliRunner().invoke(
            main, ["compare", *specs, "-m", "bytes_per_token", "-f", format], catch_exceptions=False
        )
        assert hidden(result.stderr) == []
        shown = result.stdout_bytes.decode()
        if result.exit_code:
            assert (result.exit_code, shown) == (1, "")
            assert hidden(label) or label in ("<b>", "a\nb")
            continue
        if format == "csv":
            rows = list(csv.DictReader(io.StringIO(shown, newline="")))
            assert {row["candidate"] for row in rows} == {label}
            assert {row["group"] for row in rows} == {*HOSTILE_NAMES, "all"}
        else:
            assert hidden(shown) == []
        if format == "json":
            assert {row["candidate"] for row in json.loads(shown)["comparisons"]} == {label}


@pytest.mark.parametrize("charset", ["latin-1", "ascii", "cp1252"])
def test_any_encoding_of_standard_output_takes_the_table(corpus: Path, charset: str) -> None:
    in_utf8 = sweep(corpus).stdout_bytes.decode()
    result = sweep(corpus, charset=charset)
    assert result.exit_code == 0
    lines = result.stdout_bytes.decode(charset).split("\n")
    assert len(lines) == in_utf8.count("\n") + 1
    assert set(lines[3]) == {"-"}
    data = [sweep(corpus, "-f", "csv", charset=c).stdout_bytes for c in (charset, "utf-8")]
    assert data[0] == data[1]


@pytest.mark.parametrize("charset", ["ascii", "cp1252"])
@pytest.mark.parametrize(
    "args",
    [
        ["sweep", "-c", "four.jsonl", "-s", "300", "-t", "bpe"],
        ["bench", "東京"],
        ["ls", "東京"],
        ["ls", "pretokenizers"],
        ["sweep", "--help"],
    ],
)
def test_all_that_is_said_is_in_the_encoding_of_its_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], charset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONIOENCODING", charset)
    write_parallel(tmp_path / "four.jsonl")
    done = child(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = done.stdout + done.stderr
    assert said.isascii() or charset == "cp1252"
    assert said.decode(charset).strip()
    assert b"Traceback" not in said
    if "東京" in args:
        assert b"\\u6771\\u4eac" in said


@pytest.mark.parametrize(
    ("args", "code", "quoted"),
    [
        (["\x1b[31m"], 2, r"'\x1b[31m'"),
        (["--\x1b[31m"], 2, r"--\x1b[31m"),
        (["ls", "metrics", "\x9b\nb\udcff"], 2, r"\x9b\x0ab\udcff"),
        (["ls", "\u202ex"], 2, r"\u202ex"),
        (["sweep", "--\x1bx"], 2, r"--\x1bx"),
        (["sweep", "--seed", "\x1b\u2028"], 2, r"\x1b\u2028"),
        (["sweep", "-s", "\x1b]0;x\x07"], 2, r"\x1b]0;x\x07"),
        (["sweep", "-t", "\u202eepb"], 2, r"\u202eepb"),
        (["sweep", "-c", "\x1b[2J\u200b"], 1, r"\x1b[2J\u200b"),
        (["convert", "x\x1b[2J", "-o", "y\x07.json"], 1, r"x\x1b[2J"),
        (["bench", "\x1b[31mno\nthing"], 1, r"\x1b[31mno"),
    ],
)
def test_messages_quote_visibly(args: list[str], code: int, quoted: str) -> None:
    result = CliRunner().invoke(main, args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert hidden(result.stderr) == []
    assert quoted in result.stderr
    assert "Traceback" not in result.stderr


def test_usage_without_foreign_text_keeps_its_lines() -> None:
    assert "\n  sweep " in CliRunner().invoke(main, []).stderr


def test_a_file_error_shows_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(5, "Input/output error", "a\x1b[2J\nb")

    monkeypatch.setattr("toktk.lab.environment.environment", fail)
    result = CliRunner().invoke(main, ["env"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: a\\x1b[2J\\x0ab: Input/output error.\n  ")


def test_a_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    try:
        gone.rmdir()
    except OSError:
        pytest.skip("this system keeps folders that are in use")
    monkeypatch.setattr("toktk.lab.environment.environment", Path.cwd)
    result = CliRunner().invoke(main, ["env"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the current folder: ")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_told_and_loses_nothing(corpus: Path) -> None:
    assert sweep(corpus).exit_code == 0
    args = ["sweep", "-c", str(corpus), "--eval", str(corpus), "--group-column", "lang"]
    args += ["-s", "264", "-t", "bpe", "-m", "bytes_per_token", "-o", "run\x1b[2J"]
    with FULL.open("wb") as full:
        done = child(*args, "-f", "csv", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    remark, *lines = done.stderr.decode().splitlines()
    assert remark.startswith("bpe-264 was trained on 100 % of this text")
    assert lines[0] == "Error: cannot write to standard output."
    assert len(lines) == 3
    assert "Found: " in lines[1]
    with FULL.open("wb") as full:  # who cannot read remarks still gets figures
        done = child(*args, stdout=subprocess.PIPE, stderr=full)
    assert done.returncode == 0
    assert b"bytes/" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("format", ["table", "csv"])
def test_a_closed_standard_output_is_told(format: str) -> None:
    command = f'"{sys.executable}" -m toktk ls metrics -f {format} >&-'
    done = subprocess.run(command, shell=True, capture_output=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[:2] == [
        "Error: cannot write to standard output.",
        "  Found: it is closed.",
    ]


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_closed_standard_error_stops_nothing() -> None:
    command = f'"{sys.executable}" -m toktk ls metrics 2>&-'
    done = subprocess.run(command, shell=True, capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"fertility[ws]" in done.stdout


def test_usage_errors_keep_their_exit_code_and_their_command() -> None:
    with pytest.raises(click.UsageError, match=r"a\\x1bb") as error, streams.visible_usage():
        raise click.BadParameter("a\x1bb")
    assert error.value.exit_code == 2


def test_the_home_of_the_cache_is_shown_visibly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "h\x1b[2J\u202e"))
    for args in (["cache"], ["env"], ["cache", "-f", "json"], ["env", "-f", "md"]):
        result = CliRunner().invoke(main, args)
        assert result.exit_code == 0
        assert hidden(result.stdout) == []
        assert "\\x1b[2J" in result.stdout.replace("\\u001b", "\\x1b").replace("\\\\", "\\")
    data = CliRunner().invoke(main, ["env", "-f", "csv"]).stdout_bytes.decode()
    assert str(tmp_path / "h\x1b[2J\u202e") in data
    assert read_visible(r"h\x1b[2J\u202e") == "h\x1b[2J\u202e"
