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


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory")
# Around 300, Arrow starts a thread for its memory, and the C library ends the process where it has none left.
@pytest.mark.parametrize("megabytes", [150, 400])
def test_too_little_memory_is_an_error(home: Path, tmp_path: Path, megabytes: int) -> None:
    import resource

    path = write_parallel(tmp_path / "four.jsonl")
    command = ["sweep", "-c", str(path), *PARALLEL, "-s", "300", "-t", "bpe", "-o", "run"]
    limit = megabytes * 10**6
    done = subprocess.run(
        [sys.executable, "-m", "toktk", *command],
        # A thread for each core would take memory by the number of cores.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line[:2] != "  "][-1][:7] == "Error: "
