"""``toktk compare`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import fails, good, run
from hostile_names import HOSTILE_NAMES
from small_corpora import PARALLEL, lines, write_parallel

from toktk.corpus import load_corpus
from toktk.trainers.base import TrainingData
from toktk.trainers.bpe import BpeTrainer

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("compared")
    (folder / "text.txt").write_text("\n".join(lines("en") + lines("de")), encoding="utf-8")
    data = TrainingData(load_corpus(str(folder / "text.txt")))
    for made in BpeTrainer("o200k").train(data, [300, 340, 400]).tokenizers:
        made.save(folder / f"bpe-{made.vocab_size}")
    return [f"bpe-{n}={folder / f'bpe-{n}' / 'tokenizer.json'}" for n in (300, 340, 400)]


@pytest.fixture
def text(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl", 60)), *PARALLEL]


def test_tokenizers_are_compared_on_a_text(files: list[str], text: list[str]) -> None:
    result = good("compare", *files[::2], *text)
    assert result.stdout.startswith("bpe-300 against bpe-400  tokens_per_line on four.jsonl\n")
    assert "pieces that decide" in result.stdout
    assert "signature    v:" in result.stdout
    assert not list(Path().glob("runs*"))
    document = json.loads(good("compare", *files, *text, "-f", "json", "-q").stdout)
    assert {c["baseline"] for c in document["comparisons"]} == {"bpe-400"}
    assert len(document["ranking"]) == 3
    assert document["comparisons"][0]["decides"]
    for format in ("csv", "md", "latex"):
        assert good("compare", *files[:2], *text, "-f", format, "-g", "de").stdout.count("de")
    good("compare", *files[:2], *text, "-o", "table.txt", "-m", "gini")
    assert "gini" in Path("table.txt").read_text(encoding="utf-8")


def test_runs_are_compared(files: list[str], text: list[str]) -> None:
    for name, those in (("one", files), ("two", files[1:])):
        good("bench", *those, *text, "--no-throughput", "-o", f"runs/{name}", "-q")
    assert "--baseline bpe-300" in fails("compare", "runs/one", code=2)
    shown = good("compare", "runs/one", "--baseline", "bpe-340").stdout
    assert "bpe-300 against bpe-340" in shown
    assert "bpe-400 against bpe-340" in shown
    shown = good("compare", "runs/one", "runs/two", "-f", "csv").stdout
    assert shown.count(",equivalent,") == shown.count("\n") - 1 == 10
    assert "leave out -c" in fails("compare", "runs/one", "-c", "x.txt", code=2)
    assert "is no run" in fails("compare", files[0], "runs/one", code=2)
    Path("runs/one/documents.parquet").unlink()
    assert "no counts of documents" in good("compare", "runs/one", "--baseline", "bpe-340").stdout
    Path("runs/one/run.json").write_text("{}", encoding="utf-8")
    fails("compare", "runs/one")


def test_a_gate_against_a_stored_baseline_ends_with_3(files: list[str], text: list[str]) -> None:
    good(
        "compare",
        files[2].replace("bpe-400=", "mine="),
        *text,
        "--save-baseline",
        "base.json",
        "-q",
    )
    first = Path("base.json").read_bytes()
    worse = [files[0].replace("bpe-300=", "mine="), *text, "--baseline", "base.json", "-q"]
    result = run("compare", *worse, "--fail-if", "bytes_per_token < -1%")
    assert result.exit_code == 3
    assert "Gate 'bytes_per_token < -1%' fails: mine, all" in result.stderr
    assert "mine against mine (stored)" in result.stdout
    assert "paired by block" in result.stdout
    same = [files[2].replace("bpe-400=", "mine="), *text, "--baseline", "base.json"]
    good("compare", *same, "--fail-if", "bytes_per_token:* < -1%", "--save-baseline", "base.json")
    assert Path("base.json").read_bytes() == first
    for gate in ("< -1%", "bytes_per_token", "bites < -1%"):
        assert "Error" in fails("compare", *same, "--fail-if", gate, code=2)
    few = ["-c", "few.txt"]
    Path("few.txt").write_text("one\ntwo\n", encoding="utf-8")
    result = run("compare", *files[:2], *few, "--fail-if", "bytes_per_token < -1%")
    assert result.exit_code == 1
    assert "cannot be judged" in result.stderr


def test_another_text_is_refused(files: list[str], text: list[str], tmp_path: Path) -> None:
    good("compare", files[0], *text, "--save-baseline", "base.json", "-q")
    other = ["-c", str(write_parallel(tmp_path / "other.jsonl", 50)), *PARALLEL]
    assert "differ in corpus" in fails("compare", files[0], *other, "--baseline", "base.json")
    shown = good("compare", files[0], *other, "--baseline", "base.json", "--allow", "corpus").stdout
    assert "not paired" in shown


def test_wrong_usage(files: list[str], text: list[str]) -> None:
    fails("compare", files[0], *text)
    fails("compare", *files[:2], *text, "--zone", "much", code=2)
    fails("compare", *files[:2], *text, "--allow", "units", code=2)
    fails("compare", *files[:2], *text, "--baseline", "nobody")
    fails("compare", files[0], "missing=nowhere.json", *text)


@pytest.mark.parametrize("name", [n for n in HOSTILE_NAMES if n.strip()][:12])
def test_hostile_groups_are_shown(files: list[str], name: str, tmp_path: Path) -> None:
    rows = [{"text": t, "lang": name} for t in lines("de", 40)]
    rows += [{"text": t, "lang": "en"} for t in lines("en", 40)]
    path = tmp_path / "hostile.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    options = ["-c", path, "--group-column", "lang", "-q", "--save-baseline", "base.json"]
    for format in ("table", "md", "latex"):
        shown = good("compare", *files[:2], *options, "-f", format).stdout
        assert shown.replace("\n", "").isprintable()
    good("compare", *files[:2], *options, "--baseline", "base.json", "-f", "json")
