"""``toktk env``: what to paste into a bug report."""

from __future__ import annotations

from pathlib import Path

import click

from toktk.cli.options import format_option, output_option
from toktk.cli.output import emit_json, emit_rows
from toktk.report.tabular import Cell


@click.command("env")
@format_option
@output_option()
def command(format: str, output: Path | None) -> None:
    """Show versions, machine, plugins and cache; never the host's or the user's name."""
    from toktk.cache import size_of
    from toktk.lab.environment import environment
    from toktk.paths import home

    facts = {**environment(), "cache_bytes": size_of(home())}
    if format == "json":
        emit_json(facts, output)
        return
    rows: list[tuple[str, Cell]] = []
    for name, value in facts.items():
        if name == "packages":
            rows += [(package, number or "not installed") for package, number in value.items()]
        elif name == "plugins":
            rows += [
                (f"{group}: {plugin}", origin)
                for group, plugins in value.items()
                for plugin, origin in plugins.items()
            ]
        elif name in ("memory", "cache_bytes"):
            rows.append((name.removesuffix("_bytes") + " (MiB)", value and round(value / 2**20)))
        else:
            rows.append((name, value))
    emit_rows(("what", "value"), rows, format, output)
