"""The page as a file: whole, alone, the same each time, and no larger than it may be."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_corpora import PARALLEL
from small_runs import held_by, opened, swept, toktk

from toktk.errors import StorageError
from toktk.lab.meter import Meter
from toktk.page.build import SAMPLES, page_of, write_page
from toktk.page.contents import Contents
from toktk.page.shown import merged, shown_run


def test_sweep_and_bench_write_it(sweep_run: Path, bench_run: Path) -> None:
    for run in (sweep_run, bench_run):
        page = (run / "report.html").read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert page.rstrip().endswith("</html>")


def test_no_page_is_written_unasked(sweep_run: Path, tmp_path: Path) -> None:
    folder = swept(tmp_path, "--no-page", n=40, sizes="300")
    assert not (folder / "report.html").exists()
    swept(tmp_path, n=40, sizes="300")
    assert (folder / "report.html").is_file()  # of the run that was there


def test_a_page_of_an_earlier_run_is_told(tmp_path: Path) -> None:
    """Without a page of its own, a new run in the folder does not pass for what the old page shows."""
    folder = swept(tmp_path, n=40, sizes="300")
    before = (folder / "report.html").read_text(encoding="utf-8")
    text = ("-c", tmp_path / "text.jsonl", *PARALLEL)
    command = ("sweep", *text, "-t", "bpe", "-s", "320", "-o", folder, "--no-page")
    assert "report.html is of an earlier run; toktk report" in toktk(*command, "--force").stderr
    assert (folder / "report.html").read_text(encoding="utf-8") == before
    toktk("report", folder, "-q")
    assert "earlier run" not in toktk(*command).stderr


def test_it_points_nowhere(contents: Contents) -> None:
    page = page_of(contents).html
    own = re.sub(r'(id="(?:data|vega)">)[^<]*<', r"\1<", page)
    assert "default-src 'none'" in own
    assert not re.search(r"https?://|//cdn|@import|url\(", own)
    assert set(re.findall(r'\b(?:src|href)\s*=\s*"([^"]*)"', own)) == set()


def test_it_is_the_same_each_time(sweep_run: Path) -> None:
    pages = [page_of(Contents(shown_run(opened(sweep_run)))).html for _ in range(2)]
    assert pages[0] == pages[1]


def test_from_memory_and_from_files_it_is_the_same(sweep_run: Path, tmp_path: Path) -> None:
    """A sweep packs the tokenizers that it trained, a report those that it loads."""
    folder = tmp_path / "run"
    shutil.copytree(sweep_run, folder)
    before = (folder / "report.html").read_text(encoding="utf-8")
    write_page(opened(folder), Meter())
    assert (folder / "report.html").read_text(encoding="utf-8") == before


def test_a_budget_leaves_tokenizers_out(contents: Contents) -> None:
    whole = page_of(contents)
    assert whole.left_out == {}
    assert {label for pack in held_by(whole.html)["packs"] for label in pack["labels"]} == {
        f"{family}-{size}" for family in ("bpe", "unigram") for size in (300, 340, 400)
    }
    least = page_of(contents, 1)
    assert set(least.left_out.values()) <= {"it would make this page too large"}
    assert len(least.html) < len(whole.html)
    middle = page_of(contents, len(whole.html) - 1)
    assert 0 < len(middle.left_out) < 6
    assert len(middle.html.encode()) <= len(whole.html) - 1


def test_what_it_holds(contents: Contents, sweep_run: Path) -> None:
    data = held_by(page_of(contents).html)
    assert data["primary"] == "tokens_per_line"
    assert data["reference"] == "en"
    assert tuple(data["samples"]) == SAMPLES
    assert [group["name"] for group in data["groups"]] == ["all", "en", "de", "ru", "ja"] or data[
        "groups"
    ]
    notes, *metrics = data["metrics"]
    held = {
        (metric["name"], label, data["groups"][int(group)]["name"]): cell
        for metric in metrics
        for label, groups in metric["values"].items()
        for group, cell in groups.items()
    }
    for record in opened(sweep_run).results or ():
        if record.metric.startswith("knee["):
            continue
        cell = held.pop((record.metric, record.tokenizer, record.group))
        value, low, high, note = [*cell, None, None, None, None][:4]
        for shown, exact in ((value, record.value), (low, record.low), (high, record.high)):
            assert shown == exact if exact is None else shown == pytest.approx(exact, rel=1e-6)
        assert (None if note is None else notes["notes"][note]) == record.note
    assert not held


def test_of_many_groups_the_largest_are_shown(
    sweep_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = shown_run(opened(sweep_run))
    sizes = {r.group: r.value for r in shown.results.where(metric="bytes") if r.group != "all"}
    monkeypatch.setattr("toktk.page.figures.MOST_GROUPS", 2)
    page = page_of(Contents(shown))
    data = held_by(page.html)
    names = [group["name"] for group in data["groups"]]
    largest = sorted(sizes, key=lambda group: -(sizes[group] or 0))[:2]
    assert names[0] == "all"
    assert sorted(names[1:]) == sorted(largest)
    assert len(sizes) == 4
    assert "4 groups, the largest 2 shown" in page.html
    assert all(len(row) == 3 for row in (family["curve"]["tokens"] for family in data["families"]))


def test_an_earlier_run_without_counts(sweep_run: Path, tmp_path: Path) -> None:
    run = opened(sweep_run)
    shown = replace(shown_run(run), token_counts={}, curves=None)
    shown = replace(shown, results=replace(shown.results, documents=None))
    page = page_of(Contents(shown))
    data = held_by(page.html)
    assert data["vocabulary"] == {}
    assert data["counts"] == {}
    assert all(row[-1] == "none" for row in data["comparisons"])


def test_text_that_is_not_parallel(bench_run: Path) -> None:
    shown = shown_run(opened(bench_run))
    data = held_by(page_of(Contents(shown)).html)
    assert data["primary"] == "bytes_per_token"
    assert data["reference"] is None
    assert {row[2] for row in data["comparisons"]} == {"bytes_per_token"}


def test_a_tokenizer_that_is_gone(bench_run: Path, sweep_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(bench_run, folder)
    shown = shown_run(
        opened(folder)
    )  # relative to where it was made, its specs lead nowhere or back
    document = json.loads((folder / "run.json").read_text())
    assert set(shown.tokenizers) | set(shown.missing) == set(document["tokenizers"])
    gone = replace(shown, tokenizers={}, missing={"one": "no such file", "two": "no such file"})
    page = page_of(Contents(gone))
    assert page.left_out == {"one": "no such file", "two": "no such file"}
    assert held_by(page.html)["packs"] == []


def test_a_run_that_measured_nothing(tmp_path: Path) -> None:
    from small_corpora import write_parallel

    corpus = write_parallel(tmp_path / "text.jsonl", 40)
    toktk("train", "-c", corpus, "-s", "300", "-o", tmp_path / "run", "-q")
    assert not (tmp_path / "run" / "report.html").exists()
    with pytest.raises(StorageError, match="no figures to show"):
        shown_run(opened(tmp_path / "run"))


def test_two_runs_on_one_page(sweep_run: Path, tmp_path: Path) -> None:
    """Labels that are alike get the name of the run; a tokenizer that both have is shown once."""
    held_out = f"{sweep_run}:held-out"
    toktk(
        "train",
        "-c",
        sweep_run.parent / "text.jsonl",
        "-s",
        "320",
        "-o",
        tmp_path / "trained",
        "-q",
    )
    other = tmp_path / "trained" / "tokenizers" / "bpe-320"
    same = sweep_run / "tokenizers" / "unigram-400"
    toktk("bench", f"bpe-300={other}", f"same={same}", "-c", held_out, "--no-throughput", "-q",
          "-o", tmp_path / "second")  # fmt: skip
    first, second = (shown_run(opened(folder)) for folder in (sweep_run, tmp_path / "second"))
    both = merged([first, second])
    labels = [record.tokenizer for record in both.results]
    assert "bpe-300 (second)" in both.facts
    assert len(both.facts) == len(set(labels)) == len(set(both.tokenizers))
    signatures = [about["signature"] for about in both.facts.values()]
    assert len(set(signatures)) == len(signatures)
    data = held_by(page_of(Contents(both)).html)
    assert "bpe-300 (second)" in [family["name"] for family in data["families"]]


def test_runs_on_different_texts_are_refused(sweep_run: Path, bench_run: Path) -> None:
    with pytest.raises(StorageError, match="measured on different texts"):
        merged([shown_run(opened(sweep_run)), shown_run(opened(bench_run))])
