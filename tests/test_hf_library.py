"""Hugging Face tokenizers is used through one module, and that module says what is used."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from pathlib import Path

import toktk
from toktk import hf_library

ROOT = Path(toktk.__file__).parent
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_no_other_module_imports_the_library() -> None:
    importing = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            if "tokenizers" in {name.partition(".")[0] for name in names}:
                importing.add(path.relative_to(ROOT).as_posix())
    assert importing == {"hf_library.py"}


def test_what_is_used_is_there_and_is_used() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    source += (
        "BpeTrainer UnigramTrainer WordPieceTrainer models.BPE models.Unigram"  # by their kind
    )
    for path in hf_library.USED:
        functools.reduce(getattr, path.split("."), hf_library)
        assert source.count(path.rpartition(".")[2]) > 1, path


def test_another_version_is_compared() -> None:
    spec = importlib.util.spec_from_file_location("versions", BENCHMARKS / "tokenizers_versions.py")
    versions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(versions)
    here = versions.probe(sys.executable, hf_library.USED)
    assert versions.compared(here, here) == [f"tokenizers {here[0]}: all that toktk uses is there"]
    other = versions.probe(sys.executable, ("Tokenizer.of_the_future",))
    other[2]["normalize"] = ["works", "other"]
    other[2]["train BPE"] = ["fails", "AttributeError: trainers"]
    assert versions.compared(here, other) == [
        f"tokenizers {here[0]}: lacks Tokenizer.of_the_future",
        f"tokenizers {here[0]}: train BPE fails: AttributeError: trainers",
        f"tokenizers {here[0]}: normalize gives another result than {here[0]}",
    ]
