"""``toktk encode``: a text as token shards, which training loops read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from toktk.cli.cluster import OnCluster, about_ranks, cluster_options, rank_options
from toktk.cli.options import (
    corpus_options,
    engine_timeout_option,
    format_option,
    jobs_option,
    parsed,
    progress_options,
    sampling_seed_option,
)
from toktk.cli.output import emit_json, emit_rows
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.cli.verb import Verb
from toktk.sizes import parse_size
from toktk.visible import listed

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions
    from toktk.lab.meter import Meter
    from toktk.shards.status import ShardStatus
    from toktk.shards.work import EncodeWork


@click.command("encode", cls=Verb)
@click.argument("tokenizer", metavar="TOKENIZER")
@corpus_options(None, "Text to encode")
@click.option(
    "-o",
    "--output",
    "where",
    required=True,
    metavar="DIR",
    help="The folder of the shards: a path, or an address such as s3://bucket/shards.",
)
@click.option(
    "--bos", metavar="TOKEN", help="The special token before each document.  [default: none]"
)
@click.option(
    "--eos", metavar="TOKEN", help="The special token after each document.  [default: none]"
)
@click.option(
    "--files",
    type=click.Choice(("npy", "parquet")),
    default="npy",
    show_default=True,
    help="Arrays that can be mapped into memory, or Parquet with a row for each document.",
)
@click.option(
    "--shard-tokens",
    metavar="SIZE",
    callback=parsed(lambda size: None if size is None else parse_size(size)),
    help="Tokens of a shard, at most, such as 100M.  [default: as many as take 1 GiB]",
)
@rank_options("Write", "one for each 256 MB")
@jobs_option
@sampling_seed_option
@format_option
@progress_options
@engine_timeout_option
@cluster_options(memory=True)
def command(
    tokenizer: str,
    specs: tuple[str, ...],
    reader: ReaderOptions,
    where: str,
    rank: int | None,
    world_size: int | None,
    jobs: int,
    seed: int,
    format: str,
    progress: Progress,
    on_cluster: OnCluster | None,
    **options: Any,  # of an EncodeWork
) -> None:
    """Write a text as the ids of a tokenizer, in files that training loops read.

    \b
    toktk encode tiktoken:o200k_base -c corpus/ --eos '<|endoftext|>' -o shards/
    toktk encode mine/tokenizers/bpe-50k -c corpus/ --files parquet -o shards/
    toktk encode hf:org/name -c s3://bucket/text/ --rank 3 --world-size 64 -o out/

    Each shard is an array of ids, uint16 where the vocabulary fits, else uint32, and beside it where each
    document begins, how many bytes of text it has, and its group. The ids are those of the tokenizer's own
    library. What is finished is kept: the same command goes on where it was killed.
    """  # noqa: D301 - click wants the backspace itself
    from dataclasses import replace

    from toktk.lab.meter import Meter
    from toktk.lab.reading import remark_on_texts
    from toktk.places import Place
    from toktk.ranks.text import Text
    from toktk.ranks.world import World, world_of
    from toktk.shards.encode import default_world_size, open_work
    from toktk.shards.status import status_of

    if not specs:
        raise click.UsageError("give the text to encode: -c SPEC.")
    if on_cluster is not None and rank is not None:
        raise click.UsageError("--on carries out all ranks: leave out --rank.")
    world = None if on_cluster else world_of(rank, world_size)
    place = Place.of(where)
    progress.watch_downloads()
    text = Text(specs, reader)
    text.check_outside(place)
    with progress.opening(*specs):
        corpus = text.corpus
    with progress.watching() as watcher:
        meter = Meter(watcher)
        if world is not None and world.source:
            meter.remark(f"this is rank {world.rank} of {world.size}: {world.source}.")
        remark_on_texts(meter, corpus)
        size = world.size if world else world_size or default_world_size(corpus, place)
        with meter.step("load", tokenizer):
            work = open_work(tokenizer, text, world or World(0, 1), **options)
        for note in work.notes:
            meter.remark(note)
        if on_cluster is not None:
            work = replace(work, jobs=on_cluster.cpus)
            work.check()
            size = on_cluster.world_size(world_size, work, where)
            if not on_cluster.carry_out(work, where, size, meter):
                return
        _encode(work, where, world.rank if world else None, size, jobs, meter)
    status = status_of(place)
    _show(status, format)
    if not progress.quiet:
        _remark_on(status)


def _encode(
    work: EncodeWork, where: str, rank: int | None, world_size: int, jobs: int, meter: Meter
) -> None:
    """Carry out a rank, or all, unless they are done."""
    from toktk.places import Place
    from toktk.shards.encode import carry_out, ranks_to_do
    from toktk.shards.work import share_of_rank

    ranks = ranks_to_do(work, Place.of(where), rank, world_size)
    if not ranks:
        return
    sizes = [share_of_rank(work.corpus, each, world_size).size for each in ranks]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    with meter.step("encode", work.corpus.name, total, work.unit) as advance:
        carry_out(work, where, ranks, world_size, jobs, advance, meter.remark)


@command.add
@click.command("status")
@click.argument("where", metavar="DIR")
@click.option(
    "--check", is_flag=True, help="Read every file: its hash, and whether the counts add up."
)
@format_option
@progress_options
def status(where: str, check: bool, format: str, progress: Progress) -> None:
    """Say how far the ranks of a folder of shards are, and what is in it."""
    from toktk.lab.meter import Meter
    from toktk.places import Place
    from toktk.shards.status import check_files, status_of

    place = Place.of(where)
    told = status_of(place)
    if check:
        files = (about for marker in told.done.values() for about in marker["files"].values())
        total = sum(about["bytes"] for about in files)
        with (
            progress.watching() as watcher,
            Meter(watcher).step("check", place.shown, total, "bytes") as advance,
        ):
            check_files(place, advance)
    _show(told, format)
    if not progress.quiet:
        _remark_on(told)
        if check:
            remark("All files are as their ranks have written them, and the counts add up.")


def _show(status: ShardStatus, format: str) -> None:
    """Write how far the ranks are."""
    counts = {name: getattr(status, name) for name in ("shards", "documents", "bytes", "tokens")}
    if format == "json":
        emit_json(
            {
                "schema": 1,
                "folder": status.where,
                "ranks": status.world_size,
                "done": sorted(status.done),
                "missing": status.missing,
                "begun": status.begun,
                "strays": status.strays,
                **counts,
                "replaced": status.replaced,
                "null_rows": status.null_rows,
                "fingerprint": status.fingerprint,
                "manifest": status.manifest,
            }
        )
        return
    ratio = round(status.bytes / status.tokens, 4) if status.tokens else None
    row = (
        f"{len(status.done)} of {status.world_size}",
        *counts.values(),
        ratio,
        status.manifest.get("dtype"),
    )
    emit_rows(("ranks", *counts, "bytes_per_token", "dtype"), [row], format)


def _remark_on(status: ShardStatus) -> None:
    """Say where the shards are, what reading changed, and which ranks are missing."""
    changed = []
    if status.replaced:
        changed.append(f"{status.replaced:,} invalid sequences were read as U+FFFD.")
    if status.null_rows:
        changed.append(f"{status.null_rows:,} rows without text were left out.")
    if status.strays:
        changed.append(
            f"{listed(status.strays)}: files of no rank. Delete them, or a training loop reads them, too."
        )
    following = ["The same command goes on."] if status.missing else []
    ranks = about_ranks(status.begun, status.missing, status.world_size)
    remark(*changed, *ranks, *following, status.where)
