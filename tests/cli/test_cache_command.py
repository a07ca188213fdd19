"""``toktk cache``: what it shows, and what it deletes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toktk.cache import Store, digest, entries
from toktk.cli import main


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["cache", *args], env={"TOKTK_PROGRESS": "none"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with three piece tables and a verdict of 1 MB each, the verdict used last."""
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    monkeypatch.delenv("TOKTK_CACHE_LIMIT", raising=False)
    store = Store()
    for i, kind in enumerate(("pieces", "pieces", "pieces", "verdicts")):
        store.write(kind, i, lambda folder: (folder / "x").write_bytes(bytes(10**6)) and None, None)
        os.utime(tmp_path / "cells" / kind / digest(i) / "cell.json", (1e9 + i, 1e9 + i))
    return tmp_path


def test_it_shows_where_how_much_and_of_what(home: Path) -> None:
    result = run()
    assert result.exit_code == 0
    header, _, pieces, verdicts, below = result.stdout.splitlines()
    assert header.split() == ["kind", "entries", "bytes", "last_used", "what"]
    assert pieces.split()[:4] == ["pieces", "3", "3.0", "MB"]
    assert pieces.endswith("counted corpora")
    assert "2001-09-09" in pieces
    assert verdicts.endswith("checks of tokenizers against their libraries")
    assert below == f"4.0 MB in 4 entries, at most 20 GB, in {home}"
    assert result.stderr == ""


def test_json(home: Path) -> None:
    shown = json.loads(run("-f", "json").stdout)
    sizes = [entry.size for entry in entries(home)]
    assert shown["home"] == str(home)
    assert (shown["limit"], shown["entries"], shown["bytes"]) == (20 * 10**9, 4, sum(sizes))
    assert [kind["kind"] for kind in shown["kinds"]] == ["pieces", "verdicts"]
    assert shown["kinds"][0]["bytes"] == sum(sizes[:3])
    assert shown["kinds"][1]["entries"] == 1


@pytest.mark.parametrize("format", ["csv", "md", "latex"])
def test_other_formats(home: Path, tmp_path: Path, format: str) -> None:
    path = tmp_path / "out"
    assert run("-f", format, "-o", str(path)).stdout == ""
    text = path.read_text()
    assert "counted corpora" in text
    assert str(entries(home)[3].size) in text


def test_keep(home: Path) -> None:
    result = run("--keep", "2.5MB", "-f", "csv")
    assert result.stderr == "Deleted 2.0 MB in 2 entries.\n"
    assert [line.split(",")[:2] for line in result.stdout.splitlines()[1:]] == [
        ["pieces", "1"],
        ["verdicts", "1"],
    ]
    assert not (home / "cells" / "pieces" / digest(0)).exists()
    assert (home / "cells" / "pieces" / digest(2)).exists()
    assert run("--keep", "5GB").stderr == "Deleted 0 B in 0 entries.\n"


def test_clear_leaves_what_is_in_use(home: Path) -> None:
    def load(folder: Path) -> Result:
        return run("--clear")

    result = Store().read("verdicts", 3, load, code=None)
    assert result is not None
    assert result.stderr.splitlines() == [
        "Deleted 3.0 MB in 3 entries.",
        "Left 1.0 MB in 1 entry: in use, or not yours to delete.",
    ]
    assert [entry.kind for entry in entries(home)] == ["verdicts"]
    assert run("--clear").stderr == "Deleted 1.0 MB in 1 entry.\n"
    assert f"0 B in 0 entries, at most 20 GB, in {home}" in run().stdout


def test_without_a_limit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKTK_CACHE_LIMIT", "0")
    assert "4.0 MB in 4 entries, no limit, in " in run().stdout
    assert json.loads(run("-f", "json").stdout)["limit"] is None
    monkeypatch.setenv("TOKTK_CACHE_LIMIT", "lots")
    result = run()
    assert result.exit_code == 1
    assert "TOKTK_CACHE_LIMIT='lots' is not a size" in result.stderr


@pytest.mark.parametrize(
    "args", [["--keep", "5 apples"], ["--keep", ""], ["--keep", "1", "--clear"]]
)
def test_wrong_usage(home: Path, args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert len(entries(home)) == 4


def test_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "none"))
    result = run("--clear")
    assert result.exit_code == 0
    assert not (tmp_path / "none").exists()
