"""CountWork: what a rank of a count does; it reads its share, and writes a part for each partition."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk.corpus import Corpus
from toktk.corpus.shares import share_of, span_of
from toktk.corpus.split import Sides
from toktk.corpus.units import filtered, text_hashes
from toktk.counts.documents import (
    DocumentSum,
    Totals,
    UInt64,
    compacted,
    muted,
    pooled,
    terms_of,
    write_sample,
    write_totals,
)
from toktk.counts.part import HELD_OUT, NOTHING, SIDES, TRAINING, Sizes, folder_of, write_part
from toktk.errors import CorpusError, StorageError, ToktkError, as_usage
from toktk.kernels.constants import BYTES, DOCUMENTS
from toktk.paths import temporary_folder
from toktk.pieces.runs import PARTITIONS, BoundedCounter
from toktk.pieces.sample import Sample
from toktk.pieces.table import POOLED
from toktk.places import Place
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.ranks.folder import about_file, rank_name
from toktk.ranks.text import Text, TextWork
from toktk.visible import listed

if TYPE_CHECKING:
    from toktk.arrow import pa

MOST_PARTITIONS = 1000
"""Partitions, at most: their folders are numbered with three digits."""

LEAST_MEMORY = 400 * 10**6
"""Bytes that a rank takes beside its tables, about: Python, kernels, libraries, batches."""

_PARTITION_BYTES = 1 << 26  # of text, for each of which there is a partition unless told otherwise
_TOLD = 100  # inputs that the manifest names
_TABLES = {TRAINING: 0.8, HELD_OUT: 0.2}  # shares of the memory of tables

Progress = Callable[[int], None]


@dataclass
class CountWork(TextWork):
    """A count of a text, as `toktk.ranks.work.Work`.

    Args:
        text: what is counted.
        pretokenizer: cuts it.
        special: strings at which documents of the training side are cut, as a training with these special
            tokens does; they are pieces.
        symbols: strings that are pieces wherever they stand, on both sides.
        hold_out: of the documents, this share is on the held-out side, by their hash; at 0 there is none.
        partitions: in how many files pieces are; None: by the size of the text.
        groups: the training side keeps groups apart.
        memory: bytes that a process takes, about.
    """

    text: Text
    pretokenizer: Pretokenizer
    special: Sequence[str] = ()
    symbols: Sequence[str] = ()
    hold_out: float = 0.0
    partitions: int | None = None
    groups: bool = True
    memory: int = 10**9

    name = "counts"
    command = "toktk count"

    @property
    def n_partitions(self) -> int:
        """How many partitions there are."""
        if self.partitions is not None:
            return self.partitions
        if self.unit != "bytes":
            return PARTITIONS
        wanted = max(self.text.n_bytes // _PARTITION_BYTES, 1)
        return min(1 << (wanted - 1).bit_length(), PARTITIONS)

    def cut_by(self, side: str) -> Pretokenizer:
        """Return what cuts a side."""
        added = (*self.pretokenizer.added, *self.symbols)
        if side == TRAINING:
            added += tuple(self.special)
        return replace(self.pretokenizer, added=added)

    @property
    def manifest(self) -> dict[str, Any]:
        """All that decides what is written; see `toktk.ranks.work.Work`."""
        text = self.text
        return {
            "corpus": self.corpus.name,
            "inputs": {
                "n": len(text.inputs),
                "bytes": text.n_bytes,
                "digest": text.digest,
                "first": text.inputs[:_TOLD],
            },
            "options": text.reader.changed(),
            "pretokenizer": self.pretokenizer.to_json(),
            "signatures": {side: self.cut_by(side).signature for side in SIDES},
            "special": [*self.special],
            "symbols": [*self.symbols],
            "hold_out": self.hold_out,
            "groups": self.groups,
            "partitions": self.n_partitions,
        }

    def check(self) -> None:
        """Raise a ToktkError for what can be found wrong without reading text."""
        if self.text.is_piped:
            raise as_usage(
                CorpusError(
                    f"cannot share {listed(self.text.specs)} out among ranks.",
                    "Found: a pipe, which is read once.",
                    "Write the text to a file, and count that.",
                )
            )
        if not 0 <= self.hold_out < 1:
            raise as_usage(
                ToktkError(
                    f"cannot hold out {self.hold_out:g} of a text.",
                    "Give a share from 0, for none, to below 1: --hold-out 0.1",
                )
            )
        if not 1 <= self.n_partitions <= MOST_PARTITIONS:
            raise as_usage(
                ToktkError(
                    f"cannot count in {self.n_partitions:,} partitions.",
                    f"Give a number from 1 to {MOST_PARTITIONS:,}.",
                )
            )
        if twice := set(self.special) & set(self.symbols):
            raise as_usage(
                ToktkError(
                    f"{min(twice)!r} cannot be a special token and a symbol.",
                    "Give it with --special or with --symbol.",
                )
            )
        share_of(self.corpus, 0, 1)

    def run(self, rank: int, world_size: int, place: Place, advance: Progress) -> dict[str, Any]:
        """Count the share of a rank; see `toktk.ranks.work.Work`."""
        share = share_of(self.corpus, rank, world_size)
        with temporary_folder() as folder:
            sides = self._sides(folder)
            self._count(share, sides, advance)
            files = _Files(folder, rank)
            about = {name: side.write(name, files) for name, side in sides.items()}
            totals = {name: side.totals for name, side in sides.items()}
            files.add("groups", "arrow", lambda path: write_totals(totals, path))
            sample = sides[self._sampled].sample
            files.add("sample", "arrow", lambda path: write_sample(sample, path))
            place.put_all(files.paths)
        return {
            "share": span_of(self.corpus, rank, world_size),
            "sides": about,
            "replaced": share.replaced,
            "null_rows": share.null_rows,
            "files": files.about,
        }

    @property
    def _sampled(self) -> str:
        return HELD_OUT if self.hold_out else TRAINING

    def _sides(self, folder: Path) -> dict[str, _Side]:
        memory = max(self.memory - LEAST_MEMORY, self.memory // 4)
        names = SIDES if self.hold_out else (TRAINING,)
        return {
            name: _Side(
                self.cut_by(name),
                int(memory * (_TABLES[name] if self.hold_out else 1)),
                folder,
                self.n_partitions,
                is_sampled=name == self._sampled,
                is_pooled=name == TRAINING and not self.groups,
            )
            for name in names
        }

    def _count(self, share: Corpus, sides: Mapping[str, _Side], advance: Progress) -> None:
        choice = Sides(None, self.hold_out) if self.hold_out else None
        for batch in share.batches(advance):
            of_texts = text_hashes(batch)
            terms = terms_of(batch, of_texts)
            if choice is None:
                sides[TRAINING].add(batch, of_texts, terms)
                continue
            held = choice.held_out(batch, of_texts)
            for name, kept in ((TRAINING, ~held), (HELD_OUT, held)):
                if kept.any():
                    sides[name].add_some(batch, kept, of_texts, terms)
        for side in sides.values():
            side.finish(share.name)


class _Files:
    """The files of a rank on this machine, which go to their place together.

    Attributes:
        paths: by their names there.
        about: what the marker says of them.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder, self._rank = folder, rank
        self.paths: dict[str, Path] = {}
        self.about: dict[str, dict[str, Any]] = {}

    def add(self, below: str, suffix: str, write: Callable[[Path], None], **about: Any) -> None:
        """Add a file of a folder, which `write` writes."""
        name = f"{below}/{rank_name(self._rank)}.{suffix}"
        path = self._folder / f"file-{len(self.paths)}"
        try:
            write(path)
        except OSError as error:
            raise StorageError(
                f"cannot write {name}, to be moved to its place from {self._folder}.",
                f"Found: {error.strerror or error}.",
                "Free space, or choose another place for temporary files with TOKTK_HOME=DIR.",
            ) from error
        self.paths[name] = path
        self.about[name] = {**about_file(path), **about}


