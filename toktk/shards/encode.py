"""A corpus -> token shards: one rank of many, or all of them on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from toktk.corpus import Corpus
from toktk.errors import CorpusError, as_usage
from toktk.places import Place
from toktk.ranks.folder import RankFolder
from toktk.ranks.pool import run_pool
from toktk.ranks.work import run_rank
from toktk.ranks.world import MOST_RANKS, check_world_size
from toktk.runtime import usable_cores
from toktk.shards.status import ShardStatus, status_of
from toktk.shards.work import NAME, EncodeWork, about_tokenizer, share_of_rank
from toktk.tokenizer import NATIVE, Tokenizer

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
    format: str = "npy",
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
        format: ``npy``, arrays that can be mapped into memory, or ``parquet``.
        shard_tokens: tokens of a shard, at most; by default as many as take 1 GiB.
        rank, world_size: write one of so many parts of the text alone, such as on one of many machines.
        jobs: threads, by default one for each usable core; they change nothing that is written.
        progress: called with what was read since the last call, in the unit of the corpus.

    Raises:
        FormatError: no such special token or format; a library that runs the tokenizer fails at the text.
        CorpusError: the text cannot be read, or not by ranks; a document has a weight.
        StorageError: the folder holds other shards, or cannot be written.
    """
    work = EncodeWork(
        corpus, tokenizer, about_tokenizer(tokenizer), bos, eos, format, shard_tokens
    )
    return carry_out(work, folder, rank, world_size, jobs or usable_cores(), progress)


def carry_out(
    work: EncodeWork,
    where: Path | str,
    rank: int | None,
    world_size: int | None,
    jobs: int,
    progress: Callable[[int], None] | None = None,
    *,
    in_processes: bool = False,
    remark: Callable[[str], None] = lambda text: None,
) -> ShardStatus:
    """Carry out one rank, or all that are not done; return how far all ranks are.

    Args:
        in_processes: where there are many `jobs`, ranks go to several processes, not to threads alone.
        remark: called with what a user should know.

    Raises:
        ToktkError: see `encode_corpus`.
    """
    work.check()
    place = Place.of(where)
    advance = progress or (lambda amount: None)
    if rank is not None:
        if world_size is None:
            raise as_usage(
                CorpusError(f"of how many ranks is rank {rank} one?", "Give world_size as well.")
            )
        run_rank(replace(work, jobs=jobs), place, rank, world_size, advance)
        return status_of(place)
    world_size = world_size or _ranks_of(work, place)
    check_world_size(world_size)
    folder = RankFolder(place, work.name, work.command)
    folder.begin(work.manifest, world_size)
    missing = folder.state().missing
    # A library's engine is in a process of its own already, which all its cores serve.
    is_native = work.tokenizer.engine == NATIVE
    processes = min(jobs // _THREADS, len(missing)) if in_processes and is_native else 1
    work = replace(work, jobs=-(-jobs // max(processes, 1)))
    if processes > 1:
        run_pool(work, str(where), missing, world_size, processes, advance, remark)
    else:
        for each in missing:
            run_rank(work, place, each, world_size, advance)
    return status_of(place)


def _ranks_of(work: EncodeWork, place: Place) -> int:
    """Return the number of ranks of a folder; of a new one, what the size of the text asks for."""
    folder = RankFolder(place, work.name, work.command)
    if place.read(f"{NAME}.json") is not None:
        return int(folder.manifest()["world_size"])
    n_bytes = sum(source.stored for source in work.corpus.sources)
    n = min(-(-n_bytes // RANK_BYTES), MOST_RANKS)
    if n < 2:
        return 1
    try:
        share_of_rank(work.corpus, 0, n)
    except CorpusError:  # it can be read as a whole alone, or not at all
        return 1
    return n
