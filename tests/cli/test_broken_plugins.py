"""A plug-in that fails is named and left out; what does not need it goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import good, run
from small_corpora import PARALLEL, write_parallel

from toktk.cli import main
from toktk.corpus import Corpus
from toktk.errors import PluginError
from toktk.lab.measure import evaluate
from toktk.lab.train import train
from toktk.report.results import Results

pytestmark = pytest.mark.usefixtures("home")

PLUGIN = """
from toktk.metrics.base import Figure, Metric
from toktk.models.inference import Inference
from toktk.trainers.bpe import BpeTrainer


class FailsAtStart:
    def __init__(self):
        raise ValueError("boom at the\\x1b start")


class FailsInTraining(BpeTrainer):
    def train(self, data, sizes):
        raise OSError("boom in training")


class RunsOutOfMemory(BpeTrainer):
    def train(self, data, sizes):
        raise MemoryError


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def raises(*args):
    raise Speechless


def odd(evaluation, size, options):
    yield Figure("all", "odd", float("nan"), "things", 1)


RAISING = Metric("raising", "things", None, "A metric.", raises)
ODD = Metric("odd", "things", None, "A metric.", odd)
NOTHING = Inference(lambda model, pieces: None)
FAILING = Inference(raises)
"""

ENTRIES = {
    "toktk.trainers": {
        "missing": "no_such_module_at_all:Trainer",
        "starts": "odd_things:FailsAtStart",
        "trains": "odd_things:FailsInTraining",
        "hungry": "odd_things:RunsOutOfMemory",
    },
    "toktk.pretokenizers": {"cuts": "odd_things:raises"},
    "toktk.metrics": {
        "raising": "odd_things:RAISING",
        "odd": "odd_things:ODD",
        "gone": "no_such_module_at_all:METRIC",
    },
    "toktk.inference": {"nothing": "odd_things:NOTHING", "failing": "odd_things:FAILING"},
    "toktk.pair_scores": {"falls": "odd_things:raises"},
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install some of the things above; the function takes their names."""
    site = tmp_path / "site"
    info = site / "odd_things-0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-things\nVersion: 0.3\n")
    (site / "odd_things.py").write_text(PLUGIN)
    monkeypatch.delitem(sys.modules, "odd_things", raising=False)

    def install(*names: str) -> None:
        lines = []
        for group, entries in ENTRIES.items():
            lines += [f"[{group}]", *(f"{n} = {e}" for n, e in entries.items() if n in names)]
        (info / "entry_points.txt").write_text("\n".join(lines))
        monkeypatch.syspath_prepend(site)

    return install


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl")), *PARALLEL, "-s", "300"]


def document(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("missing", "Found: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("starts", "the trainer 'starts' failed. Found: ValueError: boom at the"),
        ("trains", "the trainer 'trains' failed. Found: OSError: boom in training"),
    ],
)
def test_a_trainer_that_fails_leaves_the_others(
    install, corpus: list[str], tmp_path: Path, name: str, found: str
) -> None:
    install(name)
    command = ["sweep", *corpus, "-t", name, "-t", "bpe", "-o", tmp_path / "run"]
    for _ in range(2):  # such a run is tried again
        result = run(*command)
        assert result.exit_code == 1
        assert "bpe · o200k" in result.stdout
        assert found in result.stderr
        assert f"Error: without figures: {name}." in result.stderr
    assert list(document(tmp_path / "run")["failed"]) == [name]
    alone = run("sweep", *corpus, "-t", name)
    assert (alone.exit_code, alone.stdout) == (1, "")
    assert found.partition("Found: ")[2] in alone.stderr
    # Nobody asks for it: it is in nobody's way.
    assert name not in good("sweep", *corpus, "-t", "bpe").stderr


