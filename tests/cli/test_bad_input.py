"""Whatever is wrong with text, options or disk ends in a message that says what to do."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path

import command_line
import pytest
from click.testing import CliRunner
from public_samples import byte_level, byte_model, document
from small_corpora import PARALLEL, write_parallel

from toktk.cli import main

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_parallel(tmp_path / "good.jsonl")


def fails(*args: object, verb: str = "sweep", code: int = 1) -> str:
    return command_line.fails(verb, *args, code=code)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# -- text -----------------------------------------------------------------------------------------


def test_a_missing_file() -> None:
    message = fails("-c", "no/such.txt", "-s", "300")
    assert "unknown corpus 'no/such.txt'" in message
    assert "Tried: " in message


def test_a_name_almost_right() -> None:
    assert "did you mean 'starter'?" in fails("-c", "startr")
    assert "did you mean 'eval'?" in fails("-c", "starter", "--eval", "starter:evl")


@pytest.mark.parametrize("verb", ["sweep", "train"])
def test_a_wrong_column(good: Path, verb: str) -> None:
    message = fails("-c", good, "--text-column", "body", "-s", "300", "-o", "x", verb=verb)
    assert "body" in message
    assert "text" in message
    assert "group" in fails("-c", good, "--group-column", "group", "-s", "300")


def test_a_wrong_column_of_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"body": ["a cat"]}), path)
    message = fails("-c", path, "-s", "300")
    assert "text" in message
    assert "body" in message


@pytest.mark.parametrize("name", ["bad.txt", "bad.jsonl"])
def test_invalid_utf8(tmp_path: Path, name: str) -> None:
    good = b'{"text": "good"}\n' if name.endswith("l") else b"good\n"
    path = write(tmp_path / name, good * 3 + good.replace(b"oo", b"\xff\xfe"))
    message = fails("-c", path, "-s", "300")
    assert name in message
    assert "byte" in message
    assert "replace" in message
    found = CliRunner().invoke(
        main, ["sweep", "-c", str(path), "--eval", str(path), "--errors", "replace", "-s", "256"]
    )
    assert found.exit_code == 0, found.stderr
    run = Path(found.stderr.splitlines()[-1])
    assert json.loads((run / "run.json").read_text())["training"]["replaced"] > 0


def test_an_empty_corpus(tmp_path: Path) -> None:
    assert "no documents" in fails("-c", write(tmp_path / "empty.txt", b""), "-s", "300")
    (tmp_path / "folder").mkdir()
    assert "no text in" in fails("-c", tmp_path / "folder", "-s", "300")


def test_too_little_to_hold_out(tmp_path: Path) -> None:
    message = fails("-c", write(tmp_path / "one.txt", b"only one line\n"), "-s", "300")
    assert "one.txt (test)" in message or "one.txt (train)" in message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.parquet", b"PAR1 not really"),
        ("t.jsonl", b'{"text": "a"}\n{"text": \n'),
        ("t.jsonl", b"[1, 2]\n"),
        ("t.jsonl", b'{"text": 3}\n'),
        ("t.txt.gz", b"not gzip"),
        ("t.txt.gz", gzip.compress(b"good text\n" * 500, mtime=0)[:-9]),
        ("t.arrow", b"ARROW1 nor this"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, name: str, data: bytes) -> None:
    assert name in fails("-c", write(tmp_path / name, data), "-s", "300")


def test_text_that_is_not_parallel(tmp_path: Path) -> None:
    rows = [{"text": "a", "lang": "en", "id": "1"}, {"text": "b", "lang": "de", "id": "2"}]
    path = write(tmp_path / "t.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    message = fails("-c", path, "--eval", path, *PARALLEL, "-s", "256")
    assert "not parallel" in message


def test_a_group_called_all(tmp_path: Path) -> None:
    path = write(tmp_path / "all.txt", b"a cat and a hat\n" * 50)
    assert "'all'" in fails("-c", path, "--eval", path, "-s", "260")


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["sweep", "train"])
def test_sizes_out_of_the_question(good: Path, verb: str) -> None:
    args = ["-c", good, *PARALLEL, "-o", "run"]
    message = fails(*args, "-s", "100,200", verb=verb)
    assert "cannot train 200 tokens" in message
    assert "Ask for 256 or more" in message
    message = fails(*args, "-s", "1M", verb=verb)
    assert "cannot reach 1,000,000 tokens" in message
    assert "gives" in message
    assert "not a vocabulary size" in fails(*args, "-s", "big", verb=verb, code=2)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("-t", "bpee", "did you mean 'bpe'?"),
        ("-p", "o200", "did you mean 'o200k'?"),
        ("--pattern", "(", "cannot compile the pattern"),
        ("-m", "paritty", "did you mean 'parity'?"),
        ("--reference", "english", "no reference group 'english'"),
        ("--special", "", "not empty"),
    ],
)
def test_names_that_do_not_exist(good: Path, option: str, value: str, expected: str) -> None:
    code = 1 if option == "--reference" else 2  # which groups there are, the text says
    assert expected in fails("-c", good, *PARALLEL, "-s", "300", option, value, code=code)


# -- disks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["sweep", "train"])
def test_a_folder_that_cannot_be_written(good: Path, tmp_path: Path, verb: str) -> None:
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/below"):
        message = fails("-c", good, *PARALLEL, "-s", "300", "-o", tmp_path / place, verb=verb)
        assert "cannot write to" in message
        assert "-o" in message
    assert (tmp_path / "file").read_text() == "mine"


def fill_disk(monkeypatch: pytest.MonkeyPatch, below: Path) -> None:
    """Let every file that is to come to rest below a folder meet a full disk."""
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).is_relative_to(below):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)


def test_a_full_disk_takes_no_figure_away(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    args = ["sweep", "-t", "bpe", "-c", str(good), *PARALLEL, "-s", "300", "-o", str(folder)]
    with monkeypatch.context() as patch:
        fill_disk(patch, folder)
        result = CliRunner().invoke(main, args)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr
    assert "bpe · o200k" in result.stdout
    assert not [path for path in folder.rglob("*") if path.is_file()]
    again = CliRunner().invoke(main, args)
    assert again.exit_code == 0
    assert "train reused · measure reused" in again.stderr
    assert again.stdout == result.stdout


def test_a_home_without_room_costs_only_the_resuming(
    good: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "cells" / "looked").unlink()
    fill_disk(monkeypatch, home)
    result = CliRunner().invoke(main, ["sweep", "-c", str(good), *PARALLEL, "-s", "300"])
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("an interrupted run starts anew") == 1
    assert not [path for path in (home / "cells").rglob("*") if path.is_file()]


# -- sizes and names beyond all bounds ------------------------------------------------------------

BILLIONS, BIG, HUGE = "2000000000", "1" + "0" * 30, "9" * 5000


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("-s", BILLIONS, "gives"),
        ("--min-frequency", BIG, "min_frequency must be 0 to 9,223,372,036,854,775,807"),
        ("--max-token-length", BIG, "max_token_length must be 1 to 9,223,372,036,854,775,807"),
        ("--special", "\udcff", "no UTF-8"),
        ("--special", "x" * 10**6, "1,000,000 characters, of at most 1,000"),
        ("--pattern", "\udcff", "no UTF-8"),
        ("--pattern", "(" * 5000 + ")" * 5000, "nested more than 100 deep"),
        ("--pattern", "(?R)|.", "calls itself"),
        ("--pattern", "((a{1000}){1000}){1000}|.", "more than 100,000 characters"),
    ],
    ids=lambda value: value[:30].encode("ascii", "replace").decode(),
)
@pytest.mark.parametrize("trainer", ["bpe", "unigram"])
def test_what_nobody_can_mean(
    good: Path, trainer: str, option: str, value: str, expected: str
) -> None:
    sizes, code = ((), 1) if option == "-s" else (("-s", "300"), 2)
    args = ("-c", good, "--eval", good, *PARALLEL, *sizes, "-t", trainer, option, value)
    message = fails(*args, code=code)
    assert expected in message
    assert len(message) < 1000


@pytest.mark.parametrize("option", ["-s", "--min-frequency", "--seed", "--jobs", "--limit"])
def test_numbers_of_thousands_of_digits_are_wrong_usage(good: Path, option: str) -> None:
    fails("-c", good, *PARALLEL, "-s", "300", option, HUGE, code=2)
    for value in (BIG, "9" * 400 + ".5") if option == "-s" else ():
        fails("-c", good, *PARALLEL, option, value, code=2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_tokenizer_is_a_regular_file(good: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    for spec in ("/dev/zero", "pipe.json", "spm:pipe.json"):
        message = fails(spec, "-c", good, *PARALLEL, "--no-throughput", verb="bench")
        assert "no regular file" in message
    assert "no regular file" in fails("pipe.json", "-o", "x.json", verb="convert")


def test_an_absurd_id_is_named_and_costs_no_memory(good: Path, tmp_path: Path) -> None:
    found = document(byte_model(), pre_tokenizer=byte_level())
    found["model"]["vocab"]["zz"] = 2**32 - 1
    (tmp_path / "tokenizer.json").write_text(json.dumps(found))
    message = fails("tokenizer.json", "-c", good, *PARALLEL, "--no-throughput", verb="bench")
    assert 'tokenizer.json: model.vocab["zz"].' in message
    assert "the id 4,294,967,295" in message
