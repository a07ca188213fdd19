from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and an empty folder to run in."""
    monkeypatch.chdir(tmp_path)
    return home
