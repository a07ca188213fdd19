"""--memory: what goes to disk changes no result, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import fails, good
from small_corpora import PARALLEL, fresh_home, write_nasty, write_parallel

from toktk.pieces import counter, runs

SPILLING = """
import sys, time
from toktk import __main__
from toktk.pieces import counter, runs

counter._FIRST_SLOTS = 64
write = runs.RunFile._write

def slowly(self, *entries):
    write(self, *entries)
    print("spilled", flush=True)
    time.sleep(60)

runs.RunFile._write = slowly
sys.argv = ["toktk", *sys.argv[1:]]
__main__.main()
"""


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Begin with small tables; return a list that grows with each run that goes to disk."""
    monkeypatch.setattr(counter, "_FIRST_SLOTS", 64)
    written: list[int] = []
    write = runs.RunFile._write

    def counted(self: runs.RunFile, *entries: object) -> None:
        written.append(1)
        write(self, *entries)  # type: ignore[arg-type]

    monkeypatch.setattr(runs.RunFile, "_write", counted)
    return written


@pytest.mark.parametrize("text", ["parallel", "nasty"])
def test_it_changes_no_result(
    text: str, small_tables: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text == "parallel":
        corpus = [write_parallel(tmp_path / "text.jsonl"), *PARALLEL]
    else:
        corpus = [write_nasty(tmp_path / "text.jsonl"), "--group-column", "lang"]
    for i, more in enumerate((["--jobs", 1], ["--jobs", 2, "--memory", "1B"])):
        monkeypatch.setenv("TOKTK_HOME", str(fresh_home(tmp_path / f"home {i}")))
        good("sweep", "-c", *corpus, "-t", "bpe", "-t", "unigram", "-s", "300,400",
             "-o", tmp_path / str(i), "-q", *more)  # fmt: skip
        assert bool(small_tables) == bool(i)
    names = {path.relative_to(tmp_path / "0") for path in (tmp_path / "0").rglob("*.*")}
    assert names == {path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.*")}
    for name in names - {Path("run.json"), Path("report.html")}:  # which tell what steps cost
        first, second = tmp_path / "0" / name, tmp_path / "1" / name
        assert first.is_dir() or first.read_bytes() == second.read_bytes(), name
    assert [*(tmp_path / "home 1" / "temporary").iterdir()] == []


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_count_leaves_nothing_behind(
    sent: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fresh_home(tmp_path / "home")
    monkeypatch.setenv("TOKTK_HOME", str(home))
    corpus = write_parallel(tmp_path / "text.jsonl")
    command = ["train", "-c", corpus, *PARALLEL, "-t", "bpe", "-s", "300", "-o", tmp_path / "run"]
    command += ["--memory", "1B", "-q"]
    process = subprocess.Popen(
        [sys.executable, "-c", SPILLING, *map(str, command)],
        stdout=subprocess.PIPE,
        env=os.environ,
        # Tests that run in the background of a shell hand on an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"spilled\n"
    left = [*(home / "temporary").rglob("*.runs")]
    assert left
    process.send_signal(sent)
    assert process.wait(timeout=30) == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    if sent == signal.SIGINT:
        assert [*(home / "temporary").iterdir()] == []
    monkeypatch.setattr(counter, "_FIRST_SLOTS", 64)
    good(*command)
    assert [*(home / "temporary").iterdir()] == []


def test_a_size_that_is_none_is_refused(tmp_path: Path) -> None:
    said = fails("sweep", "-c", tmp_path, "--memory", "much", code=2)
    assert "'much' is not a size" in said
