"""A stored run, carried out again: what comes out the same, and what is said of what does not."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
import sample_texts
from command_line import fails, good, run
from small_corpora import fresh_home, lines, write_parallel

from toktk.lab.document import read_document, write_document
from toktk.lab.folder import fact_of
from toktk.report.results import Results

pytestmark = pytest.mark.usefixtures("home")

ALIGNED = ("--group-column", "lang", "--align-column", "id")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with texts by language, in which this process works."""
    project = tmp_path / "project"
    for language in ("de", "en", "ru"):
        for part in range(3):
            folder = project / "texts" / language
            folder.mkdir(parents=True, exist_ok=True)
            text = "\n".join(f"{part} {line}" for line in lines(language))
            (folder / f"{part}.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir(project)
    return project


def sweep(*args: object, to: str = "runs/texts") -> Path:
    good("sweep", *args, "-q", "-o", to)
    return Path(to)


def replicated(folder: Path, *args: object) -> dict:  # type: ignore[type-arg]
    """Return what a replication says, which must be that all is identical."""
    found = json.loads(good("replicate", folder, "-q", "-f", "json", *args).stdout)
    assert found["identical"], found
    assert found["differences"] == []
    assert all(found["compared"][kind] for kind in ("vocabulary", "figure", "point of a curve"))
    return found


def shuffle_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder be listed in an order of chance, as another file system may."""
    chance, scandir, listdir = random.Random(3), os.scandir, os.listdir

    class Shuffled:
        def __init__(self, path: str | Path = ".") -> None:
            with scandir(path) as entries:
                self._entries = [*entries]
            chance.shuffle(self._entries)

        def __iter__(self):  # type: ignore[no-untyped-def]
            return iter(self._entries)

        def __next__(self):  # type: ignore[no-untyped-def]
            return self._entries.pop()

        def __enter__(self):  # type: ignore[no-untyped-def]
            return self

        def __exit__(self, *error: object) -> None:
            self._entries = []

        def close(self) -> None:
            self._entries = []

    def shuffled(path: str | Path = ".") -> list[str]:
        names = listdir(path)
        chance.shuffle(names)
        return names

    monkeypatch.setattr(os, "scandir", Shuffled)
    monkeypatch.setattr(os, "listdir", shuffled)


@pytest.mark.parametrize(
    "source",
    [
        "made up",
        pytest.param(
            "help pages",
            marks=pytest.mark.skipif(not sample_texts.HELP.exists(), reason="no help pages"),
        ),
    ],
)
def test_a_sweep_comes_out_identical(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    sizes = ("-s", "300,400")
    args: tuple[object, ...] = ("-c", "texts", *sizes)
    if source == "help pages":
        for language, text in sample_texts.languages(200).items():
            (project / "help" / language).mkdir(parents=True)
            for part in range(4):
                page = project / "help" / language / f"{part}.txt"
                page.write_text("\n".join(text[part::4]), encoding="utf-8")
        args = ("-c", "help", "-s", "1k,4k")
    folder = sweep(*args, "--jobs", 2)
    assert replicated(folder, "--jobs", 2)["surroundings"] == []
    (threads,) = replicated(folder, "--jobs", 1)["surroundings"]
    assert (threads["name"], threads["then"], threads["now"]) == ("threads", "2", "1")
    with monkeypatch.context() as patched:
        shuffle_listings(patched)
        replicated(folder)
    monkeypatch.setenv("TOKTK_HOME", str(fresh_home(tmp_path / "another machine")))
    monkeypatch.chdir(tmp_path)
    replicated(Path("project") / folder)


def test_nothing_stored_is_used(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toktk.lab import train
    from toktk.pieces.counter import Counter

    folder = sweep("-c", "texts", "-t", "bpe", "-s", "300")
    calls = []
    real = train.Trainings._train
    monkeypatch.setattr(
        train.Trainings, "_train", lambda *args: calls.append("train") or real(*args)
    )
    real_add = Counter.add
    monkeypatch.setattr(Counter, "add", lambda *args: calls.append("count") or real_add(*args))
    replicated(folder)
    assert calls.count("train") == 1
    assert "count" in calls


def test_all_that_a_sweep_is_told_is_kept(project: Path) -> None:
    write_parallel(project / "four.jsonl")
    good("train", "-c", "texts", "-s", "300", "--temperature", "inf", "-q", "-o", "runs/trained")
    good("replicate", "runs/trained")
    folder = sweep(
        "-c", "de=texts/de/:0.3", "-c", "other=four.jsonl:0.7", "--text-column", "text", "-s", "320,330",
        "-t", "bpe", "-t", "unigram", "--pattern", r"\w+| ?[^\w]", "-p", "llama3", "--normalize", "nfkc",
        "--special", "<s>", "--eos", "</s>", "-O", "bpe.min_frequency=2", "--seed", 7, "--limit", 100,
        "--inference", "own", "--inference", "greedy", "-m", "tokens", "-m", "fertility",
        "--temperature", "2", "--baseline", "mine=runs/trained/tokenizers/bpe-300",
    )  # fmt: skip
    replicated(folder)


def test_a_bench_and_a_moved_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep("-c", "texts", "-t", "bpe", "-s", "300,320")
    good("bench", "a=runs/texts/tokenizers/bpe-300", "runs/texts/tokenizers/bpe-320", "-c",
         "runs/texts:held-out", "--no-throughput", "-q", "-o", "runs/bench")  # fmt: skip
    monkeypatch.chdir(project.parent)
    project.rename(project.parent / "moved")
    found = json.loads(good("replicate", "moved/runs/bench", "-q", "-f", "json").stdout)
    assert (found["identical"], found["compared"]["vocabulary"]) == (True, 2)


def test_what_differs_is_named(project: Path) -> None:
    folder = sweep("-c", "texts", "-t", "bpe", "-s", "300")
    document = read_document(folder)
    assert document is not None
    results = Results.read_parquet(folder / "results.parquet")
    first, second, *rest = results.records
    from dataclasses import replace

    changed = (replace(first, value=1.5), replace(second, note="odd"), *rest[1:])
    Results(changed, results.about).write_parquet(folder / "results.parquet")
    document["files"]["results.parquet"] = fact_of(folder / "results.parquet")
    document["tokenizers"]["bpe-300"]["signature"] = "0" * 64
    document["environment"]["packages"]["numpy"] = "0.1"
    write_document(folder, document)
    found = run("replicate", folder, "-f", "json")
    assert found.exit_code == 1
    n = len(results)
    assert f"Found: 1 of 1 vocabularies, 3 of {n} figures differ." in found.stderr
    assert "Other than then: numpy." in found.stderr
    told = json.loads(found.stdout)
    assert [(d["kind"], d["then"]) for d in told["differences"]] == [
        ("vocabulary", "000000000000"), ("figure", "1.5"), ("figure", "odd"), ("figure", "none"),
    ]  # fmt: skip
    assert [(d["name"], d["then"]) for d in told["surroundings"]] == [("numpy", "0.1")]
    table = run("replicate", folder).stdout
    assert "vocabularies" in table
    assert max(map(len, table.splitlines())) <= 100
    assert "vocabulary,bpe-300,000000000000," in run("replicate", folder, "-f", "csv").stdout


def test_a_changed_text_is_named(project: Path) -> None:
    folder = sweep("-c", "texts", "-t", "bpe", "-s", "300")
    with (project / "texts" / "de" / "1.txt").open("a") as file:
        file.write("\nand a line more")
    message = fails("replicate", folder)
    assert "the text that runs/texts trained on is not there any more." in message
    assert "Found: changed: 1.txt." in message
    shutil.rmtree(project / "texts")
    assert "unknown corpus 'texts'" in fails("replicate", folder)


def test_an_earlier_run_is_repeated_or_refused_with_the_way_out(project: Path) -> None:
    folder = sweep("-c", "texts", "-t", "bpe", "-s", "300", "-p", "llama3", "-m", "tokens")
    earlier = read_document(folder)
    assert earlier is not None
    for key in ("asked", "cuts"):
        del earlier["options"][key]
    del earlier["training"]["recipe"]
    write_document(folder, earlier)
    replicated(folder)
    earlier["options"]["pretokenizers"] = ["my own@12345678"]
    write_document(folder, earlier)
    message = fails("replicate", folder)
    assert "an earlier toktk wrote it, without the split pattern 'my own'" in message
    good("train", "-c", "texts", "-s", "300", "-q", "-o", "runs/trained")
    trained = read_document(Path("runs/trained"))
    assert trained is not None
    del trained["training"]["recipe"]
    write_document(Path("runs/trained"), trained)
    message = fails("replicate", "runs/trained")
    assert "it does not say where its text came from" in message
    assert "Run it once more from files" in message
    hot = sweep("-c", "texts", "-t", "bpe", "-s", "300", "--temperature", "5", to="runs/hot")
    document = read_document(hot)
    assert document is not None
    del document["training"]["recipe"]
    write_document(hot, document)
    assert "--temperature, which earlier versions did not record" in fails("replicate", hot)


def test_what_is_no_whole_run_is_refused(project: Path) -> None:
    assert "Found: no such folder." in fails("replicate", "runs/typo")
    assert "Found: no run.json in it." in fails("replicate", "texts")
    folder = sweep("-c", "texts", "-t", "bpe", "-s", "300")
    whole = (folder / "curves.parquet").read_bytes()
    (folder / "curves.parquet").write_bytes(whole[:-1])
    assert "curves.parquet is not what the run wrote." in fails("replicate", folder)
    (folder / "curves.parquet").unlink()
    assert "Found: it is missing." in fails("replicate", folder)
    document = json.loads((folder / "run.json").read_text())
    del document["options"]["sizes"]
    write_document(folder, document)
    (folder / "curves.parquet").write_bytes(whole)
    assert "no field 'sizes'" in fails("replicate", folder)
    document["options"]["sizes"] = [5]
    (folder / "run.json").write_text(json.dumps(document))
    assert "run.json is not what toktk wrote." in fails("replicate", folder)
    for args in ((), (folder, "-c", "texts"), (folder, "-s", "8k"), (folder, "--shards"),
                 ("--trainings", "1")):  # fmt: skip
        fails("replicate", *args, code=2)


def test_the_new_run_can_be_kept(project: Path) -> None:
    folder = sweep("-c", "texts", "-t", "bpe", "-s", "300")
    replicated(folder, "-o", "runs/again")
    again = read_document(Path("runs/again"))
    assert again is not None
    assert again["files"]["results.parquet"] == fact_of(folder / "results.parquet")


def test_trainings_of_a_run_and_of_text(project: Path) -> None:
    folder = sweep("-c", "texts", "-t", "bpe", "-t", "unigram", "-s", "300,340")
    found = json.loads(good("replicate", folder, "--trainings", 3, "-q", "-f", "json").stdout)
    assert [(r["family"], r["size"], r["trainings"]) for r in found["records"]] == [
        ("bpe", 300, 3), ("bpe", 340, 3), ("unigram", 300, 3), ("unigram", 340, 3),
    ]  # fmt: skip
    args = ("-c", "texts", "-t", "bpe", "-t", "unigram", "-s", "300,340", "--trainings", 3, "-q")
    same = good("replicate", *args, "-f", "json", "-o", "stable")
    assert json.loads(same.stdout) == found
    assert json.loads(Path("stable/stability.json").read_text()) == found
    import pyarrow.parquet as parquet

    table = parquet.read_table("stable/confidence.parquet").to_pylist()
    core = [row for row in table if row["family"] == "bpe" and row["size"] == 340]
    assert sum(row["confidence"] == 1 for row in core) == found["records"][1]["core"]
    shards = good("replicate", *args, "--shards").stdout
    assert "3 trainings on shards" in shards
    assert max(map(len, shards.splitlines())) <= 100
    assert good("replicate", *args, "-f", "csv").stdout.startswith("family,size,trainings,kind")
    other = good("replicate", *args, "-f", "json", "--seed", 1).stdout
    assert json.loads(other) != found
    good(
        "bench", "runs/texts/tokenizers/bpe-300", "-c", "texts", "--no-throughput", "-q", "-o", "b"
    )
    assert "a bench, which trains nothing" in fails("replicate", "b", "--trainings", 2)
    fails("replicate", "-c", "texts", "-t", "bqe", "--trainings", 2, code=2)