class _Side:
    """What a rank counts of a side."""

    def __init__(
        self,
        pretokenizer: Pretokenizer,
        memory: int,
        folder: Path,
        n_partitions: int,
        *,
        is_sampled: bool,
        is_pooled: bool,
    ) -> None:
        self._counter = BoundedCounter(pretokenizer, memory, folder, n_partitions=n_partitions)
        self._sum = DocumentSum()
        self.sample = Sample(in_order=True)
        self._is_sampled, self._is_pooled = is_sampled, is_pooled

    def add(self, batch: pa.RecordBatch, of_texts: UInt64, terms: UInt64) -> None:
        """Add documents, with the `text_hashes` and `terms_of` them."""
        self._sum.add_terms(terms)
        batch = pooled(batch) if self._is_pooled else compacted(batch)
        self._counter.add(batch)
        if self._is_sampled:
            self.sample.see(batch, of_texts)

    def add_some(
        self, batch: pa.RecordBatch, kept: npt.NDArray[np.bool_], of_texts: UInt64, terms: UInt64
    ) -> None:
        """Add some documents of a batch: those for which `kept`, bool[n], is set, of all that is given."""
        if self._is_sampled or 2 * kept.sum() < kept.size:
            batch = filtered(batch, kept)
        else:  # the text is not copied
            batch = muted(batch, ~kept)
        self.add(batch, of_texts[kept], terms[kept])

    def finish(self, corpus: str) -> None:
        """Have done with counting; refuse a group that stands for all of them."""
        self._runs = self._counter.finish()
        self.totals = Totals(self._runs.groups, np.hstack([self._runs.totals, self._runs.aligned]))
        if POOLED in self._runs.groups:
            raise CorpusError(
                f"a group of {corpus} is called {POOLED!r}, which stands for all groups together.",
                "Rename the group (or the file it is named after).",
            )

    def write(self, name: str, files: _Files) -> dict[str, Any]:
        """Write a part for each partition that has a piece; return what the marker says of the side."""
        whole = NOTHING
        for k in range(self._runs.n_partitions):
            table = self._runs.partition(k)
            if len(table):
                sizes = Sizes.of(table)
                write = functools.partial(write_part, table)
                files.add(folder_of(name, k), "parquet", write, **vars(sizes))
                whole += sizes
        totals = self.totals.sums.sum(axis=0)
        return {
            "rows": self._sum.n_documents,
            "documents": int(totals[DOCUMENTS]),
            "bytes": int(totals[BYTES]),
            "fingerprint": str(self._sum),
            **vars(whole),
        }
