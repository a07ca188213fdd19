"""The standard streams: remarks and messages with foreign characters visible, and streams that fail."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import click

from toktk.errors import StorageError
from toktk.visible import json_text, visible

SCHEMA = 1
"""Of the events that are written as JSON; see `docs/progress.md`."""

JSON_EVENTS = f"{__name__}.json"
"""The key in the `meta` of click's context: whether what a command remarks on is a JSON event."""

# What tables and lines are written with, where the encoding of a stream has no more than ASCII.
_IN_ASCII = str.maketrans("─━–…·×│⟨⟩↵→◌", "--~.*x|[]$>o")


def say(*lines: str) -> None:
    """Write lines to standard error, with foreign characters visible.

    Where they cannot be written, nobody reads them, and the work goes on.
    """
    _say(writable("\n".join(map(visible, lines)), sys.stderr))


def say_json(value: object) -> None:
    """Write a value as a line of JSON to standard error, in UTF-8 whatever its encoding."""
    _say(json_text(value).encode())


def remark(*lines: str) -> None:
    """Say lines, if any, that are no error; each is an event where the command shows progress as JSON."""
    if not lines:
        return
    context = click.get_current_context(silent=True)
    if context is None or not context.meta.get(JSON_EVENTS):
        say(*lines)
        return
    for line in lines:
        say_json(remark_event(line))


def remark_event(text: str) -> dict[str, Any]:
    """Return the event of a remark."""
    return {"schema": SCHEMA, "event": "remark", "text": text}


def _say(line: str | bytes) -> None:
    try:
        click.echo(line, err=True)
    except OSError:
        _give_up(2)


def write(data: str | bytes) -> None:
    """Write to standard output: data in bytes as it is, a table as text.

    Raises:
        BrokenPipeError: nobody reads it any more.
        StorageError: it is closed, or on a full disk.
    """
    why = "it is closed"
    if sys.stdout is not None:
        try:
            click.echo(data, nl=False)
            return
        except BrokenPipeError:
            raise
        except OSError as error:
            _give_up(1)
            why = error.strerror or str(error)
    raise StorageError(
        "cannot write to standard output.",
        f"Found: {why}.",
        "Send it elsewhere; what is finished is kept, and shown at once by the same command.",
    )


def on_screen() -> bool:
    """Return whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def writable(text: str, stream: TextIO | None) -> str:
    """Return text as the encoding of a stream can hold it: what it lacks in ASCII, or escaped.

    To leave that to click would be UTF-8 where the stream is ASCII.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_IN_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def open_standard_streams() -> None:
    """Open nothing in place of standard streams that are closed: no file may take their numbers."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


@contextlib.contextmanager
def visible_usage() -> Iterator[None]:
    """Let click's messages about wrong usage quote foreign characters as `visible` shows them."""
    try:
        yield
    except (click.MissingParameter, click.exceptions.NoArgsIsHelpError):
        raise  # they quote nothing, and have several lines
    except click.UsageError as error:
        message = writable(visible(error.format_message()), sys.stderr)
        raise click.UsageError(message, error.ctx) from error


def _give_up(descriptor: int) -> None:
    """Let what is still to be written to a stream vanish: Python would fail at it again at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
