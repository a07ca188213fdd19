"""A sweep and a bench, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_runs import benched, opened, swept

from toktk.page.contents import Contents
from toktk.page.shown import shown_run


@pytest.fixture(scope="session")
def sweep_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("page"), "--special", "<s>")


@pytest.fixture(scope="session")
def bench_run(sweep_run: Path) -> Path:
    return benched(sweep_run.parent, sweep_run)


@pytest.fixture(scope="session")
def contents(sweep_run: Path) -> Contents:
    return Contents(shown_run(opened(sweep_run)))
