"""``toktk cache``: what is stored for the next time, and how much of it; deletes it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from toktk import cache, paths
from toktk.cli.options import format_option, output_option
from toktk.cli.output import emit, emit_rows
from toktk.errors import ToktkError


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else cache.byte_size(value)
    except ToktkError as error:
        raise click.BadParameter(str(error)) from error


@click.command("cache")
@click.option("--clear", is_flag=True, help="Delete all that no process uses.")
@click.option(
    "--keep",
    metavar="SIZE",
    callback=_size,
    help="Delete what was used least recently, until the rest fits: 5GB, 500MB, 2GiB.",
)
@format_option
@output_option()
def command(clear: bool, keep: int | None, format: str, output: Path | None) -> None:
    """Show where toktk stores results for the next time, how much and of what.

    All of it can be made again. When it exceeds 20 GB, or TOKTK_CACHE_LIMIT (such as 5GB; 0: no limit),
    what was used least recently is deleted by itself.
    """
    if clear and keep is not None:
        raise click.UsageError("--clear and --keep exclude each other; --clear keeps nothing.")
    limit = cache.limit()
    if clear or keep is not None:
        removed, left = cache.shrink(keep or 0)
        click.echo(f"Deleted {_amount(removed)}.", err=True)
        if left:
            click.echo(f"Left {_amount(left)}: in use, or not yours to delete.", err=True)
    stored = cache.entries()
    kinds = cache.by_kind(stored)
    if format == "json":
        size = sum(entry.size for entry in stored)
        about = {"home": str(paths.home()), "limit": limit, "entries": len(stored), "bytes": size}
        emit(json.dumps({**about, "kinds": kinds}, ensure_ascii=False, indent=2) + "\n", output)
        return
    if format == "table":
        for kind in kinds:
            kind["bytes"] = cache.shown_bytes(kind["bytes"])
            kind["last_used"] = kind["last_used"][:16].replace("T", " ")
    columns = ("kind", "entries", "bytes", "last_used", "what")
    at_most = "no limit" if limit is None else f"at most {cache.shown_bytes(limit)}"
    below = f"{_amount(stored)}, {at_most}, in {paths.home()}\n"
    emit_rows(columns, [[kind[c] for c in columns] for kind in kinds], format, output, below)


def _amount(entries: list[cache.Entry]) -> str:
    size = cache.shown_bytes(sum(entry.size for entry in entries))
    return f"{size} in {len(entries)} {'entry' if len(entries) == 1 else 'entries'}"
