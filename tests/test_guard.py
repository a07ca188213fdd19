"""benchmarks/guard.py: verdicts on made times, sides from paths and revisions, and what a failure does."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
JOB_NAMES = [f"job-{i}" for i in range(10)]
LOOKS = (6, 10, 12)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes of POSIX")


def module(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module")
def guard() -> ModuleType:
    return module("guard")


@pytest.fixture(scope="module")
def verdicts() -> ModuleType:
    return module("guard_verdicts")


# Verdicts ------------------------------------------------------------------------------------------


def made_times(chance, ratios, noise=0.01, heavy=False):
    """Return 12 rounds of each job: here, other."""
    times = {}
    for job, ratio in zip(JOB_NAMES, ratios, strict=True):
        spread = chance.standard_t(2, (2, 12)) if heavy else chance.standard_normal((2, 12))
        here, other = np.exp(noise * spread)
        times[job] = (ratio * here, other)
    return times


def in_sequence(verdicts, times):
    """Return the verdicts of a comparison that looks three times, as `guard.compared` does."""
    running, rows = set(times), {}
    rounds = dict.fromkeys(times, 0)
    for n in LOOKS:
        rounds |= dict.fromkeys(running, n)
        cut = {job: [list(side[: rounds[job]]) for side in times[job]] for job in times}
        rows = verdicts.judged(cut, 0.03, len(LOOKS))
        running = {job for job, row in rows.items() if row["verdict"] == "undecided"}
    return {job: row["verdict"] for job, row in rows.items()}


@pytest.mark.parametrize("heavy", [False, True])
def test_equal_sides_are_seldom_called_better_or_worse(verdicts, heavy):
    chance = np.random.default_rng(17)
    said = [in_sequence(verdicts, made_times(chance, [1.0] * 10, heavy=heavy)) for _ in range(100)]
    alarms = sum(bool({"better", "worse"} & set(of.values())) for of in said)
    assert alarms <= 5
    equivalent = np.mean([verdict == "equivalent" for of in said for verdict in of.values()])
    assert equivalent > (0.4 if heavy else 0.99)


def test_a_slow_job_is_worse_and_no_other(verdicts):
    chance = np.random.default_rng(18)
    for _ in range(20):
        ratios = [1.0] * 10
        ratios[3], ratios[7] = 1.1, 0.9
        said = in_sequence(verdicts, made_times(chance, ratios))
        expected = dict.fromkeys(JOB_NAMES, "equivalent") | {"job-3": "worse", "job-7": "better"}
        assert said == expected


def test_the_margin_decides_what_is_equivalent(verdicts):
    times = {"a": [[1.019, 1.021, 1.02, 1.02, 1.019, 1.021], [1.0] * 6]}
    assert verdicts.judged(times, 0.03, 3)["a"]["verdict"] == "equivalent"
    assert verdicts.judged(times, 0.01, 3)["a"]["verdict"] == "worse"
    swapped = {"a": times["a"][::-1]}
    assert verdicts.judged(swapped, 0.01, 3)["a"]["verdict"] == "better"


def test_more_looks_need_more(verdicts):
    times = {"a": [[1.04, 1.00, 1.05, 1.01, 1.06, 1.03], [1.0] * 6]}
    assert verdicts.judged(times, 0.001, 1)["a"]["verdict"] == "worse"
    assert verdicts.judged(times, 0.001, 10)["a"]["verdict"] == "undecided"


def test_so_many_more_rounds_decide(verdicts):
    """Times that go on as they began are undecided a round earlier, and decided then."""
    n, deviation, error = 6, 0.02, 0.05
    for mean, margin in ((0.0, 0.03), (0.02, 0.03), (0.1, 0.03), (-0.04, 0.01)):
        more = verdicts.more_rounds(mean, deviation, n, margin, error)
        assert more >= 1

        def decided(rounds, mean=mean, margin=margin):
            """Judge times whose logs have this very mean and deviation."""
            logs = np.resize([1.0, -1.0], rounds)
            logs -= logs.mean()
            logs = mean + deviation * logs / logs.std(ddof=1)
            row = verdicts.judged({"a": [list(np.exp(logs)), [1.0] * rounds]}, margin, 1)["a"]
            assert row["rounds"] == rounds
            return row["verdict"] != "undecided"

        assert decided(n + more)
        assert more == 1 or not decided(n + more - 1)


def test_what_no_number_of_rounds_decides(verdicts):
    assert verdicts.more_rounds(0.0, 1.0, 6, 1e-6, 0.05) is None


def test_looks_are_even_but_the_last(guard):
    assert guard.looks(12) == [6, 10, 12]
    assert guard.looks(13) == [8, 10, 13]
    assert guard.looks(2) == [2]
    assert guard.looks(3) == [2, 3]


# Rounds --------------------------------------------------------------------------------------------


class FakeBench:
    """Runs whose times are known: `seconds` of each job and side; an error instead of a number fails."""

    def __init__(self, seconds):
        self.seconds, self.order = seconds, []

    def run(self, job, side):
        self.order.append((job.name, side))
        value = self.seconds[job.name][side]
        value = value(len(self.order)) if callable(value) else value
        if isinstance(value, str):
            return {"error": value}
        return {"cpu": value, "wall": 2 * value, "peak": 100_000_000}


def chosen_of(**other):
    return argparse.Namespace(**{"decide": "cpu", "margin": 0.03, "rounds": 4} | other)


def jobs_of(guard, *names):
    return [guard.Job(name, name) for name in names]


SIDES = {"here": "here", "other": "other"}


def test_sides_take_turns_and_decided_jobs_run_no_more(guard):
    wild = iter([1.0, 1.0, 2.0, 0.5, 2.0])
    seconds = {
        "same": {"here": 1.0, "other": 1.0},
        "slow": {"here": 1.5, "other": 1.0},
        "wild": {"here": lambda i: next(wild), "other": 1.0},
    }
    bench = FakeBench(seconds)
    jobs = jobs_of(guard, *seconds)
    runs, rows, failures = guard.compared(jobs, SIDES, bench, chosen_of())
    assert failures == {}
    said = {job: (row["verdict"], row["rounds"]) for job, row in rows.items()}
    assert said == {"same": ("equivalent", 2), "slow": ("worse", 2), "wild": ("undecided", 4)}
    order = [side for job, side in bench.order if job == "same"]
    assert order == [
        "here",
        "other",
        "here",
        "other",
        "other",
        "here",
    ]  # the first two are to warm up
    assert [len(runs["wild"][side]) for side in SIDES] == [4, 4]


def test_what_one_side_lacks_is_not_comparable(guard):
    seconds = {
        "new": {"here": 1.0, "other": "Error: No such command 'new'."},
        "breaks": {"here": lambda i: 1.0 if i < 10 else "MemoryError: \x1b[31m", "other": 1.0},
        "same": {"here": 1.0, "other": 1.0},
    }
    jobs = jobs_of(guard, *seconds)
    runs, rows, failures = guard.compared(jobs, SIDES, FakeBench(seconds), chosen_of())
    assert list(rows) == list(runs) == ["same"]
    assert failures["new"] == "other: Error: No such command 'new'."
    shown = guard.table("a; b", runs, rows, failures, "cpu")
    assert "new is not comparable: other: Error: No such command 'new'." in shown
    assert "breaks is not comparable: here: MemoryError" in shown
    assert "\x1b" not in shown


def test_nothing_that_can_be_compared(guard):
    seconds = {"new": {"here": "Error: a", "other": 1.0}}
    jobs = jobs_of(guard, "new")
    assert guard.compared(jobs, SIDES, FakeBench(seconds), chosen_of())[:2] == ({}, {})


def test_the_table_fits_80_columns_and_tells_of_memory(guard):
    def runs(here, other):
        return {
            "here": [{"cpu": 12.3, "wall": 12.5, "peak": peak} for peak in here],
            "other": [{"cpu": 11.2, "wall": 12.5, "peak": peak} for peak in other],
        }

    of = {
        "train-unigram": runs([300_000_000, 310_000_000], [200_000_000, 205_000_000]),
        "encode-short": runs([300_000_000, 310_000_000], [299_000_000, 311_000_000]),
    }
    row = {"ratio": 1.1, "low": 1.01, "high": 1.2, "rounds": 12}
    rows = {
        "train-unigram": {**row, "verdict": "worse", "more_rounds": None},
        "encode-short": {**row, "verdict": "undecided", "more_rounds": 137},
    }
    title, *lines = guard.table("here: a; other: b", of, rows, {}, "cpu").split("\n")
    assert title == "here: a; other: b"
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:3]] == ["train-unigram", "encode-short"]
    assert "12.30 / 11.20" in lines[1]
    assert "12 + 137" in lines[2]
    assert lines[-1] == "train-unigram: peak memory 305 MB here, 202 MB there (+51%)."


# Sides ---------------------------------------------------------------------------------------------


def git(folder, *words):
    variables = {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **{
            f"GIT_{who}_{what}": "a@b"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    command = ("git", "-C", str(folder), *words)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | variables)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A repository whose package has two states: a branch `old`, and changes on top of `main`."""
    folder = tmp_path / "a checkout"
    (folder / "toktk").mkdir(parents=True)
    package = folder / "toktk" / "__init__.py"
    package.write_text("STATE = 'old'\n")
    git(folder, "init", "-q", "-b", "old")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "old")
    package.write_text("STATE = 'new'\n")
    return folder


