import importlib.util
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import slurm_bed
from counting_work import NumberWork, count_numbers

from toktk.errors import CorpusError, MissingExtraError, StorageError, ToktkError
from toktk.places import Place
from toktk.ranks import cluster
from toktk.ranks.cluster import Cluster, ClusterRun, Followup, FollowupTask, RankTask
from toktk.ranks.folder import RankFolder
from toktk.ranks.work import run_rank

needs_datatrove = pytest.mark.skipif(
    importlib.util.find_spec("datatrove") is None, reason="no datatrove: pip install toktk[cluster]"
)
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="no ray: pip install ray"
)
ASKED = "TOKTK_TEST_CLUSTER"
NOT_ASKED = f"starts daemons: {ASKED}=1 runs it"
SMALL = 200 << 20


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def stays(monkeypatch):
    """A task ends with its parent; this process is no task."""
    monkeypatch.setattr(cluster, "end_with", lambda parent: None)


def run_of(name, out, world_size=5, work=None, **cluster):
    partition = {"partition": slurm_bed.PARTITION} if name == "slurm" else {}
    cluster = Cluster(name, **{"workers": 2, "memory": SMALL, **partition, **cluster})
    followups = [Followup("count", 1, count_numbers(str(out)))]
    return ClusterRun(cluster, work or NumberWork(), str(out), world_size, followups)


def numbers(out):
    return {path.name: path.read_text() for path in (out / "numbers").iterdir()}


def all_of(world_size):
    return {f"{rank:05d}.txt": str(rank) for rank in range(world_size)}


def log(out, rank):
    return (out / f"logs/{rank:05d}.txt").read_text()


def state(out):
    return RankFolder(Place.of(out), "numbers", "toktk number").state()


# What goes together -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["array", "mem", "partition", "output", "dependency"])
def test_options_of_sbatch_that_toktk_sets_are_refused(name):
    with pytest.raises(ToktkError, match=f"--sbatch {name} cannot be given") as told:
        Cluster("slurm", partition="cpu", sbatch={name: "1"})
    assert told.value.is_usage


def test_slurm_wants_a_partition():
    with pytest.raises(ToktkError, match="--partition") as told:
        Cluster("slurm")
    assert told.value.is_usage


@pytest.mark.parametrize("scheduler", cluster.SCHEDULERS)
def test_without_datatrove_the_extra_is_named(scheduler, out, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"toktk\[cluster\]"):
        run_of(scheduler, out)
    assert not out.exists()


def test_without_ray_it_is_named(out, monkeypatch):
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: name != "ray" or None)
    with pytest.raises(ToktkError, match="pip install ray"):
        run_of("ray", out)


@needs_datatrove
def test_without_sbatch_nothing_is_written(out, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToktkError, match="no sbatch on PATH"):
        run_of("slurm", out).run()
    assert not out.exists()