@pytest.mark.parametrize("name", ["raising", "odd"])
def test_a_metric_that_fails_leaves_the_others(
    install, corpus: list[str], tmp_path: Path, name: str
) -> None:
    expected = good("sweep", *corpus, "-t", "bpe", "-f", "json", "-q").stdout
    install(name)
    for asked in ([], ["-m", name, "-m", "tokens"]):
        command = ["sweep", *corpus, "-t", "bpe", "-o", tmp_path / str(len(asked)), "-f", "json"]
        for _ in range(2):
            result = run(*command, *asked)
            assert result.exit_code == 1
            assert result.stderr.count(f"metric {name} is left out: the metric") == 1
            assert f"Error: without figures: metric {name}." in result.stderr
            if not asked:
                assert result.stdout == expected
    spec = tmp_path / "0" / "tokenizers" / "bpe-300"
    bench = run("bench", spec, *corpus[:-2], "--no-throughput")
    assert bench.exit_code == 1
    assert "bpe-300 " in bench.stdout
    assert f"metric {name} is left out" in bench.stderr


def test_a_metric_that_cannot_be_loaded_is_named_once(install, corpus: list[str]) -> None:
    expected = good("sweep", *corpus, "-t", "bpe", "-f", "json", "-q").stdout
    install("gone")
    result = good("sweep", *corpus, "-t", "bpe", "-f", "json")
    assert result.stdout == expected
    assert result.stderr.count("metric gone is left out") == 1
    asked = run("sweep", *corpus, "-t", "bpe", "-m", "gone", "-m", "tokens")
    assert asked.exit_code == 1
    assert "Error: without figures: metric gone." in asked.stderr
    assert run("sweep", *corpus, "-t", "bpe", "-m", "gone").stdout == ""


@pytest.mark.parametrize("name", ["nothing", "failing"])
def test_an_inference_method_that_fails_leaves_the_others(
    install, corpus: list[str], name: str
) -> None:
    install(name)
    result = run("sweep", *corpus, "-t", "bpe", "--inference", name, "--inference", "greedy")
    assert result.exit_code == 1
    assert "bpe · o200k · greedy" in result.stdout
    assert f"bpe-{name} is left out: the inference method '{name}' failed" in result.stderr


def test_pretokenizers_and_pair_scores_that_fail_are_named(install, corpus: list[str]) -> None:
    install("cuts", "falls")
    shown = run("sweep", *corpus, "-t", "bpe", "-p", "cuts")
    assert "Error: the pretokenizer 'cuts' failed.\n  Found: Speechless, in code" in shown.stderr
    shown = run("sweep", *corpus, "-t", "bpe", "--pair-score", "falls")
    assert "Error: the pair score 'falls' failed.\n  Found: Speechless, in code" in shown.stderr


def test_listing_shows_what_is_broken(install) -> None:
    install("missing", "starts", "gone", "cuts", "nothing", "falls", "odd")
    for kind in ("trainers", "metrics", "pretokenizers", "inference", "pair-scores"):
        rows = {row["name"]: row for row in json.loads(good("ls", kind, "-f", "json").stdout)}
        for name, row in rows.items():
            if name in ("missing", "gone"):
                assert "cannot be loaded" in row["what"]
                assert row["origin"] == "odd-things 0.3"
    assert "starts" in good("env", "-f", "json").stdout


def test_out_of_memory_is_nobodys_fault(install, corpus: list[str], tmp_path: Path) -> None:
    install("hungry")
    text = Corpus.of(["a cat and a hat"] * 9)
    with pytest.raises(MemoryError):
        train("hungry", text, [300])
    # The traceback of what was raised is kept with the error.
    install("trains")
    with pytest.raises(PluginError) as error:
        train("trains", text, [300])
    assert isinstance(error.value.__cause__, OSError)


def test_tracebacks_are_shown_for_debugging(
    install, corpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("trains")
    command = ["sweep", *map(str, corpus), "-t", "bpe", "-t", "trains"]
    assert "Traceback" not in CliRunner().invoke(main, command).stderr
    monkeypatch.setenv("TOKTK_DEBUG", "1")
    shown = CliRunner().invoke(main, command).stderr
    assert "Traceback" in shown
    assert "OSError: boom in training" in shown


def test_from_python_a_metric_nobody_asked_for_is_a_warning(install) -> None:
    text = Corpus.of(["a cat and a hat"] * 9)
    tokenizers = train("bpe", text, [257])
    install("raising")
    with pytest.warns(UserWarning, match="the metric 'raising' failed"):
        shown = evaluate([*tokenizers.values()], text)
    assert isinstance(shown, Results)
    with pytest.raises(PluginError):
        evaluate([*tokenizers.values()], text, metrics=["raising", "tokens"])