def test_a_revision_is_unpacked_and_goes_again(guard, checkout):
    with guard.unpacked("old", checkout) as (folder, commit):
        assert (folder / "toktk" / "__init__.py").read_text() == "STATE = 'old'\n"
        assert commit
        assert folder != checkout
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), guard.unpacked("old", checkout) as (folder, _):
        raise KeyboardInterrupt
    assert not folder.exists()


def test_a_path_is_taken_as_it_is(guard, checkout):
    with guard.unpacked(str(checkout), checkout) as (folder, commit):
        assert folder == checkout
        assert commit.endswith(" with uncommitted changes")
    assert checkout.exists()


@pytest.mark.parametrize("other", ["nothing", "--all", "old:toktk"])
def test_what_is_neither_path_nor_revision(guard, checkout, other):
    with pytest.raises(guard.GuardError, match="neither"), guard.unpacked(other, checkout):
        pass


def test_homes_are_those_of_the_content(guard, checkout, tmp_path):
    cache = tmp_path / "cache"
    with guard.unpacked("old", checkout) as (folder, commit):
        old = guard.Side.of(folder, commit, cache)
    new = guard.Side.of(checkout, None, cache)
    assert old.home != new.home
    assert guard.Side.of(checkout, None, cache).home == new.home
    kernels = {side.home.joinpath("kernels").resolve() for side in (old, new)}
    assert kernels == {cache.resolve() / "kernels"}
    year = time.time() - 365 * 86400
    os.utime(old.home, (year, year))
    guard.discard_old(cache)
    assert (old.home.exists(), new.home.exists()) == (False, True)


