"""``toktk count``: the pieces of a text, counted by ranks, and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from toktk.cli.cluster import (
    RANK_MEMORY,
    OnCluster,
    about_ranks,
    cluster_options,
    rank_options,
)
from toktk.cli.options import (
    corpus_options,
    format_option,
    gathered,
    jobs_option,
    memory_option,
    no_arguments,
    normalize_option,
    progress_options,
)
from toktk.cli.output import emit_json, emit_rows
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.cli.verb import Verb
from toktk.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toktk.corpus import ReaderOptions
    from toktk.counts.status import CountStatus
    from toktk.counts.work import CountWork
    from toktk.lab.meter import Meter
    from toktk.normalizers.normalizer import Form
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.ranks.world import World

_COLUMNS = ("rows", "documents", "bytes", "pieces", "distinct")


def _cut(name: str | None, pattern: str | None, normal_form: Form | None) -> Pretokenizer:
    from dataclasses import replace

    from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
    from toktk.pretokenizers.pretokenizer import pretokenizers_of

    if name is not None and pattern is not None:
        raise click.UsageError("a count is cut in one way: give -p or --pattern.")
    names = [name or DEFAULT_PRETOKENIZER] if pattern is None else []
    (cut,) = pretokenizers_of(names, [] if pattern is None else [pattern])
    return (
        replace(cut, normalizer=replace(cut.normalizer, form=normal_form)) if normal_form else cut
    )


_cut_options = gathered(
    "pretokenizer",
    _cut,
    click.option(
        "-p",
        "--pretokenizer",
        "name",
        metavar="NAME",
        help="How text is cut: `toktk ls pretokenizers`.  [default: o200k]",
    ),
    click.option(
        "--pattern", metavar="REGEX", help="A split pattern of your own, instead of a name."
    ),
    normalize_option(help="Put text into this Unicode normal form first."),
)

_min_count_option = click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Leave out pieces that occur less often in the whole training text.",
)


@click.command("count", cls=Verb)
@no_arguments
@corpus_options(None, "Text to count")
@_cut_options
@click.option(
    "--special",
    multiple=True,
    metavar="TOKEN",
    help="A special token of the training to come: documents of the training side are cut at it. Repeatable.",
)
@click.option(
    "--symbol",
    "symbols",
    multiple=True,
    metavar="TOKEN",
    help="A symbol of the training to come: it is a piece wherever it stands. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    "where",
    required=True,
    metavar="DIR",
    help="The folder of the count: a path, or an address such as s3://bucket/counts.",
)
@rank_options("Count", "one for each 256 MB, up to 4 for each of --jobs")
@click.option(
    "--hold-out",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the documents to measure on, chosen by their hash; 0: none.",
)
@click.option(
    "--groups/--no-groups",
    default=True,
    show_default=True,
    help="Keep the groups of the training side apart, or count them as one.",
)
@click.option(
    "--partitions",
    type=click.IntRange(min=1, max=1000),
    help="In how many files pieces are counted, which are merged one by one.  [default: 64; fewer of a "
    "text below 500 MB]",
)
@_min_count_option
@memory_option
@jobs_option
@format_option
@progress_options
@cluster_options()
def command(
    specs: tuple[str, ...],
    reader: ReaderOptions,
    pretokenizer: Pretokenizer,
    where: str,
    rank: int | None,
    world_size: int | None,
    min_count: int,
    memory: int | None,
    jobs: int,
    format: str,
    progress: Progress,
    on_cluster: OnCluster | None,
    **options: Any,  # of a CountWork
) -> None:
    """Count the pieces of a text, by ranks, for sweep, train and bench --counts.

    \b
    toktk count -c news.parquet -p o200k -o counts/
    toktk count -c s3://bucket/text/ --rank 3 --world-size 64 -o s3://bucket/counts/
    toktk count merge s3://bucket/counts/

    Without a rank, processes of this machine count all of them, and the count is merged. What is finished
    is kept: the same command goes on where it was killed. See docs/count.md.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.counts.followups import merge_followups
    from toktk.counts.work import CountWork
    from toktk.lab.meter import Meter
    from toktk.places import Place
    from toktk.ranks.text import Text
    from toktk.ranks.world import world_of
    from toktk.runtime import default_memory

    if not specs:
        raise click.UsageError("give the text to count: -c SPEC.")
    if on_cluster is not None and rank is not None:
        raise click.UsageError("--on carries out all ranks: leave out --rank.")
    world = None if on_cluster else world_of(rank, world_size)
    if world is not None and min_count > 1:
        raise click.UsageError(
            "--min-count is for the merge of all ranks: toktk count merge DIR --min-count N."
        )
    progress.watch_downloads()
    work = CountWork(
        Text(specs, reader),
        pretokenizer,
        memory=memory or (RANK_MEMORY if on_cluster else default_memory()),
        **options,
    )
    with progress.watching() as watcher:
        meter = Meter(watcher)
        with progress.opening(*specs):
            work.check()
            work.text.check_outside(Place.of(where))
        for note in work.corpus.remarks:
            meter.remark(note)
        if world is not None:
            _count_one(work, where, world, meter, format)
            return
        if on_cluster is None:
            _count_all(work, where, world_size, jobs, meter)
        else:
            size = on_cluster.world_size(world_size, work, where)
            followups = merge_followups(where, work.n_partitions, min_count)
            if not on_cluster.carry_out(work, where, size, meter, followups, work.memory):
                return
        merged = _merge(where, min_count, None, jobs, meter)
    _show(where, merged, format, progress.quiet)