@needs_datatrove
def test_a_task_of_slurm_submits_nothing(out, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    with pytest.raises(ToktkError, match="within an array"):
        run_of("slurm", out)


# A task -------------------------------------------------------------------------------------------


def test_a_task_is_small_and_found_by_name(out):
    task = RankTask(NumberWork(), str(out), range(512), 512, True)
    pickled = pickle.dumps(task)
    assert len(pickled) < 5000
    assert b"toktk.ranks.cluster" in pickled
    assert pickle.loads(pickled).ranks == [*range(512)]


def test_a_task_carries_out_the_rank_that_is_missing(out):
    task = RankTask(NumberWork(), str(out), [1, 4], 5, True)
    task(None, 1, 2)
    assert numbers(out) == {"00004.txt": "4"}
    assert "rank 4 of 5 begins on " in log(out, 4)
    assert "rank 4 of 5 is done" in log(out, 4)
    (out / "numbers/00004.txt").write_text("kept")
    task(None, 1, 2)  # requeued: it is done already
    assert numbers(out) == {"00004.txt": "kept"}
    assert log(out, 4).count("begins") == 2


def test_a_task_that_fails_says_so_in_its_log(out):
    work = NumberWork(fails=(1,))
    with pytest.raises(CorpusError):
        RankTask(work, str(out), [1], 5, raises=True)(None, 0, 1)
    RankTask(work, str(out), [1], 5, raises=False)(None, 0, 1)
    assert log(out, 1).count("rank 1 reads nothing.") == 2
    assert "is done" not in log(out, 1)
    assert "\x1b" not in log(out, 1)


def test_a_machine_without_the_folder_says_so(out, tmp_path):
    task = RankTask(NumberWork(), str(out), [0], 1, True)
    task.folder = str(tmp_path / "not-mounted")
    with pytest.raises(StorageError, match=r"does not have the folder .*not-mounted"):
        task(None, 0, 1)


def test_what_follows_the_ranks_has_a_log(out):
    for rank in range(3):
        run_rank(NumberWork(), Place.of(out), rank, 3)
    FollowupTask(Followup("count", 1, count_numbers(str(out))), str(out))(None, 0, 1)
    assert (out / "total").read_text() == "3"
    assert "count 0 of 1 is done" in (out / "logs/count-00000.txt").read_text()


# datatrove's pool of processes --------------------------------------------------------------------


@needs_datatrove
def test_local_ranks_are_those_of_one_process(out, tmp_path):
    done = []
    assert run_of("local", out).run(done.append) == []
    assert numbers(out) == all_of(5)
    assert sum(done) == 5
    assert state(out).missing == []


@needs_datatrove
def test_the_folder_decides_what_is_done(out, tmp_path):
    run_of("local", out).run()
    for rank in (1, 3):  # the scheduler remembers them
        (out / f"done/{rank:05d}.json").unlink()
        (out / f"numbers/{rank:05d}.txt").unlink()
    before = (out / "done/00000.json").stat().st_mtime_ns
    assert run_of("local", out).missing == [1, 3]
    run_of("local", out).run()
    assert numbers(out) == all_of(5)
    assert (out / "done/00000.json").stat().st_mtime_ns == before
    for path in sorted((out / "logs").rglob("*"), reverse=True):  # it remembers nothing
        path.unlink() if path.is_file() else path.rmdir()
    run_of("local", out).run()
    assert not [*(out / "logs").iterdir()]


@needs_datatrove
def test_a_killed_process_costs_its_rank_alone(out, tmp_path):
    (tmp_path / "deaths").mkdir()
    (tmp_path / "deaths/1").write_text("once")
    (tmp_path / "deaths/3").write_text("once\ntwice")
    work = NumberWork(dies=str(tmp_path / "deaths"))
    with pytest.raises(ToktkError, match="1 of 5 ranks failed: 3") as told:
        run_of("local", out, work=work).run()
    assert "SIGKILL" in str(told.value)
    assert state(out).missing == [3]
    run_of("local", out, work=work).run()
    assert numbers(out) == all_of(5)


_WAITING = """
from counting_work import NumberWork
from toktk.ranks.cluster import Cluster, ClusterRun
if __name__ == "__main__":
    ClusterRun(Cluster("local", workers=2), NumberWork(waits=60.0), {out!r}, 4).run()
"""


@needs_datatrove
def test_an_interruption_ends_the_ranks(out, tmp_path):
    (tmp_path / "waiting.py").write_text(_WAITING.format(out=str(out)))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(tmp_path / "waiting.py")]
    # Tests that run in the background of a shell hand on an ignored SIGINT.
    with subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        wait_until(lambda: {0, 1} <= {*state(out).begun} if (out / "numbers.json").exists() else 0)
        counting = [about["pid"] for about in state(out).begun.values()]
        process.send_signal(signal.SIGINT)
        process.wait(30)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in counting))
    assert state(out).missing == [*range(4)]


@needs_datatrove
def test_other_work_in_the_folder_is_refused(out):
    run_of("local", out).run()
    with pytest.raises(StorageError, match="other work"):
        run_of("local", out, world_size=6)


# Slurm --------------------------------------------------------------------------------------------


@needs_datatrove
def test_a_dry_run_shows_what_is_submitted_and_writes_nothing(out):
    run = run_of("slurm", out, cpus=2, sbatch={"account": "lab", "exclusive": ""}, time="30:00")
    script = run.dry_run()
    for line in (
        "#SBATCH --partition=cpu",
        "#SBATCH --array=0-4%2",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem-per-cpu=100M",
        "#SBATCH --time=30:00",
        "#SBATCH --account=lab",
        "#SBATCH --exclusive",
        "# job 3: sbatch --export=ALL,RUN_OFFSET=0 --dependency=afterany:1 SCRIPT",
    ):
        assert f"\n{line}\n" in script
    assert f"launch_pickled_pipeline {out}/logs/run-NNN/ranks/executor.pik" in script
    assert not out.exists()


