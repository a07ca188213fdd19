"""What `import toktk` and `toktk --help` may load: the set, because a clock would flake."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from toktk.cli import COMMANDS

HEAVY = {"numba", "llvmlite", "datasets", "pyarrow", "pandas", "tokenizers", "tiktoken", "regex"}
HEAVY |= {"sentencepiece"}
# Not needed to print help either, and together most of what it would cost.
START_UP = HEAVY | {"numpy", "rich", "importlib.metadata", "asyncio", "platformdirs"}

# What an environment's own .pth files load before any code runs is not toktk's doing.
BEFORE = "import sys; before = set(sys.modules)"
REPORT = "import json; print(json.dumps(sorted(set(sys.modules) - before)))"

COMMAND = """
from toktk.cli import main
try:
    main(args={args!r}, prog_name="toktk")
except SystemExit as end:
    assert end.code == 0, end.code
"""


def modules(code: str) -> set[str]:
    """Return the modules that `code` leaves loaded in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{BEFORE}\n{code}\n{REPORT}"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_toktk_loads_nothing_heavy() -> None:
    assert not modules("import toktk") & (START_UP | {"click"})


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["-h"]])
def test_help_loads_nothing_it_does_not_need(args: list[str]) -> None:
    loaded = modules(COMMAND.format(args=args))
    assert "click" in loaded
    assert not loaded & START_UP
    # No subcommand is imported for its help line.
    assert not {f"toktk.cli.{verb}" for verb in COMMANDS} & loaded


@pytest.mark.parametrize("args", [["ls", "metrics"], ["ls", "pretokenizers"], ["env"], ["cache"]])
def test_listing_loads_neither_numba_nor_arrow(args: list[str]) -> None:
    assert sorted(modules(COMMAND.format(args=args)) & HEAVY) == []