def test_the_package_that_runs_is_the_sides_own(guard, checkout, tmp_path):
    guard.check_package(guard.Side.of(checkout, None, tmp_path / "cache"))
    side = guard.Side.of(checkout, None, tmp_path / "cache")
    guard.check_unchanged(side)
    (checkout / "toktk" / "__init__.py").write_text("import no_such_module\n")
    with pytest.raises(guard.GuardError, match="changed while"):
        guard.check_unchanged(side)
    with pytest.raises(guard.GuardError, match="no_such_module"):
        guard.check_package(guard.Side.of(checkout, None, tmp_path / "cache"))


FAKE = """
import json, os, sys, time
words = sys.argv[1:]
if words[:1] == ["sweep"]:
    sys.exit("Error: No such command 'sweep'.")
if words[:1] == ["train"]:
    time.sleep(600)
print(os.environ["TOKTK_HOME"], "TOKTK_ENGINE_TIMEOUT" in os.environ)
"""


@pytest.fixture
def fake_side(guard, checkout, tmp_path, monkeypatch):
    (checkout / "toktk" / "__main__.py").write_text(FAKE)
    monkeypatch.setenv("TOKTK_ENGINE_TIMEOUT", "1")
    return guard.Side.of(checkout, None, tmp_path / "cache")