@needs_datatrove
def test_a_dry_run_after_some_ranks_shows_the_others(out):
    for rank in (0, 2, 3):
        run_rank(NumberWork(), Place.of(out), rank, 5)
    assert "#SBATCH --array=0-1%2\n" in run_of("slurm", out).dry_run()
    shown = run_of("local", out, cpus=2).dry_run()
    assert shown == "local: 2 of 5 ranks, 2 at a time, each with 2 cores and 210 MB\n"


@needs_datatrove
def test_what_tasks_write_goes_to_a_path_where_the_folder_is_an_address(tmp_path):
    script = run_of("slurm", f"file://{tmp_path}/out").dry_run()
    assert "#SBATCH --output=slurm_logs/toktk-ranks/TIME/%A_%a.out\n" in script
    assert f" file://{tmp_path}/out/logs/run-NNN/ranks/executor.pik" in script


@pytest.fixture(scope="module")
def slurm():
    if ASKED not in os.environ:
        pytest.skip(NOT_ASKED)
    if importlib.util.find_spec("datatrove") is None:
        pytest.skip("no datatrove: pip install toktk[cluster]")
    if why := slurm_bed.why_not():
        pytest.skip(why)
    with slurm_bed.slurm(max_array=4) as environment:
        yield environment


@pytest.fixture
def on_slurm(slurm, monkeypatch):
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    return slurm


def test_slurm_carries_out_the_ranks_and_what_follows(out, on_slurm):
    jobs = run_of("slurm", out, world_size=6).run()  # more than its largest array has
    states = slurm_bed.wait_for_jobs(on_slurm)
    assert len(jobs) == 2
    assert {*states.values()} == {"COMPLETED"}
    assert numbers(out) == all_of(6)
    assert (out / "total").read_text() == "6"
    assert "Slurm job" in log(out, 5)


def test_a_rank_that_is_killed_is_done_by_the_next_run(out, on_slurm):
    run_of("slurm", out, world_size=3, work=NumberWork(waits=1.5)).run()
    pid = task_of(out, 1)
    os.kill(pid, signal.SIGKILL)
    slurm_bed.wait_for_jobs(on_slurm)
    assert state(out).missing == [1]
    assert "rank 1 of 3 is missing" in (out / "logs/count-00000.txt").read_text()
    assert not (out / "total").exists()
    run_of("slurm", out, world_size=3).run()
    slurm_bed.wait_for_jobs(on_slurm)
    assert numbers(out) == all_of(3)
    assert (out / "total").read_text() == "3"
    assert "begins" not in log(out, 0).partition("is done")[2]  # nor was another one done again


def test_a_killed_rank_is_done_when_its_task_is_requeued(out, on_slurm):
    job = run_of("slurm", out, world_size=3, work=NumberWork(waits=1.5)).run()[0]
    os.kill(task_of(out, 0), signal.SIGKILL)
    wait_until(lambda: slurm_bed.jobs(on_slurm)[f"{job}_0"] == "FAILED")
    slurm_bed.said(["scontrol", "requeue", f"{job}_0"], on_slurm)
    slurm_bed.wait_for_jobs(on_slurm)
    assert numbers(out) == all_of(3)
    assert (out / "total").read_text() == "3"  # which waited for it


def test_what_sbatch_says_is_shown(out, on_slurm):
    with pytest.raises(ToktkError, match="invalid partition specified: nowhere"):
        run_of("slurm", out, partition="nowhere").run()
    assert state(out).missing == [*range(5)]


def task_of(out, rank):
    """Wait until a rank has begun; return the process that was to carry it out."""
    wait_until((out / f"begun/{rank:05d}.json").exists)
    return int(log(out, rank).split("process ")[-1].split(",")[0])


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Ray ----------------------------------------------------------------------------------------------


@needs_datatrove
@needs_ray
@pytest.mark.skipif(ASKED not in os.environ, reason=NOT_ASKED)
def test_ray_carries_out_the_ranks(out, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "deaths").mkdir()
    (tmp_path / "deaths/1").write_text("once")
    run_of("ray", out, work=NumberWork(dies=str(tmp_path / "deaths"))).run()
    assert numbers(out) == all_of(5)
    assert "SIGKILL" in log(out, 1)
    with pytest.raises(ToktkError, match="none of its 1 nodes has 1 core and 1"):
        run_of("ray", tmp_path / "large", memory=1 << 50).run()
