"""A gate for the work of other processes: what they want to publish waits until it is opened.

A test that signals a process in the middle of its work would otherwise hang on who is faster.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
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


_SILENT = """
import io, sys, time

class Silent(io.FileIO):
    asked = False

    def write(self, data):
        if not self.asked:
            self.asked = True
            time.sleep(60)
        return super().write(data)

raw = Silent(1, "w", closefd=False)
sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), sys.stdout.encoding, line_buffering=True)
"""


def silent_until_interrupted(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return variables with which a process waits for a signal, at the latest where it writes to stdout."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SILENT, encoding="utf-8")
    folders = [str(folder), *filter(None, [variables.get("PYTHONPATH")])]
    return {**variables, "PYTHONPATH": os.pathsep.join(folders)}
