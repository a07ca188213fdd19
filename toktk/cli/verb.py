"""A command with others below it: ``toktk encode``, and ``toktk encode status``."""

from __future__ import annotations

from typing import Any

import click


class Verb(click.Command):
    """A command that `toktk.cli.LazyGroup` looks for others in, by the first argument.

    Attributes:
        below: those, by name. They are listed at the end of the help.
    """

    def __init__(self, *args: Any, **extra: Any) -> None:
        super().__init__(*args, **extra)
        self.below: dict[str, click.Command] = {}

    def add(self, command: click.Command) -> click.Command:
        """Put a command below this one: a decorator."""
        self.below[command.name or ""] = command
        return command

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands below this one."""
        with formatter.section("Further commands"):
            formatter.write_dl(
                [
                    (f"{ctx.command_path} {name}", c.get_short_help_str(80))
                    for name, c in self.below.items()
                ]
            )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those that have a `section` below the others, under its title."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            # An argument stands in the usage line.
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)
