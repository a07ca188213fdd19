"""``toktk report``: pages, pictures and tables of stored runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import fails, good, run
from small_corpora import PARALLEL, write_parallel
from small_runs import data_of

SWEEP = (*PARALLEL, "-t", "bpe", "-s", "300,400")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    corpus = write_parallel(folder / "text.jsonl", 300)
    good(
        "sweep",
        "-c",
        corpus,
        *PARALLEL,
        "-t",
        "bpe",
        "-s",
        "300,400",
        "-o",
        folder / "run",
        "-q",
        "--no-page",
    )
    return folder / "run"


def test_page_of_one_run(swept: Path) -> None:
    result = good("report", swept)
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == str(swept / "report.html")
    assert (swept / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    again = good(
        "sweep",
        "-c",
        swept.parent / "text.jsonl",
        *PARALLEL,
        "-t",
        "bpe",
        "-s",
        "300,400",
        "-o",
        swept,
    )
    assert (
        "This run is complete" in again.stderr
    )  # the page is no part of what a run is recognized by


def test_page_elsewhere_with_pictures_and_tables(swept: Path, tmp_path: Path) -> None:
    result = good(
        "report",
        swept,
        "-o",
        tmp_path / "page.html",
        "--charts",
        tmp_path / "charts",
        "--tables",
        tmp_path / "t",
    )
    written = result.stderr.splitlines()
    assert all(Path(line).is_file() for line in written)
    names = {Path(line).name for line in written}
    assert names >= {"page.html", "card.png", "languages.svg", "tokenizers.tex"}


def test_quiet(swept: Path, tmp_path: Path) -> None:
    result = good("report", swept, "-o", tmp_path / "page.html", "-q")
    assert (result.stdout, result.stderr) == ("", "")


def test_a_small_page_says_what_is_left_out(swept: Path, tmp_path: Path) -> None:
    result = good("report", swept, "-o", tmp_path / "page.html", "--size", "10kB")
    assert (tmp_path / "page.html").is_file()
    assert "bpe-400" not in result.stderr or "cannot be tried in the page" in result.stderr


def test_several_runs_have_names(swept: Path, tmp_path: Path) -> None:
    made = swept / "tokenizers"
    good(
        "bench",
        f"other={made / 'bpe-300'}",
        "-c",
        f"{swept}:held-out",
        "--no-throughput",
        "-q",
        "-o",
        tmp_path / "b",
    )
    good("report", f"ours={swept}", f"theirs={tmp_path / 'b'}", "-o", tmp_path / "team.html", "-q")
    assert "ours and theirs" in (tmp_path / "team.html").read_text(encoding="utf-8")


def test_what_is_no_run(tmp_path: Path) -> None:
    assert "holds no run" in fails("report", tmp_path)
    assert "holds no run" in fails("report", tmp_path / "nothing")
    assert run("report").exit_code == 2


def test_where_it_cannot_be_written(swept: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot" in fails("report", swept, "-q", "-o", tmp_path / "file" / "page.html")


def test_the_page_of_a_comparison(swept: Path, tmp_path: Path) -> None:
    """Of a run, and of tokenizers on a text; it holds what was asked for, and no more."""
    page = tmp_path / "compared.html"
    good(
        "compare", swept, "--baseline", "bpe-300", "-g", "all", "--zone", "2%", "--page", page, "-q"
    )
    data = data_of(page)
    assert [row[:4] for row in data["comparisons"]] == [
        ["bpe-400", "bpe-300", "tokens_per_line", "all"]
    ]
    assert data["zone"] == 0.02
    made = swept / "tokenizers"
    result = good("compare", f"one={made / 'bpe-300'}", f"two={made / 'bpe-400'}", "-c", f"{swept}:held-out",
                  "--page", page)  # fmt: skip
    assert result.stderr.splitlines()[-1] == str(page)
    data = data_of(page)
    assert {row[0] for row in data["comparisons"]} == {"one"}
    assert [family["name"] for family in data["families"]] == ["one", "two"]
    assert {label for pack in data["packs"] for label in pack["labels"]} == {"one", "two"}


def test_no_page_of_different_texts(swept: Path, tmp_path: Path) -> None:
    good("bench", f"bpe-300={swept / 'tokenizers' / 'bpe-300'}", "-c", swept.parent / "text.jsonl", *PARALLEL,
         "--no-throughput", "-q", "--no-page", "-o", tmp_path / "other")  # fmt: skip
    result = run(
        "compare", swept, tmp_path / "other", "--allow", "corpus", "--page", tmp_path / "page.html"
    )
    assert result.exit_code == 1
    assert "measured on different texts" in result.stderr
