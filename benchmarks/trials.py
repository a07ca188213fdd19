"""What `interrupt.py` and `kill.py` share: made-up text, a home of a trial's own, and what a command leaves.

Linux and macOS alone: terminals and process groups.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "TOKTK_TRIAL"  # a variable that all processes of a trial have
_LETTERS = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдежзиклмнопрстуфхцчшщыэюя",
    "日本語東京都中国漢字文大人",
)
_TEMPORARY = re.compile(r"\.(.*\.[0-9a-f]{8}(-[0-9a-f]{8})?|toktk-[0-9a-f]{16})", re.DOTALL)


def write_text(path: Path, size: int, seed: int = 0) -> Path:
    """Write some `size` characters of made-up lines in three scripts, always the same."""
    chance = random.Random(seed)
    words = [
        "".join(chance.choices(letters, k=chance.randint(1, 3)))
        for letters in _LETTERS
        for _ in range(300)
    ]
    weights = [1 / (1 + i % 300) for i in range(len(words))]
    held = 0
    with path.open("w", encoding="utf-8") as file:
        while held < size:
            parts = chance.choices(words, weights, k=60)
            line = "".join(part + (" " if chance.random() < 0.5 else "") for part in parts)
            held += file.write(line.strip() + "\n")
    return path


def fresh_home(home: Path, kernels: Path | None) -> Path:
    """Make a home without entries; it shares the folder of compiled kernels, if one is given."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if kernels is not None:
        kernels.mkdir(parents=True, exist_ok=True)
        (home / "kernels").symlink_to(kernels.resolve())
    return home


def environment(home: Path, mark: str) -> dict[str, str]:
    """Return the variables of a trial's processes; they import the toktk of this checkout."""
    root = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": root, "TOKTK_HOME": str(home), MARK: mark}


def command(*words: object) -> list[str]:
    """Return a command of toktk's."""
    return [sys.executable, "-m", "toktk", *map(str, words)]


def wait_for_handlers(process: int, limit: float = 30.0) -> None:
    """Wait until toktk sees to signals: what the interpreter does before is not toktk's.

    The system tells that SIGTERM is caught on Linux alone; elsewhere there is no waiting.
    """
    status, end = Path(f"/proc/{process}/status"), time.monotonic() + limit
    while status.exists() and time.monotonic() < end:
        caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text())
        if caught is None or int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)


def survivors(mark: str, group: int) -> list[int]:
    """Return the processes of a trial that live, a moment after it ended; kill them."""
    for _ in range(20):
        alive = _alive(mark, group)
        if not alive:
            return []
        time.sleep(0.05)
    for process in alive:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)
    return alive


def _alive(mark: str, group: int) -> list[int]:
    if not Path("/proc/self/environ").exists():
        try:
            os.killpg(group, 0)
        except OSError:
            return []
        return [-group]
    entry = f"{MARK}={mark}".encode()
    alive = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry in (process / "environ").read_bytes().split(b"\0"):
                alive.append(int(process.name))
    return alive


def litter(home: Path, *places: Path) -> list[str]:
    """Return what is temporary in a home and in other folders, and nobody's."""
    found = [str(path.relative_to(home)) for path in (home / "temporary").glob("*")]
    for place in (home / "cells", home / "kernels", *places):
        for folder, folders, files in os.walk(place):
            hidden = [Path(folder, n) for n in [*folders, *files] if _TEMPORARY.fullmatch(n)]
            # Kernels may be shared with processes that are at work.
            found += [str(path.relative_to(place.parent)) for path in hidden if not _is_owned(path)]
    return found


def _is_owned(path: Path) -> bool:
    """Tell whether a living process holds something temporary, or has just moved it away."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@dataclass
class Ended:
    """How a command on a terminal ended: `seconds` after the key, None if it ended before it."""

    code: int
    seconds: float | None
    screen: str
    group: int


def on_terminal(
    words: Sequence[str],
    variables: dict[str, str],
    until: str,
    after: float = 0.0,
    key: bytes = b"\x03",
    limit: float = 60.0,
) -> Ended:
    """Run a command on a terminal of its own; press a key, Ctrl-C, `after` seconds after it shows `until`."""
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(
            signal.SIGINT, signal.SIG_DFL
        )  # scripts in the background hand on an ignored one
        os.execve(words[0], list(words), variables)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    screen, seen, pressed = b"", None, None
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if seen is not None and pressed is None and time.monotonic() >= seen + after:
            os.write(terminal, key)
            pressed = time.monotonic()
        if not select.select([terminal], [], [], 0.05)[0]:
            continue
        try:
            shown = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            break
        if not shown:
            break
        screen += shown
        if seen is None and until.encode() in screen:
            seen = time.monotonic()
    else:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    seconds = None if pressed is None else time.monotonic() - pressed
    os.close(terminal)
    return Ended(
        os.waitstatus_to_exitcode(status), seconds, screen.decode(errors="replace"), process
    )
