"""What the command says of the text that it read."""

import gzip
import json

from command_line import fails, good


def test_replaced_sequences_and_rows_without_text_are_said(tmp_path):
    text = tmp_path / "x.jsonl"
    text.write_bytes(
        b'{"text": "caf\xe9 na\xefve"}\n{"text": null}\n{"id": 1}\n{"text": "aaab"}\n' * 9
    )
    out = tmp_path / "out"
    said = good("train", "-c", text, "-s", 260, "-o", out, "--errors", "replace").stderr
    assert "x.jsonl: 18 invalid sequences are read as U+FFFD." in said
    assert "x.jsonl: 18 rows without text are left out." in said
    training = json.loads((out / "run.json").read_text())["training"]
    assert (training["replaced"], training["null_rows"]) == (18, 18)


def test_files_that_are_not_read_are_said_once(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for i in range(30):
        (folder / f"{i}.txt").write_text(f"some words of text {i}\n" * 9)
    (folder / "table.xls").write_text("x")
    (folder / "wide.txt").write_bytes(("plain words\n" * 9).encode("utf-16-le"))
    out = tmp_path / "out"
    said = good("sweep", "-c", folder, "-s", 260, "-o", out).stderr
    assert said.count("not read of texts: 1 .xls.") == 1
    assert said.count("--encoding utf-16-le") == 1
    run = json.loads((out / "run.json").read_text())
    assert run["training"]["parts"]
    assert "not read of texts: 1 .xls." in json.dumps(run)


def test_files_that_are_something_else(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(gzip.compress(b"text\n"))
    assert "gzip, by its first bytes" in fails("train", "-c", path, "-s", 300, "-o", tmp_path / "o")
    path.write_bytes(b"caf\xe9\n" * 99)
    said = fails("train", "-c", path, "-s", 300, "-o", tmp_path / "o")
    assert "--encoding latin-1" in said
    assert "--errors replace" in said
    good("train", "-c", path, "-s", 260, "-o", tmp_path / "o", "--encoding", "latin-1")
    assert "unknown encoding" in fails(
        "train", "-c", path, "-s", 260, "--encoding", "latin-99", code=2
    )
