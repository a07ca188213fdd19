from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from toktk.lab.environment import environment, usable_cores


def test_environment_says_what_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    found = environment()
    assert found["packages"]["numpy"]
    assert found["cache"] == str(tmp_path)
    assert found["usable_cores"] == usable_cores() >= 1
    assert set(found["plugins"]) == {"toktk.trainers", "toktk.pretokenizers", "toktk.metrics"}
    assert json.loads(json.dumps(found)) == found


def test_environment_names_neither_host_nor_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "zaphod-beeblebrox"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("USER", "zaphod-beeblebrox")
    monkeypatch.setenv("TOKTK_HOME", str(home / "cache"))
    monkeypatch.setattr(platform, "node", lambda: "heart-of-gold")
    text = json.dumps(environment())
    assert environment()["cache"] == "~/cache"
    assert "zaphod" not in text
    assert "heart-of-gold" not in text
