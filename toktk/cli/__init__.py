"""The command line: one file per verb, imported only when used, and the one place errors end.

Data goes to standard output, all else to standard error. Exit codes: 0, 1 an error, 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
from typing import Any

import click

from toktk import __version__
from toktk.cli.streams import open_standard_streams, say, visible_usage
from toktk.errors import ToktkError, did_you_mean, in_a_line
from toktk.visible import visible

# Verb -> its line in --help, which must not cost an import.
COMMANDS = {
    "sweep": "Train at many vocabulary sizes and measure every one.",
    "train": "Train one tokenizer and write it.",
    "bench": "Measure tokenizers on text that none of them has seen.",
    "convert": "Write a tokenizer in another library's format.",
    "ls": "List trainers, pretokenizers, metrics and corpora.",
    "env": "Show versions, machine and cache.",
    "cache": "Show what is stored for the next time, and delete it.",
}


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is asked for, and ends every expected error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of a user's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"toktk.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail with the nearest name."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f"no such command {args[0]!r}{did_you_mean(args[0], COMMANDS)}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their help lines, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the options before the verb; a message about them shows every character."""
        open_standard_streams()
        with visible_usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an expected error becomes a message and an exit code."""
        try:
            with visible_usage():
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly, as a program in a pipe should
        except (ToktkError, OSError) as error:
            if os.environ.get("TOKTK_DEBUG") == "1":
                raise
            say(*f"Error: {_message(error)}".split("\n"))
            ctx.exit(1)
        except KeyboardInterrupt:
            say("Interrupted. Finished work is kept: run the same command again to resume.")
            ctx.exit(130)


def _message(error: ToktkError | OSError) -> str:
    if isinstance(error, ToktkError):
        return str(error)
    place = visible(str(error.filename or _place()))
    what = f"{place}: {error.strerror or in_a_line(error)}."
    advice = "Set TOKTK_DEBUG=1 to see where this happened."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
        advice = "Free space, or choose another place with -o DIR or TOKTK_HOME=DIR."
    return f"{what}\n  {advice}"


def _place() -> str:
    """Return what an error of the system that names no file is about, as far as anybody can know."""
    from pathlib import Path

    try:
        Path.cwd()
    except OSError:
        return "the current folder"
    return "an operation of the system"


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="toktk", message="%(prog)s %(version)s")
def main() -> None:
    """Train tokenizers at every vocabulary size and measure what each costs in every language."""
