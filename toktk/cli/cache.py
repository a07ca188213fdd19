"""``toktk cache``: what is stored for the next time, and how much of it; deletes it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from toktk import cache, paths
from toktk.cli.options import format_option, output_option, parsed, progress_options
from toktk.cli.output import emit_json, emit_rows
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.lab.meter import Meter
from toktk.sizes import bytes_label, parse_bytes
from toktk.visible import visible


@click.command("cache")
@click.option("--clear", is_flag=True, help="Delete all that no process uses.")
@click.option(
    "--keep",
    metavar="SIZE",
    callback=parsed(lambda size: None if size is None else parse_bytes(size)),
    help="Delete what was used least recently, until the rest fits: 5GB, 500MB, 2GiB.",
)
@format_option
@output_option()
@progress_options
def command(
    clear: bool, keep: int | None, format: str, output: Path | None, progress: Progress
) -> None:
    """Show where toktk stores results for the next time, how much and of what.

    All of it can be made again. When it exceeds 20 GB, or TOKTK_CACHE_LIMIT (such as 5GB; 0: no
    limit), what was used least recently is deleted by itself.
    """
    if clear and keep is not None:
        raise click.UsageError("--clear and --keep exclude each other; --clear keeps nothing.")
    limit = cache.limit()
    if clear or keep is not None:
        removed, left = _shrunk(keep or 0, progress)
        if not progress.quiet:
            remark(f"Deleted {_amount(removed)}.")
        if left and not progress.quiet:
            remark(f"Left {_amount(left)}: in use, or not yours to delete.")
    stored = cache.entries()
    by_kind: dict[str, list[cache.Entry]] = {}
    for entry in stored:  # the least recently used first
        by_kind.setdefault(entry.kind, []).append(entry)
    kinds: list[dict[str, Any]] = [
        {
            "kind": kind,
            "entries": len(entries),
            "bytes": _bytes(entries),
            "last_used": datetime.fromtimestamp(entries[-1].used)
            .astimezone()
            .isoformat("T", "seconds"),
            "what": cache.KINDS.get(kind, "entries of another version"),
        }
        for kind, entries in by_kind.items()
    ]
    kinds.sort(key=lambda kind: -kind["bytes"])
    if format == "json":
        about = {"home": str(paths.home()), "limit": limit, "entries": len(stored)}
        shown = {**about, "bytes": _bytes(stored), "kinds": kinds}
        emit_json(shown, output)
        return
    if format == "table":
        for kind in kinds:
            kind["bytes"] = bytes_label(kind["bytes"])
            kind["last_used"] = kind["last_used"][:16].replace("T", " ")
    columns = ("kind", "entries", "bytes", "last_used", "what")
    at_most = "no limit" if limit is None else f"at most {bytes_label(limit)}"
    below = f"{_amount(stored)}, {at_most}, in {visible(str(paths.home()))}\n"
    emit_rows(columns, [list(kind.values()) for kind in kinds], format, output, below)


def _shrunk(keep: int, progress: Progress) -> tuple[list[cache.Entry], list[cache.Entry]]:
    """Delete what is too much; return what was deleted, and what could not be."""
    too_much = max(_bytes(cache.entries()) - keep, 0)
    with (
        progress.watching() as watcher,
        Meter(watcher).step("delete", "", too_much, "bytes") as advance,
    ):
        return cache.shrink(keep, progress=advance)


def _bytes(entries: list[cache.Entry]) -> int:
    return sum(entry.size for entry in entries)


def _amount(entries: list[cache.Entry]) -> str:
    noun = "entry" if len(entries) == 1 else "entries"
    return f"{bytes_label(_bytes(entries))} in {len(entries)} {noun}"
