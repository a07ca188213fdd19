"""Ctrl-C on a terminal, and too little memory: how the whole command ends."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from held import silent_until_interrupted
from small_corpora import PARALLEL, write_parallel

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals, signals")


@pytest.fixture(scope="module")
def interrupt() -> ModuleType:
    """The script that interrupts every phase, of which a few are enough here."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module("interrupt")
    finally:
        sys.path.remove(str(BENCHMARKS))


PHASES = ["start", "start of numba", "compiling", "count", "train bpe", "ls", "cache"]


@pytest.mark.parametrize("name", PHASES)
def test_ctrl_c_ends_a_command(
    interrupt: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    environment = interrupt.trials.environment
    monkeypatch.setattr(
        interrupt.trials,
        "environment",
        lambda *args: silent_until_interrupted(tmp_path / "site", environment(*args)),
    )
    interrupt.trials.write_text(tmp_path / "text.txt", 300_000)
    (phase,) = (phase for phase in interrupt.PHASES if phase.name == name)
    kernels = Path(os.environ["TOKTK_HOME"]) / "kernels"
    ended, wrong = interrupt.interrupt(phase, tmp_path, kernels)
    assert wrong == [], ended.screen


LIMITS = pytest.mark.skipif(sys.platform != "linux", reason="limits of address space")


def limited(megabytes: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may reserve so much address space."""
    import resource

    limit = megabytes * 10**6
    return subprocess.run(
        [sys.executable, "-m", "toktk", *command],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@LIMITS
# What libraries would do there: refuse, end the process in several ways, or try without end.
@pytest.mark.parametrize("megabytes", [150, 300, 360, 600, 900, 1500, 2200])
def test_too_little_address_space_is_refused(home: Path, tmp_path: Path, megabytes: int) -> None:
    path = write_parallel(tmp_path / "four.jsonl")
    done = limited(megabytes, "sweep", "-c", str(path), *PARALLEL, "-s", "300", "-t", "bpe")
    assert (done.returncode, done.stdout) == (1, "")
    first, found, _ = done.stderr.splitlines()
    assert first.startswith("Error: the libraries that toktk loads may need ")
    assert found.strip() == f"Found: a limit of {megabytes / 1000:.1f} GB (ulimit -v)."


@LIMITS
@pytest.mark.parametrize("command", [("--help",), ("sweep", "--help"), ("cache",), ("ls",)])
def test_what_computes_nothing_needs_little(home: Path, command: tuple[str, ...]) -> None:
    assert limited(150, *command).returncode == 0
