"""README's Python blocks run, one after the other, and its tables are what its commands print."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from small_corpora import fresh_home, lines

README = Path(__file__).parents[1] / "README.md"
STARTER = {"training": "f72e579c2d8b1acf", "evaluation": "a05ef92e59ed7c1c"}
"""How the fingerprints begin of the text that README's tables are of."""


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def news(folder: Path) -> Path:
    """Write a small news.parquet whose words suffice for 50,000 tokens."""
    chance = random.Random(1)
    letters = "abcdefghijklmnoprstuvwz"
    texts = [
        " ".join("".join(chance.choices(letters, k=8)) for _ in range(100)) for _ in range(200)
    ]
    texts += lines("en") + lines("de")
    groups = ["en", "de"] * (len(texts) // 2) + ["en"] * (len(texts) % 2)
    parquet.write_table(pa.table({"text": texts, "lang": groups}), folder / "news.parquet")
    return folder / "news.parquet"


@pytest.fixture
def o200k(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiktoken know an o200k_base without the network: its pattern, and bytes alone."""
    import tiktoken
    import tiktoken.registry

    from toktk.pretokenizers.patterns import PATTERNS

    encoding = tiktoken.Encoding(
        "o200k_base",
        pat_str=PATTERNS["o200k"],
        mergeable_ranks={bytes([b]): b for b in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "o200k_base", encoding)


def test_every_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, o200k: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKTK_HOME", str(fresh_home(tmp_path / "home")))
    news(tmp_path)
    names: dict[str, Any] = {}
    ten_lines, more, trainer = blocks()
    exec(ten_lines, names)
    mine, results = names["mine"], names["results"]
    assert [tokenizer.vocab_size for tokenizer in mine.values()] == [8_000, 50_000]
    assert {record.tokenizer for record in results} == {"bpe-8k", "bpe-50k", "o200k_base"}
    shown = repr(results).splitlines()
    assert shown[0].startswith("3 tokenizers  on the held-out part of news.parquet")
    assert all(any(line.startswith(name) for line in shown) for name in ("bpe-50k", "o200k_base"))
    assert len(results.to_pandas()) == len(results)
    assert (tmp_path / "tokenizers" / "mine" / "tokenizer.json").exists()
    exec(more, names)
    small, loaded = names["small"], names["loaded"]
    assert small.vocab_size == 280
    assert (loaded.name, loaded.engine, loaded.why) == ("small", "native", "")
    assert loaded.encode("the mat") == small.encode("the mat")
    assert {r.metric for r in names["results"]} >= {"tokens", "parity[en]"}
    exec(trainer, names)
    assert names["WordTrainer"].card.nested


def test_the_ten_lines_come_first() -> None:
    text = README.read_text(encoding="utf-8")
    first_screen = text.splitlines()[:25]
    assert "```python" in first_screen
    assert len(blocks()) == 3


# The tables, by the commands above them


def tables() -> tuple[list[str], list[str]]:
    """Return the lines of the table of the sweep, and of the bench."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)
    sweep, bench = (b.splitlines() for b in fenced if re.match(r"\d tokenizers", b))
    return sweep, bench


def figures_of(line: str) -> list[str]:
    """Return the words of a row, however wide its columns are."""
    return [word for word in line.split() if not set(word) <= set("─")]


def shown_by(*args: str) -> tuple[list[list[str]], dict[str, Any]]:
    """Run toktk; return the rows that it prints, and run.json."""
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "toktk", *args],
        env=environment, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    document = json.loads((Path(args[-1]) / "run.json").read_text(encoding="utf-8"))
    return [figures_of(line) for line in done.stdout.splitlines()], document


def check_starter(document: dict[str, Any]) -> None:
    """Skip where the figures are of other text: the starter corpus has the installed Python's library."""
    for role, fingerprint in STARTER.items():
        if document[role]["fingerprint"][:16] != fingerprint:
            pytest.skip(f"the tables are of another Python's library ({role})")


def test_the_sweep_of_the_front_page_for_bpe(tmp_path: Path, home: Path) -> None:
    shown, document = shown_by("sweep", "-t", "bpe", "-o", str(tmp_path / "run"))
    check_starter(document)
    rows = [figures_of(line) for line in tables()[0]]
    sizes = {row[0]: row[3:] for row in rows if row[1:2] == ["bpe"]}
    assert list(sizes) == ["8k", "16k", "32k", "50k", "64k", "100k", "128k"]
    for size, figures in sizes.items():
        assert [size, *figures] in shown
    at = rows.index(["group", *["8k", "8k", "32k", "32k", "64k", "64k", "128k", "128k"]])
    heads = next(row for row in shown if row[:1] == ["group"])
    columns = [heads.index(size) for size in ("8k", "32k", "64k", "128k")]
    by_group = {row[0]: row for row in shown if len(row) >= len(heads) - 1}
    checked = 0
    for row in rows[at + 2 :]:
        if len(row) == 9 and row[0] != "±":  # that row is of both trainers, or of a section
            assert row[1::2] == [by_group[row[0]][i] for i in columns]
            checked += 1
    assert checked >= 10


@pytest.mark.skipif(not os.environ.get("TOKTK_TEST_README"), reason="TOKTK_TEST_README is not set")
def test_both_tables_are_those_of_the_commands_above_them(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``TOKTK_TEST_README`` is the folder that the commands call $D."""
    monkeypatch.chdir(tmp_path)
    shown, document = shown_by("sweep", "-o", "runs/first")
    check_starter(document)
    for line in tables()[0]:
        assert line.startswith("…") or figures_of(line) in shown, line
    (command,) = re.findall(r"^toktk (bench v1=.*)$", README.read_text(encoding="utf-8"), re.M)
    args = command.replace("$D", os.environ["TOKTK_TEST_README"]).split()
    shown, _ = shown_by(*args, "--no-throughput", "-o", "bench")
    for line in tables()[1]:
        assert figures_of(line) in shown, line
