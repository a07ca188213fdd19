"""A corpus -> token shards: one rank of many, or all of them on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toktk.corpus import Corpus
from toktk.errors import CorpusError, as_usage
from toktk.loading.around import tokens_around
from toktk.loading.load import open_tokenizer
from toktk.loading.sample import documents_of
from toktk.places import Place
from toktk.ranks.pool import run_pool
from toktk.ranks.text import Text
from toktk.ranks.work import run_rank
from toktk.ranks.world import MOST_RANKS, World, check_world_size
from toktk.runtime import usable_cores
from toktk.shards.status import ShardStatus, status_of
from toktk.shards.work import NAME, EncodeWork, about_tokenizer, folder_at, share_of_rank
from toktk.tokenizer import NATIVE, Tokenizer
from toktk.visible import listed

RANK_BYTES = 256_000_000
"""The text of a rank, where nobody says how many ranks there are: what a run that is killed loses at most."""

_THREADS = 4  # that encode, for each process that reads and writes


def encode_corpus(
    tokenizer: Tokenizer,
    corpus: Corpus,
    folder: Path | str,
    *,
    bos: str | None = None,
    eos: str | None = None,
    files: str = "npy",
    shard_tokens: int | None = None,
    rank: int | None = None,
    world_size: int | None = None,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ShardStatus:
    """Write a corpus as token shards, which training loops read; see docs/encode.md.

    What an earlier call has finished in the folder is kept, so the same call goes on where it was killed.

    Args:
        folder: a path, or an address such as ``s3://bucket/shards``.
        bos, eos: special tokens before and after each document, by name; by default none.
        files: ``npy``, arrays that can be mapped into memory, or ``parquet``.
        shard_tokens: tokens of a shard, at most; by default as many as take 1 GiB.
        rank, world_size: write one of so many parts of the text alone, such as on one of many machines.
        jobs: threads, by default one for each usable core; they change nothing that is written.
        progress: called with what was read since the last call, in the unit of the corpus.

    Raises:
        FormatError: no such special token or kind of files; a library that runs the tokenizer fails at the
            text.
        CorpusError: the text cannot be read, or not by ranks; a document has a weight.
        StorageError: the folder holds other shards, or cannot be written.
    """
    if rank is not None and world_size is None:
        raise as_usage(CorpusError(f"of how many ranks is rank {rank} one?", "Give world_size."))
    about = about_tokenizer(tokenizer)
    work = EncodeWork(
        Text.of(corpus), tokenizer, about, bos, eos, files, shard_tokens, jobs or usable_cores()
    )
    place = Place.of(folder)
    world_size = world_size or default_world_size(corpus, place)
    for each in ranks_to_do(work, place, rank, world_size):
        run_rank(work, place, each, world_size, progress or (lambda amount: None))
    return status_of(place)


def open_work(spec: str, text: Text, world: World, **options: Any) -> EncodeWork:
    """Return the work of a tokenizer's spec.

    Its engine is held against its library on the first documents of what `world` reads.

    Args:
        options: of `EncodeWork`.

    Raises:
        FormatError: there is no such tokenizer, or it is damaged.
        CorpusError: the text cannot be read.
    """
    loaded = open_tokenizer(spec)
    share = share_of_rank(text.corpus, world.rank, world.size)
    tokenizer = loaded.checked(documents_of(share.batches()))
    notes = [*loaded.notes]
    if tokenizer.engine != NATIVE:
        notes.append(f"{tokenizer.engine} gives the ids: {tokenizer.why.rstrip('.')}.")
    around = tokens_around(spec)
    special = (options.get("bos"), options.get("eos"))
    if missing := [name for name in around if name not in special]:
        notes.append(
            f"{loaded.library} puts {listed(missing)} around every text; here --bos and --eos alone do that."
        )
    elif special == (None, None):
        notes.append("no special token stands between documents: --eos NAME puts one after each.")
    about = {
        **about_tokenizer(loaded.native or tokenizer),
        "digest": loaded.digest,
        "library": loaded.library,
    }
    return EncodeWork(text, tokenizer, about, notes=tuple(notes), **options)


def default_world_size(corpus: Corpus, place: Place) -> int:
    """Return the number of ranks of a folder; of a new one, what the size of the text asks for."""
    if place.read(f"{NAME}.json") is not None:
        return int(folder_at(place).manifest()["world_size"])
    n_bytes = sum(source.stored for source in corpus.sources)
    n_ranks = min(-(-n_bytes // RANK_BYTES), MOST_RANKS)
    if n_ranks < 2:
        return 1
    try:
        share_of_rank(corpus, 0, n_ranks)
    except CorpusError:  # it can be read as a whole alone, or not at all
        return 1
    return n_ranks


def ranks_to_do(work: EncodeWork, place: Place, rank: int | None, world_size: int) -> Sequence[int]:
    """Begin a folder, or compare it with the work; return which of all ranks, or of one, are not done.

    Raises:
        ToktkError: see `encode_corpus`.
    """
    work.check()
    check_world_size(world_size)
    if rank is not None:
        World(rank, world_size)  # or an error
    share_of_rank(work.corpus, rank or 0, world_size)  # or an error
    folder = folder_at(place)
    folder.begin(work.manifest, world_size)
    if rank is None:
        return folder.state().missing
    return [rank] if folder.marker(rank) is None else []


def carry_out(
    work: EncodeWork,
    where: str,
    ranks: Sequence[int],
    world_size: int,
    jobs: int,
    advance: Callable[[int], None],
    remark: Callable[[str], None],
) -> None:
    """Carry out ranks, several of them in processes of their own where there are many cores.

    A process reads and writes in one thread, which four that encode keep busy.

    Args:
        where: the folder, a path or an address.
        jobs: threads in all.
        remark: called with what a user should know.

    Raises:
        ToktkError: see `encode_corpus`.
    """
    # A library that is the engine uses all cores, in a process of its own.
    is_native = work.tokenizer.engine == NATIVE
    processes = max(min(jobs // _THREADS, len(ranks)), 1) if is_native else 1
    work = replace(work, jobs=-(-jobs // processes))
    if processes > 1:
        run_pool(work, where, ranks, world_size, processes, advance, remark)
        return
    for rank in ranks:
        run_rank(work, Place.of(where), rank, world_size, advance)
