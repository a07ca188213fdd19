"""A run directory as a user meets it: --force, damage, another run at the same time."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from command_line import fails, good, run
from small_corpora import PARALLEL, write_parallel

from toktk.lab.folder import open_folder

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl")), *PARALLEL]


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("label", ["..", ".", "", "a/b", "/"])
def test_force_leaves_what_no_run_wrote(corpus: list[str], tmp_path: Path, label: str) -> None:
    folder = tmp_path / "thesis"
    (folder / "tokenizers" / "mine").mkdir(parents=True)
    for name in ("chapter.tex", "tokenizers/notes.txt", "tokenizers/mine/notes.txt"):
        (folder / name).write_text("mine")
    (folder / "run.json").write_text(json.dumps({"signature": "x", "tokenizers": {label: {}}}))
    before = contents(folder)
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300", "-o", folder]
    assert "run.json is damaged" in fails(*command)
    shown = good(*command, "--force")
    named = "chapter.tex, tokenizers/mine, tokenizers/notes.txt"
    assert f"left in {folder}, for no run wrote them as they are: {named}" in shown.stderr
    assert before.items() <= contents(folder).items()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_nothing_is_written_through_a_link(corpus: list[str], tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    folder.mkdir()
    (folder / "tokenizers").symlink_to(outside)
    message = fails("sweep", *corpus, "-t", "bpe", "-s", "300", "-o", folder, "--force")
    assert "Found: a link in its place." in message
    assert list(outside.iterdir()) == []
    assert [path.name for path in folder.iterdir()] == ["tokenizers"]


def test_whatever_is_damaged_is_written_anew(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300", "-o", folder, "--no-page"]
    first = good(*command)
    whole = contents(folder)
    names = [*whole, "tokenizers/bpe-300", "tokenizers"]
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        elif name == "curves.parquet":
            path.write_bytes(b"")
        else:
            path.write_bytes(whole[name][:-1] + bytes([whole[name][-1] ^ 1]))
        again = good(*command)
        assert again.stdout == first.stdout, name
        assert "train reused" in again.stderr, name
        assert contents(folder) == whole, name
    assert "nothing was computed" in good(*command).stderr
    # A figure in run.json that was changed by hand is no figure of this run.
    text = (folder / "run.json").read_text(encoding="utf-8")
    (folder / "run.json").write_text(text.replace('"size": 300', '"size": 301'), encoding="utf-8")
    assert "nothing was computed" not in good(*command).stderr
    for damaged in ("", text[: len(text) // 2], '{"schema": 2, "schema": 2}', "[" * 100_000):
        (folder / "run.json").write_text(damaged, encoding="utf-8")
        assert "overwrite it with --force" in fails(*command)
    assert good(*command, "--force").stdout == first.stdout
    assert contents(folder) == whole


def test_two_runs_do_not_write_into_one_folder(corpus: list[str], tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    folder = tmp_path / "run"
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300", "-o", folder]
    with open_folder(folder):
        message = fails(*command)
        assert f"another run is being written to {folder}" in message
        assert list(folder.iterdir()) == []
    first = good(*command)
    with open_folder(folder):  # what is complete can be read all the same
        assert good(*command).stdout == first.stdout
        assert "another run" in fails(*command, "--force")


@pytest.mark.parametrize("label", ["..", ".", ".x", "con", "\x1b[2J", "x" * 201])
def test_a_label_that_cannot_name_a_file_is_refused(
    corpus: list[str], tmp_path: Path, label: str
) -> None:
    good("train", *corpus, "-s", "300", "-o", tmp_path / "run")
    spec = f"{label}={tmp_path / 'run' / 'tokenizers' / 'bpe-300'}"
    assert "a tokenizer cannot be called" in run("bench", spec, *corpus, "--no-throughput").stderr
