"""What `import toktk` and `toktk --help` may load: the set, because a clock would flake."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import toktk.kernels
from toktk.cli import COMMANDS
from toktk.tokenizer import Tokenizer

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


@pytest.mark.usefixtures("home")
def test_a_bench_from_the_store_loads_no_compiler(tokenizer: Tokenizer, tmp_path: Path) -> None:
    text, vocabulary, folder = tmp_path / "text.txt", tmp_path / "t.json", tmp_path / "run"
    text.write_text("One sentence. Und noch einer.\n" * 20, encoding="utf-8")
    tokenizer.save(vocabulary)
    args = ["bench", str(vocabulary), "-c", str(text), "--no-throughput", "-q", "-o", str(folder)]
    assert "numba" in modules(COMMAND.format(args=args))  # it counts
    page = (folder / "report.html").read_bytes()
    loaded = modules(COMMAND.format(args=args))
    assert not loaded & {"numba", "llvmlite", "scipy", "altair", "vl_convert", "pandas", "datasets"}
    assert (folder / "report.html").read_bytes() == page


KERNELS = Path(toktk.kernels.__file__).parent


@pytest.mark.parametrize("path", sorted(KERNELS.glob("*.py")), ids=lambda path: path.stem)
def test_compiled_functions_call_no_method_of_arrays(path: Path) -> None:
    """Their machine code would name `numba.np.arraymath`, which loads scipy."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    compiled = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(
            isinstance(d, ast.Name) and d.id in ("kernel", "inlined") for d in node.decorator_list
        )
    ]
    called = [
        f"{path.name}:{node.lineno}: .{node.func.attr}()"
        for function in compiled
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr
        in ("sum", "min", "max", "any", "all", "mean", "argmin", "argmax", "prod")
    ]
    assert not called


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_compiled_kernels_load_without_what_compiles_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba's registries would import scipy and more, 0.2 s; other packages bring extensions of it."""
    (tmp_path / "numba_extension.py").write_text("def init():\n    pass\n")
    package = tmp_path / "extends_numba-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: extends-numba\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[numba_extensions]\ninit = numba_extension:init\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    call = "import numpy; from toktk.kernels.hash import hash_spans; "
    call += "hash_spans(numpy.zeros(8, numpy.uint8), numpy.array([0, 8]))"
    subprocess.run([sys.executable, "-c", call], check=True)  # compiled from here on
    assert not modules(call) & {"numba.np.arraymath", "scipy.linalg", "numba_extension"}
