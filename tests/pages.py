"""README and the pages of docs/: their blocks, run as a reader runs them.

``python`` blocks of a page share one namespace, ``sh`` blocks one folder. A block that begins with a comment
that is a path, as in ``# sample/words.py``, is written to that file as well. A command may end in a comment
``# exit code 3``. A ``text`` block is what the blocks since the last one print, on standard output or
standard error.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from toktk.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.M | re.S)
_FILE = re.compile(r"# ([\w.-]+(?:/[\w.-]+)*\.\w+)\n")
_EXIT_CODE = re.compile(r"# exit code (\d+)")
_OPERATORS = set("|&;<>()")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what is in it, and the number of its first line."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The path of the file that the block is to be, if it says so."""
        path = _FILE.match(self.text)
        return path[1] if path else None

    def commands(self) -> Iterator[str]:
        """Yield the commands of a ``sh`` block, lines that go on in the next joined."""
        for line in re.sub(r"\\\n\s*", "", self.text).splitlines():
            if line.strip() and not line.startswith("#"):
                yield line.strip()


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(fence[1], fence[2], text.count("\n", 0, fence.start()) + 2)
        for fence in _FENCE.finditer(text)
    ]


def scripts_in(document: Any) -> Iterator[str]:
    """Yield the shell scripts of a GitHub workflow, and the commands of pre-commit hooks."""
    if isinstance(document, list):
        for item in document:
            yield from scripts_in(item)
    elif isinstance(document, dict):
        if "run" in document:
            yield document["run"]
        elif "entry" in document:
            yield f"{document['entry']} {shlex.join(document.get('args', []))}"
        for value in document.values():
            yield from scripts_in(value)


@dataclass
class Reader:
    """Someone who follows a page, in the current folder.

    Attributes:
        not_run: commands, and first lines of Python blocks, that are not run, each with the reason.
        instead: what stands in for text of a command, such as a name on the hub.
        names: the namespace of the page's Python.
        printed: what the blocks since the last ``text`` block printed.
        commands: those of the shell since the last ``text`` block.
        expected: each ``text`` block, the commands above it, and what was printed there.
    """

    not_run: Mapping[str, str]
    instead: Mapping[str, str]
    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""
    commands: list[str] = field(default_factory=list)
    expected: list[tuple[Block, str, str]] = field(default_factory=list)

    def follow(self, blocks: list[Block]) -> None:
        """Run all blocks in their order."""
        for block in blocks:
            if block.file:
                self.write(Path(block.file), block.text)
            if block.language == "python" and block.text.partition("\n")[0] not in self.not_run:
                self.printed += self._python(block)
            elif block.language == "sh":
                for command in block.commands():
                    self.printed += self._shell(command)
            elif block.language == "yaml":
                for script in scripts_in(yaml.safe_load(block.text)):
                    if script not in self.not_run:
                        self.printed += self._bash(script)
            elif block.language == "text":
                self.expected.append((block, "\n".join(self.commands), self.printed))
                self.printed, self.commands = "", []

    def write(self, path: Path, text: str) -> None:
        """Write a file of the page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _python(self, block: Block) -> str:
        # Lines are numbered as in the page, for tracebacks.
        code = compile("\n" * (block.line - 1) + block.text, "<page>", "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, self.names)
        return out.getvalue()

    def _shell(self, command: str) -> str:
        self.commands.append(command)
        if command in self.not_run:
            return ""
        for text, stand_in in self.instead.items():
            command = command.replace(text, stand_in)
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        words = list(lexer)
        wanted = _EXIT_CODE.search(command)
        code = int(wanted[1]) if wanted else 0
        if words[0] != "toktk" or any(set(word) <= _OPERATORS for word in words):
            return self._bash(command, code)
        args = [os.path.expandvars(word) for word in shlex.split(command, comments=True)[1:]]
        result = CliRunner().invoke(main, args)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, f"{command}\n{result.output}"
        return result.output

    def _bash(self, script: str, code: int = 0) -> str:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, f"{script}\n{done.stdout}"
        return done.stdout


def figures_of(line: str) -> list[str]:
    """Return the words of a line, however wide its columns are."""
    return [word for word in line.split() if not set(word) <= set("─")]


def missing_lines(block: Block, printed: str) -> list[str]:
    """Return the lines of a ``text`` block that are not in what was printed, in this order.

    After … at the end of a line, and in place of a line that begins with it, anything may stand.
    """
    rest = iter([figures_of(line) for line in printed.splitlines()])
    missing = []
    for line in block.text.splitlines():
        words = figures_of(line)
        if not words or words[0] == "…":
            continue
        n = len(words) - 1 if words[-1] == "…" else None
        if not any(found[:n] == words[:n] for found in rest):
            missing.append(line)
    return missing
