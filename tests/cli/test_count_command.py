"""`toktk count`: as a user runs it, and as processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import fails, good, run
from held import Gate
from small_counts import write_text

READING = ("--group-column", "lang", "--align-column", "id", "--weight-column", "n")
VARIABLES = ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "OMPI_COMM_WORLD_RANK")


@pytest.fixture(autouse=True)
def outside_of_schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("text") / "text")


def count(text: Path, *more: object) -> tuple[object, ...]:
    return ("count", "-c", text, *READING, "-p", "gpt2", "--partitions", 2, *more)


def merged(folder: Path) -> dict[str, bytes]:
    root = folder / "merged"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def alone(text: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("alone") / "out"
    good(*count(text, "-o", folder, "--world-size", 1))
    return merged(folder)


def test_processes_of_this_machine_and_what_is_shown(text, alone, tmp_path):
    command = count(text, "-o", tmp_path / "out", "--world-size", 5, "--jobs", 2)
    result = good(*command)
    assert merged(tmp_path / "out") == alone
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["side", "rows", "documents", "bytes", "pieces", "distinct"]
    assert [line.split()[0] for line in lines[2:]] == ["training", "held-out"]
    assert result.stderr.splitlines()[-1] == str(tmp_path / "out")
    again = good(*command, "-f", "json", "-q")
    told = json.loads(again.stdout)
    assert again.stderr == ""
    assert (told["schema"], told["corpus"], told["min_count"]) == (1, "text", 1)
    assert "files" not in told["sides"]["training"]
    rows = sum(path.read_bytes().count(b"\n") for path in text.iterdir())
    assert sum(side["rows"] for side in told["sides"].values()) == rows
    csv = good(*command, "-f", "csv").stdout.splitlines()
    assert csv[0] == "side,rows,documents,bytes,pieces,distinct"


def test_progress_has_a_true_total(text, tmp_path):
    def events(*more: object) -> list[dict]:
        result = good(
            *count(text, "-o", tmp_path / "out", "--world-size", 4, *more, "--progress", "json")
        )
        read = [json.loads(line) for line in result.stderr.splitlines()]
        return [e for e in read if e["event"] == "end" and e["step"] == "count"]

    n_bytes = sum(path.stat().st_size for path in text.iterdir())
    (one,) = events("--rank", 1)
    assert one["done"] == one["total"] < n_bytes
    (rest,) = events("--jobs", 2)
    assert rest["done"] == rest["total"]
    assert rest["total"] + one["total"] == n_bytes


def test_ranks_by_hand_then_merge_and_status(text, alone, tmp_path):
    out = tmp_path / "out"
    for rank in (2, 0):
        shown = good(*count(text, "-o", out, "--rank", rank, "--world-size", 3)).stdout
        assert shown.splitlines()[2].startswith("training")
    told = good("count", "status", out)
    assert "2 of 3" in told.stdout
    assert "Not done: rank 1 of 3." in told.stderr
    assert "rank 1 of 3 is missing" in fails("count", "merge", out)
    good(*count(text, "-o", out, "--rank", 1, "--world-size", 3))
    assert f"Next: toktk count merge {out}" in good("count", "status", out).stderr
    partly = good("count", "merge", out, "--part", 1)
    assert partly.stdout == ""
    assert "2 of 4 partitions are merged." in partly.stderr
    assert json.loads(good("count", "status", out, "-f", "json").stdout)["merged_partitions"] == 2
    assert good("count", "merge", out).stdout.splitlines()[2].startswith("training")
    assert merged(out) == alone
    assert good("count", "status", out).stderr == ""
    told = good("count", "status", out, "-f", "json", "-q")
    state = json.loads(told.stdout)
    assert (state["done"], state["missing"], state["merged"], state["next"]) == (
        [0, 1, 2],
        [],
        True,
        None,
    )
    assert told.stderr == ""


@pytest.mark.parametrize("name", ["", "three="])
def test_a_folder_within_the_text_is_refused(text, tmp_path, name):
    told = fails(*count(f"{name}{text}", "-o", text / "counts"), code=2)
    assert "would become a part of the text" in told
    assert not (text / "counts").exists()


def test_a_folder_has_a_name(text):
    assert "no folder has an empty name" in fails(*count(text, "-o", ""), code=2)
    assert "no folder has an empty name" in fails(
        "train", "--counts", "", "-s", 300, "-o", "x", code=2
    )


@pytest.mark.parametrize(
    "environment",
    [
        {
            "SLURM_ARRAY_TASK_ID": "3",
            "SLURM_ARRAY_TASK_MIN": "1",
            "SLURM_ARRAY_TASK_COUNT": "3",
        },
        {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"},
    ],
)
def test_a_scheduler_says_the_rank_and_that_is_told(text, tmp_path, monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = good(*count(text, "-o", tmp_path / "out"))
    name, number = next(iter(environment.items()))
    assert result.stderr.count(f"this is rank 2 of 3: {name}={number}") == 1
    assert [p.name for p in (tmp_path / "out/done").iterdir()] == ["00002.json"]
    beaten = good(*count(text, "-o", tmp_path / "out", "--rank", 0, "--world-size", 3))
    assert "this is rank" not in beaten.stderr
    assert (tmp_path / "out/done/00000.json").is_file()


def test_a_pod_needs_the_world_size(text, tmp_path, monkeypatch):
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert "--world-size N" in fails(*count(text, "-o", tmp_path / "out"), code=2)
    good(*count(text, "-o", tmp_path / "out", "--world-size", 3))
    assert (tmp_path / "out/done/00001.json").is_file()


def test_the_number_of_ranks_is_that_of_the_folder(text, alone, tmp_path):
    good(*count(text, "-o", tmp_path / "out", "--rank", 4, "--world-size", 6))
    told = good(*count(text, "-o", tmp_path / "out"))
    assert "1 of 6 ranks are done already." in told.stderr
    assert merged(tmp_path / "out") == alone
    assert "world_size is 6 there and 5 here" in fails(
        *count(text, "-o", tmp_path / "out", "--world-size", 5)
    )


def test_rare_pieces_are_left_out_where_it_is_asked_for(text, tmp_path):
    shown = good(*count(text, "-o", tmp_path / "out", "--min-count", 3)).stderr
    assert "Left out: " in shown
    assert "no pair of tokens counts less by more than" in shown
    assert "Left out: " in good("count", "status", tmp_path / "out").stderr
    assert "Left out: " not in good("count", "merge", tmp_path / "out").stderr


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--rank", 3), 2, "--rank without --world-size"),
        (("--rank", 3, "--world-size", 3), 2, "there is no rank 3 of 3"),
        (("--rank", -1, "--world-size", 3), 2, "--rank"),
        (("--world-size", 0), 2, "--world-size"),
        (("--world-size", 100000), 2, "cannot work in 100,000 ranks"),
        (("--hold-out", 1), 2, "--hold-out"),
        (("--pattern", "x"), 2, "cut in one way"),
        (("--rank", 0, "--world-size", 2, "--min-count", 2), 2, "toktk count merge DIR"),
        (("--limit", 5), 1, "limit"),
        (("-c", "nothing-of-that-name"), 1, "nothing-of-that-name"),
        (("--special", "x", "--symbol", "x"), 2, "a special token and a symbol"),
        (("--memory", "much"), 2, "is not a size"),
        (("stray",), 2, "nothing takes 'stray'"),
    ],
)
def test_wrong_usage(text, tmp_path, more, code, message):
    result = run(*count(text, "-o", tmp_path / "out", *more))
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_no_text_and_no_folder(tmp_path):
    assert "-c SPEC" in fails("count", "-o", tmp_path / "out", code=2)
    assert "-o" in fails("count", "-c", "x", code=2)
    for verb in ("status", "merge"):
        assert "is no folder of toktk count" in fails("count", verb, tmp_path)


def test_help_names_what_is_below():
    shown = good("count", "--help").stdout
    assert "toktk count merge" in shown
    assert "count status  Say which ranks are done" in shown
    assert "--part" in good("count", "merge", "--help").stdout


# In processes of their own -----------------------------------------------------------------------


def start(
    text: Path, out: Path, *more: object, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "toktk", *map(str, count(text, "-o", out, *more))]
    return subprocess.Popen(
        [*command, "--progress", "none"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that run in the background of a shell hand on an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ranks_that_are_killed_and_run_again(text, alone, tmp_path):
    """Two of seven ranks are killed by kill -9 after they have begun, some run side by side, in any order."""
    out = tmp_path / "out"
    size = ("--world-size", 7)
    for rank in (4, 1):
        gate = Gate(tmp_path / f"gate {rank}", f"done/{rank:05d}")
        process = start(text, out, "--rank", rank, *size, env=gate.environment)
        wait_for(out / f"begun/{rank:05d}.json", process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (out / f"done/{rank:05d}.json").exists()
    running = [start(text, out, "--rank", rank, *size) for rank in (4, 2)]
    for rank in (6, 0, 5, 3):
        good(*count(text, "-o", out, "--rank", rank, *size))
    for process in running:
        assert process.wait(120) == 0, process.communicate()
        process.communicate()
    assert "rank 1 of 7 is missing" in fails("count", "merge", out)
    begun = json.loads(good("count", "status", out, "-f", "json").stdout)["begun"]
    assert [*begun] == ["1"]
    good(*count(text, "-o", out, "--rank", 1, *size))
    good("count", "merge", out)
    assert merged(out) == alone
    assert list(out.rglob(".*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_pool_that_is_interrupted_keeps_what_is_done(text, alone, tmp_path):
    out = tmp_path / "out"
    gate = Gate(tmp_path / "gate", "done/00006")
    process = start(text, out, "--world-size", 8, "--jobs", 2, env=gate.environment)
    wait_for(out / "done/00003.json", process)
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=60)
    assert (process.returncode, shown) == (130, b"")
    assert said.decode().splitlines()[-1].startswith("Interrupted. Finished work is kept")
    state = json.loads(good("count", "status", out, "-f", "json").stdout)
    assert 3 in state["done"]
    assert 6 in state["missing"]
    result = good(*count(text, "-o", out))
    assert f"{len(state['done'])} of 8 ranks are done already." in result.stderr
    assert merged(out) == alone


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_process_of_the_pool_that_is_killed(text, alone, tmp_path):
    out = tmp_path / "out"
    gate = Gate(tmp_path / "gate", "done/0000[23]")
    process = start(text, out, "--world-size", 5, "--jobs", 2, env=gate.environment)
    pids = []
    for rank in (2, 3):  # one of them in the process itself
        begun = out / f"begun/{rank:05d}.json"
        wait_for(begun, process)
        pids.append(json.loads(begun.read_text())["pid"])
    pids.remove(process.pid)
    os.kill(*pids, signal.SIGKILL)
    gate.open()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert b"ended by signal 9 (SIGKILL); it is carried out again." in said
    assert merged(out) == alone


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files")
def test_a_full_disk_loses_nothing(text, alone, tmp_path):
    import resource

    out = tmp_path / "out"
    good(*count(text, "-o", out, "--rank", 0, "--world-size", 2))
    command = [*map(str, count(text, "-o", out, "--rank", 1, "--world-size", 2))]
    # No file can be longer than a kilobyte; Python ignores the signal that says so.
    done = subprocess.run(
        [sys.executable, "-m", "toktk", *command],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr
    assert not (out / "done/00001.json").exists()
    good(*count(text, "-o", out))
    assert merged(out) == alone
