"""How a command ends that fails: whatever the error, some lines for the user and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import click

from toktk import interruption
from toktk.cli.streams import say
from toktk.errors import ToktkError, in_a_line
from toktk.visible import visible

_PLACES = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}
_FILES = {errno.EMFILE, errno.ENFILE}
_WHERE = "Set TOKTK_DEBUG=1 to see where this happened."


class OutOfMemory(SystemExit):
    """The end of a process that had too little memory: libraries that lacked it may crash as they end."""


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """End the process at an error; TOKTK_DEBUG=1 lets it through, with its traceback.

    Errors of click's, and a pipe that nobody reads any more, are left to click.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, KeyboardInterrupt) or interruption.received():
            # Whatever the error: it is the interruption that set it off.
            interruption.say()
            sys.exit(interruption.exit_code())
        if isinstance(error, (click.ClickException, click.exceptions.Exit, BrokenPipeError)):
            raise
        if os.environ.get("TOKTK_DEBUG") == "1":
            raise
        traceback.clear_frames(error.__traceback__)  # what could not be held is not needed any more
        message = described(error)
        code = 2 if isinstance(error, ToktkError) and error.is_usage else 1
        end = OutOfMemory if _is_out_of_memory(error) else SystemExit
    else:
        return
    say(*f"Error: {message}".split("\n"))
    raise end(code)


def described(error: Exception) -> str:
    """Return what went wrong, during which step, and what to do."""
    if isinstance(error, ToktkError):
        return str(error)
    what, *advice = _lines(error)
    steps = getattr(error, "__notes__", ())  # of `toktk.lab.meter.Meter`, the innermost first
    return "\n  ".join([what, *(visible(f"During: {step}.") for step in steps[:1]), *advice])


def _lines(error: Exception) -> tuple[str, ...]:
    name = type(error).__name__
    with contextlib.suppress(Exception):  # an error of a plug-in may be unable to say what it is
        name = f"{name}: {in_a_line(error)}".removesuffix(": ").removesuffix(".")
    if _is_out_of_memory(error):
        advice = "Free memory, or give less text, fewer groups or a smaller --jobs."
        return "out of memory.", f"Found: {name}.", f"{advice} Finished work is kept."
    if isinstance(error, ImportError):
        advice = "Free memory, or install the package anew."
        return "a package cannot be loaded.", f"Found: {name}.", advice, _WHERE
    if isinstance(error, RecursionError):
        advice = "Look for it in the files and patterns that were given."
        return "something is nested too deeply.", f"Found: {name}.", advice, _WHERE
    if isinstance(error, OSError):
        place = visible(str(error.filename or _place()))
        what = f"{place}: {error.strerror or in_a_line(error)}."
        if error.errno in _PLACES:
            return what, "Free space, or choose another place with -o DIR or TOKTK_HOME=DIR."
        if error.errno in _FILES:
            return what, "Close other programs, or raise the limit of open files (ulimit -n)."
        return what, _WHERE
    return f"{name}.", "This is a fault of toktk, or of a plug-in: please report it.", _WHERE


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM


def _place() -> str:
    """Return what an error of the system that names no file is about, as far as anybody can know."""
    try:
        Path.cwd()
    except OSError:
        return "the current folder"
    return "an operation of the system"
