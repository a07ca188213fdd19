"""Shares of a corpus: what each of N ranks reads of it, disjoint and complete for any N."""

from __future__ import annotations

import itertools
from pathlib import PurePath
from typing import Any

from toktk.corpus.corpus import Corpus
from toktk.corpus.hub import HubReader
from toktk.corpus.options import Source
from toktk.corpus.utf8 import whole_name
from toktk.errors import CorpusError, as_usage


def share_of(corpus: Corpus, rank: int, world_size: int) -> Corpus:
    """Return what rank `rank` of `world_size` reads of a corpus; a share may have no document at all.

    The documents of all shares, by rank, are those of the corpus, in order. The bytes of the sources lie
    on one line, as they are stored, and a rank has the documents that begin in its part of that line: rows
    of JSON Lines, lines and paragraphs of plain text in UTF-8, and row groups of Parquet. Of all else,
    such as a compressed file, a file is the smallest part.

    Of a dataset of the hub a file is the smallest part, too; one with several configurations is shared out
    disjoint and complete, but not in order.

    Raises:
        CorpusError: no such rank, or the corpus is a choice that depends on the whole text: with a limit, a
            temperature, shares of a mixture, or a side of a hold-out.
    """
    if not 0 <= rank < world_size:
        raise as_usage(
            CorpusError(
                f"there is no rank {rank} of {world_size}.",
                "Give a rank from 0 to the world size minus 1, and a world size of 1 or more.",
            )
        )
    span = span_of(corpus, rank, world_size)
    starts = iter([0, *itertools.accumulate(map(_length, corpus.sources))])
    n_datasets = itertools.count()

    def of_source(source: Source) -> Source | None:
        start = next(starts)
        if isinstance(source, HubReader):
            # Many have a single file, so the first shard of each goes to another rank.
            return source.shard((rank - next(n_datasets)) % world_size, world_size)
        return source.share(span["begin"] - start, span["end"] - start)

    return corpus.share(of_source)


def span_of(corpus: Corpus, rank: int, world_size: int) -> dict[str, int]:
    """Return the part of the line that is a rank's, as its marker says it: "begin", "end", "of"."""
    line = sum(map(_length, corpus.sources))
    return {
        "begin": line * rank // world_size,
        "end": line * (rank + 1) // world_size,
        "of": line,
    }


def _length(source: Source) -> int:
    """Return the bytes that a source takes up on the line: one that takes up none lies somewhere, too."""
    return 0 if isinstance(source, HubReader) else max(source.stored, 1)


def inputs_of(corpus: Corpus) -> list[dict[str, Any]]:
    """Return name, bytes, mark and group of each source: equal on all ranks that read the same text.

    A mark is cheap. That of a local file is a hash of its size, its first and its last bytes, which does
    not tell a change in its middle; that of an address is the server's.
    """
    return [
        {
            "name": whole_name(
                source.where if isinstance(source, HubReader) else PurePath(source.where).name
            ),
            "bytes": source.stored,
            "mark": source.mark,
            "group": source.group,
        }
        for source in corpus.sources
    ]
