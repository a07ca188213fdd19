"""sweep, train and bench --counts, as a user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import fails, good, run
from small_corpora import PARALLEL, write_nasty, write_parallel

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two texts, of one of which nothing is held out, and their counts."""
    folder = tmp_path_factory.mktemp("counted")
    write_parallel(folder / "four.jsonl", 200)
    write_nasty(folder / "nasty.jsonl")
    for name, options in (
        ("four", PARALLEL),
        ("nasty", ("--group-column", "lang", "--hold-out", 0)),
    ):
        text = folder / f"{name}.jsonl"
        good("count", "-c", text, *options, "-o", folder / name, "--jobs", 1, "-q")
    return folder


@pytest.fixture
def folder(counted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(counted, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def document(run: str) -> dict:
    return json.loads(Path(run, "run.json").read_text("utf-8"))


def test_what_is_held_out_is_said_when_the_counts_are_open(folder: Path) -> None:
    told = good("train", "--counts", "four", "-s", 300, "-o", "mine", "--progress", "json")
    events = [json.loads(line) for line in told.stderr.splitlines()]
    (said,) = [i for i, e in enumerate(events) if "held out" in e.get("text", "")]
    (opened,) = [i for i, e in enumerate(events) if (e["event"], e.get("step")) == ("end", "open")]
    assert opened < said


def test_a_sweep_and_what_follows_it(folder: Path) -> None:
    shown = good("sweep", "--counts", "four", "-s", "300,340", "-t", "bpe", "-o", "runs/four")
    assert "on the held-out part of four.jsonl" in shown.stdout
    assert shown.stderr.count("are not noticed") == 1
    training, evaluation = (document("runs/four")[role] for role in ("training", "evaluation"))
    assert training["counts"] == {
        "folders": ["four"],
        "side": "training",
        "weights": [],
        "temperature": None,
    }
    assert training["parts"][0]["counted"]["hold_out"] == 0.1
    assert training["parts"][0]["counted"]["min_count"] == 1
    assert evaluation["counts"]["side"] == "held-out"
    assert Path("runs/four/report.html").is_file()
    good("report", "runs/four")
    good("cost", "runs/four")
    assert "bpe-300 against bpe-340" in good("compare", "runs/four", "--baseline", "bpe-340").stdout
    assert "comes out identical" in good("replicate", "runs/four").stderr
    again = good("sweep", "--counts", "four", "-s", "300,340", "-t", "bpe", "-o", "runs/four")
    assert "nothing was computed" in again.stderr
    held_out = fails("bench", "x=runs/four/tokenizers/bpe-300", "-c", "runs/four:held-out")
    assert "its counts were read, and not the text" in held_out
    resampled = fails("replicate", "runs/four", "--trainings", 2)
    assert "is not at hand" in resampled


def test_replicate_tells_changed_counts_and_counts_that_are_gone(folder: Path) -> None:
    good("train", "--counts", "four", "-s", 300, "-o", "mine")
    shutil.move("four", "elsewhere")
    assert "four" in fails("replicate", "mine")
    good("count", "-c", "four.jsonl", *PARALLEL, "--hold-out", 0.3, "-o", "four", "--jobs", 1)
    assert "are not what they were" in fails("replicate", "mine")
    shutil.rmtree("four")
    shutil.move("elsewhere", "four")
    assert "comes out identical" in good("replicate", "mine").stderr


def test_several_with_weights(folder: Path) -> None:
    weights = ("--counts", "four", "--weight", 0.7, "--counts", "nasty", "--weight", 0.3)
    shown = good("train", *weights, "--temperature", 3.3, "-s", 300, "-o", "mine")
    assert "held out, and not trained on: 0.1 of four.jsonl." in shown.stderr
    assert "a document of each group counts so often" in shown.stderr
    about = document("mine")["training"]
    assert about["counts"]["weights"] == [0.7, 0.3]
    assert about["counts"]["temperature"] == "3.3"
    sums = [sum(part["times"].values()) for part in about["parts"]]
    assert min(sums) > 4  # groups, each once
    assert "comes out identical" in good("replicate", "mine").stderr
    assert "nothing was held out of nasty.jsonl" in fails("sweep", *weights)


def test_text_to_measure_on_beside_counts(folder: Path) -> None:
    read = ("--eval", "four.jsonl", *PARALLEL)
    good("sweep", "--counts", "nasty", *read, "-s", 300, "-t", "bpe", "-o", "runs/nasty")
    assert "comes out identical" in good("replicate", "runs/nasty").stderr
    bench = good(
        "bench", "x=runs/nasty/tokenizers/bpe-300", "-c", "runs/nasty:held-out", "--no-throughput"
    )
    assert "four.jsonl" in bench.stdout


def test_a_bench(folder: Path) -> None:
    good("train", "--counts", "four", "-s", 300, "-o", "mine")
    good("train", "-c", "four.jsonl", "-p", "gpt2", "-s", 300, "-o", "other")
    specs = ("mine=mine/tokenizers/bpe-300", "other=other/tokenizers/bpe-300")
    of_counts = run("bench", *specs, "--counts", "four", "-f", "csv", "-o", "runs/both")
    assert of_counts.exit_code == 1  # the other cuts otherwise
    assert "other is left out: four.jsonl (test) was cut by o200k" in of_counts.stderr
    assert "no speed of four.jsonl (test): its text is not at hand" in of_counts.stderr
    alone = good(
        "bench", specs[0], "--counts", "four", "-f", "csv", "-o", "runs/alone", "--ids", "i.parquet"
    )
    assert alone.stdout.startswith(of_counts.stdout)
    assert "comes out identical" in good("replicate", "runs/alone").stderr
    of_all = good("bench", specs[0], "--counts", "nasty", "-o", "runs/all")
    assert "23 documents" in of_all.stdout  # nothing was held out of it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", "--counts", "four", "-c", "four.jsonl"), "--counts and --corpus do not go"),
        (
            ("sweep", "--counts", "four", "--group-column", "lang"),
            "--counts and --group-column do not",
        ),
        (
            ("train", "--counts", "four", "--weight", 1, "--weight", 2, "-s", 300, "-o", "x"),
            "2 for 1",
        ),
        (("bench", "x", "--weight", 1), "1 for 0"),
        (("sweep", "--counts", "four", "--weight", 0), "--weight"),
        (("bench", "x", "--counts", "four", "--throughput"), "leave --throughput out"),
        (("bench", "x", "--counts", "four", "--pathological"), "leave --throughput out"),
    ],
)
def test_wrong_usage(folder: Path, arguments: tuple[object, ...], message: str) -> None:
    assert message in " ".join(fails(*arguments, code=2).split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--counts", "nothing"), "nothing"),
        (("--counts", "four", "-p", "gpt2"), "was cut by o200k when it was counted, not by gpt2"),
        (("--counts", "four", "--normalize", "nfc"), "was cut by o200k"),
        (("--counts", "four", "--special", "the"), "was not cut at the when it was counted"),
    ],
)
def test_what_counts_do_not_tell(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in fails("sweep", *arguments, "-s", 300, "-t", "bpe")


def test_a_trainer_that_reads_text(folder: Path) -> None:
    result = run("sweep", "--counts", "four", "-t", "sp-bpe", "-s", 300)
    assert result.exit_code == 2
    assert "cannot train on counts" in result.stderr


def test_pruned_counts_say_what_that_changes(folder: Path) -> None:
    good("count", "merge", "four", "--min-count", 2)
    shown = good("sweep", "--counts", "four", "-s", 300, "-t", "bpe", "-o", "runs/pruned")
    assert "those that occur less than 2 times in the training text" in shown.stderr
    remarks = document("runs/pruned")["training"]["remarks"]
    assert any("Left out" in remark for remark in remarks)
    good("count", "merge", "nasty", "--min-count", 2)
    assert "cannot measure on nasty.jsonl" in fails(
        "bench", "x=runs/pruned/tokenizers/bpe-300", "--counts", "nasty"
    )