def test_runs_are_processes_that_are_timed(guard, fake_side, tmp_path):
    jobs = {job.name: job for job in guard.JOBS}
    bench = guard.Bench(tmp_path / "made", 1, 60)
    run = bench.run(jobs["help"], fake_side)
    assert set(run) == {"wall", "cpu", "peak"}
    assert min(run.values()) > 0
    assert bench.run(jobs["sweep"], fake_side) == {"error": "Error: No such command 'sweep'."}
    lacks = bench.run(jobs["cut"], fake_side)["error"]
    assert lacks == "ModuleNotFoundError: No module named 'toktk.pretokenizers'"
    short = guard.Bench(tmp_path / "made", 1, 0.2)
    assert short.run(jobs["train-bpe"], fake_side) == {"error": "stopped after 0.2 s"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_guard_leaves_nothing(guard, fake_side, tmp_path, number, code):
    git(fake_side.checkout, "add", ".")
    git(fake_side.checkout, "commit", "-q", "-m", "sleeps")
    (tmp_path / "temporary").mkdir()
    guard.material_folder(tmp_path / "run-cache", None).mkdir(parents=True)
    words = ["HEAD", "--here", str(fake_side.checkout), "--jobs", "train-bpe"]
    process = subprocess.Popen(
        [
            sys.executable,
            str(BENCHMARKS / "guard.py"),
            *words,
            "--cache",
            str(tmp_path / "run-cache"),
        ],
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs tests in the background has them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert "warming up" in process.stderr.readline()
    while not list((tmp_path / "temporary").glob("*/stdout")):
        time.sleep(0.01)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in complaint
    assert list((tmp_path / "temporary").iterdir()) == []


def test_signals_wait_until_a_started_process_is_known():
    harness, reached = module("harness"), []

    def interrupted():
        with harness.signals_later():
            signal.raise_signal(signal.SIGINT)
            reached.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert reached
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


# Material ------------------------------------------------------------------------------------------


def test_made_texts_are_always_the_same(tmp_path):
    made = module("guard_material")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.write_texts(tmp_path / name, 300_000)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 29
    for name in files:
        data = (tmp_path / "a" / name).read_bytes()
        assert data == (tmp_path / "b" / name).read_bytes()
        assert 300_000 // 29 <= len(data) < 20_000
    lines = made.mixed(tmp_path / "a")
    assert lines == made.mixed(tmp_path / "b")
    made.write_small(tmp_path / "small.txt", lines, 50_000)
    assert 40_000 < (tmp_path / "small.txt").stat().st_size <= 50_000


def test_wrong_options(tmp_path):
    for words in (
        ["nothing"],
        ["HEAD", "--rounds", "1"],
        ["HEAD", "--here", str(tmp_path)],
        ["HEAD", "--text", str(tmp_path)],
        ["HEAD", "--margin", "0"],
        ["HEAD", "-o", str(tmp_path / "nowhere" / "guard.json")],
        ["HEAD", "--jobs", "x"],
    ):
        command = [
            sys.executable,
            str(BENCHMARKS / "guard.py"),
            "--cache",
            str(tmp_path / "c"),
            *words,
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout) == (2, ""), words
        assert "error: " in run.stderr
        assert "Traceback" not in run.stderr


def test_the_file_holds_every_time(guard, tmp_path):
    chosen = chosen_of(threads=1, output=tmp_path / "guard.json")
    side = guard.Side(tmp_path, "abc1234", tmp_path / "0123")
    run = {"cpu": 1.0, "wall": 2.0, "peak": 3}
    runs = {"cut": {"here": [run], "other": [run]}}
    rows = {"cut": {"verdict": "equivalent"}}
    guard.write(chosen, dict.fromkeys(SIDES, side), 0.5, runs, rows, {"count": "other: Error"})
    record = json.loads(chosen.output.read_text())
    assert record["jobs"]["cut"]["runs"] == runs["cut"]
    assert record["sides"]["here"] == {"commit": "abc1234", "content": "0123"}
    assert record["not_compared"] == {"count": "other: Error"}
    assert {"machine", "versions", "load_before", "options"} <= set(record)
    assert str(tmp_path) not in chosen.output.read_text()
