"""What a run held out, measured on by its run directory's name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import fails, good
from small_corpora import lines, write_parallel

from toktk.corpus import ReaderOptions, load_corpus
from toktk.corpus.held_out import recipe

pytestmark = pytest.mark.usefixtures("home")

ALIGNED = ("--group-column", "lang", "--align-column", "id")


def document(folder: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run over relative paths, in which this process works."""
    project = tmp_path / "project"
    (project / "data" / "de").mkdir(parents=True)
    write_parallel(project / "data" / "four.jsonl")
    for part in ("one", "two"):
        text = "\n".join(f"{part}: {line}" for line in lines("de"))
        (project / "data" / "de" / f"{part}.txt").write_text(text, encoding="utf-8")
    monkeypatch.chdir(project)
    good("sweep", "-c", "data/four.jsonl", *ALIGNED, "-t", "bpe", "-s", "300", "-o", "runs/news")
    return project


def bench(*args: object) -> tuple[object, ...]:
    return "bench", "mine=runs/news/tokenizers/bpe-300", "--no-throughput", *args


def test_a_bench_on_what_a_run_held_out_gives_the_figures_of_the_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = json.loads(good("sweep", "-c", "data/four.jsonl", *ALIGNED, "-t", "bpe", "-s", "300",
                            "-o", "runs/news", "-q", "-f", "json").stdout)  # fmt: skip
    benched = json.loads(good(*bench("-c", "runs/news:held-out", "-q", "-f", "json")).stdout)

    def figures(found: dict) -> dict:  # type: ignore[type-arg]
        return {
            (r["corpus"], r["group"], r["metric"]): r["value"]
            for r in found["records"]
            if r["metric"] in ("tokens", "bytes", "documents", "parity[en]")
        }

    assert figures(benched) == figures(swept)
    # From elsewhere, in one group, with options that the run had too, and a part of it.
    monkeypatch.chdir(project.parent)
    held_out = load_corpus("project/runs/news:held-out", ReaderOptions(group_column="lang"))
    recorded = document(project / "runs" / "news")["evaluation"]
    assert (held_out.name, held_out.fingerprint) == (recorded["name"], recorded["fingerprint"])
    named = load_corpus("x=project/runs/news:held-out")
    assert [b.column(1).dictionary.to_pylist() for b in named.batches()] == [["x"]]
    few = load_corpus("project/runs/news:held-out", limit=2)
    assert sum(batch.num_rows for batch in few.batches()) == 8  # two lines of four languages
    # A project that is moved as a whole is as it was.
    (project.parent / "project").rename(project.parent / "moved")
    assert load_corpus("moved/runs/news:held-out").fingerprint == recorded["fingerprint"]


def test_shares_folders_and_other_texts(project: Path) -> None:
    good("sweep", "-c", "de=data/de/:0.3", "-c", "en=data/four.jsonl:0.7", "--temperature", "3",
         "-t", "bpe", "-s", "300", "-o", "runs/mixed")  # fmt: skip
    good("sweep", "-c", "data/de/*.txt", "-t", "bpe", "-s", "300", "-o", "runs/glob")
    good("sweep", "-c", "data/de/one.txt", "--eval", "runs/glob:held-out", "-t", "bpe", "-s", "300",
         "-o", "runs/other")  # fmt: skip
    for name in ("mixed", "glob", "other"):
        recorded = document(project / "runs" / name)["evaluation"]
        held_out = load_corpus(f"runs/{name}:held-out")
        assert (held_out.name, held_out.fingerprint) == (recorded["name"], recorded["fingerprint"])


def test_what_has_changed_is_said(project: Path) -> None:
    good("sweep", "-c", "data/de", "-t", "bpe", "-s", "300", "-o", "runs/de")
    one, two = (project / "data" / "de" / f"{part}.txt" for part in ("one", "two"))
    whole = one.read_bytes()
    one.write_bytes(whole + b"\nAnd one line more.")
    two.rename(two.with_name("three.txt"))
    message = fails(*bench("-c", "runs/de:held-out"))
    assert "the text that runs/de measured on is not there any more." in message
    assert "Found: changed: one.txt; gone: two.txt; new: three.txt." in message
    shutil.rmtree(project / "data" / "de")
    assert "unknown corpus 'data/de'" in fails(*bench("-c", "runs/de:held-out"))


def test_what_is_no_held_out_text_is_refused(project: Path) -> None:
    assert "Found: no such folder." in fails(*bench("-c", "runs/typo:held-out"))
    assert "Found: no run.json in it." in fails(*bench("-c", "data:held-out"))
    message = fails(*bench("-c", "runs/news:held-out", "--text-column", "body"))
    assert "text_column='body' does not fit runs/news:held-out." in message
    good("train", "-c", "data/four.jsonl", "-s", "300", "-o", "runs/trained")
    assert "that run measured nothing" in fails(*bench("-c", "runs/trained:held-out"))
    good(*bench("-c", "data/four.jsonl", "-o", "runs/benched"))
    assert "it was not written by toktk sweep" in fails(*bench("-c", "runs/benched:held-out"))
    for secret in ("https://a.b/c.txt?token=x", "https://me:x@a.b/c.txt"):
        assert recipe([secret], [], ReaderOptions()) == {}
    assert recipe(["https://a.b/c.txt"], [], ReaderOptions())
    file = project / "runs" / "news" / "run.json"
    whole = document(file.parent)
    for damage in (
        "{",
        "[]",
        json.dumps({**whole, "evaluation": {**whole["evaluation"], "name": 1}}),
    ):
        file.write_text(damage, encoding="utf-8")
        assert "run.json is damaged" in fails(*bench("-c", "runs/news:held-out"))
    whole["evaluation"]["recipe"]["options"]["colour"] = "red"
    file.write_text(json.dumps(whole), encoding="utf-8")
    assert "options that this toktk does not have" in fails(*bench("-c", "runs/news:held-out"))
