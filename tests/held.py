"""A gate for the work of other processes: what they want to publish waits until it is opened.

A test that signals a process in the middle of its work would otherwise hang on who is faster.
"""

from __future__ import annotations

import os
from pathlib import Path

_SITE = """
import pathlib, re, time

replace, gate = pathlib.Path.replace, pathlib.Path({gate!r})

def replace_when_open(self, target):
    while re.search({held!r}, str(target)) and gate.exists():
        time.sleep(0.005)
    return replace(self, target)

pathlib.Path.replace = replace_when_open
"""


class Gate:
    """While it is closed, a process with `environment` publishes no file whose path holds a pattern."""

    def __init__(self, folder: Path, held: str) -> None:
        folder.mkdir()
        self._gate = folder / "closed"
        self._gate.touch()
        site = _SITE.format(gate=str(self._gate), held=held)
        (folder / "sitecustomize.py").write_text(site, encoding="utf-8")
        self.environment = {**os.environ, "PYTHONPATH": str(folder)}

    def open(self) -> None:
        self._gate.unlink()
