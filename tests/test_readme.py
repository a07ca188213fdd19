"""Every Python block of the README runs, one after the other, as a reader would type them."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from small_corpora import fresh_home, lines

README = Path(__file__).parents[1] / "README.md"


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
