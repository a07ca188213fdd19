"""The command line: one file per verb, imported only when used.

Data goes to standard output, all else to standard error. Exit codes: 0, 1 an error, 2 wrong usage,
3 a gate failed, 128 and the number of the signal that interrupted: 130, 143 (SIGTERM) or 129 (SIGHUP).
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from toktk import __version__
from toktk.address_space import check_address_space
from toktk.cli.ending import ended
from toktk.cli.streams import open_standard_streams, visible_usage
from toktk.cli.verb import Verb
from toktk.errors import did_you_mean

# Verb -> its line in --help, which must not cost an import.
COMMANDS = {
    "sweep": "Train at many vocabulary sizes and measure every one.",
    "train": "Train one tokenizer and write it.",
    "bench": "Measure tokenizers on text that none of them has seen.",
    "compare": "Say which tokenizer is better, worse or equivalent, with intervals.",
    "cost": "Say what each vocabulary size costs a model.",
    "replicate": "Run a stored run again, or train on resamples of its text.",
    "report": "Write the page of one or more runs, their charts or their tables.",
    "audit": "Say what is wrong with a tokenizer, or with a text.",
    "show": "Draw how a text falls apart into tokens.",
    "convert": "Write a tokenizer in another library's format.",
    "count": "Count the pieces of a text, on one machine or on many.",
    "encode": "Write a text as token shards, for training loops.",
    "ls": "List trainers, pretokenizers, metrics, corpora and the like.",
    "env": "Show versions, machine and cache.",
    "cache": "Show what is stored for the next time, and delete it.",
}
_LIGHT = ("ls", "env", "cache")
"""Verbs that load no library which reserves much memory."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is asked for, and ends every error."""

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
        if not (args[0] in _LIGHT or "--help" in args or ctx.resilient_parsing):
            check_address_space()
        name, command, rest = super().resolve_command(ctx, args)
        if isinstance(command, Verb) and rest and rest[0] in command.below:
            return f"{name} {rest[0]}", command.below[rest[0]], rest[1:]
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs with their help lines, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments; an error becomes a message and an exit code."""
        open_standard_streams()
        with ended(), visible_usage():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error becomes a message and an exit code."""
        with ended(), visible_usage():
            return super().invoke(ctx)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="toktk", message="%(prog)s %(version)s")
def main() -> None:
    """Train tokenizers at every vocabulary size and measure what each costs in every language."""