def _count_one(work: CountWork, where: str, world: World, meter: Meter, format: str) -> None:
    """Count the rank that this process is, and show what it has counted."""
    from toktk.counts.count import size_of
    from toktk.places import Place
    from toktk.ranks.work import run_rank

    if world.source:
        meter.remark(f"this is rank {world.rank} of {world.size}: {world.source}.")
    total = size_of(work, [world.rank], world.size)
    with meter.step("count", f"rank {world.rank}", total, work.unit) as advance:
        marker = run_rank(work, Place.of(where), world.rank, world.size, advance)
    if format == "json":
        emit_json({"schema": 1, "folder": where, "rank": world.rank, "sides": marker["sides"]})
    else:
        _show_sides(marker["sides"], format)


def _count_all(
    work: CountWork, where: str, world_size: int | None, jobs: int, meter: Meter
) -> None:
    """Count all ranks that are not done."""
    from toktk.counts.count import count_ranks, default_world_size, ranks_to_do, size_of
    from toktk.places import Place

    place = Place.of(where)
    size = world_size or default_world_size(work, place, jobs)
    ranks = ranks_to_do(work, place, size)
    if not ranks:
        return
    if len(ranks) < size:
        meter.remark(f"{size - len(ranks):,} of {size:,} ranks are done already.")
    total = size_of(work, ranks, size)
    with meter.step("count", work.corpus.name, total, work.unit) as advance:
        count_ranks(work, where, ranks, size, jobs, advance, meter.remark)


def _merge(where: str, min_count: int, part: int | None, jobs: int, meter: Meter) -> bool:
    """Merge what is not merged; return whether all is."""
    from toktk.counts.merge import Merge
    from toktk.places import Place

    merge = Merge(Place.of(where), min_count, part)
    with meter.step("merge", merge.manifest["corpus"], merge.size, "bytes") as advance:
        return merge.run(jobs, advance)


@command.add
@click.command("merge")
@click.argument("where", metavar="DIR")
@click.option(
    "--part",
    type=click.IntRange(min=0),
    help="Merge this partition alone, so that many machines can share the merge.  [default: all]",
)
@_min_count_option
@jobs_option
@format_option
@progress_options
def merge(
    where: str, part: int | None, min_count: int, jobs: int, format: str, progress: Progress
) -> None:
    """Add up what the ranks of a count have written, a partition at a time.

    Refused where a rank is missing or there twice, has counted something else, or where a file is not what
    it was. What is merged is not merged again, unless --min-count is another one.
    """
    from toktk.lab.meter import Meter

    with progress.watching() as watcher:
        merged = _merge(where, min_count, part, jobs, Meter(watcher))
    _show(where, merged, format, progress.quiet)


@command.add
@click.command("status")
@click.argument("where", metavar="DIR")
@format_option
@progress_options
def status(where: str, format: str, progress: Progress) -> None:
    """Say which ranks are done, what is merged, and what to run next."""
    from toktk.counts.status import status_of
    from toktk.places import Place

    told = status_of(Place.of(where))
    if format == "json":
        emit_json(told.to_json())
    else:
        counted = told.ranks
        row: tuple[Any, ...] = (
            f"{len(counted.done)} of {counted.manifest['world_size']}",
            len(counted.begun),
            *told.sums.values(),
            f"{told.merged} of {told.n_partitions}",
        )
        emit_rows(("ranks", "begun", *told.sums, "merged"), [row], format)
    if not progress.quiet:
        _remark_on(told)


def _remark_on(told: CountStatus) -> None:
    """Say which ranks are missing, what was left out, and what to run next."""
    from toktk.counts.merge import effect_of

    ranks = told.ranks
    effect = effect_of(told.about) if told.about is not None else []
    following = [f"Next: {told.next}"] if told.next else []
    remark(
        *about_ranks(ranks.begun, ranks.missing, ranks.manifest["world_size"]), *effect, *following
    )


def _show(where: str, is_merged: bool, format: str, quiet: bool) -> None:
    """Show what was counted, where all of it is merged; else say how far the merge is."""
    from toktk.counts.merged import Counts
    from toktk.counts.status import status_of
    from toktk.places import Place

    if not is_merged:
        told = status_of(Place.of(where))
        if format == "json":
            emit_json(told.to_json())
        if not quiet:
            remark(f"{told.merged} of {told.n_partitions} partitions are merged. Next: {told.next}")
        return
    counts = Counts.open(where)
    if format == "json":
        emit_json({"schema": 1, "folder": where, **counts.describe()})
    else:
        _show_sides(counts.about["sides"], format)
    if not quiet:
        remark(*counts.effect, visible(where))


def _show_sides(sides: Mapping[str, Mapping[str, Any]], format: str) -> None:
    rows: list[tuple[Any, ...]] = [
        (side, *(of[key] for key in _COLUMNS)) for side, of in sides.items()
    ]
    emit_rows(("side", *_COLUMNS), rows, format)
