"""Progress of whole commands: totals that are true, and what each mode writes."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from command_line import good, run
from small_corpora import PARALLEL, lines, write_parallel
from test_progress import FIELDS

import toktk
from toktk.cache import Store
from toktk.cli import main
from toktk.cli.progress import Progress
from toktk.corpus import Corpus
from toktk.lab.meter import Watcher
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

pytestmark = pytest.mark.usefixtures("home")


class Recorder(Watcher):
    """Keeps (step, what, total, unit, sum of advances) of each step that ended, and the stages."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, int | None, str, int]] = []
        self.stages: list[tuple[int, int]] = []
        self._open: list[list[Any]] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._open == []

    def stage(self, number: int, of: int) -> None:
        self.stages.append((number, of))

    def begin(self, step: str, what: str, total: int | None, unit: str) -> None:
        self._open.append([step, what, total, unit, 0])

    def advance(self, amount: int) -> None:
        with self._lock:
            step = self._open[-1]
            step[-1] += amount
            assert amount >= 0, step
            assert step[2] is None or step[-1] <= step[2], step

    def end(self) -> None:
        self.steps.append(tuple(self._open.pop()))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(Progress, "_new", lambda self: recorder)
    return recorder


@pytest.fixture
def text(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl", 60)), *PARALLEL]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    data = TrainingData(Corpus.of(lines("en") + lines("de")))
    for trained in BpeTrainer("o200k").train(data, [300, 400]).tokenizers:
        trained.save(tmp_path / "files" / f"of-{trained.vocab_size}")
    return [f"of-{n}={tmp_path / 'files' / f'of-{n}' / 'tokenizer.json'}" for n in (300, 400)]


UNKNOWN = {"open", "convert"}
"""Steps of which nobody can know how far they are: a pipe is read, files are found; a file is written."""


def check(recorder: Recorder, *expected: str) -> None:
    """Check that each step came to its total, and that the expected ones were there."""
    assert {step for step, *_ in recorder.steps} >= set(expected)
    for step, what, total, unit, done in recorder.steps:
        assert (total is None) == (step in UNKNOWN), (step, what)
        assert total is None or done == total, (step, what, unit, total, done)
    numbers = [number for number, _ in recorder.stages]
    assert numbers == sorted(numbers)
    if recorder.stages:
        assert {of for _, of in recorder.stages} == {numbers[-1]}
    recorder.steps.clear()
    recorder.stages.clear()


TRAINERS = ("bpe", "unigram", "hf-bpe", "hf-unigram", "hf-wordpiece", "sp-bpe", "sp-unigram")


def test_the_totals_of_a_sweep_are_true(
    recorder: Recorder, text: list[str], files: list[str]
) -> None:
    trained = [argument for name in TRAINERS for argument in ("-t", name)]
    # 90k: the text gives no such vocabulary, so that trainings end before their total.
    sizes = ["-s", "600,800,90k"]
    command = ["sweep", *text, *trained, *sizes, "--special", "<x>", "--baseline", files[0]]
    good(*command, "-o", "run")
    assert len(recorder.stages) == 1 + 2 * len(TRAINERS) + 1 + 1
    check(
        recorder, "open", "fingerprint", "choose", "load", "check", "count", "train", "measure", "write"
    )  # fmt: skip
    good(*command, "-o", "other")  # all is stored
    check(recorder, "write")
    good("sweep", *text, "--eval", text[1], "-t", "bpe", "-s", 300)
    check(recorder, "measure", "intervals", "look for documents")
    limited = ["--limit", 100, "-t", "bpe", "-t", "unigram", "--pair-score", "ratio"]
    good("sweep", *text, *limited[:4], "--inference", "own", "--inference", "greedy", "-s", 300)
    check(recorder, "infer")
    good("train", *text, *limited[:2], "-t", "bpe", *limited[-2:], "-s", 300, "-o", "trained")
    check(recorder, "train", "write")


@pytest.mark.parametrize("kind", ["gz", "zip", "txt", "parquet", "csv"])
def test_the_totals_of_other_files_are_true(recorder: Recorder, tmp_path: Path, kind: str) -> None:
    import gzip
    import zipfile

    import pyarrow as pa
    import pyarrow.parquet as pq

    content = "\n".join(lines("en", 400) + lines("ja", 400))
    path = tmp_path / f"text.{'txt.gz' if kind == 'gz' else kind}"
    if kind == "gz":
        path.write_bytes(gzip.compress(content.encode()))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.txt", content)
            archive.writestr("b/c.txt", content[:5000])
    elif kind == "parquet":
        pq.write_table(pa.table({"text": content.split("\n")}), path, row_group_size=50)
    elif kind == "csv":
        path.write_text("text\n" + content.replace(",", ";"), encoding="utf-8")
    else:
        path.write_text(content.replace("\n", "\r\n"), encoding="utf-8", newline="")
    good("sweep", "-c", path, "-c", path, "-t", "bpe", "-s", 300)
    check(recorder, "fingerprint", "choose", "count", "train", "measure", "write")


def test_the_totals_of_a_bench_and_a_comparison_are_true(
    recorder: Recorder, text: list[str], files: list[str]
) -> None:
    good("bench", *files, *text, "--limit", 50, "--no-throughput")
    check(recorder, "load", "check", "fingerprint", "choose", "count", "measure", "write")
    good("compare", *files, *text, "--jobs", 1)
    check(recorder, "load", "check", "count", "measure", "compare")


def test_the_totals_of_timings_are_true(
    recorder: Recorder, files: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "little.txt"
    path.write_text("\n".join(lines("en")), encoding="utf-8")
    good("bench", files[0], "-c", path)
    check(recorder, "time")


def test_the_totals_of_replications_are_true(recorder: Recorder, text: list[str]) -> None:
    good("sweep", *text, "-t", "bpe", "-t", "unigram", "-s", "300,340", "-o", "run")
    recorder.steps.clear()
    recorder.stages.clear()
    good("replicate", "run")
    check(recorder, "fingerprint", "count", "train", "measure", "write")
    good("replicate", "run", "--trainings", 3, "--jobs", 2, "--shards")
    check(recorder, "count", "train", "compare")
    good("replicate", *text, "-t", "bpe", "-s", 300, "--trainings", 3, "--shards")
    check(recorder, "compare")


def test_the_totals_of_convert_and_cache_are_true(
    recorder: Recorder, files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("convert", files[0].partition("=")[2], "-o", "copy.json")
    check(recorder, "convert")
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path / "own"))  # without the kernels of other tests
    for i in range(5):
        Store().write("pieces", i, lambda folder: (folder / "x").write_bytes(bytes(1000)) and None)
    good("cache", "--keep", "3kB")
    good("cache", "--clear")
    good("cache", "--clear")  # there is nothing
    assert [total for _, _, total, *_ in recorder.steps][2:] == [0]
    check(recorder, "delete")


class Boasting(BpeTrainer):
    """A trainer that tells of too much, and too little."""

    def train(self, data: TrainingData, sizes: Any) -> Any:
        data.advance(-5)
        data.advance(10**6)
        return super().train(data, sizes)


def test_no_trainer_goes_beyond_its_total(
    recorder: Recorder, text: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toktk.trainers.bpe.BpeTrainer", Boasting)
    good("train", *text, "-t", "bpe", "-s", 300, "-o", "run")
    check(recorder, "train")


def events_of(*args: object) -> list[dict[str, Any]]:
    """Run a command with JSON lines; return them all."""
    shown = good(*args, "--progress", "json").stderr.splitlines()
    events = [json.loads(line) for line in shown]
    open_steps: list[tuple[str, str]] = []
    for event in events:
        assert event["schema"] == 1
        if event["event"] == "remark":
            assert [*event] == ["schema", "event", "text"]
            continue
        assert [*event][: len(FIELDS)] == FIELDS
        name = event["step"], event["what"]
        if event["event"] == "begin":
            open_steps.append(name)
        assert open_steps[-1] == name
        if event["event"] == "end":
            open_steps.pop()
    assert open_steps == []
    return events


def test_every_line_of_a_command_is_json(text: list[str], files: list[str]) -> None:
    events = events_of("sweep", *text, "-t", "bpe", "-s", "300,90k", "-o", "run", "-f", "csv")
    remarks = [event["text"] for event in events if event["event"] == "remark"]
    assert remarks[-1] == "run"
    assert any("bpe does not reach 90k" in remark for remark in remarks)
    assert {"count", "train"} <= {event.get("step") for event in events}
    again = events_of("sweep", *text, "-t", "bpe", "-s", "300,90k", "-o", "run")
    assert any("nothing was computed" in event.get("text", "") for event in again)
    for command in (
        ("bench", *files, *text, "--no-throughput"),
        ("compare", *files, *text, "--save-baseline", "b.json"),
        ("replicate", "run"),
        ("replicate", "run", "--trainings", 2, "--shards", "-o", "stability"),
        ("convert", files[0].partition("=")[2], "-o", "copy.json"),
    ):
        assert "begin" in [event["event"] for event in events_of(*command)], command


def test_an_error_ends_json_lines_as_text(text: list[str]) -> None:
    result = run("train", *text, "-t", "sp-bpe", "-s", 258, "-o", "run", "--progress", "json")
    assert result.exit_code == 1
    told = result.stderr.splitlines()
    at = next(i for i, line in enumerate(told) if line[0] != "{")
    assert told[at].startswith("Error: ")
    assert all(json.loads(line) for line in told[:at])
    assert all(line.startswith("  ") for line in told[at + 1 :])


def test_none_shows_remarks_and_quiet_shows_nothing(text: list[str]) -> None:
    command = ["sweep", *text, "-t", "bpe", "-s", 300, "--force", "-o", "run"]
    remarks = good(*command, "--progress", "none").stderr.splitlines()
    assert remarks[-1] == "run"
    assert not any("count four" in remark for remark in remarks)
    assert good(*command, "-q").stderr == ""


def test_addresses_are_opened_without_their_secrets(recorder: Recorder) -> None:
    run("sweep", "-c", "nosuch://user:key@host/text.txt?token=1", "-s", 300)
    assert recorder.steps == [("open", "nosuch://host/text.txt", None, "", 0)]


def test_python_shows_no_progress(capfd: pytest.CaptureFixture[str]) -> None:
    corpus = Corpus.of(lines("en"))
    trained = toktk.train("bpe", corpus, sizes=[300])
    toktk.evaluate([*trained.values()], corpus)
    assert capfd.readouterr() == ("", "")


def test_progress_is_an_option_of_every_verb_that_works_long() -> None:
    for verb in (
        "sweep", "train", "bench", "compare", "replicate", "audit", "convert", "cache",
    ):  # fmt: skip
        shown = CliRunner().invoke(main, [verb, "--help"]).stdout
        assert "--progress [auto|bar|plain|json|none]" in shown, verb
        assert "TOKTK_PROGRESS" in shown
