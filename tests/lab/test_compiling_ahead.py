"""What a sweep needs later is compiled beside it, the first time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toktk.kernels import machine_code
from toktk.kernels.machine_code import MachineCode
from toktk.lab import compile_worker, compiling
from toktk.lab.compiling import COMPILED, compiled_ahead


class Started:
    """A child that does nothing."""

    def __init__(self, module: str) -> None:
        self.asked: list[Any] = [module]

    def ask(self, what: str, **arguments: Any) -> None:
        self.asked += [what, arguments]

    def close(self) -> None:
        self.asked.append("closed")


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    started: list[Started] = []

    def start(module: str) -> Started:
        started.append(Started(module))
        return started[-1]

    monkeypatch.setattr(compiling, "Child", start)
    return started


def test_a_process_compiles_where_nothing_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[Started]
) -> None:
    monkeypatch.setattr(compiling, "MACHINE_CODE", MachineCode(tmp_path / "code"))
    with compiled_ahead(["bpe", "hf-bpe", "bpe"], 2):
        pass
    (child,) = children
    assert child.asked[0] == "toktk.lab.compile_worker"
    assert child.asked[-1] == "closed"


@pytest.mark.parametrize(("trainers", "jobs"), [(["bpe"], 1), (["hf-bpe"], 2), ([], 2)])
def test_none_is_started_for_one_thread_or_nothing_to_compile(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    children: list[Started],
    trainers: list[str],
    jobs: int,
) -> None:
    monkeypatch.setattr(compiling, "MACHINE_CODE", MachineCode(tmp_path / "code"))
    with compiled_ahead(trainers, jobs):
        pass
    assert children == []


def test_none_is_started_where_code_is_there_or_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[Started]
) -> None:
    (tmp_path / "code").mkdir(mode=0o700)
    (tmp_path / "code" / f"kernel{machine_code._SUFFIX}").touch()
    for code in (MachineCode(tmp_path / "code"), MachineCode(None)):
        monkeypatch.setattr(compiling, "MACHINE_CODE", code)
        with compiled_ahead(["bpe"], 2):
            pass
    assert children == []


def test_the_worker_trains_and_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it calls is called with what it takes, trainer by trainer."""
    assert set(compile_worker._TRAINERS) == set(COMPILED)
    measured: list[int] = []
    evaluate = compile_worker.evaluate

    def spied(table: Any, models: Any, **options: Any) -> Any:
        evaluations = evaluate(table, models, **options)
        measured.append(int(evaluations[0].tokens(models[0].vocab_size).sum()))
        return evaluations

    monkeypatch.setattr(compile_worker, "evaluate", spied)
    compile_worker.Session().compile(list(COMPILED))
    assert len(measured) == len(COMPILED)
    assert min(measured) > 0
