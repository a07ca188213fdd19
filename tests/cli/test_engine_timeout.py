"""``--engine-timeout``: a tokenizer that takes too long takes no other's figures away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import command_line
import pytest
from public_samples import GPT2, split

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option sets the variable; it is as before after the test."""
    monkeypatch.setenv("TOKTK_ENGINE_TIMEOUT", "30")


def test_a_tokenizer_that_takes_too_long_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit(n: int = 0) -> float:  # only the document is short of time
        return float(os.environ["TOKTK_ENGINE_TIMEOUT"]) if n >= 200_000 else 300.0

    monkeypatch.setattr("toktk.libraries.process.engine_timeout", limit)
    slow, quick = tmp_path / "slow.json", tmp_path / "quick.json"
    slow.write_text(json.dumps({**GPT2, "pre_tokenizer": split(r"(a+)\1+b")}))
    quick.write_text(json.dumps(GPT2))
    (tmp_path / "text.txt").write_text("a" * 200_000)
    done = command_line.run(
        *("bench", f"slow={slow}", f"quick={quick}", "-c", tmp_path / "text.txt"),
        *("--no-throughput", "-f", "csv", "--engine-timeout", "1", "-o", tmp_path / "run"),
    )
    assert done.exit_code == 1
    assert "\nquick," in done.stdout
    assert "\nslow," not in done.stdout
    left_out = next(line for line in done.stderr.splitlines() if line.startswith("slow is left"))
    assert "took more than 1 s at the document 'aaa" in left_out
    assert list(json.loads((tmp_path / "run" / "run.json").read_text())["failed"]) == ["slow"]


def test_a_pattern_that_takes_too_long_ends_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = lambda n=0: 1.0 if n >= 200_000 else 300.0  # noqa: E731
    monkeypatch.setattr("toktk.pretokenizers.fallback.engine_timeout", limit)
    (tmp_path / "text.txt").write_text("a" * 200_000)
    options = ("-c", tmp_path / "text.txt", "--pattern", r"(a+)\1+b", "-s", "300", "-o", "run")
    error = command_line.fails("sweep", "--eval", tmp_path / "text.txt", *options)
    assert r"cannot cut text by the pattern '(a+)\\1+b'" in error
    assert "took more than 1 s" in error


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "much"])
def test_a_limit_that_is_none_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    assert "seconds above 0" in command_line.fails(
        "bench", "x", "--engine-timeout", seconds, code=2
    )
    monkeypatch.setenv("TOKTK_ENGINE_TIMEOUT", seconds)
    assert "TOKTK_ENGINE_TIMEOUT" in command_line.fails("sweep", code=2)
