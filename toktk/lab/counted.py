"""Counted corpora: from this run, from the store, or by reading the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import offsets_of, read_arrays, write_arrays
from toktk.cache import Store
from toktk.lab.meter import Meter
from toktk.pieces.counting import count_corpus_many
from toktk.pieces.table import PieceTable
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    from toktk.corpus import Corpus


@dataclass(frozen=True)
class Reading:
    """What a pass over a corpus met: invalid sequences replaced, rows without text."""

    replaced: int = 0
    null_rows: int = 0


@dataclass(frozen=True)
class CountedCorpus:
    """The pieces of a corpus under one pretokenizer, and what reading it met."""

    table: PieceTable
    reading: Reading

    def save(self, folder: Path) -> None:
        """Write plain arrays: to sort them for Parquet takes about as long as counting does."""
        table = self.table
        arrays = {
            "data": table.data,
            "lengths": _narrow(np.diff(table.offsets)),
            "entries": _narrow(np.diff(table.rows)),
            "entry_group": _narrow(table.entry_group),
            "entry_count": _narrow(table.entry_count),
            "totals": table.totals,
            "aligned": table.aligned,
        }
        about = {"groups": table.groups, "pretokenizer": table.pretokenizer}
        write_arrays(folder, arrays, **about, reading=vars(self.reading))

    @classmethod
    def load(cls, folder: Path) -> CountedCorpus:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        table = PieceTable(
            arrays["data"],
            offsets_of(arrays["lengths"]),
            offsets_of(arrays["entries"]),
            arrays["entry_group"].astype(np.int32),
            arrays["entry_count"].astype(np.int64),
            tuple(about["groups"]),
            arrays["totals"],
            arrays["aligned"],
            about["pretokenizer"],
        )
        return cls(table, Reading(**about["reading"]))


class CountedCorpora:
    """The pieces of texts under pretokenizers, each counted once.

    Args:
        meter: is told what is counted, and what was there.
        jobs: threads; they change no result.
        force: count everything anew.

    Attributes:
        store: where they are kept, and all else that is stored.
    """

    def __init__(self, meter: Meter, jobs: int = 1, force: bool = False) -> None:
        self.store = Store(meter.remark, force=force)
        self.meter = meter
        self.jobs = jobs
        self._held: dict[tuple[str, str], CountedCorpus] = {}
        self._slow: set[str] = set()

    def get(self, corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool) -> CountedCorpus:
        """Return the counted corpus, held until `drop` if counted by group.

        Raises:
            CorpusError: the text cannot be read.
        """
        held = corpus.fingerprint, pretokenizer.key
        if by_group:  # several tokenizers are measured on it; training data keeps its own
            self.count_together(corpus, [pretokenizer])
            return self._held[held]
        pieces = self._stored(corpus, pretokenizer, by_group)
        return pieces or self._counted(corpus, [pretokenizer], by_group)[0]

    def count_together(self, corpus: Corpus, pretokenizers: Sequence[Pretokenizer]) -> None:
        """Hold the text counted by group under each, by one reading for all that are not there.

        Raises:
            CorpusError: the text cannot be read.
        """
        missing = []
        for pretokenizer in pretokenizers:
            held = corpus.fingerprint, pretokenizer.key
            if held in self._held:
                continue
            pieces = self._stored(corpus, pretokenizer, by_group=True)
            if pieces is None:
                missing.append(pretokenizer)
            else:
                self._held[held] = pieces
        if missing:
            counted = self._counted(corpus, missing, by_group=True)
            for pretokenizer, pieces in zip(missing, counted, strict=True):
                self._held[corpus.fingerprint, pretokenizer.key] = pieces

    def drop(self, corpus: Corpus, pretokenizer: Pretokenizer) -> None:
        """Hold the pieces no longer; the store keeps them."""
        self._held.pop((corpus.fingerprint, pretokenizer.key), None)

    def _stored(
        self, corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool
    ) -> CountedCorpus | None:
        key = _cell_key(corpus, pretokenizer, by_group)
        pieces = self.store.read("pieces", key, CountedCorpus.load)
        if pieces is not None:
            self.meter.reused("count", f"{corpus.name}, {pretokenizer.name}")
        return pieces

    def _counted(
        self, corpus: Corpus, pretokenizers: Sequence[Pretokenizer], by_group: bool
    ) -> list[CountedCorpus]:
        for pretokenizer in pretokenizers:
            self._say_if_slow(pretokenizer)
        names = ", ".join(pretokenizer.name for pretokenizer in pretokenizers)
        what = f"{corpus.name}, {names}"
        with self.meter.step("count", what, corpus.size, corpus.unit) as progress:
            tables = count_corpus_many(
                corpus, pretokenizers, jobs=self.jobs, by_group=by_group, progress=progress
            )
            reading = Reading(corpus.replaced, corpus.null_rows)
        counted = [CountedCorpus(table, reading) for table in tables]
        for pretokenizer, pieces in zip(pretokenizers, counted, strict=True):
            if _worth_keeping(pretokenizer):
                key = _cell_key(corpus, pretokenizer, by_group)
                self.store.write("pieces", key, pieces.save)
        return counted

    def _say_if_slow(self, pretokenizer: Pretokenizer) -> None:
        key = pretokenizer.key
        if pretokenizer.compile() is None and key not in self._slow:
            self._slow.add(key)
            self.meter.remark(
                f"the pattern of {pretokenizer.name} does not compile to tables; the regex library "
                "cuts instead: slower, same result."
            )


def _cell_key(corpus: Corpus, pretokenizer: Pretokenizer, by_group: bool) -> dict[str, Any]:
    return {
        "corpus": corpus.fingerprint,
        "pattern": pretokenizer.key,
        # Without the name: a public tokenizer's pattern may have another one than a trainer's.
        "cut": pretokenizer.signature.partition("@")[2],
        "by_group": by_group,
    }


def _worth_keeping(pretokenizer: Pretokenizer) -> bool:
    # Whole documents would be a copy of the corpus, and to read it again is no slower.
    return pretokenizer.key != PATTERNS["none"]


def _narrow(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return non-negative integers in the narrowest type that holds them: half a cell's bytes."""
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))
